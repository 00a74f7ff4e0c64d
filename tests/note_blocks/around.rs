//! Managed blocks in any text: an edit changes the bytes of ado's block alone, whatever stands around and inside; where
//! the markers are damaged it changes nothing.

use ado_vault::domain::ContentHash;
use ado_vault::note::{EditError, block_hash, blocks, set_block, without_blocks};
use proptest::prelude::*;
use proptest::sample::select;

/// Lines as they stand around blocks, fences closed.
fn around() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => select(&["", "Text.", "# Head", "- [ ] task", "> [!note]", "| a | b |", "    indented", "---", "é 東京 🦀", "  "][..])
            .prop_map(str::to_owned),
        2 => select(&["```\n<!-- ado:begin plan -->\n```", "`<!-- ado:end plan -->`", "    <!-- ado:begin plan -->", "> <!-- ado:end plan -->"][..])
            .prop_map(str::to_owned),
        1 => select(&["~~~ md\n```\n~~~", "<!-- a comment -->", "<!--\nado:begin x\n-->", "ado:begin plan", "%% ado:end %%", "$$\nx\n$$"][..])
            .prop_map(str::to_owned),
        1 => "[ -~é]{0,16}".prop_filter("no fence, no comment", |line| !line.contains(['`', '~', '<'])),
    ];
    prop::collection::vec(line, 0..6).prop_map(|lines| lines.concat_lines())
}

trait Lines {
    fn concat_lines(&self) -> String;
}

impl Lines for Vec<String> {
    fn concat_lines(&self) -> String {
        self.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn front() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "",
            "---\nid: FR-1\n---\n",
            "---\na: \"<!-- ado:begin plan -->\"\n---\n",
            "\u{feff}---\na: 1\n---\n",
        ][..],
    )
}

fn block(name: &str, content: &str) -> String {
    format!("<!-- ado:begin {name} -->\n\n{content}\n\n<!-- ado:end {name} -->\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_bytes_of_the_block_change(
        front in front(),
        above in around(),
        below in around(),
        old in select(&["old", "> [!info]- Plan\n> x", "a\n\nb", "```\ncode\n```"][..]),
        new in prop_oneof![any::<String>(), around()],
        crlf in any::<bool>(),
        known in any::<bool>(),
    ) {
        let lines = |text: &str| if crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
        let (head, tail) = (lines(&format!("{front}# Title\n{above}\n")), lines(&format!("\n{below}{}", block("why", "because"))));
        let note = format!("{head}{}{tail}", lines(&block("plan", old)));
        let nobody = ContentHash::of("nobody");
        let known = if known { block_hash(old) } else { nobody };
        let edited = set_block(&note, "plan", Some(&new), Some(&known)).unwrap();
        prop_assert!(edited.starts_with(&head), "{edited:?}");
        prop_assert!(edited.ends_with(&tail), "{edited:?}");
        let found = blocks(&edited).unwrap();
        prop_assert_eq!(&found.iter().find(|block| block.name == "plan").unwrap().hash, &block_hash(&new));
        prop_assert_eq!(found.len(), 2);
        let edited_by_human = known == ContentHash::of("nobody") && block_hash(old) != block_hash(&new);
        if edited_by_human {
            prop_assert!(edited.contains(&lines(old)), "the human's words stay: {edited:?}");
        }
        let removed = set_block(&edited, "plan", None, None).unwrap();
        prop_assert!(removed.starts_with(head.trim_end()) && removed.ends_with(tail.trim_start()), "{removed:?}");
        prop_assert_eq!(blocks(&removed).unwrap().len(), 1);
    }

    #[test]
    fn damaged_markers_stop_every_edit(
        above in around(),
        between in around(),
        below in around(),
        damage in select(&[
            ("<!-- ado:begin plan -->", ""),
            ("", "<!-- ado:end plan -->"),
            ("<!-- ado:end plan -->", "<!-- ado:begin plan -->"),
            ("<!-- ado:begin plan -->", "<!-- ado:begin plan -->"),
            ("<!-- ado:begin plan -->\n<!-- ado:begin why -->", "<!-- ado:end plan -->\n<!-- ado:end why -->"),
            ("<!-- ado:begin plan -->\n<!-- ado:end plan -->", "<!-- ado:begin plan -->\n<!-- ado:end plan -->"),
            ("<!-- ado:begin plan -->", "<!-- ado:end Plan -->"),
            ("<!-- ado:begin -->", "<!-- ado:end -->"),
            ("<!-- ado:begin plan", "-->"),
            ("<!-- ado:start plan -->", "<!-- ado:end plan -->"),
        ][..]),
        name in select(&["plan", "why", "review"][..]),
        remove in any::<bool>(),
    ) {
        let note = format!("# Title\n{above}{}\n{between}{}\n{below}", damage.0, damage.1);
        let found = blocks(&note);
        prop_assert!(found.is_err(), "{note:?}");
        let damaged = found.unwrap_err();
        let lines = note.lines().count() as u32;
        prop_assert!(damaged.iter().all(|one| (1..=lines).contains(&one.line) && !one.remedy.is_empty()));
        let content = (!remove).then_some("x");
        prop_assert!(matches!(set_block(&note, name, content, None), Err(EditError::Markers(_))));
        prop_assert_eq!(without_blocks(&note), note);
    }
}
