//! A second process edits notes as Obsidian and other editors do, at every step of ado's writes: saves in place and by
//! rename, from stale buffers and late into files that are no longer the note's, renames, moves, deletes, restores and
//! truncates. Every token that it saved and did not take away again is found afterwards.
//!
//! Three processes: this test, ado (which sweeps, edits, moves and commits) and the human. In one mode both go as fast as
//! they can; in the others the human acts before and after each single change that ado makes on disk. With `ADO_VAULT_LONG=1`
//! it is more than a hundred thousand saves instead of some thousand, and the figures are printed with `--nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ado_vault::note::{PropertyValue, set_block, set_property};
use ado_vault::vault::{
    CommitMessage, History, Scanner, StoreError, Sweeper, Vault, VaultError, VaultLock, Way, at_moments,
    edit, relocate, sweep_kept,
};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};
use walkdir::WalkDir;

use crate::common::{Place, note};

const ROLE: &str = "ADO_VAULT_TEST_EDITS";
const NOTES: usize = 5;
const FOLDERS: [&str; 2] = ["10_features/03_planned", "10_features/04_in_progress"];

/// What the processes of one run are told.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Orders {
    root: PathBuf,
    log: PathBuf,
    saves: usize,
    seed: u64,
    /// The human acts at the moments of ado's writes instead of by itself.
    at_moments: bool,
    file_system: FileSystem,
}

/// What the kernel is made to refuse to ado.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum FileSystem {
    /// Nothing.
    Full,
    /// Exchange and placing without replacing, as on NFS: links never replace either.
    OnlyLinks,
    /// Exchange and links, as on FAT.
    NoLinks,
}

impl Orders {
    fn given(role: &str) -> Option<Self> {
        let (given, orders) =
            std::env::var(ROLE).ok()?.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        (given == role).then(|| serde_json::from_str(&orders).unwrap())
    }

    fn spawn(&self, role: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([&format!("human_edits::{role}"), "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, format!("{role} {}", serde_json::to_string(self).unwrap()));
        command
    }
}

/// Small, seeded, the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }
}

/// A note as the human's editor has it.
struct Buffer {
    number: usize,
    text: String,
    /// Where the editor believes that the file is.
    at: PathBuf,
    in_trash: bool,
    /// A file that was opened before and will be saved into later.
    open: Option<File>,
}

struct Human {
    orders: Orders,
    dice: Dice,
    log: File,
    saved: usize,
    buffers: Vec<Buffer>,
}

impl Human {
    fn say(&mut self, what: &str) {
        writeln!(self.log, "{what}").unwrap();
    }

    /// Does one thing; says whether there is more to do.
    fn act(&mut self) -> bool {
        let number = self.dice.roll(self.buffers.len());
        let kind = self.dice.roll(100);
        let mut buffer = std::mem::replace(&mut self.buffers[number], Buffer::none());
        self.act_on(&mut buffer, kind);
        self.buffers[number] = buffer;
        self.saved < self.orders.saves
    }

    fn act_on(&mut self, buffer: &mut Buffer, kind: usize) {
        if buffer.in_trash {
            let back = self.orders.root.join(FOLDERS[0]).join(buffer.at.file_name().unwrap());
            buffer.in_trash = !renamed(&buffer.at, &back);
            if !buffer.in_trash {
                buffer.at = back;
            }
            return;
        }
        // An editor that has not seen yet that its note was moved saves where it was.
        let knows = self.dice.roll(8) > 0;
        if knows && !buffer.find(&self.orders.root) {
            return;
        }
        match kind {
            0..70 if buffer.open.is_some() => self.save_late(buffer),
            0..30 if buffer.reload() => self.save(buffer, true),
            30..52 if buffer.reload() => self.save(buffer, false),
            52..60 => self.save(buffer, true),
            60..70 => {
                buffer.open = OpenOptions::new().read(true).write(true).open(&buffer.at).ok();
                if let Some(file) = &mut buffer.open {
                    buffer.text.clear();
                    if file.read_to_string(&mut buffer.text).is_err() {
                        buffer.open = None;
                    }
                }
            }
            70..80 => {
                let other = ["Note", "Renamed"][self.dice.roll(2)];
                let to = buffer.at.with_file_name(format!("FR-00{} {other}.md", buffer.number));
                buffer.go(to);
            }
            80..88 => {
                let folder = self.orders.root.join(FOLDERS[self.dice.roll(2)]);
                buffer.go(folder.join(buffer.at.file_name().unwrap()));
            }
            88..94 if buffer.open.is_none() => {
                let trash = self.orders.root.join(".trash").join(buffer.at.file_name().unwrap());
                buffer.in_trash = buffer.go(trash);
            }
            97.. if buffer.open.is_none() && buffer.reload() => self.truncate(buffer),
            _ => {}
        }
    }

