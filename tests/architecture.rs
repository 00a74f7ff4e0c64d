//! Holds the code against the table of rooms in `docs/architecture.md`, and the pure rooms against their promise.
//!
//! Files are read as tokens, so that comments and strings do not count and macros do; what stands under `#[cfg(test)]`
//! is left out. It knows nothing of what the code does, and carries samples that it must catch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Rooms without file system, process, network, clock and randomness.
const PURE: [&str; 3] = ["domain", "note", "decide"];

/// Prefixes of paths that a pure room must not name. Importing a parent of one is as bad as importing it.
const IMPURE: [&str; 26] = [
    "std::fs",
    "std::process",
    "std::net",
    "std::env",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::time::UNIX_EPOCH",
    "tokio",
    "tokio_util",
    "rand",
    "getrandom",
    "fastrand",
    "git2",
    "genai",
    "reqwest",
    "notify",
    "tempfile",
    "walkdir",
    "ignore",
    "rustix",
    "libc",
    "include_dir",
];

/// The clock by whatever way a type was imported.
const CLOCKS: [&str; 4] = ["Timestamp::now", "Zoned::now", "SystemTime::now", "Instant::now"];

type Table = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Rooms and what each may use, from the table's first and last column.
fn table() -> Table {
    let text = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let quoted =
        |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(String::from).collect() };
    let mut table = Table::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let (first, last) = (quoted(cells[0]), quoted(cells[cells.len() - 1]));
        table.insert(first[0].clone(), last.into_iter().collect());
    }
    assert!(table.len() > 10, "the table of rooms was found: {table:?}");
    table
}

/// A path that a file names: `crate::…` or a crate's name first.
struct Named {
    segments: Vec<String>,
    /// Named by a `use`; elsewhere a single word may be anything.
    imported: bool,
}

/// What a file names outside tests. `module` is the file's own module path.
fn paths(source: &str, module: &[String]) -> Vec<Named> {
    let tokens: TokenStream = source.parse().expect("a source file is made of tokens");
    let mut found = vec![];
    walk(tokens, module, &mut found);
    found
}

fn walk(tokens: TokenStream, module: &[String], found: &mut Vec<Named>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_attribute(&tokens, at) {
            at = after_item(&tokens, at);
        } else if let Some((name, body)) = inline_module(&tokens, at) {
            let inner: Vec<String> = module.iter().cloned().chain([name]).collect();
            walk(body, &inner, found);
            at += 3;
        } else if is_ident(tokens.get(at), "pub") && is_group(tokens.get(at + 1), Delimiter::Parenthesis) {
            at += 2;
        } else {
            at = match &tokens[at] {
                TokenTree::Group(group) => {
                    walk(group.stream(), module, found);
                    at + 1
                }
                TokenTree::Ident(word) if word == "use" => {
                    at += if is_punct(tokens.get(at + 1), ':') { 3 } else { 1 };
                    path(&tokens, at, &[], module, true, found)
                }
                TokenTree::Ident(_) => path(&tokens, at, &[], module, false, found),
                _ => at + 1,
            };
        }
    }
}

/// Reads the path or use tree at `at`, adds what it names, and gives the place after it.
fn path(
    tokens: &[TokenTree],
    mut at: usize,
    before: &[String],
    module: &[String],
    imported: bool,
    found: &mut Vec<Named>,
) -> usize {
    let mut segments = before.to_vec();
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => {
                segments.push(ident.to_string().trim_start_matches("r#").to_owned())
            }
            Some(TokenTree::Punct(punct)) if punct.as_char() == '*' => segments.push("*".to_owned()),
            Some(TokenTree::Group(group)) if imported && group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut start = 0;
                while start < inner.len() {
                    start = path(&inner, start, &segments, module, imported, found).max(start + 1);
                    while start < inner.len() && !is_punct(inner.get(start), ',') {
                        start += 1;
                    }
                    start += 1;
                }
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':') {
            at += 2;
        } else {
            break;
        }
    }
    if segments.len() > before.len() {
        found.push(Named { segments: absolute(&segments, module), imported });
    }
    at.max(1)
}

