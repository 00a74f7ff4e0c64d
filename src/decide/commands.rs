//! What a command in a comment means for its feature. What cannot be done is refused with the reason; nothing is accepted
//! in silence.
//!
//! Does not know comments or forges.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    ApprovalAuthority, Command, CommandWord, Commanded, Comment, ContentHash, Effect, FeatureView,
    ForgeSettings, Gate, RunState, Snapshot, Status,
};

/// A command that is older than this when it is first seen is not meant for now.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// What follows from a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Obedience {
    /// By somebody who may not command.
    Stranger,
    /// Too old to be meant for now.
    Stale,
    /// The gesture of moving the note.
    Move(Status),
    /// The same, and then the command means something again.
    First(Status),
    /// What it needs is being done; it means something again then.
    Later,
    Do(Box<Effect>),
    /// Why not, for who asked.
    Refuse(String),
}

/// What a command means now, for a feature that is not being typed.
pub fn obey(
    snapshot: &Snapshot,
    view: &FeatureView,
    settings: &ForgeSettings,
    asked: &Commanded,
) -> Obedience {
    let by = &asked.comment.author;
    let (instructs, approves) = (is_listed(&settings.instructors, by), is_listed(&settings.approvers, by));
    if !instructs && !approves {
        return Obedience::Stranger;
    }
    if snapshot.now.duration_since(asked.comment.at) > STALE {
        return Obedience::Stale;
    }
    let word = asked.command.word;
    if word == CommandWord::Approve && !approves {
        return refuse("`approvers` in the repository note does not name you");
    }
    if word != CommandWord::Approve && !instructs {
        return refuse("`instructors` in the repository note does not name you");
    }
    let run = view.live_run().filter(|run| !run.only_specifies());
    match (word, run) {
        (CommandWord::Plan, _) => plan(view),
        (CommandWord::Stop, run) => stop(view, run),
        (_, None) => refuse("nothing is being worked on; `/plan` begins it"),
        (CommandWord::Approve, Some(run)) => approve(snapshot, run, asked),
        (CommandWord::Retry, Some(run)) => match &run.brake {
            Some(_) => resume(run, asked, ""),
            None => refuse("it was not stopped by anything, so there is nothing to try again"),
        },
        (CommandWord::Describe, Some(run)) => match offered(view, run) {
            true => Obedience::Do(Box::new(Effect::Publish { run: run.id.clone() })),
            false => refuse("there is no pull request of a finished round to describe"),
        },
        (CommandWord::Review, Some(run)) => match offered(view, run) && run.brake.is_none() {
            true => Obedience::Do(Box::new(Effect::AskReview {
                run: run.id.clone(),
                by: asked.comment.author.clone(),
                words: said(asked, ""),
            })),
            false => refuse("there is no pull request of a finished round; each round ends in a review"),
        },
        (CommandWord::Improve, Some(run)) => rework(
            view,
            run,
            asked,
            "Improve this change: make it simpler and clearer, and \
            cover what is not tested.",
        ),
        (CommandWord::UpdateChangelog, Some(run)) => rework(
            view,
            run,
            asked,
            "Add an entry for this change to the repository's changelog, in its manner.",
        ),
    }
}

/// What a command means below a pull request that ado-vault did not write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outside {
    /// By somebody who may not command.
    Stranger,
    /// Too old to be meant for now.
    Stale,
    Review,
    /// Why not, for who asked.
    Refuse(String),
}

/// The same for a pull request that ado-vault did not write, where its repository's note lets it be reviewed.
pub fn obey_outside(
    now: Timestamp,
    settings: &ForgeSettings,
    command: &Command,
    comment: &Comment,
) -> Outside {
    if !is_listed(&settings.instructors, &comment.author) {
        return Outside::Stranger;
    }
    if now.duration_since(comment.at) > STALE {
        return Outside::Stale;
    }
    match command.word {
        CommandWord::Review => Outside::Review,
        _ => Outside::Refuse(
            "ado-vault did not write this pull request: `/review` alone is taken here".to_owned(),
        ),
    }
}

