//! Canvases and bookmarks keep every byte but the moved paths.

use ado_vault::note::Relocation;

use super::path;

const FROM: &str = "10_features/03_planned/FR-1 A b.md";
const TO: &str = "10_features/04_in_progress/FR-1 A b.md";

fn canvas(json: &str) -> Option<String> {
    let moves = [(path(FROM), path(TO))];
    Relocation::of(&moves, &[path("00_system/x.canvas")]).mend_canvas(json, &path("00_system/x.canvas"))
}

#[test]
fn a_canvas_keeps_every_byte_but_the_moved_path() {
    let text = "{\n\t\"nodes\":[\n\t\t{\"id\":\"1\",\"file\" : \"10_features\\/03_planned/FR-1 A b.md\",\"subpath\":\"#x\",\"mine\":1.50},\n\t\t{\"type\":\"text\",\"text\":\"file\",\"x\":\"10_features/03_planned/FR-1 A b.md\"}\n\t]\n}";
    let mended = canvas(text).unwrap();
    assert_eq!(mended, text.replace("10_features\\/03_planned/FR-1 A b.md", TO));
    assert_eq!(canvas(&mended), None);
    assert_eq!(canvas("{\"file\": "), None);
    assert_eq!(canvas(&format!("{{\"path\":\"{FROM}\"}}")), None, "a canvas has no paths");
    assert_eq!(canvas(&format!("{{\"file\":1,\"x\":[\"{FROM}\"]}}")), None);
}

#[test]
fn links_in_a_canvas_s_text_are_links() {
    let card = |link: &str| {
        format!(
            "{{\"nodes\":[{{\"type\":\"text\",\"text\":\"Tab\\tand \\\"é\\\"\\n[[{link}#h|x]]\",\"x\":0}}]}}"
        )
    };
    assert_eq!(canvas(&card("03_planned/FR-1 A b")).unwrap(), card("04_in_progress/FR-1 A b"));
    assert_eq!(canvas(&card("FR-1 A b")), None);
}

#[test]
fn bookmarks_of_files_and_folders_follow() {
    let moves = [(path("a/b/N.md"), path("c/N.md")), (path("a/b/d/p.png"), path("c/d/p.png"))];
    let (from, to) = (path("a/b"), path("c"));
    let relocation = Relocation::of(&moves, &[]).with_folder(&from, &to);
    let bookmarks = |file: &str, folder: &str, inner: &str| {
        format!(
            "{{\"items\":[{{\"type\":\"file\",\"path\":\"{file}\",\"title\":\"a/b\"}},{{\"type\":\"group\",\"items\":[{{\"type\":\"folder\",\"path\":\"{folder}\"}},{{\"type\":\"folder\",\"path\":\"{inner}\"}},{{\"type\":\"search\",\"query\":\"path:a/b\"}}]}}]}}"
        )
    };
    let mended = relocation.mend_bookmarks(&bookmarks("a/b/N.md", "a/b", "a/b/d")).unwrap();
    assert_eq!(mended, bookmarks("c/N.md", "c", "c/d"));
    assert_eq!(relocation.mend_bookmarks(&bookmarks("a/bc.md", "a/bc", "a")), None);
    assert_eq!(
        relocation.mend_links("[x](a/b) [y](a/b/d)", &path("Home.md")),
        None,
        "a bare path may be anything"
    );
    assert_eq!(
        relocation.mend_links("[x](./a/b/d/) [y](a/b/)", &path("Home.md")).unwrap(),
        "[x](./c/d/) [y](c/)"
    );
}
