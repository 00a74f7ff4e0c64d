//! Pull requests are opened once, found again, updated, labelled, merged and closed, whatever becomes of the answers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ado_vault::domain::*;
use ado_vault::forge::github::Clock;
use ado_vault::forge::{Forge, ForgeError, Forges, MergeOrder, Merging};
use ado_vault::vault::Vault;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::fake::{FakeGithub, Fault, TOKEN};

/// A clock that only moves when someone waits for it.
#[derive(Clone)]
pub struct HandClock {
    now: Arc<Mutex<Timestamp>>,
    patience: Arc<Mutex<Duration>>,
}

impl HandClock {
    fn new() -> Self {
        let now = Arc::new(Mutex::new("2026-11-21T12:00:00Z".parse().unwrap()));
        Self { now, patience: Arc::new(Mutex::new(Duration::from_secs(20))) }
    }

    /// An answer that does not come within this time never does.
    pub fn hurry(&self, patience: Duration) {
        *self.patience.lock().unwrap() = patience;
    }

    pub fn now_at(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    pub fn second(&self) -> i64 {
        self.now_at().as_second()
    }

    pub fn forward(&self, seconds: i64) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    async fn until(&self, at: Timestamp) {
        let mut now = self.now.lock().unwrap();
        *now = at.max(*now);
    }

    fn patience(&self) -> Duration {
        *self.patience.lock().unwrap()
    }
}

/// A vault, a bare repository with a run's branch, and the fake that shows it.
pub struct Desk {
    dir: tempfile::TempDir,
    vault: Vault,
    pub github: FakeGithub,
    pub clock: HandClock,
    forges: Forges,
}

fn git(at: &Path, args: &[&str]) {
    let output = Command::new("git").arg("-C").arg(at).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn forges(vault: &Vault, clock: &HandClock, secret: &'static str) -> Forges {
    let environment = move |name: &str| (name == "GITHUB_TOKEN").then(|| secret.to_owned().into());
    Forges::with(vault, Arc::new(clock.clone()), Box::new(environment))
}

impl Desk {
    /// Another process with the same vault.
    pub fn restart(&mut self) {
        self.forges = forges(&self.vault, &self.clock, TOKEN);
    }

    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("vault");
        std::fs::create_dir_all(root.join("00_system")).unwrap();
        std::fs::write(root.join("00_system/Settings.md"), "---\n---\n").unwrap();
        let vault = Vault::open(&root).unwrap();
        let work = dir.path().join("work");
        std::fs::create_dir_all(&work).unwrap();
        git(&work, &["init", "-q", "-b", "main"]);
        git(&work, &["config", "user.name", "Human"]);
        git(&work, &["config", "user.email", "human@example.org"]);
        std::fs::write(work.join("README.md"), "app\n").unwrap();
        git(&work, &["add", "-A"]);
        git(&work, &["commit", "-qm", "begin"]);
        git(&work, &["checkout", "-qb", "agent/ado/feature/FR-001-greet"]);
        std::fs::write(work.join("greeting.txt"), "hello\n").unwrap();
        git(&work, &["add", "-A"]);
        git(&work, &["commit", "-qm", "greet"]);
        let bare: PathBuf = dir.path().join("app.git");
        git(dir.path(), &["clone", "-q", "--bare", "work", "app.git"]);
        let (github, clock) = (FakeGithub::start(bare), HandClock::new());
        let forges = forges(&vault, &clock, TOKEN);
        Self { dir, vault, github, clock, forges }
    }

    fn repository(&self, more: serde_json::Value) -> Repository {
        let mut note =
            json!({"path": "../app", "forge": "github", "slug": "acme/app", "base_url": self.github.url});
        note.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(note).unwrap()
    }

    pub fn forge(&self) -> Box<dyn Forge> {
        self.forge_with(json!({}))
    }

    fn forge_with(&self, more: serde_json::Value) -> Box<dyn Forge> {
        self.forges.of(ForgeKind::Github, &self.repository(more)).unwrap()
    }

    fn head(&self) -> GitId {
        GitId(self.github.state().head("agent/ado/feature/FR-001-greet").unwrap())
    }

    pub fn draft(&self) -> PullRequestDraft {
        PullRequestDraft {
            run: "FR-001/1".parse().unwrap(),
            repo: "app".parse().unwrap(),
            title: "FR-001: Greet".into(),
            body: "## What\n\nIt greets.".into(),
            source: "agent/ado/feature/FR-001-greet".parse().unwrap(),
            target: "main".parse().unwrap(),
            head: self.head(),
            diff: String::new(),
        }
    }

    pub fn order(&self) -> MergeOrder {
        let (title, message) = ("FR-001: Greet".to_owned(), "Ado-Run: FR-001/1".to_owned());
        MergeOrder { head: self.head(), method: MergeMethod::Merge, title, message }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.github.assert_in_contract();
        }
        let _ = &self.dir;
    }
}