/// Without `crate`, `self` and `super` in front; a bare `crate` stays.
fn absolute(segments: &[String], module: &[String]) -> Vec<String> {
    let mut rest = segments;
    let mut base: Vec<String> = match rest[0].as_str() {
        "crate" => vec!["crate".to_owned()],
        "self" | "super" => std::iter::once("crate".to_owned()).chain(module.iter().cloned()).collect(),
        _ => return rest.to_vec(),
    };
    while let Some(first) = rest.first() {
        match first.as_str() {
            "crate" | "self" => {}
            "super" if base.len() > 1 => {
                base.pop();
            }
            _ => break,
        }
        rest = &rest[1..];
    }
    base.extend(rest.iter().filter(|segment| *segment != "self").cloned());
    base
}

fn is_ident(token: Option<&TokenTree>, name: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == name)
}

fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

fn is_group(token: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == delimiter)
}

/// `#[cfg(test)]`, also inside `all(…)`.
fn is_test_attribute(tokens: &[TokenTree], at: usize) -> bool {
    let Some(TokenTree::Group(group)) = tokens.get(at + 1) else { return false };
    let text = group.stream().to_string().replace(' ', "");
    is_punct(tokens.get(at), '#') && (text == "cfg(test)" || text.starts_with("cfg(all(test,"))
}

/// The place after the item that the attribute at `at` belongs to.
fn after_item(tokens: &[TokenTree], mut at: usize) -> usize {
    at += 2;
    while at < tokens.len() {
        let end = is_punct(tokens.get(at), ';') || is_group(tokens.get(at), Delimiter::Brace);
        at += 1;
        if end {
            break;
        }
    }
    at
}

fn inline_module(tokens: &[TokenTree], at: usize) -> Option<(String, TokenStream)> {
    match (tokens.get(at)?, tokens.get(at + 1)?, tokens.get(at + 2)?) {
        (TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Group(body)) if word == "mod" => {
            Some((name.to_string(), body.stream()))
        }
        _ => None,
    }
}

/// What a file of `room` does that the table or the room's purity forbids, in words.
fn violations(room: &str, source: &str, module: &[String], table: &Table) -> BTreeSet<String> {
    let mut violations = BTreeSet::new();
    for Named { segments: path, imported } in paths(source, module) {
        let text = path.join("::");
        if path.len() == 1 && !imported {
            continue;
        }
        if path[0] == "crate" {
            match path.get(1).map(String::as_str) {
                None | Some("*") => {
                    violations.insert(format!("`{room}` imports the whole crate"));
                }
                Some(other) if other != room && table.contains_key(other) && !table[room].contains(other) => {
                    violations.insert(format!("`{room}` uses `{other}`"));
                }
                _ => {}
            }
        }
        if PURE.contains(&room) {
            let parent = text.trim_end_matches("::*").trim_end_matches("::self");
            let whole = path.last().is_some_and(|last| last == "*" || last == "self") || path.len() == 1;
            let named = IMPURE.iter().any(|impure| {
                text == *impure
                    || text.starts_with(&format!("{impure}::"))
                    || (whole && impure.starts_with(&format!("{parent}::")))
            });
            if named || CLOCKS.iter().any(|clock| text == *clock || text.ends_with(&format!("::{clock}"))) {
                violations.insert(format!("`{room}` is pure and names `{text}`"));
            }
        }
    }
    violations
}

