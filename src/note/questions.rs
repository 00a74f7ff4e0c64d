//! Reads open questions and decisions: labelled lines such as `**Decision:** B`. It does not know who answers.

use std::ops::Range;

use super::outline::Heading;
use super::sections::Body;
use crate::domain::OpenQuestion;

const LABELS: [&str; 6] = ["question", "recommendation", "decision", "goal", "pending", "options"];

/// The questions below this heading: one a sub-heading, else one a `Question:` line, else one a list item.
pub(crate) fn open_questions(body: &Body<'_>, heading: &Heading, span: &Range<usize>) -> Vec<OpenQuestion> {
    let inner = |other: &&Heading| span.contains(&other.range.start);
    let level = body.outline.headings.iter().filter(inner).map(|other| other.level).min();
    if let Some(level) = level {
        let starts: Vec<&Heading> =
            body.outline.headings.iter().filter(inner).filter(|other| other.level == level).collect();
        return starts
            .iter()
            .enumerate()
            .map(|(at, start)| {
                let end = starts.get(at + 1).map_or(span.end, |next| next.range.start);
                let text = &body.text[start.range.end..end];
                question(unnumbered(&start.title), text, body.line(start.range.start))
            })
            .collect();
    }
    let text = &body.text[span.clone()];
    let labelled: Vec<(usize, String)> = lines(text)
        .filter_map(|(at, line)| {
            label(line).filter(|(name, _)| *name == "question").map(|(_, rest)| (at, rest.to_owned()))
        })
        .collect();
    if !labelled.is_empty() {
        return labelled
            .iter()
            .enumerate()
            .map(|(at, (start, title))| {
                let end = labelled.get(at + 1).map_or(text.len(), |next| next.0);
                question(title, &text[*start..end], body.line(span.start + start))
            })
            .collect();
    }
    let listed: Vec<OpenQuestion> = body
        .items_in(span)
        .filter(|item| item.depth == 1)
        .map(|item| {
            let mut found = question(
                &body.words(&item.text),
                &body.text[item.range.clone()],
                body.line(item.range.start),
            );
            if found.decision.is_empty() && item.task.as_ref().is_some_and(|(_, done)| *done) {
                found.decision = "done".to_owned();
            }
            found
        })
        .filter(|question| !is_nothing(&question.title))
        .collect();
    if listed.is_empty() && text.contains('?') {
        return vec![question(&body.words(span), text, body.line(heading.range.start))];
    }
    listed
}

/// The texts of `Pending: …` lines.
pub(crate) fn pending(text: &str) -> Vec<String> {
    let found = lines(text).filter_map(|(_, line)| label(line));
    found
        .filter(|(name, rest)| *name == "pending" && !rest.is_empty())
        .map(|(_, rest)| rest.to_owned())
        .collect()
}

/// The text behind the first label with this name, up to the next label, heading, table or blank line after text.
pub(crate) fn labelled(text: &str, wanted: &str) -> Option<String> {
    let mut found: Option<Vec<&str>> = None;
    for (_, line) in lines(text) {
        match (label(line), &mut found) {
            (Some((name, rest)), None) if name == wanted => found = Some(vec![rest]),
            (None, Some(words)) => {
                let line = line.trim();
                if line.starts_with(['#', '|'])
                    || (line.is_empty() && words.iter().any(|word| !word.is_empty()))
                {
                    break;
                }
                words.push(line);
            }
            (Some(_), Some(_)) => break,
            _ => {}
        }
    }
    found.map(|words| words.join(" ").trim().to_owned())
}

fn question(title: &str, text: &str, line: u32) -> OpenQuestion {
    let value = |name| labelled(text, name).filter(|value| !is_nothing(value)).unwrap_or_default();
    OpenQuestion {
        title: title.to_owned(),
        recommendation: value("recommendation"),
        decision: value("decision"),
        line,
    }
}

/// Words that say that there is no answer, or no question, yet.
fn is_nothing(value: &str) -> bool {
    let value = value.trim().trim_end_matches('.').to_lowercase();
    matches!(
        value.as_str(),
        "" | "—" | "–" | "-" | "?" | "…" | "tbd" | "todo" | "pending" | "open" | "none" | "n/a" | "_"
    )
}

/// `Starvation` of `1. Starvation`.
fn unnumbered(title: &str) -> &str {
    let rest = title.trim_start_matches(|c: char| c.is_ascii_digit());
    match rest.strip_prefix(['.', ')']) {
        Some(rest) if title.len() > rest.len() + 1 => rest.trim(),
        _ => title.trim(),
    }
}

/// Label and rest of `**Decision:** B`, `- Decision: B`, `**Decision**: B`.
fn label(line: &str) -> Option<(&'static str, &str)> {
    let start = line.trim_start_matches(['*', '_', '-', '+', '>', ' ', '\t']);
    LABELS.into_iter().find_map(|name| {
        let head = start.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name))?;
        let rest = start[head.len()..].trim_start_matches(['*', '_', ' ']).strip_prefix(':')?;
        Some((name, rest.trim_start_matches(['*', '_']).trim()))
    })
}

/// Lines with their places.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_people_write_them() {
        assert_eq!(label("**Decision:** B\r\n"), Some(("decision", "B")));
        assert_eq!(label("- **decision**: B"), Some(("decision", "B")));
        assert_eq!(label("Decision"), None);
        assert_eq!(label("Decisions: x"), None);
        assert_eq!(labelled("**Goal:**\nAll\nof it.\n\nmore", "goal").unwrap(), "All of it.");
        assert_eq!(labelled("**Decision:**\n\nB, since.\n\n| t |", "decision").unwrap(), "B, since.");
        assert_eq!(labelled("**Decision:**\n\n| t |", "decision").unwrap(), "");
        assert_eq!(pending("- Pending: storage?\n- x\nPending:\n**Pending:** two"), ["storage?", "two"]);
        assert_eq!(unnumbered("1. Starvation"), "Starvation");
        assert_eq!(unnumbered("2026 plans"), "2026 plans");
    }
}
