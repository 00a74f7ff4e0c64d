//! `mv`, and `set` on any note.

use crate::support::Place;

fn committed(place: &Place) {
    place.git(&place.vault, &["add", "-A"]);
    place.git(&place.vault, &["-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", "mine"]);
}

#[test]
fn a_note_is_renamed_with_every_link_to_it_in_one_commit_of_the_person() {
    let place = Place::vault();
    place.write("Notes/Dark mode.md", "See [home](../00_system/Home.md) and [[#Why]].\n\n# Why\n");
    place.write(
        "Mine.md",
        "[[dark mode#Why|it]], ![[Notes/Dark mode]] and [x](Notes/Dark%20mode.md#why \"t\")\n",
    );
    place.write(
        "board.canvas",
        "{\"nodes\":[{\"id\":\"1\",\"type\":\"file\",\"file\":\"Notes/Dark mode.md\",\"mine\":1}]}",
    );
    committed(&place);
    place.write("Mine.md", &format!("{}unsaved\n", place.read("Mine.md")));
    let before = place.git(&place.vault, &["rev-list", "--count", "HEAD"]);

    let shown = place.ok(&["mv", "--dry-run", "Dark mode", "Night mode"]);
    assert!(shown.contains("--- a/Notes/Dark mode.md\n+++ b/Notes/Night mode.md"), "{shown}");
    assert!(shown.contains("+[[Night mode#Why|it]]"), "{shown}");
    assert!(place.read("Mine.md").starts_with("[[dark mode"), "a dry run changes nothing");

    let said = place.ok(&["mv", "Dark mode", "Night mode"]);
    assert!(said.contains("Notes/Dark mode.md → Notes/Night mode.md"), "{said}");
    assert_eq!(
        place.read("Mine.md"),
        "[[Night mode#Why|it]], ![[Notes/Night mode]] and [x](Notes/Night%20mode.md#why \"t\")\nunsaved\n"
    );
    assert!(place.read("board.canvas").contains("\"file\":\"Notes/Night mode.md\",\"mine\":1"));
    assert!(!place.vault.join("Notes/Dark mode.md").exists());
    assert_eq!(
        place.git(&place.vault, &["status", "--porcelain", "--", "Mine.md", "Notes", "board.canvas"]),
        ""
    );
    // What was unsaved is a commit of its own before.
    let after = place.git(&place.vault, &["rev-list", "--count", "HEAD"]);
    assert_eq!(after.parse::<u32>().unwrap(), before.parse::<u32>().unwrap() + 2);
    let who = place.git(&place.vault, &["log", "-1", "--format=%ae"]);
    assert_ne!(who, "ado-vault@localhost");
}

#[test]
fn a_feature_goes_into_a_folder_and_a_folder_goes_as_a_whole() {
    let place = Place::vault();
    place.ok(&["new", "Greet"]);
    committed(&place);
    place.ok(&["mv", "FR-001", "10_features/01_ideas/"]);
    assert!(place.vault.join("10_features/01_ideas/FR-001 Greet.md").exists());

    place.write("a/b/One.md", "[[a/b/Two]] [up](../Up.md)\n");
    place.write("a/b/Two.md", "[one](One.md) ![](pic.png)\n");
    place.write("a/b/pic.png", "\u{1}\u{2}");
    place.write("a/Up.md", "[in](b/One.md) [[b/Two]] [folder](./b/)\n");
    place.ok(&["mv", "a/b", "c/d/e"]);
    assert_eq!(place.read("c/d/e/One.md"), "[[c/d/e/Two]] [up](../../../a/Up.md)\n");
    assert_eq!(place.read("c/d/e/Two.md"), "[one](One.md) ![](pic.png)\n");
    assert_eq!(place.read("a/Up.md"), "[in](../c/d/e/One.md) [[e/Two]] [folder](../c/d/e/)\n");
    assert!(place.vault.join("c/d/e/pic.png").exists() && !place.vault.join("a/b").exists());
}

