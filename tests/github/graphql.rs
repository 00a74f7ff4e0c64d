//! GitHub's own GraphQL schema, as far as it is asked here: checks documents, their variables and answers against it. It
//! knows nothing of this program. `scripts/graphql-subset.mjs` takes it from the whole schema.

use std::sync::LazyLock;

use graphql_tools::parser::{parse_query, parse_schema};
use graphql_tools::static_graphql::query::{
    Definition, Document, OperationDefinition, Selection, SelectionSet,
};
use graphql_tools::static_graphql::query::{Type, TypeCondition};
use graphql_tools::static_graphql::schema;
use graphql_tools::validation::rules::default_rules_validation_plan;
use graphql_tools::validation::validate::validate;
use serde_json::{Value, json};

static SCHEMA: LazyLock<schema::Document> = LazyLock::new(|| {
    let text = include_str!("../contract/github-graphql-subset.graphql");
    // The library wants to be told what every schema has.
    let text = format!("{text}scalar Boolean scalar Float scalar ID scalar Int scalar String");
    parse_schema::<String>(&text).unwrap().into_static()
});

/// What is wrong with a document and its variables; empty when GitHub's schema allows them.
pub fn wrong_question(document: &str, variables: &Value) -> Vec<String> {
    let document = match parse_query::<String>(document) {
        Ok(document) => document.into_static(),
        Err(error) => return vec![format!("GraphQL: {error}: {document}")],
    };
    let found = validate(&SCHEMA, &document, &default_rules_validation_plan());
    let mut wrong: Vec<String> =
        found.into_iter().map(|each| format!("GraphQL: {}: {document}", each.message)).collect();
    let declared = operation(&document).variable_definitions();
    for each in declared {
        fits(&each.var_type, None, &variables[&each.name], &format!("${}", each.name), &mut wrong);
    }
    for name in variables.as_object().into_iter().flat_map(|all| all.keys()) {
        if !declared.iter().any(|known| known.name == *name) {
            wrong.push(format!("GraphQL: `{name}` is not declared"));
        }
    }
    wrong
}

/// What is wrong with an answer to a document that is right; empty when GitHub's schema allows it.
pub fn wrong_answer(document: &str, answer: &Value) -> Vec<String> {
    if answer["errors"].is_array() {
        return vec![];
    }
    let document = parse_query::<String>(document).unwrap().into_static();
    let operation = operation(&document);
    let root = match operation {
        OperationDefinition::Mutation(_) => "Mutation",
        _ => "Query",
    };
    let mut wrong = vec![];
    compare((root, operation.selection_set()), &answer["data"], "data", &mut wrong);
    wrong
}

/// The one operation of a document.
fn operation(document: &Document) -> &OperationDefinition {
    match &document.definitions[..] {
        [Definition::Operation(operation)] => operation,
        other => panic!("one operation, not {other:?}"),
    }
}

/// Fields of a type.
type Selected<'a> = (&'a str, &'a SelectionSet);

/// An object has the selected fields and no others.
fn compare((kind, set): Selected<'_>, object: &Value, place: &str, wrong: &mut Vec<String>) {
    let Some(given) = object.as_object() else {
        return wrong.push(format!("GraphQL: {place} is {object}, not a {kind}"));
    };
    let mut known = vec![];
    let mut sets = vec![(kind, set)];
    while let Some((kind, set)) = sets.pop() {
        let fields = SCHEMA.type_by_name(kind).unwrap();
        for selection in &set.items {
            match selection {
                Selection::Field(field) => {
                    known.push(field.name.as_str());
                    let place = format!("{place}.{}", field.name);
                    let declared = &fields.field_by_name(&field.name).unwrap().field_type;
                    match given.get(&field.name) {
                        Some(value) => fits(declared, Some(&field.selection_set), value, &place, wrong),
                        None => wrong.push(format!("GraphQL: {place} is missing")),
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let Some(TypeCondition::On(kind)) = &fragment.type_condition else {
                        panic!("a fragment says of what it is: {fragment:?}")
                    };
                    sets.push((kind, &fragment.selection_set));
                }
                Selection::FragmentSpread(spread) => panic!("no document here has one: {spread:?}"),
            }
        }
    }
    let others = given.keys().filter(|name| !known.contains(&name.as_str()));
    wrong.extend(others.map(|name| format!("GraphQL: {place}.{name} was not asked for")));
}

/// A value is of its type; an object, of which fields were selected, down to these.
fn fits(kind: &Type, selected: Option<&SelectionSet>, value: &Value, place: &str, wrong: &mut Vec<String>) {
    let fits = match (kind, value) {
        (Type::NonNullType(_), Value::Null) => false,
        (Type::NonNullType(kind), value) => return fits(kind, selected, value, place, wrong),
        (_, Value::Null) => true,
        (Type::ListType(kind), Value::Array(items)) => {
            return items.iter().for_each(|item| fits(kind, selected, item, place, wrong));
        }
        (Type::ListType(_), _) => false,
        (Type::NamedType(name), value) => match (name.as_str(), selected) {
            (name, Some(set)) if !set.items.is_empty() => return compare((name, set), value, place, wrong),
            ("Int", _) => value.is_i64(),
            ("Boolean", _) => value.is_boolean(),
            _ => value.is_string(),
        },
    };
    if !fits {
        wrong.push(format!("GraphQL: {place} is {value}, not {kind}"));
    }
}

const RESOLVE: &str =
    "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }";

#[test]
fn documents_and_variables_are_held_against_github_s_schema() {
    assert_eq!(wrong_question(RESOLVE, &json!({"id": "x"})), Vec::<String>::new());
    for (document, variables) in [
        (RESOLVE, json!({"id": null})),
        (RESOLVE, json!({"id": ["x"]})),
        (RESOLVE, json!({"id": "x", "other": 1})),
        ("mutation($id: ID!) { resolveThread(input: {threadId: $id}) { id } }", json!({"id": "x"})),
        (&RESOLVE.replace("threadId", "id"), json!({"id": "x"})),
        (&RESOLVE.replace("isResolved", "isSolved"), json!({"id": "x"})),
        (&RESOLVE.replace("$id: ID!", "$id: Int!"), json!({"id": 1})),
        (&RESOLVE.replace(" }", ""), json!({"id": "x"})),
    ] {
        assert_ne!(wrong_question(document, &variables), Vec::<String>::new(), "{document} {variables}");
    }
}

#[test]
fn answers_are_held_against_github_s_schema() {
    let answer = |thread: Value| json!({"data": {"resolveReviewThread": {"thread": thread}}});
    for right in [json!({"isResolved": true}), Value::Null] {
        assert_eq!(wrong_answer(RESOLVE, &answer(right)), Vec::<String>::new());
    }
    for wrong in [
        json!({"isResolved": null}),
        json!({"isResolved": "yes"}),
        json!({}),
        json!([]),
        json!({"isResolved": true, "id": "x"}),
    ] {
        assert_ne!(wrong_answer(RESOLVE, &answer(wrong.clone())), Vec::<String>::new(), "{wrong}");
    }
    assert_ne!(wrong_answer(RESOLVE, &json!({"data": {"done": true}})), Vec::<String>::new());
}
