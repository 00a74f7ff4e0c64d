//! Finds links in a note: wikilinks, embeds, Markdown links and images. It does not know what they lead to.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

use super::split;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// `[[path#heading|alias]]`
    Wiki,
    /// `![[path]]`
    WikiEmbed,
    /// `[text](path "title")`, and the definition `[label]: path` of a reference.
    Markdown,
    /// `![text](path)`
    MarkdownImage,
}

/// One link, with byte offsets into the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The whole link.
    pub range: Range<usize>,
    /// Path and fragment as written, without the brackets around.
    pub target: Range<usize>,
    pub kind: LinkKind,
    /// Decoded, without fragment. Empty for a link within the note.
    pub path: String,
    /// Heading or block with its `#`, as written; empty when there is none.
    pub fragment: String,
}

/// All links in order of their place. As in Obsidian, code, formulas and HTML (its comments too) hold none while `%%`
/// comments do, and in front matter a value is a link when it is a wikilink and nothing else. Addresses with a scheme
/// (`https:`) are no paths.
pub fn links(text: &str) -> Vec<Link> {
    let (front, start) = split(text).map_or((None, 0), |parts| (parts.front, parts.body));
    let mut found = Vec::new();
    if let Some(front) = front {
        wikilinks(text, front.clone(), &[], &mut found);
        found.retain_mut(|link| {
            let at = link.range.start - front.start..link.range.end - front.start;
            let quote = quote_around(&text[front.clone()], at);
            if quote == Some(Some('\'')) {
                link.path = link.path.replace("''", "'");
            }
            // An escape in double quotes is left to whoever wrote it.
            quote.is_some() && !(quote == Some(Some('"')) && link.path.contains('\\'))
        });
    }
    let body = &text[start..];
    if !body.contains('[') {
        return found;
    }
    let mut opaque: Vec<Range<usize>> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let parser = Parser::new_ext(body, extensions());
    for (_, definition) in parser.reference_definitions().iter() {
        let at = start + definition.span.start..start + definition.span.end;
        let target =
            text[at.clone()].find("]:").and_then(|colon| destination(text, at.start + colon + 2..at.end));
        found.extend(
            target.and_then(|target| markdown(text, at, target, LinkKind::Markdown, &definition.dest)),
        );
    }
    for (event, range) in parser.into_offset_iter() {
        let range = start + range.start..start + range.end;
        match event {
            Event::Start(Tag::Link { link_type, dest_url, .. } | Tag::Image { link_type, dest_url, .. }) => {
                let is_inline = link_type == LinkType::Inline;
                open.push(Open { inner_end: range.start + 1, dest: dest_url.to_string(), is_inline });
                continue;
            }
            Event::End(end @ (TagEnd::Link | TagEnd::Image)) => {
                let link = open.pop().filter(|link| link.is_inline);
                let kind = if end == TagEnd::Link { LinkKind::Markdown } else { LinkKind::MarkdownImage };
                found.extend(link.and_then(|link| {
                    let paren = link.inner_end + text.get(link.inner_end..range.end)?.find("](")? + 2;
                    markdown(text, range.clone(), destination(text, paren..range.end)?, kind, &link.dest)
                }));
            }
            Event::Code(_)
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_) => opaque.push(range.clone()),
            Event::Start(Tag::CodeBlock(_)) => opaque.push(range.clone()),
            _ => {}
        }
        if let Some(link) = open.last_mut() {
            link.inner_end = link.inner_end.max(range.end);
        }
    }
    opaque.sort_by_key(|range| range.start);
    let first = found.len();
    wikilinks(text, start..text.len(), &opaque, &mut found);
    let wikilinks = found.split_off(first);
    // `[[a]](b)` is a wikilink and a word; `[a](b[[c]])` is one link.
    found.retain(|link| !wikilinks.iter().any(|wikilink| wikilink.range.start == link.range.start));
    let covers = |link: &Link, at: &Range<usize>| link.target.start < at.end && at.start < link.target.end;
    let within = |at: &Range<usize>| found.iter().any(|link| covers(link, at));
    let wikilinks: Vec<Link> = wikilinks.into_iter().filter(|link| !within(&link.range)).collect();
    found.extend(wikilinks);
    found.sort_by_key(|link| link.range.start);
    found
}

