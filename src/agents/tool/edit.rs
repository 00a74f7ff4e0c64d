//! Replacing exact text that must stand once. Pure; the caller reads and writes the file.

use crate::domain::place_of;

/// The text with its single occurrence of `old` replaced. In a file with CRLF line ends, `old` and `new` may be given
/// with plain ones.
///
/// # Errors
/// Says how often `old` was found, and where the nearest line stands when it was not.
pub(in crate::agents) fn replace_once(text: &str, old: &str, new: &str) -> Result<String, String> {
    if old.is_empty() {
        return Err("`old` is empty; give the text to replace, or write the whole file".into());
    }
    if old == new {
        return Err("`old` and `new` are the same".into());
    }
    let crlf = text.contains("\r\n") && !old.contains("\r\n");
    let (old, new) = if crlf {
        (old.replace('\n', "\r\n"), new.replace("\r\n", "\n").replace('\n', "\r\n"))
    } else {
        (old.to_owned(), new.to_owned())
    };
    match text.matches(&old).count() {
        1 => Ok(text.replacen(&old, &new, 1)),
        0 => Err(format!("`old` was not found (0 matches). {}", nearest(text, &old))),
        count => {
            let lines: Vec<String> =
                text.match_indices(&old).take(5).map(|(at, _)| place_of(text, at).0.to_string()).collect();
            Err(format!(
                "`old` was found {count} times, in lines {}; add lines around it until it is unique",
                lines.join(", ")
            ))
        }
    }
}

/// Lines looked at for the nearest one.
const MOST_LINES: usize = 20_000;

fn nearest(text: &str, old: &str) -> String {
    let Some(wanted) = old.lines().map(str::trim).find(|line| !line.is_empty()) else {
        return "`old` is white space alone.".into();
    };
    let best = text
        .lines()
        .take(MOST_LINES)
        .enumerate()
        .map(|(index, line)| (likeness(line.trim(), wanted), index, line))
        .max_by_key(|(likeness, index, _)| (*likeness, std::cmp::Reverse(*index)));
    match best {
        Some((likeness, index, _)) if likeness > 0 => {
            let near: Vec<String> = text
                .lines()
                .enumerate()
                .skip(index)
                .take(old.lines().count().clamp(1, 8))
                .map(|(at, line)| format!("{:>5}\t{line}", at + 1))
                .collect();
            format!("The nearest place is line {}:\n{}", index + 1, near.join("\n"))
        }
        _ => "No line of the file is like its first line; read the file again.".into(),
    }
}

/// Characters that two lines share at their begin and end; zero when that is less than a third.
fn likeness(line: &str, wanted: &str) -> usize {
    if line == wanted {
        return usize::MAX;
    }
    let begin = line.chars().zip(wanted.chars()).take_while(|(a, b)| a == b).count();
    let end = line.chars().rev().zip(wanted.chars().rev()).take_while(|(a, b)| a == b).count();
    let (line, wanted) = (line.chars().count(), wanted.chars().count());
    let shared = (begin + end).min(line.min(wanted));
    if shared * 3 >= line.max(wanted) { shared } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_match_is_replaced_and_others_are_counted() {
        assert_eq!(replace_once("a b c", "b", "x").unwrap(), "a x c");
        assert_eq!(
            replace_once("a\nb\na\n", "a", "x").unwrap_err(),
            "`old` was found 2 times, in lines 1, 3; add lines around it until it is unique"
        );
        assert!(replace_once("a", "", "x").is_err());
        assert!(replace_once("a", "a", "a").is_err());
    }

    #[test]
    fn a_miss_names_the_nearest_place() {
        let text = "fn one() {\n    let x = 1;\n}\nfn two() {}\n";
        assert_eq!(
            replace_once(text, "      let x = 1;\n}", "y").unwrap_err(),
            "`old` was not found (0 matches). The nearest place is line 2:\n    2\t    let x = 1;\n    3\t}"
        );
    }

    #[test]
    fn a_file_with_crlf_keeps_it() {
        assert_eq!(replace_once("a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\nz\n").unwrap(), "x\r\ny\r\nz\r\nc\r\n");
    }
}
