//! Issues of the repositories' forges: wanted ones become notes, and show how far their notes are. Forges are asked beside
//! the loop, one round of a repository at a time; notes are written within it.
//!
//! Does not know what an issue and its note owe each other; `decide` does.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::commands::{Heard, Obeyed, Thread, listen};
use super::event_loop::Engine;
use super::failure::Failure;
use super::observe::Observation;
use super::outside::{FoundOutside, Search};
use super::transition::{NoteChange, message};
use super::{EngineError, Said};
use crate::decide;
use crate::domain::{
    ContentHash, FeatureId, FeatureView, Issue, IssueReport, IssueState, NotePath, RepoName, Repository,
    Status,
};
use crate::forge::{ForgeError, Issues, Reply};
use crate::note;
use crate::vault::{Created, Intended, Vault, VaultLock, create};

/// How long a look at a repository's issues holds.
const LOOK_HOLDS: Duration = Duration::from_secs(30);
/// Notes written from one look, and reports of one round: the rest follows.
const MOST_NOTES: usize = 100;
const MOST_REPORTS: usize = 50;

/// What is known of issues between two looks.
pub(super) struct IssueDesk {
    asked: BTreeMap<RepoName, Instant>,
    at_work: BTreeMap<RepoName, tokio::task::JoinHandle<()>>,
    /// Issues whose notes lie outside of the features' folders.
    elsewhere: HashMap<String, NotePath>,
    told: Told,
    /// Answers to commands that were not given yet.
    pub(super) replies: Vec<(RepoName, Reply)>,
    /// Comments of people who may not command that were answered by this process.
    pub(super) refused: HashSet<u64>,
    sender: mpsc::UnboundedSender<Round>,
    receiver: mpsc::UnboundedReceiver<Round>,
    waiting: Vec<Round>,
}

/// What one round of a repository brought.
struct Round {
    repo: RepoName,
    wanted: Vec<Issue>,
    closed: Vec<Issue>,
    told: Vec<(String, ContentHash)>,
    commands: Vec<Heard>,
    outside: FoundOutside,
    /// Answers that could not be given.
    replies: Vec<Reply>,
    error: Option<ForgeError>,
}

impl Round {
    fn of(repo: RepoName) -> Self {
        Self {
            repo,
            wanted: vec![],
            closed: vec![],
            told: vec![],
            commands: vec![],
            outside: FoundOutside::default(),
            replies: vec![],
            error: None,
        }
    }
}

/// An issue that has a note.
struct Known {
    url: String,
    /// Whether its note is still to be worked on, so that it matters whether the issue was closed.
    is_open_here: bool,
    report: Option<(IssueReport, ContentHash)>,
}

impl IssueDesk {
    pub(super) fn new(vault: &Vault) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            asked: BTreeMap::new(),
            at_work: BTreeMap::new(),
            elsewhere: HashMap::new(),
            told: Told::read(vault),
            replies: vec![],
            refused: HashSet::new(),
            sender,
            receiver,
            waiting: vec![],
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.waiting.is_empty()
            || !self.receiver.is_empty()
            || self.at_work.values().any(|task| !task.is_finished())
    }

    /// Waits until a round is over. Never ends while none is at work.
    pub(super) async fn round(&mut self) {
        if let Some(round) = self.receiver.recv().await {
            self.waiting.push(round);
        }
    }

    /// The next look asks again, however fresh the last answers are.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
    }

    fn next(&mut self) -> Option<Round> {
        while let Ok(round) = self.receiver.try_recv() {
            self.waiting.push(round);
        }
        let round = (!self.waiting.is_empty()).then(|| self.waiting.remove(0))?;
        self.at_work.remove(&round.repo);
        Some(round)
    }
}

