//! How a command ends: exit codes, and failures with their remedy.

use std::panic::{self, AssertUnwindSafe};
use std::process::{ExitCode, Termination};

use super::output;

/// Exit codes of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// The vault or the work has errors.
    Errors,
    /// Wrong arguments.
    Usage,
    /// Stopped by a brake or waiting for a human.
    Waiting,
    /// A bug in the program.
    Bug,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Errors => 1,
            Self::Usage => 2,
            Self::Waiting => 3,
            Self::Bug => 255,
        })
    }
}

/// A panic anywhere says that it is a bug and how to report it.
pub fn explain_panics() {
    panic::set_hook(Box::new(|bug| {
        let place = bug.location().map(ToString::to_string).unwrap_or_default();
        let what = bug.payload_as_str().unwrap_or("unknown");
        output::say(format!("error: bug in ado-vault {} at {place}: {what}", env!("CARGO_PKG_VERSION")));
        output::say(
            "please report it with the lines above and the command; the vault is as the last commit says",
        );
    }));
}

/// Runs the program's work; a panic in it gives the exit code of a bug.
pub fn guarded(work: impl FnOnce() -> Exit) -> Exit {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Exit::Bug)
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    message: String,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    pub fn errors(message: impl Into<String>) -> Self {
        Self { exit: Exit::Errors, message: message.into() }
    }

    pub fn print(&self) {
        output::say(format!("error: {}", self.message));
    }
}

impl<E: std::error::Error> From<E> for Failure {
    /// The error and its causes in one line.
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            let text = source.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = source.source();
        }
        Self::errors(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_bug_and_anything_else_keeps_its_exit() {
        assert_eq!(guarded(|| Exit::Waiting), Exit::Waiting);
        assert_eq!(guarded(|| panic!("on purpose")), Exit::Bug);
        assert_eq!(Exit::Bug.report(), ExitCode::from(255));
    }
}
