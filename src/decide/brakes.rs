//! What stops a run until a human lets it go on. A brake looks only at what came after the last resume.
//!
//! Does not know budgets (`spending`) or failing steps (`steps`).

use similar::TextDiff;

use super::next::{Next, plain};
use super::{rounds, spending};
use crate::domain::{
    Brake, Effect, FeatureView, Finding, GateDiagnostic, GateKind, GateResult, GateStatus, Progress, Review,
    RunState, Severity, Snapshot, Status, Step, StepTry,
};

/// Two errors at least this alike are the same one.
const SAME: f32 = 0.9;
/// How often in a row the same error stops a run.
const SAME_ERROR_TIMES: usize = 3;
/// The longest that any one step may take.
pub(super) const MOST_STEP_SECONDS: u64 = 3600;
/// Errors of one gate run that are compared; more say nothing new.
const COMPARED: usize = 20;

pub(super) type Pulled = (Brake, String);

pub(super) fn pull(run: &RunState, brake: Brake, detail: String) -> Next {
    let reason = format!("{brake}: {detail}");
    Next::act(Effect::Brake { run: run.id.clone(), brake, detail }, reason)
}

/// A braked run waits until a human lets it go on; `None` where no brake is set.
pub(super) fn held(view: &FeatureView, run: &RunState) -> Option<Next> {
    let (brake, detail) = run.brake.as_ref()?;
    let feature = &view.feature;
    if feature.properties.approved == Some(true) {
        return Some(Next::act(
            Effect::Resume { run: run.id.clone(), by: view.last_author.clone(), words: answers(view, run) },
            format!("a human let it go on after: {brake}"),
        ));
    }
    let why = format!("stopped by a brake: {brake}: {}", plain(detail));
    let back = match run.status {
        _ if run.only_specifies() => "ideas",
        Status::InProgress => "planned",
        _ => "new",
    };
    let unblock = format!(
        "answer under `Notes` and tick `approved`, or run `ado-vault approve {}`; or move the note back to `{back}` to \
         stop",
        feature.label()
    );
    Some(match brake {
        Brake::Budget => Next::ask_on("budget", why, format!("raise the budget, then {unblock}")),
        Brake::Secret => {
            let allow =
                "if it is no secret, write what is shown under `allow_secrets` in the repository note, then";
            Next::ask(&format!("{brake}: {detail}"), why, format!("{allow} {unblock}"))
        }
        Brake::Unreviewed => Next::ask(
            &format!("{brake}: {detail}"),
            why,
            format!("read the change in the run's branch; if it is good, {unblock}"),
        ),
        _ => Next::ask(&format!("{brake}: {detail}"), why, unblock),
    })
}

/// What a human answered under `Notes` after the run began; older notes are part of the request.
pub(super) fn answers(view: &FeatureView, run: &RunState) -> Vec<String> {
    let notes = view.feature.sections.notes.trim();
    let answered = run.request != view.feature.request_hash() && !notes.is_empty();
    if answered { vec![notes.to_owned()] } else { vec![] }
}

/// Minutes of work since the last resume against the settings' limit.
pub(super) fn wall_time(snapshot: &Snapshot, run: &RunState) -> Option<Pulled> {
    let limit = snapshot.config.settings.run_minutes;
    let minutes = seconds_worked(run) / 60;
    (minutes >= limit).then(|| (Brake::WallTime, format!("{minutes} of {limit} minutes worked")))
}

