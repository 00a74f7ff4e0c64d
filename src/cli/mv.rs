//! `ado-vault mv`: moves or renames a note or a folder, as Obsidian would: every link to it is mended.
//!
//! A human asks for it, so it is committed as a human's move, under `git config user.*`: moving a feature note means the
//! same as dragging it.

use clap::Args;

use super::args::{Format, Global};
use super::diff::NoteDiff;
use super::named::{file_named, path_in};
use super::session::open_vault;
use super::{Exit, Failure, output};
use crate::domain::{ContentHash, NotePath, is_within, without_number};
use crate::vault::{
    Foreseen, History, Moved, Scan, Scanner, Vault, VaultError, VaultLock, mend_after_move, preview_move,
    relocate,
};

/// Move or rename a note or a folder; every link to it is mended
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ado-vault mv \"Dark mode\" \"Night mode\"          rename a note where it lies
  ado-vault mv FR-001 10_features/03_planned/      as dragging it there
  ado-vault mv 50_memory/lessons 50_memory/learnt  a folder with all that is in it
  ado-vault mv --dry-run Old.md New.md             show what would change

Moved already, with another program? The same command then only mends the links.")]
pub struct MvArgs {
    /// Path in the vault of a note, another file or a folder; or a note's name, or a feature id
    pub old: String,
    /// New path in the vault; a folder that exists, or a path with `/` at its end, keeps the name
    pub new: String,
    /// Change nothing; show what would change
    #[arg(long)]
    pub dry_run: bool,
}

/// Notes of the policy folder that are found by their names.
const POLICIES: [&str; 4] = ["Approvals.md", "Constitution.md", "Gates.md", "Routing.md"];

pub fn run(global: &Global, args: &MvArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let scan = Scanner::new(&vault).scan()?;
    let (from, to) = match file_named(&vault, &scan, &args.old) {
        Ok(from) => (from.clone(), target(&vault, &from, args)?),
        Err(failure) => moved_already(&vault, args).ok_or(failure)?,
    };
    judge(&vault, &from, &to)?;
    if let Some(warning) = lost_by_name(&vault, &from, &to)? {
        output::say(warning);
    }
    if args.dry_run {
        return preview(global, &vault, &from, &to, &scan);
    }
    let (moved, commit) = carry_out(&vault, &from, &to)?;
    if global.format == Format::Json {
        output::json(&serde_json::json!({
            "from": from, "to": to, "touched": moved.touched, "commit": commit, "problems": moved.problems,
        }))?;
    } else {
        output::line(format!("{from} → {to}"));
        for path in moved
            .touched
            .iter()
            .filter(|path| [&from, &to].iter().all(|moved| !is_within(path.as_str(), moved.as_str())))
        {
            output::line(format!("  links mended in {path}"));
        }
        for problem in &moved.problems {
            output::line(problem);
        }
        if commit.is_none() {
            output::say("nothing was committed: the vault is in no git repository, or nothing differs");
        }
    }
    Ok(if moved.problems.is_empty() { Exit::Done } else { Exit::Errors })
}

/// The new path that is meant.
fn target(vault: &Vault, from: &NotePath, args: &MvArgs) -> Result<NotePath, Failure> {
    let is_folder = vault.absolute(from)?.is_dir();
    let goes_into = args.new.ends_with('/') || args.new == "." || vault.root().join(&args.new).is_dir();
    if goes_into {
        let folder = args.new.trim_end_matches('/');
        let folder = if folder == "." { String::new() } else { path_in(vault, folder)?.to_string() };
        return Ok(from.moved_to(&folder)?);
    }
    let new = path_in(vault, &args.new)?;
    let named_alone = !args.old.contains('/') && !args.new.contains('/');
    let new = if named_alone { from.in_its_folder(new.as_str())? } else { new };
    let lost = !is_folder && from.is_markdown() && !new.is_markdown();
    Ok(if lost { NotePath::new(format!("{new}.md"))? } else { new })
}

/// Both paths, where nothing is at the old one any more and something is at the new one.
fn moved_already(vault: &Vault, args: &MvArgs) -> Option<(NotePath, NotePath)> {
    let from = path_in(vault, &args.old).ok()?;
    let to = if args.new.ends_with('/') { target(vault, &from, args) } else { path_in(vault, &args.new) };
    let to = to.ok().filter(|to| vault.root().join(to.as_str()).exists())?;
    let is_new = !vault.root().join(from.as_str()).exists();
    is_new.then_some((from, to))
}

