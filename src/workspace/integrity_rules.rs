//! How tests look in the languages that are known: where they begin, what asserts, what skips. Pure and by lines: it parses no
//! language, and what it does not know it leaves alone.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// One test of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TestFacts {
    pub assertions: usize,
    pub skips: usize,
}

/// The tests of a file by name; what stands outside of any test is under the empty name.
pub(super) type Tests = BTreeMap<String, TestFacts>;

struct Language {
    extensions: &'static [&'static str],
    /// Begins a test; group 1 is its name.
    start: Regex,
    /// Marks the next function as a test, where names alone do not.
    marker: Option<Regex>,
    assertion: Regex,
    skip: Regex,
}

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    let regex = |pattern: &str| Regex::new(pattern).expect("the rules are literal patterns");
    vec![
        Language {
            extensions: &["rs"],
            start: regex(r"^\s*(?:pub(?:\([a-z]+\))?\s+)?(?:async\s+)?fn\s+(\w+)"),
            marker: Some(regex(r"^\s*#\[(?:\w+::)*(?:test|rstest|test_case|proptest|quickcheck)\b")),
            assertion: regex(
                r"\b(?:prop_)?(?:debug_)?assert\w*!|\bpanic!|#\[should_panic|\.unwrap_err\(|\bexpect_err\(",
            ),
            skip: regex(r"#\[(?:cfg_attr\([^\]]*)?ignore\b"),
        },
        Language {
            extensions: &["py"],
            start: regex(r"^\s*(?:async\s+)?def\s+(test\w*)"),
            marker: None,
            assertion: regex(r"^\s*assert\b|\bself\.(?:assert|fail)\w*\(|\bpytest\.(?:raises|fail|warns)\b"),
            skip: regex(
                r"@(?:pytest\.mark\.|unittest\.)?(?:skip|skipif|skipIf|skipUnless|xfail|expectedFailure)\b|\bpytest\.(?:skip|xfail)\(|\bself\.skipTest\(|^\s*pytestmark\s*=.*(?:skip|xfail)",
            ),
        },
        Language {
            extensions: &["js", "jsx", "ts", "tsx", "mjs", "cjs", "mts", "cts"],
            start: regex(r#"^\s*(?:x|f)?(?:it|test)(?:\.\w+)*\s*\(\s*['"`](.+?)['"`]"#),
            marker: None,
            assertion: regex(r"\b(?:expect|assert)(?:\.\w+)*\s*\("),
            skip: regex(r"\b(?:it|test|describe|suite)\.(?:skip|todo|fixme)\b|\bx(?:it|test|describe)\s*\("),
        },
        Language {
            extensions: &["go"],
            start: regex(r"^func\s+((?:Test|Fuzz|Example)\w*)\s*\("),
            marker: None,
            assertion: regex(
                r"\b[tfb]\.(?:Error|Fatal|Fail)\w*\(|\b(?:assert|require)\.\w+\(|^\s*//\s*(?:Unordered )?[Oo]utput:",
            ),
            skip: regex(r"\b[tfb]\.Skip(?:f|Now)?\("),
        },
        Language {
            extensions: &["java", "kt", "kts", "cs", "scala"],
            start: regex(r"\b(?:void|fun|Task)\s+(`[^`]+`|\w+)\s*\("),
            marker: Some(regex(
                r"^\s*[@\[](?:\w+\.)*(?:Test|ParameterizedTest|RepeatedTest|Fact|Theory|TestMethod)\b",
            )),
            assertion: regex(r"\b[Aa]ssert\w*(?:\.\w+)?\s*[(<]|\bverify\s*\(|\bshould\w*\("),
            skip: regex(r"[@\[](?:Disabled\w*|Ignore)\b|\bSkip\s*=|\bassume\w*\("),
        },
        Language {
            extensions: &["rb"],
            start: regex(r#"^\s*(?:x)?(?:it|specify|test)\s+['"](.+?)['"]|^\s*def\s+(test_\w+)"#),
            marker: None,
            assertion: regex(r"\bexpect\b|\bassert\w*\b|\brefute\w*\b"),
            skip: regex(r"^\s*(?:skip|pending)\b|^\s*x(?:it|describe|context)\b"),
        },
    ]
});