#[test]
fn a_move_by_hand_is_completed_by_the_same_command() {
    let place = Place::vault();
    place.write("Old.md", "[h](00_system/Home.md)\n");
    place.write("Mine.md", "[x](Old.md) [[Old]]\n");
    committed(&place);
    std::fs::create_dir(place.vault.join("n")).unwrap();
    std::fs::rename(place.vault.join("Old.md"), place.vault.join("n/New.md")).unwrap();
    place.ok(&["mv", "Old.md", "n/New.md"]);
    assert_eq!(place.read("Mine.md"), "[x](n/New.md) [[New]]\n");
    assert_eq!(place.read("n/New.md"), "[h](../00_system/Home.md)\n");
    assert_eq!(place.git(&place.vault, &["status", "--porcelain", "--", "Mine.md", "Old.md", "n"]), "");
}

#[test]
fn what_would_lose_something_is_refused() {
    let place = Place::vault();
    place.write("A.md", "a\n");
    place.write("B.md", "b\n");
    place.write("x/A.md", "other\n");
    for (old, new, code, words) in [
        ("A.md", "B.md", 1, "never overwritten"),
        ("A", "B", 1, "never overwritten"),
        ("nothing", "C.md", 1, "`nothing`"),
        ("A.md", "A.md", 2, "lies there already"),
        ("x", "x/y", 2, "inside of"),
        ("A.md", "../out.md", 2, "inside the vault"),
        ("A.md", ".obsidian/A.md", 2, "hidden"),
        ("A.md", "what?.md", 2, "links cannot name"),
        ("00_system", "other", 2, "no vault"),
        ("00_system/Settings.md", "Settings.md", 2, "no vault"),
    ] {
        let ended = place.run(&["mv", old, new]);
        assert_eq!(ended.code, code, "{old} {new}: {ended:?}");
        assert!(ended.err.contains(words), "{old} {new}: {}", ended.err);
    }
    assert_eq!((place.read("A.md"), place.read("B.md")), ("a\n".into(), "b\n".into()));
    place.git(&place.vault, &["checkout", "-q", "--detach"]);
    let ended = place.run(&["mv", "A.md", "C.md"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains("nothing was moved"), "{}", ended.err);
    assert!(place.vault.join("A.md").exists());
}

#[test]
fn a_policy_that_is_found_by_its_name_is_renamed_with_a_warning() {
    let place = Place::vault();
    committed(&place);
    for (old, new, words) in [
        ("30_policy/Gates.md", "30_policy/Checks.md", "`30_policy/Gates.md` is found by its name"),
        ("30_policy/Constitution.md", "Constitution.md", "agents are given none"),
        ("30_policy", "rules", "their defaults hold"),
    ] {
        let ended = place.run(&["mv", old, new]);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.err.contains(words), "{old}: {}", ended.err);
    }
    let ended = place.run(&["mv", "rules", "31_policy"]);
    assert!(ended.code == 0 && !ended.err.contains("defaults"), "{ended:?}");
    let ended = place.run(&["mv", "20_agents/Coder.md", "20_agents/Writer of code.md"]);
    assert!(ended.code == 0 && !ended.err.contains("by its name"), "{ended:?}");
}

#[test]
fn set_edits_any_note_by_path_or_name() {
    let place = Place::vault();
    place.write("a/My note.md", "text\n");
    place.write("a/b/Same.md", "");
    place.write("c/Same.md", "");
    place.ok(&["set", "my note", "tags=[x, \"a, b\"]", "version=\"1.10\""]);
    assert_eq!(place.read("a/My note.md"), "---\ntags:\n  - x\n  - a, b\nversion: \"1.10\"\n---\ntext\n");
    place.ok(&["set", "a/My note", "version="]);
    assert_eq!(place.read("a/My note.md"), "---\ntags:\n  - x\n  - a, b\n---\ntext\n");
    let ended = place.run(&["set", "Same", "x=1"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("`a/b/Same.md`") && ended.err.contains("`c/Same.md`"), "{}", ended.err);
    place.ok(&["set", "b/Same", "x=1"]);
    assert_eq!(place.read("a/b/Same.md"), "---\nx: 1\n---\n");
    assert_eq!(place.run(&["set", "none", "x=1"]).code, 1);
    assert_eq!(place.run(&["set", "00_system/pipeline.canvas", "x=1"]).code, 2);
}
