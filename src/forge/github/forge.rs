//! Pull requests at GitHub. Every change looks first, so that a second try after a lost answer makes no second pull
//! request, label, comment or merge.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::address::{Address, number_of};
use super::client::{Answer, Client, refused};
use super::own::is_own;
use super::pull_request::{PullRequest, missing, of_branch, opening, update};
use super::remarks::remarks;
use super::reviews::approval;
use super::words::{outgoing, outgoing_line};
use crate::domain::{
    Feedback, ForgeApproval, ForgeKind, ForgeSettings, GitId, MergeMethod, Proposal, PullRequestDraft,
    PullRequestRef, PullRequestState, PullRequestView, Standing,
};
use crate::forge::{Answer as Reply, Forge, ForgeError, MergeOrder, Merging};
use crate::workspace::GitCredential;

/// Entries of one page of a list, the most that GitHub gives.
pub(super) const PAGE: &str = "per_page=100";

/// A person's merge or word is noticed within this time.
const LOOK_HOLDS: Duration = Duration::from_secs(30);

/// The pull requests of one repository.
pub struct GithubForge {
    pub(super) client: Arc<Client>,
    pub(super) address: Address,
    pub(super) settings: ForgeSettings,
}

#[async_trait]
impl Forge for GithubForge {
    async fn ensure(&self, draft: &PullRequestDraft) -> Result<PullRequestRef, ForgeError> {
        let pr = match self.find(draft).await? {
            Some(pr) => self.bring_up_to_date(pr, draft).await?,
            None => self.open(draft).await?,
        };
        if pr.state() == PullRequestState::Open {
            self.label(&pr).await?;
            self.ask_for_review(&pr).await?;
            if pr.draft && !self.settings.draft {
                self.mark_ready(&pr).await?;
            }
        }
        Ok(PullRequestRef { forge: ForgeKind::Github, key: self.address.key(pr.number), link: pr.html_url })
    }

    async fn look(&self, pull_request: &PullRequestRef) -> Result<PullRequestView, ForgeError> {
        let pr = self.read(pull_request).await?;
        let mut view = PullRequestView { merged_as: pr.merged_as(), ..PullRequestView::of(pr.state()) };
        if view.state != PullRequestState::Open {
            return Ok(view);
        }
        (view.feedback, view.approval) = self.said_at(&pr).await?;
        let (checks, failing) = self.checks_of(&pr.head.sha).await?;
        view.feedback.extend(failing);
        view.checks = checks;
        view.standing = pr.standing();
        view.queued = pr.auto_merge.is_some();
        view.head = Some(GitId(pr.head.sha));
        Ok(view)
    }

    async fn merge(&self, pull_request: &PullRequestRef, order: &MergeOrder) -> Result<Merging, ForgeError> {
        let pr = self.read(pull_request).await?;
        match pr.state() {
            PullRequestState::Merged => return Ok(Merging::Done(pr.merged_as())),
            PullRequestState::Closed => {
                let why = "it was closed without a merge".to_owned();
                return Err(ForgeError::Refused { what: pull_request.key.clone(), status: 409, why });
            }
            PullRequestState::Open => {}
        }
        if pr.draft {
            self.mark_ready(&pr).await?;
        }
        let path = self.pull(pr.number, "/merge");
        let answer = self.client.send(&self.address, Method::PUT, &path, merging(order)).await?;
        match answer.status {
            200 => Ok(Merging::Done(answer.body["sha"].as_str().map(|sha| GitId(sha.to_owned())))),
            // Its rules want something first: a queue, checks, reviews. What it says of a merge that it cannot make by
            // itself either is the refusal.
            405 if pr.standing() != Standing::Conflicting => match self.enqueue(&pr, order).await {
                Err(ForgeError::Refused { .. }) => Err(refused(&path, &answer)),
                other => other.map(|()| Merging::Queued),
            },
            _ => Err(refused(&path, &answer)),
        }
    }

    async fn merged(&self, _: &PullRequestRef, _: &GitId) -> Result<(), ForgeError> {
        Ok(())
    }

    async fn landed(&self, pull_request: &PullRequestRef) -> Result<(), ForgeError> {
        let pr = self.read(pull_request).await?;
        if pr.state() != PullRequestState::Merged {
            return Ok(());
        }
        let branch = &pr.head.branch;
        let there =
            self.client.get(&self.address, &self.address.path(&format!("/git/ref/heads/{branch}"))).await?;
        // Gone already, or somebody went on with it.
        if there.body["object"]["sha"].as_str() != Some(&pr.head.sha) {
            return Ok(());
        }
        let path = self.address.path(&format!("/git/refs/heads/{branch}"));
        let answer = self.client.send(&self.address, Method::DELETE, &path, Value::Null).await?;
        if matches!(answer.status, 404 | 422) { Ok(()) } else { done(&path, answer).map(|_| ()) }
    }

