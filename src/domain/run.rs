//! A run's state, folded from its journal. Nothing else is stored about a run.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Brake, BranchName, ChangeSet, ContentHash, Event, FeatureId, Feedback, Finding, Gate, GateResult, GitId,
    PullRequestRef, Record, RepoName, Review, RunEnd, RunId, SpecDraft, Spent, Status, Step, StepKey,
    StepResult, Tier, Tokens, Triage, WorkPlan,
};

/// A step that was started, and how it ended if it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepTry {
    pub key: StepKey,
    pub attempt: u32,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub result: Option<StepResult>,
    pub spent: Spent,
    /// The first model call that it made.
    #[serde(default)]
    pub first_call: Option<u64>,
    /// Whether its last model call failed for a reason that is not in the conversation: a limit, an outage.
    #[serde(default)]
    pub starved: bool,
}

impl StepTry {
    /// Whether it was ended from outside, in the middle of its work: what it was told still holds for the next try.
    pub fn is_cut_off(&self) -> bool {
        match &self.result {
            None
            | Some(StepResult::Cancelled | StepResult::Parked { .. } | StepResult::OutOfBudget { .. }) => {
                true
            }
            Some(StepResult::Failed { .. }) => self.starved,
            Some(_) => false,
        }
    }
}

/// What progress is measured by: the tree, the failing checks, the open findings, the criteria shown to be met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub tree: Option<GitId>,
    pub failing: BTreeSet<String>,
    pub findings: BTreeSet<String>,
    pub met: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    pub id: RunId,
    pub repo: RepoName,
    pub branch: BranchName,
    pub target_branch: BranchName,
    pub request: ContentHash,
    pub sandboxed: bool,
    /// Status of the note when the run began: `new` where it drafts a specification, else `planned`.
    pub from: Status,
    pub started: Timestamp,
    /// Time of the last record.
    pub last: Timestamp,
    pub last_seq: u64,
    pub triage: Option<Triage>,
    pub draft: Option<SpecDraft>,
    pub plan: Option<WorkPlan>,
    /// The plan as a human rewrote it in the note.
    pub plan_text: Option<String>,
    pub base: Option<GitId>,
    pub tries: Vec<StepTry>,
    pub change: Option<ChangeSet>,
    /// Every commit made on the branch, oldest first, with the round that made it.
    pub changes: Vec<(StepKey, ChangeSet)>,
    /// Results of the last gates step, and of every earlier one by round.
    pub gates: Vec<GateResult>,
    pub gate_history: Vec<(u32, Vec<GateResult>)>,
    pub review: Option<Review>,
    pub review_history: Vec<(u32, Review)>,
    pub pr: Option<PullRequestRef>,
    /// Head that the pull request was opened or last updated with.
    pub pr_head: Option<GitId>,
    /// Whether the note lay in `review` since the pull request was last opened or updated.
    pub offered: bool,
    pub merged: Option<GitId>,
    pub spent: Spent,
    /// Tokens of all settled calls by kind.
    pub tokens: Tokens,
    /// Reservations of calls whose end is not in the journal (in flight, or lost in a crash: those count as spent).
    pub open_calls: BTreeMap<u64, Spent>,
    pub next_call: u64,
    pub asked: Option<Asked>,
    /// Approvals that still hold: what they were given for is there as it was.
    pub approved: Vec<(Gate, ContentHash, Option<GitId>)>,
    pub brake: Option<(Brake, String)>,
    /// Seq of the last resume; brakes look only at what came after it.
    pub resumed_at: u64,
    /// Index into `tries`, `gate_history`, `review_history` and `changes` of what came after the last resume.
    pub since_resume: SinceResume,
    /// Human words not yet given to the coder.
    pub words: Vec<String>,
    /// What was noticed in texts that agents were shown, each once, with the step that was shown it first.
    pub noticed: Vec<(StepKey, Finding)>,
    /// Every word of a human that this run was ever told, and the key of every other feedback.
    pub heard: BTreeSet<String>,
    /// Feedback not yet given to the coder.
    pub feedback: Vec<Feedback>,
    /// Feedback ever taken up, without its evidence, oldest first.
    pub taken_up: Vec<Feedback>,
    /// Feedback that was worked on and whose place of answer has none yet.
    pub unanswered: Vec<Feedback>,
    /// Rounds of feedback since a human last let the run go on.
    pub reworks: u32,
    /// Whether the target branch was merged in and that was not pushed yet.
    pub updated: bool,
    pub parked: Option<(Timestamp, String)>,
    /// Effects intended and not completed.
    pub pending: BTreeMap<String, String>,
    pub completed: BTreeSet<String>,
    /// Status of the note as far as this run knows.
    pub status: Status,
    /// Last content written to each managed block.
    pub blocks: BTreeMap<String, ContentHash>,
    /// Every content that ado ever wrote to a block: anything else in the note is a human's.
    pub written: BTreeSet<(String, ContentHash)>,
    pub split: Vec<FeatureId>,
    pub ended: Option<(RunEnd, String)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinceResume {
    pub tries: usize,
    pub gates: usize,
    pub reviews: usize,
    pub changes: usize,
}