impl Engine {
    /// Takes what a round brought, and begins those that are due. Says whether notes were changed.
    pub(super) async fn look_at_issues(&mut self, look: &Observation) -> Result<bool, EngineError> {
        if let Some(round) = self.issues.next()
            && self.take_round(look, round).await?
        {
            self.failures.remove("issues");
            return Ok(true);
        }
        let repositories: Vec<&Repository> =
            look.snapshot.config.repositories.values().filter(|each| takes_issues(each)).collect();
        for repository in repositories {
            let rests = self.failures.get(&desk_of(&repository.name)).is_some_and(Failure::rests);
            let at_work = self.issues.at_work.get(&repository.name).is_some_and(|task| !task.is_finished());
            if rests || at_work {
                continue;
            }
            let known = self.known(look, repository);
            let owes_replies = self.issues.replies.iter().any(|(repo, _)| *repo == repository.name);
            let fresh = self.issues.asked.get(&repository.name).is_some_and(|at| at.elapsed() < LOOK_HOLDS);
            if !fresh || owes_replies || known.iter().any(|each| each.report.is_some()) {
                let listens = !fresh && !self.books_only;
                let threads = if listens { self.threads(look, repository) } else { vec![] };
                // What keeps a forge from being asked is said where the round begins.
                let search = self.search(repository).ok().flatten().filter(|_| listens);
                let errands = Errands { known, threads, search, replies: vec![], looks: !fresh };
                self.begin_round(repository, errands);
            }
        }
        Ok(false)
    }

    fn begin_round(&mut self, repository: &Repository, mut errands: Errands) {
        let repo = repository.name.clone();
        let issues = match self.forges.issues_of(repository) {
            Ok(Some(issues)) => issues,
            Ok(None) => return,
            Err(error) => {
                let error = EngineError::from(error);
                return self.complain(&desk_of(&repo), &error, error.may_pass());
            }
        };
        let (own, others) =
            std::mem::take(&mut self.issues.replies).into_iter().partition(|(of, _)| *of == repo);
        self.issues.replies = others;
        errands.replies = Vec::into_iter(own).map(|(_, reply)| reply).collect();
        if errands.looks {
            self.issues.asked.insert(repo.clone(), Instant::now());
        }
        let (name, sender) = (repo.clone(), self.issues.sender.clone());
        let task = tokio::spawn(async move {
            let mut round = Round::of(name);
            round.error = ask(&*issues, errands, &mut round).await.err();
            // The receiver lives in the engine.
            let _ = sender.send(round);
        });
        self.issues.at_work.insert(repo, task);
    }

    /// The repository's issues that have notes, with what they are to be told and were not.
    fn known(&self, look: &Observation, repository: &Repository) -> Vec<Known> {
        let slug = repository.forge_settings.slug.as_deref().unwrap_or_default().to_lowercase();
        let ends = format!("/{slug}");
        let of_repository = |url: &str| {
            url.rsplit_once("/issues/").is_some_and(|(before, _)| before.to_lowercase().ends_with(&ends))
        };
        let takes_in = repository.forge_settings.issue_label.is_some();
        let mut by_url: BTreeMap<&String, Vec<&FeatureView>> = BTreeMap::new();
        for view in &look.snapshot.features {
            if let Some(url) = view.feature.properties.issue.as_ref().filter(|url| of_repository(url)) {
                by_url.entry(url).or_default().push(view);
            }
        }
        let mut reports = 0;
        let mut known = vec![];
        for (url, views) in by_url {
            let Some(view) = decide::shown_by_issue(views) else { continue };
            let report = decide::issue_report(view, &repository.forge_settings)
                .filter(|_| takes_in)
                .filter(|report| !report.is_empty());
            let report = report
                .map(|report| (hash(&report), report))
                .filter(|(hash, _)| !self.issues.told.is(url, hash));
            let report = report.filter(|_| reports < MOST_REPORTS && !view.settling);
            reports += usize::from(report.is_some());
            let is_open_here = !matches!(view.feature.folder, Some(Status::Done | Status::Dropped));
            let report = report.map(|(hash, report)| (report, hash));
            known.push(Known { url: url.clone(), is_open_here, report });
        }
        known
    }

