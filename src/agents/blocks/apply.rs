//! Applies one block to a worktree: exactly, or not at all.

use std::sync::LazyLock;

use regex::Regex;

use super::Block;
use crate::agents::tool::replace_once;
use crate::agents::worktree::Worktree;
use crate::domain::EditFormat;

static ELISION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?im)^\s*(?://|#|--|;|/\*|<!--|\*)\s*(?:\.\.\.|…)?\s*\(?(?:the )?(?:rest|remainder|remaining|existing|other|previous|same)\b[^\n]{0,60}\b(?:code|file|functions?|methods?|tests?|content|implementation|unchanged|here|above|before)\b[^\n]{0,40}$",
    )
    .expect("a literal pattern")
});

/// Applies the block and says what was done.
///
/// # Errors
/// What is wrong, for the model: text not found or not unique, a file left incomplete, a path not allowed.
pub(in crate::agents) fn apply(
    worktree: &Worktree,
    block: &Block,
    format: EditFormat,
) -> Result<String, String> {
    match block {
        Block::Replace { path, old, new } if old.trim().is_empty() => {
            if worktree.has_file(path) && !worktree.read(path)?.trim().is_empty() {
                return Err(format!("`{path}` exists; give the lines to replace above ======="));
            }
            worktree.write(path, new)?;
            Ok(format!("made `{path}`"))
        }
        Block::Replace { path, old, new } => {
            let text = worktree.read(path)?;
            let changed = replaced(&text, old, new).map_err(|problem| {
                format!("`{path}`: {}", problem.replace("`old`", "the text above ======="))
            })?;
            worktree.write(path, &changed)?;
            Ok(format!("changed `{path}`"))
        }
        Block::Whole { path, text } => {
            let before = if worktree.has_file(path) { Some(worktree.read(path)?) } else { None };
            if let (Some(_), EditFormat::SearchReplace) = (&before, format) {
                return Err(format!("`{path}` exists; change it with SEARCH and REPLACE blocks"));
            }
            let before = before.unwrap_or_default();
            if let Some(left_out) = ELISION.find(text).map(|found| found.as_str().trim())
                && !before.contains(left_out)
            {
                return Err(format!("`{path}` leaves lines out (`{left_out}`); give the complete file"));
            }
            let text = if before.contains("\r\n") { text.replace('\n', "\r\n") } else { text.clone() };
            worktree.write(path, &text)?;
            Ok(format!("wrote `{path}`"))
        }
    }
}

/// Blocks end in a line break, which the file's last line may lack.
fn replaced(text: &str, old: &str, new: &str) -> Result<String, String> {
    if !text.ends_with('\n') && !text.contains(old) {
        let without = |text: &str| text.strip_suffix('\n').unwrap_or(text).to_owned();
        return replace_once(text, &without(old), &without(new));
    }
    replace_once(text, old, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worktree(text: &str) -> (tempfile::TempDir, Worktree) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rs"), text).unwrap();
        let worktree = Worktree::open(folder.path()).unwrap();
        (folder, worktree)
    }

    fn replace(old: &str, new: &str) -> Block {
        Block::Replace { path: "a.rs".into(), old: old.into(), new: new.into() }
    }

    #[test]
    fn a_block_is_applied_only_where_its_text_stands_once() {
        let (_folder, worktree) = worktree("one\ntwo\none\nlast");
        apply(&worktree, &replace("two\n", "2\n"), EditFormat::SearchReplace).unwrap();
        apply(&worktree, &replace("last\n", "end\n"), EditFormat::SearchReplace).unwrap();
        assert_eq!(worktree.read("a.rs").unwrap(), "one\n2\none\nend");
        let problem = apply(&worktree, &replace("one\n", "1\n"), EditFormat::SearchReplace).unwrap_err();
        assert!(problem.contains("found 2 times"), "{problem}");
        assert!(
            apply(&worktree, &replace("", "x\n"), EditFormat::SearchReplace).unwrap_err().contains("exists")
        );
    }

    #[test]
    fn a_whole_file_that_leaves_lines_out_is_refused() {
        let (_folder, worktree) = worktree("fn a() {}\n");
        let whole = |text: &str| Block::Whole { path: "a.rs".into(), text: text.into() };
        for text in [
            "fn b() {}\n// ... rest of the code unchanged\n",
            "# existing code here\n",
            "// … remaining functions\n",
        ] {
            assert!(
                apply(&worktree, &whole(text), EditFormat::WholeFile)
                    .unwrap_err()
                    .contains("leaves lines out"),
                "{text}"
            );
        }
        assert_eq!(worktree.read("a.rs").unwrap(), "fn a() {}\n");
        apply(&worktree, &whole("// The rest is history.\nfn b() {}\n"), EditFormat::WholeFile).unwrap();
        assert!(apply(&worktree, &whole("x\n"), EditFormat::SearchReplace).unwrap_err().contains("SEARCH"));
    }

    #[test]
    fn blocks_cannot_leave_the_worktree() {
        let (_folder, worktree) = worktree("");
        for path in ["../x", "/tmp/x", ".git/hooks/pre-commit"] {
            let block = Block::Whole { path: path.into(), text: "x\n".into() };
            assert!(apply(&worktree, &block, EditFormat::WholeFile).is_err(), "{path}");
        }
    }
}
