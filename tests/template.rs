//! The vault template is a working vault: its notes say the defaults, its links lead somewhere, its views and canvas are
//! well formed. It does not know how the template is written to disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ado_vault::agents::{PromptVars, render_prompt};
use ado_vault::domain::{
    AgentConfig, ApprovalPolicy, GatePolicy, ModelConfig, NotePath, Provider, Repository, Role, Routing,
    Settings, Status,
};
use ado_vault::note;
use serde_json::{Map, Value};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vault-template")
}

/// Every file of the template, relative, with `/` between parts.
fn files() -> Vec<String> {
    let mut files: Vec<String> = walkdir::WalkDir::new(root())
        .into_iter()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/"))
        .collect();
    files.sort();
    assert!(files.len() > 30, "the template was found");
    files
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn notes_in(folder: &str) -> Vec<String> {
    files().into_iter().filter(|path| path.starts_with(folder) && path.ends_with(".md")).collect()
}

fn front(path: &str) -> Map<String, Value> {
    let text = read(path);
    let Some(range) = note::split(&text).unwrap().front else {
        return Map::new();
    };
    let value: Option<Map<String, Value>> =
        serde_yaml::from_str(&text[range]).unwrap_or_else(|error| panic!("{path}: {error}"));
    value.unwrap_or_default()
}

fn stem(path: &str) -> String {
    NotePath::new(path).unwrap().stem().to_owned()
}

/// Holds a policy note against the defaults in the code: same values, and no property missing or unknown.
fn says_the_defaults<T>(path: &str)
where
    T: Default + PartialEq + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    let found = front(path);
    let value: T = serde_json::from_value(Value::Object(found.clone())).unwrap();
    assert_eq!(value, T::default(), "{path}");
    let known = serde_json::to_value(T::default()).unwrap();
    let known: BTreeSet<&String> = known.as_object().unwrap().keys().collect();
    assert_eq!(found.keys().collect::<BTreeSet<_>>(), known, "{path} names every property once");
}

#[test]
fn settings_and_policies_name_every_property_at_its_default() {
    says_the_defaults::<Settings>("00_system/Settings.md");
    says_the_defaults::<Routing>("30_policy/Routing.md");
    says_the_defaults::<ApprovalPolicy>("30_policy/Approvals.md");
    says_the_defaults::<GatePolicy>("30_policy/Gates.md");
}

#[test]
fn settings_and_policies_explain_every_property() {
    for path in
        ["00_system/Settings.md", "30_policy/Routing.md", "30_policy/Approvals.md", "30_policy/Gates.md"]
    {
        let text = read(path);
        for key in front(path).keys() {
            let by_tier = key.split_once('_').is_some_and(|(tier, rest)| {
                ["trivial", "simple", "moderate", "complex", "epic"].contains(&tier)
                    && note::body(&text).contains(&format!("`…_{rest}`"))
            });
            assert!(by_tier || note::body(&text).contains(&format!("`{key}`")), "{path} explains `{key}`");
        }
    }
}

#[test]
fn there_is_an_agent_for_every_role_and_its_prompt_renders() {
    let mut roles = BTreeSet::new();
    for path in notes_in("20_agents/") {
        let mut agent: AgentConfig = serde_json::from_value(Value::Object(front(&path))).unwrap();
        agent.name = stem(&path).parse().unwrap();
        agent.prompt = note::body(&read(&path)).to_owned();
        let text =
            render_prompt(&agent, &PromptVars::default()).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(!text.contains("{{") && !text.contains("{%"), "{path}");
        assert!(agent.role.may_write() || agent.commands.is_empty(), "{path}: only writers run commands");
        roles.insert(agent.role);
    }
    assert_eq!(roles, BTreeSet::from(Role::ALL));
}

#[test]
fn a_filled_prompt_shows_what_it_was_given() {
    let mut agent: AgentConfig = serde_json::from_value(Value::Object(front("20_agents/Coder.md"))).unwrap();
    agent.prompt = note::body(&read("20_agents/Coder.md")).to_owned();
    let mut vars = PromptVars { rounds_left: 3, ..PromptVars::default() };
    vars.feature.title = "Count lines".into();
    vars.instruction = "gate `test` failed".into();
    let text = render_prompt(&agent, &vars).unwrap();
    assert!(text.contains("Count lines"));
    assert!(text.contains("gate `test` failed") && text.contains("Rounds left after this one: 3"));
    assert!(!text.contains("## The plan"), "no heading without a plan");
}

