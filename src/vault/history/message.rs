//! The words of a commit.

use serde::{Deserialize, Serialize};

use crate::domain::{FeatureId, NotePath};
use crate::note;

/// A commit's message: subject, body, trailers (vault format, section 7).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitMessage {
    /// `FR-056: planned → in_progress`.
    pub subject: String,
    /// May be empty.
    pub body: String,
    /// `("Ado-Feature", "FR-056")`.
    pub trailers: Vec<(String, String)>,
}

impl CommitMessage {
    /// Whether the commit is of this feature.
    pub(crate) fn is_of(&self, feature: &FeatureId) -> bool {
        self.trailers.iter().any(|(key, value)| key == "Ado-Feature" && value == feature.as_str())
    }

    /// The text as git stores it. Control characters and line breaks in subject and trailers become spaces.
    pub(super) fn text(&self) -> String {
        let mut text = line(&self.subject);
        let body: Vec<String> = self.body.trim().lines().map(note::plain).collect();
        if !body.is_empty() {
            text.push_str("\n\n");
            text.push_str(&body.join("\n"));
        }
        if !self.trailers.is_empty() {
            text.push('\n');
        }
        for (key, value) in &self.trailers {
            text.push_str(&format!("\n{}: {}", line(key), line(value)));
        }
        text.push('\n');
        text
    }
}

/// Trailer of a commit in which ado recorded what a person had left uncommitted.
pub(super) const RECORDED: (&str, &str) = ("Ado-Event", "recorded");

/// One path's change since the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Edited,
    Deleted,
}

/// What a human did, in a subject line and one line a note.
pub(super) fn of_human(changes: &[(NotePath, Change)]) -> CommitMessage {
    let mut words: Vec<(&str, String)> = Vec::new();
    for (path, change) in changes {
        let twin = |wanted: Change| {
            changes.iter().find(|(other, kind)| *kind == wanted && other.file_name() == path.file_name())
        };
        match change {
            Change::Edited => words.push(("edit", path.stem().to_owned())),
            Change::Added => match twin(Change::Deleted) {
                Some((from, _)) => {
                    let (from, to) = (last_folder(from), last_folder(path));
                    words.push(("move", format!("{}: {from} → {to}", path.stem())));
                }
                None => words.push(("add", path.stem().to_owned())),
            },
            Change::Deleted if twin(Change::Added).is_some() => {}
            Change::Deleted => words.push(("delete", path.stem().to_owned())),
        }
    }
    match words.as_slice() {
        [(verb, what)] => {
            CommitMessage { subject: format!("vault: {verb} {what}"), ..CommitMessage::default() }
        }
        [(verb, _), rest @ ..] => {
            let verb = if rest.iter().all(|(other, _)| other == verb) { verb } else { "change" };
            let lines: Vec<String> = words.iter().map(|(verb, what)| format!("- {verb} {what}")).collect();
            CommitMessage {
                subject: format!("vault: {verb} {} notes", words.len()),
                body: lines.join("\n"),
                trailers: Vec::new(),
            }
        }
        [] => CommitMessage { subject: "vault: change nothing".to_owned(), ..CommitMessage::default() },
    }
}

fn last_folder(path: &NotePath) -> &str {
    match path.folder() {
        "" => "/",
        folder => folder.rsplit_once('/').map_or(folder, |(_, last)| last),
    }
}

fn line(text: &str) -> String {
    note::plain(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> NotePath {
        NotePath::new(text).unwrap()
    }

    #[test]
    fn a_message_has_subject_body_and_trailers() {
        let message = CommitMessage {
            subject: "FR-056: planned → in_progress\nEvil: line".into(),
            body: "Because.".into(),
            trailers: vec![
                ("Ado-Feature".into(), "FR-056".into()),
                ("Ado-Run".into(), "FR-056/1\nX: y".into()),
            ],
        };
        assert_eq!(
            message.text(),
            "FR-056: planned → in_progress Evil: line\n\nBecause.\n\nAdo-Feature: FR-056\nAdo-Run: FR-056/1 X: y\n"
        );
    }

    #[test]
    fn a_human_s_gesture_is_told_in_the_subject() {
        let moved = [
            (path("10_features/02_new/FR-1 A.md"), Change::Deleted),
            (path("10_features/03_planned/FR-1 A.md"), Change::Added),
        ];
        assert_eq!(of_human(&moved).subject, "vault: move FR-1 A: 02_new → 03_planned");
        assert_eq!(of_human(&[(path("A.md"), Change::Edited)]).subject, "vault: edit A");
        let two = of_human(&[(path("A.md"), Change::Edited), (path("B.md"), Change::Deleted)]);
        assert_eq!(
            (two.subject.as_str(), two.body.as_str()),
            ("vault: change 2 notes", "- edit A\n- delete B")
        );
    }
}
