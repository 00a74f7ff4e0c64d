//! What is wrong with the texts of a vault's notes, whatever they are about.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::features::sorted;
use super::links::Links;
use crate::domain::{Diagnostic, NotePath, is_below, place_of, secrets_in};
use crate::note::{self, LISTS, properties, split};

/// All that is looked at.
pub struct Texts<'a> {
    /// Path and text of every note.
    pub notes: Vec<(&'a NotePath, &'a str)>,
    /// All files that links can lead to.
    pub files: &'a [NotePath],
    /// Folders of features, of runs, of Obsidian's templates, of agents.
    pub features: &'a str,
    pub runs: &'a str,
    pub templates: &'a str,
    pub agents: &'a str,
}

/// What is wrong with the notes' texts, sorted by place.
pub fn check_texts(texts: &Texts<'_>) -> Vec<Diagnostic> {
    let by_path: HashMap<&NotePath, &str> = texts.notes.iter().copied().collect();
    let text = |path: &NotePath| by_path.get(path).copied();
    let mut links = Links::of(texts.files, &text);
    let mut found = same_names(texts);
    for (path, text) in &texts.notes {
        let is_below = |folder: &str| is_below(path.as_str(), folder);
        if let Some(damage) = note::preflight(text) {
            found.push(damage.in_note(path));
            continue;
        }
        found.extend(secrets(path, text));
        if is_below(texts.templates) {
            found.extend(tera(path, text));
            continue;
        }
        found.extend(front_matter(path, text));
        // What ado writes about a run is not for people to mend.
        if !is_below(texts.runs) && !is_below(texts.agents) {
            found.extend(links.check(path, text));
        }
    }
    sorted(found)
}

fn same_names(texts: &Texts<'_>) -> Vec<Diagnostic> {
    let mut by_name: HashMap<String, Vec<&NotePath>> = HashMap::new();
    for (path, _) in texts.notes.iter().filter(|(path, _)| !is_below(path.as_str(), texts.runs)) {
        by_name.entry(path.stem().to_lowercase()).or_default().push(path);
    }
    let mut found = vec![];
    for paths in by_name.values().filter(|paths| paths.len() > 1) {
        for path in paths.iter().filter(|path| is_below(path.as_str(), texts.features)) {
            let others: Vec<&str> =
                paths.iter().filter(|other| *other != path).map(|other| other.as_str()).collect();
            let message = format!("`{}` has this name too", others.join("`, `"));
            let remedy =
                "rename one of them, `ado-vault mv` mends the links: a link by this name may mean either";
            found.push(Diagnostic::warning("duplicate-name", message, remedy).in_note(path));
        }
    }
    found
}

fn secrets(path: &NotePath, text: &str) -> Vec<Diagnostic> {
    let finding = |hit: crate::domain::SecretMatch| {
        let (line, column) = place_of(text, hit.range.start);
        let shown = hit.shown(text);
        let message = format!("what looks like a secret stands here: `{shown}…` ({})", hit.rule);
        let remedy =
            "revoke it, take it out of the note and of the history, and name an environment variable instead";
        Diagnostic::error("secret-in-note", message, remedy).at(line, column).in_note(path)
    };
    secrets_in(text).into_iter().map(finding).collect()
}

/// `{% … %}` and `{{ … }}` with more than Obsidian's own `title`, `date` and `time`.
fn tera(path: &NotePath, text: &str) -> Vec<Diagnostic> {
    static TAG: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\{%.*?%\}|\{\{.*?\}\}").expect("a literal pattern"));
    static OWN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\{\{\s*(?:title|date|time)\s*(?::.*)?\}\}$").expect("a literal pattern")
    });
    let foreign = TAG.find_iter(text).filter(|hit| !OWN.is_match(hit.as_str()));
    foreign
        .map(|hit| {
            let (line, column) = place_of(text, hit.start());
            let shown: String = note::plain(hit.as_str()).chars().take(60).collect();
            let message =
                format!("Obsidian leaves `{shown}` as it is: its templates know `title`, `date` and `time`");
            let remedy = "take it out, or move it to an agent's prompt, where Tera is understood";
            Diagnostic::warning("tera-in-template", message, remedy).at(line, column).in_note(path)
        })
        .collect()
}

fn front_matter(path: &NotePath, text: &str) -> Vec<Diagnostic> {
    let map = match properties(text) {
        Ok(map) => map,
        Err(damage) => return damage.into_iter().map(|damage| damage.in_note(path)).collect(),
    };
    let Some(front) = split(text).ok().and_then(|parts| parts.front).filter(|_| !map.is_empty()) else {
        return vec![];
    };
    let mut found = vec![];
    for (number, line) in (2..).zip(text[front].lines()) {
        let Some((key, value)) = line.split_once(':') else { continue };
        let (key, value) = (key.trim(), value.trim());
        let value = value.split(" #").next().unwrap_or_default().trim_end();
        if is_version(key) && is_shortened(value) {
            let read = value.parse::<f64>().map(|number| number.to_string()).unwrap_or_default();
            let message = format!("`{key}: {value}` is read as the number {read}");
            let remedy = format!("put it in quotes: `{key}: \"{value}\"`");
            found.push(
                Diagnostic::warning("number-like-version", message, remedy).at(number, 1).in_note(path),
            );
        }
        let is_text = map.get(key).is_some_and(|value| value.is_string() || value.is_number());
        if LISTS.contains(&key) && is_text && !value.is_empty() {
            let message = format!("`{key}` is a text, and Obsidian reads only lists");
            let remedy = format!("write `{key}: [{value}]`, or one entry a line behind `- `");
            found.push(Diagnostic::warning("scalar-list", message, remedy).at(number, 1).in_note(path));
        }
    }
    found
}

/// Whether a property of this name holds a version rather than an amount.
fn is_version(key: &str) -> bool {
    let key = key.to_lowercase();
    ["version", "release", "milestone", "branch", "since"].iter().any(|word| key.contains(word))
}

/// `1.10`, of which YAML makes 1.1.
fn is_shortened(value: &str) -> bool {
    let mut parts = value.split('.');
    let digits = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    digits(parts.next()) && digits(parts.next()) && parts.next().is_none() && value.ends_with('0')
}
