//! Registry notes: settings, policies, repositories, models and agents as people and Obsidian write them.

use ado_vault::domain::{
    Backend, EditFormat, MergeMethod, NotePath, Provider, Role, Settings, Strategy, Tool, Usd,
};
use ado_vault::note::{
    Read, read_agent, read_approvals, read_gates, read_model, read_repository, read_routing, read_settings,
};

fn path(text: &str) -> NotePath {
    NotePath::new(text).unwrap()
}

fn seen<T>(read: &Read<T>) -> Vec<(String, u32)> {
    read.diagnostics.iter().map(|d| (d.code.clone(), d.line)).collect()
}

fn settings(front: &str) -> Read<Settings> {
    read_settings(&path("00_system/Settings.md"), &format!("---\n{front}\n---\n# Settings\n"))
}

#[test]
fn missing_and_empty_settings_have_their_defaults() {
    let all = [settings("poll_seconds:\ntags: [x]"), read_settings(&path("S.md"), "no front matter")];
    for read in all {
        assert_eq!(seen(&read), []);
        assert_eq!(read.value, Some(Settings::default()));
    }
}

#[test]
fn settings_take_links_and_whole_floats() {
    let read = settings(
        "default_repo: \"[[repos/demo|Demo]]\"\ndefault_model: [[sonnet]]\nmax_parallel: 3.0\nmerge_method: squash\nrun_budget_usd: 2.5",
    );
    assert_eq!(seen(&read), []);
    let settings = read.value.unwrap();
    assert_eq!(settings.default_repo.unwrap().as_str(), "demo");
    assert_eq!(settings.default_model.unwrap().as_str(), "sonnet");
    assert_eq!((settings.max_parallel, settings.merge_method), (3, MergeMethod::Squash));
    assert_eq!(settings.run_budget_usd, Some(Usd::from_dollars(2.5)));
}

#[test]
fn wrong_settings_are_named_with_their_lines_and_give_no_value() {
    let read = settings("max_parallel: 0\nmerge_method: fast\npoll_second: 5\nrun_budget_usd: -5");
    assert_eq!(read.value, None);
    assert_eq!(seen(&read), [("bad-value".into(), 3), ("unknown-property".into(), 4)]);
    assert_eq!(read.diagnostics[1].remedy, "did you mean `poll_seconds`?");
    assert_eq!(read.diagnostics[0].path.as_ref().unwrap().as_str(), "00_system/Settings.md");
    for (front, line) in [
        ("x: 1\nmax_parallel: 0", 3),
        ("run_budget_usd: -5", 2),
        ("id_prefix: fr", 2),
        ("a: @b", 2),
        ("max_rounds: many", 2),
    ] {
        let read = settings(front);
        assert_eq!(read.value, None, "{front}");
        assert_eq!(read.diagnostics.iter().find(|d| d.is_error()).unwrap().line, line, "{front}");
    }
}

#[test]
fn policies_are_read_and_checked() {
    let routing = |front: &str| read_routing(&path("30_policy/Routing.md"), &format!("---\n{front}\n---\n"));
    let read = routing("complex_strategy: single\ncomplex_model: \"[[opus]]\"");
    let value = read.value.unwrap();
    assert_eq!(value.complex_strategy, Strategy::Single);
    assert_eq!(value.complex_model.unwrap().as_str(), "opus");
    assert_eq!(seen(&routing("simple_from: 50\nmoderate_from: 40")), [("bad-value".into(), 3)]);
    let approvals = |front: &str| read_approvals(&path("A.md"), &format!("---\n{front}\n---\n"));
    assert_eq!(approvals("sensitive_paths: \"infra/**\"").value.unwrap().sensitive_paths, ["infra/**"]);
    assert_eq!(seen(&approvals("sensitive_paths: [\"a[\"]")), [("bad-value".into(), 2)]);
    let gates = read_gates(&path("G.md"), "---\nrequired: [test]\ntimeout_seconds: 0\n---\n");
    assert_eq!(seen(&gates), [("bad-value".into(), 3)]);
}

