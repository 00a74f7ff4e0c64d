//! `check`: what it finds, how it says it, and what it mends.

use serde_json::Value;

use crate::support::Place;

/// Code, path, line and column of every finding.
fn found(place: &Place, arguments: &[&str]) -> Vec<(String, String, u64, u64)> {
    let (_, findings) = place.json(&[&["check"], arguments].concat());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().unwrap();
    findings
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (text(&one["code"]), text(&one["path"]), number(&one["line"]), number(&one["column"])))
        .collect()
}

fn only(code: &str, path: &str, line: u64, column: u64) -> Vec<(String, String, u64, u64)> {
    vec![(code.to_owned(), path.to_owned(), line, column)]
}

#[test]
fn a_fresh_vault_has_nothing_wrong() {
    let place = Place::vault();
    assert_eq!(found(&place, &[]), []);
    assert!(place.ok(&["check"]).contains("0 errors, 0 warnings, 0 hints"));
}

#[test]
fn each_rule_of_texts_finds_its_fault_and_no_other() {
    let place = Place::vault();
    place.write("To.md", "# Head *one*\n\ntext ^b1\n\n## Sub\n");
    place.write("pic.png", "");
    let key = format!("gh{}_{}", "p", "a1B2c3D4e5F6".repeat(3));
    let long = "x".repeat(1024 * 1024 + 1);
    let conflict = "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n";
    let cases: [(&str, String, u64, u64); 16] = [
        ("broken-link", "é [[a/None]]\n".into(), 1, 3),
        ("broken-link", "x\n![[none.png]]\n".into(), 2, 1),
        ("broken-link", "[t](../None.md)\n".into(), 1, 1),
        ("broken-link", "[r]\n\n[r]: ./none\n".into(), 3, 1),
        ("broken-link", "[[None]]\n".into(), 1, 1),
        ("broken-link", "---\nup: \"[[a/None]]\"\n---\n".into(), 2, 6),
        ("broken-heading", "[[To#Other]]\n".into(), 1, 1),
        ("broken-heading", "# A\n\n[t](#b)\n".into(), 3, 1),
        ("broken-block", "![[To#^b2]]\n".into(), 1, 1),
        ("number-like-version", "---\nversion: 1.10\n---\n".into(), 2, 1),
        ("scalar-list", "---\nid: 1\ntags: a, b\n---\n".into(), 3, 1),
        ("yaml-invalid", "---\na: @b\n---\n".into(), 2, 4),
        ("unclosed-front-matter", "---\na: 1\n".into(), 1, 1),
        ("secret-in-note", format!("token\n  {key}\n"), 2, 3),
        ("conflict-markers", conflict.into(), 2, 1),
        ("note-too-large", long, 0, 0),
    ];
    for (code, text, line, column) in cases {
        place.write("a/Note.md", &text);
        let seen = found(&place, &[]);
        assert_eq!(seen, only(code, "a/Note.md", line, column), "{}", &text[..text.len().min(60)]);
    }
    for fine in [
        "[[To#head one]] [[To#Head one#Sub]] ![[To#^b1]] [[To.md]] [t](../To.md#head-one) ![[pic.png|100]]\n",
        "[url](url) [www](www.example.org) [mail](mailto:a@b) [x](https://x.md) [up](../../outside.md)\n",
        "`[[None]]` <!-- [[None]] --> $[[1,2],[3,4]]$ [f](../a/) [[#]] [g](../.github/x.md)\n",
        "---\nprice: 1.10\nversion: \"1.10\"\nrelease: 1.1\ntags:\naliases: []\n---\n",
        "password = \"correct horse battery\"\n",
        "Title\n=======\n",
    ] {
        place.write("a/Note.md", fine);
        assert_eq!(found(&place, &[]), [], "{fine}");
    }
    std::fs::remove_file(place.vault.join("a/Note.md")).unwrap();

    place.write(
        "90_templates/T.md",
        "---\ncreated: {{date:YYYY}}\n---\n{{ title }} {{time}}\n{% for x in y %}\n",
    );
    assert_eq!(found(&place, &[]), only("tera-in-template", "90_templates/T.md", 5, 1));
    place.write("90_templates/T.md", "{{ user.name }}\n");
    assert_eq!(found(&place, &[]), only("tera-in-template", "90_templates/T.md", 1, 1));
    std::fs::remove_file(place.vault.join("90_templates/T.md")).unwrap();

    place.write("To (conflict).md", "");
    assert_eq!(found(&place, &[]), only("conflict-copy", "To (conflict).md", 0, 0));
    std::fs::remove_file(place.vault.join("To (conflict).md")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", place.vault.join("Out.md")).unwrap();
    assert_eq!(found(&place, &[]), only("link-leaves-vault", "Out.md", 0, 0));
}

#[test]
fn rules_of_features_name_what_is_not_there() {
    let place = Place::vault();
    let feature = |id: &str, more: &str| format!("---\nid: {id}\nstatus: new\n{more}---\n# T\n");
    let at = |name: &str| format!("10_features/02_new/{name}.md");
    place.write(&at("FR-001 A"), &feature("FR-001", "depends_on: [FR-002]\n"));
    place.write(&at("FR-002 B"), &feature("FR-002", "depends_on: [FR-003]\n"));
    place.write(&at("FR-003 C"), &feature("FR-003", "depends_on: [FR-001]\n"));
    place.write(&at("FR-004 D"), &feature("FR-004", "depends_on: [FR-001]\n"));
    let seen = found(&place, &[]);
    let codes: Vec<_> = seen.iter().map(|one| (one.0.as_str(), one.1.as_str())).collect();
    let paths = [at("FR-001 A"), at("FR-002 B"), at("FR-003 C")];
    assert_eq!(
        codes,
        paths.each_ref().map(|path| ("dependency-cycle", path.as_str())),
        "FR-004 stands in no circle"
    );
    let (_, findings) = place.json(&["check"]);
    assert_eq!(findings[0]["message"], "`FR-001` waits for itself: FR-001 → FR-002 → FR-003 → FR-001");

    place.write(&at("FR-003 C"), &feature("FR-003", "repo: nowhere\ntype: thing\n"));
    place.write("a/FR-004 d.md", "");
    place.write(&at("FR-005 E"), &feature("FR-004", "depends_on: [FR-099]\n"));
    place.write(&at("FR-006 F"), &format!("{}\n<!-- ado:begin plan -->\n", feature("FR-006", "")));
    let seen: Vec<(String, String)> = found(&place, &[]).into_iter().map(|one| (one.1, one.0)).collect();
    let expected = [
        ("FR-003 C", "unknown-repository"),
        ("FR-003 C", "unknown-type"),
        ("FR-004 D", "duplicate-id"),
        ("FR-004 D", "duplicate-name"),
        ("FR-005 E", "duplicate-id"),
        ("FR-005 E", "unknown-dependency"),
        ("FR-006 F", "marker-damage"),
    ];
    let mut seen = seen;
    seen.sort();
    assert_eq!(seen, expected.map(|(name, code)| (at(name), code.to_owned())));
}

#[test]
fn fix_mends_what_can_be_meant_in_one_way_only() {
    let place = Place::vault();
    place.write("deep/down/Only one.md", "# H\n");
    place.write("x/Twice.md", "");
    place.write("y/Twice.md", "");
    let text = "---\ntags: ui\n---\n[[old/Only one#H|a]] ![[gone/Only one]] [t](gone/Only%20one.md#h \"q\") [[z/Twice]] [[Nothing]] `[[old/Only one]]`\n";
    place.write("a/Note.md", text);
    let mended = "---\ntags:\n  - ui\n---\n[[deep/down/Only one#H|a]] ![[down/Only one]] [t](../deep/down/Only%20one.md#h \"q\") [[z/Twice]] [[Nothing]] `[[old/Only one]]`\n";
    let shown = place.ok(&["check", "--fix", "--dry-run"]);
    assert!(shown.contains("-[[old/Only one#H|a]]") && shown.contains("+tags:"), "{shown}");
    assert_eq!(place.read("a/Note.md"), text);
    let head = place.git(&place.vault, &["rev-parse", "HEAD"]);
    place.ok(&["check", "--fix", "x"]);
    assert_eq!(place.read("a/Note.md"), text, "only what was asked for");
    place.ok(&["check", "--fix"]);
    assert_eq!(place.read("a/Note.md"), mended);
    assert_eq!(place.git(&place.vault, &["rev-parse", "HEAD"]), head, "nothing is committed");
    assert_eq!(place.ok(&["check", "--fix", "--dry-run"]), "");
    assert_eq!(found(&place, &[]).len(), 2);
}

#[test]
fn fix_mends_links_to_a_heading_that_is_written_otherwise_and_says_what_is_left() {
    let place = Place::vault();
    place.write("To.md", "# Dark mode\n\n## Same one\n\n## SameOne\n");
    place.write("Note.md", "[[To#DarkMode|x]] [y](To.md#darkmode) [[To#sameone-]] [[To#Gone]]\n");
    assert_eq!(found(&place, &[]).len(), 4, "{:?}", found(&place, &[]));
    let ended = place.run(&["check", "--fix"]);
    assert_eq!(
        place.read("Note.md"),
        "[[To#Dark mode|x]] [y](To.md#dark-mode) [[To#sameone-]] [[To#Gone]]\n"
    );
    assert!(ended.err.contains("2 links are left to mend by hand"), "{ended:?}");
    assert!(!place.run(&["check"]).err.contains("are left"));
}

#[test]
fn findings_are_told_to_machines() {
    let place = Place::vault();
    place.write("a, b/50% é.md", "x\n[[c/None]]\n");
    let github = place.ok(&["--format", "github", "check"]);
    assert!(
        github.starts_with(
            "::warning file=a%2C b/50%25 é.md,line=2,col=1,title=broken-link::`c/None` leads to no file;"
        ),
        "{github}"
    );
    let sarif: Value = serde_json::from_str(&place.ok(&["--format", "sarif", "check"])).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    let place_of = &result["locations"][0]["physicalLocation"];
    assert_eq!(result["ruleId"], "broken-link");
    assert_eq!(place_of["artifactLocation"]["uri"], "a%2C%20b/50%25%20%C3%A9.md");
    assert_eq!(place_of["region"]["startLine"], 2);
    assert_eq!(place.run(&["--format", "sarif", "status"]).code, 2);
    place.write("10_features/02_new/FR-1 A.md", "---\nid: x\n---\n");
    assert_eq!(place.run(&["check"]).code, 1);
    assert_eq!(place.run(&["check", "a, b"]).code, 0);
}
