//! Front matter as people and programs really write it: every shape of value that YAML has, in any order, with comments,
//! blank lines, tabs, either line end. An edit changes the lines of one property or is refused with a line and a remedy.
//!
//! `ADO_VAULT_LONG=1` tries a hundred thousand notes instead of a few thousand.

use ado_vault::note::{EditError, PropertyValue, body, properties, set_property};
use proptest::prelude::*;
use proptest::sample::select;

use super::check;

/// How sure it is that a property of this shape can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    /// To any value.
    Always,
    /// May be refused.
    Perhaps,
}

/// What stands behind a property's colon. `§` is a number of the piece's own, `#c§` a comment and `#t§` text.
const VALUES: [(&str, Set); 118] = [
    ("", Set::Always),
    (" ", Set::Always),
    ("  \t", Set::Always),
    (" # #c§", Set::Always),
    (" ~", Set::Always),
    (" null # #c§", Set::Always),
    (" word§", Set::Always),
    ("   padded§  ", Set::Always),
    ("\ttab§", Set::Always),
    (" word§\t# #c§", Set::Always),
    (" several words, with: colon§", Set::Perhaps),
    (" a:b§ http://x.y/z?a=b#t§", Set::Always),
    (" café 東京 🦀§ # #c§", Set::Always),
    (" it's§ \"so\"", Set::Always),
    (" -1.50", Set::Always),
    (" 0x1F", Set::Always),
    (" 1e3 # #c§", Set::Always),
    (" .inf", Set::Always),
    (" 2026-03-02T10:00:00Z", Set::Always),
    (" 12:30", Set::Always),
    (" true", Set::Always),
    (" yes", Set::Always),
    (" x]§", Set::Always),
    (" x} y§", Set::Always),
    (" -x§", Set::Always),
    (" ?x§ # #c§", Set::Always),
    (" :x§", Set::Always),
    (" a - b§", Set::Always),
    (" \u{a0}nbsp§", Set::Perhaps),
    (" two§\n  lines", Set::Always),
    (" two§\n\n  lines # #c§", Set::Perhaps),
    ("\n  below§", Set::Perhaps),
    ("\n  below§ # #c§", Set::Perhaps),
    (" # #c§\n  below", Set::Perhaps),
    (" word§\n   \n", Set::Perhaps),
    (" \"quoted§\"", Set::Always),
    (" \"quoted§\"   # #c§", Set::Always),
    (" \"#t§ : [x] \\\" \\\\\"", Set::Always),
    (" \"\"", Set::Always),
    (" \"two§\n  lines\" # #c§", Set::Always),
    (" \"two§\n\n  # #t§\n  lines\"", Set::Perhaps),
    (" \"two§\nlines\"", Set::Perhaps),
    (" \"two§ \\\n  lines\"", Set::Always),
    (" \"tab§\tin\"", Set::Always),
    (" \"\\u00e9\\x41\\n§\"", Set::Always),
    (" 'single§'", Set::Always),
    (" 'it''s§ #t§' # #c§", Set::Always),
    (" ''", Set::Always),
    (" 'two§\n  lines'", Set::Always),
    (" 'two§\nkey: lines'", Set::Perhaps),
    (" []", Set::Always),
    (" [ ]", Set::Always),
    (" [a§, b]", Set::Always),
    (" [a§,b] # #c§", Set::Always),
    (" [ a§ , \"b, c\", 'd' ]", Set::Always),
    (" [a§, b,]", Set::Always),
    (" [a§,\n  b]", Set::Perhaps),
    (" [a§,\nb]", Set::Perhaps),
    (" [\n  a§,\n  b,\n  ]", Set::Perhaps),
    (" [\n  a§, # #c§\n  b\n  ]", Set::Perhaps),
    (" [\n  a§,\n  b\n]", Set::Perhaps),
    (" [a§, 1, true, null, 2.5]", Set::Always),
    (" [a§, [b, c], {d: e}]", Set::Always),
    (" [[FR-1 link§]]", Set::Always),
    (" [[FR-1 link§]] # #c§", Set::Always),
    (" [[FR-1 a, b§]]", Set::Always),
    (" [[FR-1 link§|shown]]", Set::Always),
    (" [\"[[FR-1 link§]]\", \"[[x]]\"]", Set::Always),
    (" [it's§, x#t§]", Set::Always),
    (" [a§ , ]", Set::Always),
    (" [\"a\"§]", Set::Perhaps),
    (" [a: b§]", Set::Always),
    (" {}", Set::Always),
    (" {a: b§, \"c\": [d]}", Set::Always),
    (" {a: b§} # #c§", Set::Always),
    (" {\n  a: b§,\n  c: d}", Set::Perhaps),
    ("\n  - a§\n  - b", Set::Always),
    ("\n  - a§ # #i§\n  - \"b\"\n  - 'c d'", Set::Perhaps),
    ("\n- a§\n- b", Set::Always),
    (" # #c§\n- a§\n- b", Set::Always),
    ("\n\n  - a§\n\n  - b", Set::Perhaps),
    ("\n  # #c§\n  - a§", Set::Perhaps),
    ("\n  - a§\n  # #c§\n  - b", Set::Perhaps),
    ("\n  - a§\n# #c§\n  - b", Set::Perhaps),
    ("\n      - a§\n      - b", Set::Always),
    ("\n - a§", Set::Always),
    ("\n  -   a§\n  -   b", Set::Always),
    ("\n  -\ta§\n  -\tb", Set::Perhaps),
    ("\n  -\n  - a§", Set::Perhaps),
    ("\n  - a§\n    more\n  - b", Set::Perhaps),
    ("\n  - \"a§\n    more\"\n  - b", Set::Perhaps),
    ("\n  - - a§\n    - b\n  - c", Set::Perhaps),
    ("\n  - [a§, b]\n  - c", Set::Perhaps),
    ("\n  - k: v§\n    l: w\n  - m: x", Set::Perhaps),
    ("\n  - |\n    a§\n\n    # #t§\n  - b", Set::Perhaps),
    ("\n  - [[FR-1 link§]]\n  - \"[[x]]\"", Set::Perhaps),
    ("\n  - 1\n  - true\n  - a§\n  - ~", Set::Perhaps),
    ("\n  - a§: b", Set::Perhaps),
    ("\n  - &x a§\n  - b", Set::Perhaps),
    ("\n  - !!str 5\n  - b§", Set::Perhaps),
    ("\n  - a§ \n  - b\t", Set::Perhaps),
    ("\n  k: v§\n  l:\n    - x", Set::Perhaps),
    ("\n  k: v§ # #c§\n  # #c§\n  m: |\n    x", Set::Perhaps),
    ("\n  k: [v§]\n\n  l: {}", Set::Perhaps),
    (" |\n  text§\n  # #t§\n\n  more", Set::Always),
    (" |- # #c§\n  text§", Set::Always),
    (" |+\n  text§\n\n", Set::Perhaps),
    (" >\n  folded§\n  text\n\n    deeper", Set::Always),
    (" >2-\n    text§", Set::Always),
    (" |\n\n\n  late§", Set::Always),
    (" |", Set::Always),
    (" |\n  key: value§\n  - x", Set::Always),
    (" |\n text§", Set::Always),
    (" &anchor§ value", Set::Perhaps),
    (" &anchor§\n  - a", Set::Perhaps),
    (" !!str 5 # #c§", Set::Perhaps),
    (" !own§ {a: b}", Set::Perhaps),
    (" ! x§", Set::Perhaps),
];

