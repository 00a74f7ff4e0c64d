//! What each record of a journal makes of a run's state.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Asked, ChangeSet, Event, Feedback, Gate, Record, RunState, SinceResume, Spent, Status, Step, StepKey,
    StepResult, StepTry, Tokens, answer_effect, parse_move,
};

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
        let Event::Started { run, repo, branch, target_branch, request, sandboxed, from, proposed, .. } =
            &record.event
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
            proposed: proposed.clone(),
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
            review_asked: None,
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
                self.unanswered.retain(|feedback| answer_effect(&feedback.id()) != *effect);
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
            Event::ReviewAsked { words, .. } => {
                self.resume(record.seq);
                self.review_asked = Some(words.clone());
                self.offered = false;
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
                self.review_asked = None;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ContentHash, Tier};

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
