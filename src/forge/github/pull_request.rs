//! A pull request as GitHub's API shows it: what is read of it, which of several is a run's, what must change in it. Pure.

use serde::Deserialize;
use serde_json::{Value, json};

use super::address::Address;
use super::words::{outgoing, outgoing_line};
use crate::domain::{
    ForgeKind, GitId, Proposal, PullRequestDraft, PullRequestRef, PullRequestState, Standing,
};

/// The fields that are read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct PullRequest {
    pub number: u64,
    #[serde(default)]
    pub node_id: String,
    pub html_url: String,
    pub state: String,
    pub title: String,
    pub body: Option<String>,
    #[serde(default)]
    pub user: Option<User>,
    #[serde(default)]
    pub draft: bool,
    pub merged_at: Option<String>,
    pub merge_commit_sha: Option<String>,
    /// Missing in lists, null while GitHub works it out.
    pub mergeable: Option<bool>,
    pub mergeable_state: Option<String>,
    /// Who turned auto-merge on and how; null where nobody did.
    #[serde(default)]
    pub auto_merge: Option<Value>,
    pub head: End,
    pub base: End,
    #[serde(default)]
    pub labels: Vec<Label>,
    #[serde(default)]
    pub requested_reviewers: Vec<User>,
}

/// One end of a pull request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct End {
    pub sha: String,
    #[serde(rename = "ref")]
    pub branch: String,
    /// Missing where the repository is gone.
    #[serde(default)]
    pub repo: Option<Home>,
}

