//! A GitHub of one repository over HTTP, as far as this program uses it: it keeps state, its branches are those of a real
//! bare repository, and it misbehaves on request. Every request and every answer is held against GitHub's description.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Response};
use serde_json::{Value, json};

use super::answers::{self, Reply};
use super::ci::Ci;
use super::issues::Issue;
use super::rules::Rules;
use super::{contract, git_http, graphql};

/// What the server asks for as a token.
pub const TOKEN: &str = "ado-vault";

/// How one answer goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 502, nothing done.
    NotDone,
    /// 502, and yet it was done.
    DoneAndLost,
    /// Done; the answer ends in the middle.
    Cut,
    /// Done; no answer ever.
    Silent,
    /// Done; no answer until [`FakeGithub::release`].
    Held,
    /// 429 with `retry-after` in seconds.
    RetryAfter(u64),
    /// 403 with `x-ratelimit-remaining: 0` and a reset in so many seconds by the server's clock.
    UsedUp(u64),
    /// 403 that speaks of a secondary limit and names no time.
    Secondary,
    /// 401.
    Unauthorised,
    /// 307 to the same path below `/moved`.
    Redirect,
}

impl Fault {
    /// Whether it says when to come again.
    pub fn is_limit(self) -> bool {
        matches!(self, Self::RetryAfter(_) | Self::UsedUp(_) | Self::Secondary)
    }
}

/// One request as it came in.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub body: Value,
}

#[derive(Debug, Clone)]
pub struct Pull {
    pub number: u64,
    pub title: String,
    pub body: String,
    /// Name of its branch; with `fork` a branch of that repository, whose commits are here under `refs/pull` alone.
    pub head: String,
    pub fork: Option<String>,
    pub author: String,
    pub updated: String,
    pub base: String,
    pub draft: bool,
    pub closed: bool,
    pub merged: Option<String>,
    /// The head at the merge.
    pub merged_head: Option<String>,
    pub labels: BTreeSet<String>,
    pub reviewers: BTreeSet<String>,
    /// Lists that do not show it yet.
    pub hidden: u32,
}

pub struct State {
    pub git: PathBuf,
    pub url: String,
    pub pulls: Vec<Pull>,
    pub issues: Vec<Issue>,
    /// When each comment was first shown, by number.
    pub comment_times: BTreeMap<u64, String>,
    /// Number of the comment, and what was put to it.
    pub reactions: Vec<(u64, String)>,
    /// Comments by number of the pull request or issue: author and text.
    pub comments: BTreeMap<u64, Vec<(String, String)>>,
    /// Reviews and comments on lines of the first pull request, without what GitHub adds.
    pub reviews: Vec<Value>,
    pub line_comments: Vec<Value>,
    /// Checks, logs and threads.
    pub ci: Ci,
    /// What the target branch wants before a merge.
    pub rules: Rules,
    pub reviewers_who_may: BTreeSet<String>,
    pub faults: VecDeque<Option<Fault>>,
    /// New pull requests are not listed for so many lists.
    pub hide_new: u32,
    /// Entries of a page, whatever is asked for.
    pub page: usize,
    pub tokens_given: u32,
    /// Tokens of an app that are good.
    pub app_tokens: BTreeSet<String>,
    pub now: i64,
    /// The server's clock where it moves.
    pub clock: Option<Box<dyn Fn() -> i64 + Send>>,
    /// When the next call may be made, by the server's clock.
    pub not_before: i64,
    pub seen: Vec<Seen>,
    pub wrong: Vec<String>,
    pub not_modified: u32,
}

