//! The built-in forge: a pull request is a note of the vault that a human reads, comments on and ticks to merge. It does
//! not commit notes and does not know git.

use async_trait::async_trait;
use jiff::Timestamp;
use walkdir::WalkDir;

use super::local_note::{self, Facts};
use super::{Forge, ForgeError};
use crate::domain::{
    Event, FeatureId, Feedback, ForgeKind, GitId, NoteName, NotePath, PullRequestDraft, PullRequestRef,
    PullRequestView, RunId,
};
use crate::note::{EditError, file_name};
use crate::vault::{Created, StoreError, Vault, VaultLock, create, edit, read_journal};

/// Folders below `80_pull_requests/` that are looked into.
const MOST_DEPTH: usize = 3;

/// Pull requests as notes in `80_pull_requests/`. Takes the vault's lock for each operation; committing what it wrote is
/// the caller's, who asks [`LocalForge::note_of`].
#[derive(Debug, Clone)]
pub struct LocalForge {
    vault: Vault,
    now: Timestamp,
}

impl LocalForge {
    /// `now` is what `updated` says in the notes that this value writes.
    pub fn new(vault: Vault, now: Timestamp) -> Self {
        Self { vault, now }
    }

    /// The note of a pull request, wherever below the folder of pull requests it lies and whatever its name.
    ///
    /// # Errors
    /// `NotFound`, `Doubled`.
    pub fn note_of(&self, pull_request: &PullRequestRef) -> Result<NotePath, ForgeError> {
        let key = &pull_request.key;
        let notes = self.notes()?;
        let (named, others): (Vec<_>, Vec<_>) = notes.into_iter().partition(|path| is_named(path, key));
        for candidates in [named, others] {
            let mut found = vec![];
            for path in candidates {
                match self.facts(&path) {
                    Ok(facts) if facts.key == *key => found.push(path),
                    // Damaged, but its name says which one it is.
                    Err(ForgeError::Unreadable { .. }) if is_named(&path, key) => found.push(path),
                    _ => {}
                }
            }
            let mut found = found.into_iter();
            match (found.next(), found.next()) {
                (Some(first), Some(second)) => {
                    return Err(ForgeError::Doubled { key: key.clone(), first, second });
                }
                (Some(first), None) => return Ok(first),
                _ => {}
            }
        }
        Err(ForgeError::NotFound { key: key.clone() })
    }

    fn ensure_now(&self, draft: &PullRequestDraft) -> Result<PullRequestRef, ForgeError> {
        let lock = VaultLock::acquire(&self.vault)?;
        let notes = self.notes()?;
        if let Some((path, key)) = self.note_of_run(&notes, draft)? {
            self.edit(&lock, &path, |text| local_note::updated(text, draft, self.now))?;
            return Ok(reference(&key, &path));
        }
        let number = notes.iter().filter_map(number_of).max().unwrap_or(0) + 1;
        let key = format!("PR-{number:04}");
        let title = draft.title.trim_start_matches(draft.run.feature.as_str()).trim_start_matches([':', ' ']);
        let name = file_name(Some(&draft.run.feature), title, NoteName::Title);
        let folder = self.vault.folders()?.pull_requests().to_owned();
        let path = NotePath::new(format!("{folder}/{key} {name}")).map_err(crate::vault::VaultError::from)?;
        let failed = |source| ForgeError::Note { path: path.clone(), source };
        let feature = self.stem_of(&draft.run.feature)?;
        let text = local_note::fresh(&key, &feature, draft, self.now).map_err(failed)?;
        match create(&lock, &self.vault, &path, &text)? {
            Created::New => Ok(reference(&key, &path)),
            Created::Exists => Err(crate::vault::VaultError::Exists { path: path.to_string() }.into()),
        }
    }

    fn look_now(&self, pull_request: &PullRequestRef) -> Result<PullRequestView, ForgeError> {
        let path = self.note_of(pull_request)?;
        let text = self.vault.read(&path)?;
        let facts = read_facts(&path, &text)?;
        let mut comments = local_note::comments(&text);
        if let (false, Some(run)) = (comments.is_empty(), &facts.run) {
            comments = without_answered(comments, self.answered(run)?);
        }
        Ok(PullRequestView {
            merge_requested: facts.merge,
            feedback: comments.into_iter().map(Feedback::words).collect(),
            ..PullRequestView::of(facts.state)
        })
    }

    /// The words of humans that the run's coder was given already, from its journal.
    fn answered(&self, run: &RunId) -> Result<Vec<String>, ForgeError> {
        let (records, _) = read_journal(&self.vault, run)?;
        Ok(records
            .into_iter()
            .filter_map(|record| match record.event {
                Event::Resumed { words, .. } => Some(words),
                Event::Reworked { feedback } => Some(feedback.into_iter().map(|each| each.text).collect()),
                _ => None,
            })
            .flatten()
            .collect())
    }

    fn change(
        &self,
        pull_request: &PullRequestRef,
        f: impl FnMut(&str) -> Result<String, EditError>,
    ) -> Result<(), ForgeError> {
        let lock = VaultLock::acquire(&self.vault)?;
        let path = self.note_of(pull_request)?;
        self.edit(&lock, &path, f)
    }

    fn edit(
        &self,
        lock: &VaultLock,
        path: &NotePath,
        f: impl FnMut(&str) -> Result<String, EditError>,
    ) -> Result<(), ForgeError> {
        edit(lock, &self.vault, path, f).map(|_| ()).map_err(|error| match error {
            StoreError::Vault(error) => error.into(),
            StoreError::Edit(source) => ForgeError::Note { path: path.clone(), source },
        })
    }