    /// Writes notes for issues that have none and moves those whose issue was closed.
    async fn take_round(&mut self, look: &Observation, round: Round) -> Result<bool, EngineError> {
        let desk = desk_of(&round.repo);
        self.issues.told.add(round.told);
        let unanswered = round.replies.into_iter().map(|reply| (round.repo.clone(), reply));
        self.issues.replies.extend(unanswered);
        match round.error {
            Some(error) => {
                let error = EngineError::from(error);
                self.complain(&desk, &error, error.may_pass());
            }
            None => {
                self.failures.remove(&desk);
            }
        }
        let Some(repository) = look.snapshot.config.repositories.get(&round.repo) else { return Ok(false) };
        let mut wrote = false;
        if self.only.is_empty() {
            let fresh = self.without_note(look, round.wanted);
            let mut number = look.snapshot.next_feature_number();
            for issue in fresh.into_iter().take(MOST_NOTES) {
                number = self.write_issue_note(look, &issue, repository, number)? + 1;
                wrote = true;
            }
        }
        if wrote {
            return Ok(true);
        }
        self.take_outside(look, repository, round.outside).await?;
        let mut commands = VecDeque::from(round.commands);
        while let Some(heard) = commands.pop_front().filter(|_| !self.books_only) {
            let obeyed = self.obey(look, repository, heard.clone()).await?;
            if matches!(obeyed, Obeyed::Not) {
                continue;
            }
            if !matches!(obeyed, Obeyed::Done) {
                commands.push_front(heard);
            }
            // It may have moved notes: the others follow at the next look.
            let rest = Round { closed: round.closed, commands: commands.into(), ..Round::of(round.repo) };
            self.issues.waiting.insert(0, rest);
            return Ok(!matches!(obeyed, Obeyed::Later));
        }
        if !repository.forge_settings.issue_close {
            return Ok(false);
        }
        let mut closed = round.closed.into_iter();
        while let Some(issue) = closed.next() {
            let views = look.snapshot.features.iter().filter(|view| is_of(view, &issue.url));
            let view = decide::shown_by_issue(views);
            let Some((view, (to, why))) =
                view.and_then(|view| Some((view, decide::after_issue(view, &issue)?)))
            else {
                continue;
            };
            let label = view.feature.label().to_owned();
            let subject = format!("{label}: → {to}, {why}");
            self.write_plain(look, view, NoteChange::default().go(to), subject, &label, "issue-closed")?;
            // A move may have changed links in other notes: the others follow at the next look.
            let rest = Round { closed: closed.collect(), ..Round::of(round.repo) };
            self.issues.waiting.insert(0, rest);
            return Ok(true);
        }
        Ok(false)
    }

    /// The issues that no note of the vault names, wherever it lies.
    fn without_note(&mut self, look: &Observation, wanted: Vec<Issue>) -> Vec<Issue> {
        let mut noted: HashMap<&str, &NotePath> = HashMap::new();
        let mut doubled = vec![];
        for view in &look.snapshot.features {
            if let Some(url) = view.feature.properties.issue.as_deref()
                && let Some(first) = noted.insert(url, &view.feature.path)
            {
                doubled.push(format!(
                    "the issue {url} has two notes: `{first}` and `{}`; drop one",
                    view.feature.path
                ));
            }
        }
        let elsewhere = &self.issues.elsewhere;
        let is_elsewhere = |url: &str| elsewhere.get(url).is_some_and(|path| look.scan.note(path).is_some());
        let mut fresh: Vec<Issue> = wanted;
        fresh.retain(|issue| !noted.contains_key(issue.url.as_str()) && !is_elsewhere(&issue.url));
        for what in doubled {
            self.say_once(what);
        }
        if fresh.is_empty() {
            return fresh;
        }
        for scanned in look.scan.notes.iter() {
            let text = scanned.text_once();
            if !fresh.iter().any(|issue| text.contains(&issue.url)) {
                continue;
            }
            let named = note::properties(&text);
            fresh.retain(|issue| {
                let is_named = match &named {
                    Ok(properties) => {
                        properties.get("issue").and_then(|url| url.as_str()) == Some(&issue.url)
                    }
                    // A note that cannot be read may be the one: no second one is written beside it.
                    Err(_) => text.contains(&issue.url),
                };
                if is_named {
                    self.issues.elsewhere.insert(issue.url.clone(), scanned.path.clone());
                }
                !is_named
            });
        }
        fresh
    }

