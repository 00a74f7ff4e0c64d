//! Ticks proven acceptance criteria. It does not know what proves one.

use super::EditError;
use super::edit_error::editable;
use super::feature::masked_body;
use super::sections::{Body, without_block_id};

/// Ticks the open items of "Acceptance criteria" whose text is in `proven`; changes nothing else.
///
/// # Errors
/// [`EditError::Unsafe`] when the front matter is not closed, or the note is not to be touched (conflict markers, over 1 MiB).
pub fn tick_criteria(text: &str, proven: &[String]) -> Result<String, EditError> {
    let parts = editable(text)?;
    if proven.is_empty() {
        return Ok(text.to_owned());
    }
    let proven: Vec<String> = proven
        .iter()
        .map(|criterion| {
            let words: Vec<&str> = criterion.split_whitespace().collect();
            without_block_id(&words.join(" ")).to_owned()
        })
        .collect();
    let masked = masked_body(&text[parts.body..]);
    let body = Body::new(&masked, 1);
    let mut out = text.to_owned();
    for (item, criterion) in body.criteria() {
        if let Some((checkbox, false)) = &item.task
            && proven.contains(&criterion)
        {
            let blank = parts.body + checkbox.start + 1..parts.body + checkbox.end - 1;
            // The blank may be a tab; it is one byte either way, so that later places stay true.
            if blank.len() == 1 {
                out.replace_range(blank, "x");
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proven_criteria_are_ticked() {
        let note = "---\nid: FR-1\n---\n- [ ] one\n\n## Acceptance Criteria\r\n\r\n- [ ] one  `x`\r\n  more ^ac-1\r\n  * [ ] two\r\n- [ ] three\r\n\r\n```\n- [ ] two\n```\n\n## Notes\n- [ ] two\n";
        let proven = ["one `x` more".to_owned(), "two ^b".to_owned(), "none".to_owned()];
        let ticked = tick_criteria(note, &proven).unwrap();
        let expected = note.replace("- [ ] one  `x`", "- [x] one  `x`").replace("* [ ] two", "* [x] two");
        assert_eq!(ticked, expected);
        assert_eq!(tick_criteria(&ticked, &proven).unwrap(), ticked);
        assert!(tick_criteria("---\nx", &proven).is_err());
    }
}