    fn with_token(&mut self, buffer: &mut Buffer) -> String {
        let token = format!("tok-{}-{};", self.orders.seed, self.saved);
        self.saved += 1;
        if !buffer.text.is_empty() && !buffer.text.ends_with('\n') {
            buffer.text.push('\n');
        }
        buffer.text.push_str(&format!("{token}\n"));
        token
    }

    fn save(&mut self, buffer: &mut Buffer, in_place: bool) {
        let token = self.with_token(buffer);
        let written = if in_place {
            write_in_place(&buffer.at, &buffer.text, self.dice.roll(4) == 0)
        } else {
            let beside = buffer.at.with_file_name(format!(".save-{}", buffer.number));
            fs::write(&beside, &buffer.text).is_ok() && fs::rename(&beside, &buffer.at).is_ok()
        };
        if written {
            self.say(&format!("saved {token}"));
        }
    }

    fn save_late(&mut self, buffer: &mut Buffer) {
        let token = self.with_token(buffer);
        let mut file = buffer.open.take().expect("an open file");
        file.set_len(0).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(buffer.text.as_bytes()).unwrap();
        self.say(&format!("saved {token}"));
    }

    /// Takes away all lines of its own but the last; they are no longer owed.
    fn truncate(&mut self, buffer: &mut Buffer) {
        let lines: Vec<&str> = buffer.text.lines().collect();
        let tokens: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("tok-")).collect();
        let Some((_, gone)) = tokens.split_last() else { return };
        let gone: BTreeSet<String> = gone.iter().map(|token| (*token).to_owned()).collect();
        let left: String =
            lines.iter().filter(|line| !gone.contains(**line)).map(|line| format!("{line}\n")).collect();
        buffer.text = left;
        for token in &gone {
            self.say(&format!("released {token}"));
        }
        self.save(buffer, true);
    }
}

impl Buffer {
    fn none() -> Self {
        Self { number: 0, text: String::new(), at: PathBuf::new(), in_trash: false, open: None }
    }

    fn find(&mut self, root: &Path) -> bool {
        if self.at.is_file() {
            return true;
        }
        let start = format!("FR-00{} ", self.number);
        let found =
            FOLDERS.iter().flat_map(|folder| fs::read_dir(root.join(folder)).unwrap()).find_map(|entry| {
                let path = entry.ok()?.path();
                let name = path.file_name()?.to_str()?;
                (name.starts_with(&start) && !name.contains("conflict")).then_some(path)
            });
        found.is_some_and(|found| {
            self.at = found;
            true
        })
    }

    /// Shows what is on disk, as editors do when nothing is unsaved.
    fn reload(&mut self) -> bool {
        self.open.is_none()
            && fs::read_to_string(&self.at).is_ok_and(|text| {
                self.text = text;
                true
            })
    }

    fn go(&mut self, to: PathBuf) -> bool {
        let went = renamed(&self.at, &to);
        if went {
            self.at = to;
        }
        went
    }
}

/// Editors and file managers never rename over another note.
fn renamed(from: &Path, to: &Path) -> bool {
    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).is_ok()
}

fn write_in_place(at: &Path, text: &str, torn: bool) -> bool {
    let Ok(mut file) = OpenOptions::new().write(true).create(true).truncate(true).open(at) else {
        return false;
    };
    let (head, tail) = text.split_at(if torn { text.floor_char_boundary(text.len() / 2) } else { 0 });
    file.write_all(head.as_bytes()).and_then(|()| file.write_all(tail.as_bytes())).is_ok()
}