#[test]
fn model_notes_name_variables_and_hold_no_keys() {
    let mut providers = vec![];
    for path in notes_in("00_system/models/") {
        let model: ModelConfig = serde_json::from_value(Value::Object(front(&path))).unwrap();
        if let Some(variable) = &model.api_key_env {
            assert!(variable.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{path}: {variable}");
        }
        assert!(model.base_url.as_deref().is_none_or(|url| url.ends_with('/')), "{path}");
        providers.push(model.provider);
    }
    assert_eq!(
        providers,
        [Provider::Anthropic, Provider::Ollama, Provider::OpenAiCompatible, Provider::OpenAi]
    );
}

#[test]
fn templates_of_registry_notes_are_valid_once_filled_in() {
    let repository: Repository =
        serde_json::from_value(Value::Object(front("90_templates/Repository.md"))).unwrap();
    assert_eq!(repository.default_branch, "main");
    let model: ModelConfig = serde_json::from_value(Value::Object(front("90_templates/Model.md"))).unwrap();
    assert_eq!(model.provider, Provider::OpenAiCompatible);
}

#[test]
fn obsidian_templates_hold_no_tera() {
    for path in notes_in("90_templates/") {
        let text = read(&path);
        assert!(!text.contains("{%") && !text.contains("{#"), "{path}");
        for part in text.split("{{").skip(1) {
            let name = part.split("}}").next().unwrap();
            let name = name.split(':').next().unwrap();
            assert!(["title", "date", "time"].contains(&name), "{path}: {{{{{name}}}}}");
        }
    }
}

#[test]
fn names_are_unique_and_links_by_name_lead_to_a_note() {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files().into_iter().filter(|path| !path.starts_with('.') && !path.ends_with(".gitkeep")) {
        names.entry(stem(&path)).or_default().push(path);
    }
    for (name, paths) in &names {
        assert_eq!(paths.len(), 1, "`{name}` names more than one file: {paths:?}");
    }
    let mut seen = 0;
    for path in notes_in("") {
        for part in read(&path).split("[[").skip(1) {
            let target = part.split(['|', '#', ']']).next().unwrap();
            assert!(!target.contains('/'), "{path}: [[{target}]] is a link by path");
            assert!(names.contains_key(target), "{path}: [[{target}]] leads nowhere");
            seen += 1;
        }
    }
    assert!(seen > 20, "links were found: {seen}");
}

#[test]
fn the_folders_are_those_of_the_vault_format() {
    for folder in [
        "00_system/models",
        "00_system/repos",
        "10_features/01_ideas",
        "10_features/02_new",
        "10_features/03_planned",
        "10_features/04_in_progress",
        "10_features/05_review",
        "10_features/06_done",
        "10_features/07_dropped",
        "20_agents",
        "30_policy/review-rules",
        "40_playbooks",
        "50_memory/repos",
        "50_memory/lessons",
        "50_memory/bug-museum",
        "60_runs",
        "70_reports",
        "80_pull_requests",
        "90_templates",
    ] {
        let prefix = format!("{folder}/");
        assert!(
            files().iter().any(|path| path.starts_with(&prefix)),
            "`{folder}` has a file that keeps it in git"
        );
    }
}

#[test]
fn every_property_has_one_obsidian_type() {
    let types: Value = serde_json::from_str(&read(".obsidian/types.json")).unwrap();
    let types = types["types"].as_object().unwrap();
    let known =
        ["text", "multitext", "number", "checkbox", "date", "datetime", "aliases", "tags"].map(Value::from);
    assert!(types.values().all(|kind| known.contains(kind)));
    for path in notes_in("") {
        for (key, value) in front(&path) {
            let kind =
                types.get(&key).unwrap_or_else(|| panic!("{path}: `{key}` has no type")).as_str().unwrap();
            let fits = match &value {
                Value::Null => true,
                Value::Bool(_) => kind == "checkbox",
                Value::Number(_) => kind == "number",
                Value::Array(_) => ["multitext", "aliases", "tags"].contains(&kind),
                Value::String(_) => ["text", "date", "datetime"].contains(&kind),
                Value::Object(_) => false,
            };
            assert!(fits, "{path}: `{key}: {value}` is not of type {kind}");
        }
    }
    let schema = serde_json::to_value(schemars::schema_for!(ado_vault::domain::FeatureProperties)).unwrap();
    for key in schema["properties"].as_object().unwrap().keys() {
        assert!(types.contains_key(key), "`{key}` of feature notes has no type");
    }
}

#[test]
fn the_base_has_the_three_views_and_names_only_known_properties() {
    let base: Value = serde_yaml::from_str(&read("00_system/features.base")).unwrap();
    let types: Value = serde_json::from_str(&read(".obsidian/types.json")).unwrap();
    let names: Vec<&str> =
        base["views"].as_array().unwrap().iter().map(|view| view["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Needs me", "By stage", "All"]);
    let known = |property: &str| match property.split_once('.') {
        Some(("note", name)) => types["types"].get(name).is_some(),
        Some(("formula", name)) => base["formulas"].get(name).is_some(),
        Some(("file", name)) => ["name", "path", "folder", "ext", "mtime", "ctime"].contains(&name),
        _ => false,
    };
    for view in base["views"].as_array().unwrap() {
        assert_eq!(view["type"], "table");
        let order = view["order"].as_array().unwrap().iter();
        let sort = view["sort"].as_array().unwrap().iter().map(|sort| &sort["property"]);
        let group = view.get("groupBy").map(|group| &group["property"]);
        for property in order.chain(sort).chain(group) {
            let property = property.as_str().unwrap();
            assert!(known(property), "{}: {property}", view["name"]);
        }
    }
    assert!(!known("note.no_such_property") && !known("status"));
}

/// JSON Canvas 1.0 as its specification has it (jsoncanvas.org/spec/1.0).
fn json_canvas() -> jsonschema::Validator {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "nodes": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            "edges": {"type": "array", "items": {"$ref": "#/$defs/edge"}}
        },
        "$defs": {
            "color": {"type": "string", "pattern": "^([1-6]|#[0-9a-fA-F]{6})$"},
            "side": {"enum": ["top", "right", "bottom", "left"]},
            "end": {"enum": ["none", "arrow"]},
            "node": {
                "type": "object",
                "required": ["id", "type", "x", "y", "width", "height"],
                "properties": {
                    "id": {"type": "string"},
                    "type": {"enum": ["text", "file", "link", "group"]},
                    "x": {"type": "integer"},
                    "y": {"type": "integer"},
                    "width": {"type": "integer"},
                    "height": {"type": "integer"},
                    "color": {"$ref": "#/$defs/color"},
                    "text": {"type": "string"},
                    "file": {"type": "string"},
                    "subpath": {"type": "string", "pattern": "^#"},
                    "url": {"type": "string"},
                    "label": {"type": "string"},
                    "background": {"type": "string"},
                    "backgroundStyle": {"enum": ["cover", "ratio", "repeat"]}
                },
                "oneOf": [
                    {"properties": {"type": {"const": "text"}}, "required": ["text"]},
                    {"properties": {"type": {"const": "file"}}, "required": ["file"]},
                    {"properties": {"type": {"const": "link"}}, "required": ["url"]},
                    {"properties": {"type": {"const": "group"}}}
                ]
            },
            "edge": {
                "type": "object",
                "required": ["id", "fromNode", "toNode"],
                "properties": {
                    "id": {"type": "string"},
                    "fromNode": {"type": "string"},
                    "fromSide": {"$ref": "#/$defs/side"},
                    "fromEnd": {"$ref": "#/$defs/end"},
                    "toNode": {"type": "string"},
                    "toSide": {"$ref": "#/$defs/side"},
                    "toEnd": {"$ref": "#/$defs/end"},
                    "color": {"$ref": "#/$defs/color"},
                    "label": {"type": "string"}
                }
            }
        }
    });
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn the_canvas_is_json_canvas_1_0() {
    let schema = json_canvas();
    let canvas: Value = serde_json::from_str(&read("00_system/pipeline.canvas")).unwrap();
    let errors: Vec<String> =
        schema.iter_errors(&canvas).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new());
    for (place, bad) in [
        ("/nodes/0/x", serde_json::json!(0.5)),
        ("/nodes/0/text", Value::Null),
        ("/nodes/0/type", "note".into()),
        ("/nodes/0/color", "7".into()),
        ("/edges/0/fromSide", "middle".into()),
        ("/edges/0/toNode", Value::Null),
    ] {
        let mut broken = canvas.clone();
        *broken.pointer_mut(place).unwrap() = bad;
        assert!(!schema.is_valid(&broken), "{place}");
    }

    let mut ids = BTreeSet::new();
    for node in canvas["nodes"].as_array().unwrap() {
        assert!(ids.insert(node["id"].as_str().unwrap()), "ids are unique");
        if let Some(file) = node["file"].as_str() {
            assert!(files().iter().any(|path| path == file), "{node}");
        }
    }
    let mut edges = BTreeSet::new();
    for edge in canvas["edges"].as_array().unwrap() {
        assert!(edges.insert(edge["id"].as_str().unwrap()), "ids are unique");
        for end in ["fromNode", "toNode"] {
            assert!(ids.contains(edge[end].as_str().unwrap()), "{edge}");
        }
    }
}

