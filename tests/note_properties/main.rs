//! Front matter is edited without touching what a human wrote. Knows the note room's public face only.

mod odd;
mod spellings;

use ado_vault::note::{EditError, PropertyValue, properties, set_property, split};
use serde_json::{Map, Value};

fn text(value: &str) -> PropertyValue {
    PropertyValue::Text(value.into())
}

fn list(items: &[&str]) -> PropertyValue {
    PropertyValue::List(items.iter().map(|item| (*item).to_owned()).collect())
}

/// Sets one property of the front matter and gives back the front matter.
fn set(front: &str, key: &str, value: Option<PropertyValue>) -> String {
    let note = format!("---\n{front}---\nbody\n");
    let edited = set_property(&note, key, value.as_ref()).unwrap();
    edited.strip_prefix("---\n").unwrap().strip_suffix("---\nbody\n").unwrap().to_owned()
}

#[test]
fn a_value_changes_in_place_and_keeps_quotes_and_comment() {
    let cases = [
        ("status: new # note\n", text("planned"), "status: planned # note\n"),
        ("status:   \"new\"  # note\n", text("planned"), "status:   \"planned\"  # note\n"),
        ("status: 'new'\n", text("it's"), "status: 'it''s'\n"),
        ("status:\n", text("planned"), "status: planned\n"),
        ("status: # note\n", text("planned"), "status: planned # note\n"),
        ("status: new\n", text("a: b"), "status: \"a: b\"\n"),
        ("status: \"5\"\n", PropertyValue::Integer(5), "status: 5\n"),
        ("status: |  # c\n  a\n  b\nx: 1\n", text("new"), "status: new  # c\nx: 1\n"),
        ("status: two\n  lines\nx: 1\n", text("new"), "status: new\nx: 1\n"),
        ("status: [a, b] # c\n", text("new"), "status: new # c\n"),
        ("status:\n  a: 1\nx: 1\n", text("new"), "status: new\nx: 1\n"),
        ("status:\n- a\nx: 1\n", PropertyValue::Bool(true), "status: true\nx: 1\n"),
        ("status: 1\n", PropertyValue::Number(1.25), "status: 1.25\n"),
        ("  status: a\n  x: 1\n", text("b"), "  status: b\n  x: 1\n"),
        ("Status: In Progress\n", text("planned"), "Status: planned\n"),
    ];
    for (front, value, expected) in cases {
        assert_eq!(set(front, "status", Some(value)), expected);
    }
}

#[test]
fn lists_keep_their_style_and_the_items_that_stay() {
    let cases = [
        ("l:\n  - a # why\n  - \"b\"\n  - c\n", list(&["a", "c"]), "l:\n  - a # why\n  - c\n"),
        ("l:\n  - a # why\n", list(&["a", "[[b]]"]), "l:\n  - a # why\n  - \"[[b]]\"\n"),
        ("l:\n- a\n# own\n- b\n", list(&["x", "b"]), "l:\n- x\n# own\n- b\n"),
        ("l: [a, b] # c\n", list(&["a", "b", "c d"]), "l: [a, b, c d] # c\n"),
        ("l: [ a,b , \"c\" ]\n", list(&["a", "c"]), "l: [ a , \"c\" ]\n"),
        ("l: [a, b]\n", list(&["b"]), "l: [b]\n"),
        ("l: [a]\n", list(&[]), "l: []\n"),
        ("l: []\n", list(&["a, b"]), "l: [\"a, b\"]\n"),
        ("l:\n  - a\nx: 1\n", list(&[]), "l: []\nx: 1\n"),
        ("l: a # c\nx: 1\n", list(&["a", "b"]), "l: # c\n  - a\n  - b\nx: 1\n"),
        ("l: [[FR-1 x]]\n", list(&["[[FR-1 x]]"]), "l: [\"[[FR-1 x]]\"]\n"),
        ("l:\n", list(&["a"]), "l:\n  - a\n"),
    ];
    for (front, value, expected) in cases {
        assert_eq!(set(front, "l", Some(value)), expected);
    }
}

#[test]
fn properties_are_added_at_the_end_and_removed_with_their_lines() {
    assert_eq!(set("a: 1\n# end\n", "b", Some(text("x"))), "a: 1\n# end\nb: x\n");
    assert_eq!(set("", "b", Some(list(&["x"]))), "b:\n  - x\n");
    assert_eq!(set("a: 1\nb: # c\n  - x\n\nd: 2\n", "b", None), "a: 1\n\nd: 2\n");
    assert_eq!(set("a: 1\n", "b", None), "a: 1\n");
    assert_eq!(set("a: 1\n", "odd: key", Some(text("x"))), "a: 1\n\"odd: key\": x\n");
}

