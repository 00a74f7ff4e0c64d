//! How a command ends: exit codes, and failures with their remedy.

use std::process::{ExitCode, Termination};

use crate::note;

/// Exit codes of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// The vault or the work has errors.
    Errors,
    /// Wrong arguments.
    Usage,
    /// Stopped by a brake or waiting for a human.
    Waiting,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Errors => 1,
            Self::Usage => 2,
            Self::Waiting => 3,
        })
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    message: String,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    pub fn errors(message: impl Into<String>) -> Self {
        Self { exit: Exit::Errors, message: message.into() }
    }

    pub fn print(&self) {
        eprintln!("error: {}", note::plain(&self.message));
    }
}

impl<E: std::error::Error> From<E> for Failure {
    /// The error and its causes in one line.
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            let text = source.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = source.source();
        }
        Self::errors(message)
    }
}