#[tokio::test]
async fn a_pull_request_is_opened_once_and_found_again_by_its_branch() {
    let desk = Desk::new();
    let pr = desk.forge().ensure(&desk.draft()).await.unwrap();
    assert_eq!((pr.forge, pr.key.as_str()), (ForgeKind::Github, "acme/app#1"));
    assert_eq!(pr.link, "https://github.com/acme/app/pull/1");
    assert_eq!(desk.github.requests(), ["GET /pulls", "POST /pulls"]);
    // Another process, which knows nothing.
    let again = forges(&desk.vault, &desk.clock, TOKEN);
    let again = again.of(ForgeKind::Github, &desk.repository(json!({}))).unwrap();
    assert_eq!(again.ensure(&desk.draft()).await.unwrap(), pr);
    assert_eq!(desk.github.requests(), ["GET /pulls", "POST /pulls", "GET /pulls"]);
    let state = desk.github.state();
    assert!(state.pulls[0].draft && state.pulls[0].body.contains("It greets."));
}

#[tokio::test]
async fn an_update_changes_what_differs_and_opens_a_closed_one_again() {
    let desk = Desk::new();
    let forge = desk.forge();
    let pr = forge.ensure(&desk.draft()).await.unwrap();
    desk.github.state().pulls[0].closed = true;
    let draft = PullRequestDraft { body: "New.".into(), ..desk.draft() };
    assert_eq!(forge.ensure(&draft).await.unwrap(), pr);
    let state = desk.github.state();
    assert_eq!((state.pulls.len(), state.pulls[0].closed, state.pulls[0].body.as_str()), (1, false, "New."));
    let patch = state.seen.iter().find(|seen| seen.method == "PATCH").unwrap();
    assert_eq!(patch.body, json!({"body": "New.", "state": "open"}));
}

#[tokio::test]
async fn labels_and_reviewers_are_given_once_and_it_is_marked_ready() {
    let desk = Desk::new();
    let more = json!({"labels": ["ado", "bot"], "reviewers": ["ann"], "draft": false});
    let forge = desk.forge_with(more);
    desk.github.state().pulls.clear();
    forge.ensure(&desk.draft()).await.unwrap();
    desk.github.state().pulls[0].draft = true;
    forge.ensure(&desk.draft()).await.unwrap();
    let state = desk.github.state();
    assert_eq!(state.pulls[0].labels, ["ado".to_owned(), "bot".to_owned()].into());
    assert_eq!(state.pulls[0].reviewers, ["ann".to_owned()].into());
    assert!(!state.pulls[0].draft);
    let posts = state.seen.iter().filter(|seen| seen.method == "POST").map(|seen| seen.path.as_str());
    let expected = ["/repos/acme/app/pulls", "/repos/acme/app/issues/1/labels"];
    let rest = ["/repos/acme/app/pulls/1/requested_reviewers", "/graphql"];
    assert_eq!(posts.collect::<Vec<_>>(), [expected, rest].concat());
}