/// Module path of a file below `src`: `note/block.rs` is `note::block`, `note/mod.rs` is `note`.
fn module_of(relative: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        relative.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

#[test]
fn every_room_uses_only_what_the_table_allows() {
    let table = table();
    let source = root().join("src");
    let mut found = vec![];
    let mut rooms = BTreeSet::new();
    for entry in walkdir::WalkDir::new(&source).sort_by_file_name().into_iter().map(Result::unwrap) {
        let relative = entry.path().strip_prefix(&source).unwrap();
        let is_code = entry.path().extension().is_some_and(|extension| extension == "rs");
        if !entry.file_type().is_file() || !is_code || relative.starts_with("demo/assets") {
            continue;
        }
        let module = module_of(relative);
        let room = module[0].clone();
        if relative.components().count() == 1 && !table.contains_key(&room) {
            assert!(["lib", "main"].contains(&room.as_str()), "{} lies beside the rooms", relative.display());
            continue;
        }
        assert!(table.contains_key(&room), "room `{room}` is not in the table of docs/architecture.md");
        rooms.insert(room.clone());
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for violation in violations(&room, &text, &module, &table) {
            found.push(format!("{}: {violation}", relative.display()));
        }
    }
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(rooms.into_iter().collect::<Vec<_>>(), table.into_keys().collect::<Vec<_>>());
}

#[test]
fn the_table_has_no_circles() {
    let mut open = table();
    while !open.is_empty() {
        let free: Vec<String> = open
            .iter()
            .filter(|(_, uses)| uses.iter().all(|used| !open.contains_key(used)))
            .map(|(room, _)| room.clone())
            .collect();
        assert!(!free.is_empty(), "these rooms use each other: {:?}", open.keys());
        open.retain(|room, _| !free.contains(room));
    }
}

#[test]
fn main_only_hands_over() {
    let text = std::fs::read_to_string(root().join("src/main.rs")).unwrap();
    let named: BTreeSet<String> = paths(&text, &["main".to_owned()])
        .into_iter()
        .filter(|named| named.segments[0] == "ado_vault")
        .map(|named| named.segments[1].clone())
        .collect();
    assert_eq!(named, BTreeSet::from(["cli".to_owned(), "sandbox".to_owned()]));
}

#[test]
fn known_bad_samples_are_caught() {
    let table = table();
    for (room, source) in [
        ("domain", "use crate::note::plain;"),
        ("domain", "use crate::{\n    // a comment\n    note::{self, plain},\n};"),
        ("note", "use super::super::vault::Root;"),
        ("note", "fn f() { let x = crate::engine::Run::new(); }"),
        ("note", "fn f() { println!(\"{}\", crate::engine::name()); }"),
        ("note", "pub use crate::vault as v;"),
        ("decide", "use crate::*;"),
        ("decide", "use crate as c;"),
        ("gates", "pub(crate) use crate::agents::Run;"),
        ("models", "impl From<crate::sandbox::E> for E {}"),
        ("report", "mod inner { use super::super::super::engine::X; }"),
        ("domain", "use std::fs;"),
        ("domain", "use std::{collections::BTreeMap, fs::read_to_string};"),
        ("domain", "use std::*;"),
        ("domain", "use std as s;"),
        ("domain", "use std::time::{self, Duration};"),
        ("domain", "fn f() { std::env::var(\"HOME\"); }"),
        ("note", "fn f() { let t = jiff::Timestamp::now(); }"),
        ("note", "fn f() { let t = Timestamp::now(); }"),
        ("decide", "fn f() { std::time::Instant::now(); }"),
        ("decide", "async fn f() { tokio::time::sleep(x).await }"),
        ("decide", "fn f() -> u8 { rand::random() }"),
        ("decide", "fn f() { assert!(vec![std::process::id()].is_empty()) }"),
        ("decide", "#[cfg(not(test))] use std::fs;"),
        ("decide", "#[cfg(test)] mod tests { } use std::fs;"),
        ("decide", "use {std::fs, std::fmt};"),
        ("decide", "use ::std::fs;"),
        ("decide", "use rand as dice;"),
    ] {
        let module = [room.to_owned(), "file".to_owned()];
        assert!(!violations(room, source, &module, &table).is_empty(), "{room}: {source}");
    }
}

#[test]
fn known_good_samples_are_let_through() {
    let table = table();
    for (room, source) in [
        (
            "domain",
            "// use crate::note::plain;\n/* std::fs */\n/// crate::engine\nconst X: &str = \"crate::engine std::fs\";",
        ),
        ("domain", "pub(crate) fn f() {}\npub(super) fn g() {}\nuse super::ids::FeatureId;\nuse self::x;"),
        ("domain", "#[cfg(test)]\nmod tests { use crate::note::plain; use std::fs; }"),
        (
            "domain",
            "#[cfg(test)]\nuse std::fs;\nuse std::time::Duration;\nuse std::{collections::BTreeMap, fmt};",
        ),
        ("note", "use crate::domain::{self, Feature};\nuse std::path::Path;"),
        ("note", "mod inner { use super::split; }"),
        ("note", "fn f(ignore: bool) -> bool { let rand = ignore; rand }"),
        ("vault", "use std::fs;\nuse crate::{domain::NotePath, note::split};"),
    ] {
        let module = [room.to_owned(), "file".to_owned()];
        assert_eq!(violations(room, source, &module, &table), BTreeSet::new(), "{room}: {source}");
    }
}
