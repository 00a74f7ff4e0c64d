//! The policy note's answer to an external agent that asks whether it may do something: what its note names, in the
//! worktree, and nothing else. The sandbox holds whatever is answered here; this keeps agents from what reviewers would
//! have to find. Knows no protocol.

use std::path::{Component, Path, PathBuf};

use globset::GlobSet;
use serde_json::Value;

/// What an agent asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    /// Changing, removing or moving files.
    Change,
    Execute,
    /// Thinking aloud.
    Nothing,
    /// Everything else: the network, other modes, what has no name.
    Other,
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wish {
    pub kind: Kind,
    /// Files that it is about, as far as the agent says.
    pub paths: Vec<PathBuf>,
    /// The tool's arguments as the agent gives them.
    pub input: Value,
}

/// What an agent may do.
pub(super) struct Permissions<'a> {
    pub worktree: &'a Path,
    pub may_write: bool,
    /// Programs by first word.
    pub commands: &'a [String],
    /// Paths that need a person.
    pub sensitive: &'a GlobSet,
    /// What people and the planner said of the work: a sensitive path that is named there is meant.
    pub asked_for: &'a [String],
}

/// Names under which agents give a path or a command in a tool's arguments.
const PATHS: [&str; 6] = ["path", "file_path", "filePath", "filepath", "abs_path", "absolute_path"];
const SHELLS: [&str; 4] = ["bash", "sh", "zsh", "dash"];

