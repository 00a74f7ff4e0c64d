//! Domain values as Markdown that reads well in Obsidian and on GitHub: the managed blocks of a feature note, the run
//! note, pull requests. Pure: text out. Knows nothing of where the text is written.

mod blocks;
mod markdown;
mod proposal;
mod pull_request;
mod run_note;
mod standing;
mod words;

pub use blocks::{
    plan_block, progress_block, pull_request_block, review_block, spec_block, triage_block, why_block,
};
pub use proposal::proposal_comment;
pub use pull_request::{pull_request_body, pull_request_title};
pub use run_note::run_note;
