//! The story of a feature for those who ask afterwards: who did what, when, with which evidence; one line an event.
//!
//! Derived from journals and commits. Does not judge whether they are whole: `vault::verify_journals` does.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::history::{event_name, in_words};
use crate::domain::{
    ChangeSet, ContentHash, Event, GateStatus, GitId, ModelName, Record, RunId, StepOutcome, StepResult,
};
use crate::note;
use crate::vault::CommitAbout;

/// One thing that somebody did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditLine {
    /// The run that it belongs to, or that was the last one begun; `None` before the first.
    pub run: Option<RunId>,
    /// Its record in the run's journal; `None` for a commit of a person's.
    pub seq: Option<u64>,
    pub at: Timestamp,
    /// A person as git or a forge names them, `ado`, or an agent with its model: `Coder (claude)`.
    pub who: String,
    pub what: String,
    pub evidence: Vec<Evidence>,
}

/// Where something can be looked up, or what it was bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// `commit`, `transcript`, `plan`, `cost` …
    pub kind: &'static str,
    pub value: String,
}

/// The whole story, oldest first. `commits` are those about the feature, oldest first.
pub fn audit(runs: &[(RunId, Vec<Record>)], commits: &[CommitAbout]) -> Vec<AuditLine> {
    let mut lines: Vec<AuditLine> = vec![];
    // By commit, the first of what it holds.
    let mut first_held: BTreeMap<usize, Timestamp> = BTreeMap::new();
    for (run, records) in runs {
        let mut cast = Cast::default();
        for record in records {
            cast.hear(&record.event);
            let held = holding(commits, run, record.seq);
            let mut evidence = of_event(&record.event);
            if let Some(at) = held {
                first_held.entry(at).or_insert(record.at);
                evidence.push(Evidence::of("vault commit", commits[at].commit.short()));
            }
            lines.push(AuditLine {
                run: Some(run.clone()),
                seq: Some(record.seq),
                at: record.at,
                who: note::plain(&cast.who(&record.event, || person(commits, held))),
                what: note::plain(&what(&record.event)),
                evidence,
            });
        }
    }
    let of_run = |at: Timestamp| {
        let begun = runs.iter().filter(|(_, records)| records.first().is_some_and(|first| first.at < at));
        begun.map(|(run, _)| run.clone()).next_back()
    };
    for (index, commit) in commits.iter().enumerate() {
        if commit.is_own && commit.run.is_some() {
            continue;
        }
        let at = before_what_followed(commits, index, &first_held).unwrap_or(commit.at);
        lines.push(AuditLine {
            run: of_run(at),
            seq: None,
            at,
            who: if commit.is_own { ADO.to_owned() } else { note::plain(&commit.author) },
            what: note::plain(&commit.subject),
            evidence: vec![Evidence::of("vault commit", commit.commit.short())],
        });
    }
    // Commits know seconds only: one of the same second as a record comes before it, as a person's does.
    lines.sort_by(|a, b| {
        let key = |line: &AuditLine| (line.run.clone(), line.at.as_second(), line.seq);
        key(a).cmp(&key(b))
    });
    lines
}

const ADO: &str = "ado";

/// Who plays which part at one moment of a run.
#[derive(Default)]
struct Cast {
    calls: BTreeMap<u64, String>,
    /// The model that each agent spoke with last.
    models: BTreeMap<String, ModelName>,
    /// Who called a model last, in the step that is under way.
    last: Option<String>,
}

impl Cast {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::StepStarted { .. } => self.last = None,
            Event::ModelCallStarted { call, agent, model, .. } => {
                self.models.insert(agent.to_string(), model.clone());
                let name = self.named(agent.as_str());
                self.calls.insert(*call, name.clone());
                self.last = Some(name);
            }
            _ => {}
        }
    }

    fn who(&self, event: &Event, person: impl FnOnce() -> Option<String>) -> String {
        match event {
            Event::ModelCallStarted { agent, .. } | Event::ToolCalled { agent, .. } => {
                self.named(agent.as_str())
            }
            Event::ModelCallFinished { call, .. } => {
                self.calls.get(call).cloned().unwrap_or_else(|| ADO.into())
            }
            Event::NetworkRefused { by, .. } => self.named(by),
            Event::StepFinished { outcome, .. } if outcome.agent.is_some() => {
                self.last.clone().unwrap_or_else(|| ADO.into())
            }
            Event::Approved { by, .. } | Event::Resumed { by, .. } | Event::ReviewAsked { by, .. } => {
                by.clone()
            }
            Event::Moved { .. } | Event::PlanEdited { .. } => person().unwrap_or_else(|| "a person".into()),
            _ => ADO.into(),
        }
    }

    /// An agent with its model; anything else by its name.
    fn named(&self, name: &str) -> String {
        match self.models.get(name) {
            Some(model) => format!("{name} ({model})"),
            None => name.to_owned(),
        }
    }
}

/// The first commit that holds a record.
fn holding(commits: &[CommitAbout], run: &RunId, seq: u64) -> Option<usize> {
    let holds = |commit: &CommitAbout| commit.journals.iter().any(|(of, to)| of == run && *to >= seq);
    commits.iter().position(holds)
}

/// How long after the first word of what follows from it a person's edit may be committed.
const JUST_BEFORE: SignedDuration = SignedDuration::from_secs(5);