impl Permissions<'_> {
    /// # Errors
    /// Why not.
    pub(super) fn allow(&self, wish: &Wish) -> Result<(), String> {
        match wish.kind {
            Kind::Nothing => Ok(()),
            Kind::Read => self.inside(wish),
            Kind::Change if !self.may_write => Err("this role changes nothing".into()),
            Kind::Change if named(wish).is_empty() => Err("it names no file".into()),
            Kind::Change => self.inside(wish),
            Kind::Execute => self.execute(&wish.input),
            Kind::Other => Err("only reading, changing files and running programs can be allowed".into()),
        }
    }

    fn inside(&self, wish: &Wish) -> Result<(), String> {
        for path in named(wish) {
            let whole = if path.is_absolute() { path.clone() } else { self.worktree.join(&path) };
            let plain = whole.components().all(|part| part != Component::ParentDir);
            let rest = whole.strip_prefix(self.worktree).ok().filter(|_| plain);
            let is_git = |part: Component<'_>| part.as_os_str().eq_ignore_ascii_case(".git");
            match rest {
                None => return Err(format!("`{}` is not in the worktree", path.display())),
                Some(rest) if wish.kind == Kind::Change && rest.components().any(is_git) => {
                    return Err(format!("`{}` is git's own", path.display()));
                }
                Some(rest) if wish.kind == Kind::Change && self.needs_a_person(rest) => {
                    return Err(format!(
                        "`{}` is sensitive by the policy, and neither the request nor the plan names it",
                        rest.display()
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a change of this path, from the worktree's root, is one that nobody asked for and a person must see.
    fn needs_a_person(&self, path: &Path) -> bool {
        let name = path.to_string_lossy();
        self.sensitive.is_match(path) && !self.asked_for.iter().any(|text| text.contains(&*name))
    }

    fn execute(&self, input: &Value) -> Result<(), String> {
        let command = ["command", "cmd", "argv"].iter().find_map(|name| input.get(*name));
        let words: Vec<String> = match command {
            Some(Value::String(line)) => return self.line(line),
            Some(Value::Array(words)) => {
                words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
            }
            _ => return Err("it does not say what to run".into()),
        };
        match words.as_slice() {
            [shell, flag, line] if is_shell(shell) && flag.starts_with('-') && flag.ends_with('c') => {
                self.line(line)
            }
            [program, ..] => self.program(program),
            [] => Err("it does not say what to run".into()),
        }
    }

    /// A shell's line: every program that it starts must be allowed.
    fn line(&self, line: &str) -> Result<(), String> {
        let parts = commands_of(line)?;
        if parts.is_empty() {
            return Err("it does not say what to run".into());
        }
        parts.iter().try_for_each(|part| match part.split_whitespace().next() {
            Some("cd") | None => Ok(()),
            Some(program) => self.program(program.trim_matches(['"', '\''])),
        })
    }

    fn program(&self, program: &str) -> Result<(), String> {
        match self.commands.iter().any(|allowed| allowed == program) {
            true => Ok(()),
            false => Err(format!("`{program}` is not among the agent note's `commands`")),
        }
    }
}

fn is_shell(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    SHELLS.contains(&name)
}

fn named(wish: &Wish) -> Vec<PathBuf> {
    let given = PATHS.iter().filter_map(|name| wish.input.get(*name)?.as_str().map(PathBuf::from));
    wish.paths.iter().cloned().chain(given).collect()
}

/// The single commands of a shell's line.
///
/// # Errors
/// When it may start more than can be read from it.
fn commands_of(line: &str) -> Result<Vec<String>, String> {
    let mut parts = vec![];
    let mut part = String::new();
    let mut quote = None;
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        match (quote, c) {
            (Some('\''), _) if c != '\'' => part.push(c),
            (_, '`') => return Err("a command within a command cannot be judged".into()),
            (_, '$' | '<' | '>') if next == Some('(') => {
                return Err("a command within a command cannot be judged".into());
            }
            (_, '\\') => {
                part.push(c);
                part.extend(rest.next());
            }
            (Some(open), _) => {
                quote = (c != open).then_some(open);
                part.push(c);
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                part.push(c);
            }
            // `2>&1` and `&>` are no new command.
            (None, '&') if part.ends_with('>') || next == Some('>') => part.push(c),
            (None, ';' | '|' | '&' | '\n' | '(' | ')' | '{' | '}') => parts.push(std::mem::take(&mut part)),
            (None, _) => part.push(c),
        }
    }
    parts.push(part);
    parts.retain(|part| !part.trim().is_empty());
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::sensitive_globs;

    fn allow(kind: Kind, paths: &[&str], input: Value) -> Result<(), String> {
        let commands = ["cargo".to_owned(), "ls".to_owned()];
        let sensitive = sensitive_globs(&["**/.github/workflows/**".to_owned(), "**/auth/**".to_owned()]);
        let asked_for = ["Change `src/auth/login.rs`.".to_owned()];
        let permissions = Permissions {
            worktree: Path::new("/w"),
            may_write: true,
            commands: &commands,
            sensitive: &sensitive,
            asked_for: &asked_for,
        };
        permissions.allow(&Wish { kind, paths: paths.iter().map(PathBuf::from).collect(), input })
    }

    #[test]
    fn files_of_the_worktree_may_change_and_others_and_gits_own_may_not() {
        assert_eq!(allow(Kind::Change, &["/w/src/a.rs"], Value::Null), Ok(()));
        assert_eq!(allow(Kind::Change, &[], json!({"filePath": "src/a.rs"})), Ok(()));
        for bad in ["/etc/passwd", "/w/../etc/passwd", "/w/.git/config", "/w/a/.GIT/hooks/x", "/wrong/a"] {
            assert!(allow(Kind::Change, &[bad], Value::Null).is_err(), "{bad}");
            assert!(allow(Kind::Change, &["/w/a"], json!({"path": bad})).is_err(), "{bad}");
        }
        assert!(allow(Kind::Change, &[], Value::Null).is_err(), "no file is named");
        assert_eq!(allow(Kind::Read, &["/w/.git/HEAD"], Value::Null), Ok(()));
        assert!(allow(Kind::Read, &["/root/.ssh/id"], Value::Null).is_err());
    }

    #[test]
    fn a_sensitive_path_may_change_where_request_or_plan_name_it() {
        assert_eq!(allow(Kind::Change, &["/w/src/auth/login.rs"], Value::Null), Ok(()));
        for bad in ["/w/.github/workflows/ci.yml", "/w/.GitHub/Workflows/ci.yml", "/w/src/auth/other.rs"] {
            let why = allow(Kind::Change, &[bad], Value::Null).unwrap_err();
            assert!(why.contains("is sensitive by the policy"), "{bad}: {why}");
            assert!(allow(Kind::Change, &["/w/a"], json!({"path": bad})).is_err(), "{bad}");
            assert_eq!(allow(Kind::Read, &[bad], Value::Null), Ok(()), "{bad}");
        }
    }

    #[test]
    fn a_role_that_changes_nothing_may_read_and_no_more() {
        let permissions = Permissions {
            worktree: Path::new("/w"),
            may_write: false,
            commands: &[],
            sensitive: &GlobSet::empty(),
            asked_for: &[],
        };
        let wish = |kind| Wish { kind, paths: vec!["/w/a".into()], input: Value::Null };
        assert!(permissions.allow(&wish(Kind::Change)).is_err());
        assert_eq!(permissions.allow(&wish(Kind::Read)), Ok(()));
    }

    #[test]
    fn every_program_of_a_line_must_be_named() {
        for good in [
            json!({"command": "cargo test 2>&1 | ls; cd x && cargo build"}),
            json!({"command": ["cargo", "test"]}),
            json!({"command": ["/bin/bash", "-lc", "cargo test"]}),
            json!({"command": "cargo test 'a; b' \"c | d\" e\\;f"}),
            json!({"cmd": "ls\nls"}),
        ] {
            assert_eq!(allow(Kind::Execute, &[], good.clone()), Ok(()), "{good}");
        }
        for bad in [
            json!({"command": "cargo test; curl x"}),
            json!({"command": "ls $(curl x)"}),
            json!({"command": "ls \"`curl x`\""}),
            json!({"command": "ls <(curl x)"}),
            json!({"command": "ls & curl x"}),
            json!({"command": "(curl x)"}),
            json!({"command": "A=b curl"}),
            json!({"command": ["bash", "-c", "curl x"]}),
            json!({"command": ["bash", "script.sh"]}),
            json!({"command": "  "}),
            json!({"command": []}),
            json!({}),
        ] {
            assert!(allow(Kind::Execute, &[], bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_has_no_rule_is_denied() {
        assert!(allow(Kind::Other, &["/w/a"], json!({"url": "https://example.org"})).is_err());
        assert_eq!(allow(Kind::Nothing, &[], Value::Null), Ok(()));
    }
}
