//! Transitions that are cut off before and after every change of the disk, and started again: the end is as if they had
//! not been. The vault has notes and a canvas that lead to the note that moves, and a human's edit that is not committed.
//!
//! Plain `cargo test` cuts off at a sample of the moments; `ADO_KILL_EVERY=1` at every one, `=7` at every seventh.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ado_vault::engine::{Engine, Options, Quiet};
use ado_vault::vault::{Vault, at_moments};
use tokio_util::sync::CancellationToken;

use crate::judge::{difference, timeless};
use crate::tally;
use crate::world::{World, git, run_engine};

const VAULT: &str = "ADO_CUT_OFF_VAULT";
const WORK: &str = "ADO_CUT_OFF_WORK";
const AT: &str = "ADO_CUT_OFF_AT";
const MOMENTS: &str = "ADO_CUT_OFF_MOMENTS";
/// Every how many moments the default run cuts off. A prime, so that it meets moments of every kind.
const SAMPLE: usize = 47;

/// What the human wrote last and did not commit.
const TOKEN: &str = "not to be lost 4711";

/// Not a test by itself: the engine that is cut off, in a process of its own.
#[test]
fn worker() {
    let Some(root) = std::env::var_os(VAULT) else { return };
    let at: u32 = std::env::var(AT).unwrap().parse().unwrap();
    let moments = PathBuf::from(std::env::var_os(MOMENTS).unwrap());
    let reached = AtomicU32::new(0);
    assert!(at_moments(move |moment| {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&moments).unwrap();
        writeln!(file, "{moment:?}").unwrap();
        if reached.fetch_add(1, Ordering::SeqCst) + 1 == at {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
            std::thread::park();
        }
    }));
    match std::env::var(WORK).unwrap().as_str() {
        "books" => keep_books(Path::new(&root)),
        _ => drop(run_engine(Path::new(&root), Arc::new(Quiet))),
    }
}

fn keep_books(root: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let options = Options {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_ado-vault")),
        no_sandbox: true,
        only: vec![],
        listener: Arc::new(Quiet),
        what: "sync",
    };
    runtime.block_on(async {
        let mut engine = Engine::open(&Vault::open(root).unwrap(), options).await.unwrap();
        engine.keep_books(&CancellationToken::new()).await.unwrap();
    });
}

/// A world that can be put back to how it was.
struct Story {
    world: World,
    /// `books` or `run`.
    work: &'static str,
}

impl Story {
    /// The note lies in `new` and says `planned`: the books move it. Other notes and a canvas lead to it.
    fn of_books() -> Self {
        let world = World::recorded();
        let vault = world.vault_root();
        lead_to(&vault, "02_new");
        write(&vault.join("10_features/02_new").join(tally::REQUEST_NAME), |text| {
            text.replace("status: new", "status: planned").replace("None.", TOKEN)
        });
        let story = Self { world, work: "books" };
        story.save();
        story
    }

    /// A run waits for the approval of its plan; the human says `dropped`. The run ends, its note moves.
    fn of_a_run() -> Self {
        let world = World::recorded();
        let vault = world.vault_root();
        assert!(world.act(&mut vec![]));
        run_engine(&vault, Arc::new(Quiet));
        lead_to(&vault, "04_in_progress");
        write(&world.note(), |text| {
            text.replace("status: in_progress", "status: dropped").replace("None.", TOKEN)
        });
        let story = Self { world, work: "run" };
        story.save();
        story
    }

    fn saved(&self) -> PathBuf {
        self.world.root.join("saved")
    }

    fn save(&self) {
        fs::create_dir(self.saved()).unwrap();
        for part in ["vault", "tally", "tally.git"] {
            copy(&self.world.root.join(part), &self.saved().join(part));
        }
    }

    fn put_back(&self) {
        for part in ["vault", "tally", "tally.git"] {
            fs::remove_dir_all(self.world.root.join(part)).unwrap();
            copy(&self.saved().join(part), &self.world.root.join(part));
        }
    }

