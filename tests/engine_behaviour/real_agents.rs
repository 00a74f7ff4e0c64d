//! Agents that others make, as they are installed from their registries, on a scripted model: each is started as
//! docs/agents.md says, in the sandbox and through the gateway, and its change is committed. `scripts/agents-test` installs
//! them and names the folder in `ADO_AGENTS`; without it nothing is run, and that is said.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ado_vault::domain::{Event, Status, StepResult, Usd};
use ado_vault::note::PropertyValue;
use serde_json::{Value, json};

use super::behaviour::*;

/// What the model has every agent run.
const COMMAND: &str = "printf 'hello\\n' > greeting.txt";
/// By which mini-swe-agent knows that it is done.
const SUBMIT: &str = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";

#[test]
fn opencode_by_its_command_line() {
    let Some(agents) = installed("opencode") else { return };
    let opencode = agents.join("node_modules/opencode-linux-x64/bin/opencode");
    let words = [path(&opencode), "run", "--format", "json", "--model", "ado/{{model}}", "{{prompt}}"];
    let env = opencode_env("allow");
    greets(&note("command", &words, &env.each_ref().map(String::as_str), &[path(&agents)]));
}

#[test]
fn opencode_by_the_agent_client_protocol() {
    let Some(agents) = installed("opencode by acp") else { return };
    let opencode = agents.join("node_modules/opencode-linux-x64/bin/opencode");
    let env = opencode_env("ask");
    let coder = note("acp", &[path(&opencode), "acp"], &env.each_ref().map(String::as_str), &[path(&agents)]);
    let asked =
        |event: &Event| matches!(event, Event::ToolCalled { tool, ok: true, .. } if tool == "permission");
    let events = greets(&coder);
    assert!(events.iter().any(asked), "it asked whether it may run the program: {events:?}");
}

#[test]
fn codex_by_its_command_line() {
    let Some(agents) = installed("codex") else { return };
    let vendor = agents.join("node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl");
    let codex = vendor.join("bin/codex");
    let words = [
        path(&codex),
        "exec",
        "--json",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
        "--model",
        "{{model}}",
        "-c",
        "model_provider=ado",
        "-c",
        r#"model_providers.ado={name="ado",base_url="{{base_url}}",env_key="OPENAI_API_KEY",wire_api="responses"}"#,
        "-",
    ];
    greets(&note("command", &words, &[], &[path(&agents)]));
}

#[test]
fn mini_swe_agent_by_its_command_line() {
    let Some(agents) = installed("mini-swe-agent") else { return };
    let mini = agents.join("py/bin/mini");
    let words = [path(&mini), "-y", "--exit-immediately", "-m", "openai/{{model}}", "-t", "{{prompt}}"];
    let env = [
        "MSWEA_CONFIGURED=true",
        "MSWEA_COST_TRACKING=ignore_errors",
        "MSWEA_GLOBAL_CONFIG_DIR={{home}}/mini",
        "LITELLM_LOCAL_MODEL_COST_MAP=True",
    ];
    // The interpreter that the environment was made with.
    let python = agents.join("py/bin/python3").canonicalize().unwrap();
    let prefix = python.parent().and_then(Path::parent).unwrap().to_owned();
    let read =
        if prefix.starts_with("/usr") { vec![path(&agents)] } else { vec![path(&agents), path(&prefix)] };
    greets(&note("command", &words, &env, &read));
}

#[test]
fn claude_code_by_its_command_line() {
    let Some(agents) = installed("Claude Code") else { return };
    let claude = agents.join("node_modules/@anthropic-ai/claude-code-linux-x64/claude");
    let words = [path(&claude), "--print", "--model", "{{model}}", "--permission-mode", "bypassPermissions"];
    let env = ["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_AUTOUPDATER=1"];
    greets(&note("command", &words, &env, &[path(&agents)]));
}

