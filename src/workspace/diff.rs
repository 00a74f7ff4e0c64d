//! Differences between two commits, for people and models. It does not judge them.

use std::path::Path;

use git2::{Delta, Diff, DiffFile, DiffFindOptions, DiffOptions, Patch, Repository};

use super::{Workspace, WorkspaceError};
use crate::domain::{ChangedFile, GitId, is_hidden};

/// Bytes that even the last file of a large diff gets.
const LEAST_SHARE: usize = 400;

impl Workspace {
    /// Unified diff, at most about `max_bytes`, shared fairly between files; what is left out is said. Control and
    /// direction characters are escaped.
    ///
    /// # Errors
    /// `NoCommit`.
    pub fn diff(&self, base: &GitId, head: &GitId, max_bytes: usize) -> Result<String, WorkspaceError> {
        let repository = self.git()?;
        let diff = self.differences(&repository, base, head)?;
        let count = diff.deltas().len();
        let (mut text, mut left_out) = (String::new(), vec![]);
        for at in 0..count {
            let patch = patch_text(&diff, at)?;
            let share = max_bytes.saturating_sub(text.len()) / (count - at);
            if share < LEAST_SHARE.min(patch.len()) {
                left_out.push(path_of(&diff, at));
                continue;
            }
            text.push_str(&bounded(&patch, share));
        }
        if !left_out.is_empty() {
            text.push_str(&format!("[{} more files changed, not shown: ", left_out.len()));
            let named: Vec<_> = left_out.iter().take(50).map(String::as_str).collect();
            text.push_str(&named.join(", "));
            text.push_str(if left_out.len() > 50 { ", …]\n" } else { "]\n" });
        }
        Ok(text)
    }

    /// The files that differ, with lines added and removed; none for binary files. One that was renamed stands there under
    /// both names, for the old one is gone.
    pub(super) fn changed_between(
        &self,
        base: &GitId,
        head: &GitId,
    ) -> Result<Vec<ChangedFile>, WorkspaceError> {
        let repository = self.git()?;
        let diff = self.differences(&repository, base, head)?;
        let mut files = vec![];
        for at in 0..diff.deltas().len() {
            let (_, added, removed) = Patch::from_diff(&diff, at)
                .and_then(|patch| patch.map_or(Ok((0, 0, 0)), |patch| patch.line_stats()))
                .map_err(|source| WorkspaceError::git("read a difference", source))?;
            if let Some(path) = renamed_from(&diff, at) {
                files.push(ChangedFile { path, added: 0, removed: 0 });
            }
            files.push(ChangedFile {
                path: path_of(&diff, at),
                added: added as u64,
                removed: removed as u64,
            });
        }
        Ok(files)
    }

    /// The differences between two commits, renames found.
    pub(super) fn differences<'r>(
        &self,
        repository: &'r Repository,
        base: &GitId,
        head: &GitId,
    ) -> Result<Diff<'r>, WorkspaceError> {
        let (base, head) = (self.commit_of(repository, base)?, self.commit_of(repository, head)?);
        let compare = || {
            let mut options = DiffOptions::new();
            let mut diff =
                repository.diff_tree_to_tree(Some(&base.tree()?), Some(&head.tree()?), Some(&mut options))?;
            diff.find_similar(Some(DiffFindOptions::new().renames(true)))?;
            Ok(diff)
        };
        compare().map_err(|source| WorkspaceError::git("compare two commits", source))
    }
}

/// Whether there are files and each was modified, none added, removed, renamed or given another mode, and is a text of at
/// most so many bytes before and after of which `holds`, asked with both, is true.
pub(super) fn all_modified(
    repository: &Repository,
    diff: &Diff<'_>,
    most_bytes: usize,
    holds: impl Fn(&Path, &str, &str) -> bool,
) -> bool {
    let text = |file: DiffFile<'_>| {
        let blob = repository.find_blob(file.id()).ok()?;
        let is_text = blob.size() <= most_bytes && !blob.is_binary();
        is_text.then(|| String::from_utf8(blob.content().to_vec()).ok()).flatten()
    };
    let is_one = |delta: git2::DiffDelta<'_>| {
        let (old, new) = (delta.old_file(), delta.new_file());
        delta.status() == Delta::Modified
            && old.mode() == new.mode()
            && new
                .path()
                .zip(text(old).zip(text(new)))
                .is_some_and(|(path, (old, new))| holds(path, &old, &new))
    };
    diff.deltas().len() > 0 && diff.deltas().all(is_one)
}

fn renamed_from(diff: &Diff<'_>, at: usize) -> Option<String> {
    let delta = diff.get_delta(at).filter(|delta| delta.status() == Delta::Renamed)?;
    Some(escaped(&String::from_utf8_lossy(delta.old_file().path_bytes()?)))
}

fn path_of(diff: &Diff<'_>, at: usize) -> String {
    let path = diff.get_delta(at).and_then(|delta| {
        delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes()).map(<[u8]>::to_vec)
    });
    escaped(&String::from_utf8_lossy(&path.unwrap_or_default()))
}

fn patch_text(diff: &Diff<'_>, at: usize) -> Result<String, WorkspaceError> {
    let failed = |source| WorkspaceError::git("read a difference", source);
    let Some(mut patch) = Patch::from_diff(diff, at).map_err(failed)? else {
        return Ok(format!("Binary file {} differs\n", path_of(diff, at)));
    };
    let text = patch.to_buf().map_err(failed)?;
    Ok(escaped(&String::from_utf8_lossy(&text)))
}

/// The first lines of a patch, with a line that says how many are missing.
fn bounded(patch: &str, most: usize) -> String {
    if patch.len() <= most {
        return patch.to_owned();
    }
    let mut text = String::new();
    for line in patch.split_inclusive('\n') {
        if text.len() + line.len() > most {
            break;
        }
        text.push_str(line);
    }
    let missing = patch.lines().count() - text.lines().count();
    text.push_str(&format!("[{missing} more lines of this file not shown]\n"));
    text
}

/// Makes visible what a terminal would obey or an editor would hide.
pub(super) fn escaped(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || is_hidden(c) || matches!(c, '\u{200b}'..='\u{200f}')
    };
    if !text.contains(hidden) {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_patch_is_cut_at_a_line_and_says_so() {
        assert_eq!(bounded("one\ntwo\nthree\n", 9), "one\ntwo\n[1 more lines of this file not shown]\n");
        assert_eq!(bounded("one\n", 4), "one\n");
    }

    #[test]
    fn hidden_characters_become_visible() {
        assert_eq!(escaped("a\u{202e}b\u{1b}[31m\tc\n"), "a\\u{202e}b\\u{1b}[31m\tc\n");
    }
}
