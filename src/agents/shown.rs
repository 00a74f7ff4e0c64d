//! Which files an edit format without tools shows at the start, since the model cannot look for itself.

use std::collections::BTreeSet;

use super::AgentJob;
use super::fence::Fence;
use super::source::Source;
use super::tool::files_of;
use super::worktree::{Worktree, relative};

/// Files named in the listing.
const MOST_LISTED: usize = 300;

/// The files shown, and the text that shows them.
pub(super) struct Shown {
    pub(super) files: Vec<String>,
    pub(super) text: String,
}

/// The listing and the contents of the files that the work is about, within `room` bytes: those that the plan, the
/// errors, the findings, the diff or the request name; all of a small repository when none is named.
pub(super) fn shown(job: &AgentJob<'_>, worktree: &Worktree, fence: &Fence, room: usize) -> Shown {
    let (listed, more) = files_of(worktree, "", MOST_LISTED);
    let mut listing = listed.join("\n");
    if more {
        listing.push_str("\n…");
    }
    let mut text =
        format!("## Files of the repository\n\n{}", fence.wrap(&Source::Files, &listing, room / 4));
    let mut wanted = named(job);
    if !wanted.iter().any(|path| worktree.has_file(path)) {
        wanted = listed;
    }
    let mut left = room;
    let mut files = vec![];
    for path in wanted {
        let Ok(content) = worktree.read(&path) else { continue };
        if content.len() > left || content.contains('\0') {
            continue;
        }
        left -= content.len();
        text.push_str(&format!("\n\n{}", file(fence, &path, &content)));
        files.push(path);
    }
    Shown { files, text }
}

/// One file as data.
pub(super) fn file(fence: &Fence, path: &str, content: &str) -> String {
    if content.trim().is_empty() {
        return format!("The file `{}` is empty.", fence.line(path));
    }
    fence.wrap(&Source::File(path.to_owned()), content, content.len() + 1)
}

/// Paths that the job names, first named first.
fn named(job: &AgentJob<'_>) -> Vec<String> {
    let request = job.request;
    let planned = request.plan.iter().flat_map(|plan| plan.files.iter().map(|file| file.path.as_str()));
    let broken = request.instruction.diagnostics.iter().filter_map(|diagnostic| diagnostic.file.as_deref());
    let found = request.instruction.findings.iter().chain(job.findings).map(|finding| finding.file.as_str());
    let changed = job.diff.lines().filter_map(|line| line.strip_prefix("+++ b/"));
    let words = request
        .feature
        .body
        .split(|c: char| c.is_whitespace() || "`'\"()[]<>,;:".contains(c))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| word.contains(['/', '.']));
    let mut seen = BTreeSet::new();
    broken
        .chain(found)
        .chain(planned)
        .chain(changed)
        .chain(words)
        .filter_map(|path| relative(path).ok())
        .filter(|path| seen.insert(path.clone()))
        .take(200)
        .collect()
}
