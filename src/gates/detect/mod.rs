//! Which gates a project's own files ask for: manifests and tool settings are read, nothing is run.
//!
//! Whether a tool is installed is not known here; a gate whose tool is missing ends as `NotRun`.

mod go;
mod java;
mod node;
mod python;
mod rust;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{GateSpec, Parser};
use crate::domain::{GateKind, SandboxProfile};

/// A gate's time limit where no policy names one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(900);
/// A manifest larger than this is not read.
const MANIFEST_BYTES: u64 = 1 << 20;
/// Sub-folders looked into for further projects.
const MOST_FOLDERS: usize = 64;

/// The gates of the project at `root` and of projects in its immediate sub-folders whose language the root does not
/// have, in order of kind. Names are unique; those of a sub-folder start with its name: `web-test`.
pub fn detect(root: &Path) -> Vec<GateSpec> {
    let mut specs = vec![];
    let mut languages = BTreeSet::new();
    for (language, find) in LANGUAGES {
        let found = find(&Project { folder: root.to_owned() });
        if !found.is_empty() {
            languages.insert(language);
            specs.extend(found.into_iter().map(|spec| (language, spec)));
        }
    }
    for folder in sub_folders(root) {
        for (language, find) in LANGUAGES.iter().filter(|(language, _)| !languages.contains(language)) {
            for spec in find(&Project { folder: root.join(&folder) }) {
                let name = format!("{folder}-{}", spec.name);
                specs.push((language, GateSpec { name, cwd: PathBuf::from(&folder), ..spec }));
            }
        }
    }
    specs.sort_by_key(|(_, spec)| spec.kind);
    let mut taken = BTreeSet::new();
    specs
        .into_iter()
        .map(|(language, mut spec)| {
            if taken.contains(&spec.name) {
                spec.name = format!("{language}-{}", spec.name);
            }
            taken.insert(spec.name.clone());
            spec
        })
        .collect()
}

type Find = fn(&Project) -> Vec<GateSpec>;

const LANGUAGES: [(&str, Find); 5] = [
    ("rust", rust::gates),
    ("python", python::gates),
    ("node", node::gates),
    ("go", go::gates),
    ("java", java::gates),
];

/// A folder that may hold a project. Only regular files of it are read, so that no link leads out.
struct Project {
    folder: PathBuf,
}

impl Project {
    fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(self.folder.join(name)).is_ok_and(|meta| meta.is_file())
    }

    fn has_folder(&self, name: &str) -> bool {
        fs::symlink_metadata(self.folder.join(name)).is_ok_and(|meta| meta.is_dir())
    }

    /// The file's text; empty when it is missing, too large, not regular or not text.
    fn text(&self, name: &str) -> String {
        let path = self.folder.join(name);
        let readable =
            fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() <= MANIFEST_BYTES);
        if readable { fs::read_to_string(path).unwrap_or_default() } else { String::new() }
    }

    /// Names of the folder's regular files, sorted.
    fn files(&self) -> Vec<String> {
        names(&self.folder, |kind| kind.is_file())
    }
}

fn gate(name: &str, kind: GateKind, argv: &[&str], parser: Parser) -> GateSpec {
    GateSpec {
        name: name.to_owned(),
        kind,
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        cwd: PathBuf::new(),
        parser,
        timeout: DEFAULT_TIMEOUT,
        sandbox: SandboxProfile::Worktree,
        env: [].into(),
    }
}

fn sub_folders(root: &Path) -> Vec<String> {
    const SKIPPED: [&str; 8] =
        ["node_modules", "target", "vendor", "build", "dist", "third_party", "fixtures", "testdata"];
    let mut folders = names(root, |kind| kind.is_dir());
    folders.retain(|name| !name.starts_with('.') && !SKIPPED.contains(&name.as_str()));
    folders.truncate(MOST_FOLDERS);
    folders
}

