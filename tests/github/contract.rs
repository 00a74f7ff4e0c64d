//! GitHub's own description of its API: checks requests and responses against it, and makes the smallest response that it
//! allows. It knows nothing of this program. That description has no GraphQL.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

static SPEC: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../contract/github-openapi-subset.json");
    let mut spec: Value = serde_json::from_str(text).unwrap();
    modernise(&mut spec);
    spec
});
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// What is wrong with a request; empty when GitHub's description allows it.
pub fn wrong_request(method: &str, path: &str, query: &str, body: &Value) -> Vec<String> {
    let Some((template, operation)) = operation(method, path) else {
        return vec![format!("{method} {path} is not in the description")];
    };
    let mut wrong = vec![];
    let parameters = operation["parameters"].as_array().into_iter().flatten().map(|each| resolve(each).1);
    let known: HashMap<String, &Value> = parameters
        .filter(|each| each["in"] == "query")
        .map(|each| (each["name"].as_str().unwrap().to_owned(), each))
        .collect();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match known.get(name) {
            None => wrong.push(format!("{method} {template}: unknown query parameter `{name}`")),
            Some(parameter) => {
                let allowed = &parameter["schema"]["enum"];
                if allowed.as_array().is_some_and(|all| !all.contains(&json!(value))) {
                    wrong.push(format!("{method} {template}: `{name}={value}` is not one of {allowed}"));
                }
            }
        }
    }
    let escaped = template.replace('~', "~0").replace('/', "~1");
    let place =
        format!("/paths/{escaped}/{}/requestBody/content/application~1json/schema", method.to_lowercase());
    match SPEC.pointer(&place) {
        Some(schema) => {
            wrong.extend(
                errors(&place, body).into_iter().map(|error| format!("{method} {template}: {error}")),
            );
            let known = schema["properties"].as_object();
            for name in body.as_object().into_iter().flat_map(Map::keys) {
                if known.is_some_and(|known| !known.contains_key(name)) {
                    wrong.push(format!("{method} {template}: unknown field `{name}`"));
                }
            }
        }
        None if !body.is_null() => wrong.push(format!("{method} {template}: takes no body")),
        None => {}
    }
    wrong
}

/// What is wrong with a response; empty when GitHub's description allows it.
pub fn wrong_response(method: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
    let Some((template, operation)) = operation(method, path) else {
        return vec![format!("{method} {path} is not in the description")];
    };
    if status == 304 {
        return vec![];
    }
    let escaped = template.replace('~', "~0").replace('/', "~1");
    let place = format!("/paths/{escaped}/{}/responses/{status}", method.to_lowercase());
    let Some(response) = operation["responses"].get(status.to_string()) else {
        return vec![format!("{method} {template}: {status} is not in the description")];
    };
    let place = resolve(response).0.unwrap_or(place);
    let place = format!("{place}/content/application~1json/schema");
    if SPEC.pointer(&place).is_none() {
        let empty = body.is_null();
        return if empty { vec![] } else { vec![format!("{method} {template}: {status} has no body")] };
    }
    errors(&place, body).into_iter().map(|error| format!("{method} {template} {status}: {error}")).collect()
}

/// The smallest value of a component that its schema allows, with `fields` laid over it.
pub fn sample(component: &str, fields: Value) -> Value {
    let schema = &SPEC["components"]["schemas"][component];
    assert!(schema.is_object(), "`{component}` is in the description");
    let mut value = smallest(schema, 0);
    overlay(&mut value, fields);
    value
}

fn overlay(value: &mut Value, fields: Value) {
    match (value, fields) {
        (Value::Object(value), Value::Object(fields)) => {
            for (name, field) in fields {
                overlay(value.entry(name).or_insert(Value::Null), field);
            }
        }
        (value, field) => *value = field,
    }
}

fn smallest(schema: &'static Value, depth: usize) -> Value {
    let schema = resolve(schema).1;
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) if kinds.contains(&json!("null")) => return Value::Null,
        Value::Array(kinds) => kinds[0].clone(),
        kind => kind.clone(),
    };
    for union in ["anyOf", "oneOf"] {
        if let Some(all) = schema[union].as_array() {
            let null = all.iter().any(|each| each["type"] == "null");
            return if null || depth > 12 { Value::Null } else { smallest(&all[0], depth + 1) };
        }
    }
    let mut value = match kind.as_str() {
        Some("string") => match schema["format"].as_str() {
            Some("date-time") => json!("2026-11-21T12:00:00Z"),
            Some("uri") => json!("https://example.org/"),
            _ => json!(""),
        },
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        _ => json!({}),
    };
    for part in schema["allOf"].as_array().into_iter().flatten() {
        overlay(&mut value, smallest(part, depth + 1));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if depth <= 12 {
            value[name] = smallest(&schema["properties"][name], depth + 1);
        }
    }
    value
}