/// A gate that waits for a human.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub gate: Gate,
    /// What the approval will be bound to.
    pub plan: ContentHash,
    pub base: Option<GitId>,
    /// Number of the record that asks.
    pub seq: u64,
    /// Why the last answer did not count.
    pub refused: Option<String>,
}

impl RunState {
    /// Folds records into a state; `None` where the journal does not begin with `started`.
    pub fn fold<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<Self> {
        let mut records = records.into_iter();
        let mut state = Self::begin(records.next()?)?;
        for record in records {
            state.apply(record);
        }
        Some(state)
    }

    fn begin(record: &Record) -> Option<Self> {
        let Event::Started { run, repo, branch, target_branch, request, sandboxed, from, .. } = &record.event
        else {
            return None;
        };
        let from = from.unwrap_or(Status::Planned);
        Some(Self {
            id: run.clone(),
            repo: repo.clone(),
            branch: branch.clone(),
            target_branch: target_branch.clone(),
            request: request.clone(),
            sandboxed: *sandboxed,
            from,
            started: record.at,
            last: record.at,
            last_seq: record.seq,
            triage: None,
            draft: None,
            plan: None,
            plan_text: None,
            base: None,
            tries: vec![],
            change: None,
            changes: vec![],
            gates: vec![],
            gate_history: vec![],
            review: None,
            review_history: vec![],
            pr: None,
            pr_head: None,
            offered: false,
            merged: None,
            spent: Spent::default(),
            tokens: Tokens::default(),
            open_calls: BTreeMap::new(),
            next_call: 1,
            asked: None,
            approved: vec![],
            brake: None,
            resumed_at: 0,
            since_resume: SinceResume::default(),
            words: vec![],
            noticed: vec![],
            heard: BTreeSet::new(),
            feedback: vec![],
            taken_up: vec![],
            unanswered: vec![],
            reworks: 0,
            updated: false,
            parked: None,
            pending: BTreeMap::new(),
            completed: BTreeSet::new(),
            status: from,
            blocks: BTreeMap::new(),
            written: BTreeSet::new(),
            split: vec![],
            ended: None,
        })
    }