/// How the name is written: what stands before the colon, and the name.
const KEYS: [(&str, &str); 16] = [
    ("a", "a"),
    ("b", "b"),
    ("c", "c"),
    ("Status", "Status"),
    ("\"d\"", "d"),
    ("'e'", "e"),
    ("f ", "f"),
    ("\"g\" ", "g"),
    ("two words", "two words"),
    ("ключ", "ключ"),
    ("\"h: #i\"", "h: #i"),
    ("j#k", "j#k"),
    ("3", "3"),
    ("l-m_n", "l-m_n"),
    ("'it''s'", "it's"),
    ("o:p", "o:p"),
];

/// Lines that belong to no property.
const BETWEEN: [&str; 8] = ["# #c§", "", "   ", "  # #c§", "\t# #c§", "#", "# key: value #c§", "\t"];

/// What is no list of properties, or no YAML: the whole note is left alone.
const BROKEN: [&str; 16] = [
    "owner: @mila",
    "x: `code`",
    "x: \"open",
    "x: 'open",
    "x: [a, b",
    "x: a: b",
    "\tx: 1",
    "x: %y",
    "? x\n: y",
    "- x",
    "no colon here",
    "{\"json\": true}",
    "x: &a 1\nalias: *a",
    "x: \"a\" b",
    "...",
    "x: |\n  a\n b",
];

