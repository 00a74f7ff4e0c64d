//! What an issue and its feature owe each other: what the issue shows, and where the note goes when the issue is closed.
//!
//! Does not know forges, and not which note is an issue's.

use crate::domain::{
    AuthorTrust, Feature, FeatureView, ForgeSettings, Issue, IssueReport, IssueState, PullRequestState,
    STATE_LABEL, Status,
};

/// What the feature's issue is to show now; `None` for a note that no issue can show: without id or status.
pub fn issue_report(view: &FeatureView, settings: &ForgeSettings) -> Option<IssueReport> {
    let (feature, status) = (view.feature.id.clone()?, view.feature.folder?);
    let close = match status {
        Status::Done => Some(IssueState::Done),
        Status::Dropped => Some(IssueState::Withdrawn),
        _ => None,
    };
    let close = close.filter(|_| settings.issue_close);
    let comment = (settings.issue_report || close.is_some()).then(|| comment(view, status, close)).flatten();
    let asked = || (settings.issue_ask && status == Status::New).then(|| questions(view)).flatten();
    Some(IssueReport {
        label: settings.issue_report.then(|| format!("{STATE_LABEL}{status}")),
        comment: comment.or_else(asked),
        close,
        feature,
    })
}

/// Of the features with one issue's address the one that the issue shows: what was dropped says nothing while another is
/// there, then the first by path.
pub fn shown_by_issue<'a>(views: impl IntoIterator<Item = &'a FeatureView>) -> Option<&'a FeatureView> {
    let rank = |view: &FeatureView| match view.feature.folder {
        Some(Status::Dropped) | None => 1,
        Some(_) => 0,
    };
    views.into_iter().min_by(|a, b| (rank(a), &a.feature.path).cmp(&(rank(b), &b.feature.path)))
}

/// Where the note goes because its issue was closed, and why. A run that has a pull request is followed to its end by that
/// alone: the merge closes the issue, not the other way round.
pub fn after_issue(view: &FeatureView, issue: &Issue) -> Option<(Status, String)> {
    let over = matches!(view.feature.folder, None | Some(Status::Done | Status::Dropped));
    if over || view.settling {
        return None;
    }
    let key = super::next::plain(&issue.key);
    let merged = view
        .pull_request
        .as_ref()
        .is_some_and(|seen| seen.reachable || seen.state == PullRequestState::Merged);
    match (issue.state, view.live_run()) {
        (IssueState::Withdrawn, _) if !merged => {
            Some((Status::Dropped, format!("issue {key} was closed as not planned")))
        }
        (IssueState::Done, None) => Some((Status::Done, format!("issue {key} was closed as done"))),
        _ => None,
    }
}

/// Whether a note may go on without a human's word as far as its origin goes: it is a human's own, or an instructor's.
pub(super) fn goes_on_by_itself(feature: &Feature) -> bool {
    feature.properties.issue.is_none() || feature.properties.issue_trust == Some(AuthorTrust::Instructor)
}

fn comment(view: &FeatureView, status: Status, close: Option<IssueState>) -> Option<String> {
    let id = view.feature.label();
    let link = pull_request(view);
    let at = link.map(|link| format!(": {link}")).unwrap_or_default();
    match (status, close) {
        (Status::Done, _) => Some(format!("{id} is done{at}")),
        (Status::Dropped, Some(_)) => Some(format!("{id} is closed without being done{at}")),
        (Status::Review, _) if link.is_some() => Some(format!("{id} is in review{at}")),
        (Status::InProgress, _) if link.is_some() => Some(format!("{id} is being worked on{at}")),
        _ => None,
    }
}

fn questions(view: &FeatureView) -> Option<String> {
    let open = view.feature.sections.questions.iter().filter(|question| question.decision.trim().is_empty());
    let open: Vec<String> =
        open.map(|question| format!("- {}", super::next::plain(&question.title))).collect();
    (!open.is_empty()).then(|| format!("{} needs answers:\n\n{}", view.feature.label(), open.join("\n")))
}

/// The pull request's address, where others than the vault's readers can follow it.
fn pull_request(view: &FeatureView) -> Option<&str> {
    let of_run = view.run().and_then(|run| run.pr.as_ref()).map(|pr| pr.link.as_str());
    of_run.or(view.feature.properties.pr.as_deref()).filter(|link| link.starts_with("http"))
}
