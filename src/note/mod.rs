//! Text of notes ⇄ domain, pure: front matter, managed blocks, links, names, schemas.
//!
//! Parsing never fails: it gives what could be read and diagnostics with line numbers. Edits are functions of the
//! current text; what cannot be edited safely is refused. Nothing here reads files or knows where a vault lies.

mod aliases;
mod anchors;
mod block;
mod by_path;
mod canvas;
mod coerce;
mod command;
mod criteria;
mod edit_error;
mod entry;
mod fast;
mod feature;
mod feature_properties;
mod fence;
mod front_matter;
mod issue;
mod limits;
mod link;
mod list;
mod lists;
mod mend;
mod name;
mod outline;
mod phases;
mod places;
mod plain;
mod preflight;
mod property;
mod questions;
mod registry;
mod scalar;
mod schema;
mod sections;
mod yaml;

pub use aliases::with_alias;
pub use anchors::{Anchors, Missing, mend_headings};
pub use block::{Block, block_hash, blocks, set_block, without_blocks};
pub use by_path::may_link_by_path;
pub use command::command;
pub use criteria::tick_criteria;
pub use edit_error::EditError;
pub use feature::{FeatureHead, dependency_ids, feature_of_head, parse_feature, parse_feature_lazily};
pub use front_matter::{Split, body, split};
pub use issue::{issue_note, issue_questions, issue_title};
pub use link::{Link, LinkKind, links};
pub use lists::{LISTS, with_lists};
pub use mend::Relocation;
pub use name::{file_name, slug};
pub use phases::settle_rows;
pub use places::{Places, Reach, path_from_root};
pub use plain::plain;
pub(crate) use preflight::preflight;
pub use property::{PropertyValue, property_line, set_properties, set_property};
pub use registry::{
    Read, read_agent, read_approvals, read_gates, read_model, read_repository, read_routing, read_settings,
};
pub use schema::{Misfit, schemas, validate};
pub use yaml::properties;
