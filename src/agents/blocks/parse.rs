//! Finds search-and-replace blocks, whole files in fences, and `READ path` lines in what a model wrote. Pure.

/// A change as the model asks for it. Paths are not checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agents) enum Block {
    /// An empty `old` makes a new file.
    Replace {
        path: String,
        old: String,
        new: String,
    },
    Whole {
        path: String,
        text: String,
    },
}

impl Block {
    pub(in crate::agents) fn path(&self) -> &str {
        match self {
            Self::Replace { path, .. } | Self::Whole { path, .. } => path,
        }
    }
}

/// What an answer holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::agents) struct Answer {
    pub(in crate::agents) blocks: Vec<Block>,
    /// Files asked for by `READ path`.
    pub(in crate::agents) reads: Vec<String>,
    /// Text outside blocks.
    pub(in crate::agents) prose: String,
    /// Blocks that cannot be used, in words for the model.
    pub(in crate::agents) problems: Vec<String>,
}

/// Reads an answer. `only` is the file meant where a single fence names none.
pub(in crate::agents) fn parse(answer: &str, only: Option<&str>) -> Answer {
    let lines: Vec<&str> = answer.lines().map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let mut reader =
        Reader { lines, at: 0, prose: vec![], last_path: None, answer: Answer::default(), nameless: vec![] };
    while reader.at < reader.lines.len() {
        reader.step();
    }
    reader.finish(only)
}

struct Reader<'t> {
    lines: Vec<&'t str>,
    at: usize,
    prose: Vec<&'t str>,
    last_path: Option<String>,
    answer: Answer,
    /// Contents of fences without a path.
    nameless: Vec<String>,
}

impl<'t> Reader<'t> {
    fn step(&mut self) {
        let line = self.lines[self.at];
        if is_marker(line, '<') {
            self.replace(None);
        } else if let Some(open) = fence(line) {
            self.fenced(&open);
        } else {
            if let Some(path) = line.trim().strip_prefix("READ ").and_then(path_in) {
                self.answer.reads.push(path);
            } else {
                self.prose.push(line);
            }
            self.at += 1;
        }
    }

    /// A fence: around search-and-replace blocks, or a whole file.
    fn fenced(&mut self, open: &Fence<'t>) {
        let end = (self.at + 1..self.lines.len()).find(|&index| open.closes(self.lines[index]));
        let inside: Vec<&str> = self.lines[self.at + 1..end.unwrap_or(self.lines.len())].to_vec();
        let path = path_in_info(open.info).or_else(|| self.take_path());
        if inside.iter().any(|line| is_marker(line, '<')) {
            // The fence is only decoration around blocks: read on inside, the closing line is passed over.
            self.at += 1;
            self.last_path = path.or(self.last_path.take());
            while self.at < end.unwrap_or(self.lines.len()) {
                let line = self.lines[self.at];
                if is_marker(line, '<') {
                    self.replace(end);
                } else {
                    self.prose.push(line);
                    self.at += 1;
                }
            }
            self.at = self.at.max(end.map_or(self.lines.len(), |end| end + 1));
            return;
        }
        let Some(end) = end else {
            let name = path.map_or_else(|| "the last file".to_owned(), |path| format!("`{path}`"));
            self.answer
                .problems
                .push(format!("{name} is cut off: its fence is not closed; give it again, whole"));
            self.at = self.lines.len();
            return;
        };
        let text = inside.iter().map(|line| format!("{line}\n")).collect::<String>();
        match path {
            Some(path) => self.answer.blocks.push(Block::Whole { path, text }),
            None => self.nameless.push(text),
        }
        self.at = end + 1;
    }

    /// A block from `<<<<<<< SEARCH` on.
    fn replace(&mut self, limit: Option<usize>) {
        let marker = self.lines[self.at].trim().trim_start_matches('<').trim();
        let named = marker.strip_prefix("SEARCH").unwrap_or(marker).trim();
        let path = path_in(named).or_else(|| self.take_path()).or_else(|| self.last_path.clone());
        let limit = limit.unwrap_or(self.lines.len());
        let middle = (self.at + 1..limit).find(|&index| is_marker(self.lines[index], '='));
        let end =
            middle.and_then(|middle| (middle + 1..limit).find(|&index| is_marker(self.lines[index], '>')));
        let (Some(middle), Some(end)) = (middle, end) else {
            let name = path.as_deref().unwrap_or("a file").to_owned();
            self.answer
                .problems
                .push(format!("a block for `{name}` is not complete: it needs ======= and >>>>>>> REPLACE"));
            self.at = limit;
            return;
        };
        let text = |from: usize, to: usize| {
            self.lines[from..to].iter().map(|line| format!("{line}\n")).collect::<String>()
        };
        let (old, new) = (text(self.at + 1, middle), text(middle + 1, end));
        match path {
            Some(path) => {
                self.last_path = Some(path.clone());
                self.answer.blocks.push(Block::Replace { path, old, new });
            }
            None => self
                .answer
                .problems
                .push("a block names no file; write the path in the line before it".into()),
        }
        self.at = end + 1;
    }

