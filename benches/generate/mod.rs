//! A vault of feature notes from a fixed seed, about 2.5 KB a note, with CRLF, non-ASCII, tables and code among them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ado_vault::domain::NotePath;
use ado_vault::vault::{Vault, init};

/// SplitMix64: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }
}

const WORDS: [&str; 24] = [
    "vault", "feature", "agent", "branch", "merge", "review", "index", "note", "folder", "status", "queue",
    "parse", "graph", "watch", "budget", "token", "schema", "naïve", "Größe", "機能", "café", "retry",
    "deploy", "cache",
];

/// Paths and texts of `count` feature notes in `new`, 500 to a folder.
pub fn notes(count: usize) -> impl Iterator<Item = (NotePath, String)> {
    let mut random = Random(42);
    (1..=count).map(move |number| {
        let title = words(&mut random, 5);
        let path = format!("10_features/02_new/b{:03}/FR-{number:06} {title}.md", number / 500);
        (NotePath::new(path).expect("generated paths are valid"), text(&mut random, number, &title))
    })
}

fn words(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| WORDS[random.below(WORDS.len())]).collect::<Vec<_>>().join(" ")
}

fn text(random: &mut Random, number: usize, title: &str) -> String {
    let mut text = format!(
        "---\nid: FR-{number:06}\ntitle: \"{title}\"   # shown on the board\ntype: feature\nstatus: new\npriority: {}\n\
         tags: [{}, {}]\ndepends_on:\n  - FR-{:06}\n---\n# {title}\n\n## Summary\n\n",
        1 + random.below(4),
        WORDS[random.below(8)],
        WORDS[random.below(8)],
        1 + random.below(number),
    );
    while text.len() < 1_900 {
        let sentence = words(random, 14);
        let other = 1 + random.below(number);
        text.push_str(&format!("{sentence}. See [[FR-{other:06}]].\n\n"));
    }
    text.push_str("## Acceptance criteria\n\n");
    for _ in 0..5 {
        text.push_str(&format!("- [ ] {}\n", words(random, 9)));
    }
    if number.is_multiple_of(5) {
        text.push_str("\n| File / Feature | Details | Owner | Status |\n|---|---|---|---|\n| `src/lib.rs` | code | — | — |\n");
    }
    if number.is_multiple_of(50) { text.replace('\n', "\r\n") } else { text }
}

/// A vault on disk that is removed at the end.
pub struct Generated {
    folder: tempfile::TempDir,
    pub vault: Vault,
    /// Path of the first feature note.
    pub first: NotePath,
    first_text: String,
}

impl Generated {
    pub fn new(count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        init(folder.path()).expect("the template can be written");
        let mut first = None;
        for (path, text) in notes(count) {
            let absolute = folder.path().join(path.as_str());
            std::fs::create_dir_all(absolute.parent().unwrap_or(folder.path())).expect("folders can be made");
            std::fs::write(absolute, &text).expect("notes can be written");
            first.get_or_insert((path, text));
        }
        let vault = Vault::open(folder.path()).expect("the template is a vault");
        let (first, first_text) = first.expect("at least one note");
        Self { folder, vault, first, first_text }
    }

    /// With every note committed by the git program.
    pub fn committed(count: usize) -> Self {
        let generated = Self::new(count);
        for arguments in [
            &["config", "user.name", "Bench"][..],
            &["config", "user.email", "bench@example.org"],
            &["config", "gc.auto", "0"],
            &["add", "-A"],
            &["commit", "-q", "-m", "generated"],
        ] {
            generated.git(arguments);
        }
        generated
    }

    /// Old enough that neither a scanner nor git must read files again because of coarse clocks.
    pub fn settled(self) -> Self {
        std::thread::sleep(Duration::from_millis(3_100));
        self.git(&["update-index", "-q", "--refresh"]);
        self
    }

    pub fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.folder.path()).args(arguments).stdout(Stdio::null());
        assert!(git.status().is_ok_and(|status| status.success()), "git {arguments:?}");
    }

    /// The first note with another last line each round.
    pub fn edit_first(&self, round: u64) {
        let text = format!("{}\nRound {round}.\n", self.first_text);
        std::fs::write(self.folder.path().join(self.first.as_str()), text).expect("notes can be written");
    }

    pub fn read_all_bytes(&self) -> usize {
        self.files().map(|path| std::fs::read(path).map_or(0, |bytes| bytes.len())).sum()
    }

    pub fn read_all_bytes_by_two(&self) -> usize {
        let files: Vec<PathBuf> = self.files().collect();
        let read = |files: &[PathBuf]| -> usize {
            files.iter().map(|path| std::fs::read(path).map_or(0, |bytes| bytes.len())).sum()
        };
        let (first, second) = files.split_at(files.len() / 2);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| read(second));
            read(first) + second.join().expect("reading does not panic")
        })
    }

    /// As if no process had looked at the vault before.
    pub fn forget_index(&self) {
        // There is none before the first look.
        let _ = std::fs::remove_file(self.folder.path().join(".ado/index"));
    }

    pub fn stat_all(&self) -> u64 {
        self.files().map(|path| std::fs::symlink_metadata(path).map_or(0, |metadata| metadata.len())).sum()
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> + use<> {
        notes_below(self.folder.path())
    }
}

/// The bytes of every note in a folder.
pub fn texts_below(folder: &Path) -> impl Iterator<Item = Vec<u8>> + use<> {
    notes_below(folder).map(|path| std::fs::read(path).unwrap_or_default())
}

fn notes_below(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_entry(|entry| entry.file_name() != ".git")
        .flatten()
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
}
