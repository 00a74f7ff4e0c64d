//! One value, many spellings: Obsidian's properties panel writes quotes, comments, list style and line ends anew. That is
//! no change of what a note says: it reads as the same feature, and an edit to the value that it has touches nothing.

use ado_vault::domain::{ContentHash, Feature, NotePath, Status};
use ado_vault::note::{PropertyValue, parse_feature, set_property};
use proptest::prelude::*;
use proptest::sample::select;

/// A property and its value, without a way of writing it.
#[derive(Debug, Clone)]
struct Said {
    name: &'static str,
    value: PropertyValue,
}

fn text(values: &'static [&'static str]) -> impl Strategy<Value = PropertyValue> {
    select(values).prop_map(|value| PropertyValue::Text(value.to_owned()))
}

fn said() -> impl Strategy<Value = Vec<Said>> {
    let links = prop::collection::vec(select(&["[[FR-002 B]]", "FR-003", "[[FR-4 C, D]]"][..]), 1..4);
    let tags = prop::collection::vec(select(&["a", "b c", "d: e", "#f", "yes", "1.10", "é"][..]), 1..4);
    let list = |items: Vec<&str>| PropertyValue::List(items.into_iter().map(str::to_owned).collect());
    (
        text(&["Dark mode", "it's \"dark\"", "a: b", "café — 東京", "- x", "5", "yes", " padded "]),
        text(&["planned", "in_progress", "done"]),
        1_i64..5,
        links.prop_map(list),
        tags.prop_map(list),
        (
            any::<bool>(),
            select(&[0.5, 1.0, 20.25][..]),
            text(&["human: which one?", "approval: plan", "@mila"]),
        ),
    )
        .prop_map(|(title, status, priority, depends_on, tags, (approved, budget, waiting))| {
            let said = |name, value| Said { name, value };
            vec![
                said("id", PropertyValue::Text("FR-001".to_owned())),
                said("title", title),
                said("status", status),
                said("priority", PropertyValue::Integer(priority)),
                said("depends_on", depends_on),
                said("tags", tags),
                said("approved", PropertyValue::Bool(approved)),
                said("budget_usd", PropertyValue::Number(budget)),
                said("waiting_on", waiting),
            ]
        })
}

/// A text on one line in one of four ways; the plain one where it means itself.
fn scalar(value: &str, way: usize, in_brackets: bool) -> String {
    let quoted = format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    let is_plain = value.starts_with(|c: char| c.is_alphabetic())
        && !value.contains([':', '#', '"', '[', ']', ','])
        && value.trim() == value;
    match way % 4 {
        0 if is_plain => value.to_owned(),
        1 => format!("'{}'", value.replace('\'', "''")),
        2 if !in_brackets && value.trim() == value => format!("|-\n  {value}"),
        3 if !in_brackets && value.trim() == value => format!(">-\n  {value}"),
        _ => quoted,
    }
}

fn written(said: &[Said], ways: &[usize], newline: &str) -> String {
    let mut text = String::from("---\n");
    for (said, way) in said.iter().zip(ways) {
        if way % 5 == 0 {
            text.push_str("# a comment\n\n");
        }
        let comment = if way % 3 == 0 { "  # why" } else { "" };
        let value = match &said.value {
            PropertyValue::Text(value) if value != "padded" => {
                let value = scalar(value, *way, false);
                match value.split_once('\n') {
                    Some((head, below)) => format!(" {head}{comment}\n{below}"),
                    None => format!(" {value}{comment}"),
                }
            }
            PropertyValue::List(items) if way % 2 == 0 => {
                let items: Vec<String> = items.iter().map(|item| scalar(item, *way + 1, true)).collect();
                format!(" [{}]{comment}", items.join([", ", ",  "][way % 2]))
            }
            PropertyValue::List(items) => {
                let indent = ["", "  ", "    "][way % 3];
                let line = |item: &String| format!("\n{indent}- {}", scalar(item, *way / 2, true));
                format!("{comment}{}", items.iter().map(line).collect::<String>())
            }
            PropertyValue::Number(number) if way % 2 == 0 => format!(" {number:.2}{comment}"),
            other => format!("   {}{comment}", other.to_json()),
        };
        text.push_str(&format!("{}:{value}\n", said.name));
    }
    text.push_str("---\n\n# Title\n\nWhat is wanted.\n\n- [ ] One\n");
    text.replace('\n', newline)
}

/// What a feature says, without how and in which lines.
fn meaning(text: &str) -> (Feature, ContentHash) {
    let path = NotePath::new("10_features/03_planned/FR-001 A.md").unwrap();
    let mut feature = parse_feature(&path, text, Some(Status::Planned));
    let request = feature.request_hash();
    feature.brief = feature.brief.replace("\r\n", "\n").into();
    feature.marks.clear();
    feature.diagnostics.iter_mut().for_each(|diagnostic| diagnostic.line = 0);
    (feature, request)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_note_that_is_written_otherwise_says_the_same(
        said in said(),
        ways in prop::collection::vec((0_usize..60, 0_usize..60), 9),
        windows in any::<(bool, bool)>(),
    ) {
        let (one, other): (Vec<usize>, Vec<usize>) = ways.into_iter().unzip();
        let newline = |crlf: bool| if crlf { "\r\n" } else { "\n" };
        let texts = [written(&said, &one, newline(windows.0)), written(&said, &other, newline(windows.1))];
        let [(one, asked), (other, asked_again)] = texts.each_ref().map(|text| meaning(text));
        prop_assert!(!one.has_errors(), "{:?}", one.diagnostics);
        prop_assert_eq!(&one, &other, "{:?}", texts);
        prop_assert_eq!(asked, asked_again, "{:?}", texts);
        for text in &texts {
            for said in &said {
                prop_assert_eq!(&set_property(text, said.name, Some(&said.value)).unwrap(), text, "{}", said.name);
            }
        }
    }
}