#[derive(Debug, Clone)]
enum Piece {
    Between(&'static str),
    Property { written: &'static str, name: &'static str, value: &'static str, set: Set },
    Broken(&'static str),
}

impl Piece {
    fn text(&self, number: usize, indent: usize, newline: &str) -> String {
        let raw = match self {
            Self::Between(line) | Self::Broken(line) => (*line).to_owned(),
            Self::Property { written, value, .. } => format!("{written}:{value}"),
        };
        let space = " ".repeat(indent);
        let lines = raw.split('\n').map(|line| {
            let line = if line.is_empty() { String::new() } else { format!("{space}{line}") };
            line + newline
        });
        lines.collect::<String>().replace('§', &number.to_string())
    }

    /// Comments that an edit of this very property keeps, and of any other.
    fn has_comment(&self) -> bool {
        match self {
            Self::Between(line) | Self::Broken(line) => line.contains("#c§"),
            Self::Property { value, .. } => value.contains("#c§"),
        }
    }
}

#[derive(Debug, Clone)]
struct Note {
    pieces: Vec<Piece>,
    texts: Vec<String>,
    text: String,
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        12 => (select(&KEYS[..]), select(&VALUES[..])).prop_map(|((written, name), (value, set))| {
            Piece::Property { written, name, value, set }
        }),
        5 => select(&BETWEEN[..]).prop_map(Piece::Between),
    ]
}

fn note() -> impl Strategy<Value = Note> {
    let pieces = prop::collection::vec(piece(), 0..7);
    let broken = prop::option::weighted(0.06, (0_usize..7, select(&BROKEN[..])));
    let newlines = prop_oneof![3 => Just("\n\n"), 2 => Just("\r\n\r\n"), 1 => Just("\r\n\n")];
    let bodies = select(&["", "body\n", "\n# T\r\n\r\nx", "---\nnot: front\n---\n", "no end"][..]);
    (pieces, broken, newlines, prop_oneof![8 => Just(0_usize), 1 => 1_usize..4], any::<bool>(), bodies)
        .prop_map(|(mut pieces, broken, newlines, indent, bom, body)| {
            // Names once each: names given twice are a case of their own.
            let mut names = vec![];
            pieces.retain(|piece| match piece {
                Piece::Property { name, .. } if names.contains(name) => false,
                Piece::Property { name, .. } => {
                    names.push(name);
                    true
                }
                _ => true,
            });
            // An indented line below a block of text is part of that text.
            let mut below_text = false;
            pieces.retain(|piece| match piece {
                Piece::Between(line) => !below_text || line.is_empty() || line.starts_with('#'),
                Piece::Property { value, .. } => {
                    below_text = value.contains(['|', '>']) && !value.contains("[[");
                    true
                }
                Piece::Broken(_) => true,
            });
            if let Some((at, broken)) = broken {
                pieces.insert(at.min(pieces.len()), Piece::Broken(broken));
            }
            // Two line ends: that of even pieces and that of odd ones.
            let newlines: [&str; 2] = match newlines {
                "\n\n" => ["\n", "\n"],
                "\r\n\r\n" => ["\r\n", "\r\n"],
                _ => ["\r\n", "\n"],
            };
            let texts: Vec<String> = (0..)
                .zip(&pieces)
                .map(|(number, piece)| piece.text(number, indent, newlines[number % 2]))
                .collect();
            let mark = if bom { "\u{feff}" } else { "" };
            let newline = newlines[0];
            let text = format!("{mark}---{newline}{}---{newline}{body}", texts.concat());
            Note { pieces, texts, text }
        })
}

fn value() -> impl Strategy<Value = Option<PropertyValue>> {
    let text = prop_oneof![
        select(
            &[
                "planned", "", " ", "a: b", "a #b", "[[FR-1]]", "@x", "- a", "yes", "1.10", "---", "a\nb",
                "..."
            ][..]
        )
        .prop_map(str::to_owned),
        select(
            &["12:30", "1_000", "0o17", "a\r\nb", "\u{85}", "x:", "'", "\"", "\\", "*", "&a", "!t", "%"][..]
        )
        .prop_map(str::to_owned),
        any::<String>(),
        "[ -~]{0,12}",
        "[#:\\-\\[\\]{},'\"a \t\n]{0,6}",
    ];
    prop_oneof![
        1 => Just(None),
        4 => text.clone().prop_map(|text| Some(PropertyValue::Text(text))),
        1 => any::<i64>().prop_map(|number| Some(PropertyValue::Integer(number))),
        1 => prop::num::f64::NORMAL.prop_map(|number| Some(PropertyValue::Number(number))),
        1 => any::<bool>().prop_map(|yes| Some(PropertyValue::Bool(yes))),
        3 => prop::collection::vec(prop_oneof![3 => select(&["a0", "b", "c d", "b, c"][..]).prop_map(str::to_owned), 1 => text], 0..4)
            .prop_map(|items| Some(PropertyValue::List(items))),
    ]
}

fn cases() -> u32 {
    if std::env::var_os("ADO_VAULT_LONG").is_some() { 100_000 } else { 4_000 }
}

/// What an edit of the property `name`, written in piece `at` if there, must leave alone.
fn judge(note: &Note, at: Option<usize>, name: &str, value: Option<&PropertyValue>) -> Result<(), String> {
    check(&note.text, name, value)?;
    let readable = properties(&note.text).is_ok();
    let edited = match set_property(&note.text, name, value) {
        Ok(edited) => edited,
        Err(EditError::Unsafe { line, remedy, reason }) => {
            let lines = note.text.lines().count() as u32;
            if line == 0 || line > lines || remedy.is_empty() {
                return Err(format!("refused at line {line} of {lines}: {reason}; {remedy}"));
            }
            let sure = match at.map(|at| &note.pieces[at]) {
                Some(Piece::Property { set, .. }) => *set == Set::Always,
                _ => true,
            };
            let others = !note.pieces.iter().any(|piece| matches!(piece, Piece::Broken(_)));
            // What is removed may leave blank or indented lines to the property above.
            if readable && sure && others && value.is_some() {
                return Err(format!("refused without need at line {line}: {reason}"));
            }
            return Ok(());
        }
        Err(error) => return Err(error.to_string()),
    };
    if note.pieces.iter().any(|piece| matches!(piece, Piece::Broken(_))) {
        // It has become a part of what stands above it.
        return Ok(());
    }
    if !readable {
        return Err("a note that cannot be read was edited".to_owned());
    }
    if edited == note.text {
        return Ok(());
    }
    let front_of = |text: &str| text.len() - body(text).len();
    if body(&edited) != body(&note.text) {
        return Err("the body changed".to_owned());
    }
    let fence = note.text[..front_of(&note.text)].rfind("---").expect("the closing fence");
    let edited_fence = edited[..front_of(&edited)].rfind("---").expect("the closing fence");
    let at_or_end = at.unwrap_or(note.texts.len());
    let head = note.text.find("---").expect("the fence");
    let head = head + note.text[head..].find('\n').expect("its end") + 1;
    let before = head + note.texts[..at_or_end].concat().len();
    let after: String = note.texts.iter().skip(at_or_end + 1).map(String::as_str).collect();
    if !edited.starts_with(&note.text[..before]) {
        return Err(format!("something above the property changed: {edited:?}"));
    }
    if !edited[..edited_fence].ends_with(&after) || edited[edited_fence..] != note.text[fence..] {
        return Err(format!("something below the property changed: {edited:?}"));
    }
    if let (Some(at), Some(_)) = (at, value)
        && note.pieces[at].has_comment()
        && !edited.contains(&format!("#c{at}"))
    {
        return Err(format!("the property's comment is gone: {edited:?}"));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn an_edit_touches_the_lines_of_its_property_alone(note in note(), pick in any::<prop::sample::Index>(), value in value()) {
        let named: Vec<(usize, &str)> = note.pieces.iter().enumerate().filter_map(|(at, piece)| match piece {
            Piece::Property { name, .. } => Some((at, *name)),
            _ => None,
        }).collect();
        let chosen = pick.index(named.len() + 1);
        let (at, name) = named.get(chosen).map_or((None, "fresh"), |(at, name)| (Some(*at), *name));
        if let Err(error) = judge(&note, at, name, value.as_ref()) {
            prop_assert!(false, "{error}\nsetting `{name}` to {value:?} in {:?}", note.text);
        }
    }
}

/// The generator is worth something only while most of what it makes is YAML that can be edited.
#[test]
fn most_shapes_can_be_read_and_set() {
    let (mut read, mut set) = (0, 0);
    let mut refused = vec![];
    for (value, sure) in VALUES {
        let text = format!("---\na:{value}\nz: 1\n---\n");
        if properties(&text).is_err() {
            continue;
        }
        read += 1;
        match set_property(&text, "a", Some(&PropertyValue::Text("new".into()))) {
            Ok(_) => set += 1,
            Err(error) => refused.push(format!("{value:?} {sure:?}: {error}")),
        }
    }
    assert!(read >= 100 && set >= 90, "{read} read, {set} set\n{}", refused.join("\n"));
}
