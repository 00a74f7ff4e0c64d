//! Reads the notes that configure ado-vault: settings, policies, repositories, models, agents. It does not know the last
//! good version of a note; keeping that is the caller's.

use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::coerce::{Shapes, coerce};
use super::entry::{Entries, entries};
use super::preflight::preflight;
use super::{body, limits, properties, split};
use crate::domain::{
    AgentConfig, ApprovalPolicy, ContentHash, Diagnostic, GatePolicy, InvalidId, ModelConfig, NotePath,
    Repository, Routing, Settings,
};

/// What a note says, and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Read<T> {
    /// `None` when the note cannot be used; then `diagnostics` has an error.
    pub value: Option<T>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads `00_system/Settings.md`.
pub fn read_settings(path: &NotePath, text: &str) -> Read<Settings> {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    Note::read(path, text).finish(&SHAPES, &json!({}), limits::settings)
}

/// Reads `30_policy/Routing.md`.
pub fn read_routing(path: &NotePath, text: &str) -> Read<Routing> {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    Note::read(path, text).finish(&SHAPES, &json!({}), limits::routing)
}

/// Reads `30_policy/Approvals.md`.
pub fn read_approvals(path: &NotePath, text: &str) -> Read<ApprovalPolicy> {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    Note::read(path, text).finish(&SHAPES, &json!({}), limits::approvals)
}

/// Reads `30_policy/Gates.md`.
pub fn read_gates(path: &NotePath, text: &str) -> Read<GatePolicy> {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    Note::read(path, text).finish(&SHAPES, &json!({}), limits::gates)
}

/// Reads a note of `00_system/repos/`; its stem is the name, its body the conventions.
pub fn read_repository(path: &NotePath, text: &str) -> Read<Repository> {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    let mut note = Note::read(path, text);
    let name = note.name();
    let mut read: Read<Repository> = note.finish(&SHAPES, &json!({"path": "x"}), limits::repository);
    read.value = read.value.zip(name).map(|(repository, name)| Repository {
        name,
        conventions: body(text).trim().to_owned(),
        ..repository
    });
    read
}

/// Reads a note of `00_system/models/`; its stem is the name.
pub fn read_model(path: &NotePath, text: &str) -> Read<ModelConfig> {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    let mut note = Note::read(path, text);
    let name = note.name();
    let mut read: Read<ModelConfig> = note.finish(&SHAPES, &json!({"provider": "recorded"}), limits::model);
    read.value = read.value.zip(name).map(|(model, name)| ModelConfig { name, ..model });
    read
}

/// Reads a note of `20_agents/`; its stem is the name, its body the prompt.
pub fn read_agent(path: &NotePath, text: &str) -> Read<AgentConfig> {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    let mut note = Note::read(path, text);
    let name = note.name();
    let prompt = body(text).trim();
    if prompt.is_empty() {
        note.report(Diagnostic::error(
            "missing-prompt",
            "the agent has no prompt",
            "write the prompt below the front matter",
        ));
    }
    let mut read: Read<AgentConfig> = note.finish(&SHAPES, &json!({"role": "coder"}), limits::agent);
    read.value = read.value.zip(name).map(|(agent, name)| AgentConfig {
        name,
        prompt: prompt.to_owned(),
        hash: ContentHash::of(text),
        ..agent
    });
    read
}

/// Properties that Obsidian and people add to any note.
const COMMON: [&str; 10] = [
    "aliases",
    "created",
    "cssclass",
    "cssclasses",
    "description",
    "publish",
    "tags",
    "title",
    "type",
    "updated",
];

