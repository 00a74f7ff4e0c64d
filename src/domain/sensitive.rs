//! Which paths are sensitive: those that policy and repository name. Does not know what becomes of a change to one.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{Config, RepoName};

impl Config {
    /// Patterns of the paths that need a person: the policy's, and the repository's own.
    pub fn sensitive_paths(&self, repo: Option<&RepoName>) -> Vec<String> {
        let repository = repo.and_then(|repo| self.repositories.get(repo));
        let own = repository.into_iter().flat_map(|each| &each.sensitive_paths);
        self.approvals.sensitive_paths.iter().chain(own).cloned().collect()
    }
}

/// The patterns as one set, whatever the case of letters. A pattern that cannot be read is skipped here; the check of the
/// note that has it reports it.
pub fn sensitive_globs<'a>(patterns: impl IntoIterator<Item = &'a String>) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        if let Ok(glob) = GlobBuilder::new(pattern).case_insensitive(true).build() {
            set.add(glob);
        }
    }
    set.build().unwrap_or_else(|_| GlobSet::empty())
}
