//! What a worktree keeps out of commits: `.gitignore` rules and caches that tools leave behind. It reads no files itself.

use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::beneath::Folder;

/// A `.gitignore` above this many bytes is not read.
const MOST_RULE_BYTES: u64 = 256 * 1024;
/// First line of a `CACHEDIR.TAG` (bford.info/cachedir).
const CACHE_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// The rules that hold in a folder, outermost first.
#[derive(Clone, Default)]
pub(super) struct Ignored {
    rules: Vec<(PathBuf, Gitignore)>,
}

impl Ignored {
    /// These rules and those of a `.gitignore` text in `folder`, which is relative to the worktree.
    pub(super) fn with(&self, folder: &Path, text: &[u8]) -> Self {
        let mut builder = GitignoreBuilder::new("/");
        for line in String::from_utf8_lossy(text).lines() {
            // A line that is no pattern is no rule, as in git.
            let _ = builder.add_line(None, line);
        }
        let mut rules = self.rules.clone();
        if let Ok(matcher) = builder.build() {
            rules.push((folder.to_owned(), matcher));
        }
        Self { rules }
    }

    /// These rules and those of the folder's own `.gitignore`, if that is a regular file.
    pub(super) fn with_rules_of(&self, folder: &Folder, path: &Path) -> Self {
        match folder.read(b".gitignore", MOST_RULE_BYTES) {
            Ok(Some(text)) => self.with(path, &text),
            _ => self.clone(),
        }
    }

    /// Whether a path, relative to the worktree, is ignored. Its folder must not be ignored itself.
    pub(super) fn matches(&self, path: &Path, is_folder: bool) -> bool {
        for (folder, rules) in self.rules.iter().rev() {
            let Ok(inner) = path.strip_prefix(folder) else { continue };
            match rules.matched(Path::new("/").join(inner), is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }
}

/// Whether an untracked folder is a cache that a tool can make again, although no rule ignores it.
pub(super) fn is_cache(parent: &Folder, name: &[u8]) -> bool {
    if matches!(name, b"node_modules" | b"__pycache__") {
        return true;
    }
    parent
        .child(name)
        .and_then(|folder| folder.read(b"CACHEDIR.TAG", 4096))
        .is_ok_and(|tag| tag.is_some_and(|text| text.starts_with(CACHE_SIGNATURE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_rules_win_and_anchors_hold_in_their_own_folder() {
        let outer = Ignored::default().with(Path::new(""), b"*.log\n/target\nbuild/\n");
        let inner = outer.with(Path::new("web"), b"!keep.log\n/dist\n");
        for (path, is_folder, expected) in [
            ("a.log", false, true),
            ("web/a.log", false, true),
            ("web/keep.log", false, false),
            ("target", true, true),
            ("web/target", true, false),
            ("web/dist", true, true),
            ("dist", true, false),
            ("build", true, true),
            ("build", false, false),
        ] {
            assert_eq!(inner.matches(Path::new(path), is_folder), expected, "{path}");
        }
    }
}
