//! The text of a pull request's note: front matter, ado's block, a human's comments. Pure; it does not know where the note
//! lies.

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;
use serde_json::{Map, Value};

use super::inert;
use crate::domain::{ContentHash, GitId, PullRequestDraft, PullRequestState, RunId, redact_secrets};
use crate::note::{
    EditError, PropertyValue, block_hash, body, plain, properties, set_block, set_properties, without_blocks,
};

/// Name of the managed block.
const BLOCK: &str = "pull-request";
/// Shown in the editor alone.
const HINT: &str = "%% What should be changed? One paragraph or list item for each point. %%";
/// Bytes of description and of diff that a note holds; a note may have 1 MiB.
const MOST_BODY: usize = 200 * 1024;
const MOST_DIFF: usize = 400 * 1024;
/// Comments that are read, and characters of one.
const MOST_COMMENTS: usize = 50;
const MOST_COMMENT: usize = 4_000;

static HIDDEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)%%.*?%%|<!--.*?-->").expect("the pattern is a literal"));
static ITEM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:[-*+]|\d{1,3}[.)])\s+(?:\[(.)\]\s*)?").expect("the pattern is a literal")
});

/// What the front matter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub key: String,
    pub run: Option<RunId>,
    pub branch: String,
    pub state: PullRequestState,
    pub merge: bool,
}

/// Reads the front matter; the message says why it cannot be read.
pub(super) fn facts(text: &str) -> Result<Facts, String> {
    let map = properties(text)
        .map_err(|found| found.into_iter().next().map(|first| first.to_string()).unwrap_or_default())?;
    Ok(Facts {
        key: word(&map, "pr"),
        run: word(&map, "run").parse().ok(),
        branch: word(&map, "branch"),
        state: match word(&map, "state").to_lowercase().as_str() {
            "merged" => PullRequestState::Merged,
            "closed" => PullRequestState::Closed,
            _ => PullRequestState::Open,
        },
        merge: map.get("merge") == Some(&Value::Bool(true)),
    })
}

fn word(map: &Map<String, Value>, key: &str) -> String {
    map.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}

/// A new note. `feature` is the feature note's stem.
pub(super) fn fresh(
    key: &str,
    feature: &str,
    draft: &PullRequestDraft,
    now: Timestamp,
) -> Result<String, EditError> {
    // The block stands before the comments, so that nothing of it can be taken for one.
    let start = format!(
        "---\npr: {key}\n---\n\n<!-- ado:begin {BLOCK} -->\n\n<!-- ado:end {BLOCK} -->\n\n## Comments\n\n{HINT}\n"
    );
    let text = set_properties(
        &start,
        &[
            ("title", text_value(&plain(&draft.title))),
            ("feature", text_value(&format!("[[{feature}]]"))),
            ("run", text_value(&draft.run.to_string())),
            ("repo", text_value(draft.repo.as_str())),
            ("branch", text_value(draft.source.as_str())),
            ("target_branch", text_value(draft.target.as_str())),
            ("state", text_value("open")),
            ("merge", Some(PropertyValue::Bool(false))),
        ],
    )?;
    updated(&text, draft, now)
}

/// The note brought to the draft; a merged one stays as it was. What a human wrote stays.
pub(super) fn updated(text: &str, draft: &PullRequestDraft, now: Timestamp) -> Result<String, EditError> {
    let map = properties(text).map_err(EditError::Markers)?;
    if word(&map, "state").eq_ignore_ascii_case("merged") {
        return Ok(text.to_owned());
    }
    let mut sets = vec![
        ("title", text_value(&plain(&draft.title))),
        ("branch", text_value(draft.source.as_str())),
        ("target_branch", text_value(draft.target.as_str())),
        ("head", text_value(draft.head.as_str())),
        ("state", text_value("open")),
        ("closed", None),
    ];
    let content = content(draft);
    let known = Some(word(&map, "block")).filter(|hash| !hash.is_empty());
    let known = known.and_then(|hash| serde_json::from_value::<ContentHash>(hash.into()).ok());
    let written = set_block(text, BLOCK, Some(&content), known.as_ref())?;
    sets.push(("block", text_value(block_hash(&content).as_str())));
    stamped(text, &set_properties(&written, &sets)?, now)
}

/// The note of a merged pull request.
pub(super) fn merged(text: &str, commit: &GitId, now: Timestamp) -> Result<String, EditError> {
    let sets =
        [("state", text_value("merged")), ("merged_commit", text_value(commit.as_str())), ("closed", None)];
    stamped(text, &set_properties(text, &sets)?, now)
}