    /// Writes and commits one note. Gives the number of its id.
    fn write_issue_note(
        &self,
        look: &Observation,
        issue: &Issue,
        repository: &Repository,
        mut number: u64,
    ) -> Result<u64, EngineError> {
        let settings = &look.snapshot.config.settings;
        let title = note::issue_title(issue);
        let lock = VaultLock::acquire(&self.vault)?;
        loop {
            let id = FeatureId::new(&settings.id_prefix, number)?;
            let file = note::file_name(Some(&id), &title, settings.note_name);
            let path = NotePath::new(format!("{}/{file}", look.folders.status(Status::New)))?;
            let text = super::redact::text(&note::issue_note(&id, issue, &repository.name)?);
            let subject = format!("{id}: written from issue {}", issue.key);
            let message = message(subject.clone(), id.as_str(), None, "issue-taken");
            let intended = Intended { paths: vec![path.clone()], to: None, message: message.clone() };
            self.history.intend(&lock, intended)?;
            if create(&lock, &self.vault, &path, &text)? == Created::New {
                self.history.commit(&lock, &[path], &message)?;
                self.history.fulfil(&lock)?;
                self.say(&Said::Did { feature: id.to_string(), what: subject });
                return Ok(number);
            }
            self.history.fulfil(&lock)?;
            number += 1;
        }
    }
}

/// What a round does.
struct Errands {
    known: Vec<Known>,
    threads: Vec<Thread>,
    search: Option<Search>,
    replies: Vec<Reply>,
    /// Whether it looks, or only tells and answers.
    looks: bool,
}

/// Asks and tells; what was done before an error stays in `round`.
async fn ask(issues: &dyn Issues, errands: Errands, round: &mut Round) -> Result<(), ForgeError> {
    let Errands { known, threads, search, replies, looks } = errands;
    round.replies = replies;
    while let Some(reply) = round.replies.first() {
        issues.reply(reply).await?;
        round.replies.remove(0);
    }
    if looks {
        round.commands = listen(issues, threads).await?;
        if let Some(search) = search {
            round.outside = search.carry_out(issues).await?;
        }
        let wanted = issues.wanted().await?;
        for each in known.iter().filter(|each| each.is_open_here) {
            if wanted.iter().any(|issue| issue.url == each.url) {
                continue;
            }
            if let Some(issue) =
                issues.issue(&each.url).await?.filter(|issue| issue.state != IssueState::Open)
            {
                round.closed.push(issue);
            }
        }
        round.wanted = wanted;
    }
    let mut refused = None;
    for each in known {
        if let Some((report, hash)) = each.report {
            match issues.report(&each.url, &report).await {
                Ok(()) => round.told.push((each.url, hash)),
                // One that is refused, as where a thread is locked, holds up no other.
                Err(error) if !error.retry() => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
    }
    refused.map_or(Ok(()), Err)
}

fn takes_issues(repository: &Repository) -> bool {
    let settings = &repository.forge_settings;
    settings.issue_label.as_ref().is_some_and(|label| !label.trim().is_empty())
        || decide::takes_commands(settings)
}

fn is_of(view: &FeatureView, url: &str) -> bool {
    view.feature.properties.issue.as_deref() == Some(url)
}

fn desk_of(repo: &RepoName) -> String {
    format!("issues of {repo}")
}

fn hash(report: &IssueReport) -> ContentHash {
    ContentHash::of(serde_json::to_string(report).unwrap_or_default())
}

/// What issues were told last, by address. A cache in `.ado/`: where it is missing they are told again, which changes
/// nothing there.
struct Told {
    file: PathBuf,
    last: BTreeMap<String, ContentHash>,
}

impl Told {
    fn read(vault: &Vault) -> Self {
        let file = vault.root().join(".ado").join("issues.json");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        Self { file, last: serde_json::from_str(&text).unwrap_or_default() }
    }

    fn is(&self, url: &str, hash: &ContentHash) -> bool {
        self.last.get(url) == Some(hash)
    }

    fn add(&mut self, told: Vec<(String, ContentHash)>) {
        if told.is_empty() {
            return;
        }
        self.last.extend(told);
        let text = serde_json::to_string(&self.last).unwrap_or_default();
        let written = self.file.parent().map_or(Ok(()), std::fs::create_dir_all);
        if let Err(error) = written.and_then(|()| std::fs::write(&self.file, text)) {
            tracing::debug!(%error, "what issues were told is not remembered over a restart");
        }
    }
}
