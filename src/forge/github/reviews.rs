//! Which review approves a pull request as it is now. Pure; it does not know what an approval is for.

use serde::Deserialize;
use serde_json::Value;

use super::pull_request::User;
use crate::domain::{ForgeApproval, GitId};

#[derive(Deserialize)]
struct Review {
    user: Option<User>,
    state: String,
    commit_id: Option<String>,
}

/// The approval of this head by one of the approvers, where the last verdict of none of them is against it. Reviews come
/// oldest first, as GitHub lists them. A plain comment is no verdict, a dismissed review is none any more.
pub(super) fn approval(reviews: &[Value], approvers: &[String], head: &str) -> Option<ForgeApproval> {
    let reviews: Vec<Review> = reviews.iter().filter_map(|each| Review::deserialize(each).ok()).collect();
    let by = |approver: &String| {
        let approver = approver.trim_start_matches('@');
        let of_theirs = |review: &&Review| {
            review.user.as_ref().is_some_and(|user| user.login.eq_ignore_ascii_case(approver))
                && matches!(review.state.as_str(), "APPROVED" | "CHANGES_REQUESTED" | "DISMISSED")
        };
        reviews.iter().rfind(of_theirs)
    };
    let verdicts: Vec<&Review> = approvers.iter().filter_map(by).collect();
    if verdicts.iter().any(|review| review.state == "CHANGES_REQUESTED") {
        return None;
    }
    let approves =
        |review: &&&Review| review.state == "APPROVED" && review.commit_id.as_deref() == Some(head);
    let review = verdicts.iter().find(approves)?;
    Some(ForgeApproval { by: review.user.as_ref()?.login.clone(), head: GitId(head.to_owned()) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn review(login: &str, state: &str, head: &str) -> Value {
        json!({"user": {"login": login}, "state": state, "commit_id": head})
    }

    fn by(reviews: &[Value]) -> Option<String> {
        let approvers = ["ann".to_owned(), "@Bob".to_owned()];
        approval(reviews, &approvers, "new").map(|approval| approval.by)
    }

    #[test]
    fn only_the_last_verdict_of_an_approver_on_this_head_approves() {
        assert_eq!(by(&[review("Ann", "APPROVED", "new")]).as_deref(), Some("Ann"));
        assert_eq!(
            by(&[review("bob", "COMMENTED", "new"), review("bob", "APPROVED", "new")]).as_deref(),
            Some("bob")
        );
        for none in [
            vec![],
            vec![review("mallory", "APPROVED", "new")],
            vec![review("ann", "APPROVED", "old")],
            vec![review("ann", "APPROVED", "new"), review("ann", "DISMISSED", "new")],
            vec![review("ann", "APPROVED", "new"), review("ann", "CHANGES_REQUESTED", "new")],
            vec![review("ann", "APPROVED", "new"), review("bob", "CHANGES_REQUESTED", "old")],
            vec![json!({"user": null, "state": "APPROVED", "commit_id": "new"})],
        ] {
            assert_eq!(by(&none), None, "{none:?}");
        }
        let after = [review("ann", "APPROVED", "new"), review("ann", "COMMENTED", "new")];
        assert_eq!(by(&after).as_deref(), Some("ann"));
    }
}
