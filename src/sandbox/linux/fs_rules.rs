//! Landlock on top of the mount view: the same rights once more, held by another part of the kernel. Knows paths inside
//! the box only.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::super::job::Job;
use super::super::report::Layer;
use super::channel::Failure;

/// The newest rules this program knows; older kernels hold what they can.
const NEWEST: ABI = ABI::V7;

/// Restricts this process and what it starts. A kernel without Landlock is reported, not refused.
pub(super) fn restrict(job: &Job) -> Result<Layer, Failure> {
    let status = rules(job)
        .map_err(|error| Failure { layer: "landlock", reason: error })?
        .restrict_self()
        .map_err(|error| Failure { layer: "landlock", reason: error.to_string() })?;
    let detail = match status.ruleset {
        RulesetStatus::FullyEnforced => format!("rules of ABI {}", NEWEST as i32),
        RulesetStatus::PartiallyEnforced => "as far as this kernel knows the rules".into(),
        RulesetStatus::NotEnforced => "this kernel has no Landlock, or it is switched off".into(),
    };
    Ok(Layer {
        name: "landlock".into(),
        enforced: !matches!(status.ruleset, RulesetStatus::NotEnforced),
        detail,
    })
}

fn rules(job: &Job) -> Result<RulesetCreated, String> {
    let all = AccessFs::from_all(NEWEST);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|rules| rules.scope(Scope::AbstractUnixSocket | Scope::Signal))
        .and_then(Ruleset::create)
        .map_err(|error| error.to_string())?;
    rules = allow(rules, Path::new("/"), AccessFs::from_read(NEWEST))?;
    rules = allow(rules, Path::new("/dev"), AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::Truncate)?;
    let written = job.shows.iter().filter(|show| show.access.is_writable());
    let written = written.map(|show| show.target.as_path());
    for path in written.chain([Path::new("/tmp"), Path::new("/dev/shm")]) {
        let rights = if path.is_dir() { all } else { all & AccessFs::from_file(NEWEST) };
        rules = allow(rules, path, rights)?;
    }
    Ok(rules)
}

fn allow(rules: RulesetCreated, path: &Path, rights: BitFlags<AccessFs>) -> Result<RulesetCreated, String> {
    let named = |error: String| format!("`{}`: {error}", path.display());
    let opened = PathFd::new(path).map_err(|error| named(error.to_string()))?;
    rules.add_rule(PathBeneath::new(opened, rights)).map_err(|error| named(error.to_string()))
}
