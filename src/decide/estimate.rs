//! Counts what a note and a plan say about size: phases, files, components, dependencies, new code, open questions.
//!
//! Does not know weights or tiers. Percentages are of a criterion's weight; where they come from is in each table.

use std::collections::BTreeSet;

use super::dependencies::first_id;
use crate::domain::{Feature, WorkPlan};

/// What was counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Estimate {
    phases: usize,
    files: BTreeSet<String>,
    /// Files guessed from criteria and requirements where none is named.
    guessed_files: usize,
    components: BTreeSet<String>,
    dependencies: usize,
    packages: usize,
    new_files: usize,
    speaks_of_new: bool,
    questions: usize,
}

/// Words that announce a file or package that does not exist yet.
const NEW: [&str; 6] = ["new", "create", "creates", "created", "add", "introduce"];
/// Words for a package of others.
const PACKAGE: [&str; 8] =
    ["crate", "crates", "library", "libraries", "package", "packages", "dependency", "dependencies"];

impl Estimate {
    pub(super) fn of(feature: &Feature, plan: Option<&WorkPlan>) -> Self {
        let sections = &feature.sections;
        let mut estimate = Self {
            phases: sections.phases.len(),
            dependencies: feature.properties.depends_on.iter().filter_map(|entry| first_id(entry)).count(),
            questions: sections
                .questions
                .iter()
                .filter(|question| question.decision.trim().is_empty())
                .count()
                + sections.pending_decisions.len(),
            ..Self::default()
        };
        for line in feature.brief.lines() {
            estimate.read(line);
        }
        for row in sections.phases.iter().flat_map(|phase| &phase.rows) {
            estimate.read(&format!("{} {}", row.item, row.details));
            estimate.add_path(&row.item, &row.details);
        }
        for file in plan.into_iter().flat_map(|plan| &plan.files) {
            estimate.add_path(&file.path, &file.change);
        }
        if estimate.files.is_empty() {
            estimate.guessed_files = (sections.criteria.len() + sections.requirements.len()).div_ceil(2);
        }
        estimate
    }

    /// Reads paths in back-ticks, words of newness and of packages from one line.
    fn read(&mut self, line: &str) {
        for quoted in line.split('`').skip(1).step_by(2) {
            self.add_path(quoted, line);
        }
        let words: Vec<String> = words(line).collect();
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        self.speaks_of_new |= has(&NEW);
        self.packages += usize::from(has(&NEW) && has(&PACKAGE));
    }

    fn add_path(&mut self, text: &str, around: &str) {
        let path = text.trim().trim_matches('`').trim_start_matches("./");
        if !is_path(path) {
            return;
        }
        if let Some((component, _)) = path.split_once('/') {
            // `src/api/x.rs` is of the component `src/api`, `web/x.ts` of `web`.
            let second =
                path.split('/').nth(1).filter(|part| path.split('/').count() > 2 && !part.is_empty());
            self.components.insert(second.map_or(component.to_owned(), |part| format!("{component}/{part}")));
        } else {
            self.components.insert("the top folder".to_owned());
        }
        if self.files.insert(path.to_owned()) && words(around).any(|word| NEW.contains(&word.as_str())) {
            self.new_files += 1;
        }
    }

    /// Criterion, percent of its weight, and the fact it rests on, in the order of the weights.
    pub(super) fn criteria(&self) -> [(&'static str, u64, String); 6] {
        let files = if self.files.is_empty() { self.guessed_files } else { self.files.len() };
        let named = if self.files.is_empty() {
            format!("no file is named; criteria and requirements suggest {files}")
        } else {
            counted(files, "file", "named")
        };
        let outside = self.dependencies + self.packages;
        [
            ("phases", step(self.phases, &[0, 25, 50, 75, 100]), counted(self.phases, "phase", "described")),
            ("files", step(files, &[0, 10, 25, 35, 45, 55, 65, 70, 75, 80, 85, 90, 100]), named),
            (
                "components",
                step(self.components.len(), &[0, 10, 40, 70, 100]),
                format!("{}: {}", counted(self.components.len(), "component", "touched"), self.listed()),
            ),
            (
                "dependencies",
                step(outside, &[0, 35, 70, 100]),
                format!(
                    "{} features it depends on, {} new packages spoken of",
                    self.dependencies, self.packages
                ),
            ),
            self.new_code(),
            (
                "questions",
                step(self.questions, &[0, 40, 70, 100]),
                counted(self.questions, "question", "open"),
            ),
        ]
    }

    fn new_code(&self) -> (&'static str, u64, String) {
        if self.files.is_empty() {
            let (percent, because) = if self.speaks_of_new {
                (30, "no file is named, and the text speaks of something new")
            } else {
                (0, "nothing new is spoken of")
            };
            return ("new code", percent, because.to_owned());
        }
        let (new, all) = (self.new_files, self.files.len());
        let percent = (new as u64 * 100) / all as u64;
        ("new code", percent, format!("{new} of {all} named files are new"))
    }

    fn listed(&self) -> String {
        if self.components.is_empty() {
            return "none named".to_owned();
        }
        super::next::plain(&self.components.iter().cloned().collect::<Vec<_>>().join(", "))
    }
}

/// The value at `count`, the last one beyond the end.
fn step(count: usize, values: &[u64]) -> u64 {
    values.get(count).or(values.last()).copied().unwrap_or(0)
}

fn counted(count: usize, noun: &str, verb: &str) -> String {
    format!("{count} {noun}{} {verb}", if count == 1 { "" } else { "s" })
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// A relative path with a file name extension or a folder: `src/a.rs`, `Cargo.toml`, `docs/`.
fn is_path(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "._-/@+".contains(c);
    let named = text.rsplit('/').next().unwrap_or(text);
    let extension = named.rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty()
            && (1..=8).contains(&extension.len())
            && extension.starts_with(|c: char| c.is_ascii_alphabetic())
    });
    !text.is_empty()
        && !text.starts_with(['/', '-'])
        && text.chars().all(plain)
        && !text.contains("..")
        && (text.ends_with('/') || extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_other_code() {
        for path in ["src/a.rs", "Cargo.toml", "docs/", "web/app/x.test.ts"] {
            assert!(is_path(path), "{path}");
        }
        for other in ["", "fn main()", "/etc/passwd", "../x.rs", "--flag", "parse", "1.5", "a b.rs"] {
            assert!(!is_path(other), "{other}");
        }
    }
}
