//! `ado-vault demo`.
use super::args::Global;
use super::{Exit, Failure};
use clap::Args;
/// See the whole way once: a note becomes a reviewed pull request, in a folder of its own
#[derive(Debug, Args)]
pub struct DemoArgs {}
pub fn run(_global: &Global, _args: &DemoArgs) -> Result<Exit, Failure> {
    Ok(Exit::Done)
}