/// The server; it ends with the value.
pub struct FakeGithub {
    pub url: String,
    state: Arc<Mutex<State>>,
    held: Arc<tokio::sync::Notify>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl FakeGithub {
    /// `git` is the bare repository whose branches it shows, as `acme/app`.
    pub fn start(git: PathBuf) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            git,
            url: url.clone(),
            pulls: vec![],
            issues: vec![],
            comment_times: BTreeMap::new(),
            reactions: vec![],
            comments: BTreeMap::new(),
            reviews: vec![],
            line_comments: vec![],
            ci: Ci::default(),
            rules: Rules::default(),
            reviewers_who_may: ["ann".to_owned()].into(),
            faults: VecDeque::new(),
            hide_new: 0,
            page: 100,
            tokens_given: 0,
            app_tokens: BTreeSet::new(),
            clock: None,
            not_before: 0,
            now: jiff::Timestamp::now().as_second(),
            seen: vec![],
            wrong: vec![],
            not_modified: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let held = Arc::new(tokio::sync::Notify::new());
        let shared = (state.clone(), held.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let app = Router::new()
                    .fallback(move |request| answer(shared.0.clone(), shared.1.clone(), request));
                tokio::select! {
                    served = async { axum::serve(listener, app).await } => served.unwrap(),
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self { url, state, held, stop: Some(stop), thread: Some(thread) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next answers go wrong like this, in this order.
    pub fn misbehave(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults.into_iter().map(Some));
    }

    /// What lets the next answers go wrong from elsewhere; `None` is one that goes well.
    pub fn faults(&self) -> impl Fn([Option<Fault>; 2]) + Send + 'static {
        let state = self.state.clone();
        move |faults| state.lock().unwrap().faults.extend(faults)
    }

    /// What lets an answer that is held go.
    pub fn release(&self) -> impl Fn() + Send + 'static {
        let held = self.held.clone();
        move || held.notify_one()
    }

    /// Requests so far as `POST /pulls`, without the repository's own part of the path.
    pub fn requests(&self) -> Vec<String> {
        let short = |seen: &Seen| format!("{} {}", seen.method, seen.path.replace("/repos/acme/app", ""));
        self.state().seen.iter().map(short).collect()
    }

    /// A person merges a pull request in the browser.
    pub fn merge(&self, number: u64, squash: bool) {
        let mut state = self.state();
        let at = state.pulls.iter().position(|pull| pull.number == number).unwrap();
        state.pulls[at].draft = false;
        let method = if squash { "squash" } else { "merge" };
        assert_eq!(answers::merge(&mut state, at, &json!({"merge_method": method})).status, 200);
    }

    /// Fails when a request or an answer was not GitHub's.
    pub fn assert_in_contract(&self) {
        assert_eq!(self.state().wrong, Vec::<String>::new());
    }
}

impl Drop for FakeGithub {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    held: Arc<tokio::sync::Notify>,
    request: Request<Body>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, 1 << 24).await else {
        return Response::builder().status(400).body(Body::empty()).unwrap();
    };
    if let Some(path) = head.uri.path().strip_prefix("/git/") {
        let git = state.lock().unwrap().git.clone();
        let (path, query) = (path.to_owned(), head.uri.query().unwrap_or_default().to_owned());
        let serve = move || git_http::serve(&git, &head.method, &path, &query, &head.headers, &bytes);
        return tokio::task::spawn_blocking(serve).await.unwrap();
    }
    if let Some(job) = head.uri.path().strip_prefix("/elsewhere/") {
        let mut state = state.lock().unwrap();
        if head.headers.contains_key("authorization") {
            state.wrong.push("the token was shown to where logs lie".to_owned());
        }
        let log = state.ci.logs.get(&job.parse().unwrap()).cloned();
        let found = Response::builder().status(if log.is_some() { 200 } else { 404 });
        return found.header("content-type", "text/plain").body(Body::from(log.unwrap_or_default())).unwrap();
    }
    let call = Call::read(&head.method, &head.uri, &head.headers, &bytes);
    let (response, fault) = reply(&mut state.lock().unwrap(), call);
    match fault {
        Some(Fault::Silent) => std::future::pending::<()>().await,
        Some(Fault::Held) => held.notified().await,
        _ => {}
    }
    response
}

/// A request, understood.
pub struct Call {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: Value,
    pub bearer: String,
    pub tag: Option<String>,
}

impl Call {
    fn read(method: &axum::http::Method, uri: &axum::http::Uri, headers: &HeaderMap, bytes: &Bytes) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bearer = header("authorization").unwrap_or_default();
        Self {
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(bytes).unwrap_or(Value::Null),
            bearer: bearer.trim_start_matches("Bearer ").to_owned(),
            tag: header("if-none-match"),
        }
    }

    /// The value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, v)| v)
    }

    /// The path's parts after the repository's own.
    pub fn parts(&self) -> Vec<&str> {
        let rest = self.path.strip_prefix("/repos/acme/app").unwrap_or("/elsewhere");
        rest.split('/').filter(|part| !part.is_empty()).collect()
    }
}