/// The workflow of the template: it parses, says what it may, and neither starts itself nor trusts a pull request.
#[test]
fn the_workflow_validates_pull_requests_and_syncs_with_the_least_rights() {
    let path = ".github/workflows/ado-vault.yml";
    let text = read(path);
    let flow: Value = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md")).unwrap();
    assert!(docs.contains(&format!("```yaml\n{text}```")), "docs/ci.md shows {path}");

    let on = flow["on"].as_object().unwrap();
    assert_eq!(on.keys().collect::<Vec<_>>(), ["pull_request", "push", "schedule", "workflow_dispatch"]);
    let cron = on["schedule"][0]["cron"].as_str().unwrap();
    assert_eq!(cron.split(' ').count(), 5, "{cron}");
    // One at a time, and a push is never cut off.
    assert!(flow["concurrency"]["group"].as_str().unwrap().contains("github.ref"));
    let cut_off = flow["concurrency"]["cancel-in-progress"].as_str().unwrap();
    assert_eq!(cut_off, "${{ github.event_name == 'pull_request' }}");
    // The least rights, and more for the one job that pushes.
    assert_eq!(flow["permissions"], serde_json::json!({"contents": "read"}));
    let (validate, sync) = (&flow["jobs"]["validate"], &flow["jobs"]["sync"]);
    assert_eq!(
        sync["permissions"],
        serde_json::json!({"contents": "write", "issues": "write", "pull-requests": "read"})
    );
    assert_eq!(validate.get("permissions"), None);
    assert_eq!(validate["if"], "github.event_name == 'pull_request'");
    assert_eq!(validate["steps"][0]["with"]["persist-credentials"], false);
    let when = sync["if"].as_str().unwrap();
    for part in [
        "event_name != 'pull_request'",
        "default_branch",
        "!= 'github-actions[bot]'",
        "!= 'ado-vault@localhost'",
    ] {
        assert!(when.contains(part), "{part}: {when}");
    }
    for (job, command) in [(validate, "ado-vault sync --check"), (sync, "ado-vault sync")] {
        assert!(job["timeout-minutes"].is_u64());
        program_knows(command);
        let steps = job["steps"].as_array().unwrap();
        assert_eq!(steps.last().unwrap()["run"], command);
        for step in steps {
            assert!(step["run"].is_string() != step["uses"].is_string(), "{step}");
            // Text of an event in a command would be run.
            assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step}");
        }
    }
}

