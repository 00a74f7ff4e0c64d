//! Which toolchains this machine has, and what a command needs in its environment to find them. Does not know what they
//! are used for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Toolchains beneath the home folder: programs, never a folder that also holds credentials.
const AT_HOME: [&str; 17] = [
    ".asdf",
    ".bun",
    ".deno",
    ".fnm",
    ".ghcup",
    ".gradle/wrapper",
    ".juliaup",
    ".local/share/fnm",
    ".local/share/mise",
    ".local/share/uv",
    ".nvm",
    ".pyenv",
    ".rbenv",
    ".sdkman/candidates",
    ".swiftly",
    ".volta",
    "go/bin",
];

/// Toolchains elsewhere. `/usr` is always shown.
const ELSEWHERE: [&str; 4] = ["/nix/store", "/nix/var/nix/profiles", "/run/current-system", "/opt/homebrew"];

/// Folders of toolchains on this machine that a box shows read-only, whatever exists of them.
pub fn toolchains() -> Vec<PathBuf> {
    let mut found = vec![];
    found.extend(rustup_home());
    if let Some(cargo) = cargo_home() {
        found.push(cargo.join("bin"));
    }
    if let Some(home) = std::env::home_dir() {
        found.extend(AT_HOME.map(|part| home.join(part)));
    }
    found.extend(["GOROOT", "JAVA_HOME", "NVM_DIR", "PYENV_ROOT"].iter().filter_map(|name| folder_of(name)));
    found.extend(ELSEWHERE.map(PathBuf::from));
    found.extend(programs_in_opt());
    found.retain(|path| path.is_dir());
    found.sort();
    found.dedup();
    found
}

/// Caches of packages that hold no credentials, each with its place in the command's home.
const CACHES: [&str; 6] =
    [".cache/pip", ".cache/uv", ".local/share/pnpm/store", ".m2/repository", ".npm/_cacache", "go/pkg/mod"];

/// Folders of packages on this machine, whatever exists of them, each with its place in a home.
pub(super) fn package_caches() -> Vec<(PathBuf, PathBuf)> {
    let mut found = vec![];
    if let Some(cargo) = cargo_home() {
        found.extend(["registry", "git"].map(|part| (cargo.join(part), Path::new(".cargo").join(part))));
    }
    if let Some(home) = std::env::home_dir() {
        found.extend(CACHES.map(|part| (home.join(part), PathBuf::from(part))));
    }
    found.retain(|(path, _)| path.is_dir());
    found
}

pub(super) fn cargo_home() -> Option<PathBuf> {
    folder_of("CARGO_HOME").or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

fn rustup_home() -> Option<PathBuf> {
    folder_of("RUSTUP_HOME").or_else(|| Some(std::env::home_dir()?.join(".rustup")))
}

/// Variables by which toolchains find their own parts, as far as those parts are among `shown`.
pub(super) fn variables(shown: &[PathBuf]) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from(
        [("LANG", "C.UTF-8"), ("CARGO_NET_OFFLINE", "true")].map(|(name, value)| (name.into(), value.into())),
    );
    let home = std::env::home_dir().unwrap_or_default();
    for (name, folder) in [
        ("RUSTUP_HOME", rustup_home()),
        ("PYENV_ROOT", folder_of("PYENV_ROOT").or_else(|| Some(home.join(".pyenv")))),
        ("GOROOT", folder_of("GOROOT")),
        ("JAVA_HOME", folder_of("JAVA_HOME")),
    ] {
        let Some(folder) = folder.filter(|folder| shown.contains(folder)) else { continue };
        if let Some(folder) = folder.to_str() {
            variables.insert(name.into(), folder.into());
        }
    }
    // Rustup refuses to choose where its settings name no default; then the choice made for this process holds.
    let chosen = rustup_home().and_then(|home| std::fs::read_to_string(home.join("settings.toml")).ok());
    if !chosen.is_some_and(|settings| settings.contains("default_toolchain"))
        && let Ok(toolchain) = std::env::var("RUSTUP_TOOLCHAIN")
    {
        variables.insert("RUSTUP_TOOLCHAIN".into(), toolchain);
    }
    variables
}

/// This process's `PATH` as far as it is visible, then what every system has.
pub(super) fn search_path(shown: &[PathBuf]) -> String {
    let mut folders: Vec<PathBuf> = vec![];
    folders.extend(cargo_home().map(|cargo| cargo.join("bin")));
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let standard = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    folders.extend(standard.map(PathBuf::from));
    let visible = |folder: &Path| {
        folder.is_absolute()
            && (standard.iter().any(|known| folder == Path::new(known))
                || folder.starts_with("/usr")
                || shown.iter().any(|path| folder.starts_with(path)))
    };
    let mut path: Vec<String> = vec![];
    for folder in folders.iter().filter(|folder| visible(folder)).filter_map(|folder| folder.to_str()) {
        if !folder.contains(':') && !path.iter().any(|known| known == folder) {
            path.push(folder.into());
        }
    }
    path.join(":")
}

/// Folders of `/opt` that have a part in `PATH`.
fn programs_in_opt() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_opt = std::env::split_paths(&path).filter_map(|folder| {
        let name = folder.strip_prefix("/opt").ok()?.components().next()?;
        Some(Path::new("/opt").join(name))
    });
    in_opt.collect()
}

/// The folder that an environment variable names.
fn folder_of(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute() && path.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toolchains_exist_and_none_is_a_home_folder() {
        let home = std::env::home_dir().unwrap();
        for path in toolchains() {
            assert!(path.is_dir(), "{}", path.display());
            assert!(!home.starts_with(&path), "{}", path.display());
            assert_ne!(path, home.join(".cargo"));
        }
    }

    #[test]
    fn the_search_path_holds_visible_folders_only() {
        let path = search_path(&[PathBuf::from("/opt/tool")]);
        assert!(path.ends_with("/usr/sbin:/usr/bin:/sbin:/bin") || path.contains("/usr/bin"));
        assert!(path.split(':').all(|folder| {
            ["/usr", "/bin", "/sbin", "/opt/tool"].iter().any(|shown| folder.starts_with(shown))
        }));
    }
}