/// Not a test by itself: the human's process. Does one thing for each line that it is sent, or all at once for `all`.
#[test]
fn human() {
    let Some(orders) = Orders::given("human") else { return };
    let log = OpenOptions::new().create(true).append(true).open(&orders.log).unwrap();
    let buffers = (0..NOTES).map(|number| {
        let at = orders.root.join(FOLDERS[0]).join(format!("FR-00{number} Note.md"));
        let text = fs::read_to_string(&at).unwrap();
        Buffer { number, text, at, in_trash: false, open: None }
    });
    let buffers = buffers.collect();
    let mut human = Human { dice: Dice(orders.seed * 2 + 1), log, saved: 0, buffers, orders };
    println!("\n@ready");
    for line in std::io::stdin().lines() {
        let more = match line.unwrap().as_str() {
            "all" => {
                while human.act() {}
                false
            }
            _ => human.act(),
        };
        println!("{}", if more { "@done" } else { "@end" });
    }
}

/// The human's process as ado's sees it.
struct Neighbour {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Neighbour {
    fn new(orders: &Orders) -> Self {
        let mut child = orders.spawn("human").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut neighbour = Self { child, orders: stdin, answers: BufReader::new(stdout) };
        assert_eq!(neighbour.answer(), "@ready");
        neighbour
    }

    fn answer(&mut self) -> String {
        let lines = self.answers.by_ref().lines().map(Result::unwrap);
        lines.into_iter().find(|line| line.starts_with('@')).expect("the human is alive")
    }

    /// Whether there is more to come.
    fn ask(&mut self, what: &str) -> bool {
        writeln!(self.orders, "{what}").unwrap();
        self.answer() == "@done"
    }
}

/// Not a test by itself: ado's process.
#[test]
fn ado() {
    let Some(orders) = Orders::given("ado") else { return };
    let neighbour = Neighbour::new(&orders);
    let over = Arc::new(AtomicBool::new(false));
    let moments = Arc::new(AtomicUsize::new(0));
    let free = if orders.at_moments {
        let state = Mutex::new((neighbour, Dice(orders.seed + 77)));
        let (over, moments) = (over.clone(), moments.clone());
        at_moments(move |_| {
            let (neighbour, dice) = &mut *state.lock().unwrap();
            if dice.roll(3) == 0 && !over.load(Ordering::Relaxed) {
                moments.fetch_add(1, Ordering::Relaxed);
                if !neighbour.ask("one") {
                    over.store(true, Ordering::Relaxed);
                    neighbour.child.kill().unwrap();
                }
            }
        });
        None
    } else {
        let over = over.clone();
        let mut neighbour = neighbour;
        Some(std::thread::spawn(move || {
            neighbour.ask("all");
            over.store(true, Ordering::Relaxed);
            neighbour.child.kill().unwrap();
        }))
    };
    refuse(orders.file_system);
    let vault = Vault::open(&orders.root).unwrap();
    let way = if orders.file_system == FileSystem::Full { Way::Exchange } else { Way::Aside };
    assert_eq!(vault.way().unwrap(), way);
    let mut ado = Ado {
        history: History::open(&vault).unwrap(),
        scanner: Scanner::new(&vault),
        sweeper: Sweeper::new(&vault),
        dice: Dice(orders.seed + 5),
        done: BTreeMap::new(),
        vault,
    };
    while !over.load(Ordering::Relaxed) {
        ado.work();
    }
    if let Some(free) = free {
        free.join().unwrap();
    }
    println!("\n@ado {:?}, {} moments", ado.done, moments.load(Ordering::Relaxed));
}

/// Makes the kernel refuse to this thread what such a file system cannot do.
fn refuse(file_system: FileSystem) {
    let deny = |call: i64, rules: Vec<SeccompRule>, error: i32| {
        let filter = SeccompFilter::new(
            [(call, rules)].into(),
            SeccompAction::Allow,
            SeccompAction::Errno(error as u32),
            TargetArch::try_from(std::env::consts::ARCH).unwrap(),
        );
        apply_filter(&BpfProgram::try_from(filter.unwrap()).unwrap()).unwrap();
    };
    let flags = |operator: SeccompCmpOp, flag: u64| {
        let flags = SeccompCondition::new(4, SeccompCmpArgLen::Dword, operator, flag).unwrap();
        vec![SeccompRule::new(vec![flags]).unwrap()]
    };
    match file_system {
        FileSystem::Full => {}
        FileSystem::OnlyLinks => deny(libc::SYS_renameat2, flags(SeccompCmpOp::Ne, 0), libc::EINVAL),
        FileSystem::NoLinks => {
            let exchange = u64::from(RenameFlags::EXCHANGE.bits());
            deny(libc::SYS_renameat2, flags(SeccompCmpOp::Eq, exchange), libc::EINVAL);
            deny(libc::SYS_linkat, vec![], libc::EPERM);
        }
    }
}

struct Ado {
    vault: Vault,
    history: History,
    scanner: Scanner,
    sweeper: Sweeper,
    dice: Dice,
    done: BTreeMap<String, usize>,
}

impl Ado {
    /// One thing that ado does with a vault.
    fn work(&mut self) {
        let scan = self.scanner.scan().unwrap();
        let notes: Vec<_> = scan.notes.iter().filter(|note| note.path.as_str().starts_with("10_")).collect();
        let Some(chosen) = (!notes.is_empty()).then(|| notes[self.dice.roll(notes.len())]) else { return };
        let lock = VaultLock::acquire(&self.vault).unwrap();
        let done = match self.dice.roll(20) {
            0..3 => {
                let to = format!("{}/{}", FOLDERS[self.dice.roll(2)], chosen.path.file_name());
                named("move", relocate(&lock, &self.vault, &chosen.path, &note(&to), &scan).map(|_| ()))
            }
            3 => {
                let message = CommitMessage { subject: "ado".into(), ..CommitMessage::default() };
                let paths = [chosen.path.clone()];
                self.history.commit_human(&lock, &paths).unwrap();
                let edited = self.edit(&lock, chosen);
                self.history.commit(&lock, &paths, &message).unwrap();
                edited
            }
            4..6 => {
                let written = self.sweeper.sweep(&lock, Duration::ZERO).unwrap();
                self.history.commit_human(&lock, &written).unwrap();
                format!("sweep: {} merged", written.len().min(1))
            }
            _ => self.edit(&lock, chosen),
        };
        *self.done.entry(done).or_default() += 1;
    }

