//! What is wrong with a note: a stable code, a place, a sentence and a remedy.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NotePath;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is done with the note until this is mended.
    Error,
    Warning,
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// Line and column of a byte of the text, both counted from 1.
pub fn place_of(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// One finding about a note. `line` and `column` count from 1; 0 means the whole file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    /// Stable kebab-case rule name, such as `unknown-status`.
    pub code: String,
    pub severity: Severity,
    pub path: Option<NotePath>,
    pub line: u32,
    pub column: u32,
    pub message: String,
    /// What the human should do.
    pub remedy: String,
}

impl Diagnostic {
    pub fn error(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            severity: Severity::Error,
            path: None,
            line: 0,
            column: 0,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    pub fn warning(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, remedy) }
    }

    pub fn at(self, line: u32, column: u32) -> Self {
        Self { line, column, ..self }
    }

    pub fn in_note(self, path: &NotePath) -> Self {
        Self { path: Some(path.clone()), ..self }
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    /// `10_features/x.md:4:1: error[unknown-status]: message; remedy`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}")?;
            if self.line > 0 {
                write!(f, ":{}:{}", self.line, self.column.max(1))?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}[{}]: {}; {}", self.severity, self.code, self.message, self.remedy)
    }
}
