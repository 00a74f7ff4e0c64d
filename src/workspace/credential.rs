//! What the git program may show to one server. It reaches git through the environment of that one child, never through
//! arguments, addresses or files.

use std::process::Command;

use secrecy::{ExposeSecret, SecretString};

/// Variables by which git's helper below is handed user and secret.
const USER: &str = "ADO_VAULT_GIT_USER";
const SECRET: &str = "ADO_VAULT_GIT_SECRET";
/// Answers `get` alone; stores and erases nothing.
const HELPER: &str = "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \
                      \"$ADO_VAULT_GIT_USER\" \"$ADO_VAULT_GIT_SECRET\"; }; f";

/// A user and secret for the addresses that begin with `host`.
#[derive(Debug, Clone)]
pub struct GitCredential {
    /// Scheme and host: `https://github.com`.
    pub host: String,
    pub user: String,
    pub secret: SecretString,
}

impl GitCredential {
    /// Makes it the only credential that this git uses for its host. Must be called before the verb is added.
    pub(super) fn give_to(&self, command: &mut Command) {
        // The first, empty setting forgets the helpers of the user's own settings for this host.
        for helper in ["", HELPER] {
            command.arg("-c").arg(format!("credential.{}.helper={helper}", self.host));
        }
        command.env(USER, &self.user).env(SECRET, self.secret.expose_secret());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_in_no_argument() {
        let mut command = Command::new("git");
        let (host, user) = ("https://github.com".to_owned(), "x-access-token".to_owned());
        GitCredential { host, user, secret: "hidden".to_owned().into() }.give_to(&mut command);
        let arguments: Vec<String> =
            command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect();
        assert_eq!(arguments[1], "credential.https://github.com.helper=");
        assert!(arguments[3].starts_with("credential.https://github.com.helper=!f()"));
        assert!(!arguments.iter().any(|argument| argument.contains("hidden")));
        assert!(command.get_envs().any(|(name, value)| name == SECRET && value == Some("hidden".as_ref())));
    }
}