/// What Obsidian reads beyond CommonMark, as far as it says what is a link.
pub(super) fn extensions() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_MATH | Options::ENABLE_FOOTNOTES
}

/// The quote around a wikilink in front matter, where the link is all of a property's value or of a list's entry.
fn quote_around(front: &str, link: Range<usize>) -> Option<Option<char>> {
    let before = &front[front[..link.start].rfind('\n').map_or(0, |at| at + 1)..link.start];
    let after = front[link.end..].lines().next().unwrap_or_default();
    let quote = before.chars().next_back().filter(|char| matches!(char, '"' | '\''));
    let head = quote.map_or(before, |quote| before.strip_suffix(quote).unwrap_or(before)).trim_end();
    let is_value = match quote {
        Some(quote) => after.starts_with(quote) && (head.is_empty() || head.ends_with([':', '-', '[', ','])),
        // YAML reads it as a list in a list; people write it, and mean a link.
        None => {
            let after = after.trim_start();
            (after.is_empty() || after.starts_with('#')) && head.ends_with([':', '-'])
        }
    };
    (is_value && !ends_in_comment(head)).then_some(quote)
}

/// Whether a line of YAML that begins so has come to a comment.
fn ends_in_comment(head: &str) -> bool {
    let mut quote = None;
    let mut before = ' ';
    for char in head.chars() {
        match (quote, char) {
            (None, '#') if before.is_whitespace() => return true,
            (None, '"' | '\'') if matches!(before, ' ' | '[' | ',') => quote = Some(char),
            (Some(open), char) if open == char => quote = None,
            _ => {}
        }
        before = char;
    }
    false
}

/// A Markdown link whose end was not reached yet.
struct Open {
    /// End of what stands between its square brackets, as far as it was seen.
    inner_end: usize,
    dest: String,
    is_inline: bool,
}

/// `dest` is the address with Markdown's escapes and entities resolved.
fn markdown(
    text: &str,
    range: Range<usize>,
    target: Range<usize>,
    kind: LinkKind,
    dest: &str,
) -> Option<Link> {
    let raw = &text[target.clone()];
    let has_scheme = dest.split(['/', '#', '?']).next().is_some_and(|head| head.contains(':'));
    if has_scheme || dest.starts_with("//") {
        return None;
    }
    let path = percent_decoded(dest.split('#').next().unwrap_or_default());
    let fragment = raw.find('#').map_or("", |at| &raw[at..]).to_owned();
    Some(Link { range, target, kind, path, fragment })
}

/// Where the address stands after `(` or `]:`.
fn destination(text: &str, within: Range<usize>) -> Option<Range<usize>> {
    let rest = text.get(within.clone())?;
    let start = within.start + (rest.len() - rest.trim_start().len());
    let rest = &text[start..within.end];
    let is_angled = rest.starts_with('<');
    let mut depth = 0_usize;
    let mut chars = rest.char_indices().skip(usize::from(is_angled));
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => {
                chars.next();
            }
            '>' if is_angled => return Some(start + 1..start + at),
            '(' => depth += 1,
            ')' if !is_angled && depth == 0 => return Some(start..start + at),
            ')' => depth = depth.saturating_sub(1),
            char if !is_angled && char.is_whitespace() => return Some(start..start + at),
            _ => {}
        }
    }
    (!is_angled).then_some(start..within.end)
}