    /// Applies one more record. Unknown combinations change nothing: a journal may come from a newer version.
    pub fn apply(&mut self, record: &Record) {
        let before = std::mem::replace(&mut self.last, record.at);
        self.last_seq = record.seq;
        match &record.event {
            Event::Started { .. }
            | Event::TurnRemembered { .. }
            | Event::ToolCalled { .. }
            | Event::NetworkRefused { .. } => {}
            Event::BranchReplaced { from, to } => {
                let changes = self.changes.iter_mut().map(|(_, change)| change).chain(&mut self.change);
                for change in changes.filter(|change| change.commit == *from) {
                    change.commit = to.clone();
                }
            }
            Event::Triaged { triage } => self.triage = Some(triage.clone()),
            Event::Noticed { key, finding } => {
                if self.noticed.iter().all(|(_, known)| known != finding) {
                    self.noticed.push((*key, finding.clone()));
                }
            }
            Event::StepStarted { key, attempt } => {
                self.parked = None;
                // A step that a crash cut off was at work at least until its last record.
                if let Some(cut_off) = self.tries.last_mut().filter(|step| step.ended.is_none()) {
                    cut_off.ended = Some(before);
                    self.spent += Spent::of_time(cut_off.started, before);
                }
                let session = key.step.role().map(|_| Spent::of_session()).unwrap_or_default();
                self.spent += session;
                self.tries.push(StepTry {
                    key: *key,
                    attempt: *attempt,
                    started: record.at,
                    ended: None,
                    result: None,
                    spent: session,
                    first_call: None,
                    starved: false,
                });
            }
            Event::StepFinished { key, attempt, outcome } => {
                if let Some(step) =
                    self.tries.iter_mut().rev().find(|step| step.key == *key && step.attempt == *attempt)
                {
                    if step.ended.is_none() {
                        self.spent += Spent::of_time(step.started, record.at);
                    }
                    step.ended = Some(record.at);
                    step.result = Some(outcome.result.clone());
                }
                self.finish_step(*key, &outcome.result);
            }
            Event::ModelCallStarted { call, reserved, .. } => {
                self.open_calls.insert(*call, *reserved);
                if let Some(step) = self.tries.last_mut() {
                    step.first_call.get_or_insert(*call);
                }
                self.next_call = self.next_call.max(call + 1);
            }
            Event::ModelCallFinished { call, tokens, cost, failure, .. } => {
                if let Some(step) = self.tries.last_mut() {
                    step.starved = failure.is_some();
                }
                if self.open_calls.remove(call).is_some() {
                    let spent = Spent::of_call(*cost, tokens.total());
                    self.tokens = self.tokens + *tokens;
                    self.spent += spent;
                    if let Some(step) = self.tries.last_mut() {
                        step.spent += spent;
                    }
                }
            }
            Event::Intended { effect, detail } => {
                self.pending.insert(effect.clone(), detail.clone());
            }
            Event::Completed { effect, .. } => {
                self.pending.remove(effect);
                self.completed.insert(effect.clone());
                if let Some((_, to)) = parse_move(effect) {
                    self.set_status(to);
                }
                if let Some(id) = effect.strip_prefix("answer:") {
                    self.unanswered.retain(|feedback| feedback.id() != id);
                }
            }
            Event::PullRequestOpened { pr, head } => {
                if self.pr_head.as_ref() != Some(head) {
                    self.forget_approvals(&[Gate::Merge]);
                }
                self.pr = Some(pr.clone());
                self.pr_head = Some(head.clone());
                self.offered = self.status == Status::Review;
                self.updated = false;
            }
            Event::Merged { commit } => self.merged = Some(commit.clone()),
            Event::ApprovalAsked { gate, plan, base, refused } => {
                let (plan, base) = (plan.clone(), base.clone());
                self.asked =
                    Some(Asked { gate: *gate, plan, base, seq: record.seq, refused: refused.clone() });
            }
            Event::Approved { gate, plan, base, .. } => {
                self.approved.push((*gate, plan.clone(), base.clone()));
                self.asked = None;
            }
            Event::PlanEdited { plan_text } => {
                self.forget_approvals(&[Gate::Plan]);
                self.plan_text = Some(plan_text.clone());
            }
            Event::Braked { brake, detail } => self.brake = Some((*brake, detail.clone())),
            Event::Resumed { words, .. } => {
                self.resume(record.seq);
                self.reworks = 0;
                self.words.extend(words.iter().cloned());
                self.heard.extend(words.iter().cloned());
            }
            Event::Reworked { feedback } => {
                self.resume(record.seq);
                self.reworks += 1;
                self.take_up(feedback);
            }
            Event::BranchUpdated { from: _, change, conflicts } => self.update(record.seq, change, conflicts),
            Event::Moved { to, .. } => self.set_status(*to),
            Event::BlockWritten { block, hash } => {
                self.blocks.insert(block.clone(), hash.clone());
                self.written.insert((block.clone(), hash.clone()));
            }
            Event::SplitInto { features } => self.split.clone_from(features),
            Event::Ended { result, detail } => self.ended = Some((*result, detail.clone())),
        }
    }

