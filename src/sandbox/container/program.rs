//! This program within an image: with its own loader and libraries, since the image may bring others or none. Knows no
//! containers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::child::{CHILD_ARG, ENTRY_ARG};
use super::{SandboxError, unavailable};

/// Where everything of ado-vault's own is in a container.
pub(super) const OWN: &str = "/.ado-vault";
const NAME: &str = "program";

/// What must be shown of this program, and the words that start it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// Files of the machine with their names beneath `OWN`.
    files: Vec<(PathBuf, String)>,
    words: Vec<String>,
}

impl Program {
    /// Asks the loader of the machine which libraries `path` loads. A program without any is shown alone.
    ///
    /// # Errors
    /// `Unavailable` where one is missing.
    pub(super) fn find(path: &Path) -> Result<Self, SandboxError> {
        let failed =
            |error: std::io::Error| unavailable(format!("cannot find `{}`: {error}", path.display()));
        let path = path.canonicalize().map_err(failed)?;
        let said = Command::new(&path)
            .arg(CHILD_ARG)
            .env_clear()
            .env("LD_TRACE_LOADED_OBJECTS", "1")
            .stdin(Stdio::null())
            .output()
            .map_err(failed)?;
        Self::with_libraries(&path, &String::from_utf8_lossy(&said.stdout))
    }

    /// From what the loader tells, as `ldd` shows it: `NAME => PATH (ADDRESS)`, and of itself `PATH (ADDRESS)`.
    fn with_libraries(path: &Path, told: &str) -> Result<Self, SandboxError> {
        let program = format!("{OWN}/{NAME}");
        let (mut files, mut loader) = (vec![(path.to_owned(), NAME.to_owned())], None);
        for line in told.lines().map(str::trim) {
            let line = line.rsplit_once(" (").map_or(line, |(before, _)| before);
            match line.split_once(" => ") {
                Some((name, "not found")) => {
                    return Err(unavailable(format!("`{name}`, which ado-vault loads, is not found")));
                }
                Some((name, path)) => files.push((path.into(), name.to_owned())),
                None if line.starts_with('/') => {
                    let name = line.rsplit('/').next().unwrap_or_default();
                    files.push((line.into(), name.to_owned()));
                    loader = Some(format!("{OWN}/{name}"));
                }
                // The kernel's own, which is no file.
                None => {}
            }
        }
        let words = match loader {
            Some(loader) => vec![loader, "--library-path".into(), OWN.into(), program],
            None => vec![program],
        };
        Ok(Self { files, words })
    }

    /// Files of the machine, links resolved, with where they are in a container.
    pub(super) fn files(&self) -> impl Iterator<Item = (PathBuf, PathBuf)> {
        self.files.iter().map(|(path, name)| {
            (path.canonicalize().unwrap_or_else(|_| path.clone()), Path::new(OWN).join(name))
        })
    }

    /// The words that start it in a container.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// The words that start it as process 1, with the parent at this socket.
    pub(super) fn entry(&self, door: &str) -> Vec<String> {
        let more = [CHILD_ARG, ENTRY_ARG, door].map(String::from);
        self.words.iter().cloned().chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_come_along_under_their_names_and_the_loader_is_started_itself() {
        let told = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x/libc-2.31.so (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let program = Program::with_libraries(Path::new("/opt/ado-vault"), told).unwrap();
        let files: Vec<_> =
            program.files.iter().map(|(path, name)| (path.to_str().unwrap(), &**name)).collect();
        assert_eq!(
            files,
            [
                ("/opt/ado-vault", "program"),
                ("/lib/x/libc-2.31.so", "libc.so.6"),
                ("/lib64/ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2"),
            ]
        );
        assert_eq!(
            program.entry("/d").join(" "),
            "/.ado-vault/ld-linux-x86-64.so.2 --library-path /.ado-vault /.ado-vault/program __sandbox entry /d"
        );
    }

    #[test]
    fn a_program_without_libraries_is_started_itself_and_one_that_lacks_one_is_refused() {
        let program = Program::with_libraries(Path::new("/opt/ado-vault"), "").unwrap();
        assert_eq!(program.words(), ["/.ado-vault/program"]);
        let problem = Program::with_libraries(Path::new("/opt/ado-vault"), "\tlibz.so.1 => not found\n");
        assert!(problem.unwrap_err().to_string().contains("`libz.so.1`"));
    }
}
