//! Where a repository is at GitHub: the addresses of its API, of GraphQL and of git itself. Pure.

use http::Uri;

use crate::domain::Repository;
use crate::forge::ForgeError;

/// The public server's API.
const PUBLIC: &str = "https://api.github.com";

/// A repository's place at a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Without a `/` at its end.
    pub base: String,
    pub owner: String,
    pub name: String,
}

impl Address {
    pub fn of(repository: &Repository) -> Result<Self, ForgeError> {
        let settings = &repository.forge_settings;
        let unusable = |why: String| ForgeError::Unusable { repository: repository.name.to_string(), why };
        let base = settings.base_url.as_deref().unwrap_or(PUBLIC).trim_end_matches('/').to_owned();
        if !base.parse::<Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.host().is_some()) {
            return Err(unusable(format!("`base_url` is `{base}`, which is no address")));
        }
        let (owner, name) = settings
            .slug
            .as_deref()
            .and_then(|slug| slug.split_once('/'))
            .ok_or_else(|| unusable("its `slug` does not say `owner/name`".to_owned()))?;
        Ok(Self { base, owner: owner.to_owned(), name: name.to_owned() })
    }

    /// A path of the repository's API: `/repos/owner/name/pulls`.
    pub fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{}{rest}", self.owner, self.name)
    }

    /// `owner/name#7`, by which a pull request is known.
    pub fn key(&self, number: u64) -> String {
        format!("{}/{}#{number}", self.owner, self.name)
    }

    /// 7 of the address of the repository's issue or pull request 7, or of `owner/name#7`; `None` for any other.
    pub fn number_in(&self, name: &str) -> Option<u64> {
        let slug = format!("{}/{}", self.owner, self.name).to_lowercase();
        if let Some((before, number)) = name.rsplit_once('#')
            && before.to_lowercase() == slug
        {
            return number.parse().ok();
        }
        let parts = ["/issues/", "/pull/"];
        let (before, rest) = parts.into_iter().find_map(|part| name.split_once(part))?;
        let number = rest.split(['/', '?', '#']).next()?;
        before.to_lowercase().ends_with(&format!("/{slug}")).then(|| number.parse().ok()).flatten()
    }

    /// The address that git's credentials are for: scheme and host.
    pub fn git_host(&self) -> String {
        if self.base == PUBLIC {
            return "https://github.com".to_owned();
        }
        let end = self.base.find("://").map_or(0, |at| at + 3);
        let host = self.base[end..].split('/').next().unwrap_or_default();
        format!("{}{host}", &self.base[..end])
    }
}

/// Where a server's GraphQL is.
pub(super) fn graphql(base: &str) -> String {
    match base.strip_suffix("/api/v3") {
        Some(server) => format!("{server}/api/graphql"),
        None => format!("{base}/graphql"),
    }
}

/// 7 of `owner/name#7`.
pub(super) fn number_of(key: &str) -> Option<u64> {
    key.rsplit_once('#')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(base: Option<&str>) -> Address {
        let repository =
            serde_json::json!({"path": "x", "forge": "github", "slug": "acme/app", "base_url": base});
        Address::of(&serde_json::from_value(repository).unwrap()).unwrap()
    }

    #[test]
    fn addresses_of_the_public_and_of_other_servers() {
        for (base, git, ql) in [
            (None, "https://github.com", "https://api.github.com/graphql"),
            (
                Some("https://github.example.org/api/v3/"),
                "https://github.example.org",
                "https://github.example.org/api/graphql",
            ),
            (Some("http://127.0.0.1:4600"), "http://127.0.0.1:4600", "http://127.0.0.1:4600/graphql"),
        ] {
            let address = address(base);
            assert_eq!((address.git_host().as_str(), graphql(&address.base).as_str()), (git, ql));
        }
        assert_eq!(address(None).path("/pulls/7"), "/repos/acme/app/pulls/7");
        assert_eq!(number_of(&address(None).key(7)), Some(7));
    }

    #[test]
    fn an_address_of_the_repository_names_a_number() {
        for (name, number) in [
            ("https://github.com/acme/app/pull/7", Some(7)),
            ("https://github.com/Acme/App/issues/7/", Some(7)),
            ("https://github.com/acme/app/pull/7/files?w=1#diff", Some(7)),
            ("acme/app#7", Some(7)),
            ("https://github.com/acme/other/pull/7", None),
            ("https://github.com/evilacme/app/pull/7", None),
            ("other/app#7", None),
            ("https://github.com/acme/app/pull/x", None),
            ("https://github.com/acme/app", None),
        ] {
            assert_eq!(address(None).number_in(name), number, "{name}");
        }
    }
}