fn reply(state: &mut State, mut call: Call) -> (Response<Body>, Option<Fault>) {
    let moved = call.path.strip_prefix("/moved").map(str::to_owned);
    if let Some(path) = moved.clone() {
        call.path = path;
    }
    let is_graphql = call.path == "/graphql";
    if let Some(clock) = &state.clock {
        state.now = clock();
        if state.now < state.not_before {
            let early = state.not_before - state.now;
            state.wrong.push(format!("{} {} came {early} s too early", call.method, call.path));
        }
    }
    state.wrong.extend(match call.body["query"].as_str() {
        Some(document) if is_graphql => graphql::wrong_question(document, &call.body["variables"]),
        _ => contract::wrong_request(&call.method, &call.path, &call.query, &call.body),
    });
    let fault = if moved.is_some() { None } else { state.faults.pop_front().flatten() };
    let mut headers: Vec<(&str, String)> = vec![];
    let limit =
        |message: &str, status| Reply::new(status, json!({"message": message, "documentation_url": ""}));
    let (reply, in_contract) = match fault {
        Some(Fault::NotDone) => (Reply::new(502, json!({"message": "bad gateway"})), false),
        Some(Fault::RetryAfter(seconds)) => {
            headers.push(("retry-after", seconds.to_string()));
            (limit("You have exceeded a secondary rate limit.", 429), false)
        }
        Some(Fault::UsedUp(seconds)) => {
            headers.push(("x-ratelimit-remaining", "0".to_owned()));
            let reset = state.now + i64::try_from(seconds).unwrap();
            headers.push(("x-ratelimit-reset", reset.to_string()));
            (limit("API rate limit exceeded", 403), false)
        }
        Some(Fault::Secondary) => (limit("You have exceeded a secondary rate limit.", 403), false),
        Some(Fault::Unauthorised) => (Reply::new(401, json!({"message": "Bad credentials"})), false),
        Some(Fault::Redirect) => {
            let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
            headers.push(("location", format!("{}/moved{}{query}", state.url, call.path)));
            (Reply::new(307, json!({"message": "moved", "url": "", "documentation_url": ""})), false)
        }
        _ => (answers::to(state, &call), true),
    };
    let wait = match fault {
        Some(Fault::RetryAfter(seconds) | Fault::UsedUp(seconds)) => seconds,
        Some(Fault::Secondary) => 60,
        _ => 0,
    };
    state.not_before = state.not_before.max(state.now + i64::try_from(wait).unwrap());
    let Reply { status, body, next } = reply;
    // A wrong token is answered alike everywhere.
    if in_contract && status != 401 {
        state.wrong.extend(match call.body["query"].as_str() {
            Some(document) if is_graphql => graphql::wrong_answer(document, &body),
            _ => contract::wrong_response(&call.method, &call.path, status, &body),
        });
    }
    if status == 302 {
        // Another host, as far as anyone can tell.
        let job = call.path.split('/').nth_back(1).unwrap_or_default();
        headers
            .push(("location", format!("{}/elsewhere/{job}", state.url.replace("127.0.0.1", "localhost"))));
    }
    let seen = Seen { method: call.method.clone(), path: call.path.clone(), body: call.body.clone() };
    state.seen.push(seen);
    if let Some(next) = next {
        headers.push(("link", format!("<{}{next}>; rel=\"next\"", state.url)));
    }
    let date = jiff::Timestamp::from_second(state.now).unwrap();
    headers.push(("date", date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()));
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let mut status = if fault == Some(Fault::DoneAndLost) { 502 } else { status };
    let mut text = if fault == Some(Fault::DoneAndLost) { String::new() } else { text };
    if call.method == "GET" && status == 200 {
        let tag = format!("\"{}\"", ado_vault::domain::ContentHash::of(&text).as_str());
        if call.tag.as_deref() == Some(&tag) {
            (status, text) = (304, String::new());
            state.not_modified += 1;
        }
        headers.push(("etag", tag));
    }
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let body = if fault == Some(Fault::Cut) { cut(text) } else { Body::from(text) };
    (response.body(body).unwrap(), fault)
}

/// Half of the text, then the connection breaks.
fn cut(text: String) -> Body {
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    Body::new(Half { half: Some(half) })
}

struct Half {
    half: Option<Bytes>,
}

impl axum::body::HttpBody for Half {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(Some(match self.half.take() {
            Some(half) => Ok(http_body::Frame::data(half)),
            None => Err(std::io::Error::other("cut")),
        }))
    }
}

impl State {
    /// The commit that a branch is at.
    pub fn head(&self, branch: &str) -> Option<String> {
        self.git(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")])
    }

    /// A pull request changed now, as by a comment.
    pub fn touch(&mut self, number: u64) {
        if let Some(pull) = self.pulls.iter_mut().find(|pull| pull.number == number) {
            pull.updated = jiff::Timestamp::now().to_string();
        }
    }

    /// The commit that a pull request is at.
    pub fn head_of(&self, pull: &Pull) -> Option<String> {
        match &pull.fork {
            Some(_) => {
                self.git(&["rev-parse", "--verify", "--quiet", &format!("refs/pull/{}/head", pull.number)])
            }
            None => self.head(&pull.head),
        }
    }

    /// The head of the first pull request.
    pub fn ci_head(&self) -> String {
        self.pulls.first().and_then(|pull| self.head_of(pull)).unwrap_or_default()
    }

    /// What git says; `None` when it fails.
    pub fn git(&self, args: &[&str]) -> Option<String> {
        let output = git_at_server(&self.git, args);
        let said = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        output.status.success().then_some(said)
    }
}

/// Git in a server's repository, as the server.
pub fn git_at_server(repository: &Path, args: &[&str]) -> Output {
    let server = ["-c", "user.name=GitHub", "-c", "user.email=noreply@github.com"];
    Command::new("git").arg("--git-dir").arg(repository).args(server).args(args).output().unwrap()
}
