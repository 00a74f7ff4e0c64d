//! Tells notes that may hold a link by path from those that cannot, without reading their Markdown. It does not know where
//! links lead.

/// Whether some link in the text may name its target by a path, so that it breaks when the target moves to another folder.
/// It may say so of a text without such a link, never the other way round.
pub fn may_link_by_path(text: &str) -> bool {
    let by_markdown = || {
        memchr::memchr_iter(b']', text.as_bytes()).any(|at| {
            let is_link = matches!(text.as_bytes().get(at + 1), Some(b'(' | b':'));
            is_link && !leads_out(&text[at + 2..])
        })
    };
    let by_wikilink = || {
        memchr::memchr_iter(b'[', text.as_bytes()).any(|at| {
            let Some(link) = text.as_bytes()[at + 1..].strip_prefix(b"[") else { return false };
            let mut ends = memchr::memchr_iter(b']', link);
            let end = ends.find(|end| link.get(end + 1) == Some(&b']')).unwrap_or(link.len());
            memchr::memchr(b'/', &link[..end]).is_some()
        })
    };
    by_markdown() || by_wikilink()
}

/// A target on the web or in the note itself.
fn leads_out(target: &str) -> bool {
    let target = target.trim_start();
    let target = target.strip_prefix('<').unwrap_or(target);
    ["http://", "https://", "mailto:", "#"].iter().any(|begin| target.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_path_is_seen_and_names_are_not() {
        for text in [
            "[a](b.md)",
            "![a]( <b c.md>)",
            "[a](\n../b.md \"t\")",
            "[a]: b.md",
            "[[f/b]]",
            "![[f/b#x|y]]",
            "[[b]] [[./c]]",
            "x [[never/closed",
            "[a](b.md) and [c](https://x.y)",
        ] {
            assert!(may_link_by_path(text), "{text}");
        }
        for text in [
            "",
            "- [ ] [[FR-1]] a/b",
            "[a](https://x.y/z.md)",
            "[a]: <http://x>",
            "[a](#b)",
            "[[FR-1|a b]] / [[c]]",
        ] {
            assert!(!may_link_by_path(text), "{text}");
        }
    }
}