fn errors(place: &str, value: &Value) -> Vec<String> {
    let validator = {
        let mut known = VALIDATORS.lock().unwrap();
        known.entry(place.to_owned()).or_insert_with(|| Arc::new(validator(place))).clone()
    };
    let shown = |error: jsonschema::ValidationError<'_>| {
        format!("`{}`: {}", error.instance_path(), error.to_string().chars().take(200).collect::<String>())
    };
    validator.iter_errors(value).take(5).map(shown).collect()
}

/// One for the schema at a place, with all that it refers to.
fn validator(place: &str) -> Validator {
    let mut schema = json!({ "components": SPEC["components"].clone() });
    overlay(&mut schema, SPEC.pointer(place).unwrap().clone());
    jsonschema::options().with_draft(jsonschema::Draft::Draft202012).build(&schema).unwrap()
}

/// The path's template in the description and what it says of the method; the template with fewest holes wins.
fn operation(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        // The name of a ref may hold slashes.
        let is_ref = wanted.last() == Some(&"{ref}") && parts.len() >= wanted.len();
        (is_ref || wanted.len() == parts.len())
            && wanted.iter().zip(&parts).all(|(wanted, part)| wanted == part || wanted.starts_with('{'))
    };
    let paths = SPEC["paths"].as_object().unwrap().iter();
    let found = paths.filter(|(template, _)| fits(template));
    let rank = |template: &str| (template.matches('{').count(), template.split('/').count() != parts.len());
    let (template, methods) = found.min_by_key(|(template, _)| rank(template))?;
    Some((template, methods.get(method.to_lowercase())?))
}

/// What a value refers to, with the place of that, or the value itself.
fn resolve(value: &'static Value) -> (Option<String>, &'static Value) {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let place = reference.trim_start_matches('#').to_owned();
            let target = SPEC.pointer(&place).unwrap();
            (Some(place), target)
        }
        None => (None, value),
    }
}

/// From OpenAPI 3.0's way of allowing null to JSON Schema's.
fn modernise(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(modernise),
        Value::Object(fields) => {
            fields.values_mut().for_each(modernise);
            if fields.remove("nullable") != Some(json!(true)) {
                return;
            }
            if let Some(Value::Array(all)) = fields.get_mut("enum") {
                all.push(Value::Null);
            }
            match fields.get_mut("type") {
                Some(kind) => *kind = json!([kind.clone(), "null"]),
                None => {
                    let bare = Value::Object(std::mem::take(fields));
                    fields.insert("anyOf".into(), json!([bare, {"type": "null"}]));
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_description_catches_what_is_not_github() {
    let path = "/repos/acme/app/pulls";
    let good = json!({"head": "x", "base": "main", "title": "t", "draft": true});
    assert_eq!(wrong_request("POST", path, "", &good), Vec::<String>::new());
    assert_eq!(wrong_request("GET", path, "state=all&head=acme:x", &Value::Null), Vec::<String>::new());
    for (method, path, query, body) in [
        ("POST", path, "", json!({"head": "x"})),
        ("POST", path, "", json!({"head": "x", "base": 7})),
        ("POST", path, "", json!({"head": "x", "base": "main", "titel": "t"})),
        ("GET", path, "stat=all", Value::Null),
        ("GET", path, "state=every", Value::Null),
        ("GET", "/repos/acme/app/pull", "", Value::Null),
    ] {
        assert_ne!(
            wrong_request(method, path, query, &body),
            Vec::<String>::new(),
            "{method} {path} {query}"
        );
    }
    let pull = sample("pull-request", json!({"number": 7}));
    assert_eq!(wrong_response("GET", "/repos/acme/app/pulls/7", 200, &pull), Vec::<String>::new());
    assert_ne!(
        wrong_response("GET", "/repos/acme/app/pulls/7", 200, &json!({"number": 7})),
        Vec::<String>::new()
    );
    assert_ne!(wrong_response("GET", "/repos/acme/app/pulls/7", 418, &pull), Vec::<String>::new());
}
