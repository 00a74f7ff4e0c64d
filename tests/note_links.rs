//! A move mends the links that it breaks and touches no other byte.

use ado_vault::domain::NotePath;
use ado_vault::note::{mend_canvas, mend_links};

fn path(text: &str) -> NotePath {
    NotePath::new(text).unwrap()
}

const FROM: &str = "10_features/03_planned/FR-1 A b.md";
const TO: &str = "10_features/04_in_progress/FR-1 A b.md";

/// The note at `at` after FR-1 moved on.
fn after_move(at: &str, text: &str) -> String {
    let moves = [(path(FROM), path(TO))];
    let after = if at == FROM { path(TO) } else { path(at) };
    mend_links(text, &path(at), &after, &moves).unwrap_or_else(|| text.to_owned())
}

#[test]
fn path_wikilinks_follow_and_names_stay() {
    let cases = [
        ("[[10_features/03_planned/FR-1 A b]]", "[[10_features/04_in_progress/FR-1 A b]]"),
        (
            "![[10_features/03_planned/FR-1 A b.md#H ^x|alias]]",
            "![[10_features/04_in_progress/FR-1 A b.md#H ^x|alias]]",
        ),
        ("[[03_planned/fr-1 a b#^id]]", "[[04_in_progress/FR-1 A b#^id]]"),
        ("[[/10_features/03_planned/FR-1 A b]]", "[[/10_features/04_in_progress/FR-1 A b]]"),
        ("| [[03_planned/FR-1 A b\\|x]] |\n|-|\n", "| [[04_in_progress/FR-1 A b\\|x]] |\n|-|\n"),
        ("- [ ] [[03_planned/FR-1 A b]]", "- [ ] [[04_in_progress/FR-1 A b]]"),
        (
            "---\nx: '[[03_planned/FR-1 A b]]' # [[03_planned/FR-1 A b]]\n---\n",
            "---\nx: '[[04_in_progress/FR-1 A b]]' # [[04_in_progress/FR-1 A b]]\n---\n",
        ),
        ("[[FR-1 A b]] [[other/FR-1 A b]] [[#x]]", "[[FR-1 A b]] [[other/FR-1 A b]] [[#x]]"),
        (
            "`[[03_planned/FR-1 A b]]`\n\n```\n[[03_planned/FR-1 A b]]\n```\n",
            "`[[03_planned/FR-1 A b]]`\n\n```\n[[03_planned/FR-1 A b]]\n```\n",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(after_move("00_system/Home.md", text), expected);
    }
}

#[test]
fn relative_links_into_the_note_follow_in_their_own_writing() {
    let cases = [
        (
            "[t](../10_features/03_planned/FR-1%20A%20b.md#h \"q\")",
            "[t](../10_features/04_in_progress/FR-1%20A%20b.md#h \"q\")",
        ),
        (
            "![t](<../10_features/03_planned/FR-1 A b.md>)",
            "![t](<../10_features/04_in_progress/FR-1 A b.md>)",
        ),
        ("[t](/10_features/03_planned/FR-1%20A%20b)", "[t](/10_features/04_in_progress/FR-1%20A%20b)"),
        ("[t](10_features/03_planned/FR-1%20A%20b.md)", "[t](10_features/04_in_progress/FR-1%20A%20b.md)"),
        (
            "[r]\n\n[r]: <../10_features/03_planned/FR-1 A b.md> 'x'\n",
            "[r]\n\n[r]: <../10_features/04_in_progress/FR-1 A b.md> 'x'\n",
        ),
        (
            "[t](https://x/03_planned/FR-1%20A%20b.md) [u](Other.md)",
            "[t](https://x/03_planned/FR-1%20A%20b.md) [u](Other.md)",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(after_move("00_system/Home.md", text), expected);
    }
}

#[test]
fn relative_links_out_of_the_moved_note_are_turned() {
    let cases = [
        ("[t](FR-2.md)", "[t](../03_planned/FR-2.md)"),
        ("[t](./img/a.png)", "[t](../03_planned/img/a.png)"),
        ("[t](../../30_policy/Routing.md#weights)", "[t](../../30_policy/Routing.md#weights)"),
        ("[t](../04_in_progress/FR-3.md)", "[t](FR-3.md)"),
        ("[t](./../04_in_progress/FR-3.md)", "[t](./FR-3.md)"),
        ("[t](FR-1%20A%20b.md#h)", "[t](FR-1%20A%20b.md#h)"),
        ("[t](30_policy/Routing.md)", "[t](30_policy/Routing.md)"),
        ("[t](#h) [u](../../../outside.md)", "[t](#h) [u](../../../outside.md)"),
    ];
    for (text, expected) in cases {
        assert_eq!(after_move(FROM, text), expected);
    }
}

#[test]
fn a_rename_changes_names_and_is_encoded_where_needed() {
    let moves = [(path("a/Old.md"), path("a/New (1) é.md"))];
    let home = path("Home.md");
    let mend = |text: &str| mend_links(text, &home, &home, &moves).unwrap();
    assert_eq!(mend("[[Old|x]]"), "[[New (1) é|x]]");
    assert_eq!(mend("[t](a/Old.md)"), "[t](a/New%20%281%29%20é.md)");
    assert_eq!(mend("[t](<a/Old.md>)"), "[t](<a/New (1) é.md>)");
    let hash = [(path("a/Old.md"), path("a/N#1.md"))];
    assert_eq!(mend_links("[[a/Old]]", &home, &home, &hash), None);
    assert_eq!(mend_links("[t](a/Old.md)", &home, &home, &hash).unwrap(), "[t](a/N%231.md)");
    let quote = [(path("a/Old.md"), path("a/It's.md"))];
    let front = "---\nx: '[[a/Old]]'\n---\n[[a/Old]]";
    assert_eq!(mend_links(front, &home, &home, &quote).unwrap(), "---\nx: '[[a/Old]]'\n---\n[[a/It's]]");
}

#[test]
fn nothing_to_mend_is_no_change() {
    let moves = [(path(FROM), path(TO))];
    let home = path("Home.md");
    assert_eq!(mend_links("[[x]] text", &home, &home, &moves), None);
    assert_eq!(mend_links("", &path(FROM), &path(TO), &moves), None);
}

#[test]
fn a_canvas_keeps_every_byte_but_the_moved_path() {
    let canvas = "{\n\t\"nodes\":[\n\t\t{\"id\":\"1\",\"file\" : \"10_features\\/03_planned/FR-1 A b.md\",\"subpath\":\"#x\",\"mine\":1.50},\n\t\t{\"type\":\"text\",\"text\":\"file\",\"x\":\"10_features/03_planned/FR-1 A b.md\"}\n\t]\n}";
    let moves = [(path(FROM), path(TO))];
    let mended = mend_canvas(canvas, &moves).unwrap();
    assert_eq!(mended, canvas.replace("10_features\\/03_planned/FR-1 A b.md", TO));
    assert_eq!(mend_canvas(&mended, &moves), None);
    let bookmarks = format!("{{\"items\":[{{\"type\":\"file\",\"path\":\"{FROM}\"}}]}}");
    assert_eq!(mend_canvas(&bookmarks, &moves).unwrap(), bookmarks.replace(FROM, TO));
    assert_eq!(mend_canvas("{\"file\": ", &moves), None);
}

mod generated {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_move_there_and_back_restores_every_byte(parts in proptest::collection::vec(prop_oneof![
            Just("[[03_planned/FR-1 A b|x]]".to_owned()),
            Just("[t](<../10_features/03_planned/FR-1 A b.md#h>)".to_owned()),
            Just("`[[03_planned/FR-1 A b]]`".to_owned()),
            Just("[![[03_planned/FR-1 A b]]](../10_features/03_planned/FR-1%20A%20b.md)".to_owned()),
            "[\\[\\]()!|#<>`\\\\ a\n-]{0,12}",
        ], 0..6)) {
            let text = parts.concat();
            let home = path("00_system/Home.md");
            let there = [(path(FROM), path(TO))];
            let back = [(path(TO), path(FROM))];
            if let Some(moved) = mend_links(&text, &home, &home, &there) {
                prop_assert_eq!(mend_links(&moved, &home, &home, &there), None);
                prop_assert_eq!(mend_links(&moved, &home, &home, &back).unwrap(), text);
            }
        }
    }
}
