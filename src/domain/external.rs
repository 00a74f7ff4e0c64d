//! What an agent note says of a program that does the work in the place of the built-in loop: how it is started, with
//! which words and variables. Starts nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::InvalidId;

/// Who does an agent's work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// `ado-vault` talks to the model itself.
    #[default]
    BuiltIn,
    /// A program that speaks the Agent Client Protocol on its standard streams.
    Acp,
    /// A program that is started with the prompt and judged by what it leaves behind.
    Command,
}

impl Backend {
    /// As notes write it.
    pub fn slug(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Acp => "acp",
            Self::Command => "command",
        }
    }
}

/// What words and variables of an external agent may name as `{{name}}`, with what stands there then.
pub const PLACEHOLDERS: [(&str, &str); 8] = [
    ("prompt", "the whole prompt"),
    ("prompt_file", "path of a file that holds the prompt"),
    ("answer_file", "path of the file into which a role that changes nothing writes its result"),
    ("model", "the model's name, as the agent asks for it"),
    ("base_url", "address of the model gateway for OpenAI's dialects, ending in `/v1`"),
    ("gateway_url", "the same without `/v1`, for Anthropic's dialect and Gemini's"),
    ("worktree", "path of the worktree"),
    ("home", "path of the agent's home folder"),
];

/// The text with each `{{name}}` replaced that `values` knows.
pub fn fill(text: &str, values: &BTreeMap<&str, String>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((start, name, end)) = placeholder(rest) {
        filled.push_str(&rest[..start]);
        filled.push_str(values.get(name).map_or(&rest[start..end], String::as_str));
        rest = &rest[end..];
    }
    filled.push_str(rest);
    filled
}

/// Names that stand as `{{name}}` in a text, in order.
pub fn placeholders(text: &str) -> Vec<&str> {
    let mut names = vec![];
    let mut rest = text;
    while let Some((_, name, end)) = placeholder(rest) {
        names.push(name);
        rest = &rest[end..];
    }
    names
}

/// The first `{{name}}`: where it begins, its name, where it ends.
fn placeholder(text: &str) -> Option<(usize, &str, usize)> {
    let opened = text.as_bytes().windows(2).enumerate().filter(|(_, two)| two == b"{{");
    opened.map(|(start, _)| start).find_map(|start| {
        let inside = &text[start + 2..];
        let length = inside.find("}}")?;
        let name = inside[..length].trim();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_name.then_some((start, name, start + 2 + length + 2))
    })
}

/// A variable of an external agent's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct AgentVariable {
    pub name: String,
    /// What it is set to, with placeholders; missing means what `ado-vault`'s own environment holds.
    pub value: Option<String>,
}

impl TryFrom<String> for AgentVariable {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.to_owned())),
            None => (text.trim(), None),
        };
        let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if first && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            Ok(Self { name: name.to_owned(), value })
        } else {
            // What stands there may be a key by mistake, and is not repeated.
            let text = String::new();
            Err(InvalidId { kind: "variable", text, expected: "`NAME`, or `NAME=value`" })
        }
    }
}

impl From<AgentVariable> for String {
    fn from(variable: AgentVariable) -> Self {
        match variable.value {
            Some(value) => format!("{}={value}", variable.name),
            None => variable.name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once_and_other_braces_stay() {
        let values = BTreeMap::from([("model", "{{home}}".to_owned()), ("home", "/h".to_owned())]);
        assert_eq!(fill("a {{model}} {{ home }} {{nothing}}", &values), "a {{home}} /h {{nothing}}");
        assert_eq!(fill(r#"{"a":{"b":"{{home}}"}}"#, &values), r#"{"a":{"b":"/h"}}"#);
        assert_eq!(fill("{{", &values), "{{");
        assert_eq!(fill("{{{home}}}", &values), "{/h}");
        assert_eq!(placeholders("{{x}} {{A}} {{ y_z }}"), ["x", "y_z"]);
    }

    #[test]
    fn a_variable_is_passed_on_or_set_and_anything_else_is_refused_without_being_repeated() {
        let read = |text: &str| AgentVariable::try_from(text.to_owned());
        assert_eq!(read("LANG").unwrap(), AgentVariable { name: "LANG".into(), value: None });
        let set = read("A=b=c").unwrap();
        assert_eq!((set.name.as_str(), set.value.as_deref()), ("A", Some("b=c")));
        assert_eq!(String::from(set), "A=b=c");
        for bad in ["", "=x", "1A", "sk-secret", "A B"] {
            let error = read(bad).unwrap_err().to_string();
            assert!(bad.is_empty() || !error.contains("sk-secret"), "{error}");
        }
    }
}