    /// The path that stands in the last lines of prose, taken out of it.
    fn take_path(&mut self) -> Option<String> {
        let index = self.prose.iter().rposition(|line| !line.trim().is_empty())?;
        if self.prose.len() - index > 3 {
            return None;
        }
        let path = path_in(self.prose[index])?;
        self.prose.truncate(index);
        Some(path)
    }

    fn finish(mut self, only: Option<&str>) -> Answer {
        if let (true, [text], Some(only)) = (self.answer.blocks.is_empty(), self.nameless.as_slice(), only) {
            self.answer.blocks.push(Block::Whole { path: only.to_owned(), text: text.clone() });
        }
        self.answer.prose = self.prose.join("\n").trim().to_owned();
        self.answer
    }
}

/// `<<<<<<< SEARCH`, `=======`, `>>>>>>> REPLACE`, five signs or more.
fn is_marker(line: &str, sign: char) -> bool {
    let line = line.trim_end();
    let signs = line.chars().take_while(|c| *c == sign).count();
    let rest = line[signs * sign.len_utf8()..].trim();
    signs >= 5
        && match sign {
            '<' => rest.starts_with("SEARCH") || rest.starts_with("ORIGINAL") || path_in(rest).is_some(),
            '=' => rest.is_empty(),
            _ => rest.is_empty() || rest.starts_with("REPLACE") || rest.starts_with("UPDATED"),
        }
}

struct Fence<'t> {
    sign: char,
    length: usize,
    info: &'t str,
}

impl Fence<'_> {
    fn closes(&self, line: &str) -> bool {
        let line = line.trim_end();
        line.chars().all(|c| c == self.sign) && line.chars().count() >= self.length
    }
}

fn fence(line: &str) -> Option<Fence<'_>> {
    let sign = line.chars().next().filter(|c| *c == '`' || *c == '~')?;
    let length = line.chars().take_while(|c| *c == sign).count();
    let info = line[length..].trim();
    (length >= 3 && !info.contains('`')).then_some(Fence { sign, length, info })
}

/// `rust src/lib.rs`, `src/lib.rs`, `rust:src/lib.rs`, `rust path=src/lib.rs`, `rust title="src/lib.rs"`.
fn path_in_info(info: &str) -> Option<String> {
    info.split_whitespace().find_map(|word| {
        let word = ["path=", "file=", "filename=", "title="]
            .iter()
            .find_map(|key| word.strip_prefix(key))
            .unwrap_or(word);
        let word = match word.split_once(':') {
            Some((language, path)) if language.chars().all(char::is_alphanumeric) => path,
            _ => word,
        };
        let path = path_in(word)?;
        (path.contains(['/', '.']) || word != info).then_some(path)
    })
}

/// The path in a line that holds little else: bold, in backticks, as a heading, a list item, after `File:`, before a
/// colon, in a comment.
fn path_in(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches(['#', '>', '-', '*', '/', ' ']).trim();
    let quoted = line.split('`').nth(1).filter(|word| looks_like_path(word));
    let bold = line.split("**").find(|word| looks_like_path(word));
    let labels = ["file:", "path:", "filename:", "file", "new file:", "create", "update"];
    let lower = line.to_lowercase();
    let bare = labels
        .iter()
        .find(|label| lower.starts_with(*label) && line.is_char_boundary(label.len()))
        .map_or(line, |label| &line[label.len()..]);
    let bare = bare.trim_matches(|c: char| c.is_whitespace() || "`*\"':()".contains(c));
    let found = quoted.or(bold).or_else(|| looks_like_path(bare).then_some(bare))?;
    let found = found.strip_prefix("./").unwrap_or(found);
    Some(found.to_owned())
}

