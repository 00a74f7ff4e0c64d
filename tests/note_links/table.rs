//! Every way of writing a link × which end moves × depth of the folders × kind of name × anchor × alias. What is expected
//! is spelled by this file alone.

use super::mended;

/// A way to write a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    WholeWithExtension,
    LastTwoParts,
    Name,
    Rooted,
    DottedWiki,
    Embed,
    InTable,
    Card,
    InComment,
    DoubleQuoted,
    SingleQuotedItem,
    Unquoted,
    Relative,
    RelativeWithoutExtension,
    Angled,
    Titled,
    Image,
    RootedMarkdown,
    Reference,
    AngledReference,
}

const FORMS: [Form; 21] = [
    Form::Whole,
    Form::WholeWithExtension,
    Form::LastTwoParts,
    Form::Name,
    Form::Rooted,
    Form::DottedWiki,
    Form::Embed,
    Form::InTable,
    Form::Card,
    Form::InComment,
    Form::DoubleQuoted,
    Form::SingleQuotedItem,
    Form::Unquoted,
    Form::Relative,
    Form::RelativeWithoutExtension,
    Form::Angled,
    Form::Titled,
    Form::Image,
    Form::RootedMarkdown,
    Form::Reference,
    Form::AngledReference,
];
const FOLDERS: [&str; 4] = ["", "one", "one/two words", "thrée/四/five"];
const NAMES: [&str; 5] = ["Plain", "Two words", "Ünï 日本", "Cafe\u{301} au lait", "It's (1), 50% & co"];
/// Anchors and aliases.
const ENDS: [(&str, &str); 3] = [("", ""), ("#Heading one", ""), ("#^block-1", "shown so")];

/// A note whose only link is from the note `source` to `target`, both without `.md`.
fn spelled(form: Form, source: &str, target: &str, anchor: &str, alias: &str) -> String {
    let parts: Vec<&str> = target.split('/').collect();
    let name = parts[parts.len() - 1];
    let last_two = parts[parts.len().saturating_sub(2)..].join("/");
    let wiki = |path: &str| match alias {
        "" => format!("[[{path}{anchor}]]"),
        alias => format!("[[{path}{anchor}|{alias}]]"),
    };
    let relative = relative(source, target);
    let (plain, angled) = (encoded(&relative), relative.replace('%', "%25"));
    let dotted = if relative.starts_with('.') { relative.clone() } else { format!("./{relative}") };
    let anchor_there = anchor.replace(' ', "%20");
    match form {
        Form::Whole => wiki(target),
        Form::WholeWithExtension => wiki(&format!("{target}.md")),
        Form::LastTwoParts => wiki(&last_two),
        Form::Name => wiki(name),
        Form::Rooted => wiki(&format!("/{target}")),
        Form::DottedWiki => wiki(&dotted),
        Form::Embed => format!("text!{}text", wiki(target)),
        Form::InTable => format!("| a | {} |\n|---|---|\n", wiki(target).replace('|', "\\|")),
        Form::Card => format!("- [ ] {} @{{2026-11-21}}\n", wiki(target)),
        Form::InComment => format!("%% {} %%", wiki(target)),
        Form::DoubleQuoted => format!("---\nup: \"{}\" # as is\n---\n", wiki(target)),
        Form::SingleQuotedItem => format!("---\nup:\n  - '{}'\n---\n", wiki(target).replace('\'', "''")),
        Form::Unquoted => format!("---\nup: {}\n---\n", wiki(target)),
        Form::Relative => format!("[{alias}]({plain}.md{anchor_there})"),
        Form::RelativeWithoutExtension => format!("[{alias}]({plain}{anchor_there})"),
        Form::Angled => format!("[{alias}](<{angled}.md{anchor}>)"),
        Form::Titled => format!("[{alias}]({plain}.md{anchor_there} \"title (1)\")"),
        Form::Image => format!("![{alias}|100]({plain}.md{anchor_there})"),
        Form::RootedMarkdown => format!("[{alias}](/{}.md{anchor_there})", encoded(target)),
        Form::Reference => format!("[r]\n\n[r]: {plain}.md{anchor_there} 'title'\n"),
        Form::AngledReference => format!("[r]\n\n[r]: <{angled}.md{anchor}>\n"),
    }
}

