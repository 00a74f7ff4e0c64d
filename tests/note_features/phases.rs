//! Status cells of phase tables: only they change, only where a row is proven, and as the note writes them.

use ado_vault::domain::NotePath;
use ado_vault::note::{parse_feature, settle_rows};

fn proven(rows: &[&str]) -> Vec<String> {
    rows.iter().map(|row| (*row).to_owned()).collect()
}

/// The text with these rows proven; doing it twice does no more.
fn settled(text: &str, rows: &[&str]) -> String {
    let once = settle_rows(text, &proven(rows)).unwrap();
    assert_eq!(settle_rows(&once, &proven(rows)).unwrap(), once, "idempotent");
    once
}

fn request_hash(text: &str) -> String {
    parse_feature(&NotePath::new("FR-1 x.md").unwrap(), text, None).request_hash().as_str().to_owned()
}

const NOTE: &str = "---
id: FR-1
---
## Phase overview

| Phase | Description | Status |
|---|---|---|
| Phase 1 | Registry | — |
| Phase 2 | Queue | Not started |

## Phase 1: Registry

| File / Feature | Details    | Owner | Status      |
|----------------|------------|-------|-------------|
| `src/a.rs`     | list jobs  | ado   | todo        |
| `src/b.rs`     | show jobs  | —     | in progress |

## Phase 2: Queue

| File / Feature | Details | Owner | Status |
|---|---|---|---|
| `src/q.rs` | order | ado | ⬜ Not started |
| Dashboard | chart | mv | todo |
";

#[test]
fn a_proven_row_is_done_and_its_column_stays_straight() {
    let rows = ["Phase 1: `src/a.rs`: list jobs"];
    let expected = NOTE.replace("| ado   | todo        |", "| ado   | done        |");
    assert_eq!(settled(NOTE, &rows), expected);
    assert_eq!(request_hash(&expected), request_hash(NOTE), "how far the work is, is no request");
    assert_ne!(request_hash(&NOTE.replace("list jobs ", "list all jobs ")), request_hash(NOTE));
}

#[test]
fn the_overview_follows_when_every_row_of_a_phase_is_done() {
    let rows =
        ["Phase 1: `src/a.rs`: list jobs", "Phase 1: `src/b.rs`: show jobs", "Phase 2: `src/q.rs`: order"];
    let expected = NOTE
        .replace("| Registry | — |", "| Registry | done |")
        .replace("| todo        |", "| done        |")
        .replace("| in progress |", "| done        |")
        .replace("| ⬜ Not started |", "| ✅ Done |");
    // Dashboard is a person's: the second phase is not done.
    assert_eq!(settled(NOTE, &rows), expected);
    let by_mv = NOTE.replace("| mv | todo |", "| mv | ✅ Done |");
    let all = settled(&by_mv, &rows);
    assert!(all.contains("| Queue | ✅ Done |") && all.contains("| Registry | ✅ Done |"), "{all}");
}

#[test]
fn rows_of_people_and_rows_that_are_not_proven_stay() {
    assert_eq!(settled(NOTE, &["Phase 2: Dashboard: chart"]), NOTE);
    assert_eq!(settled(NOTE, &["Phase 2: `src/a.rs`: list jobs", "Phase 1: `src/a.rs`"]), NOTE);
    assert_eq!(settled(NOTE, &[]), NOTE);
}

#[test]
fn what_a_human_wrote_in_own_words_stays() {
    for words in ["see [[Plan]]", "todo (ask Ann)", "done except the tests", "✅ Done", "dropped"] {
        let note = NOTE.replace("| ado   | todo        |", &format!("| ado | {words} |"));
        assert_eq!(settled(&note, &["Phase 1: `src/a.rs`: list jobs"]), note, "{words}");
    }
}

fn one_phase(table: &str) -> String {
    format!("## Phase 1\n\n{table}")
}

#[test]
fn pipes_within_cells_are_no_borders() {
    let table = "| File | Details | Status |\n|---|---|---|\n| `a\\|b` | see [[Q\\|the queue]] \\| `c\\|d` | todo |\n";
    let row = "Phase 1: `a|b`: see [[Q|the queue]] | `c|d`";
    assert_eq!(settled(&one_phase(table), &[row]), one_phase(&table.replace("todo", "done")));
    // An unescaped pipe moves all cells behind it: none of them is where its head says.
    let table =
        "| File | Details | Status |\n|---|---|---|\n| `a|b` | det | todo |\n| `a` | b | todo | x |\n";
    assert_eq!(settled(&one_phase(table), &["Phase 1: `a: b`", "Phase 1: `a`: b"]), one_phase(table));
}

#[test]
fn tables_are_edited_in_the_form_that_they_have() {
    for (table, expected) in [
        ("File | Status\n---|---\na | todo\n", "File | Status\n---|---\na | done\n"),
        ("File | Status\r\n---|---\r\na | wip  \r\n", "File | Status\r\n---|---\r\na | done  \r\n"),
        ("|File|Status|\n|-|-|\n|a||\n", "|File|Status|\n|-|-|\n|a|done|\n"),
        ("|File|Status|\n|-|-|\n|a|-|", "|File|Status|\n|-|-|\n|a|done|"),
        ("| File | Status |\n|-|-:|\n| a |      — |\n", "| File | Status |\n|-|-:|\n| a |   done |\n"),
        ("| File | Status |\n|-|-|\n| a |        |\n", "| File | Status |\n|-|-|\n| a | done   |\n"),
        ("| File | Status |\n|-|-|\n| a |  |\n", "| File | Status |\n|-|-|\n| a | done |\n"),
        ("| File | Status |\n|-|-|\n| a | TODO |\n", "| File | Status |\n|-|-|\n| a | DONE |\n"),
        (
            "> | File | Status |\n> |-|-|\n> | a | **wip** |\n",
            "> | File | Status |\n> |-|-|\n> | a | done |\n",
        ),
        ("| Status | Task |\n|-|-|\n| [ ] | a |\n", "| Status | Task |\n|-|-|\n| [x] | a |\n"),
    ] {
        assert_eq!(settled(&one_phase(table), &["Phase 1: a"]), one_phase(expected));
    }
    // A row that leaves its status out has no cell to write into.
    for table in [
        "| File | Status |\n|-|-|\n| a |\n| a |",
        "File | Status\n-|-\na\n",
        "| File | Owner |\n|-|-|\n| a | |\n",
    ] {
        assert_eq!(settled(&one_phase(table), &["Phase 1: a"]), one_phase(table));
    }
}

