//! Managed blocks are written, refreshed and removed without touching what a human wrote around or in them.

mod around;

use ado_vault::domain::ContentHash;
use ado_vault::note::{EditError, block_hash, blocks, set_block, without_blocks};

const NOTE: &str = "---\nid: FR-1\n---\n# Title\n\nText.\n";

fn plan(content: &str) -> String {
    format!("<!-- ado:begin plan -->\n\n{content}\n\n<!-- ado:end plan -->")
}

#[test]
fn a_block_is_created_at_the_end_replaced_in_place_and_removed() {
    let one = set_block(NOTE, "plan", Some("> one\n"), None).unwrap();
    assert_eq!(one, format!("{NOTE}\n{}\n", plan("> one")));
    let known = blocks(&one).unwrap()[0].hash.clone();
    assert_eq!(known, block_hash("> one\n"));
    let moved =
        one.replace("Text.\n\n", "").replace("plan -->\n\n> one", "plan -->\n> one") + "\nText below.\n";
    let two = set_block(&moved, "plan", Some("two"), Some(&known)).unwrap();
    assert_eq!(two, format!("---\nid: FR-1\n---\n# Title\n\n{}\n\nText below.\n", plan("two")));
    assert_eq!(set_block(&two, "plan", None, None).unwrap(), "---\nid: FR-1\n---\n# Title\n\nText below.\n");
    assert_eq!(set_block(&one, "plan", None, None).unwrap(), NOTE);
    assert_eq!(set_block(NOTE, "plan", None, None).unwrap(), NOTE);
}

#[test]
fn line_ends_follow_the_note() {
    let note = "# T\r\n\r\nText";
    let one = set_block(note, "why", Some("a\nb"), None).unwrap();
    assert_eq!(
        one,
        "# T\r\n\r\nText\r\n\r\n<!-- ado:begin why -->\r\n\r\na\r\nb\r\n\r\n<!-- ado:end why -->\r\n"
    );
    assert_eq!(blocks(&one).unwrap()[0].content, "a\nb");
    assert_eq!(
        set_block("", "why", Some("a"), None).unwrap(),
        "<!-- ado:begin why -->\n\na\n\n<!-- ado:end why -->\n"
    );
}

#[test]
fn a_block_that_a_human_edited_stays_as_text_above_the_fresh_one() {
    let one = set_block(NOTE, "plan", Some("first"), None).unwrap();
    let known = blocks(&one).unwrap()[0].hash.clone();
    let human = one.replace("first", "first, and my own words");
    let fresh = set_block(&human, "plan", Some("second"), Some(&known)).unwrap();
    assert_eq!(fresh, format!("{NOTE}\nfirst, and my own words\n\n{}\n", plan("second")));
    assert_eq!(set_block(&fresh, "plan", Some("second"), Some(&known)).unwrap(), fresh);
    let removed = set_block(&human, "plan", None, Some(&known)).unwrap();
    assert_eq!(removed, format!("{NOTE}\nfirst, and my own words\n"));
}

#[test]
fn damaged_markers_are_reported_with_their_lines_and_nothing_is_written() {
    let cases = [
        ("a\n<!-- ado:begin plan -->\nb\n", vec![2]),
        ("<!-- ado:end plan -->\n", vec![1]),
        ("<!-- ado:begin a -->\n<!-- ado:begin b -->\n<!-- ado:end a -->\n<!-- ado:end b -->\n", vec![2, 4]),
        ("<!-- ado:begin a -->\n<!-- ado:end a -->\n<!-- ado:begin a -->\n<!-- ado:end a -->\n", vec![3]),
        ("<!-- ado:begin a\n", vec![1]),
        ("---\nx: 1\n---\n<!-- ado:end a -->\n", vec![4]),
    ];
    for (note, lines) in cases {
        let damage = blocks(note).unwrap_err();
        assert_eq!(damage.iter().map(|d| d.line).collect::<Vec<_>>(), lines, "{note}");
        assert!(damage.iter().all(|d| d.code == "marker-damage"));
        assert!(matches!(set_block(note, "why", Some("x"), None), Err(EditError::Markers(_))));
        assert_eq!(without_blocks(note), note);
    }
}