/// When what followed from a person's edit began, where that is told with an earlier time than the commit of the edit: both
/// are committed one after the other once something followed.
fn before_what_followed(
    commits: &[CommitAbout],
    index: usize,
    first_held: &BTreeMap<usize, Timestamp>,
) -> Option<Timestamp> {
    let commit = &commits[index];
    let next = (index + 1..commits.len()).find(|at| commits[*at].is_own).filter(|_| !commit.is_own)?;
    let first = *first_held.get(&next)?;
    (first <= commit.at && commit.at.duration_since(first) < JUST_BEFORE).then_some(first)
}

/// The person whose commit was the last before the one that holds an event: their version of the note is always
/// committed first.
fn person(commits: &[CommitAbout], held: Option<usize>) -> Option<String> {
    let before = &commits[..held?];
    before.iter().rev().find(|commit| !commit.is_own).map(|commit| commit.author.clone())
}

fn what(event: &Event) -> String {
    let words = in_words(event);
    let name = event_name(event).replace('_', " ");
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { name } else { format!("{name}: {line}") }
}

impl Evidence {
    fn of(kind: &'static str, value: impl Into<String>) -> Self {
        Self { kind, value: note::plain(&value.into()) }
    }

    fn hash(kind: &'static str, hash: &ContentHash) -> Self {
        Self::of(kind, format!("sha256:{}", hash.short()))
    }

    fn commit(kind: &'static str, commit: &GitId) -> Self {
        Self::of(kind, commit.short())
    }
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.value)
    }
}

fn of_event(event: &Event) -> Vec<Evidence> {
    match event {
        Event::Started { request, version, .. } => {
            vec![Evidence::hash("request", request), Evidence::of("version", version)]
        }
        Event::StepFinished { outcome, .. } => of_outcome(outcome),
        Event::ModelCallStarted { reserved, .. } => vec![Evidence::of("reserved", reserved.usd.to_string())],
        Event::ModelCallFinished { cost, transcript, transcript_hash, .. } => {
            let mut evidence = vec![Evidence::of("cost", cost.to_string())];
            if let Some(file) = transcript {
                evidence.push(Evidence::of("transcript", file));
            }
            evidence.extend(transcript_hash.iter().map(|hash| Evidence::hash("transcript hash", hash)));
            evidence
        }
        Event::ToolCalled { exit_code, folder, millis, .. } => {
            let mut evidence = vec![];
            if let Some(code) = exit_code {
                evidence.push(Evidence::of("exit code", code.to_string()));
            }
            if !folder.is_empty() {
                evidence.push(Evidence::of("folder", folder));
            }
            evidence.push(Evidence::of("took", format!("{millis} ms")));
            evidence
        }
        Event::PullRequestOpened { pr, head } => {
            vec![Evidence::of("pull request", &pr.link), Evidence::commit("commit", head)]
        }
        Event::Merged { commit } => vec![Evidence::commit("commit", commit)],
        Event::BranchReplaced { to, .. } => vec![Evidence::commit("commit", to)],
        Event::ApprovalAsked { plan, base, .. } | Event::Approved { plan, base, .. } => {
            let mut evidence = vec![Evidence::hash("bound to", plan)];
            evidence.extend(base.iter().map(|base| Evidence::commit("base", base)));
            evidence
        }
        Event::PlanEdited { plan_text } => vec![Evidence::hash("plan", &ContentHash::of(plan_text))],
        Event::BlockWritten { hash, .. } => vec![Evidence::hash("block", hash)],
        _ => vec![],
    }
}

fn of_outcome(outcome: &StepOutcome) -> Vec<Evidence> {
    let mut evidence = match &outcome.result {
        StepResult::Planned { plan, base } => {
            vec![Evidence::hash("plan", &plan.hash()), Evidence::commit("base", base)]
        }
        StepResult::Changed { change } => of_change(change),
        StepResult::Gated { gates } => {
            let told = gates.iter().map(|gate| {
                let status = match gate.status {
                    GateStatus::Passed => "passed",
                    GateStatus::Failed => "failed",
                    GateStatus::TimedOut => "timed out",
                    GateStatus::NotRun => "not run",
                };
                let code = gate.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
                Evidence::of("gate", format!("{} {status}{code}", gate.name))
            });
            told.collect()
        }
        StepResult::Reviewed { review } => {
            let met = review.criteria.iter().filter(|criterion| criterion.met).count();
            vec![
                Evidence::of("findings", review.findings.len().to_string()),
                Evidence::of("criteria met", format!("{met} of {}", review.criteria.len())),
            ]
        }
        _ => vec![],
    };
    evidence.extend(outcome.agent.iter().map(|agent| Evidence::hash("agent note", agent)));
    evidence
}

fn of_change(change: &ChangeSet) -> Vec<Evidence> {
    let added: u64 = change.files.iter().map(|file| file.added).sum();
    let removed: u64 = change.files.iter().map(|file| file.removed).sum();
    vec![
        Evidence::commit("commit", &change.commit),
        Evidence::commit("tree", &change.tree),
        Evidence::commit("base", &change.base),
        Evidence::of("diff", format!("{} files, +{added} -{removed}", change.files.len())),
    ]
}
