//! The fake's issues and comments. Issues have numbers from 101 on, so that none is a pull request's.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answers::{Reply, label, page, texts, user};
use super::contract::sample;
use super::fake::{Call, State};

#[derive(Debug, Clone)]
pub struct Issue {
    pub number: u64,
    pub title: String,
    pub body: String,
    pub author: String,
    /// `NONE`, `MEMBER` and others.
    pub association: &'static str,
    pub labels: BTreeSet<String>,
    /// `completed` or `not_planned` where it is closed.
    pub closed: Option<String>,
}

impl Issue {
    /// An open one with the label `ado`.
    pub fn wanted(number: u64, author: &str, title: &str, body: &str) -> Self {
        Self {
            number,
            title: title.into(),
            body: body.into(),
            author: author.into(),
            association: "NONE",
            labels: ["ado".to_owned()].into(),
            closed: None,
        }
    }
}

/// What is answered to a call about issues; `None` for other calls and for labels of pull requests.
pub fn to(state: &mut State, call: &Call) -> Option<Reply> {
    let parts = call.parts();
    let ["issues", rest @ ..] = parts.as_slice() else { return None };
    let at = |number: &str| state.issues.iter().position(|issue| issue.number.to_string() == number);
    Some(match (call.method.as_str(), rest) {
        ("GET", []) => list(state, call),
        ("GET", [number, "comments"]) => {
            let number = number.parse().unwrap();
            let all = state.comments.get(&number).cloned().unwrap_or_default();
            let all = all.iter().enumerate().map(|(at, each)| comment(state, number, at, each)).collect();
            page(state, call, all)
        }
        ("POST", [number, "comments"]) => {
            let number = number.parse().unwrap();
            let each = ("ado-bot".to_owned(), call.body["body"].as_str().unwrap_or_default().to_owned());
            let all = state.comments.entry(number).or_default();
            all.push(each.clone());
            let at = all.len() - 1;
            state.touch(number);
            Reply::new(201, comment(state, number, at, &each))
        }
        ("PATCH", ["comments", id]) => {
            let id: usize = id.parse().unwrap();
            let (number, at) = ((id / 1000) as u64, id % 1000 - 1);
            let each = &mut state.comments.get_mut(&number).unwrap()[at];
            each.1 = call.body["body"].as_str().unwrap().to_owned();
            let each = each.clone();
            Reply::new(200, comment(state, number, at, &each))
        }
        ("POST", ["comments", id, "reactions"]) => {
            let content = call.body["content"].as_str().unwrap().to_owned();
            let reaction = (id.parse().unwrap(), content.clone());
            // Of one person there is one of a kind.
            let is_new = !state.reactions.contains(&reaction);
            if is_new {
                state.reactions.push(reaction);
            }
            Reply::new(if is_new { 201 } else { 200 }, sample("reaction", json!({"content": content})))
        }
        ("GET", [number]) => match at(number) {
            Some(at) => Reply::new(200, shown(&state.issues[at])),
            None => Reply::error(404, "Not Found"),
        },
        ("PATCH", [number]) => {
            let at = at(number)?;
            if call.body["state"] == "closed" {
                state.issues[at].closed = call.body["state_reason"].as_str().map(str::to_owned);
            }
            Reply::new(200, shown(&state.issues[at]))
        }
        ("POST", [number, "labels"]) => {
            let at = at(number)?;
            state.issues[at].labels.extend(texts(&call.body["labels"]));
            Reply::new(200, Value::Array(state.issues[at].labels.iter().map(|name| label(name)).collect()))
        }
        ("DELETE", [number, "labels", name]) => {
            let at = at(number)?;
            let name = name.replace("%3A", ":");
            if !state.issues[at].labels.remove(&name) {
                return Some(Reply::error(404, "Label does not exist"));
            }
            Reply::new(200, Value::Array(state.issues[at].labels.iter().map(|name| label(name)).collect()))
        }
        _ => return None,
    })
}

/// Issues and, as GitHub does it, pull requests among them.
fn list(state: &State, call: &Call) -> Reply {
    let wanted: Vec<&str> = call.parameter("labels").unwrap_or_default().split(',').collect();
    let has = |labels: &BTreeSet<String>| wanted.iter().all(|name| labels.contains(*name));
    let open = call.parameter("state") != Some("all");
    let issues = state.issues.iter().filter(|issue| has(&issue.labels) && !(open && issue.closed.is_some()));
    let mut all: Vec<Value> = issues.map(shown).collect();
    let pulls = state
        .pulls
        .iter()
        .filter(|pull| has(&pull.labels) && !(open && (pull.closed || pull.merged.is_some())));
    all.extend(pulls.map(|pull| {
        let link = json!({"url": null, "html_url": null, "diff_url": null, "patch_url": null});
        sample(
            "issue",
            json!({"number": pull.number, "title": pull.title, "state": "open", "pull_request": link}),
        )
    }));
    page(state, call, all)
}

fn shown(issue: &Issue) -> Value {
    sample(
        "issue",
        json!({
            "number": issue.number,
            "title": issue.title,
            "body": issue.body,
            "user": user(&issue.author),
            "author_association": issue.association,
            "html_url": format!("https://github.com/acme/app/issues/{}", issue.number),
            "labels": issue.labels.iter().map(|name| label(name)).collect::<Vec<_>>(),
            "state": if issue.closed.is_some() { "closed" } else { "open" },
            "state_reason": issue.closed,
        }),
    )
}

fn comment(state: &mut State, number: u64, at: usize, (author, text): &(String, String)) -> Value {
    let id = number as usize * 1000 + at + 1;
    let page = format!("https://github.com/acme/app/issues/{number}#issuecomment-{id}");
    let now = jiff::Timestamp::now().to_string();
    let time = state.comment_times.entry(id as u64).or_insert(now).clone();
    let association = if author == "mallory" { "NONE" } else { "COLLABORATOR" };
    sample(
        "issue-comment",
        json!({
            "id": id, "body": text, "user": user(author), "html_url": page, "created_at": time,
            "author_association": association,
        }),
    )
}