#[test]
fn line_ends_and_byte_order_mark_stay() {
    let note = "\u{feff}---\r\na: 1\r\nl:\r\n  - x\r\n---\r\nbody\nmixed\r\n";
    let edited = set_property(note, "l", Some(&list(&["x", "z"]))).unwrap();
    let edited = set_property(&edited, "b", Some(&text("é"))).unwrap();
    assert_eq!(edited, "\u{feff}---\r\na: 1\r\nl:\r\n  - x\r\n  - z\r\nb: é\r\n---\r\nbody\nmixed\r\n");
    assert_eq!(
        set_property("\u{feff}x\r\ny", "a", Some(&text("b"))).unwrap(),
        "\u{feff}---\r\na: b\r\n---\r\nx\r\ny"
    );
    assert_eq!(set_property("", "a", Some(&text("b"))).unwrap(), "---\na: b\n---\n");
}

#[test]
fn an_equal_value_changes_no_byte() {
    let note = "---\na:   'x'   # c\nn: 1.0\nl: [ x,   \"y\" ]\n---\n";
    for (key, value) in [("a", text("x")), ("n", PropertyValue::Integer(1)), ("l", list(&["x", "y"]))] {
        assert_eq!(set_property(note, key, Some(&value)).unwrap(), note);
    }
}

#[test]
fn what_cannot_be_edited_safely_is_refused_with_its_line() {
    let cases = [
        ("---\na: 1\nowner: @mila\n---\n", 3),
        ("---\na: 1\na: 2\n---\n", 3),
        ("---\na: 1\n", 1),
        ("---\n{\"a\": 1}\n---\n", 2),
        ("---\nx: 1\nb: &k v\n---\n", 3),
        ("---\nb:\n  # mine\n  x: 1\n---\n", 2),
        ("---\nx: &k 1\nb: *k\n---\n", 3),
        ("---\n\tb: 1\n---\n", 2),
        // A lone carriage return ends a line for YAML alone.
        ("---\nb: 1\rc: 2\n---\n", 2),
        ("---\nb: 1\n---\n<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n", 4),
    ];
    for (note, line) in cases {
        match set_property(note, "b", Some(&text("v2"))) {
            Err(EditError::Unsafe { line: seen, remedy, .. }) => {
                assert_eq!(seen, line, "{note}");
                assert!(!remedy.is_empty());
            }
            other => panic!("{note}: {other:?}"),
        }
    }
    assert!(set_property("a", "b", Some(&PropertyValue::Number(f64::NAN))).is_err());
}

fn corpus() -> Vec<String> {
    let mut notes = Vec::new();
    let mut folders =
        vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                notes.push(text);
            }
        }
    }
    notes.extend(["---\ntitle: a\n---\nx", "plain", "", "---\r\na: [x]\r\n---\r\n"].map(String::from));
    notes
}

/// The property that every edit must have: read again, the note differs in that value alone, outside it in no byte.
fn check(note: &str, key: &str, value: Option<&PropertyValue>) -> Result<bool, String> {
    let Ok(edited) = set_property(note, key, value) else {
        return Ok(false);
    };
    let mut expected = properties(note).map_err(|e| format!("{e:?}"))?;
    match value {
        Some(value) => expected.insert(key.to_owned(), value.to_json()),
        None => expected.shift_remove(key),
    };
    let read = properties(&edited).map_err(|e| format!("{e:?} in {edited:?}"))?;
    if !same(&read, &expected) {
        return Err(format!("{read:?} is not {expected:?}"));
    }
    let again = set_property(&edited, key, value).map_err(|e| e.to_string())?;
    if again != edited {
        return Err("a second edit changed something".into());
    }
    if ado_vault::note::body(&edited) != ado_vault::note::body(note) {
        return Err("the body changed".into());
    }
    Ok(true)
}

fn same(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let number = |value: &Value| value.as_f64();
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|((k, v), (l, w))| k == l && (v == w || number(v).is_some_and(|n| Some(n) == number(w))))
}