    /// One engine in a process of its own, cut off at a moment (0: never). Gives the moments it reached.
    fn start(&self, at: usize) -> Vec<String> {
        let moments = self.world.root.join("moments");
        let _ = fs::remove_file(&moments);
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["cut_off::worker", "--exact", "--nocapture"])
            .env(VAULT, self.world.vault_root())
            .env(WORK, self.work)
            .env(AT, at.to_string())
            .env(MOMENTS, &moments)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.success(), at == 0, "cut off at {at}");
        fs::read_to_string(&moments).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Holds the story, cut off at a sample of its moments, against itself told to the end.
    fn holds(&self) {
        let moments = self.start(0);
        let expected = Left::of(&self.world);
        expected.assert_whole();
        let every = std::env::var("ADO_KILL_EVERY").map_or(SAMPLE, |every| every.parse().unwrap());
        let mut failed = vec![];
        for at in (1..=moments.len()).filter(|at| at % every == 0) {
            let judged = std::panic::catch_unwind(|| {
                self.put_back();
                assert_eq!(self.start(at).len(), at, "the cut at {at} did not happen");
                self.start(0);
                let left = Left::of(&self.world);
                left.assert_whole();
                let other = difference(&expected, &left);
                assert!(other.is_empty(), "cut off at {at}, {}:\n{other}", moments[at - 1]);
                self.start(0);
                let again = difference(&left, &Left::of(&self.world));
                assert!(again.is_empty(), "cut off at {at}, a second start changed something:\n{again}");
            });
            if judged.is_err() {
                failed.push((at, moments[at - 1].clone()));
            }
        }
        assert!(
            failed.is_empty(),
            "of {} moments a cut at these changed the end: {failed:#?}",
            moments.len()
        );
        let named: BTreeSet<&str> = moments.iter().map(String::as_str).collect();
        for change in [
            "write",
            "exchange",
            "keep",
            "place",
            "write blob",
            "write commit",
            "move branch",
            "replace index",
        ] {
            assert!(named.contains(format!("Before({change:?})").as_str()), "{change} is among {named:?}");
        }
    }
}

/// What is left in the vault.
#[derive(Debug, PartialEq)]
struct Left {
    /// All files of the work tree, but for what no two runs share.
    files: BTreeMap<String, String>,
    status: String,
    faults: String,
    /// Who made each commit, oldest first. What it says may be that a crash cut it off.
    story: Vec<String>,
    /// Who brought the human's words in.
    by: String,
}

impl Left {
    fn of(world: &World) -> Self {
        let vault = world.vault_root();
        let walk = walkdir::WalkDir::new(&vault).into_iter().filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            name != ".git" && name != ".ado" && name != "60_runs"
        });
        let files = walk.map(Result::unwrap).filter(|entry| entry.file_type().is_file()).map(|entry| {
            let inside = entry.path().strip_prefix(&vault).unwrap().display().to_string();
            (inside, timeless(&fs::read_to_string(entry.path()).unwrap()))
        });
        let log = git(&vault, &["log", "--reverse", "--format=%an"]);
        Self {
            files: files.collect(),
            status: git(&vault, &["status", "--porcelain"]),
            faults: git(&vault, &["fsck", "--strict", "--no-dangling"]),
            story: log.lines().map(str::to_owned).collect(),
            by: git(&vault, &["log", "--format=%an", "-S", TOKEN])
                .lines()
                .last()
                .unwrap_or_default()
                .to_owned(),
        }
    }

    fn assert_whole(&self) {
        assert_eq!((self.status.as_str(), self.faults.as_str(), self.by.as_str()), ("", "", "Tess"));
        let of_it = self.files.iter().filter(|(_, text)| text.contains("id: FR-007"));
        let of_it: Vec<&String> = of_it.map(|(path, _)| path).collect();
        assert_eq!(of_it.len(), 1, "{of_it:?}");
        let note = of_it[0];
        assert!(self.files[note].contains(TOKEN));
        let stem = note.strip_suffix(".md").unwrap();
        let leads = &self.files["40_playbooks/Leads.md"];
        assert!(leads.contains(&format!("[[{stem}|words]]")), "{leads}");
        assert!(leads.contains(&format!("](../{})", note.replace(' ', "%20"))), "{leads}");
        assert!(self.files["00_system/map.canvas"].contains(&format!("\"{note}\"")));
        assert!(self.files["40_playbooks/Also.md"].contains(&format!("[[{stem}]]")));
    }
}

/// Notes and a canvas that lead to the request's note in a status folder, committed.
fn lead_to(vault: &Path, folder: &str) {
    let stem = tally::REQUEST_NAME.strip_suffix(".md").unwrap();
    let path = format!("10_features/{folder}/{stem}");
    let put = |at: &str, text: String| fs::write(vault.join(at), text).unwrap();
    put(
        "40_playbooks/Leads.md",
        format!("See [[{path}|words]] and [it](../{}.md).\n", path.replace(' ', "%20")),
    );
    put("40_playbooks/Also.md", format!("See [[{path}]].\n"));
    put(
        "00_system/map.canvas",
        format!(
            "{{\"nodes\":[{{\"id\":\"a\",\"type\":\"file\",\"file\":\"{path}.md\",\"x\":0,\"y\":0,\"width\":9,\"height\":9}}],\"edges\":[]}}\n"
        ),
    );
    git(vault, &["add", "40_playbooks", "00_system/map.canvas"]);
    git(vault, &["commit", "-q", "-m", "leads"]);
}

fn write(path: &Path, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(path).unwrap();
    let changed = change(&text);
    assert!(changed.contains(TOKEN) && changed != text, "{text}");
    fs::write(path, changed).unwrap();
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_move_cut_off_at_any_moment_ends_as_if_it_had_not_been() {
    Story::of_books().holds();
}

#[test]
fn the_end_of_a_run_cut_off_at_any_moment_ends_as_if_it_had_not_been() {
    Story::of_a_run().holds();
}
