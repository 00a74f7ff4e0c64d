//! Whether a diff changes nothing but blanks and line breaks. It errs towards "no": a merge may hang on it.

use std::ffi::OsStr;

use git2::{Diff, Repository};

use super::diff::all_modified;

/// Larger files are not looked into.
const MOST_BYTES: usize = 1024 * 1024;
/// Files whose meaning neither blanks nor line breaks change, outside of quotes and comments.
const FREE: [&str; 11] = ["c", "cc", "cpp", "cs", "css", "h", "hpp", "java", "json", "rs", "scss"];
/// Files in which a line break may end a statement.
const BY_LINE: [&str; 7] = ["go", "js", "jsx", "kt", "swift", "ts", "tsx"];

/// Whether every file was changed, none added, removed or renamed, and each says what it said before.
pub(super) fn is_formatting(repository: &Repository, diff: &Diff<'_>) -> bool {
    all_modified(repository, diff, MOST_BYTES, |path, old, new| {
        path.extension().and_then(OsStr::to_str).is_some_and(|end| says_the_same(end, old, new))
    })
}

/// In files that are free of line breaks: the same words in the same order, and every line that holds a quote or a comment
/// as it was but for its indentation, for blanks within quotes mean something and a line break ends a comment. In others:
/// the same lines but for indentation and blank lines. Text in quotes that goes over lines is not looked into.
fn says_the_same(extension: &str, old: &str, new: &str) -> bool {
    if has_long_text(old) || has_long_text(new) {
        return false;
    }
    if BY_LINE.contains(&extension) {
        return lines(old).eq(lines(new));
    }
    let delicate = |text| lines(text).filter(|line| is_delicate(line));
    FREE.contains(&extension)
        && old.split_whitespace().eq(new.split_whitespace())
        && delicate(old).eq(delicate(new))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn is_delicate(line: &str) -> bool {
    ["\"", "'", "`", "//", "/*", "*/", "#", "\\"].iter().any(|mark| line.contains(mark))
}

/// Whether a quotation may begin on one line and end on another.
fn has_long_text(text: &str) -> bool {
    text.contains("\"\"\"")
        || text.lines().any(|line| ['"', '`'].iter().any(|quote| line.matches(*quote).count() % 2 == 1))
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
            ("let a = \"x\n  y  z\";\n", "let a = \"x\n  y z\";\n", false),
            ("let a = r#\"\n  y  z\n\"#;\n", "let a = r#\"\n y z\n\"#;\n", false),
        ] {
            assert_eq!(says_the_same("rs", old, new), expected, "{old:?} {new:?}");
        }
    }

    #[test]
    fn where_a_line_break_ends_a_statement_only_indentation_and_blank_lines_are_formatting() {
        for (extension, old, new, expected) in [
            ("ts", "a()\n\n\n  b()\n", "  a()\nb()\n", true),
            ("js", "return x\n", "return\nx\n", false),
            ("go", "a := b\n+c\n", "a := b +c\n", false),
            ("ts", "a = `x\n  y`\n", "a = `x\ny`\n", false),
            ("kt", "a = \"\"\"x\n  y\"\"\"\n", "a = \"\"\"x\ny\"\"\"\n", false),
            ("php", "a();\n", "  a();\n", false),
            ("py", "if a:\n  b()\nc()\n", "if a:\n  b()\n  c()\n", false),
        ] {
            assert_eq!(says_the_same(extension, old, new), expected, "{extension} {old:?} {new:?}");
        }
    }
}