fn relative(source: &str, target: &str) -> String {
    let (mut from, mut to): (Vec<&str>, Vec<&str>) =
        (source.split('/').collect(), target.split('/').collect());
    from.pop();
    while !from.is_empty() && to.len() > 1 && from[0] == to[0] {
        from.remove(0);
        to.remove(0);
    }
    vec![".."; from.len()].into_iter().chain(to).collect::<Vec<_>>().join("/")
}

fn encoded(path: &str) -> String {
    path.replace('%', "%25").replace(' ', "%20").replace('(', "%28").replace(')', "%29")
}

fn at(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Forms of which the whole path from the root is one part only where the note lies in the root: a name, then.
fn is_whole(form: Form) -> bool {
    !matches!(
        form,
        Form::Name
            | Form::LastTwoParts
            | Form::Rooted
            | Form::DottedWiki
            | Form::Relative
            | Form::RelativeWithoutExtension
            | Form::Angled
            | Form::Titled
            | Form::Image
            | Form::RootedMarkdown
            | Form::Reference
            | Form::AngledReference
    )
}

/// Moves one end and compares; then back.
fn holds(
    form: Form,
    moves: (&str, &str),
    source: (&str, &str),
    target: (&str, &str),
    anchor: &str,
    alias: &str,
) {
    // A note in the root is named whole by its name alone, and goes on being named so.
    let stays = moves.0 == moves.1;
    let by_name = is_whole(form) && !target.0.contains('/');
    // The last two parts of one part are one, and of two the whole path.
    let depth = |path: &str| path.matches('/').count();
    let not_two = form == Form::LastTwoParts && (depth(target.0) < 2 || depth(target.1) == 0);
    if stays || by_name || not_two {
        return;
    }
    let before = spelled(form, source.0, target.0, anchor, alias);
    let expected = spelled(form, source.1, target.1, anchor, alias);
    let paths = [source.0, target.0].map(|path| format!("{path}.md"));
    let moves = [(format!("{}.md", moves.0), format!("{}.md", moves.1))];
    let moves: Vec<(&str, &str)> = moves.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let found = mended(&before, &paths[0], &moves, &[&paths[1]]).unwrap_or_else(|| before.clone());
    assert_eq!(found, expected, "{form:?} in {source:?} to {target:?}: {before}");
    let back: Vec<(&str, &str)> = moves.iter().map(|(from, to)| (*to, *from)).collect();
    let moved = [source.1, target.1].map(|path| format!("{path}.md"));
    if form != Form::LastTwoParts && !(is_whole(form) && depth(target.1) == 0) {
        let there = mended(&found, &moved[0], &back, &[&moved[1]]).unwrap_or(found);
        assert_eq!(there, before, "back: {form:?} in {source:?} to {target:?}");
    }
}

#[test]
fn a_link_into_the_moved_note_follows() {
    for form in FORMS {
        for (from, to) in FOLDERS.iter().flat_map(|from| FOLDERS.map(|to| (*from, to))) {
            for (home, name) in FOLDERS.iter().flat_map(|home| NAMES.map(|name| (*home, name))) {
                for (anchor, alias) in ENDS {
                    let (home, from, to) = (at(home, "Home"), at(from, name), at(to, name));
                    holds(form, (&from, &to), (&home, &home), (&from, &to), anchor, alias);
                }
            }
        }
    }
}

#[test]
fn a_link_out_of_the_moved_note_is_turned() {
    for form in FORMS {
        for (from, to) in FOLDERS.iter().flat_map(|from| FOLDERS.map(|to| (*from, to))) {
            for (there, name) in FOLDERS.iter().flat_map(|there| NAMES.map(|name| (*there, name))) {
                for (anchor, alias) in ENDS {
                    let (from, to, there) = (at(from, "Moved"), at(to, "Moved"), at(there, name));
                    holds(form, (&from, &to), (&from, &to), (&there, &there), anchor, alias);
                }
            }
        }
    }
}

#[test]
fn a_renamed_note_is_named_anew() {
    for form in FORMS {
        for (old, new) in NAMES.iter().flat_map(|old| NAMES.map(|new| (*old, new))) {
            for (folder, home) in FOLDERS.iter().flat_map(|folder| FOLDERS.map(|home| (*folder, home))) {
                let (home, from, to) = (at(home, "Home"), at(folder, old), at(folder, new));
                holds(form, (&from, &to), (&home, &home), (&from, &to), "#^x", "shown");
            }
        }
    }
}