fn wikilinks(text: &str, within: Range<usize>, opaque: &[Range<usize>], found: &mut Vec<Link>) {
    let mut at = within.start;
    while let Some(open) = text[at..within.end].find("[[").map(|offset| at + offset) {
        at = open + 2;
        let hidden = opaque.partition_point(|range| range.end <= open);
        if let Some(code) = opaque.get(hidden).filter(|range| range.start <= open) {
            at = code.end.max(at);
            continue;
        }
        let line_end = text[at..within.end].find('\n').map_or(within.end, |offset| at + offset);
        let Some(close) = text[at..line_end].find("]]").map(|offset| at + offset) else {
            continue;
        };
        // `[[[a]]` and `[[a [[b]]`: the innermost pair is the link.
        let inner_start = text[at..close].rfind("[[").map_or(at, |offset| at + offset + 2);
        let inner_start = inner_start + usize::from(text[inner_start..close].starts_with('['));
        let escapes = text[..inner_start - 2].len() - text[..inner_start - 2].trim_end_matches('\\').len();
        at = close + 2;
        let is_in_code = opaque.iter().any(|range| range.start < close && range.end > open);
        if escapes % 2 == 1 || is_in_code {
            continue;
        }
        let is_embed = text[..inner_start - 2].ends_with('!');
        let inner = &text[inner_start..close];
        let target = inner.split('|').next().unwrap_or_default();
        // In a table the bar is written `\|`.
        let target =
            if target.len() < inner.len() { target.strip_suffix('\\').unwrap_or(target) } else { target };
        let start = inner_start + (target.len() - target.trim_start().len());
        let target = target.trim();
        let hash = target.find('#').unwrap_or(target.len());
        if target[..hash].contains(['[', ']']) {
            continue;
        }
        found.push(Link {
            range: inner_start - 2 - usize::from(is_embed)..close + 2,
            target: start..start + target.len(),
            kind: if is_embed { LinkKind::WikiEmbed } else { LinkKind::Wiki },
            path: target[..hash].trim_end().to_owned(),
            fragment: target[hash..].to_owned(),
        });
    }
}

/// `a b` of `a%20b`; what is no valid encoding stays as it is.
pub(super) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Vec<(LinkKind, &str, String, String)> {
        links(text).into_iter().map(|l| (l.kind, &text[l.target], l.path, l.fragment)).collect()
    }

    fn link(kind: LinkKind, target: &str, path: &str, fragment: &str) -> (LinkKind, String, String, String) {
        (kind, target.to_owned(), path.to_owned(), fragment.to_owned())
    }

    #[test]
    fn every_kind_of_link_is_found_with_its_place() {
        use LinkKind::{Markdown, MarkdownImage, Wiki, WikiEmbed};
        let text = "---\na: \"[[f/x|X]]\"\n---\n[[a/b#h^x|alias]] ![[c d.png]] [t](<a b.md#h> \"title\") [u](a%20b.md) ![i](../p(1).png 'q')\n\n| [[t\\|u]] |\n|-|\n| [v *w*](x.md) |\n\n[![n](in.png)](out.md) [[#here]]\n\n[ref]: def.md \"t\"\n";
        let expected = [
            link(Wiki, "f/x", "f/x", ""),
            link(Wiki, "a/b#h^x", "a/b", "#h^x"),
            link(WikiEmbed, "c d.png", "c d.png", ""),
            link(Markdown, "a b.md#h", "a b.md", "#h"),
            link(Markdown, "a%20b.md", "a b.md", ""),
            link(MarkdownImage, "../p(1).png", "../p(1).png", ""),
            link(Wiki, "t", "t", ""),
            link(Markdown, "x.md", "x.md", ""),
            link(Markdown, "out.md", "out.md", ""),
            link(MarkdownImage, "in.png", "in.png", ""),
            link(Wiki, "#here", "", "#here"),
            link(Markdown, "def.md", "def.md", ""),
        ];
        let found: Vec<_> = seen(text).into_iter().map(|(k, t, p, f)| (k, t.to_owned(), p, f)).collect();
        assert_eq!(found, expected);
        let embed = &links(text)[2];
        assert_eq!(&text[embed.range.clone()], "![[c d.png]]");
    }

    #[test]
    fn code_addresses_and_escapes_are_no_links() {
        let text = "`[[a]]` ``[[b]] ` [c](d.md)``\n\n```\n[[e]]\n```\n\n    [[f]]\n\n\\[[g]] <!-- [[h]] --> [i](https://x.y/z.md) [j](mailto:a@b) [[k\n]] <https://l.m>\n";
        assert_eq!(seen(text), []);
        assert_eq!(seen("[[[a]]] [[b [[c]]").into_iter().map(|l| l.2).collect::<Vec<_>>(), ["a", "c"]);
    }
}