/// The repository of an end.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Home {
    pub full_name: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Label {
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct User {
    pub login: String,
}

impl PullRequest {
    pub fn read(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    pub fn state(&self) -> PullRequestState {
        match (self.state.as_str(), &self.merged_at) {
            (_, Some(_)) => PullRequestState::Merged,
            ("closed", None) => PullRequestState::Closed,
            _ => PullRequestState::Open,
        }
    }

    /// How it stands to its target; GitHub works that out after each push, and says nothing meanwhile.
    pub fn standing(&self) -> Standing {
        match (self.mergeable, self.mergeable_state.as_deref()) {
            (Some(false), _) | (_, Some("dirty")) => Standing::Conflicting,
            (_, Some("behind")) => Standing::Behind,
            (Some(true), _) => Standing::Mergeable,
            _ => Standing::Unknown,
        }
    }

    /// The same in words that every forge shares; `None` where a branch or commit has a name that is none here.
    pub fn proposal(self, at: &Address) -> Option<Proposal> {
        let sha = &self.head.sha;
        if sha.len() != 40 || !sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let own = format!("{}/{}", at.owner, at.name);
        let (forge, state) = (ForgeKind::Github, self.state());
        Some(Proposal {
            pr: PullRequestRef { forge, key: at.key(self.number), link: self.html_url },
            number: self.number,
            state,
            draft: self.draft,
            title: self.title,
            body: self.body.unwrap_or_default(),
            author: self.user.map(|user| user.login).unwrap_or_default(),
            from_fork: self.head.repo.is_none_or(|home| !home.full_name.eq_ignore_ascii_case(&own)),
            head: GitId(self.head.sha),
            reference: format!("refs/pull/{}/head", self.number),
            target: self.base.branch.parse().ok()?,
        })
    }

    /// The commit that the target branch got by the merge.
    pub fn merged_as(&self) -> Option<GitId> {
        let commit = self.merge_commit_sha.clone().filter(|_| self.state() == PullRequestState::Merged)?;
        Some(GitId(commit))
    }
}

/// The pull request of a branch among those that ever were: an open one, else a merged one, else the newest.
pub(super) fn of_branch(found: Vec<PullRequest>, draft: &PullRequestDraft) -> Option<PullRequest> {
    let rank = |pr: &PullRequest| match pr.state() {
        PullRequestState::Open => 2,
        PullRequestState::Merged => 1,
        PullRequestState::Closed => 0,
    };
    let of_branch = found.into_iter().filter(|pr| pr.head.branch == draft.source.as_str());
    of_branch.max_by_key(|pr| (rank(pr), pr.number))
}

/// What is asked for to open one. A branch of the same repository is named without its owner.
pub(super) fn opening(draft: &PullRequestDraft, as_draft: bool) -> Value {
    json!({
        "title": outgoing_line(&draft.title),
        "body": outgoing(&draft.body),
        "head": draft.source.as_str(),
        "base": draft.target.as_str(),
        "draft": as_draft,
    })
}

/// What must change in an unmerged one; `None` when it is up to date.
pub(super) fn update(pr: &PullRequest, draft: &PullRequestDraft) -> Option<Value> {
    let mut changes = serde_json::Map::new();
    let (title, body) = (outgoing_line(&draft.title), outgoing(&draft.body));
    if pr.title != title {
        changes.insert("title".into(), title.into());
    }
    // The server keeps lines its own way.
    if pr.body.as_deref().unwrap_or_default().replace("\r\n", "\n").trim() != body {
        changes.insert("body".into(), body.into());
    }
    if pr.base.branch != draft.target.as_str() {
        changes.insert("base".into(), draft.target.as_str().into());
    }
    if pr.state() == PullRequestState::Closed {
        changes.insert("state".into(), "open".into());
    }
    (!changes.is_empty()).then_some(Value::Object(changes))
}

/// Of these labels or logins, those that are not there yet, whatever their case.
pub(super) fn missing(wanted: &[String], there: &[String]) -> Vec<String> {
    let is_there = |name: &&String| there.iter().any(|known| known.eq_ignore_ascii_case(name));
    wanted.iter().filter(|name| !is_there(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> PullRequestDraft {
        PullRequestDraft {
            run: "FR-001/1".parse().unwrap(),
            repo: "app".parse().unwrap(),
            title: "FR-001: Greet".into(),
            body: "It greets.".into(),
            source: "agent/ado/feature/FR-001-greet".parse().unwrap(),
            target: "main".parse().unwrap(),
            head: GitId("1".repeat(40)),
            diff: String::new(),
        }
    }

    fn pr(number: u64, state: &str, merged: bool) -> PullRequest {
        let draft = draft();
        PullRequest::read(&json!({
            "number": number, "html_url": "u", "state": state, "title": draft.title, "body": draft.body,
            "merged_at": merged.then_some("2026-11-21T12:00:00Z"), "merge_commit_sha": "2",
            "head": {"sha": "1", "ref": draft.source.as_str()}, "base": {"sha": "0", "ref": "main"},
        }))
        .unwrap()
    }

    #[test]
    fn an_open_one_is_taken_before_a_merged_and_a_closed_one() {
        let number = |found: Vec<PullRequest>| of_branch(found, &draft()).map(|pr| pr.number);
        assert_eq!(number(vec![]), None);
        assert_eq!(number(vec![pr(1, "closed", false), pr(3, "closed", false)]), Some(3));
        assert_eq!(number(vec![pr(1, "closed", true), pr(3, "closed", false)]), Some(1));
        assert_eq!(
            number(vec![pr(1, "closed", true), pr(2, "open", false), pr(3, "closed", false)]),
            Some(2)
        );
        let mut foreign = pr(4, "open", false);
        foreign.head.branch = "agent/ado/feature/FR-001-greet-2".into();
        assert_eq!(number(vec![foreign]), None);
    }

    #[test]
    fn only_what_differs_is_changed() {
        let mut there = pr(1, "open", false);
        assert_eq!(update(&there, &draft()), None);
        there.body = Some("It greets.\r\n".into());
        assert_eq!(update(&there, &draft()), None);
        there.title = "old".into();
        assert_eq!(update(&there, &draft()), Some(json!({"title": "FR-001: Greet"})));
        assert_eq!(update(&pr(1, "closed", false), &draft()), Some(json!({"state": "open"})));
    }

    #[test]
    fn only_a_merged_one_has_a_commit_in_the_target() {
        assert_eq!(pr(1, "open", false).merged_as(), None);
        assert_eq!(pr(1, "closed", true).merged_as(), Some(GitId("2".into())));
    }

    #[test]
    fn how_it_stands_to_its_target_is_known_when_github_says_so() {
        for (mergeable, state, expected) in [
            (None, None, Standing::Unknown),
            (None, Some("unknown"), Standing::Unknown),
            (Some(true), Some("clean"), Standing::Mergeable),
            (Some(true), Some("blocked"), Standing::Mergeable),
            (Some(true), Some("behind"), Standing::Behind),
            (Some(false), Some("dirty"), Standing::Conflicting),
        ] {
            let mut pr = pr(1, "open", false);
            (pr.mergeable, pr.mergeable_state) = (mergeable, state.map(str::to_owned));
            assert_eq!(pr.standing(), expected, "{mergeable:?} {state:?}");
        }
    }

    #[test]
    fn names_that_are_there_are_not_asked_for_again() {
        let names = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(missing(&names(&["ado", "Bot"]), &names(&["ADO", "x"])), ["Bot"]);
    }
}
