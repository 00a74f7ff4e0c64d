//! The tools that only look: list, search, read. They honour the repository's `.gitignore` and are bounded.

use std::path::Path;

use ignore::WalkBuilder;
use regex::RegexBuilder;

use crate::agents::worktree::{Worktree, folder_path};

const MOST_LISTED: usize = 600;
const MOST_MATCHES: usize = 150;
/// Files that a walk looks at.
const MOST_FILES: usize = 50_000;
const LINE_CHARS: usize = 300;
/// Bytes of compiled pattern.
const PATTERN_BYTES: usize = 1 << 20;
/// Bytes of one `read` answer; the rest is asked for by line.
const READ_BYTES: usize = 14 << 10;

/// Files beneath a folder (all, for an empty one) that git would not ignore, sorted, at most `most`; and whether there
/// were more.
pub(in crate::agents) fn files_of(worktree: &Worktree, folder: &str, most: usize) -> (Vec<String>, bool) {
    let root = worktree.root().to_owned();
    if !is_walkable(&root) {
        return (vec![], false);
    }
    let inside = root.join(folder);
    let mut walk = WalkBuilder::new(&root);
    walk.hidden(false).ignore(false).git_global(false).git_exclude(false).parents(false).require_git(false);
    walk.follow_links(false).sort_by_file_name(std::cmp::Ord::cmp);
    walk.filter_entry(move |entry| {
        let path = entry.path();
        let wanted = path.starts_with(&inside) || inside.starts_with(path);
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        wanted && entry.file_name() != ".git" && (!is_folder || is_walkable(path))
    });
    let mut files = vec![];
    for entry in walk.build().filter_map(Result::ok).take(MOST_FILES) {
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let Some(path) = entry.path().strip_prefix(&root).ok().and_then(Path::to_str) else { continue };
        if files.len() == most {
            return (files, true);
        }
        files.push(path.to_owned());
    }
    (files, false)
}

/// False where the folder's `.gitignore` is a pipe or a link, which the walk would open.
fn is_walkable(folder: &Path) -> bool {
    std::fs::symlink_metadata(folder.join(".gitignore")).map_or(true, |meta| meta.is_file())
}

pub(super) fn list(worktree: &Worktree, folder: Option<&str>) -> Result<String, String> {
    let folder = folder_path(folder)?;
    let (files, more) = files_of(worktree, &folder, MOST_LISTED);
    if files.is_empty() {
        return Err(format!("no files beneath `{}`", if folder.is_empty() { "." } else { &folder }));
    }
    let mut text = files.join("\n");
    if more {
        text.push_str(&format!("\n… more than {MOST_LISTED} files; list a folder"));
    }
    Ok(text)
}

pub(super) fn search(worktree: &Worktree, pattern: &str, folder: Option<&str>) -> Result<String, String> {
    let folder = folder_path(folder)?;
    let regex = RegexBuilder::new(pattern)
        .size_limit(PATTERN_BYTES)
        .build()
        .map_err(|error| format!("the pattern is not usable: {error}"))?;
    let (files, _) = files_of(worktree, &folder, MOST_FILES);
    let mut found = vec![];
    for file in &files {
        let Ok(text) = worktree.read(file) else { continue };
        for (index, line) in text.lines().enumerate().filter(|(_, line)| regex.is_match(line)) {
            if found.len() == MOST_MATCHES {
                found.push(format!("… more than {MOST_MATCHES} matches; narrow the pattern or the path"));
                return Ok(found.join("\n"));
            }
            found.push(format!("{file}:{}: {}", index + 1, shortened(line.trim_end())));
        }
    }
    if found.is_empty() { Ok(format!("no match in {} files", files.len())) } else { Ok(found.join("\n")) }
}

pub(super) fn read(
    worktree: &Worktree,
    path: &str,
    from_line: Option<usize>,
    to_line: Option<usize>,
) -> Result<String, String> {
    let text = worktree.read(path)?;
    let total = text.lines().count();
    let from = from_line.unwrap_or(1).max(1);
    let to = to_line.unwrap_or(total).min(total);
    if total == 0 {
        return Ok(format!("`{path}` is empty"));
    }
    if from > to {
        return Err(format!("`{path}` has {total} lines; lines {from} to {to} are none of them"));
    }
    let mut shown = String::new();
    for (index, line) in text.lines().enumerate().skip(from - 1).take(to - from + 1) {
        let line = format!("{:>5}\t{line}\n", index + 1);
        if shown.len() + line.len() > READ_BYTES {
            if shown.is_empty() {
                return Err(format!("line {} of `{path}` is too long to show", index + 1));
            }
            shown.push_str(&format!("… {total} lines in all; read on with from_line {}\n", index + 1));
            return Ok(shown);
        }
        shown.push_str(&line);
    }
    Ok(shown)
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worktree(files: &[(&str, &str)]) -> (tempfile::TempDir, Worktree) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let worktree = Worktree::open(folder.path()).unwrap();
        (folder, worktree)
    }

    #[test]
    fn listing_honours_gitignore_and_leaves_git_out() {
        let (_folder, worktree) = worktree(&[
            (".gitignore", "target/\n"),
            ("target/x", ""),
            (".git/config", ""),
            ("src/lib.rs", ""),
            ("src/target/y", ""),
            (".github/ci.yml", ""),
        ]);
        assert_eq!(list(&worktree, None).unwrap(), ".github/ci.yml\n.gitignore\nsrc/lib.rs");
        assert_eq!(
            list(&worktree, Some("src")).unwrap(),
            "src/lib.rs",
            "the root's .gitignore holds in folders"
        );
        assert!(list(&worktree, Some("../x")).is_err());
    }

    #[test]
    fn a_search_names_file_and_line_and_a_hostile_pattern_is_only_an_error() {
        let (_folder, worktree) = worktree(&[("a.rs", "fn one() {}\nfn two() {}\n"), ("b.bin", "\u{0}fn x")]);
        assert_eq!(search(&worktree, r"fn t\w+", None).unwrap(), "a.rs:2: fn two() {}");
        assert_eq!(search(&worktree, "nothing", None).unwrap(), "no match in 2 files");
        assert!(search(&worktree, "(", None).unwrap_err().contains("not usable"));
        assert!(search(&worktree, r"(\w{1000}){1000}", None).unwrap_err().contains("not usable"));
    }

    #[test]
    fn reading_is_numbered_and_can_be_a_part() {
        let (_folder, worktree) = worktree(&[("a", "x\ny\nz\n"), ("empty", "")]);
        assert_eq!(read(&worktree, "a", Some(2), Some(9)).unwrap(), "    2\ty\n    3\tz\n");
        assert!(read(&worktree, "a", Some(7), None).unwrap_err().contains("has 3 lines"));
        assert_eq!(read(&worktree, "empty", None, None).unwrap(), "`empty` is empty");
    }

    #[test]
    fn a_long_file_is_shown_in_part_with_where_to_go_on() {
        let (_folder, worktree) = worktree(&[("a", &"line of text\n".repeat(2000))]);
        let shown = read(&worktree, "a", None, None).unwrap();
        assert!(shown.len() < READ_BYTES + 100);
        let next: usize = shown.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
        assert!(read(&worktree, "a", Some(next), None).unwrap().starts_with(&format!("{next:>5}\tline")));
    }
}
