//! `ado-vault log`: what happened to a feature.

use clap::Args;

use super::args::{Format, Global};
use super::session::{feature_id, open_vault};
use super::{Exit, Failure, output};
use crate::domain::RunId;
use crate::report;
use crate::vault::{read_journal, runs_of};

/// What happened to a feature, from its journals
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ado-vault log FR-001\n  ado-vault log FR-001 --run 2 --format json")]
pub struct LogArgs {
    #[arg(value_name = "FR")]
    pub feature: String,
    /// This run alone
    #[arg(long, value_name = "N")]
    pub run: Option<u32>,
}

pub fn run(global: &Global, args: &LogArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let feature = feature_id(&args.feature)?;
    let mut lines = vec![];
    for number in runs_of(&vault, &feature)? {
        if args.run.is_some_and(|wanted| wanted != number) {
            continue;
        }
        let run = RunId { feature: feature.clone(), number };
        let (records, damage) = read_journal(&vault, &run)?;
        for problem in damage {
            output::say(format!("{problem}"));
        }
        lines.extend(report::log(&run, &records));
    }
    if global.format == Format::Json {
        output::json(&lines)?;
    } else if lines.is_empty() {
        output::line(format!("{feature} has no runs yet"));
    } else {
        for line in lines {
            let at = line.at.strftime("%Y-%m-%d %H:%M:%S");
            output::line(format!("{at}  {}  {:<22} {}", line.run, line.event, line.what.replace('\n', " ")));
        }
    }
    Ok(Exit::Done)
}
