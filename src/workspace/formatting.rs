//! Whether a diff changes nothing but blanks and line breaks. It errs towards "no": a merge may hang on it.

use git2::{Delta, Diff, DiffFile, Repository};

/// Larger files are not looked into.
const MOST_BYTES: usize = 1024 * 1024;
/// Files whose meaning no blank changes outside of quotes.
const FREE: [&str; 19] = [
    "c", "cc", "cpp", "cs", "css", "go", "h", "hpp", "java", "js", "json", "jsx", "kt", "php", "rs", "scss",
    "swift", "ts", "tsx",
];

/// Whether every file was changed, none added, removed or renamed, and each says what it said before.
pub(super) fn is_formatting(repository: &Repository, diff: &Diff<'_>) -> bool {
    let text = |file: DiffFile<'_>| {
        let blob = repository.find_blob(file.id()).ok()?;
        let is_text = blob.size() <= MOST_BYTES && !blob.is_binary();
        is_text.then(|| String::from_utf8(blob.content().to_vec()).ok()).flatten()
    };
    let is_same = |delta: git2::DiffDelta<'_>| {
        let (old, new) = (delta.old_file(), delta.new_file());
        let extension = new.path().and_then(|path| path.extension()).and_then(|end| end.to_str());
        delta.status() == Delta::Modified
            && old.mode() == new.mode()
            && extension.is_some_and(|end| FREE.contains(&end))
            && text(old).zip(text(new)).is_some_and(|(old, new)| says_the_same(&old, &new))
    };
    diff.deltas().len() > 0 && diff.deltas().all(is_same)
}

/// The same words in the same order, and every line that holds a quote or a comment as it was but for its indentation:
/// blanks within quotes mean something, and a line break ends a comment.
fn says_the_same(old: &str, new: &str) -> bool {
    let is_delicate =
        |line: &&str| ["\"", "'", "`", "//", "/*", "*/", "#", "\\"].iter().any(|mark| line.contains(mark));
    let delicate = |text: &'_ str| -> Vec<String> {
        text.lines().map(str::trim).filter(is_delicate).map(str::to_owned).collect()
    };
    old.split_whitespace().eq(new.split_whitespace()) && delicate(old) == delicate(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_and_line_breaks_outside_of_quotes_are_formatting() {
        for (old, new, expected) in [
            ("fn a() {\n  b();\n}\n", "fn a() {\n    b();\n}\n", true),
            ("fn a() { b(); }\n", "fn a() {\n    b();\n}\n", true),
            ("let a = 1;\n", "let a = 2;\n", false),
            ("leta = 1;\n", "let a = 1;\n", false),
            ("let a = \"x  y\";\n", "let a = \"x y\";\n", false),
            ("let a = \"x\";\n", "    let a = \"x\";\n", true),
            ("a(); // b\nc();\n", "a(); // b c();\n", false),
            ("#define A \\\n 1\n", "#define A \\ 1\n", false),
        ] {
            assert_eq!(says_the_same(old, new), expected, "{old:?} {new:?}");
        }
    }
}
