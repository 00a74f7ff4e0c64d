//! What people look at: everything here is derived from domain values and can be thrown away and made again.

mod annotation;
mod audit;
mod check;
mod history;
pub mod render;
mod sarif;
mod status;
mod step;
mod why;

pub use annotation::annotation;
pub use audit::{AuditLine, Evidence, audit};
pub use check::{
    RULES, Rule, Source, Texts, check, check_schemas, check_texts, mended_headings, mended_links, sorted,
};
pub use history::{LogLine, log};
pub use sarif::sarif;
pub use status::{Holder, StatusReport, StatusRow, status};
pub use step::{Setback, answer, fault, setbacks};
pub use why::{WhyReport, why};