    /// Brakes look only at what comes from here on.
    fn resume(&mut self, seq: u64) {
        self.brake = None;
        self.parked = None;
        self.resumed_at = seq;
        self.since_resume = SinceResume {
            tries: self.tries.len(),
            gates: self.gate_history.len(),
            reviews: self.review_history.len(),
            changes: self.changes.len(),
        };
    }

    fn take_up(&mut self, feedback: &[Feedback]) {
        self.heard.extend(feedback.iter().map(Feedback::key));
        let bare = |each: &Feedback| Feedback { evidence: String::new(), ..each.clone() };
        self.taken_up.extend(feedback.iter().map(bare));
        self.feedback.extend(feedback.iter().cloned());
    }

    /// What the gates said was said of another tree.
    fn update(&mut self, seq: u64, change: &ChangeSet, conflicts: &[String]) {
        let round = self.tries.iter().filter(|step| step.key.step == Step::Code).map(|step| step.key.round);
        let round = round.max().unwrap_or(1);
        self.gate_history.retain(|(judged, _)| *judged != round);
        self.base = Some(change.base.clone());
        self.change = Some(change.clone());
        self.changes.push((StepKey::new(Step::Merge, round), change.clone()));
        self.resume(seq);
        self.reworks += 1;
        self.updated = true;
        if !conflicts.is_empty() {
            let target = self.target_branch.as_str().to_owned();
            self.take_up(&[Feedback::conflict(target, conflicts, change.commit.clone())]);
        }
    }

    fn set_status(&mut self, to: Status) {
        self.status = to;
        self.offered |= to == Status::Review;
    }

    fn finish_step(&mut self, key: StepKey, result: &StepResult) {
        match result {
            StepResult::Specified { draft } => self.draft = Some(draft.clone()),
            StepResult::Planned { plan, base } => {
                self.forget_approvals(&[Gate::Plan]);
                self.plan = Some(plan.clone());
                self.plan_text = None;
                self.base.get_or_insert_with(|| base.clone());
            }
            StepResult::Changed { change } => {
                self.base.get_or_insert_with(|| change.base.clone());
                if self.change.as_ref().is_none_or(|before| before.tree != change.tree) {
                    self.forget_approvals(&[Gate::Paths, Gate::Pr]);
                }
                self.change = Some(change.clone());
                self.changes.push((key, change.clone()));
                if key.step == Step::Code {
                    self.words.clear();
                    let worked_on = std::mem::take(&mut self.feedback).into_iter();
                    self.unanswered.extend(worked_on.filter(|feedback| feedback.place.is_some()));
                }
            }
            StepResult::Gated { gates } => {
                self.gates.clone_from(gates);
                self.gate_history.push((key.round, gates.clone()));
            }
            StepResult::Reviewed { review } => {
                self.review = Some(review.clone());
                self.review_history.push((key.round, review.clone()));
            }
            StepResult::Parked { until, reason } => self.parked = Some((*until, reason.clone())),
            StepResult::OutOfBudget { .. } | StepResult::Failed { .. } | StepResult::Cancelled => {}
        }
    }

    /// What these gates were passed with is not there any more. Should it come back, it is asked for again: an approval is
    /// used once.
    fn forget_approvals(&mut self, gates: &[Gate]) {
        self.approved.retain(|(gate, ..)| !gates.contains(gate));
    }

    /// What rules found in the change, and in what other steps were shown: a step that goes on after it was cut off is told
    /// the same as when it began.
    pub fn found_by_rules(&self, key: StepKey) -> Vec<Finding> {
        let of_change = self.change.iter().flat_map(|change| &change.findings);
        let noticed = self.noticed.iter().filter(|(by, _)| *by != key).map(|(_, finding)| finding);
        of_change.chain(noticed).cloned().collect()
    }