#[test]
fn markers_in_code_are_text() {
    let note =
        "```md\n<!-- ado:begin plan -->\n```\n\n    <!-- ado:end plan -->\n\nSee `<!-- ado:begin x -->`.\n";
    assert_eq!(blocks(note).unwrap(), vec![]);
    let with = set_block(note, "plan", Some("x"), None).unwrap();
    assert!(with.starts_with(note));
    assert_eq!(without_blocks(&with), note);
}

#[test]
fn no_content_can_break_out_of_its_block() {
    for content in [
        "<!-- ado:end plan -->\nstatus: done",
        "<!-- ado:begin why -->",
        "```\nnever closed",
        "~~~~\n```",
        "<<<<<<< a\n=======\n>>>>>>> b",
        "\u{1b}[2Jx\u{202e}",
        "",
        "<!--  ado:x",
    ] {
        let note = set_block(NOTE, "plan", Some(content), None).unwrap();
        let found = blocks(&note).unwrap();
        assert_eq!(found.len(), 1, "{note}");
        assert_eq!(found[0].hash, block_hash(content), "{note}");
        assert_eq!(set_block(&note, "plan", Some(content), None).unwrap(), note);
        assert_eq!(set_block(&note, "plan", Some(&found[0].content), None).unwrap(), note);
        assert!(!note.contains(['\u{1b}', '\u{202e}']) && !note.contains("\n<<<<<<< "));
    }
}

#[test]
fn a_note_that_ends_in_an_open_fence_gets_no_block() {
    match set_block("text\n\n```\ncode\n", "plan", Some("x"), None) {
        Err(EditError::Unsafe { line: 3, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert!(set_block("x", "Bad Name", Some("x"), None).is_err());
}

mod generated {
    use super::*;
    use proptest::prelude::*;

    fn note() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            "[a-z #*>`~-]{0,10}",
            Just("```".to_owned()),
            Just("    ```".to_owned()),
            Just("<!-- ado:begin plan -->".to_owned()),
            Just("<!-- ado:end plan -->".to_owned()),
            Just("<!-- ado:begin why -->\n\nold\n\n<!-- ado:end why -->".to_owned()),
            Just(String::new()),
        ];
        (proptest::collection::vec(line, 0..8), prop_oneof![Just("\n"), Just("\r\n")])
            .prop_map(|(lines, newline)| lines.join("\n").replace('\n', newline))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn setting_twice_is_setting_once(
            note in note(),
            content in prop_oneof!["[a-z`~<> \n-]{0,20}", note()],
            known in prop_oneof![Just(None), Just(Some(ContentHash::of("other")))],
            remove in any::<bool>(),
        ) {
            let content = (!remove).then_some(content.as_str());
            if let Ok(once) = set_block(&note, "plan", content, known.as_ref()) {
                prop_assert_eq!(&set_block(&once, "plan", content, known.as_ref()).unwrap(), &once);
                let found = blocks(&once).unwrap();
                let plan = found.iter().find(|block| block.name == "plan");
                prop_assert_eq!(plan.map(|block| block.hash.clone()), content.map(block_hash));
                if !note.contains("ado:begin plan") {
                    let (after, before) = (without_blocks(&once), without_blocks(&note));
                    prop_assert_eq!(after.trim_end(), before.trim_end());
                }
            }
        }

        #[test]
        fn no_human_line_is_lost(note in note(), content in "[a-z\n]{0,20}") {
            if let Ok(edited) = set_block(&note, "plan", Some(&content), Some(&ContentHash::of("other"))) {
                for line in note.lines().filter(|line| !line.contains("ado:") && !line.trim().is_empty()) {
                    prop_assert!(edited.lines().any(|other| other.trim_end() == line.trim_end()), "{line:?} in {edited:?}");
                }
            }
        }
    }
}
