//! Issues at GitHub. Pull requests, which GitHub lists among them, are left out.

use async_trait::async_trait;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::forge::{PAGE, done};
use super::own::{OWN, is_own};
use super::pull_request::{Label, User};
use super::words::outgoing;
use super::{GithubForge, client::refused};
use crate::domain::{AuthorTrust, Comment, Issue, IssueReport, IssueState, STATE_LABEL};
use crate::forge::{ForgeError, Issues, Reply, ReplyKind};

/// What GitHub says of an issue.
#[derive(Deserialize)]
struct Wire {
    number: u64,
    html_url: String,
    title: String,
    body: Option<String>,
    user: Option<User>,
    #[serde(default)]
    labels: Vec<WireLabel>,
    state: String,
    state_reason: Option<String>,
    author_association: Option<String>,
    pull_request: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireLabel {
    Named(Label),
    Plain(String),
}

#[async_trait]
impl Issues for GithubForge {
    async fn wanted(&self) -> Result<Vec<Issue>, ForgeError> {
        let Some(label) = self.settings.issue_label.as_deref().filter(|label| !label.trim().is_empty())
        else {
            return Ok(vec![]);
        };
        let label = escaped(label.trim());
        let path = self
            .address
            .path(&format!("/issues?state=open&labels={label}&sort=created&direction=asc&{PAGE}"));
        let found = self.client.list(&self.address, &path, None).await?;
        Ok(found.iter().filter_map(|each| self.understood(each)).collect())
    }

    async fn issue(&self, url: &str) -> Result<Option<Issue>, ForgeError> {
        Ok(self.read_issue(url).await?.and_then(|body| self.understood(&body)))
    }

    async fn report(&self, url: &str, report: &IssueReport) -> Result<(), ForgeError> {
        let Some(body) = self.read_issue(url).await? else { return Ok(()) };
        let (Some(issue), Some(number)) = (self.understood(&body), self.address.number_in(url)) else {
            return Ok(());
        };
        if let Some(label) = &report.label {
            self.show_state(number, &issue.labels, label).await?;
        }
        let Some(comment) = &report.comment else { return Ok(()) };
        let marker = format!("<!-- ado:issue {} -->", report.feature);
        let text = format!("{}\n\n{marker}", outgoing(comment));
        let path = self.issue_path(number, "/comments");
        let there = self.client.list(&self.address, &format!("{path}?{PAGE}"), None).await?;
        let own = there.iter().find(|each| is_own(each, &marker));
        if own.is_some_and(|own| own["body"].as_str() == Some(text.as_str())) {
            return Ok(());
        }
        // The comment is what says that it was closed: whoever opens the issue again after it is left alone.
        if let (Some(as_what), IssueState::Open) = (report.close, issue.state) {
            self.close_issue(number, as_what).await?;
        }
        let (method, path) = match own.and_then(|own| own["id"].as_u64()) {
            Some(id) => (Method::PATCH, self.address.path(&format!("/issues/comments/{id}"))),
            None => (Method::POST, path),
        };
        let answer = self.client.send(&self.address, method, &path, json!({"body": text})).await?;
        done(&path, answer).map(|_| ())
    }

    async fn comments(&self, url: &str) -> Result<Vec<Comment>, ForgeError> {
        let Some(number) = self.address.number_in(url) else { return Ok(vec![]) };
        let path = format!("{}?{PAGE}", self.issue_path(number, "/comments"));
        let found = self.client.list(&self.address, &path, None).await?;
        Ok(found.iter().filter_map(comment).filter(|comment| !comment.body.contains(OWN)).collect())
    }