    /// Whether something was said that the coder was not told yet.
    pub fn has_words(&self) -> bool {
        !self.words.is_empty() || !self.feedback.is_empty()
    }

    /// Whether the forge was ever asked to merge it as soon as its rules let it.
    pub fn was_queued(&self) -> bool {
        self.completed.iter().any(|effect| effect.starts_with("queue:"))
    }

    /// Whether it drafts a specification and changes nothing else.
    pub fn only_specifies(&self) -> bool {
        self.from == Status::New
    }

    /// The tier it was routed to. Before that it counts as complex; a draft is never scored and counts as simple.
    pub fn tier(&self) -> Tier {
        let unscored = if self.only_specifies() { Tier::Simple } else { Tier::Complex };
        self.triage.as_ref().map_or(unscored, |triage| triage.tier)
    }

    /// Spent plus everything reserved and not settled, and the time of a step that has not ended up to the last record:
    /// what a cap is held against.
    pub fn committed_spend(&self) -> Spent {
        let open = self.tries.last().filter(|step| step.ended.is_none());
        let working = open.map(|step| Spent::of_time(step.started, self.last)).unwrap_or_default();
        self.spent + self.open_calls.values().copied().sum() + working
    }

    /// The tries of this step that were cut off and that its next try goes on from, oldest first.
    pub fn cut_off(&self, key: StepKey) -> &[StepTry] {
        let goes_on = |step: &&StepTry| step.key == key && step.is_cut_off();
        let count = self.tries.iter().rev().take_while(goes_on).count();
        &self.tries[self.tries.len() - count..]
    }

    /// What was committed before those tries: a step that goes on is told the same as when it began.
    pub fn committed_before(&self, key: StepKey) -> Spent {
        let cut_off = self.cut_off(key);
        let since: Spent = cut_off.iter().map(|step| step.spent).sum();
        let first = cut_off.iter().find_map(|step| step.first_call).unwrap_or(u64::MAX);
        let open: Spent = self.open_calls.range(..first).map(|(_, most)| *most).sum();
        self.spent - since + open
    }

    /// The last try, finished or not.
    pub fn last_try(&self) -> Option<&StepTry> {
        self.tries.last()
    }

    /// The branch's head after the last completed change.
    pub fn head(&self) -> Option<&GitId> {
        self.change.as_ref().map(|change| &change.commit).or(self.base.as_ref())
    }

    /// How often this step was begun.
    pub fn attempts(&self, key: StepKey) -> u32 {
        self.tries.iter().filter(|step| step.key == key).count() as u32
    }

    /// Milliseconds in which a step was at work. A step without an end counts up to the last record.
    pub fn active_millis(&self) -> u64 {
        let worked =
            |step: &StepTry| step.ended.unwrap_or(self.last).duration_since(step.started).as_millis();
        self.tries.iter().map(|step| u64::try_from(worked(step)).unwrap_or(0)).sum()
    }

    pub fn is_approved(&self, gate: Gate, plan: &ContentHash) -> bool {
        self.approved
            .iter()
            .any(|(approved, hash, base)| *approved == gate && hash == plan && *base == self.base)
    }

    /// Progress as of now.
    pub fn progress(&self) -> Progress {
        Progress {
            tree: self.change.as_ref().map(|change| change.tree.clone()),
            failing: self.gates.iter().flat_map(GateResult::fingerprints).collect(),
            findings: self
                .review
                .iter()
                .flat_map(|review| review.findings.iter().map(Finding::fingerprint))
                .collect(),
            met: self
                .review
                .iter()
                .flat_map(|review| review.criteria.iter())
                .filter(|criterion| criterion.met)
                .map(|criterion| criterion.text.clone())
                .collect(),
        }
    }
}

/// The effect key of a move: `move:planned:in_progress`.
pub fn move_effect(from: Status, to: Status) -> String {
    format!("move:{from}:{to}")
}

/// Key of the effect that puts a head into the forge's queue of merges.
pub fn queue_effect(head: &GitId) -> String {
    format!("queue:{head}")
}