fn is_listed(logins: &[String], login: &str) -> bool {
    logins.iter().any(|known| known.trim_start_matches('@').eq_ignore_ascii_case(login))
}

fn plan(view: &FeatureView) -> Obedience {
    match view.feature.folder {
        Some(Status::Planned) => refuse("it is planned already"),
        // A note that is moved from there to `planned` by hand only stops.
        Some(Status::InProgress) if view.live_run().is_some() => Obedience::First(Status::New),
        _ if view.live_run().is_some_and(|run| run.status == Status::InProgress) => Obedience::Later,
        _ => Obedience::Move(Status::Planned),
    }
}

fn stop(view: &FeatureView, run: Option<&RunState>) -> Obedience {
    match (view.feature.folder, run) {
        (Some(Status::InProgress | Status::Review), Some(_)) | (Some(Status::Planned), _) => {
            Obedience::Move(Status::New)
        }
        _ => refuse("nothing is being worked on"),
    }
}

/// The approval of the merge of the very head, where reviews at the forge approve. Other gates are approved in the vault.
fn approve(snapshot: &Snapshot, run: &RunState, asked: &Commanded) -> Obedience {
    if snapshot.config.settings.approval_authority != ApprovalAuthority::Forge {
        return refuse("`approval_authority` is not `forge`: it is approved in the vault");
    }
    let gate = run.asked.as_ref().filter(|waits| waits.gate == Gate::Merge && run.brake.is_none());
    let (Some(gate), Some(head)) = (gate, &run.pr_head) else {
        return refuse("no merge waits for an approval; other gates are approved in the vault");
    };
    let is_of_head = gate.plan == ContentHash::of(head.as_str());
    let is_younger = asked.gate_asked.is_some_and(|since| asked.comment.at >= since);
    let named = asked.command.words.split_whitespace().next().unwrap_or_default();
    if !is_of_head || !is_younger || !head.as_str().starts_with(named) {
        return refuse("the head changed since; look at it and approve again");
    }
    Obedience::Do(Box::new(Effect::Approve {
        run: run.id.clone(),
        gate: gate.gate,
        plan: gate.plan.clone(),
        base: gate.base.clone(),
        by: asked.comment.author.clone(),
    }))
}

/// An instruction for the coder on a pull request that is open.
fn rework(view: &FeatureView, run: &RunState, asked: &Commanded, words: &str) -> Obedience {
    match offered(view, run) && run.brake.is_none() {
        true => resume(run, asked, words),
        false => refuse("there is no pull request of a finished round to work on"),
    }
}

fn resume(run: &RunState, asked: &Commanded, words: &str) -> Obedience {
    let (by, words) = (asked.comment.author.clone(), said(asked, words));
    Obedience::Do(Box::new(Effect::Resume { run: run.id.clone(), by, words }))
}

/// Words, and what stands behind the command, with who said it; empty where nothing is said.
fn said(asked: &Commanded, words: &str) -> Vec<String> {
    let said = [words, asked.command.words.as_str()];
    let said: Vec<&str> = said.into_iter().filter(|part| !part.is_empty()).collect();
    match said.is_empty() {
        true => vec![],
        false => vec![format!("{} ({}):\n\n{}", asked.comment.author, asked.comment.url, said.join("\n\n"))],
    }
}

fn offered(view: &FeatureView, run: &RunState) -> bool {
    view.feature.folder == Some(Status::Review) && run.pr.is_some() && view.in_flight.is_none()
}

fn refuse(why: &str) -> Obedience {
    Obedience::Refuse(why.to_owned())
}

/// Whether anybody may command at this forge.
pub fn takes_commands(settings: &ForgeSettings) -> bool {
    !settings.instructors.is_empty() || !settings.approvers.is_empty()
}
