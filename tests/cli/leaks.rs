//! A held secret, and one that a rule knows, stand in everything that a run reads, and in what models and forges answer;
//! and are looked for in everything that it lets out.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::support::{Ended, Place};

/// The variable that the model note names; nothing in this name says that it is secret.
const VARIABLE: &str = "LLM_ACCESS";

/// What must not come out.
#[derive(Clone)]
struct Secrets {
    held: String,
    ruled: String,
}

impl Secrets {
    /// Other ones in every run of the test.
    fn new() -> Self {
        let seed = format!("{:?} {}", std::time::SystemTime::now(), std::process::id());
        let digits = ado_vault::domain::ContentHash::of(seed);
        let digits = digits.as_str();
        Self { held: format!("v{}", &digits[..31]), ruled: format!("gh{}_{}", "p", &digits[..36]) }
    }

    fn words(&self) -> String {
        format!("first {} then {}", self.held, self.ruled)
    }

    /// Fails where one of them stands in a text, with what stands around it.
    fn absent(&self, outlet: &str, text: &str) {
        for secret in [&self.held, &self.ruled] {
            if let Some(at) = text.find(secret.as_str()) {
                let from = text[..at].char_indices().rev().nth(200).map_or(0, |(from, _)| from);
                panic!("{outlet} holds a secret: …{}", &text[from..(at + secret.len())]);
            }
        }
    }
}