    async fn close(&self, pull_request: &PullRequestRef, why: &str) -> Result<(), ForgeError> {
        let pr = self.read(pull_request).await?;
        if pr.state() != PullRequestState::Open {
            return Ok(());
        }
        let marker = format!("<!-- ado:closed {} -->", pull_request.key);
        self.say_once(pr.number, &marker, &format!("Closed: {why}.")).await?;
        let path = self.pull(pr.number, "");
        let answer =
            self.client.send(&self.address, Method::PATCH, &path, json!({"state": "closed"})).await?;
        done(&path, answer).map(|_| ())
    }

    fn key_of(&self, name: &str) -> Option<String> {
        let number = name.strip_prefix('#').unwrap_or(name).parse().ok();
        number.or_else(|| self.address.number_in(name)).map(|number| self.address.key(number))
    }

    async fn proposal(&self, key: &str) -> Result<Proposal, ForgeError> {
        let path = self.pull(number_of(key).ok_or_else(|| not_found(key))?, "");
        self.read_at(key, &path).await?.proposal(&self.address).ok_or_else(|| ForgeError::Refused {
            what: path,
            status: 200,
            why: "the names of its branches or its author cannot be read".to_owned(),
        })
    }

    async fn changed_since(&self, since: Timestamp) -> Result<Vec<(PullRequestRef, Timestamp)>, ForgeError> {
        let path = self.address.path(&format!("/pulls?state=open&sort=updated&direction=desc&{PAGE}"));
        let answer = done(&path, self.client.get(&self.address, &path).await?)?;
        let changed = |each: &Value| {
            let pr = PullRequest::read(each)?;
            let at: Timestamp = each["updated_at"].as_str()?.parse().ok()?;
            let key = self.address.key(pr.number);
            Some((PullRequestRef { forge: ForgeKind::Github, key, link: pr.html_url }, at))
        };
        let all = answer.as_array().into_iter().flatten().filter_map(changed);
        Ok(all.filter(|(_, at)| *at >= since).collect())
    }

    async fn answer(&self, pull_request: &PullRequestRef, answer: &Reply) -> Result<(), ForgeError> {
        let key = &pull_request.key;
        self.answer_at(number_of(key).ok_or_else(|| not_found(key))?, answer).await
    }

    async fn is_queued(&self, pull_request: &PullRequestRef) -> Result<bool, ForgeError> {
        let pr = self.read(pull_request).await?;
        Ok(pr.state() == PullRequestState::Open && self.queue_of(&pr).await?.merges_by_itself())
    }

    async fn unqueue(&self, pull_request: &PullRequestRef) -> Result<(), ForgeError> {
        let pr = self.read(pull_request).await?;
        if pr.state() == PullRequestState::Open { self.dequeue(&pr).await } else { Ok(()) }
    }

    fn look_holds(&self) -> Duration {
        LOOK_HOLDS
    }

    async fn credential(&self) -> Result<Option<GitCredential>, ForgeError> {
        let secret = self.client.token(&self.address).await?;
        Ok(Some(GitCredential { host: self.address.git_host(), user: "x-access-token".to_owned(), secret }))
    }
}

impl GithubForge {
    pub(super) fn pull(&self, number: u64, rest: &str) -> String {
        self.address.path(&format!("/pulls/{number}{rest}"))
    }

    fn issue(&self, number: u64, rest: &str) -> String {
        self.address.path(&format!("/issues/{number}{rest}"))
    }

    pub(super) async fn read(&self, pull_request: &PullRequestRef) -> Result<PullRequest, ForgeError> {
        let key = &pull_request.key;
        self.read_at(key, &self.pull(number_of(key).ok_or_else(|| not_found(key))?, "")).await
    }

    async fn read_at(&self, key: &str, path: &str) -> Result<PullRequest, ForgeError> {
        let answer = self.client.get(&self.address, path).await?;
        if matches!(answer.status, 404 | 410) {
            return Err(not_found(key));
        }
        understood(path, done(path, answer)?)
    }

    /// What people who may instruct ask for, and the review of one who may approve.
    async fn said_at(&self, pr: &PullRequest) -> Result<(Vec<Feedback>, Option<ForgeApproval>), ForgeError> {
        let settings = &self.settings;
        if settings.instructors.is_empty() && settings.approvers.is_empty() {
            return Ok((vec![], None));
        }
        let reviews = self.list_all(self.pull(pr.number, "/reviews")).await?;
        let approval = approval(&reviews, &settings.approvers, &pr.head.sha);
        if settings.instructors.is_empty() {
            return Ok((vec![], approval));
        }
        let of_lines = self.list_all(self.pull(pr.number, "/comments")).await?;
        let of_page = self.list_all(self.issue(pr.number, "/comments")).await?;
        Ok((remarks([&reviews, &of_lines, &of_page], &settings.instructors), approval))
    }

    async fn list_all(&self, path: String) -> Result<Vec<Value>, ForgeError> {
        self.client.list(&self.address, &format!("{path}?{PAGE}"), None).await
    }

