//! What a human must agree to before a run goes on: the plan, changes of sensitive paths, the pull request, the merge
//! (vault format, 8).
//!
//! Does not know who may approve; `vault` history and the settings' authority do.

use super::next::{Next, plain};
use crate::domain::{
    ApprovalAuthority, ChangeSet, Config, ContentHash, Effect, FeatureView, ForgeKind, Gate, PullRequestView,
    RunState, Snapshot, Tick, WorkPlan, lock_file, sensitive_globs,
};

/// What is still to be done until the plan is approved; `None` when it is.
pub(super) fn plan(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Option<Next> {
    let plan = run.plan.as_ref()?;
    let proposed = plan.hash();
    // A plan edited before its approval is the plan that is approved.
    let offered = run.plan_text.as_ref().map_or_else(|| proposed.clone(), ContentHash::of);
    if run.is_approved(Gate::Plan, &offered) {
        return None;
    }
    let asked = is_asked(run, Gate::Plan, &proposed) || is_asked(run, Gate::Plan, &offered);
    if !asked {
        return Some(ask(run, Gate::Plan, offered, None, "the plan needs a human's approval"));
    }
    if let Some(why) = refused(view) {
        return Some(ask(run, Gate::Plan, offered, Some(why.to_owned()), why));
    }
    if is_ticked(view) {
        return Some(match view.edited_plan.as_ref().filter(|text| run.plan_text.as_ref() != Some(*text)) {
            Some(text) => Next::act(
                Effect::AdoptPlan { run: run.id.clone(), text: text.clone() },
                "a human edited the plan before approving it",
            ),
            None => approve(run, Gate::Plan, offered, &view.last_author),
        });
    }
    let edited = if run.request == view.feature.request_hash() {
        ""
    } else {
        "; the request was edited since: move the note back to `planned` and start again for a new plan"
    };
    let why = format!("the plan waits for a human: {}{edited}", plain(&plan.summary));
    Some(wait(snapshot, view, run, Gate::Plan, &why))
}

/// What is still to be done until changes of sensitive paths are approved; `None` when none is touched or they are.
pub(super) fn paths(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Option<Next> {
    let change = run.change.as_ref()?;
    let touched = sensitive(&snapshot.config, run, change);
    if touched.is_empty() {
        return None;
    }
    let bound = ContentHash::of(format!("{}\0{}", change.tree, touched.join("\0")));
    let why = format!("sensitive paths were changed: {}", plain(&touched.join(", ")));
    pass(snapshot, view, run, Gate::Paths, bound, &why)
}

/// What is still to be done until the change may be pushed and offered; `None` when it may.
pub(super) fn pull_request(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Option<Next> {
    if !snapshot.config.approvals.approve_pull_request {
        return None;
    }
    let change = run.change.as_ref()?;
    let why = format!(
        "{} files and {} lines are to be pushed as a pull request",
        change.files.len(),
        change.lines()
    );
    pass(snapshot, view, run, Gate::Pr, ContentHash::of(change.tree.as_str()), &why)
}

/// Whether a merge waits for an approval of its own, whoever asks for it.
pub(super) fn guards_merge(snapshot: &Snapshot) -> bool {
    let authority = snapshot.config.settings.approval_authority;
    snapshot.config.approvals.approve_merge || authority != ApprovalAuthority::Vault
}

/// What is still to be done until the head of the pull request may be merged; `None` when it may.
pub(super) fn merge(
    snapshot: &Snapshot,
    view: &FeatureView,
    run: &RunState,
    seen: &PullRequestView,
) -> Option<Next> {
    if !guards_merge(snapshot) {
        return None;
    }
    let head = run.pr_head.as_ref()?;
    let bound = ContentHash::of(head.as_str());
    let why = format!("the merge of {} waits for a human", head.short());
    if snapshot.config.settings.approval_authority != ApprovalAuthority::Forge {
        return pass(snapshot, view, run, Gate::Merge, bound, &why);
    }
    if run.is_approved(Gate::Merge, &bound) {
        return None;
    }
    if !is_asked(run, Gate::Merge, &bound) {
        return Some(ask(run, Gate::Merge, bound, None, &why));
    }
    if let Some(review) = seen.approval.as_ref().filter(|review| review.head == *head) {
        return Some(approve(run, Gate::Merge, bound, &review.by));
    }
    let unblock = match run.pr.as_ref().map(|pr| pr.forge) {
        Some(ForgeKind::Local) => {
            "the built-in forge has no reviews: set `approval_authority` to `vault` or `signed`".to_owned()
        }
        _ => "let one of the repository's `approvers` approve this head in a review".to_owned(),
    };
    Some(Next::ask_on(format!("approval: {}", Gate::Merge), why, unblock))
}

/// Asks, waits, and counts the tick of one gate; `None` once it is approved.
fn pass(
    snapshot: &Snapshot,
    view: &FeatureView,
    run: &RunState,
    gate: Gate,
    bound: ContentHash,
    why: &str,
) -> Option<Next> {
    if run.is_approved(gate, &bound) {
        return None;
    }
    Some(if !is_asked(run, gate, &bound) {
        ask(run, gate, bound, None, why)
    } else if let Some(refused) = refused(view) {
        ask(run, gate, bound, Some(refused.to_owned()), refused)
    } else if is_ticked(view) {
        approve(run, gate, bound, &view.last_author)
    } else {
        wait(snapshot, view, run, gate, why)
    })
}

/// Changed paths that a policy names, and lock files that the plan does not, sorted.
fn sensitive<'a>(config: &Config, run: &RunState, change: &'a ChangeSet) -> Vec<&'a str> {
    let globs = sensitive_globs(&config.sensitive_paths(Some(&run.repo)));
    let plan = run.plan.as_ref();
    let paths = change.files.iter().map(|file| file.path.as_str());
    let mut touched: Vec<&str> =
        paths.filter(|path| globs.is_match(path) || is_unplanned_lock(path, plan)).collect();
    touched.sort_unstable();
    touched.dedup();
    touched
}

/// Whether this is a lock file that the plan names neither itself nor by its manifest: other code than what was agreed on
/// would come in. A run without a plan agreed on none.
fn is_unplanned_lock(path: &str, plan: Option<&WorkPlan>) -> bool {
    let name_of = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let name = name_of(path);
    let Some((lock, manifests)) = lock_file(&name) else { return false };
    let mut planned = plan.into_iter().flat_map(|plan| &plan.files).map(|file| name_of(file.path.trim()));
    !planned.any(|name| name == lock || manifests.contains(&name.as_str()))
}

fn is_asked(run: &RunState, gate: Gate, plan: &ContentHash) -> bool {
    run.asked
        .as_ref()
        .is_some_and(|asked| asked.gate == gate && asked.plan == *plan && asked.base == run.base)
}

/// Whether the tick is a human's word.
fn is_ticked(view: &FeatureView) -> bool {
    view.feature.properties.approved == Some(true) && view.tick == Tick::Counts
}

/// Why a tick that is there is nobody's word and never will be.
fn refused(view: &FeatureView) -> Option<&str> {
    match &view.tick {
        Tick::Refused(why) if view.feature.properties.approved == Some(true) => Some(why),
        _ => None,
    }
}

fn ask(run: &RunState, gate: Gate, plan: ContentHash, refused: Option<String>, reason: &str) -> Next {
    let base = run.base.clone();
    Next::act(Effect::AskApproval { run: run.id.clone(), gate, plan, base, refused }, reason)
}

fn approve(run: &RunState, gate: Gate, plan: ContentHash, by: &str) -> Next {
    let reason = format!("{gate} approved by {}", plain(by));
    let (by, base) = (by.to_owned(), run.base.clone());
    Next::act(Effect::Approve { run: run.id.clone(), gate, plan, base, by }, reason)
}

fn wait(snapshot: &Snapshot, view: &FeatureView, run: &RunState, gate: Gate, why: &str) -> Next {
    let label = view.feature.label();
    let refused = run.asked.as_ref().and_then(|asked| asked.refused.as_ref());
    let refused = refused.map(|why| format!("; the last answer did not count: {}", plain(why)));
    let how = match snapshot.config.settings.approval_authority {
        ApprovalAuthority::Signed => format!(
            "run `ado-vault approve {label}`, or tick `approved` and commit the note signed (`git commit -S`)"
        ),
        _ => format!("tick `approved` in the note or run `ado-vault approve {label}`"),
    };
    Next::ask_on(
        format!("approval: {gate}"),
        format!("{why}{}", refused.unwrap_or_default()),
        format!("{how}; move the note back to `planned` to stop"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_human_by_default_is_all_of_the_list() {
        let globs = sensitive_globs(&Config::default().sensitive_paths(None));
        for path in [
            ".github/workflows/ci.yml",
            ".GITHUB/workflows/ci.yml",
            ".gitlab-ci.yml",
            "docs/CODEOWNERS",
            "a/.gitattributes",
            ".gitmodules",
            "crates/x/build.rs",
            ".cargo/config.toml",
            "Makefile",
            "web/setup.py",
            "app/build.gradle.kts",
            "Dockerfile.prod",
            "src/auth/login.rs",
            "src/billing/invoice.py",
            "db/migrations/001.sql",
            "deploy/infra/main.yml",
            "x/main.tf",
            "config/secrets.yml",
            "web/.env.production",
            "certs/server.key",
        ] {
            assert!(globs.is_match(path), "{path}");
        }
        for path in ["src/lib.rs", "docs/guide.md", "tests/author.rs", "src/makefile_parser.rs", "README.md"]
        {
            assert!(!globs.is_match(path), "{path}");
        }
    }

    #[test]
    fn a_lock_file_waits_unless_the_plan_names_it_or_its_manifest() {
        let plan = |path: &str| -> WorkPlan {
            serde_json::from_value(serde_json::json!({"summary": "", "steps": [],
                "files": [{"path": path, "change": ""}]}))
            .unwrap()
        };
        for (path, planned, waits) in [
            ("Cargo.lock", Some("Cargo.toml"), false),
            ("Cargo.lock", Some("crates/x/Cargo.toml"), false),
            ("Cargo.lock", Some("Cargo.lock"), false),
            ("Cargo.lock", Some("src/lib.rs"), true),
            ("web/package-lock.json", Some("Cargo.toml"), true),
            ("Cargo.lock", None, true),
            ("src/lib.rs", None, false),
        ] {
            let plan = planned.map(plan);
            assert_eq!(is_unplanned_lock(path, plan.as_ref()), waits, "{path} {planned:?}");
        }
    }
}
