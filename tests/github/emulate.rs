//! The main path against an emulator of GitHub that others wrote (npm `emulate`), with git over HTTP by git itself. The
//! emulator knows no git: a front before it takes pushes, tells it of branches by its own API, and gives its commits the
//! names that they have in git. `scripts/emulate-test` starts it and runs this.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ado_vault::domain::Status;
use ado_vault::engine::Outcome;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use reqwest::Client;
use serde_json::{Value, json};

use super::behaviour::*;
use super::fake::{TOKEN, git_at_server};
use super::git_http;
use super::issue_story::CLEAR;

const REPOSITORY: &str = "/repos/ann/app";

struct Front {
    url: String,
    emulator: String,
    git: PathBuf,
    client: Client,
    /// Commits of git by their names in the emulator.
    names: Mutex<BTreeMap<String, String>>,
    /// Branches as the emulator was told of them.
    told: Mutex<BTreeMap<String, String>>,
}

impl Front {
    fn git(&self, args: &[&str]) -> String {
        let output = git_at_server(&self.git, args);
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    async fn ask(&self, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method = method.parse().unwrap();
        let mut request =
            self.client.request(method, format!("{}{REPOSITORY}{path}", self.emulator)).bearer_auth(token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// The emulator's first commit is the repository's.
    async fn introduce(&self) {
        let (status, main) = self.ask(TOKEN, "GET", "/git/ref/heads/main", Value::Null).await;
        assert_eq!(status, 200, "{main}");
        let first = self.git(&["rev-parse", "refs/heads/main"]);
        self.names.lock().unwrap().insert(main["object"]["sha"].as_str().unwrap().to_owned(), first.clone());
        self.told.lock().unwrap().insert("main".into(), first);
    }

    /// Tells the emulator of branches that were pushed.
    async fn tell(&self) {
        let heads = self.git(&["for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads"]);
        for line in heads.lines() {
            let (branch, commit) = line.split_once(' ').unwrap();
            let before = self.told.lock().unwrap().get(branch).cloned();
            if before.as_deref() == Some(commit) {
                continue;
            }
            let parent = self.names.lock().unwrap().keys().next().unwrap().clone();
            let (_, known) = self.ask(TOKEN, "GET", &format!("/git/commits/{parent}"), Value::Null).await;
            let body = json!({"message": commit, "tree": known["tree"]["sha"], "parents": [parent]});
            let (status, made) = self.ask(TOKEN, "POST", "/git/commits", body).await;
            assert_eq!(status, 201, "{made}");
            let name = made["sha"].as_str().unwrap().to_owned();
            let (method, path, body) = match before {
                None => (
                    "POST",
                    "/git/refs".to_owned(),
                    json!({"ref": format!("refs/heads/{branch}"), "sha": name}),
                ),
                Some(_) => {
                    ("PATCH", format!("/git/refs/heads/{branch}"), json!({"sha": name, "force": true}))
                }
            };
            let (status, said) = self.ask(TOKEN, method, &path, body).await;
            assert!(status < 300, "{said}");
            self.names.lock().unwrap().insert(name, commit.to_owned());
            self.told.lock().unwrap().insert(branch.to_owned(), commit.to_owned());
        }
    }

    /// The emulator keeps the head with which a pull request was opened; GitHub shows that of its branch.
    fn show_heads(&self, said: &mut Value) {
        match said {
            Value::Array(all) => all.iter_mut().for_each(|each| self.show_heads(each)),
            Value::Object(fields) => {
                let Some(Value::Object(head)) = fields.get_mut("head") else { return };
                let commit =
                    head["ref"].as_str().and_then(|branch| self.told.lock().unwrap().get(branch).cloned());
                if let Some(commit) = commit {
                    head.insert("sha".to_owned(), json!(commit));
                }
            }
            _ => {}
        }
    }

    /// What the emulator merged is merged in git.
    fn merged(&self, body: &str) {
        let said: Value = serde_json::from_str(body).unwrap();
        let (main, head) = (self.git(&["rev-parse", "main"]), self.told_branch());
        let tree = self.git(&["merge-tree", "--write-tree", &main, &head]);
        let commit = self.git(&["commit-tree", &tree, "-m", "Merge", "-p", &main, "-p", &head]);
        self.git(&["update-ref", "refs/heads/main", &commit, &main]);
        self.names.lock().unwrap().insert(said["sha"].as_str().unwrap().to_owned(), commit.clone());
        self.told.lock().unwrap().insert("main".into(), commit);
    }

    /// The one branch beside `main`.
    fn told_branch(&self) -> String {
        self.told.lock().unwrap().iter().find(|(branch, _)| *branch != "main").unwrap().1.clone()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        let query = head.uri.query().unwrap_or_default().to_owned();
        if let Some(path) = head.uri.path().strip_prefix("/git/").map(str::to_owned) {
            let (git, own) = (self.git.clone(), head.clone());
            let serve = move || git_http::serve(&git, &own.method, &path, &query, &own.headers, &bytes);
            let answer = tokio::task::spawn_blocking(serve).await.unwrap();
            self.tell().await;
            return answer;
        }
        let (names, told) = (self.names.lock().unwrap().clone(), &self.told);
        let mut sent = String::from_utf8(bytes.to_vec()).unwrap();
        names.iter().for_each(|(name, commit)| sent = sent.replace(commit.as_str(), name));
        let address = format!("{}{}", self.emulator, head.uri.path_and_query().unwrap());
        let mut forward = self.client.request(head.method.clone(), address).body(sent);
        for name in ["authorization", "content-type", "accept", "if-none-match", "user-agent"] {
            if let Some(value) = head.headers.get(name) {
                forward = forward.header(name, value);
            }
        }
        let answer = forward.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut text = answer.text().await.unwrap();
        if head.method == "PUT" && head.uri.path().ends_with("/merge") && status == 200 {
            self.merged(&text);
        }
        if let (true, Some(branch)) =
            (head.method == "DELETE", head.uri.path().split("/git/refs/heads/").nth(1))
        {
            self.git(&["update-ref", "-d", &format!("refs/heads/{branch}")]);
            told.lock().unwrap().remove(branch);
        }
        let names = self.names.lock().unwrap().clone();
        names.iter().for_each(|(name, commit)| text = text.replace(name.as_str(), commit));
        if let Ok(mut said) = serde_json::from_str(&text) {
            self.show_heads(&mut said);
            text = said.to_string();
        }
        let mut response = Response::builder().status(status);
        for name in ["content-type", "etag", "link", "date", "x-ratelimit-remaining", "x-ratelimit-reset"] {
            if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
                response = response.header(name, value.replace(&self.emulator, &self.url));
            }
        }
        response.body(Body::from(text.replace(&self.emulator, &self.url))).unwrap()
    }
}

/// What people do, by the API.
fn by(
    runtime: &tokio::runtime::Runtime,
    front: &Front,
    who: &str,
    method: &str,
    path: &str,
    body: Value,
) -> Value {
    let client = &front.client;
    let request = client.request(method.parse().unwrap(), format!("{}{REPOSITORY}{path}", front.url));
    let request = request.bearer_auth(who).header("user-agent", "people");
    let request = if body.is_null() { request } else { request.json(&body) };
    runtime.block_on(async {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let said: Value = answer.json().await.unwrap_or(Value::Null);
        assert!(status.is_success(), "{method} {path}: {status} {said}");
        said
    })
}

#[test]
#[ignore = "needs the emulator: scripts/emulate-test"]
fn an_issue_becomes_a_pull_request_that_is_reviewed_reworked_and_merged() {
    let emulator = std::env::var("EMULATE_URL").expect("scripts/emulate-test says where the emulator is");
    let world = World::new(&Talk::greeting().code(2, "greeting.txt", "hello, you\n").approve(2));
    let target = world.target();
    let home = target.parent().unwrap();
    git(home, &["clone", "-q", "--bare", "target", "origin.git"]);
    git(&home.join("origin.git"), &["config", "http.receivepack", "true"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let front = Arc::new(Front {
        url: format!("http://{}", listener.local_addr().unwrap()),
        emulator,
        git: home.join("origin.git"),
        client: Client::new(),
        names: Mutex::default(),
        told: Mutex::default(),
    });
    runtime.block_on(front.introduce());
    let shared = front.clone();
    let app = Router::new().fallback(move |request| {
        let front = shared.clone();
        async move { front.answer(request).await }
    });
    runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
    git(&target, &["remote", "add", "origin", &format!("{}/git/origin.git", front.url)]);
    world.put(
        "00_system/repos/target.md",
        &format!(
            "---\npath: ../target\nforge: github\nslug: ann/app\nbase_url: {}\ntoken_env: CARGO_PKG_NAME\ndraft: false\n\
             labels:\n  - from-the-vault\ninstructors:\n  - bob\nissue_label: ado\nissue_close: true\n\
             gates:\n  - \"test: sh check.sh\"\n---\n",
            front.url
        ),
    );
    world.save("the repository is at GitHub");

    let issue = json!({"title": "Greet", "body": CLEAR, "labels": ["ado"]});
    let number = by(&runtime, &front, "bob-token", "POST", "/issues", issue)["number"].as_u64().unwrap();
    world.work();
    assert_eq!(world.problems(), Vec::<String>::new());
    assert_eq!(
        (world.status("FR-001"), world.property("FR-001", "issue_trust").unwrap()),
        (Status::New, json!("instructor"))
    );

    world.drag("FR-001", Status::Planned);
    assert_eq!(world.work(), Outcome::WaitsForHuman, "{:?}", world.problems());
    assert_eq!((world.status("FR-001"), world.waiting_on("FR-001").as_str()), (Status::Review, "merge"));
    let pulls = by(&runtime, &front, TOKEN, "GET", "/pulls?state=all", Value::Null);
    assert_eq!(pulls.as_array().unwrap().len(), 1);
    let pull = pulls[0]["number"].as_u64().unwrap();
    assert_eq!(pulls[0]["title"], "FR-001: Greet");

    let review = json!({"event": "REQUEST_CHANGES", "body": "Say whom you greet."});
    by(&runtime, &front, "bob-token", "POST", &format!("/pulls/{pull}/reviews"), review);
    world.work();
    assert!(world.prompts("FR-001/1", "code/2")[0].contains("Say whom you greet."));
    assert_eq!((world.status("FR-001"), world.waiting_on("FR-001").as_str()), (Status::Review, "merge"));

    by(&runtime, &front, TOKEN, "PUT", &format!("/pulls/{pull}/merge"), json!({}));
    assert_eq!(world.work(), Outcome::Idle, "{:?}", world.problems());
    assert_eq!(world.status("FR-001"), Status::Done);
    assert_eq!(front.git(&["show", "main:greeting.txt"]), "hello, you");
    let closed = by(&runtime, &front, TOKEN, "GET", &format!("/issues/{number}"), Value::Null);
    assert_eq!(closed["state"], "closed");
    let comments = by(&runtime, &front, TOKEN, "GET", &format!("/issues/{number}/comments"), Value::Null);
    let own = comments
        .as_array()
        .unwrap()
        .iter()
        .filter(|each| each["body"].as_str().unwrap().contains("ado:issue"));
    assert_eq!(own.count(), 1, "{comments}");
}
