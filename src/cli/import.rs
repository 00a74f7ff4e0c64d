//! A foreign Markdown file as title and text. gray_matter reads front matter as others write it: YAML between `---`,
//! TOML between `+++`, JSON between `;;;` or as the file's first value. Our own notes are read strictly, elsewhere.

use std::fs;
use std::path::Path;

use gray_matter::engine::{Engine, JSON, TOML, YAML};
use gray_matter::{Matter, Pod};

use super::Failure;

/// What is taken over of a foreign note.
#[derive(Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its property `title`, else its first heading, else its file's name.
    pub title: String,
    /// Its property `aliases`.
    pub aliases: Vec<String>,
    /// Its text without front matter.
    pub body: String,
}

impl Imported {
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let cannot = |error: String| Failure::errors(format!("cannot read `{}`: {error}", file.display()));
        let text = fs::read_to_string(file).map_err(|error| cannot(error.to_string()))?;
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        parse(&text, &stem).map_err(|problem| cannot(format!("its front matter is damaged: {problem}")))
    }
}

fn parse(text: &str, file_stem: &str) -> Result<Imported, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or_default().trim_end();
    let (data, content) = match first {
        "---" => fenced::<YAML>("---", text)?,
        "+++" => fenced::<TOML>("+++", text)?,
        ";;;" => fenced::<JSON>(";;;", text)?,
        _ if first.starts_with('{') => bare_json(text),
        _ => (None, text.to_owned()),
    };
    let properties = data.and_then(|data| data.as_hashmap().ok()).unwrap_or_default();
    let property = properties.get("title").and_then(|title| title.as_string().ok());
    let heading = || content.lines().find_map(|line| line.strip_prefix("# ")).map(str::to_owned);
    let title = property.or_else(heading).unwrap_or_else(|| file_stem.to_owned());
    let aliases = properties.get("aliases").map(names).unwrap_or_default();
    Ok(Imported { title: title.trim().to_owned(), aliases, body: format!("\n{}\n", content.trim()) })
}

/// A list of names, or names between commas.
fn names(value: &Pod) -> Vec<String> {
    let names = match value {
        Pod::Array(items) => items.iter().filter_map(|item| item.as_string().ok()).collect(),
        value => {
            value.as_string().map_or_else(|_| vec![], |text| text.split(',').map(str::to_owned).collect())
        }
    };
    let names = names.iter().map(|name| name.trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

type Parts = (Option<Pod>, String);

fn fenced<E: Engine>(delimiter: &str, text: &str) -> Result<Parts, String> {
    let mut matter = Matter::<E>::new();
    delimiter.clone_into(&mut matter.delimiter);
    let parsed = matter.parse::<Pod>(text).map_err(|error| error.to_string())?;
    Ok((parsed.data, parsed.content))
}

/// A JSON object at the start, as Hugo has it; a text that only begins with a brace is text.
fn bare_json(text: &str) -> Parts {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    match values.next() {
        Some(Ok(value @ serde_json::Value::Object(_))) => {
            (Some(value.into()), text[values.byte_offset()..].to_owned())
        }
        _ => (None, text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(title: &str) -> Imported {
        let body = "\n# Heading\n\nText\n".to_owned();
        Imported { title: title.to_owned(), aliases: vec![], body }
    }

    #[test]
    fn front_matter_of_every_kind_is_read_and_left_behind() {
        for front in [
            "---\ntitle: Dark mode\ntags: [a]\n---\n",
            "+++\ntitle = \"Dark mode\"\nweight = 3\n+++\n",
            ";;;\n{\"title\": \"Dark mode\"}\n;;;\n",
            "{\n  \"title\": \"Dark mode\"\n}\n",
            "\u{feff}---\r\ntitle: Dark mode\r\n---\r\n",
        ] {
            let found = parse(&format!("{front}\n# Heading\n\nText\n"), "file");
            assert_eq!(found, Ok(imported("Dark mode")), "{front}");
        }
    }

    #[test]
    fn without_a_title_the_heading_names_it_and_then_the_file() {
        assert_eq!(parse("---\ntags: [a]\n---\n# Heading\n\nText", "file"), Ok(imported("Heading")));
        assert_eq!(parse("# Heading\n\nText", "file"), Ok(imported("Heading")));
        assert_eq!(parse("x", "file").map(|found| found.title), Ok("file".to_owned()));
        assert_eq!(parse("", "file").map(|found| found.body), Ok("\n\n".to_owned()));
    }

    #[test]
    fn aliases_are_taken_over_as_a_list_or_between_commas() {
        let aliases = |front: &str| parse(&format!("---\n{front}\n---\n"), "file").unwrap().aliases;
        assert_eq!(aliases("aliases: [night, \"a, b\"]"), ["night", "a, b"]);
        assert_eq!(aliases("aliases: night, dark"), ["night", "dark"]);
        assert_eq!(aliases("aliases:"), Vec::<String>::new());
    }

    #[test]
    fn rules_in_the_text_and_braces_are_text() {
        let text = "{not json}\n\na\n---\nb";
        assert_eq!(parse(text, "file").map(|found| found.body), Ok(format!("\n{text}\n")));
    }

    #[test]
    fn damaged_front_matter_is_an_error() {
        assert!(parse("+++\ntitle = \n+++\nText", "file").is_err());
        assert!(parse("---\ntitle: [\n---\nText", "file").is_err());
    }
}