    /// The pull request of the run's branch, open or not.
    async fn find(&self, draft: &PullRequestDraft) -> Result<Option<PullRequest>, ForgeError> {
        let (owner, branch) = (&self.address.owner, &draft.source);
        let path = self.address.path(&format!("/pulls?state=all&head={owner}:{branch}&{PAGE}"));
        let found = self.client.list(&self.address, &path, None).await?;
        Ok(of_branch(found.iter().filter_map(PullRequest::read).collect(), draft))
    }

    async fn open(&self, draft: &PullRequestDraft) -> Result<PullRequest, ForgeError> {
        let path = self.address.path("/pulls");
        let mut as_draft = self.settings.draft;
        loop {
            let answer =
                self.client.send(&self.address, Method::POST, &path, opening(draft, as_draft)).await?;
            let said = answer.message().to_lowercase();
            match answer.status {
                201 => return understood(&path, answer.body),
                // Another try was faster than its answer: what it made is the one.
                422 if said.contains("already exists") => {
                    let found = self.find(draft).await?;
                    let unseen = || ForgeError::Unseen { branch: draft.source.to_string() };
                    return self.bring_up_to_date(found.ok_or_else(unseen)?, draft).await;
                }
                // Some plans have no drafts.
                422 if as_draft && said.contains("draft") => as_draft = false,
                _ => return Err(refused(&path, &answer)),
            }
        }
    }

    async fn bring_up_to_date(
        &self,
        pr: PullRequest,
        draft: &PullRequestDraft,
    ) -> Result<PullRequest, ForgeError> {
        let changes = update(&pr, draft).filter(|_| pr.state() != PullRequestState::Merged);
        let Some(changes) = changes else { return Ok(pr) };
        let path = self.pull(pr.number, "");
        let answer = self.client.send(&self.address, Method::PATCH, &path, changes).await?;
        understood(&path, done(&path, answer)?)
    }

    async fn label(&self, pr: &PullRequest) -> Result<(), ForgeError> {
        let there: Vec<String> = pr.labels.iter().map(|label| label.name.clone()).collect();
        let labels = missing(&self.settings.labels, &there);
        if labels.is_empty() {
            return Ok(());
        }
        let path = self.issue(pr.number, "/labels");
        let answer = self.client.send(&self.address, Method::POST, &path, json!({"labels": labels})).await?;
        done(&path, answer).map(|_| ())
    }

    /// Asks for reviews; someone who cannot review here keeps nothing else from going on.
    async fn ask_for_review(&self, pr: &PullRequest) -> Result<(), ForgeError> {
        let there: Vec<String> = pr.requested_reviewers.iter().map(|user| user.login.clone()).collect();
        let reviewers = missing(&self.settings.reviewers, &there);
        if reviewers.is_empty() {
            return Ok(());
        }
        let path = self.pull(pr.number, "/requested_reviewers");
        let body = json!({"reviewers": reviewers});
        let answer = self.client.send(&self.address, Method::POST, &path, body).await?;
        if answer.status == 422 {
            tracing::warn!(pull_request = pr.number, why = %answer.message(), "no review could be asked for");
            return Ok(());
        }
        done(&path, answer).map(|_| ())
    }

    async fn mark_ready(&self, pr: &PullRequest) -> Result<(), ForgeError> {
        let query = "mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) \
                     { pullRequest { isDraft } } }";
        self.client.ask(&self.address, query, json!({"id": pr.node_id})).await.map(|_| ())
    }

    /// Writes a comment unless one with this marker stands there.
    pub(super) async fn say_once(&self, number: u64, marker: &str, text: &str) -> Result<(), ForgeError> {
        let path = self.issue(number, "/comments");
        let there = self.client.list(&self.address, &format!("{path}?{PAGE}"), None).await?;
        if there.iter().any(|each| is_own(each, marker)) {
            return Ok(());
        }
        let body = json!({"body": format!("{}\n\n{marker}", outgoing(text))});
        let answer = self.client.send(&self.address, Method::POST, &path, body).await?;
        done(&path, answer).map(|_| ())
    }
}

fn merging(order: &MergeOrder) -> Value {
    let method = match order.method {
        MergeMethod::Merge => "merge",
        MergeMethod::Squash => "squash",
    };
    json!({
        "sha": order.head.as_str(),
        "merge_method": method,
        "commit_title": outgoing_line(&order.title),
        "commit_message": outgoing(&order.message),
    })
}

/// The body of a success.
pub(super) fn done(path: &str, answer: Answer) -> Result<Value, ForgeError> {
    if answer.is_success() { Ok(answer.body) } else { Err(refused(path, &answer)) }
}

fn not_found(key: &str) -> ForgeError {
    ForgeError::NotFound { key: key.to_owned() }
}

fn understood(path: &str, body: Value) -> Result<PullRequest, ForgeError> {
    PullRequest::read(&body).ok_or_else(|| ForgeError::Refused {
        what: path.to_owned(),
        status: 200,
        why: "the answer does not show a pull request".to_owned(),
    })
}
