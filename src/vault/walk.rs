//! Lists the folders of a vault and the names in them that may be notes; says what is wrong with other names.
//!
//! Does not look into files.

use std::io;
use std::path::Path;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, openat};

use super::foreign::{FileKind, is_ignored_folder, kind_of};
use super::root::is_absent;
use super::{Vault, VaultError};
use crate::domain::{Diagnostic, NotePath};

/// One folder as the system lists it.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Below the vault's root; empty for the root itself.
    pub folder: String,
    /// Names of regular files that are notes, in the system's order, which stays the same while nothing changes.
    pub names: Vec<String>,
    /// Names of all other files: what links may lead to besides notes.
    pub others: Vec<String>,
    pub problems: Vec<Diagnostic>,
}

/// `folder` and all folders below it. What disappears meanwhile is left out: the next look sees the rest.
///
/// # Errors
/// When the vault's root cannot be listed; any other folder that cannot is a problem of it.
pub(super) fn list(vault: &Vault, folder: &str) -> Result<Vec<Listed>, VaultError> {
    let mut all = vec![];
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let absolute = vault.root().join(&folder);
        let mut listed = Listed { folder, ..Listed::default() };
        match one(vault, &absolute, &mut listed, &mut open) {
            Ok(()) => all.push(listed),
            Err(error) if listed.folder.is_empty() => return Err(VaultError::io("list", &absolute, error)),
            Err(error) if is_absent(&error) => {}
            Err(error) => {
                let place = absolute.to_string_lossy();
                let message = format!("cannot list `{place}`: {error}");
                let remedy = "make it readable for this user";
                listed.names.clear();
                listed.others.clear();
                listed.problems = vec![Diagnostic::error("unreadable", message, remedy)];
                all.push(listed);
            }
        }
    }
    Ok(all)
}

/// Only what lies right in `folder`; folders in it are left as they are.
pub(super) fn list_one(vault: &Vault, folder: &str) -> Option<Listed> {
    let mut listed = Listed { folder: folder.to_owned(), ..Listed::default() };
    one(vault, &vault.root().join(folder), &mut listed, &mut vec![]).ok()?;
    Some(listed)
}

/// `name` in `folder`, both below the vault's root.
pub(super) fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { [folder, "/", name].concat() }
}

fn one(vault: &Vault, absolute: &Path, listed: &mut Listed, open: &mut Vec<String>) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for entry in Dir::new(openat(CWD, absolute, flags, Mode::empty())?)? {
        let entry = entry?;
        let bytes = entry.file_name().to_bytes();
        if matches!(bytes, b"." | b"..") {
            continue;
        }
        let Ok(name) = std::str::from_utf8(bytes) else {
            if bytes.ends_with(b".md") {
                let name = absolute.join(String::from_utf8_lossy(bytes).as_ref());
                listed.problems.push(Diagnostic::error(
                    "file-name",
                    format!("the name of `{}` is not UTF-8", name.display()),
                    "rename the file",
                ));
            }
            continue;
        };
        let mut kind = entry.file_type();
        if kind == FileType::Unknown {
            match rustix::fs::statat(CWD, absolute.join(name), rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => kind = FileType::from_raw_mode(stat.st_mode),
                Err(_) => continue,
            }
        }
        match kind {
            FileType::Directory if is_ignored_folder(name) => {}
            FileType::Directory => open.push(joined(&listed.folder, name)),
            kind => file(vault, name, kind, listed),
        }
    }
    Ok(())
}

fn file(vault: &Vault, name: &str, kind: FileType, listed: &mut Listed) {
    let named = kind_of(name);
    if kind == FileType::RegularFile
        && !name.contains('\\')
        && matches!(named, FileKind::Note | FileKind::MaybeNumberedCopy)
    {
        listed.names.push(name.to_owned());
        return;
    }
    listed.others.push(name.to_owned());
    if named == FileKind::Other && kind != FileType::Symlink {
        return;
    }
    let Ok(path) = NotePath::new(joined(&listed.folder, name)) else {
        if named != FileKind::Other {
            let place = vault.root().join(&listed.folder).join(name);
            listed.problems.push(Diagnostic::error(
                "file-name",
                format!("`{}` is not a usable name in a vault", place.display()),
                "rename the file",
            ));
        }
        return;
    };
    listed.problems.extend(if kind == FileType::Symlink {
        vault.absolute(&path).err().map(|error| {
            let remedy = "replace the link by the file itself";
            Diagnostic::error("link-leaves-vault", error.to_string(), remedy).in_note(&path)
        })
    } else if let FileKind::ConflictCopy(maker) = named {
        let message = format!("`{name}` is a conflict copy made by {maker}; it is left alone");
        let remedy = "take over what is missing in the note, then delete the copy";
        Some(Diagnostic::warning("conflict-copy", message, remedy).in_note(&path))
    } else {
        let message = format!("`{path}` is not a regular file");
        Some(Diagnostic::error("not-a-file", message, "remove it").in_note(&path))
    });
}