#[tokio::test]
async fn a_reviewer_who_cannot_review_stops_nothing() {
    let desk = Desk::new();
    let forge = desk.forge_with(json!({"reviewers": ["stranger"]}));
    forge.ensure(&desk.draft()).await.unwrap();
    assert_eq!(desk.github.state().pulls.len(), 1);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_pull_request() {
    for fault in [Fault::DoneAndLost, Fault::Cut, Fault::Silent] {
        for hidden in [0, 1, 3] {
            let desk = Desk::new();
            let forge = desk.forge();
            {
                let mut state = desk.github.state();
                state.hide_new = hidden;
                state.faults = [None, Some(fault)].into();
            }
            let patience = if fault == Fault::Silent { 1 } else { 20 };
            *desk.clock.patience.lock().unwrap() = Duration::from_secs(patience);
            let lost = forge.ensure(&desk.draft()).await.unwrap_err();
            *desk.clock.patience.lock().unwrap() = Duration::from_secs(20);
            assert!(lost.retry(), "{fault:?}: {lost}");
            let mut tries = 0;
            let pr = loop {
                match forge.ensure(&desk.draft()).await {
                    Ok(pr) => break pr,
                    Err(error) => assert!(error.retry() && tries < 5, "{fault:?} {hidden}: {error}"),
                }
                tries += 1;
            };
            assert_eq!(pr.key, "acme/app#1");
            assert_eq!(desk.github.state().pulls.len(), 1, "{fault:?} {hidden}");
        }
    }
}

#[tokio::test]
async fn a_merge_is_made_once_and_found_again() {
    let desk = Desk::new();
    let forge = desk.forge();
    let pr = forge.ensure(&desk.draft()).await.unwrap();
    // Read, mark ready, merge: the merge's answer is lost.
    desk.github.state().faults = [None, None, Some(Fault::DoneAndLost)].into();
    assert!(forge.merge(&pr, &desk.order()).await.unwrap_err().retry());
    let Merging::Done(Some(commit)) = forge.merge(&pr, &desk.order()).await.unwrap() else {
        panic!("it names the commit");
    };
    assert_eq!(desk.github.state().head("main").unwrap(), commit.0);
    let view = forge.look(&pr).await.unwrap();
    assert_eq!((view.state, view.merged_as), (PullRequestState::Merged, Some(commit)));
    let merges = desk.github.requests().iter().filter(|each| each.starts_with("PUT")).count();
    assert_eq!(merges, 1);
}

#[tokio::test]
async fn another_head_than_the_judged_one_is_not_merged() {
    let desk = Desk::new();
    let forge = desk.forge();
    let pr = forge.ensure(&desk.draft()).await.unwrap();
    let order = MergeOrder { head: GitId("1".repeat(40)), ..desk.order() };
    let error = forge.merge(&pr, &order).await.unwrap_err();
    assert!(matches!(error, ForgeError::Refused { status: 409, .. }), "{error}");
    assert!(!error.retry());
}

#[tokio::test]
async fn closing_says_why_once() {
    let desk = Desk::new();
    let forge = desk.forge();
    let pr = forge.ensure(&desk.draft()).await.unwrap();
    // Read, list, comment: the comment's answer is lost.
    desk.github.state().faults = [None, None, Some(Fault::Cut)].into();
    assert!(forge.close(&pr, "dropped by @ann").await.unwrap_err().retry());
    forge.close(&pr, "dropped by @ann").await.unwrap();
    forge.close(&pr, "dropped by @ann").await.unwrap();
    let state = desk.github.state();
    assert!(state.pulls[0].closed);
    assert_eq!(state.comments[&1].len(), 1);
    assert!(state.comments[&1][0].1.starts_with("Closed: dropped by @\u{200b}ann."));
}

#[tokio::test]
async fn no_call_is_made_before_its_time_not_even_after_a_restart() {
    for (fault, wait) in [(Fault::RetryAfter(90), 90), (Fault::UsedUp(600), 601), (Fault::Secondary, 60)] {
        for skew in [0, -3_000, 3_000] {
            let desk = Desk::new();
            desk.github.state().now = desk.clock.now().as_second() + skew;
            desk.github.misbehave([fault]);
            let error = desk.forge().ensure(&desk.draft()).await.unwrap_err();
            let until = error.not_before().unwrap();
            assert_eq!(until.as_second() - desk.clock.now().as_second(), wait, "{fault:?} {skew}");
            let calls = desk.github.requests().len();
            desk.clock.forward(wait - 3);
            let restarted = forges(&desk.vault, &desk.clock, TOKEN);
            let restarted = restarted.of(ForgeKind::Github, &desk.repository(json!({}))).unwrap();
            for forge in [desk.forge(), restarted] {
                assert_eq!(forge.ensure(&desk.draft()).await.unwrap_err().not_before(), Some(until));
            }
            assert_eq!(desk.github.requests().len(), calls, "nothing was asked");
            desk.clock.forward(3);
            desk.forge().ensure(&desk.draft()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_did_not_change_is_asked_for_with_its_tag() {
    let desk = Desk::new();
    let forge = desk.forge();
    let pr = forge.ensure(&desk.draft()).await.unwrap();
    let first = forge.look(&pr).await.unwrap();
    assert_eq!(forge.look(&pr).await.unwrap(), first);
    // The pull request, its check runs and its statuses.
    assert_eq!(desk.github.state().not_modified, 3);
    desk.github.state().pulls[0].closed = true;
    assert_eq!(forge.look(&pr).await.unwrap().state, PullRequestState::Closed);
}

#[tokio::test]
async fn a_stranger_who_writes_a_marker_silences_nothing() {
    let desk = Desk::new();
    let forge = desk.forge();
    let pr = forge.ensure(&desk.draft()).await.unwrap();
    let marker = ("mallory".to_owned(), "ha\n\n<!-- ado:closed acme/app#1 -->".to_owned());
    desk.github.state().comments.insert(1, vec![marker]);
    forge.close(&pr, "dropped").await.unwrap();
    forge.close(&pr, "dropped").await.unwrap();
    let state = desk.github.state();
    assert_eq!(state.comments[&1].len(), 2, "said once, whatever mallory wrote");
    assert!(state.comments[&1][1].1.starts_with("Closed: dropped."));
}

#[tokio::test]
async fn lists_are_read_to_their_last_page_and_moved_repositories_are_followed() {
    let desk = Desk::new();
    let forge = desk.forge();
    let pr = forge.ensure(&desk.draft()).await.unwrap();
    {
        let mut state = desk.github.state();
        state.page = 2;
        let said = |n: u64| ("ann".to_owned(), format!("word {n}"));
        state.comments.insert(1, (0..5).map(said).collect());
        state.comments.get_mut(&1).unwrap().push(("ado".into(), "<!-- ado:closed acme/app#1 -->".into()));
    }
    desk.github.misbehave([Fault::Redirect]);
    forge.close(&pr, "dropped").await.unwrap();
    let state = desk.github.state();
    assert_eq!(state.comments[&1].len(), 6, "the marker on the last page was found");
    assert!(state.pulls[0].closed);
}

#[tokio::test]
async fn refusals_name_what_to_do_and_show_no_secret() {
    let desk = Desk::new();
    let other = forges(&desk.vault, &desk.clock, "ghp_0123456789abcdefghijABCDEFGHIJ012345");
    let other = other.of(ForgeKind::Github, &desk.repository(json!({}))).unwrap();
    let error = other.ensure(&desk.draft()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Refused { status: 401, .. }), "{error}");
    assert!(error.remedy().contains("token"));
    assert!(!format!("{error} {error:?}").contains("ghp_"));
    let none = desk.forges.of(ForgeKind::Github, &desk.repository(json!({"token_env": "NOT_SET"})));
    assert!(matches!(none.err(), Some(ForgeError::NoSecret { variable }) if variable == "NOT_SET"));
}

/// The private key of an app, made now.
fn app_key() -> &'static str {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use base64::Engine;
    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    let name = ["PRIVATE", "KEY"].join(" ");
    format!("-----BEGIN {name}-----\n{text}\n-----END {name}-----\n").leak()
}

#[tokio::test]
async fn an_app_is_given_a_token_that_is_renewed() {
    let desk = Desk::new();
    desk.github.state().now = desk.clock.now().as_second();
    let forges = forges(&desk.vault, &desk.clock, app_key());
    let repository = desk.repository(json!({"app_id": 7, "app_key_env": "GITHUB_TOKEN"}));
    let forge = forges.of(ForgeKind::Github, &repository).unwrap();
    let pr = forge.ensure(&desk.draft()).await.unwrap();
    forge.look(&pr).await.unwrap();
    assert_eq!(desk.github.state().tokens_given, 1);
    // Nearly over: another one is asked for first.
    desk.clock.forward(3600 - 200);
    forge.look(&pr).await.unwrap();
    assert_eq!(desk.github.state().tokens_given, 2);
    // Taken back: the refused call is made again with a new one.
    desk.github.state().app_tokens.clear();
    forge.look(&pr).await.unwrap();
    let secret = forge.credential().await.unwrap().unwrap();
    assert_eq!((secret.host, secret.user.as_str()), (desk.github.url.clone(), "x-access-token"));
    assert_eq!(desk.github.state().tokens_given, 3);
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again_later() {
    let desk = Desk::new();
    desk.github.misbehave([Fault::NotDone]);
    let error = desk.forge().ensure(&desk.draft()).await.unwrap_err();
    assert!(error.retry() && error.not_before().is_none(), "{error}");
    // A token that was refused once for a moment is an error that names the token, and nothing was done.
    desk.github.misbehave([Fault::Unauthorised]);
    assert!(!desk.forge().ensure(&desk.draft()).await.unwrap_err().retry());
    assert_eq!(desk.github.state().pulls.len(), 0);
}
