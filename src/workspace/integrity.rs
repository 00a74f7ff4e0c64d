//! Rules about tests in a diff: deleted test files, removed tests, lost assertions, tests newly skipped. It does not judge
//! whether a change is justified; that is the reviewer's.

use std::collections::BTreeSet;

use git2::{Delta, Diff, Repository};

use super::diff::escaped;
use super::integrity_rules::{Tests, is_test_path, tests_of};
use crate::domain::{Finding, Severity};

/// Larger files are not looked into.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// Names in one message.
const NAMED: usize = 10;

/// A file on both sides of a diff; an absent side has an empty path.
struct Pair {
    old_path: String,
    new_path: String,
    before: Tests,
    after: Tests,
}

/// Findings of the rule `test-integrity` in a diff of two commits. A test that moved to another file is not lost.
pub(super) fn test_integrity(repository: &Repository, diff: &Diff<'_>) -> Vec<Finding> {
    let pairs: Vec<Pair> = diff
        .deltas()
        .map(|delta| {
            let (old, new) = (delta.old_file(), delta.new_file());
            let path = |file: &git2::DiffFile<'_>| {
                file.path().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
            };
            let old_path = if delta.status() == Delta::Added { String::new() } else { path(&old) };
            let new_path = if delta.status() == Delta::Deleted { String::new() } else { path(&new) };
            Pair {
                before: tests_in(repository, &old_path, old.id()),
                after: tests_in(repository, &new_path, new.id()),
                old_path,
                new_path,
            }
        })
        .collect();
    let everywhere: BTreeSet<&str> = pairs
        .iter()
        .flat_map(|pair| pair.after.keys())
        .map(String::as_str)
        .filter(|name| !name.is_empty())
        .collect();
    pairs.iter().flat_map(|pair| compare(pair, &everywhere)).collect()
}

fn tests_in(repository: &Repository, path: &str, id: git2::Oid) -> Tests {
    let Ok(blob) = repository.find_blob(id) else { return Tests::new() };
    if path.is_empty() || blob.is_binary() || blob.size() > MOST_BYTES {
        return Tests::new();
    }
    tests_of(path, &String::from_utf8_lossy(blob.content())).unwrap_or_default()
}

/// `everywhere` are the names of all tests that the changed files have now.
fn compare(pair: &Pair, everywhere: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = vec![];
    let file = if pair.new_path.is_empty() { &pair.old_path } else { &pair.new_path };
    let mut report = |what: String, suggestion: &str| {
        findings.push(Finding {
            severity: Severity::Error,
            file: escaped(file),
            line: None,
            rule: "test-integrity".into(),
            message: escaped(&what),
            suggestion: suggestion.to_owned(),
        });
    };
    let gone: Vec<&str> = pair
        .before
        .keys()
        .map(String::as_str)
        .filter(|name| !name.is_empty() && !pair.after.contains_key(*name) && !everywhere.contains(name))
        .collect();
    let had_tests = pair.before.keys().any(|name| !name.is_empty());
    if pair.new_path.is_empty() && is_test_path(&pair.old_path) && (!gone.is_empty() || !had_tests) {
        report("the test file was deleted".into(), "restore it, or say in the plan why it is not needed");
        return findings;
    }
    if !gone.is_empty() {
        report(format!("tests were removed: {}", named(&gone)), "restore them and make them pass");
    }
    for (name, before) in &pair.before {
        let Some(after) = pair.after.get(name) else { continue };
        let place = if name.is_empty() { "outside of tests".to_owned() } else { format!("in test `{name}`") };
        if after.assertions < before.assertions {
            let (had, has) = (before.assertions, after.assertions);
            report(
                format!("assertions were lost {place}: {had} before, {has} now"),
                "keep what the test asserted and change the code instead",
            );
        }
        if after.skips > before.skips {
            report(format!("a skip was added {place}"), "let the test run and make it pass");
        }
    }
    if let (None, Some(after)) = (pair.before.get(""), pair.after.get(""))
        && after.skips > 0
        && had_tests
    {
        report("a skip was added outside of tests".into(), "let the tests run and make them pass");
    }
    findings
}

fn named(names: &[&str]) -> String {
    let mut text = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED {
        text.push_str(&format!(" and {} more", names.len() - NAMED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(old: (&str, &str), new: (&str, &str), elsewhere: &[&str]) -> Vec<String> {
        let pair = Pair {
            old_path: old.0.into(),
            new_path: new.0.into(),
            before: tests_of(old.0, old.1).unwrap_or_default(),
            after: tests_of(new.0, new.1).unwrap_or_default(),
        };
        compare(&pair, &elsewhere.iter().copied().collect())
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    const TWO: &str = "def test_a():\n    assert 1\n    assert 2\n\ndef test_b():\n    assert 3\n";

    #[test]
    fn lost_assertions_removed_and_skipped_tests_are_findings() {
        let path = "tests/test_a.py";
        assert_eq!(messages((path, TWO), (path, TWO), &[]), [""; 0]);
        assert_eq!(
            messages((path, TWO), (path, "def test_a():\n    assert 1\n"), &[]),
            ["tests were removed: `test_b`", "assertions were lost in test `test_a`: 2 before, 1 now"]
        );
        let skipped = TWO.replace("def test_b", "@pytest.mark.skip\ndef test_b");
        assert_eq!(messages((path, TWO), (path, &skipped), &[]), ["a skip was added in test `test_b`"]);
        let whole = format!("pytestmark = pytest.mark.skip\n{TWO}");
        assert_eq!(messages((path, TWO), (path, &whole), &[]), ["a skip was added outside of tests"]);
        assert_eq!(messages((path, TWO), ("", ""), &[]), ["the test file was deleted"]);
    }

    #[test]
    fn moved_and_new_tests_are_no_findings() {
        let path = "tests/test_a.py";
        assert_eq!(messages((path, TWO), ("", ""), &["test_a", "test_b"]), [""; 0]);
        assert_eq!(messages(("", ""), (path, "@pytest.mark.skip\ndef test_c():\n    pass\n"), &[]), [""; 0]);
    }

    #[test]
    fn commenting_an_assertion_out_loses_it() {
        let path = "tests/test_a.py";
        let commented = TWO.replace("    assert 3", "    # assert 3\n    pass");
        assert_eq!(
            messages((path, TWO), (path, &commented), &[]),
            ["assertions were lost in test `test_b`: 1 before, 0 now"]
        );
    }
}
