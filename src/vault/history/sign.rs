//! Signing commits the way the user's git is set to: OpenPGP, X.509 or SSH, by the program that git would call.
//!
//! Holds no key and reads none; programs do.

use std::process::Command;
use std::time::Duration;

use git2::{Config, Repository};

use super::super::VaultError;
use super::program::run;

const LIMIT: Duration = Duration::from_secs(30);

/// How commits are to be signed.
pub(super) struct Key {
    format: Format,
    program: String,
    /// Key id, or for SSH a file or the public key itself.
    key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    OpenPgp,
    X509,
    Ssh,
}

/// The key to sign with when `commit.gpgsign` is set.
pub(super) fn key(repository: &Repository) -> Result<Option<Key>, VaultError> {
    let config = settings(repository)?;
    if config.get_bool("commit.gpgsign").unwrap_or(false) { own_key(repository).map(Some) } else { Ok(None) }
}

/// The key that the user signs with when asked to.
pub(super) fn own_key(repository: &Repository) -> Result<Key, VaultError> {
    let config = settings(repository)?;
    let (format, section, default) = match text(&config, "gpg.format").as_deref() {
        None | Some("openpgp") => (Format::OpenPgp, "gpg.openpgp.program", "gpg"),
        Some("x509") => (Format::X509, "gpg.x509.program", "gpgsm"),
        Some("ssh") => (Format::Ssh, "gpg.ssh.program", "ssh-keygen"),
        Some(other) => {
            return Err(refused(format!("`gpg.format` is `{other}`"), "set it to openpgp, x509 or ssh"));
        }
    };
    let general = if format == Format::OpenPgp { text(&config, "gpg.program") } else { None };
    let program = text(&config, section).or(general).unwrap_or_else(|| default.to_owned());
    let key = match text(&config, "user.signingkey") {
        Some(key) => key,
        None if format == Format::Ssh => {
            return Err(refused(
                "`user.signingkey` is not set".to_owned(),
                "set it, or unset `commit.gpgsign`",
            ));
        }
        None => format!(
            "{} <{}>",
            text(&config, "user.name").unwrap_or_default(),
            text(&config, "user.email").unwrap_or_default()
        ),
    };
    Ok(Key { format, program, key })
}

impl Key {
    /// The signature of a commit's content.
    ///
    /// # Errors
    /// [`VaultError::Program`] with what the program said; the commit must not be made then.
    pub(super) fn sign(&self, content: &str) -> Result<String, VaultError> {
        let signature = match self.format {
            Format::OpenPgp | Format::X509 => {
                let mut command = Command::new(&self.program);
                command.args(["--status-fd=2", "-bsau", &self.key]);
                self.finish(command, content)?
            }
            Format::Ssh => self.sign_by_ssh(content)?,
        };
        if signature.trim().is_empty() {
            return Err(refused(format!("`{}` gave no signature", self.program), REMEDY));
        }
        Ok(signature.trim_end().to_owned())
    }

    fn sign_by_ssh(&self, content: &str) -> Result<String, VaultError> {
        let literal = self.key.strip_prefix("key::").or(self.key.starts_with("ssh-").then_some(&*self.key));
        let mut command = Command::new(&self.program);
        command.args(["-Y", "sign", "-n", "git", "-f"]);
        match literal {
            Some(public) => {
                let file = tempfile::NamedTempFile::new()
                    .and_then(|file| std::fs::write(file.path(), public).map(|()| file))
                    .map_err(|error| refused(error.to_string(), "free some space in the temporary folder"))?;
                command.arg(file.path()).arg("-U");
                self.finish(command, content)
            }
            None => {
                let path = match self.key.strip_prefix("~/").zip(std::env::home_dir()) {
                    Some((rest, home)) => home.join(rest),
                    None => self.key.clone().into(),
                };
                command.arg(path);
                self.finish(command, content)
            }
        }
    }

    fn finish(&self, command: Command, content: &str) -> Result<String, VaultError> {
        let output = run(command, content, LIMIT, "sign the commit")?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            let said = if output.stderr.is_empty() { "no reason given" } else { &output.stderr };
            Err(refused(format!("`{}` failed: {said}", self.program), REMEDY))
        }
    }
}

const REMEDY: &str = "nothing was committed; make signing work without a prompt, or unset `commit.gpgsign`";

fn refused(output: String, remedy: &'static str) -> VaultError {
    VaultError::Program { action: "sign the commit".to_owned(), output, remedy }
}

/// The user's git configuration as it is now.
pub(super) fn settings(repository: &Repository) -> Result<Config, VaultError> {
    let config = repository.config().and_then(|mut config| config.snapshot());
    config.map_err(|error| VaultError::git("read the git configuration", error))
}

pub(super) fn text(config: &Config, name: &str) -> Option<String> {
    config.get_string(name).ok().filter(|value| !value.is_empty())
}