fn names(folder: &Path, wanted: fn(&fs::FileType) -> bool) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| wanted(&kind)))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn lines(files: &[(&str, &str)]) -> Vec<String> {
        detect(project(files).path())
            .into_iter()
            .map(|spec| format!("{} {}: {}", spec.name, spec.cwd.display(), spec.argv.join(" ")))
            .collect()
    }

    #[test]
    fn a_rust_crate_has_format_lint_build_and_test() {
        assert_eq!(
            lines(&[("Cargo.toml", "[package]\nname = \"x\"")]),
            [
                "format : cargo fmt --check",
                "lint : cargo clippy --offline --all-targets --message-format=json",
                "build : cargo build --offline --all-targets --message-format=json",
                "test : cargo test --offline --no-fail-fast",
            ]
        );
        assert!(
            lines(&[("Cargo.toml", "[workspace]\nmembers = []")])[3].contains("--workspace"),
            "a workspace is tested whole"
        );
    }

    #[test]
    fn python_tools_are_those_that_the_project_configures() {
        assert_eq!(
            lines(&[
                (
                    "pyproject.toml",
                    "[tool.ruff]\nline-length = 100\n[tool.black]\n[tool.mypy]\n[tool.pytest]"
                ),
                ("tests/test_a.py", ""),
            ]),
            [
                "format : black --check --quiet .",
                "lint : ruff check --no-cache --output-format=concise .",
                "types : mypy --no-color-output --no-error-summary --cache-dir=/dev/null .",
                "test : python3 -m pytest -q --tb=short -p no:cacheprovider",
            ]
        );
        assert_eq!(
            lines(&[("setup.py", ""), ("tests/test_a.py", "import unittest")]),
            ["test : python3 -m unittest discover -s tests"]
        );
    }

    #[test]
    fn node_scripts_are_gates_unless_they_rewrite_files_or_are_placeholders() {
        let manifest = r#"{"scripts":{"lint":"eslint . --fix","build":"tsc -b",
            "test":"echo \"Error: no test specified\" && exit 1"},"devDependencies":{"typescript":"5"}}"#;
        assert_eq!(
            lines(&[("package.json", manifest), ("tsconfig.json", "{}"), ("pnpm-lock.yaml", "")]),
            ["types : npx --no-install tsc --noEmit --pretty false", "build : pnpm run --silent build"]
        );
    }

    #[test]
    fn a_sub_folder_of_another_language_is_a_project_with_prefixed_names() {
        assert_eq!(
            lines(&[
                ("Cargo.toml", "[package]"),
                ("web/package.json", r#"{"scripts":{"test":"vitest run"}}"#),
                ("member/Cargo.toml", "[package]"),
                ("node_modules/package.json", r#"{"scripts":{"test":"x"}}"#),
            ])
            .into_iter()
            .filter(|line| line.contains("test :") || line.contains("web"))
            .collect::<Vec<_>>(),
            ["test : cargo test --offline --no-fail-fast", "web-test web: npm run --silent test"]
        );
    }

    #[test]
    fn names_are_unique_when_two_languages_share_the_root() {
        let names: Vec<String> = detect(project(&[("Cargo.toml", ""), ("go.mod", "module x")]).path())
            .into_iter()
            .filter(|spec| spec.kind == GateKind::Test)
            .map(|spec| spec.name)
            .collect();
        assert_eq!(names, ["test", "go-test"]);
    }

    #[test]
    fn java_projects_use_their_wrapper() {
        assert_eq!(
            lines(&[("pom.xml", "<project/>")]),
            ["build : mvn -q -o -B test-compile", "test : mvn -q -o -B test"]
        );
        assert_eq!(
            lines(&[("build.gradle.kts", ""), ("gradlew", "")])[1],
            "test : ./gradlew --offline --console=plain test"
        );
    }

    #[test]
    fn an_empty_folder_has_no_gates() {
        assert_eq!(lines(&[("README.md", "x")]), Vec::<String>::new());
    }
}
