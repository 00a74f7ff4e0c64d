//! Whether a diff changes nothing but versions in manifests of dependencies, and lock files from where they came before. It
//! errs towards "no": a merge may hang on it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::sync::LazyLock;

use git2::{Diff, Repository};
use regex::Regex;

use super::diff::all_modified;
use crate::domain::{is_manifest, lock_file};

/// Larger files are not looked into.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Whether every file is a manifest or lock file that was changed, none added, removed or renamed, and only versions differ.
pub(super) fn only_versions(repository: &Repository, diff: &Diff<'_>) -> bool {
    all_modified(repository, diff, MOST_BYTES, |path, old, new| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|name| says_the_same(name, old, new))
    })
}

fn says_the_same(name: &str, old: &str, new: &str) -> bool {
    if lock_file(name).is_some() {
        return sources(new).is_subset(&sources(old));
    }
    is_manifest(name) && without_versions(name, old) == without_versions(name, new)
}

/// A version: `1`, `v1.2.3-rc.1`, `1.*`.
const VERSION: &str = r"v?[0-9]+(?:\.(?:[0-9]+|\*|x))*(?:[-+][0-9A-Za-z]+(?:\.[0-9A-Za-z]+)*)*";
/// What may stand before a version: `^`, `>=`, `~>`.
const OPERATOR: &str = r"(?:===?|>=|<=|~=|~>|!=|[\^~<>=])";

static QUOTED: LazyLock<[Regex; 3]> = LazyLock::new(|| {
    let more = format!(r"(?:\s*(?:,|\|\|)?\s*{OPERATOR}\s*{VERSION}|\s*\|\|\s*{VERSION})*");
    [
        // One requirement or several: `"^1.2"`, `">=1, <2"`, `"1 || 2"`.
        format!(r#"(["'])(?:{OPERATOR}\s*)?{VERSION}{more}(["'])"#),
        // With a name before them: `"requests[socks]>=2.0"`.
        format!(r#"(["'][A-Za-z0-9._-]+(?:\[[A-Za-z0-9._, -]*\])?)\s*{OPERATOR}\s*{VERSION}{more}(["'])"#),
        format!(r#"(["'][A-Za-z0-9._-]+:[A-Za-z0-9._-]+:){VERSION}(["'])"#),
    ]
    .map(|each| pattern(&each))
});
static GO: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"(?m)^((?:require)?\s*\S+) {VERSION}(\s|$)")));
static PIP: LazyLock<Regex> = LazyLock::new(|| {
    let version = format!(r"\s*{OPERATOR}\s*{VERSION}");
    pattern(&format!(r"(?m)^([A-Za-z0-9._-]+(?:\[[A-Za-z0-9._, -]*\])?)(?:{version})(?:,{version})*"))
});
static HASH: LazyLock<Regex> = LazyLock::new(|| pattern("--hash=sha256:[0-9a-f]{64}"));
static POM: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"(<[A-Za-z0-9.-]*version>){VERSION}(</[A-Za-z0-9.-]*version>)")));
static SOURCE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"[A-Za-z0-9+.-]+://[^\s"'<>]+"#));

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a literal")
}

/// The manifest with every version of a dependency replaced by a mark. The kind of quotation stays.
fn without_versions(name: &str, text: &str) -> String {
    match name {
        "go.mod" => {
            // What replaces another module is no update.
            let kept = |line: &str| match line.contains("=>") {
                true => line.to_owned(),
                false => GO.replace(line, "${1} V${2}").into_owned(),
            };
            text.split_inclusive('\n').map(kept).collect()
        }
        "requirements.txt" => HASH.replace_all(&PIP.replace_all(text, "${1}V"), "H").into_owned(),
        "pom.xml" => POM.replace_all(text, "${1}V${2}").into_owned(),
        _ => QUOTED
            .iter()
            .fold(text.to_owned(), |text, each| each.replace_all(&text, "${1}<>${2}").into_owned()),
    }
}

