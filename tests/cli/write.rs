//! Commands that write notes: `init`, `new`, `set`, `approve`.

use crate::support::{Place, keys};

const NEW: &str = "10_features/02_new";

#[test]
fn init_makes_a_vault_once_and_then_only_adds_what_is_missing() {
    let place = Place::empty();
    let (code, report) = place.json(&["init"]);
    assert_eq!((code, keys(&report)), (0, vec!["created", "kept", "repository", "commit"]));
    assert_eq!(report["repository"], "made");
    assert_eq!(report["kept"], serde_json::json!([]));
    place.write("00_system/Home.md", "mine\n");
    std::fs::remove_file(place.vault.join("20_agents/Coder.md")).unwrap();
    let (code, again) = place.json(&["init"]);
    assert_eq!((code, &again["created"]), (0, &serde_json::json!(["20_agents/Coder.md"])));
    assert_eq!(place.read("00_system/Home.md"), "mine\n");
    let said = place.ok(&["init"]);
    assert!(said.contains("0 files written"), "{said}");
    assert!(!said.contains("committed"), "{said}");
    assert_eq!(
        place.git(&place.vault, &["log", "--format=%s"]).lines().count(),
        1,
        "nothing was removed in git"
    );
}

#[test]
fn init_joins_the_repository_that_is_there_and_commits_its_own_files_alone() {
    let place = Place::empty();
    let outer = place.home.join("project");
    std::fs::create_dir(&outer).unwrap();
    place.git(&outer, &["init", "--quiet"]);
    std::fs::write(outer.join("draft.txt"), "draft").unwrap();
    let notes = outer.join("notes");
    let said = place.ok(&["init", notes.to_str().unwrap()]);
    assert!(said.contains("in the git repository"), "{said}");
    assert!(!notes.join(".git").exists());
    assert_eq!(place.git(&outer, &["status", "--porcelain"]), "?? draft.txt");
}

#[test]
fn new_fills_the_template_and_takes_the_next_free_id() {
    let place = Place::vault();
    let (code, first) = place.json(&["new", "Dark mode"]);
    assert_eq!((code, keys(&first)), (0, vec!["id", "path"]));
    let first_id: u64 = first["id"].as_str().unwrap().strip_prefix("FR-").unwrap().parse().unwrap();
    let (_, second) = place.json(&["new", "Light mode", "--type", "bug", "--status", "planned"]);
    assert_eq!(second["id"], format!("FR-{:03}", first_id + 1));
    let path = format!("10_features/03_planned/FR-{:03} Light mode.md", first_id + 1);
    assert_eq!(second["path"], path);
    let text = place.read(&path);
    for line in ["title: Light mode", "type: bug", "status: planned", "# Light mode"] {
        assert!(text.lines().any(|found| found.replace('"', "") == line), "{line}: {text}");
    }
    assert!(!text.contains("{{"), "{text}");
    let today = jiff::Zoned::now().strftime("%Y-").to_string();
    assert!(text.contains(&format!("created: \"{today}")), "{text}");
    assert_eq!(place.run(&["check", &path]).code, 0);
}

#[test]
fn a_title_may_hold_anything() {
    let place = Place::vault();
    for title in
        ["Say \"hi\": a test", "it's {{date}} #1 [x]", "a/b\\c|d", "- dash", "Größe 🎉", &"x".repeat(300)]
    {
        let (code, made) = place.json(&["new", "--", title]);
        assert_eq!(code, 0, "{title}: {made}");
        let id = made["id"].as_str().unwrap();
        assert_eq!(place.json(&["why", id]).1["title"], title);
    }
    assert_eq!(place.run(&["check"]).code, 0);
}

#[test]
fn new_takes_over_foreign_notes() {
    let place = Place::vault();
    for (name, text) in [
        ("a.md", "---\ntitle: Dark mode\n---\nText of it\n"),
        ("b.md", "+++\ntitle = \"Dark mode\"\n+++\nText of it\n"),
        ("c.md", "{\"title\": \"Dark mode\"}\n\nText of it\n"),
        ("Dark mode.md", "Text of it\n"),
    ] {
        let file = place.home.join(name);
        std::fs::write(&file, text).unwrap();
        let (code, made) = place.json(&["new", "--from", file.to_str().unwrap()]);
        assert_eq!(code, 0, "{name}: {made}");
        let note = place.read(made["path"].as_str().unwrap());
        assert!(made["path"].as_str().unwrap().ends_with(" Dark mode.md"), "{made}");
        assert!(note.ends_with("---\n\nText of it\n"), "{note}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "the file is left alone");
    }
    let aliased = place.home.join("e.md");
    std::fs::write(&aliased, "---\ntitle: Dim\naliases: night, dark\n---\nText\n").unwrap();
    let (_, made) = place.json(&["new", "--from", aliased.to_str().unwrap()]);
    let (note, id) = (place.read(made["path"].as_str().unwrap()), made["id"].as_str().unwrap());
    assert!(note.contains(&format!("aliases:\n  - night\n  - dark\n  - {id}\n")), "{note}");
    let damaged = place.home.join("d.md");
    std::fs::write(&damaged, "+++\ntitle = \n+++\n").unwrap();
    let ended = place.run(&["new", "--from", damaged.to_str().unwrap()]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("front matter is damaged"), "{ended:?}");
}

#[test]
fn new_refuses_what_does_not_exist() {
    let place = Place::vault();
    for (arguments, code, word) in [
        (&["new", "X", "--type", "epic"][..], 2, "feature, bug, refactor"),
        (&["new", "X", "--status", "soon"], 2, "ideas, new, planned"),
        (&["new", "  "], 2, "title is empty"),
        (&["new"], 2, "<TITLE>"),
        (&["new", "X", "--repo", "nope"], 1, "add one from the template"),
        (&["new", "--from", "nope.md"], 1, "cannot read `nope.md`"),
    ] {
        let ended = place.run(arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(word), "{arguments:?}: {ended:?}");
    }
    let notes = std::fs::read_dir(place.vault.join(NEW)).unwrap().flatten();
    assert!(!notes.into_iter().any(|note| note.file_name().to_string_lossy().contains(" X")));
}

#[test]
fn set_changes_the_properties_and_nothing_else() {
    let place = Place::vault();
    let note = format!("{NEW}/FR-900 Mine.md");
    place.write(&note, "---\nid: FR-900 # mine\ncustom:   kept\npriority: 3\n---\n# Mine\n\ntext  \n");
    let (code, report) = place.json(&["set", "FR-900", "priority=1", "risk=low"]);
    assert_eq!((code, keys(&report)), (0, vec!["path", "changed"]));
    assert_eq!(report["changed"], true);
    let expected = "---\nid: FR-900 # mine\ncustom:   kept\npriority: 1\nrisk: low\n---\n# Mine\n\ntext  \n";
    assert_eq!(place.read(&note), expected);
    assert!(place.ok(&["set", &note, "priority=1"]).contains("already so"));
    place.ok(&["set", "FR-900", "risk="]);
    assert_eq!(place.read(&note), expected.replace("risk: low\n", ""));
    assert_eq!(place.run(&["set", "FR-900", "priority"]).code, 2);
    assert_eq!(place.run(&["set", "FR-901", "priority=1"]).code, 1);
    assert_eq!(place.run(&["set", "../outside.md", "priority=1"]).code, 2);
}

#[test]
fn approve_says_what_happens_instead_when_nothing_waits() {
    let place = Place::vault();
    let (_, made) = place.json(&["new", "Dark mode"]);
    let ended = place.run(&["approve", made["id"].as_str().unwrap()]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("does not wait for an approval"), "{ended:?}");
}
