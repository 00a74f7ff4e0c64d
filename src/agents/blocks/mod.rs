//! The edit formats without tool calls: finding blocks in an answer, tolerantly, and applying them, strictly.

mod apply;
mod parse;

pub(super) use apply::apply;
pub(super) use parse::{Answer, Block, parse};