/// The tests in a file's text; `None` for languages that are not known.
pub(super) fn tests_of(path: &str, text: &str) -> Option<Tests> {
    let extension = path.rsplit_once('.')?.1;
    let language = LANGUAGES.iter().find(|language| language.extensions.contains(&extension))?;
    let (mut tests, mut current, mut attributes) = (Tests::new(), String::new(), TestFacts::default());
    // Assertions outside of tests count only where the whole file is about tests.
    let mut counting = is_test_path(path);
    let mut marked = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let here = TestFacts {
            assertions: language.assertion.find_iter(line).count(),
            skips: language.skip.find_iter(line).count(),
        };
        marked |= language.marker.as_ref().is_some_and(|marker| marker.is_match(line));
        let started = (language.marker.is_none() || marked)
            .then(|| language.start.captures(line))
            .flatten()
            .and_then(|found| found.iter().skip(1).flatten().next().map(|name| name.as_str().to_owned()));
        if let Some(name) = started {
            (current, marked, counting) = (name, false, true);
            let test = tests.entry(current.clone()).or_default();
            test.add(&std::mem::take(&mut attributes));
            test.add(&here);
        } else if trimmed.starts_with("#[") || trimmed.starts_with('@') || trimmed.starts_with('[') {
            // Belongs to what follows.
            attributes.add(&here);
        } else if trimmed.is_empty() || is_comment(trimmed, extension) {
            continue;
        } else if counting {
            let test = tests.entry(current.clone()).or_default();
            test.add(&std::mem::take(&mut attributes));
            test.add(&here);
        } else {
            attributes = TestFacts::default();
        }
    }
    Some(tests)
}

impl TestFacts {
    fn add(&mut self, other: &Self) {
        self.assertions += other.assertions;
        self.skips += other.skips;
    }
}

/// A commented-out assertion asserts nothing. Go's example outputs are comments that do.
fn is_comment(line: &str, extension: &str) -> bool {
    match extension {
        "py" | "rb" => line.starts_with('#'),
        "go" => line.starts_with("//") && !line.to_lowercase().contains("output:"),
        _ => line.starts_with("//") || line.starts_with("/*") || line.starts_with("* "),
    }
}

/// Whether a path is a test by its name or folder.
pub(super) fn is_test_path(path: &str) -> bool {
    let lower = path.to_lowercase();
    let (folders, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
    let stem = name.split('.').next().unwrap_or_default();
    folders
        .split('/')
        .any(|folder| matches!(folder, "test" | "tests" | "__tests__" | "spec" | "specs" | "e2e"))
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_spec")
        || matches!(stem, "test" | "tests")
        || [".test.", ".spec."].iter().any(|part| name.contains(part))
        || path.rsplit('/').next().and_then(|name| name.split('.').next()).is_some_and(|stem| {
            ["Test", "Tests", "Spec"].iter().any(|end| stem.len() > end.len() && stem.ends_with(end))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(assertions: usize, skips: usize) -> TestFacts {
        TestFacts { assertions, skips }
    }

    #[test]
    fn rust_tests_are_functions_behind_the_attribute() {
        let text = "fn a() { assert!(x); }\n#[cfg(test)]\nmod tests {\n    #[test]\n    #[ignore]\n    fn one() {\n        assert_eq!(1, 1);\n        // assert!(false);\n    }\n\n    #[tokio::test]\n    async fn two() {\n        assert!(true);\n        assert!(true);\n    }\n}\n";
        let tests = tests_of("src/a.rs", text).unwrap();
        assert_eq!(tests, Tests::from([("one".into(), facts(1, 1)), ("two".into(), facts(2, 0))]));
    }

    #[test]
    fn other_languages_are_known_by_their_own_words() {
        for (path, text, name, expected) in [
            (
                "tests/test_a.py",
                "@pytest.mark.skip\ndef test_a():\n    assert 1\n    # assert 2\n",
                "test_a",
                facts(1, 1),
            ),
            ("a.test.ts", "it.skip('adds up', () => {\n  expect(1).toBe(1);\n});\n", "adds up", facts(1, 1)),
            (
                "a_test.go",
                "func TestA(t *testing.T) {\n\tt.Skip()\n\tt.Errorf(\"x\")\n}\n",
                "TestA",
                facts(1, 1),
            ),
            (
                "ATest.java",
                "@Test\n@Disabled\nvoid adds() {\n  assertEquals(1, 1);\n}\n",
                "adds",
                facts(1, 1),
            ),
            ("a_spec.rb", "it 'adds' do\n  skip\n  expect(1).to eq 1\nend\n", "adds", facts(1, 1)),
        ] {
            let tests = tests_of(path, text).unwrap();
            assert_eq!(tests.get(name), Some(&expected), "{path}: {tests:?}");
        }
        assert_eq!(tests_of("a.md", "assert!(x)"), None);
    }

    #[test]
    fn a_path_is_a_test_by_name_or_folder() {
        for path in
            ["tests/a.rs", "web/__tests__/a.js", "a_test.go", "a.spec.ts", "test_a.py", "src/ATest.java"]
        {
            assert!(is_test_path(path), "{path}");
        }
        for path in ["src/latest.rs", "src/contest.py", "attest/a.rs", "src/a.rs"] {
            assert!(!is_test_path(path), "{path}");
        }
    }
}
