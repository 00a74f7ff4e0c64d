//! What is wrong with a vault, each finding with a place and a remedy. `docs/check.md` says why of every rule.
//!
//! Reads texts that were scanned; changes nothing.

mod catalogue;
mod features;
mod links;
mod texts;

pub use catalogue::{RULES, Rule};
pub use features::{Source, check, check_schemas, sorted};
pub use links::{mended_headings, mended_links};
pub use texts::{Texts, check_texts};
