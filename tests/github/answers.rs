//! What the fake GitHub answers when nothing goes wrong. Its objects are the smallest that GitHub's description allows,
//! with what it knows laid over them.

use serde_json::{Value, json};

use super::ci;
use super::contract::sample;
use super::fake::{Call, Pull, State, TOKEN};
use super::issues;

/// When everything happens that has no time of its own.
pub const NOON: &str = "2026-11-21T12:00:00Z";

/// An answer.
pub struct Reply {
    pub status: u16,
    pub body: Value,
    /// Path of the next page.
    pub next: Option<String>,
}

impl Reply {
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, body, next: None }
    }

    pub fn error(status: u16, message: &str) -> Self {
        Self::new(status, json!({"message": message, "documentation_url": "https://docs.github.com"}))
    }
}

pub fn to(state: &mut State, call: &Call) -> Reply {
    let signed = call.bearer == TOKEN
        || state.app_tokens.contains(&call.bearer)
        || (call.bearer.starts_with("ey") && is_for_apps(call));
    if !signed {
        return Reply::error(401, "Bad credentials");
    }
    if call.path == "/graphql" {
        return graphql(state, call);
    }
    if call.path.starts_with("/app/installations/") {
        return grant(state);
    }
    if let Some(reply) = issues::to(state, call) {
        return reply;
    }
    let parts = call.parts();
    match (call.method.as_str(), parts.as_slice()) {
        ("GET", ["installation"]) => Reply::new(200, sample("installation", json!({"id": 77}))),
        ("GET", ["pulls"]) => list_pulls(state, call),
        ("POST", ["pulls"]) => open_pull(state, &call.body),
        ("GET", ["pulls", number]) => with_pull(state, number, |state, at| {
            Reply::new(200, pull_json(state, &state.pulls[at], "pull-request"))
        }),
        ("PATCH", ["pulls", number]) => {
            with_pull(state, number, |state, at| change_pull(state, at, &call.body))
        }
        ("PUT", ["pulls", number, "merge"]) => with_pull(state, number, |state, at| {
            state.rules.refusal().unwrap_or_else(|| merge(state, at, &call.body))
        }),
        ("POST", ["pulls", number, "requested_reviewers"]) => {
            with_pull(state, number, |state, at| ask_reviewers(state, at, &call.body))
        }
        ("POST", ["issues", number, "labels"]) => with_pull(state, number, |state, at| {
            state.pulls[at].labels.extend(texts(&call.body["labels"]));
            Reply::new(200, Value::Array(state.pulls[at].labels.iter().map(|name| label(name)).collect()))
        }),
        ("GET", ["pulls", _, "reviews"]) => {
            let all = state.reviews.iter().map(|each| sample("pull-request-review", each.clone())).collect();
            page(state, call, all)
        }
        ("GET", ["pulls", _, "comments"]) => {
            let all = state.line_comments.iter();
            let all = all.map(|each| sample("pull-request-review-comment", each.clone())).collect();
            page(state, call, all)
        }
        ("GET", ["git", "ref", "heads", branch @ ..]) => match state.head(&branch.join("/")) {
            Some(sha) => {
                let object = json!({"type": "commit", "sha": sha, "url": "https://example.org/"});
                Reply::new(200, sample("git-ref", json!({"object": object})))
            }
            None => Reply::error(404, "Not Found"),
        },
        ("DELETE", ["git", "refs", "heads", branch @ ..]) => {
            let name = format!("refs/heads/{}", branch.join("/"));
            match state.head(&branch.join("/")).and_then(|sha| state.git(&["update-ref", "-d", &name, &sha]))
            {
                Some(_) => Reply::new(204, Value::Null),
                None => Reply::new(422, Value::Null),
            }
        }
        _ => ci::answer(state, call).unwrap_or_else(|| Reply::error(404, "Not Found")),
    }
}

fn is_for_apps(call: &Call) -> bool {
    call.path.starts_with("/app/") || call.path.ends_with("/installation")
}

fn grant(state: &mut State) -> Reply {
    state.tokens_given += 1;
    let token = format!("ghs_{}", state.tokens_given);
    state.app_tokens.insert(token.clone());
    let ends = jiff::Timestamp::from_second(state.now + 3600).unwrap();
    Reply::new(201, sample("installation-token", json!({"token": token, "expires_at": ends.to_string()})))
}

fn with_pull(state: &mut State, number: &str, act: impl FnOnce(&mut State, usize) -> Reply) -> Reply {
    match state.pulls.iter().position(|pull| pull.number.to_string() == number) {
        Some(at) => act(state, at),
        None => Reply::error(404, "Not Found"),
    }
}

