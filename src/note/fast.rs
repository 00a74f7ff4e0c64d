//! Reads the front matter that nearly all notes have, one `name: value` a line with plain values and lists, without the
//! YAML parser. Anything else it leaves to that parser; where it answers, both give the same.

use memchr::memchr;
use serde_json::Value;

/// Digits of numbers that are read here: few enough to be exact.
const DIGITS: usize = 15;
/// Properties that most notes have no more of.
const USUAL: usize = 16;
/// Properties that are read here: few enough to look through them all for each.
const MOST: usize = 64;

/// The properties in order; `None` where the text holds more than is known here.
pub(super) fn plain_front(front: &str) -> Option<Vec<(&str, Value)>> {
    let mut pairs: Vec<(&str, Value)> = Vec::with_capacity(USUAL);
    let mut lines = Lines(front).peekable();
    while let Some(line) = lines.next() {
        if is_comment_or_blank(line) {
            continue;
        }
        let colon = memchr(b':', line.as_bytes())?;
        let (key, value) = (&line[..colon], &line[colon + 1..]);
        if !is_key(key) || !(value.is_empty() || value.starts_with(' ')) {
            return None;
        }
        let value = value.trim_start_matches(' ');
        let value = match value.as_bytes().first() {
            None => block_list(&mut lines)?,
            Some(b'[') => flow_list(value)?,
            Some(_) => scalar(value, false)?,
        };
        if pairs.len() >= MOST || pairs.iter().any(|(other, _)| *other == key) {
            return None;
        }
        pairs.push((key, value));
        // A line that goes on with this value, or a list where a value is already.
        if lines.peek().is_some_and(|next| next.starts_with([' ', '-']) && !is_comment_or_blank(next)) {
            return None;
        }
    }
    Some(pairs)
}

/// Lines without their ends.
struct Lines<'a>(&'a str);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr(b'\n', self.0.as_bytes()).map_or(self.0.len(), |at| at + 1);
        let (line, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(without_end(line))
    }
}

fn without_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

fn is_comment_or_blank(line: &str) -> bool {
    let text = line.trim_start_matches(' ');
    text.is_empty() || (text.starts_with('#') && text.bytes().all(|byte| matches!(byte, b' '..=b'~')))
}

/// A name that means itself.
fn is_key(key: &str) -> bool {
    let bytes = key.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && !is_word_of_yaml(key)
}

/// Words that are not text to one or another YAML parser.
fn is_word_of_yaml(text: &str) -> bool {
    const WORDS: [&str; 12] =
        ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"];
    text.len() <= 8 && WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// The `- item` lines below a name, or nothing.
fn block_list<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> Option<Value> {
    let mut items = vec![];
    let mut indent = None;
    while let Some(line) = lines.peek() {
        let text = line.trim_start_matches(' ');
        let Some(item) = text.strip_prefix("- ") else { break };
        let depth = line.len() - text.len();
        if *indent.get_or_insert(depth) != depth {
            return None;
        }
        items.push(scalar(item.trim_start_matches(' '), false)?);
        lines.next();
    }
    Some(if items.is_empty() { Value::Null } else { Value::Array(items) })
}

/// `[a, "b", 3]`
fn flow_list(text: &str) -> Option<Value> {
    let close = text.find(']')?;
    if !is_end(&text[close + 1..]) {
        return None;
    }
    let inner = text[1..close].trim_matches(' ');
    if inner.is_empty() {
        return Some(Value::Array(vec![]));
    }
    inner.split(',').map(|item| scalar(item.trim_matches(' '), true)).collect::<Option<_>>().map(Value::Array)
}

/// One value with what may stand behind it.
fn scalar(text: &str, in_flow: bool) -> Option<Value> {
    match text.as_bytes().first()? {
        quote @ (b'"' | b'\'') => {
            let inner = &text[1..];
            let end = memchr(*quote, inner.as_bytes())?;
            let value = &inner[..end];
            // In a list the commas were already cut at.
            let is_simple = is_all_text(value) && !value.as_bytes().contains(&b'\\') && !in_flow;
            (is_simple && is_end(&inner[end + 1..])).then(|| Value::from(value))
        }
        first => {
            let text = text.trim_end_matches(' ');
            let bytes = text.as_bytes();
            let names = bytes.windows(2).any(|two| two == b": ") || text.ends_with(':');
            if names || bytes.contains(&b'#') || !is_all_text(text) {
                return None;
            }
            let is_of_flow = |byte: &u8| matches!(byte, b'[' | b']' | b'{' | b'}' | b':' | b'"' | b'\'');
            if in_flow && bytes.iter().any(is_of_flow) {
                return None;
            }
            match first {
                b'0'..=b'9' => number(text).or_else(|| is_date(text).then(|| Value::from(text))),
                _ if matches!(text, "true" | "false") => Some(Value::Bool(text == "true")),
                _ if first.is_ascii_alphabetic() && !is_word_of_yaml(text) => Some(Value::from(text)),
                _ => None,
            }
        }
    }
}

/// Whether only spaces or a comment follow.
fn is_end(text: &str) -> bool {
    let rest = text.trim_start_matches(' ');
    rest.is_empty()
        || (rest.starts_with('#')
            && rest.len() < text.len()
            && rest.bytes().all(|byte| matches!(byte, b' '..=b'~')))
}

fn is_all_text(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || text.chars().all(is_text)
}

/// Characters that no YAML parser folds, breaks lines at or refuses.
fn is_text(char: char) -> bool {
    matches!(char, ' '..='~')
        || (char > '\u{a0}' && char.is_alphanumeric())
        || matches!(char, '–' | '—' | '…' | '’' | '„' | '“' | '”')
}

/// Whole numbers and plain decimals.
fn number(text: &str) -> Option<Value> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = is_digits(whole)
        && is_digits(decimals)
        && whole.len() + decimals.len() <= DIGITS
        && (whole == "0" || !whole.starts_with('0'));
    match is_plain {
        true if whole.len() == text.len() => text.parse::<i64>().ok().map(Value::from),
        true => text.parse::<f64>().ok().map(Value::from),
        false => None,
    }
}