#[test]
fn gemini_cli_by_its_command_line() {
    let Some(agents) = installed("Gemini CLI") else { return };
    let gemini = agents.join("node_modules/@google/gemini-cli/bundle/gemini.js");
    // Told of a base URL by its environment alone, it takes a way to sign in that it then refuses.
    let settle = "mkdir -p ~/.gemini && cp \"$0\" ~/.gemini/settings.json && exec node \"$@\"";
    let settings = tempfile::tempdir().unwrap();
    let file = settings.path().join("gemini.json");
    std::fs::write(&file, r#"{"security":{"auth":{"selectedType":"gemini-api-key"}}}"#).unwrap();
    let start = ["sh", "-c", settle, path(&file), path(&gemini)];
    let words = ["--yolo", "--skip-trust", "--model", "{{model}}", "--prompt", "{{prompt}}"];
    let env = ["GEMINI_CLI_NO_RELAUNCH=true", "GEMINI_SANDBOX=false"];
    let words: Vec<&str> = start.into_iter().chain(words).collect();
    greets(&note("command", &words, &env, &[path(&agents), path(settings.path())]));
}

/// The folder that `scripts/agents-test` filled.
fn installed(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("ADO_AGENTS");
    if folder.is_none() {
        eprintln!("not run: {name} is not installed here (scripts/agents-test)");
    }
    folder.map(PathBuf::from)
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// opencode's settings, with its rule for running programs: `allow`, or `ask` where somebody answers.
fn opencode_env(bash: &str) -> [String; 3] {
    let config = concat!(
        r#"OPENCODE_CONFIG_CONTENT={"model":"ado/{{model}}","share":"disabled","autoupdate":false,"provider":{"ado":{"#,
        r#""npm":"@ai-sdk/openai-compatible","options":{"baseURL":"{{base_url}}","apiKey":"{env:OPENAI_API_KEY}"},"#,
        r#""models":{"{{model}}":{}}}},"permission":{"edit":"allow","bash":"BASH","webfetch":"deny"}}"#
    );
    let config = config.replace("BASH", bash);
    ["OPENCODE_DISABLE_AUTOUPDATE=1".to_owned(), "OPENCODE_DISABLE_MODELS_FETCH=1".to_owned(), config]
}

fn note(backend: &str, words: &[&str], env: &[&str], read_paths: &[&str]) -> String {
    let list = |items: &[&str]| serde_json::to_string(items).unwrap();
    format!(
        "---\nrole: coder\nmodels: [mock]\nbackend: {backend}\ncommand: {}\nenv: {}\nread_paths: {}\ncommands: [printf]\n\
         max_turns: 30\nstall_seconds: 120\n---\nDo what the request says: {{{{ feature.title }}}}\n",
        list(words),
        list(env),
        list(read_paths),
    )
}

/// Runs a request with this agent as its coder; its change must be committed, checked and reviewed.
fn greets(coder: &str) -> Vec<Event> {
    let mut world = World::new(&Talk::default().approve(1));
    world.patience = Duration::from_secs(400);
    let port = serve();
    world.put(
        "00_system/models/mock.md",
        &format!(
            "---\nprovider: openai-compatible\nmodel: mock-1\nbase_url: http://127.0.0.1:{port}/v1/\nprice_input: 1\n\
             price_output: 1\nstall_seconds: 60\n---\n"
        ),
    );
    // In containers where scripts/container-test says so.
    if let Ok(image) = std::env::var("ADO_SANDBOX_IMAGE") {
        world.set("00_system/Settings.md", "sandbox", PropertyValue::Text("container".into()));
        world.set("00_system/Settings.md", "sandbox_image", PropertyValue::Text(image));
    }
    world.put("20_agents/Coder.md", coder);
    world.save("another coder");
    world.request(Status::Planned, "FR-001");
    world.work();
    let events = world.events("FR-001/1");
    let told: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::ToolCalled { tool, input, output, .. } => Some(format!("{tool} {input}\n{output}")),
            Event::StepFinished { key, outcome, .. } => Some(format!("{key}: {}", outcome.result.in_words())),
            _ => None,
        })
        .collect();
    let why = format!("{:?}\n{}\n{}", world.problems(), told.join("\n"), world.note("FR-001"));
    assert_eq!(world.status("FR-001"), Status::Review, "{why}");
    let change = events.iter().find_map(|event| match event {
        Event::StepFinished { outcome, .. } => match &outcome.result {
            StepResult::Changed { change } => Some(change.clone()),
            _ => None,
        },
        _ => None,
    });
    let change = change.unwrap_or_else(|| panic!("nothing was changed: {why}"));
    let files: Vec<&str> = change.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, ["greeting.txt"], "{why}");
    let diff = git(&world.target(), &["show", "--format=%an: %s", change.commit.as_str()]);
    assert!(diff.contains("+hello"), "{diff}");
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::ModelCallFinished { cost, .. } if *cost > Usd::default())),
        "{why}"
    );
    println!("{} model calls\n{diff}", world.calls("FR-001/1"));
    events
}