/// Whether the program takes this command line.
fn program_knows(command: &str) {
    use clap::CommandFactory;
    let words = command.split(' ');
    let known = ado_vault::cli::Cli::command().try_get_matches_from(words);
    assert!(known.is_ok(), "{command}: {known:?}");
}

/// The action does what the workflow's steps do, and what is given to it reaches a shell as variables alone.
#[test]
fn the_action_runs_sync_as_the_program_knows_it() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml")).unwrap();
    let action: Value = serde_yaml::from_str(&text).unwrap();
    assert_eq!(action["runs"]["using"], "composite");
    let inputs = action["inputs"].as_object().unwrap();
    assert_eq!(inputs.keys().collect::<Vec<_>>(), ["vault", "check", "token"]);
    assert_eq!(inputs["token"]["default"], "${{ github.token }}");
    let steps = action["runs"]["steps"].as_array().unwrap();
    for step in steps {
        let run = step["run"].as_str().unwrap();
        assert_eq!(step["shell"], "bash");
        assert!(!run.contains("${{"), "{run}");
    }
    let env = steps.last().unwrap()["env"].as_object().unwrap();
    assert_eq!(env.keys().collect::<Vec<_>>(), ["ADO_VAULT", "GITHUB_TOKEN", "CHECK"]);
    let sync = steps.last().unwrap()["run"].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("ado-vault");
    std::fs::write(&said, "#!/bin/sh\necho ado-vault \"$@\"\n").unwrap();
    std::fs::set_permissions(&said, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    for (check, expected) in [("true", "ado-vault sync --check"), ("false", "ado-vault sync")] {
        let ran = std::process::Command::new("bash")
            .args(["-eo", "pipefail", "-c", sync])
            .env("PATH", &path)
            .env("CHECK", check)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&ran.stdout).trim(), expected, "{ran:?}");
        program_knows(expected);
    }
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md")).unwrap();
    let shown = docs.split("<!-- action -->").nth(1).and_then(|rest| rest.split("```yaml\n").nth(1)).unwrap();
    let example: Value = serde_yaml::from_str(shown.split("```").next().unwrap()).unwrap();
    let with = example["jobs"]["vault"]["steps"][1]["with"].as_object().unwrap();
    assert!(with.keys().all(|name| inputs.contains_key(name)), "{with:?}");
}

