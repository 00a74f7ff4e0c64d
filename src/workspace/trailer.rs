//! Trailers of commit messages that tie a squash to the run and the commit that it holds. Pure.

use crate::domain::RunId;

/// Names the run.
pub(super) const RUN: &str = "Ado-Run";
/// Names the branch's head that was squashed.
pub(super) const HEAD: &str = "Ado-Head";

/// The values of a trailer: lines `Name: value` in the last paragraph.
pub(super) fn values<'m>(message: &'m str, name: &str) -> Vec<&'m str> {
    last_paragraph(message)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| key.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

/// The message with one more trailer.
pub(super) fn with(message: &str, name: &str, value: &str) -> String {
    let message = message.trim_end();
    let paragraph = last_paragraph(message);
    let joins = paragraph.len() < message.len() && paragraph.lines().all(is_trailer);
    format!("{message}{}{name}: {value}\n", if joins { "\n" } else { "\n\n" })
}

/// Whether a commit is the squash of this head, or of this run where it names no head.
pub(super) fn is_squash_of(message: &str, run: Option<&RunId>, head: &str) -> bool {
    let heads = values(message, HEAD);
    if heads.contains(&head) {
        return true;
    }
    let Some(run) = run.map(ToString::to_string) else { return false };
    heads.is_empty() && values(message, RUN).contains(&run.as_str())
}

fn last_paragraph(message: &str) -> &str {
    let message = message.trim_end();
    message.rsplit_once("\n\n").map_or(message, |(_, last)| last)
}

fn is_trailer(line: &str) -> bool {
    line.split_once(": ")
        .is_some_and(|(key, _)| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_joins_the_others_or_starts_their_paragraph() {
        assert_eq!(with("subject: x", "A", "1"), "subject: x\n\nA: 1\n");
        assert_eq!(with("s\n\nbody here\n", "A", "1"), "s\n\nbody here\n\nA: 1\n");
        assert_eq!(with("s\n\nAdo-Run: FR-1/1\n", "A", "1"), "s\n\nAdo-Run: FR-1/1\nA: 1\n");
    }

    #[test]
    fn a_squash_is_known_by_its_head_or_by_its_run_alone() {
        let run: RunId = "FR-1/1".parse().unwrap();
        assert!(is_squash_of("s\n\nAdo-Run: FR-1/1\nAdo-Head: abc", Some(&run), "abc"));
        assert!(!is_squash_of("s\n\nAdo-Run: FR-1/1\nAdo-Head: abc", Some(&run), "def"));
        assert!(is_squash_of("s\n\nAdo-Run: FR-1/1", Some(&run), "def"));
        assert!(!is_squash_of("s\n\nAdo-Run: FR-1/10", Some(&run), "def"));
        assert!(!is_squash_of("Ado-Run: FR-1/1\n\nbody", Some(&run), "def"));
    }
}