/// A model that has whoever can run commands write the greeting, and then says that it is done.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || answer(stream));
        }
    });
    port
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let message = reply(&asked);
    let reason = if message.get("tool_calls").is_some() { "tool_calls" } else { "stop" };
    if asked["stream"] == true {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        return stream.write_all(format!("{head}{}", in_pieces(&message, reason)).as_bytes()).unwrap();
    }
    let answer = json!({
        "id": "x", "object": "chat.completion", "created": 0, "model": "mock-1",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 100_000, "completion_tokens": 1000, "total_tokens": 101_000},
    })
    .to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all(format!("{head}{answer}").as_bytes()).unwrap();
}

/// A message as a stream, its words in small pieces.
fn in_pieces(message: &Value, reason: &str) -> String {
    let words: Vec<char> = message["content"].as_str().unwrap_or_default().chars().collect();
    let mut deltas: Vec<Value> =
        words.chunks(4).map(|piece| json!({"content": piece.iter().collect::<String>()})).collect();
    for (index, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
        let mut call = call.clone();
        call["index"] = index.into();
        deltas.push(json!({"role": "assistant", "tool_calls": [call]}));
    }
    let chunk = |delta: &Value, finish: Value, usage: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let data = json!({"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "mock-1",
            "choices": [choice], "usage": usage});
        format!("data: {data}\n\n")
    };
    let pieces: String = deltas.iter().map(|delta| chunk(delta, Value::Null, Value::Null)).collect();
    let usage = json!({"prompt_tokens": 100_000, "completion_tokens": 1000, "total_tokens": 101_000});
    format!("{pieces}{}data: [DONE]\n\n", chunk(&json!({}), reason.into(), usage))
}

/// The next message of the model: the command, then the end.
fn reply(asked: &Value) -> Value {
    let says = |text: &str| json!({"role": "assistant", "content": text});
    let messages = asked["messages"].as_array().unwrap();
    let ran = messages.iter().any(|message| message["role"] == "tool");
    let submits = messages.iter().any(|message| message.to_string().contains(SUBMIT));
    let shell =
        asked["tools"].as_array().into_iter().flatten().map(|tool| &tool["function"]).find(|function| {
            ["bash", "Bash", "exec_command", "shell", "run_shell_command"]
                .iter()
                .any(|name| function["name"] == *name)
        });
    let (Some(shell), false) = (shell, ran && !submits) else {
        return says(if ran { "I wrote the greeting." } else { "Greeting" });
    };
    let command = if ran { format!("echo {SUBMIT}") } else { COMMAND.to_owned() };
    let mut arguments = json!({});
    for (name, property) in shell["parameters"]["properties"].as_object().into_iter().flatten() {
        match (name.as_str(), property["type"].as_str()) {
            ("command" | "cmd", Some("array")) => arguments[name] = json!(["bash", "-c", command]),
            ("command" | "cmd", _) => arguments[name] = command.clone().into(),
            ("description", _) => arguments[name] = "Write the greeting".into(),
            _ => {}
        }
    }
    let call = json!({"id": format!("call_{}", messages.len()), "type": "function",
        "function": {"name": shell["name"], "arguments": arguments.to_string()}});
    json!({"role": "assistant", "content": null, "tool_calls": [call]})
}
