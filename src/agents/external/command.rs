//! Agents that are started with their prompt and work until they end: the backend for those without a protocol.

use async_trait::async_trait;

use super::ending::{Ending, judge, not_repaired};
use super::station::Station;
use crate::agents::backend::{AgentBackend, MOST_REPAIRS};
use crate::agents::{AgentAnswer, AgentError, AgentJob, AgentTools};

pub(in crate::agents) struct CommandLine;

#[async_trait]
impl AgentBackend for CommandLine {
    async fn run(&self, job: &AgentJob<'_>, tools: &AgentTools<'_>) -> Result<AgentAnswer, AgentError> {
        let station = Station::open(job, tools)?;
        let prompt = station.prompt()?;
        let mut asked = prompt.clone();
        let mut repairs = 0;
        loop {
            let run = station.start(&asked, None).await?;
            match judge(&station, &run, "")? {
                Ending::Answer(answer) => return Ok(answer),
                Ending::Repair(problem) if repairs >= MOST_REPAIRS => {
                    return Err(not_repaired(&station, &problem));
                }
                Ending::Repair(problem) => {
                    repairs += 1;
                    asked = format!(
                        "{prompt}\n\n## Your last result\n\nIt does not fit its schema:\n{}\nGive the whole result again.\n",
                        station.problem(&problem)
                    );
                }
            }
        }
    }
}