/// The longest that the run's next step may take, in seconds: what is left of the run's minutes and of those of its
/// feature, the night and the day; at most an hour.
pub fn step_seconds(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> u64 {
    let limit = snapshot.config.settings.run_minutes.saturating_mul(60);
    let left = limit.saturating_sub(seconds_worked(run)).min(spending::seconds_left(snapshot, view));
    left.clamp(1, MOST_STEP_SECONDS)
}

/// Seconds of the steps since the last resume. A step that a crash cut off counts up to its last record.
fn seconds_worked(run: &RunState) -> u64 {
    let recent = run.tries.get(run.since_resume.tries..).unwrap_or_default();
    let seconds = |step: &StepTry| step.ended.map_or(0, |ended| ended.duration_since(step.started).as_secs());
    recent.iter().map(|step| u64::try_from(seconds(step)).unwrap_or(0)).sum()
}

/// Size of the diff and edits that undo each other, after a change.
pub(super) fn after_change(snapshot: &Snapshot, run: &RunState) -> Option<Pulled> {
    let recent = run.changes.get(run.since_resume.changes..).unwrap_or_default();
    let (_, change) = recent.last()?;
    let policy = &snapshot.config.approvals;
    let accepted = run.since_resume.changes.checked_sub(1).and_then(|index| run.changes.get(index));
    let (seen_lines, seen_files) =
        accepted.map_or((0, 0), |(_, change)| (change.lines(), change.files.len() as u64));
    let (lines, files) = (change.lines(), change.files.len() as u64);
    if lines > policy.max_diff_lines.max(seen_lines) {
        let detail = format!("{lines} changed lines, at most {} without a human", policy.max_diff_lines);
        return Some((Brake::DiffTooLarge, detail));
    }
    if files > policy.max_diff_files.max(seen_files) {
        let detail = format!("{files} changed files, at most {} without a human", policy.max_diff_files);
        return Some((Brake::DiffTooLarge, detail));
    }
    let mut trees: Vec<&str> = recent.iter().map(|(_, change)| change.tree.as_str()).collect();
    trees.dedup();
    let (last, earlier) = trees.split_last()?;
    earlier
        .contains(last)
        .then(|| (Brake::BackAndForth, "the files are again as they were in an earlier round".to_owned()))
}

/// The coder left everything as it was for the second time.
pub(super) fn idle(run: &RunState) -> Option<Pulled> {
    let first = run.since_resume.changes;
    let idle = (first..run.changes.len())
        .filter(|index| run.changes[*index].0.step == Step::Code && rounds::is_idle(run, *index))
        .count();
    (idle >= 2).then(|| (Brake::NoChange, format!("the coder changed nothing {idle} times")))
}

/// Before another fix round: the same error again and again, no progress, too many rounds.
pub(super) fn before_fix(snapshot: &Snapshot, run: &RunState) -> Option<Pulled> {
    if let Some(error) = repeated(run, SAME_ERROR_TIMES) {
        return Some((Brake::SameError, plain(&error)));
    }
    if let Some(finding) = contradiction(run) {
        let detail = format!("a review raises again what an earlier one let pass: {}", plain(&finding));
        return Some((Brake::Contradiction, detail));
    }
    if stalls(run) >= 2 {
        let detail = "two rounds changed no check, no finding and no criterion";
        return Some((Brake::NoProgress, detail.to_owned()));
    }
    let (fixes, limit) = (rounds::fixes(run), snapshot.config.settings.max_rounds as usize);
    (fixes >= limit).then(|| (Brake::MaxRounds, format!("{fixes} of {limit} fix rounds used")))
}

/// A finding of the last review that an earlier review raised and one between the two did not: the verdicts go to and
/// fro, and no fix can please both.
fn contradiction(run: &RunState) -> Option<String> {
    let recent = run.review_history.get(run.since_resume.reviews..).unwrap_or_default();
    let raised: Vec<Vec<Fault>> = recent.iter().map(|(_, review)| raised(review)).collect();
    let (last, before) = raised.split_last()?;
    let goes_to_and_fro = |finding: &&Fault| {
        let raises = |review: &Vec<Fault>| review.iter().any(|other| is_same(finding, other));
        let first = before.iter().position(raises);
        first.is_some_and(|first| before[first..].iter().any(|review| !raises(review)))
    };
    last.iter().find(goes_to_and_fro).map(|fault| fault.words.clone())
}

/// Something that must be mended.
struct Fault {
    /// By which it is known again in another round.
    print: String,
    /// For people.
    words: String,
}

impl Fault {
    fn of_finding(finding: &Finding) -> Self {
        let place = if finding.file.is_empty() { String::new() } else { format!("`{}`: ", finding.file) };
        Self { print: finding.fingerprint(), words: format!("{place}{} ({})", finding.message, finding.rule) }
    }

    fn of_diagnostic(gate: &GateResult, diagnostic: &GateDiagnostic) -> Self {
        let place = diagnostic.file.as_ref().map(|file| format!("`{file}`: ")).unwrap_or_default();
        let words = format!("{place}{} (check `{}`)", diagnostic.message, gate.name);
        Self { print: diagnostic.fingerprint(), words }
    }
}

/// The errors of a review.
fn raised(review: &Review) -> Vec<Fault> {
    let errors = review.findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(Fault::of_finding).collect()
}

/// Whether the round before already showed signs of what `before_fix` stops: another approach is due.
pub(super) fn is_stuck(run: &RunState, round: u32) -> bool {
    let judged = rounds::judged(run);
    judged.last() == Some(&round) && (repeated(run, 2).is_some() || stalled(run, &judged))
}

/// Whether the last round left every check, finding and criterion as the round before. The tree does not count here: a
/// coder that rewrites files without changing any verdict is busy; one that leaves the tree is stopped by `idle`.
fn stalled(run: &RunState, judged: &[u32]) -> bool {
    let shown = |round: u32| Progress { tree: None, ..rounds::progress(run, round) };
    matches!(judged, [.., before, last] if shown(*before) == shown(*last))
}

/// Rounds that left the progress as it was.
fn stalls(run: &RunState) -> usize {
    let judged = rounds::judged(run);
    (2..=judged.len()).filter(|count| stalled(run, &judged[..*count])).count()
}

/// An error of the last round that also stood in each of the `times - 1` rounds before it.
fn repeated(run: &RunState, times: usize) -> Option<String> {
    let judged = rounds::judged(run);
    let recent = judged.get(judged.len().checked_sub(times)?..)?;
    let errors: Vec<Vec<Fault>> = recent.iter().map(|round| errors(run, *round)).collect();
    let (last, before) = errors.split_last()?;
    let stays = |error: &&Fault| before.iter().all(|round| round.iter().any(|other| is_same(error, other)));
    last.iter().find(stays).map(|error| error.words.clone())
}

/// What must be mended after a round.
fn errors(run: &RunState, round: u32) -> Vec<Fault> {
    let gates = rounds::gates(run, round).unwrap_or_default();
    let findings = rounds::review(run, round).map(raised).unwrap_or_default();
    let rules = rounds::rule_errors(run, round);
    gates
        .iter()
        .filter(|gate| rounds::failed(gate))
        .flat_map(gate_errors)
        .chain(findings)
        .chain(rules.into_iter().map(Fault::of_finding))
        .take(COMPARED)
        .collect()
}

/// The tool's errors; where its output was not understood, the output itself, compared without digits.
fn gate_errors(gate: &GateResult) -> Vec<Fault> {
    let is_error = |diagnostic: &&GateDiagnostic| diagnostic.severity == Severity::Error;
    let errors: Vec<&GateDiagnostic> = gate.diagnostics.iter().filter(is_error).collect();
    if !errors.is_empty() {
        return errors.into_iter().map(|error| Fault::of_diagnostic(gate, error)).collect();
    }
    let tail: String = gate.tail.chars().rev().take(400).filter(|c| !c.is_ascii_digit()).collect();
    let last = gate.tail.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    let words = match gate.status {
        GateStatus::TimedOut => format!("check `{}` does not end in its time", gate.name),
        _ if last.is_empty() => format!("check `{}` fails and says nothing", gate.name),
        _ => format!("check `{}` fails: {last}", gate.name),
    };
    vec![Fault { print: format!("{}|{}", gate.name, tail.chars().rev().collect::<String>()), words }]
}

fn is_same(one: &Fault, other: &Fault) -> bool {
    one.print == other.print || TextDiff::from_chars(&one.print, &other.print).ratio() >= SAME
}

/// Why the gates are not enough to go on, and what a human can do: one that the policy demands did not pass, or the
/// project has gates and this machine could run none of them.
pub(super) fn missing_gates(snapshot: &Snapshot, run: &RunState, gates: &[GateResult]) -> Option<String> {
    let required = snapshot.config.gates.required.iter().copied();
    let missing: Vec<&str> = required
        .filter(|kind| !gates.iter().any(|gate| gate.kind == *kind && gate.passed()))
        .map(GateKind::slug)
        .collect();
    if !missing.is_empty() {
        return Some(format!(
            "no {} gate passed; add one as `gates` in `00_system/repos/{}.md` or take it out of `required` in \
             `30_policy/Gates.md`",
            missing.join(", "),
            run.repo
        ));
    }
    let mut of_project = gates.iter().filter(|gate| gate.kind != GateKind::Secrets).peekable();
    let first: &GateResult = of_project.peek()?;
    of_project.all(|gate| gate.status == GateStatus::NotRun).then(|| {
        format!(
            "none of the project's gates could run here (`{}`: {}); install the tool, name other `gates` in \
             `00_system/repos/{}.md`, or turn `detect` off in `30_policy/Gates.md`",
            first.name,
            plain(first.tail.lines().next().unwrap_or("not run")),
            run.repo
        )
    })
}