/// A registry note on its way to a value.
struct Note<'a> {
    path: &'a NotePath,
    map: Map<String, Value>,
    entries: Entries,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Note<'a> {
    fn read(path: &'a NotePath, text: &str) -> Self {
        let mut note = Self { path, map: Map::new(), entries: Entries::default(), diagnostics: vec![] };
        if let Some(diagnostic) = preflight(text) {
            note.report(diagnostic);
            return note;
        }
        match properties(text) {
            Ok(map) => note.map = map,
            Err(diagnostics) => diagnostics.into_iter().for_each(|diagnostic| note.report(diagnostic)),
        }
        if let Ok(Some(front)) = split(text).map(|parts| parts.front) {
            note.entries = entries(&text[front]);
        }
        note
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic.in_note(self.path));
    }

    fn report_at(&mut self, key: &str, diagnostic: Diagnostic) {
        let line = self.entries.line_of(key);
        self.report(diagnostic.at(line, 1));
    }

    /// The registry name that the note's stem gives.
    fn name<T: std::str::FromStr<Err = InvalidId>>(&mut self) -> Option<T> {
        match self.path.stem().parse() {
            Ok(name) => Some(name),
            Err(error) => {
                self.report(Diagnostic::error(
                    "bad-name",
                    error.to_string(),
                    "rename the note: letters, digits, spaces, `.`, `_`, `-`",
                ));
                None
            }
        }
    }

    /// `least` holds the required properties with values that are valid: it lets each property be tried alone.
    fn finish<T: DeserializeOwned + JsonSchema>(
        mut self,
        shapes: &OnceLock<Shapes>,
        least: &Value,
        limits: fn(&T, &Map<String, Value>) -> Vec<limits::Breach>,
    ) -> Read<T> {
        let shapes = shapes.get_or_init(Shapes::of::<T>);
        let mut given = Map::new();
        for (key, value) in std::mem::take(&mut self.map) {
            if value.is_null() {
                continue;
            }
            match shapes.get(&key) {
                Some(shape) => {
                    let value = coerce(value, shape);
                    self.try_alone::<T>(&key, &value, least);
                    given.insert(key, value);
                }
                None if COMMON.contains(&key.as_str()) => {}
                None => self.unknown(&key, &value, shapes),
            }
        }
        for key in least.as_object().into_iter().flat_map(Map::keys).filter(|key| !given.contains_key(*key)) {
            if !self.has_errors() {
                self.report(
                    Diagnostic::error(
                        "missing-property",
                        format!("the property `{key}` is missing"),
                        format!("add a line `{key}: …` to the front matter"),
                    )
                    .at(1, 1),
                );
            }
        }
        let value = match self.has_errors() {
            true => None,
            false => self.built(given, limits),
        };
        Read { value, diagnostics: self.diagnostics }
    }

    fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    fn try_alone<T: DeserializeOwned>(&mut self, key: &str, value: &Value, least: &Value) {
        let mut one = least.as_object().cloned().unwrap_or_default();
        one.insert(key.to_owned(), value.clone());
        if let Err(error) = serde_json::from_value::<T>(Value::Object(one)) {
            let diagnostic = Diagnostic::error(
                "bad-value",
                format!("`{key}` is wrong: {error}"),
                format!("correct `{key}`, or delete the line for its default"),
            );
            self.report_at(key, diagnostic);
        }
    }

    fn unknown(&mut self, key: &str, value: &Value, shapes: &Shapes) {
        let diagnostic = if limits::looks_secret(key, value) {
            Diagnostic::error(
                "secret-in-note",
                format!("`{key}` holds a key: secrets never live in the vault"),
                "put the key into an environment variable, name that in `api_key_env`, and revoke this key",
            )
        } else {
            let remedy = match shapes.nearest(key) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "delete it, or keep it: it has no effect".to_owned(),
            };
            Diagnostic::warning("unknown-property", format!("the property `{key}` is not known here"), remedy)
        };
        self.report_at(key, diagnostic);
    }

    fn built<T: DeserializeOwned>(
        &mut self,
        given: Map<String, Value>,
        limits: fn(&T, &Map<String, Value>) -> Vec<limits::Breach>,
    ) -> Option<T> {
        match serde_json::from_value::<T>(Value::Object(given.clone())) {
            Ok(value) => {
                for breach in limits(&value, &given) {
                    self.report_at(breach.key, breach.diagnostic);
                }
                (!self.has_errors()).then_some(value)
            }
            Err(error) => {
                self.report(
                    Diagnostic::error("bad-value", error.to_string(), "correct the front matter").at(1, 1),
                );
                None
            }
        }
    }
}
