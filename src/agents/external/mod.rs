//! Agents that are other programs: started in the step's sandbox with a token for the model gateway, and judged by what
//! they leave behind, never by what they say of themselves or by their exit code.

mod acp;
mod command;
mod ending;
mod permission;
mod station;

pub(super) use acp::Acp;
pub(super) use command::CommandLine;