/// Where a lock file says that things come from: hosts, of repositories the whole address without the revision. Addresses
/// where to give money are none.
fn sources(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("\"url\":"));
    let found = lines.flat_map(|line| SOURCE.find_iter(line));
    found
        .map(|source| {
            let source = source.as_str();
            let address = source.split(['#', '?']).next().unwrap_or(source);
            match address.split_once("://") {
                Some((scheme, rest)) if !scheme.contains("git") && !address.ends_with(".git") => {
                    format!("{scheme}://{}", rest.split('/').next().unwrap_or(rest))
                }
                _ => address.to_owned(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_manifests_only_versions_of_dependencies_may_differ() {
        for (name, old, new, expected) in [
            ("Cargo.toml", "serde = \"1.0.1\"\n", "serde = \"1.0.2\"\n", true),
            (
                "Cargo.toml",
                "a = { version = \"^1\", features = [\"x\"] }",
                "a = { version = \"2\", features = [\"x\"] }",
                true,
            ),
            ("Cargo.toml", "a = { version = \"1\" }", "a = { git = \"https://evil.example/a\" }", false),
            ("Cargo.toml", "a = \"1\"\n", "a = \"1\"\nb = \"1\"\n", false),
            (
                "Cargo.toml",
                "a = { version = \"1\", features = [] }",
                "a = { version = \"1\", features = [\"x\"] }",
                false,
            ),
            ("Cargo.toml", "build = \"build.rs\"", "build = \"b.rs\"", false),
            ("Cargo.toml", "opt-level = 3", "opt-level = 0", false),
            ("package.json", "{\"lodash\": \"^4.17.20\"}", "{\"lodash\": \"~4.17.21-rc.1\"}", true),
            ("package.json", "{\"lodash\": \"4\"}", "{\"lodash\": \">=4 <5 || 6\"}", true),
            ("package.json", "{\"lodash\": \"4\"}", "{\"lodash\": \"npm:evil@4\"}", false),
            ("package.json", "{\"lodash\": \"4\"}", "{\"lodash\": \"https://evil.example/a.tgz\"}", false),
            ("package.json", "{\"test\": \"jest\"}", "{\"test\": \"true\"}", false),
            ("package.json", "{\"test\": \"jest --min 80\"}", "{\"test\": \"jest --min 0\"}", false),
            (
                "pyproject.toml",
                "d = [\"requests[socks]>=2.0,<3\"]",
                "d = [\"requests[socks]>=2.1,<4\"]",
                true,
            ),
            ("pyproject.toml", "d = [\"requests>=2.0\"]", "d = [\"reqests>=2.0\"]", false),
            (
                "pyproject.toml",
                "d = [\"a @ https://a.example/1.0\"]",
                "d = [\"a @ https://a.example/1.1\"]",
                false,
            ),
            ("go.mod", "require golang.org/x/net v0.1.0\n", "require golang.org/x/net v0.2.0\n", true),
            (
                "go.mod",
                "\tgolang.org/x/net v0.1.0 // indirect\n",
                "\tgolang.org/x/net v0.2.0 // indirect\n",
                true,
            ),
            ("go.mod", "replace a => b v1.0.0\n", "replace a => b v1.1.0\n", false),
            ("go.mod", "\ta.example/m v1.0.0\n", "\tb.example/m v1.0.0\n", false),
            ("requirements.txt", "django==4.2\n", "django==4.2.1\n", true),
            ("requirements.txt", "-i https://a.example\n", "-i https://b.example\n", false),
            ("requirements.txt", "django==4.2\n", "djang0==4.2\n", false),
            ("pom.xml", "<version>1.2</version>", "<version>1.3</version>", true),
            ("pom.xml", "<jackson.version>1</jackson.version>", "<jackson.version>2</jackson.version>", true),
            ("pom.xml", "<groupId>a</groupId>", "<groupId>b</groupId>", false),
            (
                "build.gradle",
                "implementation 'org.acme:tool:1.2'",
                "implementation 'org.acme:tool:1.3'",
                true,
            ),
            (
                "build.gradle",
                "implementation 'org.acme:tool:1.2'",
                "implementation 'org.evil:tool:1.2'",
                false,
            ),
            ("Gemfile", "gem \"rails\", \"~> 7.0\"", "gem \"rails\", \"~> 7.1\"", true),
            ("Makefile", "V = \"1\"", "V = \"2\"", false),
        ] {
            assert_eq!(says_the_same(name, old, new), expected, "{name}: {old:?} {new:?}");
        }
    }

    #[test]
    fn a_lock_file_names_no_new_source() {
        let npm = |url: &str| {
            format!("\"resolved\": \"{url}\",\n\"funding\": {{\n \"url\": \"https://money.example/1\"\n}}\n")
        };
        for (name, old, new, expected) in [
            (
                "package-lock.json",
                npm("https://registry.example/a/-/a-1.tgz"),
                npm("https://registry.example/b/-/b-2.tgz"),
                true,
            ),
            (
                "package-lock.json",
                npm("https://registry.example/a-1.tgz"),
                npm("https://evil.example/a-1.tgz"),
                false,
            ),
            (
                "package-lock.json",
                npm("https://registry.example/a-1.tgz"),
                npm("http://registry.example/a-1.tgz"),
                false,
            ),
            (
                "package-lock.json",
                npm("git+https://host.example/a/b.git#1"),
                npm("git+https://host.example/a/b.git#2"),
                true,
            ),
            (
                "package-lock.json",
                npm("git+https://host.example/a/b.git#1"),
                npm("git+https://host.example/c/b.git#1"),
                false,
            ),
            (
                "Cargo.lock",
                "registry+https://index.example/i".into(),
                "registry+https://index.example/i".into(),
                true,
            ),
        ] {
            assert_eq!(says_the_same(name, &old, &new), expected, "{name}: {old:?} {new:?}");
        }
    }
}