fn looks_like_path(word: &str) -> bool {
    const BARE: [&str; 7] =
        ["Makefile", "Dockerfile", "LICENSE", "README", "Justfile", "justfile", "Gemfile"];
    let plain = !word.is_empty()
        && word.len() <= 300
        && !word.chars().any(|c| c.is_whitespace() || c.is_control() || "`*\"'<>|{}();,".contains(c));
    let name = word.rsplit('/').next().unwrap_or(word);
    let dotted = name.rsplit_once('.').is_some_and(|(_, end)| {
        !end.is_empty()
            && end.len() <= 12
            && end.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    });
    plain
        && !word.contains("://")
        && (dotted || BARE.contains(&name) || (word.contains('/') && !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(path: &str, text: &str) -> Block {
        Block::Whole { path: path.into(), text: text.into() }
    }

    #[test]
    fn search_and_replace_blocks_are_found_however_they_are_dressed() {
        let expected =
            [Block::Replace { path: "src/lib.rs".into(), old: "a\n".into(), new: "b\nc\n".into() }];
        let block = "<<<<<<< SEARCH\na\n=======\nb\nc\n>>>>>>> REPLACE";
        for text in [
            format!("I change it.\n\nsrc/lib.rs\n{block}\n"),
            format!("**src/lib.rs**\n\n{block}"),
            format!("### `src/lib.rs`:\n{block}"),
            format!("File: ./src/lib.rs\n```rust\n{block}\n```\n"),
            format!("```rust src/lib.rs\n{block}\n```"),
            format!("```\n{}\n```", block.replace("SEARCH", "SEARCH src/lib.rs")),
            format!("src/lib.rs\r\n{}\r\n", block.replace('\n', "\r\n")),
        ] {
            assert_eq!(parse(&text, None).blocks, expected, "{text}");
        }
    }

    #[test]
    fn further_blocks_of_the_same_file_need_no_path() {
        let text = "a.rs\n<<<<<<< SEARCH\n1\n=======\n2\n>>>>>>> REPLACE\n\n<<<<<<< SEARCH\n3\n=======\n4\n>>>>>>> REPLACE\n";
        let answer = parse(text, None);
        assert_eq!(answer.blocks.iter().map(Block::path).collect::<Vec<_>>(), ["a.rs", "a.rs"]);
    }

    #[test]
    fn whole_files_are_found_however_their_path_is_written() {
        for text in [
            "Here:\n\nsrc/a.py\n```python\nx = 1\n```\nDone.",
            "**`src/a.py`**\n\n```\nx = 1\n```",
            "```python src/a.py\nx = 1\n```",
            "```python:src/a.py\nx = 1\n```",
            "```src/a.py\nx = 1\n```",
            "```python title=\"src/a.py\"\nx = 1\n```",
            "1. File: src/a.py\n~~~\nx = 1\n~~~",
        ] {
            let text = text.replace("1. File", "File");
            assert_eq!(parse(&text, None).blocks, [whole("src/a.py", "x = 1\n")], "{text}");
        }
    }

    #[test]
    fn a_fence_without_a_path_is_a_file_only_when_one_is_meant() {
        assert_eq!(
            parse("```rust\nfn x() {}\n```", Some("src/lib.rs")).blocks,
            [whole("src/lib.rs", "fn x() {}\n")]
        );
        assert_eq!(parse("```rust\nfn x() {}\n```", None).blocks, []);
        assert_eq!(parse("```\na\n```\n```\nb\n```", Some("x.rs")).blocks, []);
    }

    #[test]
    fn a_longer_fence_may_hold_a_shorter_one() {
        let text = "README.md\n````markdown\n# T\n```sh\nls\n```\n````\n";
        assert_eq!(parse(text, None).blocks, [whole("README.md", "# T\n```sh\nls\n```\n")]);
    }

    #[test]
    fn what_is_cut_off_is_a_problem_and_no_block() {
        let answer = parse("a.rs\n```rust\nfn x() {", None);
        assert_eq!((answer.blocks.len(), answer.problems.len()), (0, 1));
        let answer = parse("a.rs\n<<<<<<< SEARCH\nx\n=======\ny\n", None);
        assert_eq!((answer.blocks.len(), answer.problems.len()), (0, 1));
    }

    #[test]
    fn files_are_asked_for_by_read_lines_and_prose_is_kept() {
        let answer = parse("I need more.\nREAD src/lib.rs\nREAD `tests/a.rs`\n", None);
        assert_eq!(answer.reads, ["src/lib.rs", "tests/a.rs"]);
        assert_eq!(answer.prose, "I need more.");
    }
}