#[test]
fn obsidians_own_files_are_json() {
    for path in files().iter().filter(|path| path.starts_with(".obsidian/")) {
        let _: Value = serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

#[test]
fn every_note_is_read_without_a_complaint() {
    let path = |path: &str| NotePath::new(path).unwrap();
    let mut complaints = vec![];
    let mut read_all =
        |folder: &str, read_note: &dyn Fn(&NotePath, &str) -> Vec<ado_vault::domain::Diagnostic>| {
            let notes = notes_in(folder);
            assert!(!notes.is_empty(), "{folder}");
            for note in notes {
                complaints.extend(
                    read_note(&path(&note), &read(&note)).into_iter().map(|found| format!("{note}: {found}")),
                );
            }
        };
    read_all("00_system/Settings.md", &|path, text| note::read_settings(path, text).diagnostics);
    read_all("00_system/models/", &|path, text| note::read_model(path, text).diagnostics);
    read_all("20_agents/", &|path, text| note::read_agent(path, text).diagnostics);
    read_all("30_policy/Routing.md", &|path, text| note::read_routing(path, text).diagnostics);
    read_all("30_policy/Approvals.md", &|path, text| note::read_approvals(path, text).diagnostics);
    read_all("30_policy/Gates.md", &|path, text| note::read_gates(path, text).diagnostics);
    read_all("90_templates/Repository.md", &|path, text| note::read_repository(path, text).diagnostics);
    read_all("90_templates/Model.md", &|path, text| note::read_model(path, text).diagnostics);
    read_all("10_features/01_ideas/", &|path, text| {
        note::parse_feature(path, text, Some(Status::Ideas)).diagnostics
    });
    assert_eq!(complaints, Vec::<String>::new());
}

#[test]
fn the_example_is_read_in_full() {
    let name = "10_features/01_ideas/Example feature.md";
    let feature = note::parse_feature(&NotePath::new(name).unwrap(), &read(name), Some(Status::Ideas));
    assert_eq!(feature.id, None, "an idea needs no id");
    assert_eq!(feature.sections.criteria.len(), 3);
    assert_eq!(feature.sections.phases.len(), 1);
    assert_eq!(feature.sections.phases[0].rows.iter().filter(|row| row.is_for_agents()).count(), 2);
    assert!(feature.sections.questions.iter().all(|question| !question.decision.is_empty()));
    assert!(!feature.sections.summary.is_empty() && !feature.sections.problem.is_empty());
}
