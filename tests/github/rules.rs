//! The fake's rules of a target branch: what must be there before a merge, its merge queue, auto-merge.

use serde_json::{Value, json};

use super::answers::{self, Reply, user};
use super::fake::State;

#[derive(Debug, Default)]
pub struct Rules {
    /// A merge by a call is refused.
    pub wants_more: bool,
    pub has_queue: bool,
    pub allows_auto_merge: bool,
    /// The head that stands in the queue, and the one that auto-merge is on for.
    pub queued: Option<String>,
    pub auto: Option<String>,
    pub took_out: u32,
}

impl Rules {
    /// The refusal of a merge that the rules do not allow yet.
    pub fn refusal(&self) -> Option<Reply> {
        let why = match (self.wants_more, self.has_queue) {
            (false, _) => return None,
            (true, true) => "Changes must be made through the merge queue",
            (true, false) => "At least 1 approving review is required by reviewers with write access.",
        };
        Some(Reply::error(405, why))
    }

    pub fn auto_merge(&self) -> Value {
        match &self.auto {
            Some(_) => {
                json!({"enabled_by": user("ado-bot"), "merge_method": "merge", "commit_title": "", "commit_message": ""})
            }
            None => Value::Null,
        }
    }
}

/// GitHub has what it wanted and merges by itself.
pub fn satisfy(state: &mut State) {
    let head = state.ci_head();
    let wanted = state.rules.queued.take().or_else(|| state.rules.auto.take());
    assert_eq!(wanted, Some(head), "it merges the head that was judged");
    assert_eq!(answers::merge(state, 0, &json!({"merge_method": "merge"})).status, 200);
}

/// Answers the documents of GraphQL that are about queues; `None` for others.
pub fn graphql(state: &mut State, document: &str, variables: &Value) -> Option<Value> {
    let head = variables["head"].as_str().map(str::to_owned);
    let refuse =
        |why: &str| Some(json!({"data": null, "errors": [{"type": "UNPROCESSABLE", "message": why}]}));
    let is_head = head.as_ref().is_none_or(|head| *head == state.ci_head());
    let rules = &mut state.rules;
    if document.contains("isInMergeQueue") {
        let auto = rules.auto.as_ref().map(|_| json!({"enabledAt": "2026-11-21T12:00:00Z"}));
        return Some(json!({"data": {"node": {"isInMergeQueue": rules.queued.is_some(),
            "isMergeQueueEnabled": rules.has_queue, "autoMergeRequest": auto}}}));
    }
    if !is_head {
        return refuse("the head is another one");
    }
    let done = if document.contains("enqueuePullRequest") {
        if !rules.has_queue || rules.queued.is_some() {
            return refuse("no queue, or in it already");
        }
        rules.queued = head;
        json!({"enqueuePullRequest": {"mergeQueueEntry": {"position": 1}}})
    } else if document.contains("enablePullRequestAutoMerge") {
        if !rules.allows_auto_merge || rules.auto.is_some() {
            return refuse("auto-merge is not allowed for this repository");
        }
        rules.auto = head;
        json!({"enablePullRequestAutoMerge": {"pullRequest": {"number": 1}}})
    } else if document.contains("dequeuePullRequest") {
        rules.queued = None;
        rules.took_out += 1;
        json!({"dequeuePullRequest": {"mergeQueueEntry": {"position": 1}}})
    } else if document.contains("disablePullRequestAutoMerge") {
        rules.auto = None;
        rules.took_out += 1;
        json!({"disablePullRequestAutoMerge": {"pullRequest": {"number": 1}}})
    } else {
        return None;
    };
    Some(json!({ "data": done }))
}
