//! What a human must agree to before a run goes on: the plan, and changes of sensitive paths (vault format, 8).
//!
//! Does not know who may approve; `vault` history and the settings' authority do.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::next::{Next, plain};
use crate::domain::{
    ChangeSet, Config, ContentHash, Effect, FeatureView, Gate, RepoName, RunState, Snapshot,
};

/// What is still to be done until the plan is approved; `None` when it is.
pub(super) fn plan(view: &FeatureView, run: &RunState) -> Option<Next> {
    let plan = run.plan.as_ref()?;
    let proposed = plan.hash();
    // A plan edited before its approval is the plan that is approved.
    let offered = run.plan_text.as_ref().map_or_else(|| proposed.clone(), ContentHash::of);
    if run.is_approved(Gate::Plan, &offered) {
        return None;
    }
    let asked = is_asked(run, Gate::Plan, &proposed) || is_asked(run, Gate::Plan, &offered);
    if !asked {
        return Some(ask(run, Gate::Plan, offered, "the plan needs a human's approval"));
    }
    if view.feature.properties.approved == Some(true) {
        return Some(match view.edited_plan.as_ref().filter(|text| run.plan_text.as_ref() != Some(*text)) {
            Some(text) => Next::act(
                Effect::AdoptPlan { run: run.id.clone(), text: text.clone() },
                "a human edited the plan before approving it",
            ),
            None => approve(view, run, Gate::Plan, offered),
        });
    }
    let edited = if run.request == view.feature.request_hash() {
        ""
    } else {
        "; the request was edited since: move the note back to `planned` and start again for a new plan"
    };
    Some(wait(view, Gate::Plan, format!("the plan waits for a human: {}{edited}", plain(&plan.summary))))
}

/// What is still to be done until changes of sensitive paths are approved; `None` when none is touched or they are.
pub(super) fn paths(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Option<Next> {
    let change = run.change.as_ref()?;
    let touched = sensitive(&snapshot.config, &run.repo, change);
    if touched.is_empty() {
        return None;
    }
    let bound = ContentHash::of(format!("{}\0{}", change.tree, touched.join("\0")));
    let shown = plain(&touched.join(", "));
    if run.is_approved(Gate::Paths, &bound) {
        return None;
    }
    Some(if !is_asked(run, Gate::Paths, &bound) {
        ask(run, Gate::Paths, bound, &format!("sensitive paths were changed: {shown}"))
    } else if view.feature.properties.approved == Some(true) {
        approve(view, run, Gate::Paths, bound)
    } else {
        wait(view, Gate::Paths, format!("sensitive paths were changed: {shown}"))
    })
}

/// Changed paths that a policy names, sorted.
fn sensitive<'a>(config: &Config, repo: &RepoName, change: &'a ChangeSet) -> Vec<&'a str> {
    let globs = sensitive_globs(config, Some(repo));
    let mut touched: Vec<&str> =
        change.files.iter().map(|file| file.path.as_str()).filter(|path| globs.is_match(path)).collect();
    touched.sort_unstable();
    touched.dedup();
    touched
}

/// The policy's and the repository's patterns. A pattern that cannot be read is skipped here; the policy note's own
/// check reports it.
pub(super) fn sensitive_globs(config: &Config, repo: Option<&RepoName>) -> GlobSet {
    let repository = repo.and_then(|repo| config.repositories.get(repo));
    let patterns = config.approvals.sensitive_paths.iter();
    let mut set = GlobSetBuilder::new();
    for pattern in patterns.chain(repository.into_iter().flat_map(|each| &each.sensitive_paths)) {
        if let Ok(glob) = GlobBuilder::new(pattern).case_insensitive(true).build() {
            set.add(glob);
        }
    }
    set.build().unwrap_or_else(|_| GlobSet::empty())
}

fn is_asked(run: &RunState, gate: Gate, plan: &ContentHash) -> bool {
    run.asked.as_ref().is_some_and(|(asked, hash, base)| *asked == gate && hash == plan && *base == run.base)
}

fn ask(run: &RunState, gate: Gate, plan: ContentHash, reason: &str) -> Next {
    Next::act(Effect::AskApproval { run: run.id.clone(), gate, plan, base: run.base.clone() }, reason)
}

fn approve(view: &FeatureView, run: &RunState, gate: Gate, plan: ContentHash) -> Next {
    let by = view.last_author.clone();
    let reason = format!("{gate} approved by {}", plain(&by));
    Next::act(Effect::Approve { run: run.id.clone(), gate, plan, base: run.base.clone(), by }, reason)
}

fn wait(view: &FeatureView, gate: Gate, why: String) -> Next {
    let unblock = format!(
        "tick `approved` in the note or run `ado-vault approve {}`; move the note back to `planned` to stop",
        view.feature.label()
    );
    Next::ask_on(format!("approval: {gate}"), why, unblock)
}