#[test]
fn real_notes_are_edited_without_losing_a_byte() {
    let mut edited = 0;
    for note in corpus() {
        let keys: Vec<String> =
            properties(&note).map(|map| map.keys().cloned().collect()).unwrap_or_default();
        for key in keys.iter().map(String::as_str).chain(["ado-new"]) {
            for value in
                [None, Some(text("a: b")), Some(list(&["x", "[[y]]"])), Some(PropertyValue::Integer(7))]
            {
                edited += usize::from(
                    check(&note, key, value.as_ref()).unwrap_or_else(|e| panic!("{key}: {e}\n{note}")),
                );
                let other_lines = |text: &str| -> Vec<String> {
                    text.lines().filter(|line| line.starts_with("#")).map(String::from).collect()
                };
                if let Ok(after) = set_property(&note, key, value.as_ref()) {
                    assert_eq!(other_lines(&note), other_lines(&after), "a comment was lost");
                }
            }
        }
    }
    assert!(edited >= 10, "only {edited} edits were possible");
}

mod generated {
    use super::*;
    use proptest::prelude::*;

    fn scalar() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z0-9 .é:#'\\-]{0,12}",
            "\"[a-z #:,\\[\\]]{0,8}\"",
            "'[a-z #:,]{0,8}'",
            "\\[[a-z, \"]{0,10}\\]",
            "\\[\\[[a-z ]{1,6}\\]\\]",
            "-?[0-9]{1,5}(\\.[0-9]{1,3})?",
            Just("true".to_owned()),
            Just("|\n  a\n\n  b".to_owned()),
            Just(">-\n  # text\n  b".to_owned()),
            Just("\n  - a # c\n  - 'b'\n  # own\n  - 3".to_owned()),
            Just("\n- a\n- b".to_owned()),
            Just("\n  k: v\n  l: [1, 2]".to_owned()),
            Just("&a x".to_owned()),
            Just("two\n  lines".to_owned()),
            Just("\"two\n  lines\"".to_owned()),
            Just("[a,\n  b]".to_owned()),
        ]
    }

    fn note() -> impl Strategy<Value = String> {
        let line = (
            prop_oneof!["[a-d]", "\"[a-d] \"", Just("# c".to_owned())],
            scalar(),
            prop_oneof![Just(""), Just(" # c")],
        );
        (proptest::collection::vec(line, 0..6), any::<bool>(), any::<bool>(), "[ -~\n]{0,30}").prop_map(
            |(lines, crlf, bom, body)| {
                let mut note = String::from("---\n");
                for (key, value, comment) in lines {
                    if key == "# c" {
                        note.push_str("# c\n\n");
                    } else {
                        note.push_str(&format!("{key}: {value}{comment}\n"));
                    }
                }
                note.push_str("---\n");
                note.push_str(&body);
                let note = if crlf { note.replace('\n', "\r\n") } else { note };
                if bom { format!("\u{feff}{note}") } else { note }
            },
        )
    }

    fn value() -> impl Strategy<Value = Option<PropertyValue>> {
        prop_oneof![
            Just(None),
            "\\PC{0,20}".prop_map(|text| Some(PropertyValue::Text(text))),
            any::<String>().prop_map(|text| Some(PropertyValue::Text(text))),
            any::<i64>().prop_map(|n| Some(PropertyValue::Integer(n))),
            any::<f64>()
                .prop_filter("finite", |n| n.is_finite())
                .prop_map(|n| Some(PropertyValue::Number(n))),
            any::<bool>().prop_map(|b| Some(PropertyValue::Bool(b))),
            proptest::collection::vec(prop_oneof!["[a-c]", "\\PC{0,8}"], 0..4)
                .prop_map(|items| Some(PropertyValue::List(items))),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn only_the_wanted_value_differs(note in note(), key in "[a-e]", value in value()) {
            if let Err(error) = check(&note, &key, value.as_ref()) {
                prop_assert!(false, "{error}");
            }
        }

        #[test]
        fn any_text_can_be_split_and_put_together(text in "(\u{feff})?(---\r?\n)?[ -~é\r\n-]{0,60}") {
            if let Ok(parts) = split(&text) {
                prop_assert!(parts.body <= text.len());
                if let Some(front) = parts.front {
                    let fences = [&text[..front.start], &text[front.end..parts.body]];
                    for fence in fences {
                        prop_assert_eq!(fence.trim_start_matches('\u{feff}').trim_end(), "---");
                    }
                }
            }
            let _ = properties(&text);
        }
    }
}