    fn edit(&mut self, lock: &VaultLock, chosen: &ado_vault::vault::ScannedNote) -> String {
        let value = self.dice.roll(1_000_000);
        let at_the_end = self.dice.roll(4) == 0;
        let edited = edit(lock, &self.vault, &chosen.path, |text| {
            let count = PropertyValue::Integer(value as i64);
            let edited = match at_the_end {
                true => set_block(text, "progress", Some(&format!("At {value}.")), None),
                false => set_property(text, "count", Some(&count)),
            };
            // What a stale buffer made of it cannot always be edited.
            Ok::<_, Infallible>(edited.unwrap_or_else(|_| format!("{text}ado {value}\n")))
        });
        named(
            "edit",
            edited.map(|_| ()).map_err(|error| match error {
                StoreError::Vault(error) => error,
                StoreError::Edit(never) => match never {},
            }),
        )
    }
}

fn named(what: &str, result: Result<(), VaultError>) -> String {
    match result {
        Ok(()) => what.to_owned(),
        Err(VaultError::Missing { .. }) => format!("{what}: missing"),
        Err(VaultError::Exists { .. }) => format!("{what}: exists"),
        Err(VaultError::Busy { .. }) => format!("{what}: busy"),
        Err(error) => panic!("{what}: {error}: {:?}", std::error::Error::source(&error)),
    }
}

/// Where each token is found that the human saved last and did not take away.
fn fight(saves: usize, seed: u64, at_moments: bool, file_system: FileSystem) {
    let place = Place::unborn("");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    fs::create_dir(place.file(".trash")).unwrap();
    fs::write(place.file(".gitignore"), ".trash/\n").unwrap();
    for number in 0..NOTES {
        let next = (number + 1) % NOTES;
        place.write(
            &format!("{}/FR-00{number} Note.md", FOLDERS[0]),
            &format!("---\nid: FR-00{number}\ncount: 0\n---\n\n# Note {number}\n\nAfter [[{}/FR-00{next} Note|next]].\n\n", FOLDERS[0]),
        );
    }
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "begin"]);
    let orders = Orders { root: place.vault.root().to_owned(), log, saves, seed, at_moments, file_system };
    let ran = orders.spawn("ado").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));

    sweep_kept(&place.lock(), &place.vault).unwrap();
    let said = said.lines().find(|line| line.starts_with("@ado")).expect("what ado did");
    let found = Found::of(&place, &orders.log);
    println!("{file_system:?}, {}: {said}\n  {found:?}", if at_moments { "at moments" } else { "free" });
    assert_eq!(found.lost, Vec::<String>::new(), "seed {seed}: {said}");
    assert!(found.owed > NOTES, "{found:?}");
    assert_eq!(found.left_over, Vec::<String>::new(), "seed {seed}");
}