/// One page of a list, with the address of the next.
pub fn page(state: &State, call: &Call, all: Vec<Value>) -> Reply {
    let asked = call.parameter("per_page").and_then(|text| text.parse().ok()).unwrap_or(30);
    let size = state.page.min(asked);
    let number: usize = call.parameter("page").and_then(|text| text.parse().ok()).unwrap_or(1);
    let start = (number - 1) * size;
    let more = all.len() > start + size;
    let body = all.into_iter().skip(start).take(size).collect();
    let kept = call.query.split('&').filter(|pair| !pair.starts_with("page=") && !pair.is_empty());
    let query = kept.chain([format!("page={}", number + 1).as_str()]).collect::<Vec<_>>().join("&");
    let next = more.then(|| format!("{}?{query}", call.path));
    Reply { status: 200, body: Value::Array(body), next }
}

fn list_pulls(state: &mut State, call: &Call) -> Reply {
    let head =
        call.parameter("head").and_then(|head| head.split_once(':')).map(|(_, branch)| branch.to_owned());
    let any_state = call.parameter("state") == Some("all");
    let mut shown = vec![];
    for pull in &mut state.pulls {
        if pull.hidden > 0 {
            pull.hidden -= 1;
            continue;
        }
        let wanted = head.as_ref().is_none_or(|head| *head == pull.head);
        if wanted && (any_state || !(pull.closed || pull.merged.is_some())) {
            shown.push(pull.clone());
        }
    }
    shown.reverse();
    if call.parameter("sort") == Some("updated") {
        assert_eq!(call.parameter("direction"), Some("desc"), "the fake knows this order alone");
        shown.sort_by(|one, other| other.updated.cmp(&one.updated));
    }
    let shown = shown.iter().map(|pull| pull_json(state, pull, "pull-request-simple")).collect();
    page(state, call, shown)
}

fn open_pull(state: &mut State, body: &Value) -> Reply {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (head, base) = (text("head"), text("base"));
    let invalid = |message: String| {
        let error = json!({"resource": "PullRequest", "code": "custom", "message": message});
        let mut reply = Reply::error(422, "Validation Failed");
        reply.body["errors"] = json!([error]);
        reply
    };
    let is_open = |pull: &&Pull| !pull.closed && pull.merged.is_none();
    if state.pulls.iter().filter(is_open).any(|pull| pull.head == head && pull.base == base) {
        return invalid(format!("A pull request already exists for acme:{head}."));
    }
    let (Some(tip), Some(target)) = (state.head(&head), state.head(&base)) else {
        return invalid("head or base is invalid".into());
    };
    if state.git(&["merge-base", "--is-ancestor", &tip, &target]).is_some() {
        return invalid(format!("No commits between {base} and {head}"));
    }
    let pull = Pull {
        number: state.pulls.len() as u64 + 1,
        title: text("title"),
        body: text("body"),
        head,
        fork: None,
        author: "ado-bot".to_owned(),
        updated: NOON.to_owned(),
        base,
        draft: body["draft"] == true,
        closed: false,
        merged: None,
        merged_head: None,
        labels: [].into(),
        reviewers: [].into(),
        hidden: state.hide_new,
    };
    let shown = pull_json(state, &pull, "pull-request");
    state.pulls.push(pull);
    Reply::new(201, shown)
}

fn change_pull(state: &mut State, at: usize, body: &Value) -> Reply {
    let pull = &mut state.pulls[at];
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    pull.title = text("title").unwrap_or(pull.title.clone());
    pull.body = text("body").unwrap_or(pull.body.clone());
    pull.base = text("base").unwrap_or(pull.base.clone());
    if let (Some(wanted), None) = (text("state"), &pull.merged) {
        pull.closed = wanted == "closed";
    }
    let pull = state.pulls[at].clone();
    Reply::new(200, pull_json(state, &pull, "pull-request"))
}

fn ask_reviewers(state: &mut State, at: usize, body: &Value) -> Reply {
    let wanted = texts(&body["reviewers"]);
    if !wanted.iter().all(|login| state.reviewers_who_may.contains(login)) {
        // GitHub's description has no body for this one.
        return Reply::new(422, Value::Null);
    }
    state.pulls[at].reviewers.extend(wanted);
    let pull = state.pulls[at].clone();
    Reply::new(201, pull_json(state, &pull, "pull-request-simple"))
}