#[test]
fn a_repository_is_named_by_its_note_and_its_body_is_the_conventions() {
    let note = "---\npath: ../demo\ngates:\n  - test: cargo test\n  - \"lint: cargo clippy\"\nenv: [CARGO_HOME]\n---\n\nUse tabs.\n";
    let read = read_repository(&path("00_system/repos/demo.md"), note);
    assert_eq!(seen(&read), []);
    let repository = read.value.unwrap();
    assert_eq!((repository.name.as_str(), repository.path.as_str()), ("demo", "../demo"));
    assert_eq!(repository.gates, ["test: cargo test", "lint: cargo clippy"]);
    assert_eq!(repository.conventions, "Use tabs.");
    for (front, code, line) in [
        ("remote: origin", "missing-property", 1),
        ("path: https://github.com/a/b", "bad-value", 2),
        ("path: x\ngates: [fast cargo]", "bad-value", 3),
        ("path: x\ndefault_branch: --force", "bad-value", 3),
        ("path: x\nenv: [A=b]", "bad-value", 3),
        ("path: x\nforge: gitea", "bad-value", 3),
        ("path: x\nforge: github", "bad-value", 1),
        ("path: x\nforge: github\nslug: app", "bad-value", 4),
        ("path: x\nforge: github\nslug: acme/../x", "bad-value", 4),
        ("path: x\nforge: github\nslug: a/b\nbase_url: http://github.example.org", "bad-value", 5),
        ("path: x\nforge: github\nslug: a/b\nbase_url: http://localhost.example.org", "bad-value", 5),
        ("path: x\nforge: github\nslug: a/b\nbase_url: https://me:x@example.org", "bad-value", 5),
        ("path: x\nforge: github\nslug: a/b\napp_id: 7", "bad-value", 1),
        ("path: x\nforge: github\nslug: a/b\nenv: [GITHUB_TOKEN]", "bad-value", 5),
        (
            "path: x\nforge: github\nslug: a/b\ntoken_env: ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "secret-in-note",
            5,
        ),
    ] {
        let read = read_repository(&path("repos/demo.md"), &format!("---\n{front}\n---\n"));
        assert_eq!((seen(&read), read.value.is_none()), (vec![(code.to_owned(), line)], true), "{front}");
    }
}

#[test]
fn a_model_names_its_key_and_never_holds_it() {
    let model = |front: &str| read_model(&path("00_system/models/local.md"), &format!("---\n{front}\n---\n"));
    let read = model(
        "provider: openai-compatible\nmodel: qwen\nbase_url: http://localhost:8000/v1/\nedit_format: whole-file\nprice_input: 1\napi_key_env: LOCAL_KEY",
    );
    assert_eq!(seen(&read), []);
    let value = read.value.unwrap();
    assert_eq!((value.provider, value.edit_format), (Provider::OpenAiCompatible, EditFormat::WholeFile));
    assert_eq!((value.name.as_str(), value.price_input), ("local", Usd::from_dollars(1.0)));
    for (front, code, line) in [
        ("provider: anthropic\nmodel: m\napi_key_env: sk-ant-abcdefghijkl", "secret-in-note", 4),
        ("provider: anthropic\nmodel: m\napi_key: abc", "secret-in-note", 4),
        ("provider: anthropic", "bad-value", 1),
        ("provider: openai-compatible\nmodel: m", "bad-value", 1),
        ("provider: recorded", "bad-value", 1),
        ("provider: aol\nmodel: m", "bad-value", 2),
        ("model: m", "missing-property", 1),
    ] {
        let read = model(front);
        assert_eq!((seen(&read), read.value.is_none()), (vec![(code.to_owned(), line)], true), "{front}");
        assert!(read.diagnostics.iter().all(|d| !d.to_string().contains("abcdefghijkl")));
    }
}

