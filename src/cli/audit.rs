//! `ado-vault audit`: who did what, when, with which evidence; and whether the records are as they were written.

use clap::Args;

use super::args::{Format, Global};
use super::session::{feature_id, open_vault};
use super::{Exit, Failure, output};
use crate::domain::{FeatureId, RunId};
use crate::report::{self, AuditLine};
use crate::vault::{History, Vault, Verified, read_journal, runs_of, verify_journals};

/// Who did what to a feature, when, with which evidence; and whether the records are whole
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ado-vault audit FR-001
  ado-vault audit FR-001 --format json
  ado-vault audit --verify             every journal against its chain and the vault's commits
  ado-vault audit FR-001 --verify

With --verify the exit code is 1 when a record was changed, taken out, added or moved.")]
pub struct AuditArgs {
    /// With --verify it may be left out: then all are verified
    #[arg(value_name = "FR", required_unless_present = "verify")]
    pub feature: Option<String>,
    /// Hold the journals against their chains, the heads in commits, and the transcripts
    #[arg(long)]
    pub verify: bool,
}

pub fn run(global: &Global, args: &AuditArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let history = History::open(&vault)?;
    let feature = args.feature.as_deref().map(feature_id).transpose()?;
    match (&feature, args.verify) {
        (Some(feature), false) => tell(global, &vault, &history, feature),
        _ => verify(global, &verify_journals(&vault, &history, feature.as_ref())?),
    }
}

fn tell(global: &Global, vault: &Vault, history: &History, feature: &FeatureId) -> Result<Exit, Failure> {
    let mut runs = vec![];
    for number in runs_of(vault, feature)? {
        let run = RunId { feature: feature.clone(), number };
        let (records, damage) = read_journal(vault, &run)?;
        damage.iter().for_each(output::say);
        runs.push((run, records));
    }
    let lines = report::audit(&runs, &history.commits_about(feature)?);
    if global.format == Format::Json {
        output::json(&lines)?;
        return Ok(Exit::Done);
    }
    if lines.is_empty() {
        output::line(format!("nothing is known of {feature}: it has no runs and no commits"));
    }
    let mut run: Option<Option<&RunId>> = None;
    for line in &lines {
        if run != Some(line.run.as_ref()) {
            let gap = if run.is_some() { "\n" } else { "" };
            let heading =
                line.run.as_ref().map_or("before the first run".to_owned(), |run| format!("run {run}"));
            output::line(format!("{gap}{heading}"));
            run = Some(line.run.as_ref());
        }
        output::line(in_one_line(line));
    }
    Ok(Exit::Done)
}

fn in_one_line(line: &AuditLine) -> String {
    let at = line.at.strftime("%Y-%m-%d %H:%M:%SZ");
    let evidence: Vec<String> = line.evidence.iter().map(ToString::to_string).collect();
    let evidence = match evidence.is_empty() {
        true => String::new(),
        false => format!("  [{}]", evidence.join(", ")),
    };
    format!("  {at}  {:<20}  {}{evidence}", line.who, line.what)
}

fn verify(global: &Global, verified: &Verified) -> Result<Exit, Failure> {
    if global.format == Format::Json {
        output::json(verified)?;
    } else {
        for run in &verified.runs {
            let chain = match run.chained_from {
                Some(1) => "all in the chain".to_owned(),
                Some(from) => format!("in the chain from record {from}, unchained before"),
                None => "unchained: written by a version without chains".to_owned(),
            };
            output::line(format!(
                "{}: {} records, {chain}; {} of them named by commits; {} transcripts",
                run.run, run.records, run.committed_to, run.transcripts
            ));
        }
        verified.problems.iter().for_each(output::line);
        let verdict = if verified.is_sound() { "nothing was changed" } else { "the records were changed" };
        output::line(format!(
            "journals: {}, heads in commits: {}; {verdict}",
            verified.runs.len(),
            verified.heads
        ));
    }
    Ok(if verified.is_sound() { Exit::Done } else { Exit::Errors })
}