/// The statuses of a move's effect key.
pub fn parse_move(effect: &str) -> Option<(Status, Status)> {
    let (from, to) = effect.strip_prefix("move:")?.split_once(':')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_does_not_say_where_it_began_began_in_planned() {
        let started = |from: &str| {
            let line = format!(
                r#"{{"v":1,"seq":1,"at":"2026-11-21T08:00:00Z","event":{{"type":"started","run":{{"feature":"FR-001","number":1}},"repo":"app",
                "branch":"agent/ado/feature/FR-001","target_branch":"main","request":"00","reason":"","version":"0.1.0",
                "sandboxed":true{from}}}}}"#
            );
            RunState::fold(&[serde_json::from_str(&line).unwrap()]).unwrap()
        };
        let old = started("");
        assert_eq!((old.status, old.only_specifies(), old.tier()), (Status::Planned, false, Tier::Complex));
        let draft = started(r#","from":"new""#);
        assert_eq!((draft.status, draft.only_specifies(), draft.tier()), (Status::New, true, Tier::Simple));
    }

    /// Which of the events after it, one after the other, leave the gate approved for what was approved after those before.
    fn stays(gate: &str, before: &[serde_json::Value], after: &[serde_json::Value]) -> Vec<bool> {
        use serde_json::json;
        let started = json!({"type": "started", "run": {"feature": "FR-001", "number": 1}, "repo": "app",
            "branch": "agent/ado/feature/FR-001", "target_branch": "main", "request": "00", "reason": "",
            "version": "0.1.0", "sandboxed": true});
        let approved = json!({"type": "approved", "gate": gate, "plan": "aa", "base": "b", "by": "Ann"});
        let gate: Gate = serde_json::from_value(gate.into()).unwrap();
        let hash: ContentHash = serde_json::from_value("aa".into()).unwrap();
        let record = |event: &serde_json::Value| -> Record {
            let line = json!({"v": 1, "seq": 1, "at": "2026-11-21T08:00:00Z", "event": event});
            serde_json::from_value(line).unwrap()
        };
        let mut state = RunState::fold(&[record(&started)]).unwrap();
        before.iter().chain([&approved]).for_each(|event| state.apply(&record(event)));
        assert!(state.is_approved(gate, &hash));
        let mut after_each = |event| {
            state.apply(&record(event));
            state.is_approved(gate, &hash)
        };
        after.iter().map(&mut after_each).collect()
    }

    #[test]
    fn what_was_approved_must_be_approved_again_when_it_comes_back() {
        use serde_json::json;
        let finished = |step: &str, result: serde_json::Value| {
            let key = json!({"step": step, "round": 1});
            let mut outcome = json!({"agent": null, "millis": 1});
            outcome.as_object_mut().unwrap().extend(result.as_object().unwrap().clone());
            json!({"type": "step_finished", "key": key, "attempt": 1, "outcome": outcome})
        };
        let changed = |tree: &str| {
            let change = json!({"commit": "c", "tree": tree, "base": "b", "files": [], "summary": ""});
            finished("code", json!({"result": "changed", "change": change}))
        };
        for gate in ["paths", "pr"] {
            let after = stays(gate, &[changed("1")], &["1", "2", "1"].map(changed));
            assert_eq!(after, [true, false, false], "{gate}");
        }
        let planned = || {
            let plan = json!({"summary": "p", "files": [], "steps": []});
            finished("plan", json!({"result": "planned", "plan": plan, "base": "b"}))
        };
        let edited = json!({"type": "plan_edited", "plan_text": "x"});
        assert_eq!(stays("plan", &[planned()], &[changed("1"), planned()]), [true, false]);
        assert_eq!(stays("plan", &[planned()], &[edited]), [false]);
        let opened = |head: &str| {
            let pr = json!({"forge": "local", "key": "PR-0001", "link": "x"});
            json!({"type": "pull_request_opened", "pr": pr, "head": head})
        };
        let after = stays("merge", &[changed("1"), opened("h")], &["h", "i", "h"].map(opened));
        assert_eq!(after, [true, false, false]);
    }
}