/// Refuses moves after which the vault would not be one, or a link could not be written.
fn judge(vault: &Vault, from: &NotePath, to: &NotePath) -> Result<(), Failure> {
    let hidden = |path: &NotePath| path.as_str().split('/').any(|part| part.starts_with('.'));
    if hidden(from) || hidden(to) {
        return Err(Failure::usage("hidden files and folders are not moved"));
    }
    if from == to {
        return Err(Failure::usage(format!("`{from}` lies there already")));
    }
    if is_within(to.as_str(), from.as_str()) {
        return Err(Failure::usage(format!("`{to}` is inside of `{from}`")));
    }
    if to.file_name().contains(['*', '"', '\\', '<', '>', ':', '|', '?', '#', '^', '[', ']']) {
        let name = to.file_name();
        return Err(Failure::usage(format!("`{name}` has one of `*\"\\<>:|?#^[]`, which links cannot name")));
    }
    let system = vault.folders()?.system().to_owned();
    let settings = from.as_str() == format!("{system}/Settings.md");
    let renamed =
        from.as_str() == system && (to.as_str().contains('/') || without_number(to.as_str()) != "system");
    if settings || renamed {
        return Err(Failure::usage("without `*_system/Settings.md` this would be no vault"));
    }
    Ok(())
}

/// What ado-vault will not find any more after this move: policies are found by their names.
fn lost_by_name(vault: &Vault, from: &NotePath, to: &NotePath) -> Result<Option<String>, Failure> {
    let policy = vault.folders()?.policy().to_owned();
    let is_named = |path: &NotePath| {
        POLICIES.contains(&path.file_name()) && without_number(path.folder()) == without_number(&policy)
    };
    let renames_folder = from.as_str() == policy && without_number(to.as_str()) != without_number(&policy);
    Ok(if renames_folder {
        Some(format!("the policies are found in `{policy}`: without it their defaults hold"))
    } else if from.folder() == policy && is_named(from) && !is_named(to) {
        let without = match from.file_name() {
            "Constitution.md" => "agents are given none",
            _ => "its defaults hold",
        };
        Some(format!("`{from}` is found by its name: after this move {without}"))
    } else {
        None
    })
}

fn preview(
    global: &Global,
    vault: &Vault,
    from: &NotePath,
    to: &NotePath,
    scan: &Scan,
) -> Result<Exit, Failure> {
    let changes = preview_move(vault, from, to, scan)?;
    let changes: Vec<NoteDiff> =
        changes.iter().map(|file| NoteDiff::of(&file.path, &file.to, &file.before, &file.after)).collect();
    if global.format == Format::Json {
        output::json(&serde_json::json!({ "from": from, "to": to, "changes": changes }))?;
    } else {
        for change in &changes {
            output::line(change.diff.trim_end());
        }
    }
    Ok(Exit::Done)
}

/// Moves under the vault's lock. What was not committed of the files is committed first, then the move.
fn carry_out(vault: &Vault, from: &NotePath, to: &NotePath) -> Result<(Moved, Option<String>), Failure> {
    let lock = VaultLock::acquire(vault)?;
    let history = match History::open(vault) {
        Ok(history) => Some(history),
        Err(VaultError::NoRepository { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(why) = history.as_ref().and_then(History::blocked) {
        return Err(Failure::errors(format!("nothing was moved: {why}")));
    }
    let scan = Scanner::new(vault).scan()?;
    let is_there = vault.absolute(from)?.exists();
    // Where another program moved it, its text is known from the last commit.
    let unmended: Option<ContentHash> = match &history {
        Some(history) if !is_there => history.committed_text(from)?.map(ContentHash::of),
        _ => None,
    };
    if let Some(history) = &history {
        let mut mine = Foreseen::of(vault, &(from.clone(), to.clone()), &scan).mends;
        mine.push(from.clone());
        mine.retain(|path| !vault.root().join(path.as_str()).is_dir());
        history.commit_human(&lock, &mine)?;
    }
    let moved = if is_there {
        relocate(&lock, vault, from, to, &scan)?
    } else {
        mend_after_move(&lock, vault, from, to, &scan, &|_| unmended.clone())?
    };
    let commit = match &history {
        Some(history) => history.commit_human(&lock, &moved.touched)?,
        None => None,
    };
    Ok((moved, commit.map(|commit| commit.as_str().to_owned())))
}
