//! The fake's checks, logs and review threads: what GitHub's own runner and people's reviews add to a pull request.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answers::{Reply, page, user};
use super::contract::sample;
use super::fake::{Call, State};
use super::rules;

/// A review thread: the comment that began it, and whether it is settled.
#[derive(Debug, Clone)]
pub struct Thread {
    pub first: u64,
    pub resolved: bool,
}

#[derive(Debug, Default)]
pub struct Ci {
    /// Check runs by commit, without what GitHub adds.
    pub runs: BTreeMap<String, Vec<Value>>,
    /// Statuses by commit.
    pub statuses: BTreeMap<String, Vec<Value>>,
    /// By check run.
    pub annotations: BTreeMap<u64, Vec<Value>>,
    /// By job; a job has the number of its check run.
    pub logs: BTreeMap<u64, String>,
    pub threads: Vec<Thread>,
    /// How one check of every head ended; `queued` where it has not.
    pub always: Option<String>,
}

impl Ci {
    /// A job of GitHub's own runner that ended like this.
    pub fn ended(&mut self, head: &str, id: u64, name: &str, conclusion: &str) {
        let run = json!({"id": id, "name": name, "status": "completed", "conclusion": conclusion, "head_sha": head,
            "app": runner(),
            "output": {"title": null, "summary": null, "text": null, "annotations_count": 0,
                "annotations_url": "https://example.org/"}});
        self.runs.entry(head.to_owned()).or_default().push(run);
    }
}

/// GitHub's own runner, as an app.
fn runner() -> Value {
    let (page, time) = ("https://example.org/", "2026-11-21T12:00:00Z");
    json!({"id": 15_368, "slug": "github-actions", "node_id": "", "owner": user("github"), "name": "GitHub Actions",
        "description": "", "external_url": page, "html_url": page, "created_at": time, "updated_at": time,
        "permissions": {}, "events": []})
}

/// What is asked of checks and threads; `None` for anything else.
pub fn answer(state: &mut State, call: &Call) -> Option<Reply> {
    let parts = call.parts();
    Some(match (call.method.as_str(), parts.as_slice()) {
        ("GET", ["commits", head, "check-runs"]) => {
            let mut runs = state.ci.runs.get(*head).cloned().unwrap_or_default();
            runs.extend(state.ci.always.as_deref().map(|how| match how {
                "queued" => json!({"id": 1, "name": "unit", "status": "queued", "conclusion": null}),
                how => json!({"id": 1, "name": "unit", "status": "completed", "conclusion": how}),
            }));
            let runs: Vec<Value> = runs.into_iter().map(|run| sample("check-run", run)).collect();
            let total = runs.len();
            let mut reply = page(state, call, runs);
            reply.body = json!({"total_count": total, "check_runs": reply.body});
            reply
        }
        ("GET", ["commits", head, "status"]) => {
            let all = state.ci.statuses.get(*head).cloned().unwrap_or_default();
            let total = all.len();
            let all = all.into_iter().map(|each| sample("simple-commit-status", each)).collect();
            let mut reply = page(state, call, all);
            let fields =
                json!({"state": "pending", "sha": head, "total_count": total, "statuses": reply.body});
            reply.body = sample("combined-commit-status", fields);
            reply
        }
        ("GET", ["check-runs", id, "annotations"]) => {
            let all = state.ci.annotations.get(&id.parse().unwrap()).cloned().unwrap_or_default();
            page(state, call, all.into_iter().map(|each| sample("check-annotation", each)).collect())
        }
        ("GET", ["actions", "jobs", _, "logs"]) => Reply::new(302, Value::Null),
        ("POST", ["pulls", _, "comments", first, "replies"]) => {
            reply(state, first.parse().unwrap(), &call.body)
        }
        _ => return None,
    })
}

fn reply(state: &mut State, first: u64, body: &Value) -> Reply {
    if !state.line_comments.iter().any(|each| each["id"] == first) {
        return Reply::error(404, "Not Found");
    }
    let id = 1_000 + state.line_comments.len() as u64;
    let page = format!("https://github.com/acme/app/pull/1#discussion_r{id}");
    let said = json!({"id": id, "in_reply_to_id": first, "user": user("ado-bot"), "body": body["body"],
        "author_association": "COLLABORATOR", "path": "greeting.txt", "original_line": 1, "html_url": page});
    state.line_comments.push(said.clone());
    Reply::new(201, sample("pull-request-review-comment", said))
}

/// Answers the documents of GraphQL that are about threads; `None` for others.
pub fn graphql(state: &mut State, query: &str, variables: &Value) -> Option<Value> {
    if query.contains("reviewThreads") {
        let nodes: Vec<Value> = (state.ci.threads.iter())
            .map(|thread| {
                json!({"id": format!("PRRT_{}", thread.first), "isResolved": thread.resolved,
                    "comments": {"nodes": [{"databaseId": thread.first}]}})
            })
            .collect();
        let end = json!({"hasNextPage": false, "endCursor": null});
        let threads = json!({"reviewThreads": {"nodes": nodes, "pageInfo": end}});
        return Some(json!({"data": {"repository": {"pullRequest": threads}}}));
    }
    if query.contains("resolveReviewThread") {
        let wanted = variables["id"].as_str()?.strip_prefix("PRRT_")?.parse::<u64>().ok()?;
        state.ci.threads.iter_mut().find(|thread| thread.first == wanted)?.resolved = true;
        return Some(json!({"data": {"resolveReviewThread": {"thread": {"isResolved": true}}}}));
    }
    rules::graphql(state, query, variables)
}