#[test]
fn an_agent_is_its_front_matter_and_its_prompt() {
    let note = "---\nrole: coder\nmodels: [\"[[sonnet]]\", gpt]\ntools: [read, edit]\ncommands: cargo\n---\n\nWrite {{ title }}.\n";
    let read = read_agent(&path("20_agents/Coder.md"), note);
    assert_eq!(seen(&read), []);
    let agent = read.value.unwrap();
    assert_eq!(
        (agent.name.as_str(), agent.role, agent.prompt.as_str()),
        ("Coder", Role::Coder, "Write {{ title }}.")
    );
    assert_eq!(agent.models.iter().map(|m| m.as_str()).collect::<Vec<_>>(), ["sonnet", "gpt"]);
    assert_eq!((agent.tools, agent.commands), (vec![Tool::Read, Tool::Edit], vec!["cargo".to_owned()]));
    let empty = read_agent(&path("20_agents/Coder.md"), "---\nrole: coder\n---\n");
    assert_eq!((seen(&empty), empty.value), (vec![("missing-prompt".into(), 0)], None));
    let bad = read_agent(&path("20_agents/a,b.md"), "---\nrole: coder\n---\nx");
    assert_eq!((seen(&bad), bad.value), (vec![("bad-name".into(), 0)], None));
    let hot = read_agent(&path("20_agents/a.md"), "---\nrole: reviewer\ntemperature: 3\ntools: edit\n---\nx");
    assert_eq!(seen(&hot), [("bad-value".into(), 3), ("bad-value".into(), 4)]);
}

#[test]
fn an_agent_that_is_another_program_says_how_it_is_started_and_holds_no_key() {
    let read = |front: &str| read_agent(&path("20_agents/A.md"), &format!("---\nrole: coder\n{front}---\nx"));
    let good = read(
        "backend: command\ncommand: [opencode, run, --model, \"ado/{{model}}\", \"{{prompt}}\"]\n\
         env:\n  - LANG\n  - 'CONFIG={\"url\":\"{{base_url}}\"}'\nread_paths: /opt/opencode\nstall_seconds: 60\n",
    );
    assert_eq!(seen(&good), []);
    let agent = good.value.unwrap();
    assert_eq!((agent.backend, agent.command.len(), agent.stall_seconds), (Backend::Command, 5, 60));
    assert_eq!(agent.env[1].value.as_deref(), Some("{\"url\":\"{{base_url}}\"}"));
    for (front, line) in [
        ("backend: acp\n", 1),
        ("backend: command\ncommand: opencode run {{prompt}}\n", 4),
        ("backend: command\ncommand: [\"{{model}}\", \"{{prompt}}\"]\n", 4),
        ("backend: command\ncommand: [x, \"{{promt}}\", \"{{prompt}}\"]\n", 4),
        ("backend: acp\ncommand: [x]\nenv: [OPENAI_API_KEY]\n", 5),
        ("backend: acp\ncommand: [x]\nenv: [\"K=sk-abcdefghijklmnop\"]\n", 5),
        ("backend: acp\ncommand: [x]\nenv: [\"a b\"]\n", 5),
        ("backend: acp\ncommand: [x]\nread_paths: [opt/x]\n", 5),
        ("backend: acp\ncommand: [x]\nread_paths: [/]\n", 5),
        ("backend: acp\ncommand: [x]\nstall_seconds: 0\n", 5),
        ("backend: aider\n", 3),
    ] {
        let bad = read(front);
        assert!(bad.value.is_none(), "{front}");
        assert_eq!(seen(&bad), [("bad-value".into(), line)], "{front}");
    }
    for front in ["command: [x]\n", "env: [LANG]\n"] {
        let odd = read(front);
        let warned = odd.diagnostics.iter().all(|one| !one.is_error()) && odd.diagnostics.len() == 1;
        assert!(odd.value.is_some() && warned, "{front}: {:?}", odd.diagnostics);
    }
}

#[test]
fn a_conflicted_note_is_not_read_at_all() {
    let note = "---\n<<<<<<< HEAD\nmax_parallel: 1\n=======\nmax_parallel: 2\n>>>>>>> other\n---\n";
    let read = read_settings(&path("S.md"), note);
    assert_eq!((seen(&read), read.value), (vec![("conflict-markers".into(), 2)], None));
}
