//! The documentation agrees with what it describes: its links lead somewhere, its settings are those of the template, its
//! tables name every property. It does not judge the prose.

use std::path::Path;

use ado_vault::domain::{AgentConfig, FeatureProperties, ModelConfig, NotePath, PLACEHOLDERS};
use ado_vault::{note, report};

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

#[test]
fn every_rule_of_check_is_documented_and_every_documented_rule_is_one() {
    let page = read("docs/check.md");
    let sections: Vec<(&str, &str)> =
        page.split("\n### `").skip(1).filter_map(|section| section.split_once('`')).collect();
    let documented: Vec<&str> = sections.iter().map(|(code, _)| *code).collect();
    let rules: Vec<&str> = report::RULES.iter().map(|rule| rule.code).collect();
    assert!(rules.is_sorted());
    let sorted = |mut codes: Vec<&str>| {
        codes.sort_unstable();
        codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sorted(documented), sorted(rules.clone()));
    for (code, text) in &sections {
        assert!(text.contains("Why:") && text.contains("Remedy:"), "docs/check.md: {code}");
        let what = report::RULES.iter().find(|rule| rule.code == *code).unwrap().what;
        assert!(
            text.split_whitespace().collect::<Vec<_>>().join(" ").contains(what),
            "docs/check.md: {code}: {what}"
        );
    }
    // Codes as the sources write them.
    let audit = read("docs/security.md");
    let mut found = 0;
    for entry in walkdir::WalkDir::new(root().join("src")).into_iter().map(Result::unwrap) {
        if entry.path().extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source = std::fs::read_to_string(entry.path()).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for kind in ["Diagnostic::error(", "Diagnostic::warning("] {
            for call in source.split(kind).skip(1) {
                let Some(code) = call.trim_start().strip_prefix('"').and_then(|code| code.split('"').next())
                else {
                    continue;
                };
                found += 1;
                let is_of_the_engine = entry.path().starts_with(root().join("src/engine"));
                let is_of_the_audit = audit.contains(&format!("| `{code}` |"));
                assert!(
                    is_of_the_engine || is_of_the_audit || rules.contains(&code),
                    "{}: {code}",
                    entry.path().display()
                );
            }
        }
    }
    assert!(found > 30, "codes were found: {found}");
}

#[test]
fn notes_of_other_programs_as_agents_are_good_ones_and_their_placeholders_are_documented() {
    let docs = read("docs/agents.md");
    for (name, _) in PLACEHOLDERS {
        assert!(docs.contains(&format!("`{{{{{name}}}}}`")), "docs/agents.md: `{name}`");
    }
    let fronts: Vec<&str> =
        docs.split("```yaml\n").skip(1).filter_map(|part| part.split("```").next()).collect();
    assert!(fronts.len() >= 7, "{fronts:?}");
    for front in fronts {
        let path = NotePath::new("20_agents/Example.md").unwrap();
        let read = note::read_agent(&path, &format!("---\n{front}---\nDo it.\n"));
        assert!(read.value.is_some() && read.diagnostics.is_empty(), "{front}\n{:?}", read.diagnostics);
    }
}
