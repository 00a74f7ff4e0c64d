//! Entry points for fuzzing: bytes in, and what must hold for any bytes. Used by the fuzz targets and by `tests/entries.rs`.

use std::path::PathBuf;

use ado_vault::domain::{NotePath, Record, RunId, RunState, Status};
use ado_vault::note::{
    Anchors, EditError, Places, PropertyValue, Relocation, blocks, links, parse_feature, properties,
    set_block, set_property, tick_criteria, with_lists, without_blocks,
};
use ado_vault::vault::{Vault, read_journal};

fn path(text: &str) -> NotePath {
    NotePath::new(text).expect("a literal path is valid")
}

/// A note: reading it gives findings and never fails, an edit changes what was asked for and nothing else.
pub fn note(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let at = path("10_features/02_new/FR-1 A.md");
    let feature = parse_feature(&at, text, Some(Status::New));
    let lines = u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX).saturating_add(2);
    for finding in &feature.diagnostics {
        assert!(finding.line <= lines, "{finding}");
        assert!(!finding.code.is_empty() && !finding.remedy.is_empty());
    }
    Anchors::of(text);
    without_blocks(text);
    with_lists(text);
    let criteria: Vec<String> =
        feature.sections.criteria.iter().map(|criterion| criterion.text.clone()).collect();
    let _ = tick_criteria(text, &criteria);
    let value = PropertyValue::Text("a: b # [c]".to_owned());
    for key in ["status", "id", "neu é"] {
        if let Ok(edited) = set_property(text, key, Some(&value)) {
            let again = set_property(&edited, key, Some(&value)).expect("what was edited can be edited");
            assert_eq!(again, edited, "an edit done twice is done once");
            let map = properties(&edited).expect("an edit leaves front matter that can be read");
            assert!(map.values().any(|found| *found == value.to_json()));
        }
    }
    match set_block(text, "why", Some("because"), None) {
        Ok(written) => {
            let found = blocks(&written).expect("written markers are whole");
            assert!(found.iter().any(|block| block.name == "why" && block.content.trim() == "because"));
        }
        Err(EditError::Markers(damage)) => assert!(!damage.is_empty()),
        Err(_) => {}
    }
}

/// A journal: what is whole is read, and written again says the same.
pub fn journal(data: &[u8]) {
    thread_local! {
        static PLACE: (tempfile::TempDir, Vault, PathBuf, RunId) = {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let journal = folder.path().join("60_runs/FR-1/1/journal.jsonl");
            std::fs::create_dir_all(journal.parent().expect("it has a folder")).expect("it can be made");
            std::fs::create_dir(folder.path().join("00_system")).expect("it can be made");
            std::fs::write(folder.path().join("00_system/Settings.md"), "").expect("it can be written");
            let vault = Vault::open(folder.path()).expect("it is a vault");
            (folder, vault, journal, "FR-1/1".parse().expect("a literal id is valid"))
        };
    }
    PLACE.with(|(_, vault, journal, run)| {
        std::fs::write(journal, data).expect("it can be written");
        let Ok((records, _)) = read_journal(vault, run) else { return };
        let _ = RunState::fold(&records);
        for record in &records {
            let line = serde_json::to_string(record).expect("a record is JSON");
            assert!(!line.contains('\n'));
            let again: Record = serde_json::from_str(&line).expect("and is read again");
            assert_eq!(serde_json::to_string(&again).expect("a record is JSON"), line);
        }
    });
}

/// Links: their places are in the text, and a move there and back leaves every link leading where it led.
pub fn link(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let found = links(text);
    let mut ends: Vec<(usize, usize)> =
        found.iter().map(|link| (link.target.start, link.target.end)).collect();
    ends.sort_unstable();
    assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0), "no two targets overlap");
    for link in &found {
        assert!(link.range.start <= link.target.start && link.target.end <= link.range.end);
        assert!(text.get(link.range.clone()).is_some() && text.get(link.target.clone()).is_some());
    }
    let files = ["a/A.md", "a/b/B c.md", "A.md", "c/é.md", "c/p.png"].map(path);
    let moves = [(path("a/b/B c.md"), path("c/d/New (1).md"))];
    let after = files.clone().map(|file| if file == moves[0].0 { moves[0].1.clone() } else { file });
    let before = Places::of(&files);
    let relocation = Relocation::of(&moves, &files);
    for at in [&files[0], &files[1]] {
        let Some(mended) = relocation.mend_links(text, at) else { continue };
        let (new, now) = (links(&mended), Places::of(&after));
        assert_eq!(new.len(), found.len(), "{text:?} → {mended:?}");
        for (old, new) in found.iter().zip(&new) {
            assert_eq!((old.kind, &old.fragment), (new.kind, &new.fragment));
            if let Some(target) = before.target(old, at) {
                assert_eq!(
                    Some(relocation.after(target)),
                    now.target(new, relocation.after(at)),
                    "{text:?} → {mended:?}"
                );
            }
        }
    }
}

/// A canvas or bookmarks: what is mended is JSON of the same shape, and mending it again changes nothing.
pub fn canvas(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files = ["a/A.md", "a/b/B c.md", "x.canvas"].map(path);
    let moves = [(path("a/b/B c.md"), path("c/d/New.md"))];
    let relocation = Relocation::of(&moves, &files);
    for mended in [relocation.mend_canvas(text, &files[2]), relocation.mend_bookmarks(text)] {
        let Some(mended) = mended else { continue };
        let is_json = |text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        assert!(is_json(text), "only JSON is mended: {text:?}");
        assert!(is_json(&mended), "and stays JSON: {mended:?}");
        // JSON may hold numbers that no value can.
        let Ok(old) = serde_json::from_str(text) else { continue };
        let new = serde_json::from_str(&mended).expect("texts alone differ");
        assert!(is_alike(&old, &new), "{text:?} → {mended:?}");
    }
}

/// The same but for texts.
fn is_alike(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object, String};
    match (one, other) {
        (String(_), String(_)) => true,
        (Array(one), Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_alike(one, other))
        }
        (Object(one), Object(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| one.0 == other.0 && is_alike(one.1, other.1))
        }
        _ => one == other,
    }
}
