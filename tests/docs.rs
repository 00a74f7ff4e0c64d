//! The documentation agrees with what it describes: its links lead somewhere, its settings are those of the template, its
//! tables name every property. It does not judge the prose.

use std::path::Path;

use ado_vault::domain::{AgentConfig, FeatureProperties, ModelConfig};
use ado_vault::note;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn relative_links_lead_to_a_file() {
    let mut pages = vec!["README.md".to_owned()];
    for entry in walkdir::WalkDir::new(root().join("docs")).into_iter().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "md") {
            pages.push(entry.path().strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
    let mut seen = 0;
    for page in &pages {
        for part in read(page).split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap().replace("%20", " ");
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = root().join(page).parent().unwrap().join(&target);
            assert!(path.exists(), "{page}: {target}");
            seen += 1;
        }
    }
    assert!(seen > 15, "links were found: {seen}");
}

#[test]
fn settings_are_documented_as_the_template_has_them() {
    let docs = read("docs/settings.md");
    for path in
        ["00_system/Settings.md", "30_policy/Routing.md", "30_policy/Approvals.md", "30_policy/Gates.md"]
    {
        let text = read(&format!("vault-template/{path}"));
        let front = &text[note::split(&text).unwrap().front.unwrap()];
        assert!(docs.contains(&format!("```yaml\n{front}```")), "docs/settings.md: defaults of {path}");
    }
}

#[test]
fn every_property_of_notes_agents_and_models_is_documented() {
    let documented = |page: &str, schema: schemars::Schema| {
        let schema = serde_json::to_value(schema).unwrap();
        let text = read(page);
        for key in schema["properties"].as_object().unwrap().keys() {
            assert!(text.contains(&format!("`{key}`")), "{page}: `{key}`");
        }
    };
    documented("docs/notes.md", schemars::schema_for!(FeatureProperties));
    documented("docs/agents.md", schemars::schema_for!(AgentConfig));
    documented("docs/models.md", schemars::schema_for!(ModelConfig));
}
