//! How risky a feature is, by the human's word or by sensitive words and paths; and how new it is to this vault.
//!
//! Does not weigh size; `complexity` does.

use std::collections::BTreeSet;

use similar::TextDiff;

use super::next::plain;
use crate::domain::{Config, Feature, FeatureType, FeatureView, Level, RepoName, Status, sensitive_globs};

/// The level and what it rests on. The note's own `risk` wins over any score.
pub(super) fn risk(feature: &Feature, config: &Config) -> (Level, Vec<String>) {
    if let Some(level) = feature.properties.risk {
        return (level, vec![format!("the note says `risk: {level}`")]);
    }
    let mut reasons = vec![];
    if matches!(feature.kind(), FeatureType::Security | FeatureType::Migration) {
        reasons.push(format!("its type is {}", feature.kind()));
    }
    let text = format!("{}\n{}", feature.title, feature.brief);
    let words: BTreeSet<String> = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
    for risky in &config.routing.risky_words {
        let risky = risky.to_lowercase();
        let forms = ["", "s", "d", "ed", "ing", "ion", "ions"].map(|ending| format!("{risky}{ending}"));
        if forms.iter().any(|form| words.contains(form)) {
            reasons.push(format!("it speaks of `{}`", plain(&risky)));
        }
    }
    let repo: Option<RepoName> = feature.properties.repo.as_ref().and_then(|name| name.parse().ok());
    let globs = sensitive_globs(&config.sensitive_paths(repo.as_ref()));
    let rows = feature.sections.phases.iter().flat_map(|phase| &phase.rows).map(|row| row.item.as_str());
    let quoted = feature.brief.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let touched: BTreeSet<&str> =
        rows.chain(quoted).map(str::trim).filter(|path| globs.is_match(path)).collect();
    reasons.extend(touched.iter().map(|path| format!("it names the sensitive path `{}`", plain(path))));
    let level = match reasons.len() {
        0 => Level::Low,
        1 | 2 => Level::Medium,
        _ => Level::High,
    };
    if reasons.is_empty() {
        reasons.push("no sensitive word or path is named".to_owned());
    }
    (level, reasons)
}

/// Low where something alike was done in this vault before.
pub(super) fn novelty(feature: &Feature, all: &[FeatureView]) -> (Level, String) {
    let done = all
        .iter()
        .map(|view| &view.feature)
        .filter(|other| other.folder == Some(Status::Done) && other.path != feature.path);
    let title = feature.title.to_lowercase();
    let own = telling_words(feature);
    let mut closest: Option<(f32, &Feature)> = None;
    for other in done {
        let theirs = telling_words(other);
        let shared = own.intersection(&theirs).count() as f32 / own.union(&theirs).count().max(1) as f32;
        // Comparing letters is dear; titles without one word in common are not alike.
        let alike = if shared > 0.0 {
            let other_title = other.title.to_lowercase();
            shared.max(TextDiff::from_chars(title.as_str(), other_title.as_str()).ratio())
        } else {
            0.0
        };
        if closest.is_none_or(|(best, _)| alike > best) {
            closest = Some((alike, other));
        }
    }
    match closest {
        None => (Level::High, "nothing was done in this vault yet".to_owned()),
        Some((alike, other)) => {
            let level = match alike {
                alike if alike >= 0.6 => Level::Low,
                alike if alike >= 0.35 => Level::Medium,
                _ => Level::High,
            };
            let percent = (alike * 100.0).round();
            (
                level,
                format!(
                    "{percent} % like {} `{}`, the closest that is done",
                    other.label(),
                    plain(&other.title)
                ),
            )
        }
    }
}

/// Words of the title of more than three letters.
fn telling_words(feature: &Feature) -> BTreeSet<String> {
    let words = feature.title.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    words.filter(|word| word.chars().count() > 3).collect()
}