/// A model that repeats every secret in whatever it says, and remembers what it was sent.
struct Parrot {
    secrets: Secrets,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Respond for Parrot {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        self.heard.lock().unwrap().push(String::from_utf8(request.body.clone()).unwrap());
        let Some(tools) = asked["tools"].as_array() else {
            return self.says(asked["stream"] == true);
        };
        assert_ne!(asked["stream"], true, "only the other program's model is asked for pieces");
        let finish = tools.iter().find(|tool| tool["function"]["name"] == "finish").unwrap();
        let asks = |field: &str| !finish["function"]["parameters"]["properties"][field].is_null();
        let is_first = !asked["messages"].as_array().unwrap().iter().any(|each| each["role"] == "assistant");
        let writes = tools.iter().any(|tool| tool["function"]["name"] == "write");
        let words = self.secrets.words();
        let calls = if asks("verdict") {
            let finding = json!({"severity": "warning", "file": "hello.txt", "line": 1, "rule": "Words",
                "message": format!("says {words}")});
            let met = json!({"text": "it greets", "met": true, "evidence": words});
            let review =
                json!({"verdict": "approve", "summary": words, "findings": [finding], "criteria": [met]});
            vec![("finish", review)]
        } else if !writes {
            vec![(
                "finish",
                json!({"summary": words, "steps": [words], "risks": [words], "rollback": words,
                "validation": [words], "files": [{"path": "hello.txt", "change": words}]}),
            )]
        } else if is_first {
            let shown = json!({"argv": ["cat", "leak.txt", words]});
            vec![
                ("read", json!({"path": "leak.txt"})),
                ("run", shown),
                ("search", json!({"pattern": "first"})),
            ]
        } else {
            let content = format!("hello {}\n", self.heard.lock().unwrap().len());
            vec![
                ("write", json!({"path": "hello.txt", "content": content})),
                ("finish", json!({"summary": format!("wrote it\n\n{words}")})),
            ]
        };
        let calls: Vec<Value> = calls
            .into_iter()
            .enumerate()
            .map(|(index, (name, arguments))| {
                json!({"id": format!("call_{index}"), "type": "function",
                    "function": {"name": name, "arguments": arguments.to_string()}})
            })
            .collect();
        ResponseTemplate::new(200).set_body_json(json!({
            "model": "parrot",
            "choices": [{"finish_reason": "tool_calls",
                "message": {"role": "assistant", "content": words, "tool_calls": calls}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
        }))
    }
}

impl Parrot {
    /// The secrets as words, which another program is answered: whole, or in pieces that are smaller than a secret.
    fn says(&self, in_pieces: bool) -> ResponseTemplate {
        let words = self.secrets.words();
        let usage = json!({"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20});
        if !in_pieces {
            let message = json!({"role": "assistant", "content": words});
            let choice = json!({"finish_reason": "stop", "message": message});
            return ResponseTemplate::new(200)
                .set_body_json(json!({"model": "parrot", "choices": [choice], "usage": usage}));
        }
        let chars: Vec<char> = words.chars().collect();
        let pieces = chars.chunks(7).map(|piece| json!({"content": piece.iter().collect::<String>()}));
        let mut body = String::new();
        for delta in pieces {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": null});
            body += &format!("data: {}\n\n", json!({"model": "parrot", "choices": [choice]}));
        }
        let end = json!({"index": 0, "delta": {}, "finish_reason": "stop"});
        body += &format!("data: {}\n\n", json!({"model": "parrot", "choices": [end], "usage": usage}));
        ResponseTemplate::new(200).set_body_raw(body + "data: [DONE]\n\n", "text/event-stream")
    }
}

/// A server that a parrot answers at; the runtime keeps it up.
fn parrot(secrets: &Secrets) -> (tokio::runtime::Runtime, MockServer, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(vec![]));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        let refusal = json!({"message": secrets.words(), "errors": [{"message": secrets.words()}]});
        let refused = ResponseTemplate::new(422).set_body_json(refusal);
        Mock::given(path_regex("^/github/")).respond_with(refused).mount(&server).await;
        let parrot = Parrot { secrets: secrets.clone(), heard: heard.clone() };
        Mock::given(method("POST")).respond_with(parrot).mount(&server).await;
        server
    });
    (runtime, server, heard)
}

/// Runs ado-vault in this place, which holds the secret that the model note names.
fn runs<'a>(place: &'a Place, secrets: &'a Secrets) -> impl Fn(&[&str], &str) -> Ended + 'a {
    |arguments, log| {
        let mut command = place.command(arguments);
        command.env(VARIABLE, &secrets.held).env("ADO_LOG", log);
        crate::support::ended(command.output().unwrap())
    }
}

/// A vault, a repository with a remote, and a model; secrets in all that they hold.
fn world(secrets: &Secrets, url: &str) -> Place {
    let place = Place::vault();
    let words = secrets.words();
    let (repository, origin) = (place.home.join("repo"), place.home.join("origin.git"));
    std::fs::create_dir(&repository).unwrap();
    std::fs::write(repository.join("leak.txt"), format!("{words}\n")).unwrap();
    place.git(&repository, &["init", "--quiet", "--initial-branch=main"]);
    place.git(&repository, &["add", "."]);
    place.git(&repository, &["commit", "--quiet", "-m", "begin"]);
    place.git(&place.home, &["clone", "--quiet", "--bare", "repo", "origin.git"]);
    place.git(&repository, &["remote", "add", "origin", origin.to_str().unwrap()]);
    place.write(
        "00_system/repos/repo.md",
        &format!(
            "---\npath: ../home/repo\ndefault_branch: main\nforge: local\ngates:\n  - \"test: cat leak.txt\"\n---\n\
             Conventions: {words}\n"
        ),
    );
    place.write(
        "00_system/models/test.md",
        &format!(
            "---\nprovider: openai-compatible\nmodel: parrot\nbase_url: {url}/v1/\nedit_format: tools\n\
             api_key_env: {VARIABLE}\n---\n"
        ),
    );
    place.write("30_policy/Gates.md", "---\ndetect: false\n---\n");
    place.ok(&["set", "00_system/Settings.md", "default_repo=repo", "default_model=test"]);
    place.ok(&["set", "20_agents/Coder.md", "commands=[cat]"]);
    place.git(&place.vault, &["add", "."]);
    place.git(&place.vault, &["commit", "--quiet", "-m", "set up"]);
    place.write(
        "10_features/03_planned/FR-900 Greet.md",
        &format!(
            "---\nid: FR-900\ntitle: Greet\ntype: docs\nstatus: planned\n---\n\n## Summary\n\nIt greets. {words}\n\n\
             ## Acceptance criteria\n\n- [ ] it greets\n\n## Notes\n\n{words}\n"
        ),
    );
    place
}

/// Lets a remote refuse every push, loudly.
fn refuse_pushes(origin: &Path, words: &str) {
    use std::os::unix::fs::PermissionsExt;
    let hook = origin.join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\necho '{words}' >&2\nexit 1\n")).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn no_secret_that_goes_in_comes_out() {
    let secrets = Secrets::new();
    let (_runtime, server, heard) = parrot(&secrets);
    let place = world(&secrets, &server.uri());
    let origin = place.home.join("origin.git");
    let run = runs(&place, &secrets);
    let work = |name: &str| {
        let ended = run(&["run", "--no-sandbox", "-vv"], "trace");
        secrets.absent(&format!("standard output of {name}"), &ended.out);
        secrets.absent(&format!("the log of {name}"), &ended.err);
        assert!(ended.err.contains("TRACE"), "it is logged at trace");
        ended
    };
    // The remote's refusal is the first thing that comes back.
    refuse_pushes(&origin, &secrets.words());
    work("a push that is refused");
    let journal = || place.read("60_runs/FR-900/1/journal.jsonl");
    assert!(journal().contains("push"), "{}", journal());
    look(&place, &secrets, &run);
    std::fs::remove_file(origin.join("hooks/pre-receive")).unwrap();
    run(&["approve", "FR-900"], "error");
    work("a push");
    look(&place, &secrets, &run);
    // Comments at the forge go to the coder.
    let pull_request = format!("80_pull_requests/{}", file_in(&place.vault.join("80_pull_requests"), "PR-"));
    let text = place.read(&pull_request);
    secrets.absent("the pull request", &text);
    place.write(&pull_request, &format!("{text}\n## Comments\n\n- Greet louder: {}\n", secrets.words()));
    let asked = heard.lock().unwrap().len();
    work("rework");
    assert!(heard.lock().unwrap().len() > asked, "the comment was worked on");
    look(&place, &secrets, &run);

    for (index, sent) in heard.lock().unwrap().iter().enumerate() {
        secrets.absent(&format!("request {index} to the model"), sent);
    }
    let sent = heard.lock().unwrap().concat();
    for what in ["[redacted: held]", "[redacted: github-token]", "Greet louder", "Conventions: first"] {
        assert!(sent.contains(what), "the secrets were there to be taken out: {what}");
    }
    let pushed = place.git(&origin, &["log", "--all", "--format=%B"]);
    secrets.absent("messages of pushed commits", &pushed);
    let added = place.git(&origin, &["log", "--all", "-p", "--format=", "--", "hello.txt"]);
    assert!(added.contains("+hello"));
    secrets.absent("pushed files", &added);
}

#[test]
fn no_secret_in_github_s_answers_comes_out() {
    let secrets = Secrets::new();
    let (_runtime, server, _) = parrot(&secrets);
    let place = world(&secrets, &server.uri());
    let github =
        format!("forge: github\nslug: acme/app\nbase_url: {}/github\ntoken_env: {VARIABLE}\n", server.uri());
    let note = place.read("00_system/repos/repo.md");
    place.write("00_system/repos/repo.md", &note.replace("forge: local\n", &github));
    let run = runs(&place, &secrets);
    let ended = run(&["run", "--no-sandbox", "-vv"], "trace");
    secrets.absent("standard output", &ended.out);
    secrets.absent("the log", &ended.err);
    let requests = server.address();
    assert!(ended.err.contains("/repos/acme/app/"), "GitHub was asked at {requests}: {}", ended.err);
    assert!(ended.err.contains("[redacted: github-token]"), "its answer was told: {}", ended.err);
    look(&place, &secrets, &run);
}

#[test]
fn no_secret_in_the_gateway_s_answers_comes_out() {
    let secrets = Secrets::new();
    let (_runtime, server, heard) = parrot(&secrets);
    let place = world(&secrets, &server.uri());
    let answers = place.home.join("answers");
    let model = place.read("00_system/models/test.md");
    place.write(
        "00_system/models/pieces.md",
        &model.replace("model: parrot\n", "model: parrot\nstall_seconds: 60\n"),
    );
    // Without a box, so that what the program was answered can be looked at.
    let script = r#"
        port=${OPENAI_BASE_URL#http://127.0.0.1:}; port=${port%/v1}
        ask() {
            exec 3<>"/dev/tcp/127.0.0.1/$port"
            printf 'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
                "$OPENAI_API_KEY" "${#1}" "$1" >&3
            cat <&3
        }
        question='"messages":[{"role":"user","content":"what is in '"$(cat leak.txt)"'?"}]'
        ask "{$question}" | tee "$1"
        ask "{\"stream\":true,$question}" | tee -a "$1"
        echo "hello $RANDOM" > hello.txt
    "#;
    let program = place.home.join("agent.sh");
    std::fs::write(&program, script).unwrap();
    place.write(
        "20_agents/Coder.md",
        &format!(
            "---\nrole: coder\nmodels: [pieces]\nbackend: command\ncommand: [bash, {}, {}]\n---\nDo it.\n",
            program.display(),
            answers.display()
        ),
    );
    let run = runs(&place, &secrets);
    let ended = run(&["run", "--no-sandbox", "-vv"], "trace");
    secrets.absent("standard output", &ended.out);
    secrets.absent("the log", &ended.err);
    let told = std::fs::read_to_string(&answers).unwrap();
    secrets.absent("what the program was answered", &told);
    assert_eq!(told.matches("200 OK").count(), 2, "{told}");
    assert!(told.contains("text/event-stream") && told.contains("[redacted: "), "{told}");
    let asked = heard.lock().unwrap().concat();
    secrets.absent("requests to the model", &asked);
    assert!(asked.contains("what is in first [redacted: held] then [redacted: github-token]"), "{asked}");
    look(&place, &secrets, &run);
}

fn file_in(folder: &Path, start: &str) -> String {
    let names =
        std::fs::read_dir(folder).unwrap().flatten().map(|each| each.file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(start)).min().unwrap()
}

/// Looks through all that a person or a program is shown, and all that ado wrote.
fn look(place: &Place, secrets: &Secrets, run: &dyn Fn(&[&str], &str) -> Ended) {
    for arguments in [
        &["why", "FR-900"][..],
        &["--format", "json", "why", "FR-900"],
        &["status", "--all"],
        &["--format", "json", "status", "--all"],
        &["log", "FR-900"],
        &["--format", "json", "log", "FR-900"],
        &["audit", "FR-900"],
        &["--format", "json", "audit", "FR-900"],
        &["audit", "--verify"],
        &["score", "FR-900"],
        &["run", "--dry-run"],
        &["doctor"],
    ] {
        let ended = run(arguments, "trace");
        secrets.absent(&format!("{arguments:?}"), &ended.out);
        secrets.absent(&format!("the log of {arguments:?}"), &ended.err);
    }
    let runs = walkdir::WalkDir::new(place.vault.join("60_runs")).into_iter().flatten();
    for file in runs.filter(|entry| entry.file_type().is_file()) {
        let text = std::fs::read_to_string(file.path()).unwrap();
        secrets.absent(&file.path().display().to_string(), &text);
    }
    // What the person wrote stays theirs; what ado adds to the note has none of it.
    let note = walkdir::WalkDir::new(place.vault.join("10_features")).into_iter().flatten();
    let note =
        note.into_iter().find(|entry| entry.file_name().to_string_lossy().starts_with("FR-900")).unwrap();
    let text = std::fs::read_to_string(note.path()).unwrap();
    let own = text.replacen(&secrets.words(), "", 2);
    secrets.absent("the note", &own);
    secrets.absent("the vault's commits", &place.git(&place.vault, &["log", "--format=%an %s %B"]));
}