pub fn merge(state: &mut State, at: usize, body: &Value) -> Reply {
    let pull = state.pulls[at].clone();
    if pull.closed || pull.merged.is_some() || pull.draft {
        return Reply::error(405, "Pull Request is not mergeable");
    }
    let head = state.head_of(&pull).unwrap_or_default();
    if body["sha"].as_str().is_some_and(|sha| sha != head) {
        return Reply::error(409, "Head branch was modified. Review and try the merge again.");
    }
    let target = state.head(&pull.base).unwrap();
    let Some(tree) = state.git(&["merge-tree", "--write-tree", &target, &head]) else {
        return Reply::error(405, "Merge conflict");
    };
    let title = body["commit_title"].as_str().unwrap_or("Merge").to_owned();
    let message = format!("{title}\n\n{}", body["commit_message"].as_str().unwrap_or_default());
    let mut args = vec!["commit-tree", &tree, "-m", &message, "-p", &target];
    if body["merge_method"] != "squash" {
        args.extend(["-p", &head]);
    }
    let commit = state.git(&args).unwrap();
    state.git(&["update-ref", &format!("refs/heads/{}", pull.base), &commit, &target]).unwrap();
    state.pulls[at].merged = Some(commit.clone());
    state.pulls[at].merged_head = Some(head);
    Reply::new(200, json!({"sha": commit, "merged": true, "message": "Pull Request successfully merged"}))
}

fn graphql(state: &mut State, call: &Call) -> Reply {
    let query = call.body["query"].as_str().unwrap_or_default();
    let variables = &call.body["variables"];
    if query.contains("markPullRequestReadyForReview") {
        let number = variables["id"].as_str().and_then(|id| id.strip_prefix("PR_")?.parse::<u64>().ok());
        let pull = state.pulls.iter_mut().find(|pull| Some(pull.number) == number);
        let Some(pull) = pull else {
            return Reply::new(
                200,
                json!({"data": null, "errors": [{"type": "NOT_FOUND", "message": "no such node"}]}),
            );
        };
        pull.draft = false;
        return Reply::new(
            200,
            json!({"data": {"markPullRequestReadyForReview": {"pullRequest": {"isDraft": false}}}}),
        );
    }
    let unknown = || json!({"data": null, "errors": [{"message": "the fake does not know this query"}]});
    Reply::new(200, ci::graphql(state, query, variables).unwrap_or_else(unknown))
}

pub fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub fn label(name: &str) -> Value {
    json!({"id": 1, "node_id": "", "url": "https://example.org/", "name": name, "description": "", "color": "ededed", "default": false})
}

pub fn user(login: &str) -> Value {
    sample("simple-user", json!({"login": login}))
}

pub fn pull_json(state: &State, pull: &Pull, component: &str) -> Value {
    let end = |branch: &str, sha: Option<String>, home: &str| json!({"ref": branch, "sha": sha.unwrap_or_default(), "repo": {"full_name": home}});
    let closed = pull.closed || pull.merged.is_some();
    let home = pull.fork.as_deref().unwrap_or("acme/app");
    let mut head = end(&pull.head, state.head_of(pull), home);
    if let Some(merged) = &pull.merged_head {
        head["sha"] = json!(merged);
    }
    let mut fields = json!({
        "number": pull.number,
        "node_id": format!("PR_{}", pull.number),
        "html_url": format!("https://github.com/acme/app/pull/{}", pull.number),
        "state": if closed { "closed" } else { "open" },
        "title": pull.title,
        "body": pull.body,
        "draft": pull.draft,
        "merged_at": pull.merged.as_ref().map(|_| NOON),
        "merge_commit_sha": pull.merged,
        "head": head,
        "base": end(&pull.base, state.head(&pull.base), "acme/app"),
        "labels": pull.labels.iter().map(|name| label(name)).collect::<Vec<_>>(),
        "requested_reviewers": pull.reviewers.iter().map(|login| user(login)).collect::<Vec<_>>(),
        "user": user(&pull.author),
        "updated_at": pull.updated,
    });
    if component == "pull-request" {
        fields["merged"] = json!(pull.merged.is_some());
        fields["auto_merge"] = state.rules.auto_merge();
        if let (Some(base), Some(head), false) = (state.head(&pull.base), state.head_of(pull), closed) {
            let merges = state.git(&["merge-tree", "--write-tree", &base, &head]).is_some();
            fields["mergeable"] = json!(merges);
            fields["mergeable_state"] = json!(if merges { "clean" } else { "dirty" });
        }
    }
    sample(component, fields)
}