#[test]
fn tables_in_code_blocks_and_in_ados_own_blocks_are_no_phases() {
    let table = "| File | Status |\n|-|-|\n| a | todo |\n";
    let note = format!(
        "## Phase 1\n\n```\n{table}```\n\n<!-- ado:begin plan -->\n\n{table}\n<!-- ado:end plan -->\n"
    );
    assert_eq!(settled(&note, &["Phase 1: a"]), note);
    assert!(settle_rows("---\nx", &proven(&["Phase 1: a"])).is_err());
}

mod generated {
    use super::*;
    use proptest::prelude::*;

    fn cell() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-c `\\*é]{0,6}",
            Just("[[x\\|y]]".to_owned()),
            Just("`p\\|q`".to_owned()),
            Just("`p|q`".to_owned()),
        ]
    }

    fn status() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(String::new()),
            "(todo|Todo|—|-|⬜|🚧 WIP|not started|done|✅|✅ Done|see x|dropped|40%)",
            "[a-z|\\\\ ]{0,5}",
        ]
    }

    fn owner() -> impl Strategy<Value = String> {
        "(ado|—||Ann|agent)"
    }

    fn note() -> impl Strategy<Value = String> {
        let row = (cell(), cell(), owner(), status(), 0..4_usize);
        let rows = proptest::collection::vec(row, 1..5);
        let table = (rows, any::<bool>(), 0..3_usize);
        (proptest::collection::vec(table, 1..4), prop_oneof![Just("\n"), Just("\r\n")], any::<bool>())
            .prop_map(|(tables, newline, ends)| {
                let mut lines = vec![
                    "---".to_owned(),
                    "id: FR-1".into(),
                    "---".into(),
                    "## Phases".into(),
                    String::new(),
                ];
                lines.extend(["| Phase | Description | Status |".into(), "|---|---|---|".into()]);
                lines.extend((1..=tables.len()).map(|n| format!("| Phase {n} | x | — |")));
                for (at, (rows, outer, pad)) in tables.into_iter().enumerate() {
                    let (open, close) = if outer { ("| ", " |") } else { ("", "") };
                    lines.extend([
                        String::new(),
                        format!("{} Phase {}: t", "#".repeat(2 + pad % 2), at + 1),
                        String::new(),
                    ]);
                    lines.push(format!("{open}File | Details | Owner | Status{close}"));
                    lines.push(format!("{open}--- | --- | --- | ---{close}"));
                    for (item, details, owner, status, short) in rows {
                        let mut cells = vec![item, details, owner, format!("{status}{}", " ".repeat(pad))];
                        cells.truncate(cells.len() - usize::from(short == 0));
                        lines.push(format!("{open}{}{close}", cells.join(" | ")));
                    }
                }
                let mut text = lines.join(newline);
                if ends {
                    text.push_str(newline);
                }
                text
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn only_the_status_of_proven_rows_of_agents_differs(text in note(), every in 1..4_usize) {
            let parse = |text: &str| parse_feature(&NotePath::new("FR-1 x.md").unwrap(), text, None);
            let before = parse(&text);
            let wanted: Vec<String> = before.sections.rows_of_agents().step_by(every).collect();
            let after_text = settle_rows(&text, &wanted).unwrap();
            let after = parse(&after_text);
            // Apart from status cells the sections are the same.
            let mut blank = [before.sections.clone(), after.sections.clone()];
            for row in blank.iter_mut().flat_map(|sections| &mut sections.phases).flat_map(|phase| &mut phase.rows) {
                row.status.clear();
            }
            prop_assert_eq!(&blank[0], &blank[1]);
            let rows = |sections: &ado_vault::domain::Sections| {
                let rows = sections.phases.iter().flat_map(|phase| phase.rows.iter().map(|row| (phase.number, row.clone())));
                rows.collect::<Vec<_>>()
            };
            for ((number, old), (_, new)) in rows(&before.sections).iter().zip(rows(&after.sections)) {
                let may = wanted.contains(&old.in_words(*number)) && old.is_for_agents();
                prop_assert!(old.status == new.status || (may && new.is_done()), "{old:?} {new:?}");
            }
            // Every line is there, and a line that differs does so in one cell at most.
            prop_assert_eq!(after_text.matches('\n').count(), text.matches('\n').count());
            for (old, new) in text.lines().zip(after_text.lines()).filter(|(old, new)| old != new) {
                let same = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).count();
                let tail = old.chars().rev().zip(new.chars().rev()).take_while(|(a, b)| a == b).count();
                let gone: String = old.chars().skip(same).take(old.chars().count().saturating_sub(same + tail)).collect();
                prop_assert!(!gone.contains('|'), "{old:?} {new:?}");
            }
            prop_assert_eq!(before.request_hash(), after.request_hash());
            prop_assert_eq!(settle_rows(&after_text, &wanted).unwrap(), after_text);
        }
    }
}
