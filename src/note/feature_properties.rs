//! Reads the properties of a feature note into their types; what has the wrong type becomes a diagnostic with its line.
//! It does not know the note's body.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::coerce::{link_text, unlinked};
use super::entry::{Entries, entries};
use super::yaml::parse_pairs;
use crate::domain::{
    AuthorTrust, BranchName, Diagnostic, FeatureId, FeatureProperties, FeatureType, Level, REVIEW_PREFIX,
    RareProperties, Severity, Status, Tier, Usd,
};

/// What a front matter says.
pub(crate) struct FeatureReader {
    pub properties: FeatureProperties,
    /// Whether there is an `id`, valid or not.
    pub has_id: bool,
    pub diagnostics: Vec<Diagnostic>,
}

impl FeatureReader {
    /// `front` is the text between the fences.
    pub fn read(front: &str) -> Self {
        let pairs = match parse_pairs(front) {
            Ok(pairs) => pairs,
            Err(diagnostic) => {
                let properties = FeatureProperties::default();
                return Self { properties, has_id: true, diagnostics: vec![diagnostic] };
            }
        };
        let mut reading = Reading { front, pairs: &pairs, entries: None, diagnostics: vec![] };
        let has_id = reading.value("id").is_some();
        let properties = reading.properties();
        Self { properties, has_id, diagnostics: reading.diagnostics }
    }
}

