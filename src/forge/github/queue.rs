//! Merges that GitHub makes by itself as soon as its rules let it: the merge queue of a branch, else auto-merge. Both are
//! GraphQL's alone.

use serde_json::{Value, json};

use super::forge::GithubForge;
use super::pull_request::PullRequest;
use super::words::{outgoing, outgoing_line};
use crate::domain::MergeMethod;
use crate::forge::{ForgeError, MergeOrder};

const STANDING: &str = "query($id: ID!) { node(id: $id) { ... on PullRequest { isInMergeQueue isMergeQueueEnabled \
    autoMergeRequest { enabledAt } } } }";
const ENQUEUE: &str = "mutation($id: ID!, $head: GitObjectID!) { \
    enqueuePullRequest(input: {pullRequestId: $id, expectedHeadOid: $head}) { mergeQueueEntry { position } } }";
const DEQUEUE: &str =
    "mutation($id: ID!) { dequeuePullRequest(input: {id: $id}) { mergeQueueEntry { position } } }";
const ENABLE: &str = "mutation($id: ID!, $head: GitObjectID!, $method: PullRequestMergeMethod!, $title: String!, \
    $message: String!) { enablePullRequestAutoMerge(input: {pullRequestId: $id, expectedHeadOid: $head, \
    mergeMethod: $method, commitHeadline: $title, commitBody: $message}) { pullRequest { number } } }";
const DISABLE: &str = "mutation($id: ID!) { disablePullRequestAutoMerge(input: {pullRequestId: $id}) { pullRequest { number } } }";

/// What GitHub will do by itself.
pub(super) struct Queue {
    /// Whether the target branch is merged into by a queue alone.
    pub is_required: bool,
    pub is_in: bool,
    pub is_auto: bool,
}

impl Queue {
    pub fn merges_by_itself(&self) -> bool {
        self.is_in || self.is_auto
    }
}

impl GithubForge {
    pub(super) async fn queue_of(&self, pr: &PullRequest) -> Result<Queue, ForgeError> {
        let data = self.client.ask(&self.address, STANDING, json!({"id": pr.node_id})).await?;
        let node = &data["node"];
        Ok(Queue {
            is_required: node["isMergeQueueEnabled"] == true,
            is_in: node["isInMergeQueue"] == true,
            is_auto: !node["autoMergeRequest"].is_null(),
        })
    }

    /// Lets GitHub merge this head as soon as its rules let it, where it offers that; asking again changes nothing.
    pub(super) async fn enqueue(&self, pr: &PullRequest, order: &MergeOrder) -> Result<(), ForgeError> {
        let queue = self.queue_of(pr).await?;
        if queue.merges_by_itself() {
            return Ok(());
        }
        let (document, variables) = if queue.is_required {
            (ENQUEUE, json!({"id": pr.node_id, "head": order.head.as_str()}))
        } else {
            (ENABLE, auto_merge(pr, order))
        };
        self.client.ask(&self.address, document, variables).await.map(|_| ())
    }

    pub(super) async fn dequeue(&self, pr: &PullRequest) -> Result<(), ForgeError> {
        let queue = self.queue_of(pr).await?;
        let id = json!({"id": pr.node_id});
        if queue.is_in {
            self.client.ask(&self.address, DEQUEUE, id.clone()).await?;
        }
        if queue.is_auto {
            self.client.ask(&self.address, DISABLE, id).await?;
        }
        Ok(())
    }
}

fn auto_merge(pr: &PullRequest, order: &MergeOrder) -> Value {
    let method = match order.method {
        MergeMethod::Merge => "MERGE",
        MergeMethod::Squash => "SQUASH",
    };
    json!({"id": pr.node_id, "head": order.head.as_str(), "method": method,
        "title": outgoing_line(&order.title), "message": outgoing(&order.message)})
}