/// `2026-03-02` and what may follow: text to YAML.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes.iter().take(10).enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::yaml::parse_strictly;
    use super::*;

    /// Where the fast way answers, the parser answers the same.
    fn agree(front: &str) -> Result<(), TestCaseError> {
        if let Some(pairs) = plain_front(front) {
            let map = pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            let strict = parse_strictly(front).map_err(|error| error.message);
            prop_assert_eq!(strict.map(Value::Object), Ok(Value::Object(map)), "{}", front);
        }
        Ok(())
    }

    fn piece() -> impl Strategy<Value = String> {
        let words = prop_oneof![
            "[a-zA-Z]{1,6}",
            "[0-9]{1,4}",
            "[0-9.]{1,6}",
            "[0-9eE.+_xo-]{1,8}",
            "[ \t]{0,3}",
            "[\\[\\],:#\"'{}&*!|>%@`?~=-]{1,2}",
            "2026-0[1-9]-1[0-9](T1[0-9]:00:00Z)?",
            "(true|false|null|yes|No|~|nan|.inf|Infinity)",
            "[é東–“\u{85}\u{a0}\u{2028}\u{feff}]",
            "\\\\n",
        ];
        proptest::collection::vec(words, 0..5).prop_map(|words| words.concat())
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => ("[a-z]{1,3}", " {0,2}", piece()).prop_map(|(key, space, value)| format!("{key}:{space}{value}")),
            3 => (" {0,2}", piece()).prop_map(|(space, item)| format!("{space}- {item}")),
            2 => ("[a-z]{1,3}", proptest::collection::vec(piece(), 0..3)).prop_map(|(key, items)| format!("{key}: [{}]", items.join(", "))),
            2 => ("[a-z]{1,3}", piece(), piece()).prop_map(|(key, value, rest)| format!("{key}: \"{value}\"{rest}")),
            1 => piece(),
            1 => Just(String::new()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        #[test]
        fn both_ways_of_reading_agree(lines in proptest::collection::vec(line(), 0..5), crlf: bool) {
            agree(&lines.iter().map(|line| format!("{line}{}", if crlf { "\r\n" } else { "\n" })).collect::<String>())?;
        }
    }

    #[test]
    fn what_notes_are_made_of_is_read_here() {
        let front = "id: FR-000001\ntitle: \"A: b\"   # shown\ntype: feature\npriority: 2\nbudget_usd: 2.5\ncreated: 2024-05-06T10:00:00Z\n\
                     # own\ntags: [one, two]\nempty:\ndepends_on:\n  - FR-000002\n  - \"[[FR-3 x]]\"\napproved: false\nnone: []\n";
        let read = plain_front(front).unwrap().into_iter().map(|(key, value)| (key.to_owned(), value));
        assert_eq!(Value::Object(read.collect()), Value::Object(parse_strictly(front).unwrap()));
        for other in [
            "a: |\n  x\n",
            "a: &x 1\n",
            "a: x\n  y\n",
            "a: 1\na: 2\n",
            "a: {b: c}\n",
            "a: [[FR-1]]\n",
            "a: @x\n",
            "a: 010\n",
            "a: 1e3\n",
        ] {
            assert_eq!(plain_front(other), None, "{other}");
        }
    }
}