struct Reading<'a> {
    front: &'a str,
    pairs: &'a [(Cow<'a, str>, Value)],
    /// Where the properties stand; looked for when there is something to report.
    entries: Option<Entries>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Reading<'a> {
    fn properties(&mut self) -> FeatureProperties {
        let strict = Severity::Error;
        let loose = Severity::Warning;
        FeatureProperties {
            id: self.parsed(
                "id",
                "bad-id",
                strict,
                |text| text.trim().parse::<FeatureId>().ok().filter(|id| id.prefix() != REVIEW_PREFIX),
                "write `FR-` and digits, such as `FR-056`",
            ),
            title: self.text("title", "bad-title", loose),
            kind: self.parsed(
                "type",
                "unknown-type",
                strict,
                |text| text.parse::<FeatureType>().ok(),
                "write one of feature, bug, refactor, test, docs, ci, dependency, security, migration",
            ),
            status: self.parsed(
                "status",
                "unknown-status",
                strict,
                |text| text.parse::<Status>().ok(),
                "write one of ideas, new, planned, in_progress, review, done, dropped",
            ),
            priority: self.parsed(
                "priority",
                "bad-priority",
                loose,
                |text| {
                    text.trim_start_matches(['p', 'P']).parse().ok().filter(|number| (1..=4).contains(number))
                },
                "write a number from 1 (urgent) to 4",
            ),
            repo: self.text("repo", "bad-repo", strict).map(|text| unlinked(&text).to_owned()),
            depends_on: self.dependencies(),
            rare: self.rare().into(),
        }
    }

    fn rare(&mut self) -> RareProperties {
        let (strict, loose) = (Severity::Error, Severity::Warning);
        RareProperties {
            target_branch: self.parsed(
                "target_branch",
                "bad-branch",
                strict,
                |text| text.parse::<BranchName>().ok().map(String::from),
                "write a branch name: letters, digits, `.`, `_`, `-` and `/`",
            ),
            risk: self.parsed("risk", "bad-risk", strict, named::<Level>, "write low, medium or high"),
            budget_usd: self.number("budget_usd", "bad-budget", strict, 1e9).map(Usd::from_dollars),
            budget_tokens: self
                .number("budget_tokens", "bad-budget", strict, 1e15)
                .map(|number| number as u64),
            approved: self.checkbox("approved"),
            specify: self.checkbox("specify"),
            waiting_on: self.text("waiting_on", "bad-property", loose),
            tier: self.parsed(
                "tier",
                "bad-property",
                loose,
                named::<Tier>,
                "delete the line: ado-vault writes it",
            ),
            complexity: self.number("complexity", "bad-property", loose, 100.0).map(|number| number as u8),
            run: self.text("run", "bad-property", loose),
            step: self.text("step", "bad-property", loose),
            branch: self.text("branch", "bad-property", loose),
            pr: self.text("pr", "bad-property", loose),
            cost_usd: self.number("cost_usd", "bad-property", loose, 1e9).map(Usd::from_dollars),
            tokens: self.number("tokens", "bad-property", loose, 1e15).map(|number| number as u64),
            updated: self.text("updated", "bad-property", loose),
            issue: self.text("issue", "bad-property", loose),
            issue_author: self.text("issue_author", "bad-property", loose),
            issue_trust: self.parsed(
                "issue_trust",
                "bad-property",
                loose,
                |text| text.parse::<AuthorTrust>().ok(),
                "write outside, member or instructor",
            ),
            commands_seen: self
                .number("commands_seen", "bad-property", loose, 1e15)
                .map(|number| number as u64),
        }
    }

    /// The name as written and the value; an empty property is missing. Names differ in nothing but their case.
    fn value(&self, key: &str) -> Option<(&'a str, &'a Value)> {
        let mut alike = self.pairs.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        let first = alike.next()?;
        // The one that is written so goes before others.
        let exact = if first.0 == key { None } else { alike.find(|(name, _)| name == key) };
        let (name, value) = exact.unwrap_or(first);
        let is_empty = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        (!is_empty).then_some((name, value))
    }

    fn report(&mut self, name: &str, code: &str, severity: Severity, message: String, remedy: &str) {
        let line = self.entries.get_or_insert_with(|| entries(self.front)).line_of(name);
        let diagnostic = Diagnostic::error(code, message, remedy).at(line, 1);
        self.diagnostics.push(Diagnostic { severity, ..diagnostic });
    }

    fn text(&mut self, key: &str, code: &str, severity: Severity) -> Option<String> {
        let (name, value) = self.value(key)?;
        let text = scalar(value).map(Cow::into_owned);
        if text.is_none() {
            let message = format!("`{name}` is not a text: {}", shown(value));
            self.report(name, code, severity, message, "write one line of text, in quotes if it is a link");
        }
        text
    }

    fn parsed<T>(
        &mut self,
        key: &str,
        code: &str,
        severity: Severity,
        parse: impl Fn(&str) -> Option<T>,
        remedy: &str,
    ) -> Option<T> {
        let (name, value) = self.value(key)?;
        let parsed = scalar(value).and_then(|text| parse(text.trim()));
        if parsed.is_none() {
            self.report(name, code, severity, format!("`{name}` is {}", shown(value)), remedy);
        }
        parsed
    }

    fn number(&mut self, key: &str, code: &str, severity: Severity, most: f64) -> Option<f64> {
        let (name, value) = self.value(key)?;
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (0.0..=most).contains(number));
        if number.is_none() {
            let message = format!("`{name}` is {}, not a number from 0 to {most}", shown(value));
            self.report(name, code, severity, message, "write a plain number without a unit");
        }
        number
    }

    fn checkbox(&mut self, key: &str) -> Option<bool> {
        let (name, value) = self.value(key)?;
        if value.as_bool().is_none() {
            let message = format!("`{name}` is {}, not true or false", shown(value));
            self.report(name, "bad-checkbox", Severity::Warning, message, "write true or false");
        }
        value.as_bool()
    }

    fn dependencies(&mut self) -> Vec<String> {
        let Some((name, value)) = self.value("depends_on") else {
            return vec![];
        };
        let texts: Vec<Option<String>> = match (value, link_text(value)) {
            (_, Some(text)) => vec![Some(text)],
            (Value::Array(items), None) => {
                items.iter().filter(|item| !item.is_null()).map(link_text).collect()
            }
            _ => vec![None],
        };
        let mut found = Vec::new();
        for (at, text) in texts.into_iter().enumerate() {
            match text {
                Some(text) if text.trim().is_empty() => {}
                Some(text) if id_in(&text).is_some() => found.push(text),
                text => {
                    let entry = value.get(at).unwrap_or(value);
                    let message = format!(
                        "`{name}` has an entry without a feature id: {}",
                        text.map_or_else(|| shown(entry), |text| format!("`{}`", super::plain(&text)))
                    );
                    let remedy = "write `FR-054` or `\"[[FR-054 Title]]\"`";
                    self.report(name, "depends-on-malformed", Severity::Error, message, remedy);
                }
            }
        }
        found
    }
}

/// The id that a dependency names: `FR-054` or a wikilink to a note whose name begins with one.
pub(crate) fn id_in(text: &str) -> Option<FeatureId> {
    leading_id(unlinked(text)).map(|(id, _)| id)
}

/// The id that a name begins with, and what follows it.
pub(crate) fn leading_id(name: &str) -> Option<(FeatureId, &str)> {
    let dash = name.find('-')?;
    let digits = name[dash + 1..].bytes().take_while(u8::is_ascii_digit).count();
    let (id, rest) = name.split_at(dash + 1 + digits);
    if rest.starts_with(char::is_alphanumeric) {
        return None;
    }
    Some((id.parse().ok()?, rest))
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(bool) => Some(bool.to_string().into()),
        other => link_text(other).map(Cow::Owned),
    }
}

fn named<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::from(text.to_lowercase())).ok()
}

/// A value for people: short and without control characters.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = super::plain(&text).replace('\n', " ");
    let short: String = text.chars().take(60).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("`{short}{dots}`")
}
