//! The commits of a feature: by their trailers where ado made them, by the notes they change where people did.
//!
//! Tells what git says of author and time; does not know whether it is true.

use git2::{Commit, DiffOptions, Repository, Sort};
use jiff::Timestamp;

use super::super::VaultError;
use super::super::chain::Head;
use super::commit::OWN_MAIL;
use super::repository::History;
use crate::domain::{FeatureId, GitId, RunId};
use crate::note;

/// A commit that is about a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitAbout {
    pub commit: GitId,
    pub at: Timestamp,
    /// `Name <mail>`.
    pub author: String,
    /// Made by ado-vault.
    pub is_own: bool,
    pub subject: String,
    /// Journals that it names: the run and the number of the last record.
    pub journals: Vec<(RunId, u64)>,
    /// The run that it belongs to.
    pub run: Option<RunId>,
}

impl History {
    /// The commits on this branch that are about a feature, oldest first. A person's commit is, when it adds, changes,
    /// moves or deletes a note whose name begins with the feature's id.
    pub fn commits_about(&self, feature: &FeatureId) -> Result<Vec<CommitAbout>, VaultError> {
        let repository = self.repository()?;
        let failed = |error| VaultError::git("read the vault's history", error);
        if self.head_commit()?.is_none() {
            return Ok(vec![]);
        }
        let mut walk = repository.revwalk().map_err(failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE).map_err(failed)?;
        walk.push_head().map_err(failed)?;
        let mut about = vec![];
        for id in walk {
            let commit = repository.find_commit(id.map_err(failed)?).map_err(failed)?;
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            let trailer = |key: &str| -> Vec<String> {
                let values = message.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
                values.map(str::to_owned).collect()
            };
            let author = commit.author();
            let is_own = author.email_bytes() == OWN_MAIL.as_bytes();
            let is_about = match is_own {
                true => trailer("Ado-Feature").iter().any(|value| value == feature.as_str()),
                false => self.touches(&repository, &commit, feature)?,
            };
            if !is_about {
                continue;
            }
            let heads = trailer("Ado-Journal").into_iter().filter_map(|value| value.parse::<Head>().ok());
            about.push(CommitAbout {
                commit: GitId(commit.id().to_string()),
                at: Timestamp::from_second(commit.time().seconds()).unwrap_or_default(),
                author: super::read::in_words(&author),
                is_own,
                subject: note::plain(&String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default())),
                journals: heads.map(|head| (head.run, head.seq)).collect(),
                run: trailer("Ado-Run").first().and_then(|run| run.parse().ok()),
            });
        }
        Ok(about)
    }

    /// Whether a commit changes a note of the feature, against its first parent.
    fn touches(
        &self,
        repository: &Repository,
        commit: &Commit<'_>,
        feature: &FeatureId,
    ) -> Result<bool, VaultError> {
        let failed = |error| VaultError::git("read the vault's history", error);
        let tree = commit.tree().map_err(failed)?;
        let parent = commit.parents().next().map(|parent| parent.tree()).transpose().map_err(failed)?;
        let mut options = DiffOptions::new();
        options.disable_pathspec_match(true).skip_binary_check(true).pathspec(format!(
            "{}{}",
            self.folder(),
            self.vault.folders()?.features()
        ));
        let diff =
            repository.diff_tree_to_tree(parent.as_ref(), Some(&tree), Some(&mut options)).map_err(failed)?;
        let is_its = |file: git2::DiffFile<'_>| {
            let stem = file.path().and_then(|path| path.file_stem()?.to_str());
            stem.is_some_and(|stem| is_named_after(stem, feature))
        };
        Ok(diff.deltas().any(|delta| is_its(delta.new_file()) || is_its(delta.old_file())))
    }
}

/// `FR-056 Short title`, `FR-056-short-title`, `FR-056`.
fn is_named_after(stem: &str, feature: &FeatureId) -> bool {
    stem.strip_prefix(feature.as_str()).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}
