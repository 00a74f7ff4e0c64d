//! Generated vaults: whatever a note or a folder is moved to, every link leads where it led before.
//!
//! `ADO_VAULT_TEST_CASES` sets how many vaults are tried; the default is small.

use std::collections::BTreeMap;

use ado_vault::domain::NotePath;
use ado_vault::note::{Link, LinkKind, Places, Relocation, links};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::path;

/// A vault of notes by path.
type Vault = BTreeMap<NotePath, String>;

fn folder() -> impl Strategy<Value = &'static str> {
    select(vec!["", "a", "b", "a/b", "a/c d", "b/a", "é", "a/b/e\u{301}"])
}

fn name() -> impl Strategy<Value = &'static str> {
    select(vec!["X", "x y", "Y", "Zoë", "Zoe\u{308}", "FR-1 A", "b", "It's", "p (1)"])
}

fn note_path() -> impl Strategy<Value = NotePath> {
    (folder(), name()).prop_map(|(folder, name)| at(folder, name))
}

fn at(folder: &str, name: &str) -> NotePath {
    path(&if folder.is_empty() { format!("{name}.md") } else { format!("{folder}/{name}.md") })
}

/// A way of writing a link and what stands around it.
#[derive(Debug, Clone)]
struct Writing {
    target: Index,
    parts: usize,
    form: u8,
    noise: String,
}

fn writing() -> impl Strategy<Value = Writing> {
    (any::<Index>(), 1..5_usize, 0..9_u8, "[ a\\[\\]()!|#<>`$%\\\\\n-]{0,8}")
        .prop_map(|(target, parts, form, noise)| Writing { target, parts, form, noise })
}

fn written(writing: &Writing, from: &NotePath, all: &[NotePath]) -> String {
    let target = writing.target.get(all).as_str();
    let stem = target.strip_suffix(".md").unwrap();
    let parts: Vec<&str> = stem.split('/').collect();
    let last = parts[parts.len().saturating_sub(writing.parts)..].join("/");
    let up = "../".repeat(from.folder().split('/').filter(|part| !part.is_empty()).count());
    let encoded = |text: &str| text.replace(' ', "%20").replace('(', "%28").replace(')', "%29");
    let link = match writing.form {
        0 => format!("[[{last}]]"),
        1 => format!("![[{last}#h|x]]"),
        2 => format!("[[/{stem}]]"),
        3 => format!("[[{up}{stem}.md#^b]]"),
        4 => format!("[t]({up}{}#h)", encoded(target)),
        5 => format!("![t](<{up}{target}> \"q\")"),
        6 => format!("[t]({})", encoded(&last)),
        7 => format!("`[[{last}]]`"),
        _ => format!("\n\n[r]: {up}{}\n\n", encoded(target)),
    };
    format!("{link}{}", writing.noise)
}

fn vault() -> impl Strategy<Value = Vault> {
    let note = proptest::collection::vec(writing(), 0..5);
    proptest::collection::btree_map(note_path(), note, 2..8).prop_map(|mut notes| {
        // Two notes of one name, composed and not, cannot be told apart by a link.
        let decomposed: Vec<NotePath> =
            notes.keys().filter(|at| at.stem() == "Zoe\u{308}").cloned().collect();
        for at in decomposed {
            if notes.contains_key(&self::at(at.folder(), "Zoë")) {
                notes.remove(&at);
            }
        }
        let all: Vec<NotePath> = notes.keys().cloned().collect();
        let text = |(at, writings): (NotePath, Vec<Writing>)| {
            let body: String = writings.iter().map(|writing| written(writing, &at, &all)).collect();
            (at, body)
        };
        notes.into_iter().map(text).collect()
    })
}

/// Where every link of the vault leads.
fn led(vault: &Vault) -> BTreeMap<NotePath, Vec<(Link, Option<NotePath>)>> {
    let places = Places::of(vault.keys());
    let targets = |at: &NotePath, text: &str| {
        links(text)
            .into_iter()
            .map(|link| (places.target(&link, at).cloned(), link))
            .map(|(to, link)| (link, to))
            .collect()
    };
    vault.iter().map(|(at, text)| (at.clone(), targets(at, text))).collect()
}

