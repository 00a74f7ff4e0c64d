//! Manifests and lock files of dependencies, by their names.

/// Lock files, each with the manifests that change them.
const LOCK_FILES: [(&str, &[&str]); 12] = [
    ("Cargo.lock", &["Cargo.toml"]),
    ("Gemfile.lock", &["Gemfile"]),
    ("bun.lock", &["package.json"]),
    ("composer.lock", &["composer.json"]),
    ("go.sum", &["go.mod"]),
    ("gradle.lockfile", &["build.gradle", "build.gradle.kts"]),
    ("package-lock.json", &["package.json"]),
    ("pnpm-lock.yaml", &["package.json"]),
    ("poetry.lock", &["pyproject.toml"]),
    ("uv.lock", &["pyproject.toml"]),
    ("yarn.lock", &["package.json"]),
    ("npm-shrinkwrap.json", &["package.json"]),
];
/// Manifests without a lock file.
const MANIFESTS: [&str; 3] = ["requirements.txt", "pom.xml", "libs.versions.toml"];

/// The lock file of this name, whatever the case of its letters, and the manifests that change it.
pub fn lock_file(name: &str) -> Option<(&'static str, &'static [&'static str])> {
    LOCK_FILES.into_iter().find(|(lock, _)| lock.eq_ignore_ascii_case(name))
}

/// Whether a file of this name says what a project depends on.
pub fn is_manifest(name: &str) -> bool {
    MANIFESTS.contains(&name) || LOCK_FILES.iter().any(|(_, manifests)| manifests.contains(&name))
}