    async fn reply(&self, reply: &Reply) -> Result<(), ForgeError> {
        let Some(number) = self.address.number_in(&reply.thread) else { return Ok(()) };
        let (reaction, words, marker) = match &reply.kind {
            ReplyKind::Accepted => ("+1", None, String::new()),
            ReplyKind::Refused(why) => (
                "confused",
                Some(format!("{}: {why}.", reply.author)),
                format!("{OWN}reply {} -->", reply.to),
            ),
            ReplyKind::Stranger => (
                "confused",
                Some(format!(
                    "{}: commands are taken from people whom the repository's note names.",
                    reply.author
                )),
                format!("{OWN}stranger {} -->", reply.author.to_lowercase()),
            ),
        };
        let path = self.address.path(&format!("/issues/comments/{}/reactions", reply.to));
        let answer =
            self.client.send(&self.address, Method::POST, &path, json!({"content": reaction})).await?;
        // The comment is gone.
        if answer.status != 404 {
            done(&path, answer)?;
        }
        match words {
            Some(words) => self.say_once(number, &marker, &words).await,
            None => Ok(()),
        }
    }
}

impl GithubForge {
    fn issue_path(&self, number: u64, rest: &str) -> String {
        self.address.path(&format!("/issues/{number}{rest}"))
    }

    async fn read_issue(&self, url: &str) -> Result<Option<Value>, ForgeError> {
        let Some(number) = self.address.number_in(url) else { return Ok(None) };
        let path = self.issue_path(number, "");
        let answer = self.client.get(&self.address, &path).await?;
        match answer.status {
            // Deleted, or moved to another repository.
            301 | 404 | 410 => Ok(None),
            _ if answer.is_success() => Ok(Some(answer.body)),
            _ => Err(refused(&path, &answer)),
        }
    }

    fn understood(&self, body: &Value) -> Option<Issue> {
        let wire = Wire::deserialize(body).ok().filter(|wire| wire.pull_request.is_none())?;
        let author = wire.user.map(|user| user.login).unwrap_or_default();
        let listed = |known: &String| known.trim_start_matches('@').eq_ignore_ascii_case(&author);
        let trust = match wire.author_association.as_deref() {
            _ if author.is_empty() => AuthorTrust::Outside,
            _ if self.settings.instructors.iter().any(listed) => AuthorTrust::Instructor,
            Some("OWNER" | "MEMBER" | "COLLABORATOR") => AuthorTrust::Member,
            _ => AuthorTrust::Outside,
        };
        let state = match (wire.state.as_str(), wire.state_reason.as_deref()) {
            ("closed", Some("not_planned" | "duplicate")) => IssueState::Withdrawn,
            ("closed", _) => IssueState::Done,
            _ => IssueState::Open,
        };
        let labels = wire.labels.into_iter().map(|label| match label {
            WireLabel::Named(label) => label.name,
            WireLabel::Plain(name) => name,
        });
        Some(Issue {
            key: self.address.key(wire.number),
            url: wire.html_url,
            title: wire.title,
            body: wire.body.unwrap_or_default(),
            author,
            trust,
            labels: labels.collect(),
            state,
        })
    }

    /// Gives the issue this label, and takes from it other labels of states.
    async fn show_state(&self, number: u64, there: &[String], label: &str) -> Result<(), ForgeError> {
        for other in there.iter().filter(|other| other.starts_with(STATE_LABEL) && *other != label) {
            let path = self.issue_path(number, &format!("/labels/{}", escaped(other)));
            let answer = self.client.send(&self.address, Method::DELETE, &path, Value::Null).await?;
            if answer.status != 404 {
                done(&path, answer)?;
            }
        }
        if there.iter().any(|each| each == label) {
            return Ok(());
        }
        let path = self.issue_path(number, "/labels");
        let answer = self.client.send(&self.address, Method::POST, &path, json!({"labels": [label]})).await?;
        done(&path, answer).map(|_| ())
    }

    async fn close_issue(&self, number: u64, as_what: IssueState) -> Result<(), ForgeError> {
        let reason = if as_what == IssueState::Withdrawn { "not_planned" } else { "completed" };
        let path = self.issue_path(number, "");
        let body = json!({"state": "closed", "state_reason": reason});
        let answer = self.client.send(&self.address, Method::PATCH, &path, body).await?;
        done(&path, answer).map(|_| ())
    }
}

fn comment(body: &Value) -> Option<Comment> {
    Some(Comment {
        id: body["id"].as_u64()?,
        author: body["user"]["login"].as_str()?.to_owned(),
        body: body["body"].as_str()?.to_owned(),
        at: body["created_at"].as_str()?.parse().ok()?,
        url: body["html_url"].as_str()?.to_owned(),
    })
}

/// A name as part of an address.
fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
