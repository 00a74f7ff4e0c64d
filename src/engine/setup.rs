//! What a repository's `setup` leaves behind, and how every run begins with it: fetched and built once for each state of the
//! lock files, before any agent works, and then changed by none. The only place where registries are reached.
//!
//! Everything lies beneath the worktrees' folder: `.setup/<repository>/<name>` is what was left (`home` and `tree`),
//! `.layers/<worktree>` is what one run wrote over it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::StepServices;
use super::execute::{StepError, passed_on};
use crate::domain::{ContentHash, Repository, StepRequest};
use crate::sandbox::{BuildCache, Sandbox, SandboxPolicy};
use crate::workspace::{Workspace, Worktree, run_hook};

/// Folders that are kept where the note names none.
const USUAL: [&str; 3] = ["target", "node_modules", ".venv"];
/// Files at the repository's root of which a change means that `setup` runs again.
const LOCKS: [&str; 18] = [
    "Cargo.lock",
    "Cargo.toml",
    "Gemfile.lock",
    "build.gradle",
    "build.gradle.kts",
    "bun.lock",
    "composer.lock",
    "go.mod",
    "go.sum",
    "package-lock.json",
    "package.json",
    "pnpm-lock.yaml",
    "poetry.lock",
    "pom.xml",
    "pyproject.toml",
    "requirements.txt",
    "uv.lock",
    "yarn.lock",
];
/// States of one repository that are kept.
const KEPT: usize = 5;

/// One `setup` at a time: runs that begin together wait for the first, and find what it left.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Runs `setup` in a worktree that no agent has seen, unless it ran for the same state before, and remembers for this
/// worktree what it left. Looks before it acts: cut off anywhere, it begins again.
pub(super) async fn prepare(
    sandbox: &Sandbox,
    workspace: &Workspace,
    worktree: &Worktree,
    request: &StepRequest,
    services: &StepServices,
) -> Result<(), StepError> {
    let repository = &request.repository;
    let Some(command) = &repository.setup else { return Ok(()) };
    // Agents have worked on a worktree that was lost and made again.
    if request.head.is_some() && request.head != request.base {
        return Ok(());
    }
    let _alone = ALONE.lock().await;
    let state = state_of(repository, &worktree.path);
    let name =
        format!("{}/{}", &ContentHash::of(repository.name.as_str()).as_str()[..12], &state.as_str()[..24]);
    let place = beside(worktree, ".setup").join(&name);
    if !place.is_dir() {
        let unfinished = place.with_extension("new");
        remove(&unfinished)?;
        let home = unfinished.join("home");
        fs::create_dir_all(&home)?;
        fs::create_dir_all(unfinished.join("tree"))?;
        let mut policy =
            workspace.protected_paths(worktree).policy(Duration::from_secs(repository.setup_timeout_seconds));
        policy.read.extend(repository.read_paths.iter().map(PathBuf::from));
        policy.env = passed_on(&repository.env);
        policy.hosts.clone_from(&repository.setup_hosts);
        policy.home = Some(home);
        let before = folders(repository, &worktree.path);
        let refused = run_hook(sandbox, worktree, &policy, "setup", command, &services.cancel).await?;
        for refusal in &refused {
            services.recorder.refused(request.key, "setup", refusal).await;
        }
        let mut kept = vec![];
        for folder in folders(repository, &worktree.path) {
            if !before.contains(&folder) {
                let to = unfinished.join("tree").join(&folder);
                fs::create_dir_all(to.parent().unwrap_or(&unfinished))?;
                fs::rename(worktree.path.join(&folder), to)?;
                kept.push(folder.display().to_string());
            }
        }
        fs::write(unfinished.join("folders"), kept.join("\n"))?;
        fs::rename(&unfinished, &place)?;
        forget_old(&place)?;
    }
    if !sandbox.has_overlays() {
        copy(sandbox, worktree, &place, services).await?;
    }
    Ok(worktree.mark_setup_used(&name)?)
}

