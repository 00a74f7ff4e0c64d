//! What each way of writing a link becomes, one by one.

use super::mended;

const FROM: &str = "10_features/03_planned/FR-1 A b.md";
const TO: &str = "10_features/04_in_progress/FR-1 A b.md";

const OTHERS: [&str; 5] = [
    "10_features/03_planned/FR-2.md",
    "10_features/03_planned/img/a.png",
    "10_features/04_in_progress/FR-3.md",
    "30_policy/Routing.md",
    "00_system/Home.md",
];

/// The note at `at` after FR-1 moved on.
fn after_move(at: &str, text: &str) -> String {
    mended(text, at, &[(FROM, TO)], &OTHERS).unwrap_or_else(|| text.to_owned())
}

#[test]
fn path_wikilinks_follow_and_names_stay() {
    let cases = [
        ("[[10_features/03_planned/FR-1 A b]]", "[[10_features/04_in_progress/FR-1 A b]]"),
        (
            "![[10_features/03_planned/FR-1 A b.md#H ^x|alias]]",
            "![[10_features/04_in_progress/FR-1 A b.md#H ^x|alias]]",
        ),
        ("[[03_planned/fr-1 a b#^id]]", "[[04_in_progress/fr-1 a b#^id]]"),
        ("[[/10_features/03_planned/FR-1 A b]]", "[[/10_features/04_in_progress/FR-1 A b]]"),
        ("| [[03_planned/FR-1 A b\\|x]] |\n|-|\n", "| [[04_in_progress/FR-1 A b\\|x]] |\n|-|\n"),
        ("- [ ] [[03_planned/FR-1 A b]]", "- [ ] [[04_in_progress/FR-1 A b]]"),
        (
            "---\nx: '[[03_planned/FR-1 A b]]' # [[03_planned/FR-1 A b]]\n---\n",
            "---\nx: '[[04_in_progress/FR-1 A b]]' # [[03_planned/FR-1 A b]]\n---\n",
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
        ("[t](../04_in_progress/FR-3.md)", "[t](../04_in_progress/FR-3.md)"),
        ("[t](./img/a.png)", "[t](../03_planned/img/a.png)"),
        ("[t](FR-1%20A%20b.md#h)", "[t](FR-1%20A%20b.md#h)"),
        ("[t](30_policy/Routing.md)", "[t](30_policy/Routing.md)"),
        ("[t](#h) [u](../../../outside.md)", "[t](#h) [u](../../../outside.md)"),
        ("[t](../none.md) [u](../sub/)", "[t](../none.md) [u](../sub/)"),
        ("[t](./none.md) [u](none.md)", "[t](../03_planned/none.md) [u](none.md)"),
        ("[t](example.org/x) [u](img/)", "[t](example.org/x) [u](../03_planned/img/)"),
    ];
    for (text, expected) in cases {
        assert_eq!(after_move(FROM, text), expected);
    }
}

#[test]
fn links_out_of_the_vault_follow_the_depth() {
    let deeper = |text: &str| mended(text, "a/N.md", &[("a/N.md", "a/b/c/N.md")], &[]).unwrap();
    assert_eq!(deeper("[code](../../src/main.rs#L3)"), "[code](../../../../src/main.rs#L3)");
    let higher = mended("![](<../../../a b.png>)", "a/b/N.md", &[("a/b/N.md", "N.md")], &[]);
    assert_eq!(higher.unwrap(), "![](<../a b.png>)");
}

#[test]
fn a_rename_changes_names_and_is_encoded_where_needed() {
    let mend = |to: &str, text: &str| mended(text, "Home.md", &[("a/Old.md", to)], &[]);
    let to = "a/New (1) é.md";
    assert_eq!(mend(to, "[[Old|x]]").unwrap(), "[[New (1) é|x]]");
    assert_eq!(mend(to, "[[old.md#h]]").unwrap(), "[[New (1) é.md#h]]");
    assert_eq!(mend(to, "[t](a/Old.md)").unwrap(), "[t](a/New%20%281%29%20é.md)");
    assert_eq!(mend(to, "[t](<a/Old.md>)").unwrap(), "[t](<a/New (1) é.md>)");
    assert_eq!(mend("a/N#1.md", "[[a/Old]]"), None);
    assert_eq!(mend("a/N#1.md", "[t](a/Old.md)").unwrap(), "[t](a/N%231.md)");
    let single = "---\nx: '[[a/Old]]'\n---\n[[a/Old]]";
    assert_eq!(mend("a/It's.md", single).unwrap(), "---\nx: '[[a/It''s]]'\n---\n[[a/It's]]");
    let back = mended("---\nx: '[[a/It''s]]'\n---\n", "Home.md", &[("a/It's.md", "a/Old.md")], &[]);
    assert_eq!(back.unwrap(), "---\nx: '[[a/Old]]'\n---\n");
    let double = "---\nx: \"[[a/Old]]\"\n---\n";
    assert_eq!(mend("a/say \"so\".md", double), None);
}

#[test]
fn a_name_that_two_notes_have_is_written_longer_where_it_would_lead_to_the_other() {
    let moves = [("a/X.md", "b/X.md")];
    let others = ["c/d/X.md", "a/Home.md", "c/Home.md"];
    let mend = |at: &str, text: &str| mended(text, at, &moves, &others);
    // Below the same folder it was the nearest; now it is not.
    assert_eq!(mend("a/Home.md", "[[X]] [[d/X]]"), None);
    assert_eq!(mend("c/Home.md", "[[X]] [[a/X]]").unwrap(), "[[X]] [[b/X]]");
    let deeper = [("a/X.md", "e/f/g/X.md")];
    assert_eq!(mended("[[X]]", "a/Home.md", &deeper, &others).unwrap(), "[[g/X]]");
    // A note that comes to have the name of another does not take over its links.
    let renamed = [("Y.md", "X.md")];
    assert_eq!(mended("[[X|x]] [[Y]]", "Home.md", &renamed, &["a/X.md"]).unwrap(), "[[a/X|x]] [[/X]]");
    // And a note that moves keeps its own.
    let away = [("a/Home.md", "c/Home.md")];
    assert_eq!(mended("[[X]]", "a/Home.md", &away, &["a/X.md", "c/d/X.md"]).unwrap(), "[[a/X]]");
}

#[test]
fn only_what_obsidian_takes_for_a_link_is_mended() {
    for text in [
        "`[[03_planned/FR-1 A b]]`",
        "```\n[[03_planned/FR-1 A b]]\n```\n",
        "    [[03_planned/FR-1 A b]]\n",
        "<!-- [[03_planned/FR-1 A b]] -->",
        "text <!-- [[03_planned/FR-1 A b]] --> text",
        "$[[03_planned/FR-1 A b]]$",
        "$$\n[[03_planned/FR-1 A b]]\n$$\n",
        "\\[[03_planned/FR-1 A b]]",
        "---\n# x: \"[[03_planned/FR-1 A b]]\"\nx: see [[03_planned/FR-1 A b]]\ny: \"and [[03_planned/FR-1 A b]]\"\n---\n",
        "[^1]: 03_planned/x\n",
    ] {
        assert_eq!(after_move("00_system/Home.md", text), text);
    }
    for text in [
        "%% [[03_planned/FR-1 A b]] %%",
        "%%\n[[03_planned/FR-1 A b]]\n%%\n",
        "> [!note] [[03_planned/FR-1 A b]]\n> text",
        "[^1]: [[03_planned/FR-1 A b]]\n\nx[^1]",
        "**[[03_planned/FR-1 A b]]** ==[[03_planned/FR-1 A b]]==",
        "costs $5 [[03_planned/FR-1 A b]] and $6",
        "---\nx:\n  - \"[[03_planned/FR-1 A b]]\"\n  - '[[03_planned/FR-1 A b|y]]'\nz: [\"[[03_planned/FR-1 A b]]\", a]\nw: [[03_planned/FR-1 A b]]\n---\n",
        "---\n\nkanban-plugin: board\n\n---\n\n## Todo\n\n- [ ] [[03_planned/FR-1 A b]]\n- [x] ![[03_planned/FR-1 A b#^a]] @{2026-11-21}\n\n%% kanban:settings\n```\n{\"kanban-plugin\":\"board\"}\n```\n%%\n",
    ] {
        assert_eq!(after_move("00_system/Home.md", text), text.replace("03_planned", "04_in_progress"));
    }
}

#[test]
fn nothing_to_mend_is_no_change() {
    assert_eq!(mended("[[x]] text", "Home.md", &[(FROM, TO)], &[]), None);
    assert_eq!(mended("", FROM, &[(FROM, TO)], &[]), None);
    assert_eq!(mended("[[FR-1 A b#x]] [[#x]] [t](#x)", FROM, &[(FROM, TO)], &[]), None);
}
