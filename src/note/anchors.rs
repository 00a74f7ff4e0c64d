//! What a link can name within a note: headings and blocks. It does not know where the note lies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use regex::Regex;

use super::body;
use super::link::{Link, LinkKind, extensions, links, percent_decoded};
use super::mend::spliced;

/// The headings and blocks of a note.
#[derive(Debug, Clone, Default)]
pub struct Anchors {
    /// As Obsidian compares them.
    headings: BTreeSet<String>,
    /// As GitHub names them: `#the-heading-1`; and anchors written in HTML.
    slugs: BTreeSet<String>,
    /// As they are written, without markup.
    titles: Vec<String>,
    /// In lower case.
    blocks: BTreeSet<String>,
}

/// What of a link is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    Heading(String),
    Block(String),
}

impl Anchors {
    pub fn of(text: &str) -> Self {
        static BLOCK: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?m)(?:^|\s)\^([A-Za-z0-9-]+)[ \t\r]*$").expect("a literal pattern")
        });
        static HTML: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"<[^<>]*\b(?:id|name)\s*=\s*["']?([^"'\s>]+)"#).expect("a literal pattern")
        });
        let text = body(text);
        let mut found = Self::default();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut open: Option<String> = None;
        for event in Parser::new_ext(text, extensions()) {
            match event {
                Event::Start(Tag::Heading { .. }) => open = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let title = open.take().unwrap_or_default();
                    let slug = slug(&title);
                    let count = seen.entry(slug.clone()).or_default();
                    found.slugs.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
                    *count += 1;
                    found.headings.insert(folded(&title));
                    found.titles.push(title.trim().to_owned());
                }
                Event::Text(text) | Event::Code(text) | Event::InlineMath(text) => {
                    if let Some(title) = &mut open {
                        title.push_str(&text);
                    }
                }
                Event::SoftBreak | Event::HardBreak => {
                    if let Some(title) = &mut open {
                        title.push(' ');
                    }
                }
                _ => {}
            }
        }
        found.blocks = BLOCK.captures_iter(text).map(|hit| hit[1].to_lowercase()).collect();
        found.slugs.extend(HTML.captures_iter(text).map(|hit| hit[1].to_lowercase()));
        found
    }

    /// The first part of the link's fragment that this note has not; `None` when all are there.
    pub fn missing(&self, link: &Link) -> Option<Missing> {
        let is_markdown = matches!(link.kind, LinkKind::Markdown | LinkKind::MarkdownImage);
        let fragment = link.fragment.strip_prefix('#')?;
        let fragment = if is_markdown { percent_decoded(fragment) } else { fragment.to_owned() };
        if is_markdown && self.slugs.contains(&fragment.to_lowercase()) {
            return None;
        }
        for part in fragment.split('#').map(str::trim).filter(|part| !part.is_empty()) {
            if let Some(block) = part.strip_prefix('^') {
                if !self.blocks.contains(&block.to_lowercase()) {
                    return Some(Missing::Block(block.to_owned()));
                }
            } else if !self.headings.contains(&folded(part)) {
                return Some(Missing::Heading(part.to_owned()));
            }
        }
        None
    }

    /// The one heading that differs from this name in spaces, case and punctuation alone.
    fn meant(&self, heading: &str) -> Option<&str> {
        let wanted = letters(heading);
        let mut alike = self.titles.iter().filter(|title| !wanted.is_empty() && letters(title) == wanted);
        let one = alike.next()?;
        alike.next().is_none().then_some(one)
    }
}

/// The note's text with every link mended that names a heading by other spaces, case or punctuation than the only one it
/// can mean; `None` when there is none. `anchors` are those of the note that a link leads to.
pub fn mend_headings(text: &str, anchors: &mut dyn FnMut(&Link) -> Option<Anchors>) -> Option<String> {
    let mut edits = vec![];
    for link in links(text) {
        let raw = &text[link.target.clone()];
        let Some((at, found)) = raw.find('#').zip(anchors(&link)) else { continue };
        let Some(Missing::Heading(heading)) = found.missing(&link) else { continue };
        let Some(title) = found.meant(&heading) else { continue };
        let is_markdown = matches!(link.kind, LinkKind::Markdown | LinkKind::MarkdownImage);
        let written = &raw[at + 1..];
        let parts: Vec<String> = written
            .split('#')
            .map(|part| match part.trim() == heading || is_markdown && percent_decoded(part) == heading {
                true if is_markdown => slug(title),
                true => title.replace(['#', '^', '[', ']', '|'], " "),
                false => part.to_owned(),
            })
            .collect();
        let range = link.target.start + at + 1..link.target.end;
        edits.push((range, parts.join("#")));
    }
    let mended = spliced(text, edits.iter());
    (mended != text).then_some(mended)
}

/// Obsidian compares headings without their punctuation and case.
fn folded(heading: &str) -> String {
    let plain: String = heading
        .chars()
        .map(|char| if char.is_ascii_punctuation() && !matches!(char, '-' | '_' | '\'') { ' ' } else { char })
        .collect();
    super::places::fold(&plain.replace('_', " ").split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The letters and digits alone.
fn letters(heading: &str) -> String {
    super::places::fold(&heading.chars().filter(|char| char.is_alphanumeric()).collect::<String>())
}

fn slug(heading: &str) -> String {
    let kept =
        heading.trim().chars().filter(|char| char.is_alphanumeric() || matches!(char, '-' | '_' | ' '));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_found_as_obsidian_and_github_name_them() {
        let text = "---\nx: 1\n---\n# A: `b` & *c*?\n\nSet *ext*\n===\n\n## Same\n## Same\n> ### In a quote\n\n```\n# no\n```\n\ntext ^block-1\n\n- item\n  ^B2\n\n<a name=\"old\"></a>\n";
        let anchors = Anchors::of(text);
        let missing = |link: &str| anchors.missing(&links(link)[0]);
        for there in [
            "[[#A b & c?]]",
            "[[#a: b c]]",
            "[[#Set ext]]",
            "[[#Same]]",
            "[[#A b c#Same]]",
            "[[#In a quote]]",
            "[[#^block-1]]",
            "[[#^b2]]",
            "[x](#a-b--c)",
            "[x](#same-1)",
            "[x](#Set%20ext)",
            "[x](#old)",
            "[[#]]",
        ] {
            assert_eq!(missing(there), None, "{there}");
        }
        assert_eq!(missing("[[#no]]"), Some(Missing::Heading("no".into())));
        assert_eq!(missing("[[#Same#^b3]]"), Some(Missing::Block("b3".into())));
        assert_eq!(missing("[x](#same-2)"), Some(Missing::Heading("same-2".into())));
    }

    #[test]
    fn links_to_a_heading_follow_its_spaces_case_and_punctuation_where_only_one_can_be_meant() {
        let text = "# Dark mode\n## Set-up\n## Same one\n## SameOne\n\n[[#Darkmode|x]] [[#Dark mode]] [y](#darkmode) \
                    [[#setup]] [[#same-one]] [[#other]]\n";
        let mended = mend_headings(text, &mut |_| Some(Anchors::of(text))).unwrap();
        let links = mended.lines().last().unwrap();
        assert_eq!(
            links,
            "[[#Dark mode|x]] [[#Dark mode]] [y](#dark-mode) [[#Set-up]] [[#same-one]] [[#other]]"
        );
        assert_eq!(mend_headings(&mended, &mut |_| Some(Anchors::of(&mended))), None);
    }
}