/// Shows a command what `setup` left for its run.
pub(super) fn grant(worktree: &Worktree, policy: &mut SandboxPolicy) -> io::Result<()> {
    let Some(name) = worktree.setup_used() else { return Ok(()) };
    let (place, layers) = (beside(worktree, ".setup").join(name), layers_of(worktree));
    if layers.join("copied").is_dir() {
        policy.home = Some(layers.join("copied"));
        return Ok(());
    }
    if !place.is_dir() {
        return Ok(());
    }
    let cache = |source: PathBuf, target: Option<PathBuf>, layer: &str| BuildCache {
        source,
        target,
        upper: layers.join(layer),
    };
    policy.caches.push(cache(place.join("home"), None, "home"));
    let kept = fs::read_to_string(place.join("folders"))?;
    for folder in kept.lines().map(PathBuf::from) {
        let layer = format!("tree-{}", folder.to_string_lossy().replace('/', "-"));
        let source = place.join("tree").join(&folder);
        policy.caches.push(cache(source, Some(worktree.path.join(&folder)), &layer));
    }
    Ok(())
}

/// Removes what a run wrote over what `setup` left. Best effort: what stays costs disk and nothing else.
pub(super) fn remove_layers(worktree: &Worktree) {
    let layers = layers_of(worktree);
    if let Err(error) = remove(&layers) {
        tracing::warn!(path = %layers.display(), %error, "cannot remove the layers of a run");
    }
}

/// Where the kernel has no overlays, a run gets copies: made inside a box, so that no link in them leads this process
/// anywhere, and sharing blocks where the file system can.
async fn copy(
    sandbox: &Sandbox,
    worktree: &Worktree,
    place: &Path,
    services: &StepServices,
) -> Result<(), StepError> {
    let copied = layers_of(worktree).join("copied");
    fs::create_dir_all(&copied)?;
    let policy = SandboxPolicy {
        write: vec![worktree.path.clone(), copied.clone()],
        read: vec![place.to_owned()],
        protect: vec![worktree.path.join(".git")],
        ..Default::default()
    };
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "'\\''"));
    let both = |from: &Path, to: &Path| {
        let (from, to) = (quoted(&from.join(".")), quoted(to));
        format!("{{ cp -a --reflink=auto {from} {to} 2>/dev/null || cp -a {from} {to}; }}")
    };
    let command =
        format!("{} && {}", both(&place.join("home"), &copied), both(&place.join("tree"), &worktree.path));
    run_hook(sandbox, worktree, &policy, "setup", &command, &services.cancel).await?;
    Ok(())
}

/// What decides whether `setup` must run again.
fn state_of(repository: &Repository, root: &Path) -> ContentHash {
    let mut text = format!("{:?}\0{:?}\0{:?}", repository.setup, repository.caches, repository.setup_hosts);
    for name in LOCKS {
        let path = root.join(name);
        // Fresh from the commit: a link is one that a human committed, and is not followed all the same.
        if path.symlink_metadata().is_ok_and(|found| found.is_file()) {
            text.push_str(&format!("\0{name}\0{}", fs::read_to_string(path).unwrap_or_default()));
        }
    }
    ContentHash::of(text)
}

/// Folders of the worktree that are to be kept, as far as they are there and no part of their path is a link.
fn folders(repository: &Repository, root: &Path) -> Vec<PathBuf> {
    let named = repository.caches.iter().map(PathBuf::from);
    let usual = USUAL.iter().map(PathBuf::from).filter(|_| repository.caches.is_empty());
    let is_folder = |path: &Path| {
        let mut whole = root.to_owned();
        path.components().all(|part| {
            whole.push(part);
            whole.symlink_metadata().is_ok_and(|found| found.is_dir())
        })
    };
    named.chain(usual).filter(|path| is_folder(path)).collect()
}

fn layers_of(worktree: &Worktree) -> PathBuf {
    beside(worktree, ".layers").join(worktree.path.file_name().unwrap_or_default())
}

/// A folder beside the worktree.
fn beside(worktree: &Worktree, name: &str) -> PathBuf {
    worktree.path.parent().unwrap_or(&worktree.path).join(name)
}

/// Removes the oldest states of a repository. Runs that began with one go on with what they wrote themselves.
fn forget_old(place: &Path) -> io::Result<()> {
    let Some(folder) = place.parent() else { return Ok(()) };
    let mut states = vec![];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        states.push((entry.metadata()?.modified()?, entry.path()));
    }
    states.sort();
    states.iter().rev().skip(KEPT).try_for_each(|(_, path)| remove(path))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