    /// The run's pull request, found by run and branch.
    fn note_of_run(
        &self,
        notes: &[NotePath],
        draft: &PullRequestDraft,
    ) -> Result<Option<(NotePath, String)>, ForgeError> {
        let mut found: Option<(NotePath, String)> = None;
        for path in notes {
            let facts = match self.facts(path) {
                Ok(facts) => facts,
                // It may be the one: a second one must not be opened beside it.
                Err(error) if mentions(path, &draft.run.feature) => return Err(error),
                Err(_) => continue,
            };
            if facts.run.as_ref() != Some(&draft.run) || facts.branch != draft.source.as_str() {
                continue;
            }
            if let Some((first, key)) = found {
                return Err(ForgeError::Doubled { key, first, second: path.clone() });
            }
            found = Some((path.clone(), facts.key));
        }
        Ok(found)
    }

    fn facts(&self, path: &NotePath) -> Result<Facts, ForgeError> {
        let text = self.vault.read(path)?;
        read_facts(path, &text)
    }

    /// All notes in the folder of pull requests, sorted.
    fn notes(&self) -> Result<Vec<NotePath>, ForgeError> {
        let folder = self.vault.root().join(self.vault.folders()?.pull_requests());
        Ok(self.markdown_below(&folder, MOST_DEPTH))
    }

    /// The stem of the feature's note, for a link by name.
    fn stem_of(&self, feature: &FeatureId) -> Result<String, ForgeError> {
        let folder = self.vault.root().join(self.vault.folders()?.features());
        let id = feature.as_str();
        let named = self.markdown_below(&folder, MOST_DEPTH + 1).into_iter().find(|path| is_named(path, id));
        Ok(named.map_or_else(|| id.to_owned(), |path| path.stem().to_owned()))
    }

    fn markdown_below(&self, folder: &std::path::Path, depth: usize) -> Vec<NotePath> {
        WalkDir::new(folder)
            .max_depth(depth)
            .sort_by_file_name()
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            .filter_map(|entry| {
                entry.path().strip_prefix(self.vault.root()).ok()?.to_str().map(str::to_owned)
            })
            .filter_map(|path| NotePath::new(path).ok())
            .filter(NotePath::is_markdown)
            .collect()
    }

    /// Runs what waits for files and the lock off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Self) -> Result<T, ForgeError> + Send + 'static,
    ) -> Result<T, ForgeError> {
        let own = self.clone();
        tokio::task::spawn_blocking(move || f(&own)).await.unwrap_or(Err(ForgeError::Stopped))
    }
}

#[async_trait]
impl Forge for LocalForge {
    async fn ensure(&self, draft: &PullRequestDraft) -> Result<PullRequestRef, ForgeError> {
        let draft = draft.clone();
        self.blocking(move |forge| forge.ensure_now(&draft)).await
    }

    async fn look(&self, pull_request: &PullRequestRef) -> Result<PullRequestView, ForgeError> {
        let pull_request = pull_request.clone();
        self.blocking(move |forge| forge.look_now(&pull_request)).await
    }

    async fn merged(&self, pull_request: &PullRequestRef, commit: &GitId) -> Result<(), ForgeError> {
        let (pull_request, commit) = (pull_request.clone(), commit.clone());
        self.blocking(move |forge| {
            forge.change(&pull_request, |text| local_note::merged(text, &commit, forge.now))
        })
        .await
    }

    async fn close(&self, pull_request: &PullRequestRef, why: &str) -> Result<(), ForgeError> {
        let (pull_request, why) = (pull_request.clone(), why.to_owned());
        self.blocking(move |forge| {
            forge.change(&pull_request, |text| local_note::closed(text, &why, forge.now))
        })
        .await
    }
}

fn reference(key: &str, path: &NotePath) -> PullRequestRef {
    PullRequestRef { forge: ForgeKind::Local, key: key.to_owned(), link: format!("[[{}]]", path.stem()) }
}

fn read_facts(path: &NotePath, text: &str) -> Result<Facts, ForgeError> {
    local_note::facts(text).map_err(|why| ForgeError::Unreadable { path: path.clone(), why })
}

/// Whether the note's name begins with the id.
fn is_named(path: &NotePath, id: &str) -> bool {
    path.stem().strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '-']))
}

/// Whether the id stands in the note's name.
fn mentions(path: &NotePath, feature: &FeatureId) -> bool {
    let name = path.stem();
    name.match_indices(feature.as_str())
        .any(|(at, id)| !name[at + id.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

/// 7 of `PR-0007 FR-056 Title.md`.
fn number_of(path: &NotePath) -> Option<u64> {
    let rest = path.stem().strip_prefix("PR-")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).take(12).collect();
    digits.parse().ok()
}

/// The comments less those that were answered; the same words written twice are two comments.
fn without_answered(comments: Vec<String>, mut answered: Vec<String>) -> Vec<String> {
    comments
        .into_iter()
        .filter(|comment| match answered.iter().position(|words| words == comment) {
            Some(at) => {
                answered.swap_remove(at);
                false
            }
            None => true,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_written_again_is_new() {
        let words = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let left = without_answered(words(&["a", "b", "a"]), words(&["a", "c"]));
        assert_eq!(left, ["b", "a"]);
    }

    #[test]
    fn numbers_come_from_names() {
        let number = |name: &str| number_of(&NotePath::new(name).unwrap());
        assert_eq!(number("80_pull_requests/PR-0007 FR-056 Title.md"), Some(7));
        assert_eq!(number("80_pull_requests/2026/PR-12.md"), Some(12));
        assert_eq!(number("80_pull_requests/Notes.md"), None);
    }
}