fn moved(vault: &Vault, moves: &[(NotePath, NotePath)]) -> Vault {
    let relocation = Relocation::of(moves, vault.keys());
    let mend = |(at, text): (&NotePath, &String)| {
        (relocation.after(at).clone(), relocation.mend_links(text, at).unwrap_or_else(|| text.clone()))
    };
    vault.iter().map(mend).collect()
}

/// The text with every link's path cut out.
fn frame(text: &str) -> String {
    let mut out = String::new();
    let mut from = 0;
    let mut found = links(text);
    found.sort_by_key(|link| link.target.start);
    for link in found {
        out.push_str(&text[from..link.target.start]);
        out.push('\u{1}');
        out.push_str(&link.fragment);
        from = link.target.end;
    }
    out + &text[from..]
}

fn assert_still_led(
    before: &Vault,
    after: &Vault,
    moves: &[(NotePath, NotePath)],
) -> Result<(), TestCaseError> {
    let to = |path: &NotePath| {
        moves.iter().find(|(from, _)| from == path).map_or_else(|| path.clone(), |(_, to)| to.clone())
    };
    let (then, now) = (led(before), led(after));
    for (at, links) in &then {
        let (old, new) = (&before[at], &after[&to(at)]);
        prop_assert_eq!(frame(old), frame(new), "{}", at);
        for ((link, target), (new_link, new_target)) in links.iter().zip(&now[&to(at)]) {
            prop_assert_eq!(link.kind, new_link.kind);
            if let Some(target) = target {
                prop_assert_eq!(Some(to(target)), new_target.clone(), "{}: {} → {}", at, old, new);
            }
        }
    }
    Ok(())
}

fn cases() -> u32 {
    std::env::var("ADO_VAULT_TEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(250)
}

fn is_wiki(kind: LinkKind) -> bool {
    matches!(kind, LinkKind::Wiki | LinkKind::WikiEmbed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_link_leads_where_it_led_and_every_other_byte_stays(
        vault in vault(), which in any::<Index>(), to in note_path(),
    ) {
        let from = which.get(&vault.keys().cloned().collect::<Vec<_>>()).clone();
        prop_assume!(!vault.contains_key(&to) && !to.stem().starts_with("Zo"));
        let there = [(from.clone(), to.clone())];
        let after = moved(&vault, &there);
        assert_still_led(&vault, &after, &there)?;
        // As after a crash.
        assert_still_led(&after, &moved_again(&after, &there, &to), &[])?;
        let back = [(to, from)];
        let restored = moved(&after, &back);
        assert_still_led(&after, &restored, &back)?;
        // Links that were whole or relative and canonical come back as they were.
        for (at, text) in &vault {
            let plain = links(text).iter().all(|link| {
                let places = Places::of(vault.keys());
                let name_is_unique = places.all_ending_in(link.path.rsplit('/').next().unwrap_or(""), at).len() == 1;
                is_wiki(link.kind) && !link.path.contains('/') && name_is_unique
            });
            let renamed = there[0].0.stem() != there[0].1.stem();
            if plain && !renamed {
                prop_assert_eq!(&restored[at], text);
            }
        }
    }

    #[test]
    fn a_folder_takes_its_links_along(vault in vault(), from in folder(), to in select(vec!["n", "a/n", "n/m/o"])) {
        prop_assume!(!from.is_empty());
        let inside = |path: &&NotePath| path.as_str().starts_with(&format!("{from}/"));
        let moves: Vec<(NotePath, NotePath)> = vault
            .keys()
            .filter(inside)
            .map(|old| (old.clone(), path(&format!("{to}{}", &old.as_str()[from.len()..]))))
            .collect();
        let after = moved(&vault, &moves);
        assert_still_led(&vault, &after, &moves)?;
    }
}

/// The mending of notes that did not move, done a second time.
fn moved_again(after: &Vault, moves: &[(NotePath, NotePath)], moved: &NotePath) -> Vault {
    let relocation = Relocation::of(moves, after.keys());
    let again = |(at, text): (&NotePath, &String)| {
        let mended = if at == moved { None } else { relocation.mend_links(text, at) };
        (at.clone(), mended.unwrap_or_else(|| text.clone()))
    };
    after.iter().map(again).collect()
}
