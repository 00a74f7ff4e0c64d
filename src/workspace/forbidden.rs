//! Names and links that no commit may gain: everything that git would take for its own data, and links that lead out. Pure.

use crate::domain::{Finding, Severity};

/// Whether git, on any of its file systems, could take this name for `.git`: case, the short name of Windows, trailing
/// dots and spaces, alternate streams, characters that HFS+ ignores.
pub(super) fn is_dot_git(name: &[u8]) -> bool {
    let visible: String = String::from_utf8_lossy(name).chars().filter(|c| !is_ignored_by_hfs(*c)).collect();
    let lower = visible.to_lowercase();
    let stem = lower.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    matches!(stem, ".git" | "git~1")
}

/// Whether a name in a tree is one of a file: a tree can be made to name its own folder, the one above, or a whole path.
pub(super) fn is_file_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}

fn is_ignored_by_hfs(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

/// Whether a link in a folder of this depth (0 is the root) stays inside. `..` may only stand at the beginning: behind
/// another part it could step out of where a second link led.
pub(super) fn stays_inside(target: &[u8], depth: usize) -> bool {
    if target.is_empty() || target.starts_with(b"/") {
        return false;
    }
    let mut parts =
        target.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").peekable();
    let mut up = 0;
    while parts.next_if(|part| *part == b"..").is_some() {
        up += 1;
    }
    up <= depth && parts.all(|part| part != b".." && !is_dot_git(part))
}

/// A finding of the rule `refused-path`: the path is not in the commit as the agent left it.
pub(super) fn refused(path: &[u8], why: &str, suggestion: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        file: String::from_utf8_lossy(path).into_owned(),
        line: None,
        rule: "refused-path".into(),
        message: format!("not committed: {why}"),
        suggestion: suggestion.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_git_folder_is_known() {
        for name in
            [".git", ".GIT", ".Git ", ".git.", "git~1", "GIT~1", ".git::$INDEX_ALLOCATION", ".g\u{200c}it"]
        {
            assert!(is_dot_git(name.as_bytes()), "{name:?}");
        }
        for name in [".gitignore", ".github", "git", ".gitattributes", "a.git"] {
            assert!(!is_dot_git(name.as_bytes()), "{name:?}");
        }
    }

    #[test]
    fn a_name_in_a_tree_leads_nowhere_else() {
        for name in ["a", "..a", "...", " "] {
            assert!(is_file_name(name.as_bytes()), "{name:?}");
        }
        for name in ["", ".", "..", "a/b", "../a", "/", "a\0b"] {
            assert!(!is_file_name(name.as_bytes()), "{name:?}");
        }
    }

    #[test]
    fn a_link_may_not_lead_out_not_even_over_another_link() {
        for (target, depth, inside) in [
            ("a", 0, true),
            ("../a", 1, true),
            ("../a", 0, false),
            ("../../a", 1, false),
            ("/etc/passwd", 3, false),
            ("a/../b", 3, false),
            ("../.git/config", 1, false),
            ("./a/./b", 0, true),
            ("", 0, false),
            ("..", 1, true),
        ] {
            assert_eq!(stays_inside(target.as_bytes(), depth), inside, "{target} at {depth}");
        }
    }
}
