//! How a repository's forge is reached and what its pull requests are given. It knows no forge's protocol and no secret:
//! those are named by environment variable.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ForgeKind;

/// The part of a repository note that a forge on the network needs; all of it is unused by the local forge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ForgeSettings {
    /// Where the repository is at its forge: `owner/name`.
    pub slug: Option<String>,
    /// Address of the forge's API where it is not the public one: `https://github.example.org/api/v3`.
    pub base_url: Option<String>,
    /// Environment variable that holds the token; missing means the forge's own, `GITHUB_TOKEN`.
    pub token_env: Option<String>,
    /// Number of the app that ado-vault acts as; with it no token is read.
    pub app_id: Option<u64>,
    /// Environment variable that holds the app's private key (PEM).
    pub app_key_env: Option<String>,
    /// Open pull requests as drafts.
    pub draft: bool,
    /// Labels that pull requests are given.
    pub labels: Vec<String>,
    /// Logins that are asked for a review.
    pub reviewers: Vec<String>,
    /// Logins whose comments and reviews are instructions; what others write is not acted on.
    pub instructors: Vec<String>,
    /// Logins whose reviews approve the merge where `approval_authority` is `forge`.
    pub approvers: Vec<String>,
    /// Open issues with this label become notes in `new`; missing means that none do.
    pub issue_label: Option<String>,
    /// Show the state of its feature at an issue: a label `ado:…`, and one comment with the pull request.
    pub issue_report: bool,
    /// Ask at the issue, in that comment, what its note asks where the issue is vague.
    pub issue_ask: bool,
    /// Close an issue when its feature is done or dropped, and let the feature follow an issue that is closed.
    pub issue_close: bool,
    /// Tell people who may not command so, once each; otherwise their commands are passed over.
    pub command_refusals: bool,
    /// Review pull requests that ado-vault did not write where an instructor asks for it by `/review` below them.
    pub review_others: bool,
}

impl Default for ForgeSettings {
    fn default() -> Self {
        Self {
            slug: None,
            base_url: None,
            token_env: None,
            app_id: None,
            app_key_env: None,
            draft: true,
            labels: vec![],
            reviewers: vec![],
            instructors: vec![],
            approvers: vec![],
            issue_label: None,
            issue_report: true,
            issue_ask: false,
            issue_close: false,
            command_refusals: false,
            review_others: false,
        }
    }
}

impl ForgeSettings {
    /// The variables that hold this forge's secrets.
    pub fn variables(&self, kind: ForgeKind) -> Vec<&str> {
        match (kind, self.app_id) {
            (ForgeKind::Local, _) => vec![],
            (ForgeKind::Github, Some(_)) => self.app_key_env.as_deref().into_iter().collect(),
            (ForgeKind::Github, None) => vec![self.token_env.as_deref().unwrap_or("GITHUB_TOKEN")],
        }
    }
}
