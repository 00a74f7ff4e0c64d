//! Facts about a repository as text for agents.

use std::fmt::Write;

use crate::workspace::{Excerpt, RepositoryFacts};

/// Layout, languages, manifests, conventions and recent commits, as Markdown.
pub fn in_words(facts: &RepositoryFacts) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(text, "### Layout\n\n{}\n", facts.layout.trim_end());
    let languages: Vec<String> =
        facts.languages.iter().map(|share| format!("{} ({} files)", share.language, share.files)).collect();
    let _ = writeln!(text, "### Languages\n\n{}\n", languages.join(", "));
    excerpts(&mut text, "Manifests", &facts.manifests);
    excerpts(&mut text, "Conventions", &facts.conventions);
    let _ = writeln!(text, "### Recent commits\n");
    for commit in &facts.commits {
        let _ = writeln!(text, "- {} {}", commit.commit, commit.subject);
    }
    text
}

fn excerpts(text: &mut String, title: &str, excerpts: &[Excerpt]) {
    if excerpts.is_empty() {
        return;
    }
    let _ = writeln!(text, "### {title}\n");
    for excerpt in excerpts {
        let cut = if excerpt.truncated { " (beginning)" } else { "" };
        let _ = writeln!(text, "`{}`{cut}:\n\n{}\n", excerpt.path, excerpt.text.trim_end());
    }
}
