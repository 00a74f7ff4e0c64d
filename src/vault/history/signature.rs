//! Whose signature a commit has, by the program that git would ask.
//!
//! Knows no feature and no gate. What a signature is worth follows from who is enrolled: for SSH a list of allowed signers,
//! for OpenPGP the keys that the user's gpg trusts.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use git2::{Config, ErrorCode, Oid, Repository};
use tempfile::NamedTempFile;

use super::super::VaultError;
use super::program::run;
use super::sign::{settings, text};

const LIMIT: Duration = Duration::from_secs(30);
const ACTION: &str = "verify the signature of a commit";

/// Who signed, or why the signature does not count.
pub(super) type Signer = Result<String, String>;

/// Who signed a commit. `signers` is a list of allowed signers as `ssh-keygen` reads it.
pub(super) fn signer(
    repository: &Repository,
    commit: Oid,
    signers: Option<&str>,
) -> Result<Signer, VaultError> {
    let failed = |error| VaultError::git("read the signature of a commit", error);
    let (signature, content) = match repository.extract_signature(&commit, None) {
        Ok((signature, content)) => (signature, content),
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(Err("is not signed".to_owned())),
        Err(error) => return Err(failed(error)),
    };
    let config = settings(repository)?;
    let file = |bytes: &[u8]| -> Result<NamedTempFile, VaultError> {
        let written = NamedTempFile::new().and_then(|mut file| file.write_all(bytes).map(|()| file));
        written.map_err(|source| VaultError::io("write", &std::env::temp_dir(), source))
    };
    let Ok(text) = std::str::from_utf8(&content) else { return Ok(Err("is not text".to_owned())) };
    let mark = file(&signature)?;
    if signature.starts_with(b"-----BEGIN SSH SIGNATURE-----") {
        let Some(signers) = signers else {
            return Ok(Err("is signed by SSH, and no signers are enrolled".to_owned()));
        };
        return by_ssh(&config, file(signers.as_bytes())?.path(), mark.path(), text);
    }
    if signature.starts_with(b"-----BEGIN PGP SIGNATURE-----") {
        return by_gpg(&config, mark.path(), text);
    }
    Ok(Err("is signed in a way that cannot be verified here; use an SSH or OpenPGP key".to_owned()))
}

fn by_ssh(config: &Config, signers: &Path, signature: &Path, content: &str) -> Result<Signer, VaultError> {
    let program = text(config, "gpg.ssh.program").unwrap_or_else(|| "ssh-keygen".to_owned());
    let keygen = |verb: &str| {
        let mut command = Command::new(&program);
        command.args(["-Y", verb, "-f"]).arg(signers).arg("-s").arg(signature);
        command
    };
    let found = run(keygen("find-principals"), "", LIMIT, ACTION)?;
    let Some(principal) = found.stdout.lines().next().filter(|_| found.status.success()) else {
        return Ok(Err("is signed by a key that is not enrolled".to_owned()));
    };
    let mut verify = keygen("verify");
    verify.args(["-n", "git", "-I", principal]);
    let verified = run(verify, content, LIMIT, ACTION)?;
    Ok(match verified.status.success() {
        true => Ok(principal.to_owned()),
        false => Err("has a signature that is not its own".to_owned()),
    })
}

/// A good signature by a key that gpg trusts fully or ultimately.
fn by_gpg(config: &Config, signature: &Path, content: &str) -> Result<Signer, VaultError> {
    let program = text(config, "gpg.openpgp.program").or_else(|| text(config, "gpg.program"));
    let mut verify = Command::new(program.as_deref().unwrap_or("gpg"));
    verify.args(["--batch", "--status-fd=1", "--verify"]).arg(signature).arg("-");
    let Ok(verified) = run(verify, content, LIMIT, ACTION) else {
        return Ok(Err("is signed by OpenPGP, and there is no `gpg` to verify it".to_owned()));
    };
    let status = |word: &str| {
        verified.stdout.lines().find_map(|line| line.strip_prefix("[GNUPG:] ")?.strip_prefix(word))
    };
    let trusted = status("TRUST_FULLY").is_some() || status("TRUST_ULTIMATE").is_some();
    Ok(match status("GOODSIG ").filter(|_| verified.status.success() && status("VALIDSIG ").is_some()) {
        Some(key) if trusted => Ok(key.split_once(' ').map_or(key, |(_, name)| name).to_owned()),
        Some(_) => Err("is signed by an OpenPGP key that your gpg does not trust".to_owned()),
        None => Err("has an OpenPGP signature that is not good".to_owned()),
    })
}