/// The note of a closed pull request; a merged one stays as it was.
pub(super) fn closed(text: &str, why: &str, now: Timestamp) -> Result<String, EditError> {
    let map = properties(text).map_err(EditError::Markers)?;
    if word(&map, "state").eq_ignore_ascii_case("merged") {
        return Ok(text.to_owned());
    }
    let why: String = plain(why).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
    let sets = [("state", text_value("closed")), ("closed", text_value(&why))];
    stamped(text, &set_properties(text, &sets)?, now)
}

/// `after` with the time in it, unless nothing changed.
fn stamped(before: &str, after: &str, now: Timestamp) -> Result<String, EditError> {
    if before == after {
        return Ok(after.to_owned());
    }
    let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    set_properties(after, &[("updated", text_value(&now))])
}

fn text_value(text: &str) -> Option<PropertyValue> {
    Some(PropertyValue::Text(text.to_owned()))
}

/// Description and diff, the diff in a callout that opens on a click.
fn content(draft: &PullRequestDraft) -> String {
    let description = cut(inert(&plain(draft.body.trim())), MOST_BODY);
    if draft.diff.trim().is_empty() {
        return description;
    }
    let diff = cut(plain(draft.diff.trim_end()), MOST_DIFF);
    let longest = diff.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let mut quoted = format!("> [!example]- Changes up to {}\n> {fence}diff\n", draft.head.short());
    for line in diff.lines() {
        quoted.push_str("> ");
        quoted.push_str(line);
        quoted.push('\n');
    }
    format!("{description}\n\n{quoted}> {fence}")
}

fn cut(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = text[..end].rfind('\n').unwrap_or(end);
    let missing = text[end..].lines().count();
    format!("{}\n[{missing} more lines not shown]", &text[..end])
}

/// What humans wrote under the heading `Comments`: one comment a paragraph or list item. Ticked ones are done with.
pub(super) fn comments(text: &str) -> Vec<String> {
    let own = without_blocks(body(text));
    let own = HIDDEN.replace_all(&own, "");
    let (mut found, mut level, mut fenced) = (vec![], None, false);
    // The comment being read; `None` within one that is ticked.
    let mut current: Option<Vec<&str>> = Some(vec![]);
    for line in own.lines() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        } else if !fenced
            && let Some((depth, title)) = heading(line)
            && level.is_none_or(|outer| depth <= outer)
        {
            level = title.eq_ignore_ascii_case("comments").then_some(depth);
            finish(&mut found, current.replace(vec![]));
            continue;
        }
        if level.is_none() {
            continue;
        }
        if !fenced && line.trim().is_empty() {
            finish(&mut found, current.replace(vec![]));
        } else if let (false, Some(item)) = (fenced, ITEM.captures(line)) {
            let ticked = item.get(1).is_some_and(|mark| mark.as_str() != " ");
            let rest = &line[item.get(0).map_or(0, |marker| marker.end())..];
            finish(&mut found, current.take());
            current = (!ticked).then(|| vec![rest]);
        } else if let Some(lines) = &mut current {
            lines.push(line);
        }
    }
    finish(&mut found, current);
    found.truncate(MOST_COMMENTS);
    found
}

fn finish(found: &mut Vec<String>, lines: Option<Vec<&str>>) {
    let text = plain(lines.unwrap_or_default().join("\n").trim());
    // The journal keeps no secrets either, and answered comments are known by the words there.
    let text: String = redact_secrets(&text, &[]).chars().take(MOST_COMMENT).collect();
    if !text.is_empty() {
        found.push(text);
    }
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let depth = line.len() - line.trim_start_matches('#').len();
    let title = line[depth..].strip_prefix(' ')?;
    (1..=6).contains(&depth).then(|| (depth, title.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_paragraphs_and_items_that_are_not_ticked() {
        let text = "---\npr: PR-0001\n---\n\nignored\n\n<!-- ado:begin pull-request -->\n\n## Comments\n\nado's\n\n<!-- ado:end pull-request -->\n\n## Comments\n\n%% hint\nover lines %%\n\nRename it,\nplease.\n\n- [x] done\n  still done\n- [ ] open\n- plain\n  more\n\n```\n# not a heading\n\n```\n\n### Ann\n\n1. first\n\n## Other\n\nnot a comment\n";
        assert_eq!(
            comments(text),
            [
                "Rename it,\nplease.",
                "open",
                "plain\n  more",
                "```\n# not a heading\n\n```",
                "### Ann",
                "first"
            ]
        );
        assert_eq!(comments("no front matter"), [""; 0]);
    }
}