#[derive(Debug, Default)]
struct Found {
    saved: usize,
    owed: usize,
    in_notes: usize,
    in_conflict_notes: usize,
    in_trash: usize,
    in_commits: usize,
    in_kept: usize,
    conflict_notes: usize,
    lost: Vec<String>,
    left_over: Vec<String>,
}

impl Found {
    fn of(place: &Place, log: &Path) -> Self {
        let mut found = Self::default();
        let mut owed = BTreeSet::new();
        for line in fs::read_to_string(log).unwrap().lines() {
            match line.split_once(' ').unwrap() {
                ("saved", token) => {
                    found.saved += 1;
                    owed.insert(token.to_owned());
                }
                (_, token) => {
                    owed.remove(token);
                }
            }
        }
        found.owed = owed.len();
        let [mut notes, mut conflicts, mut trash, mut kept] = [const { String::new() }; 4];
        for entry in WalkDir::new(place.vault.root()).into_iter().map(Result::unwrap) {
            let inside = entry.path().strip_prefix(place.vault.root()).unwrap().to_str().unwrap();
            let is_record = inside.starts_with(".ado/") && !inside.ends_with(".md");
            if !entry.file_type().is_file() || inside.starts_with(".git/") || is_record {
                continue;
            }
            if inside.contains("/.ado-") {
                found.left_over.push(inside.to_owned());
            }
            let text = fs::read_to_string(entry.path()).unwrap();
            let kind = if inside.starts_with(".trash/") {
                &mut trash
            } else if inside.starts_with(".ado/kept/") {
                &mut kept
            } else if inside.contains("conflicted copy") {
                found.conflict_notes += 1;
                &mut conflicts
            } else {
                &mut notes
            };
            kind.push_str(&text);
        }
        let objects = Command::new("git")
            .current_dir(place.vault.root())
            .args(["cat-file", "--batch-all-objects", "--batch"])
            .output()
            .unwrap();
        let objects = String::from_utf8_lossy(&objects.stdout);
        let tokens = |text: &str| -> BTreeSet<String> {
            let pieces = text.split("tok-").skip(1);
            pieces.filter_map(|piece| Some(format!("tok-{};", piece.split_once(';')?.0))).collect()
        };
        let places = [tokens(&notes), tokens(&conflicts), tokens(&trash), tokens(&objects), tokens(&kept)];
        for token in owed {
            match places.iter().position(|tokens| tokens.contains(&token)) {
                Some(0) => found.in_notes += 1,
                Some(1) => found.in_conflict_notes += 1,
                Some(2) => found.in_trash += 1,
                Some(3) => found.in_commits += 1,
                Some(_) => found.in_kept += 1,
                None => found.lost.push(token),
            }
        }
        found
    }
}

/// Seeds of the runs: one by default, more for more saves.
fn seeds(long: u64) -> std::ops::RangeInclusive<u64> {
    if std::env::var_os("ADO_VAULT_LONG").is_some() { 1..=long } else { 1..=1 }
}

#[test]
fn nothing_is_lost_while_both_go_as_fast_as_they_can() {
    for seed in seeds(20) {
        fight(if seed == 1 { 2_000 } else { 6_000 }, seed, false, FileSystem::Full);
    }
}

#[test]
fn nothing_is_lost_at_any_moment_of_a_write() {
    for seed in seeds(20) {
        fight(600, 100 + seed, true, FileSystem::Full);
    }
}

#[test]
fn nothing_is_lost_where_files_can_only_be_linked() {
    for seed in seeds(10) {
        fight(300, 200 + seed, true, FileSystem::OnlyLinks);
    }
}

#[test]
fn nothing_is_lost_where_files_can_not_even_be_linked() {
    for seed in seeds(10) {
        fight(300, 300 + seed, true, FileSystem::NoLinks);
    }
}
