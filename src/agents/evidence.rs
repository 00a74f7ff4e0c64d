//! Holds a review against the acceptance criteria: an approval must speak of each of them.

use similar::TextDiff;

use super::AgentAnswer;
use crate::domain::{Criterion, Review, Verdict};

/// Two texts at least this alike are the same criterion: models shorten and re-quote.
const SAME: f32 = 0.8;

/// The answer with its criteria in the note's own words.
///
/// # Errors
/// Names the criteria that an approving review leaves out.
pub(super) fn covering(answer: AgentAnswer, criteria: &[Criterion]) -> Result<AgentAnswer, String> {
    let AgentAnswer::Review(mut review) = answer else { return Ok(answer) };
    let missing = claim(&mut review, criteria);
    if review.verdict == Verdict::Approve && !missing.is_empty() {
        let list: Vec<String> = missing.iter().map(|text| format!("- {text}")).collect();
        return Err(format!(
            "an approval needs an entry in `criteria` for each acceptance criterion; these are missing:\n{}",
            list.join("\n")
        ));
    }
    Ok(AgentAnswer::Review(review))
}

/// Gives each entry the words of the criterion that it is about, and returns the criteria without an entry.
fn claim(review: &mut Review, criteria: &[Criterion]) -> Vec<String> {
    let mut taken = vec![false; review.criteria.len()];
    let mut missing = vec![];
    for criterion in criteria {
        let best = review
            .criteria
            .iter()
            .enumerate()
            .filter(|(index, _)| !taken[*index])
            .map(|(index, entry)| (index, alike(&entry.text, &criterion.text)))
            .max_by(|one, other| one.1.total_cmp(&other.1));
        match best {
            Some((index, likeness)) if likeness >= SAME => {
                taken[index] = true;
                review.criteria[index].text.clone_from(&criterion.text);
            }
            _ => missing.push(criterion.text.clone()),
        }
    }
    missing
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

    fn criterion(text: &str) -> Criterion {
        Criterion { text: text.into(), done: false, line: 1 }
    }

    fn review(verdict: Verdict, texts: &[&str]) -> AgentAnswer {
        let criteria = texts
            .iter()
            .map(|text| CriterionEvidence { text: (*text).into(), met: true, evidence: "a test".into() })
            .collect();
        AgentAnswer::Review(Review { verdict, summary: "s".into(), findings: vec![], criteria })
    }

    #[test]
    fn an_approval_that_leaves_a_criterion_out_is_sent_back() {
        let wanted = [criterion("prints a line"), criterion("an empty file prints nothing")];
        let problem = covering(review(Verdict::Approve, &["prints a line"]), &wanted).unwrap_err();
        assert!(problem.ends_with("- an empty file prints nothing"), "{problem}");
        assert!(covering(review(Verdict::RequestChanges, &[]), &wanted).is_ok());
    }

    #[test]
    fn a_criterion_in_other_quotes_is_given_the_notes_words_and_counts_once() {
        let wanted = [criterion("`x --loud` prints in capitals"), criterion("`x --low` prints in capitals")];
        let given = ["X --loud prints in capitals.", "x --low prints in capitals"];
        let AgentAnswer::Review(review) = covering(review(Verdict::Approve, &given), &wanted).unwrap() else {
            panic!("no review")
        };
        let texts: Vec<&str> = review.criteria.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, ["`x --loud` prints in capitals", "`x --low` prints in capitals"]);
    }
}
