//! What is wrong with features and the configuration, as the snapshot has them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::domain::{
    Config, Diagnostic, Feature, FeatureId, ModelName, NotePath, Plan, RepoName, Snapshot, Status,
};
use crate::note;

/// A note's text by path, for schema checks.
pub type Source<'a> = dyn Fn(&NotePath) -> Option<Arc<str>> + 'a;

/// What is wrong by what is known without reading notes again, sorted by place.
pub fn check(snapshot: &Snapshot, plan: &Plan) -> Vec<Diagnostic> {
    let mut found = snapshot.config.problems.clone();
    found.extend(plan.problems.iter().cloned());
    for view in &snapshot.features {
        found.extend(view.feature.diagnostics.iter().cloned());
        found.extend(of_references(&view.feature, &snapshot.config));
    }
    found.extend(of_ids(snapshot));
    found.extend(of_references_in_config(&snapshot.config));
    found.extend(cycles(snapshot));
    sorted(found)
}

/// Properties that do not fit the schema of feature notes. `text` gives the text of a note.
pub fn check_schemas(snapshot: &Snapshot, text: &Source<'_>) -> Vec<Diagnostic> {
    snapshot.features.iter().flat_map(|view| of_schema(&view.feature, text)).collect()
}

/// In order of their places, each once.
pub fn sorted(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.sort_by(|a, b| {
        (&a.path, a.line, a.column, &a.code, &a.message)
            .cmp(&(&b.path, b.line, b.column, &b.code, &b.message))
    });
    found.dedup();
    found
}

fn of_schema(feature: &Feature, text: &Source<'_>) -> Vec<Diagnostic> {
    let Some(text) = text(&feature.path) else { return vec![] };
    // What YAML rejects is among the note's own diagnostics.
    let Ok(properties) = note::properties(&text) else { return vec![] };
    if feature.has_errors() {
        return vec![];
    }
    let mut given = serde_json::Map::new();
    for (key, value) in properties {
        if !value.is_null() {
            given.insert(key, value);
        }
    }
    // A status is read as people write it; the schema knows the slugs.
    if let Some(status) = feature.properties.status {
        given.insert("status".into(), status.slug().into());
    }
    if let Some(kind) = feature.properties.kind {
        given.insert("type".into(), kind.slug().into());
    }
    given.remove("depends_on");
    let misfits = note::validate("feature", &serde_json::Value::Object(given)).into_iter().map(|misfit| {
        let remedy = "see `schemas/feature.schema.json` for the property's type";
        let line = note::property_line(&text, &misfit.property);
        Diagnostic::warning("schema", misfit.message, remedy).at(line, 1).in_note(&feature.path)
    });
    // Of a value that could not be read at all, that is said already.
    let is_new = |found: &Diagnostic| feature.diagnostics.iter().all(|other| other.line != found.line);
    misfits.filter(is_new).collect()
}

fn of_references(feature: &Feature, config: &Config) -> Vec<Diagnostic> {
    let Some(name) = &feature.properties.repo else { return vec![] };
    let known = name.parse::<RepoName>().is_ok_and(|name| config.repositories.contains_key(&name));
    if known {
        return vec![];
    }
    let message = format!("repository `{}` has no note", note::plain(name));
    vec![
        Diagnostic::warning("unknown-repository", message, "add its note to the repositories folder")
            .in_note(&feature.path),
    ]
}

fn of_ids(snapshot: &Snapshot) -> Vec<Diagnostic> {
    let mut by_id: BTreeMap<&FeatureId, Vec<&NotePath>> = BTreeMap::new();
    for view in &snapshot.features {
        if let Some(id) = &view.feature.id {
            by_id.entry(id).or_default().push(&view.feature.path);
        }
    }
    let mut found = vec![];
    for (id, paths) in &by_id {
        for path in paths.iter().filter(|_| paths.len() > 1) {
            let others: Vec<&str> =
                paths.iter().filter(|other| *other != path).map(|other| other.as_str()).collect();
            let message = format!("id `{id}` is also that of `{}`", others.join("`, `"));
            found.push(
                Diagnostic::error("duplicate-id", message, "give one of them another id").in_note(path),
            );
        }
    }
    for view in &snapshot.features {
        for needed in note::dependency_ids(&view.feature) {
            if !by_id.contains_key(&needed) {
                let message = format!("`depends_on` names `{needed}`, which does not exist");
                found.push(
                    Diagnostic::error("unknown-dependency", message, "mend the id or remove it")
                        .in_note(&view.feature.path),
                );
            }
        }
    }
    found
}

fn of_references_in_config(config: &Config) -> Vec<Diagnostic> {
    let named = |name: &ModelName| config.models.contains_key(name);
    let mut found = vec![];
    for agent in config.agents.values() {
        for model in agent.models.iter().filter(|model| !named(model)) {
            let message = format!("agent `{}` names model `{model}`, which has no note", agent.name);
            found.push(Diagnostic::error("unknown-model", message, "add its note to the models folder"));
        }
    }
    let settings = &config.settings;
    if let Some(model) = settings.default_model.as_ref().filter(|model| !named(model)) {
        let message = format!("`default_model` is `{model}`, which has no note");
        found.push(Diagnostic::error("unknown-model", message, "add its note to the models folder"));
    }
    if let Some(repo) = settings.default_repo.as_ref().filter(|repo| !config.repositories.contains_key(*repo))
    {
        let message = format!("`default_repo` is `{repo}`, which has no note");
        found.push(Diagnostic::error(
            "unknown-repository",
            message,
            "add its note to the repositories folder",
        ));
    }
    found
}

/// Features that wait for each other, done ones aside. Each names the way back to itself.
fn cycles(snapshot: &Snapshot) -> Vec<Diagnostic> {
    let open = snapshot.features.iter().filter(|view| view.feature.folder != Some(Status::Done));
    let needs: BTreeMap<&FeatureId, Vec<FeatureId>> = open
        .filter_map(|view| Some((view.feature.id.as_ref()?, note::dependency_ids(&view.feature))))
        .collect();
    let mut found = vec![];
    for view in &snapshot.features {
        let Some(way) = view.feature.id.as_ref().and_then(|id| way_back(id, &needs)) else { continue };
        let way: Vec<String> = way.iter().map(ToString::to_string).collect();
        let message = format!("`{}` waits for itself: {}", way[0], way.join(" → "));
        let remedy = "remove one of these from `depends_on`";
        found.push(Diagnostic::error("dependency-cycle", message, remedy).in_note(&view.feature.path));
    }
    found
}

/// The shortest way from a feature over what it needs back to it.
fn way_back(id: &FeatureId, needs: &BTreeMap<&FeatureId, Vec<FeatureId>>) -> Option<Vec<FeatureId>> {
    let mut came_from: BTreeMap<&FeatureId, &FeatureId> = BTreeMap::new();
    let (id, _) = needs.get_key_value(id)?;
    let mut open = VecDeque::from([*id]);
    while let Some(here) = open.pop_front() {
        for next in &needs[here] {
            if next == *id {
                let mut way = vec![next.clone(), here.clone()];
                while let Some(before) = way.last().and_then(|last| came_from.get(last)) {
                    way.push((*before).clone());
                }
                way.reverse();
                return Some(way);
            }
            if let Some((next, _)) = needs.get_key_value(next)
                && !came_from.contains_key(*next)
            {
                came_from.insert(next, here);
                open.push_back(next);
            }
        }
    }
    None
}
