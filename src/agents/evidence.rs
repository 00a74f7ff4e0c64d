//! Holds a review against the acceptance criteria and the rows of phases: an approval must speak of each of them.

use similar::TextDiff;

use super::AgentAnswer;
use crate::domain::{FeatureBrief, Review, Verdict};

/// Two texts at least this alike are the same criterion: models shorten and re-quote.
const SAME: f32 = 0.8;

/// The answer with its criteria in the note's own words.
///
/// # Errors
/// Names what an approving review leaves out.
fn covering(answer: AgentAnswer, wanted: &[&str]) -> Result<AgentAnswer, String> {
    let AgentAnswer::Review(mut review) = answer else { return Ok(answer) };
    let missing = claim(&mut review, wanted);
    if review.verdict == Verdict::Approve && !missing.is_empty() {
        let list: Vec<String> = missing.iter().map(|text| format!("- {text}")).collect();
        return Err(format!(
            "an approval needs an entry in `criteria` for each acceptance criterion and row; these are missing:\n{}",
            list.join("\n")
        ));
    }
    Ok(AgentAnswer::Review(review))
}

/// The same against everything that the feature wants.
///
/// # Errors
/// As `covering`.
pub(super) fn covering_all(answer: AgentAnswer, feature: &FeatureBrief) -> Result<AgentAnswer, String> {
    let criteria = feature.criteria.iter().map(|criterion| criterion.text.as_str());
    let wanted: Vec<&str> = criteria.chain(feature.rows.iter().map(String::as_str)).collect();
    covering(answer, &wanted)
}

/// Gives each entry the words of what it is about, likest first, and returns what is left without an entry.
fn claim(review: &mut Review, wanted: &[&str]) -> Vec<String> {
    let mut pairs: Vec<(f32, usize, usize)> = vec![];
    for (at, text) in wanted.iter().enumerate() {
        let likeness = review.criteria.iter().map(|entry| alike(&entry.text, text)).enumerate();
        pairs.extend(
            likeness.filter(|(_, likeness)| *likeness >= SAME).map(|(entry, likeness)| (likeness, at, entry)),
        );
    }
    // The sort is stable: of equal pairs the first wanted and the first entry go together.
    pairs.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut claimed = vec![false; wanted.len()];
    let mut taken = vec![false; review.criteria.len()];
    for (_, at, entry) in pairs {
        if !claimed[at] && !taken[entry] {
            (claimed[at], taken[entry]) = (true, true);
            wanted[at].clone_into(&mut review.criteria[entry].text);
        }
    }
    let missing = wanted.iter().zip(claimed).filter(|(_, claimed)| !claimed);
    missing.map(|(text, _)| (*text).to_owned()).collect()
}

/// 0 to 1, by words without punctuation and case.
fn alike(one: &str, other: &str) -> f32 {
    let words = |text: &str| {
        let plain: String = text.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        plain.to_lowercase().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let (one, other) = (words(one), words(other));
    let (one, other): (Vec<&str>, Vec<&str>) =
        (one.iter().map(String::as_str).collect(), other.iter().map(String::as_str).collect());
    TextDiff::from_slices(&one, &other).ratio()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CriterionEvidence;

    fn review(verdict: Verdict, texts: &[&str]) -> AgentAnswer {
        let criteria = texts
            .iter()
            .map(|text| CriterionEvidence { text: (*text).into(), met: true, evidence: "a test".into() })
            .collect();
        AgentAnswer::Review(Review {
            verdict,
            summary: "s".into(),
            findings: vec![],
            criteria,
            template: false,
        })
    }

    #[test]
    fn an_approval_that_leaves_a_criterion_out_is_sent_back() {
        let wanted = ["prints a line", "an empty file prints nothing"];
        let problem = covering(review(Verdict::Approve, &["prints a line"]), &wanted).unwrap_err();
        assert!(problem.ends_with("- an empty file prints nothing"), "{problem}");
        assert!(covering(review(Verdict::RequestChanges, &[]), &wanted).is_ok());
    }

    #[test]
    fn a_criterion_in_other_quotes_is_given_the_notes_words_and_counts_once() {
        let wanted = ["`x --loud` prints in capitals", "`x --low` prints in capitals"];
        let given = ["X --loud prints in capitals.", "x --low prints in capitals"];
        let AgentAnswer::Review(review) = covering(review(Verdict::Approve, &given), &wanted).unwrap() else {
            panic!("no review")
        };
        let texts: Vec<&str> = review.criteria.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, ["`x --loud` prints in capitals", "`x --low` prints in capitals"]);
    }

    #[test]
    fn rows_that_differ_in_one_word_are_not_taken_for_each_other() {
        let rows = ["Phase 1: `src/a.rs`: the new option", "Phase 1: `src/b.rs`: the new option"];
        let problem = covering(review(Verdict::Approve, &rows[1..]), &rows).unwrap_err();
        assert!(problem.ends_with(&format!("missing:\n- {}", rows[0])), "{problem}");
    }
}
