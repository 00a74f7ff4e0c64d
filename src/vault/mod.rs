//! The vault on disk and its git history: scan, store, relocate, journal, history, locks, watch, template.
//!
//! Knows files, folders, locks and commits. Does not know what a feature's status should be, when to act, or what an
//! agent is: it reads and writes what it is told, without losing a byte that a human wrote.

mod chain;
mod error;
mod file;
mod folders;
mod foreign;
mod history;
mod index;
mod journal;
mod json;
mod kept;
mod left_place;
mod lock;
mod mending;
mod place;
mod relocate;
mod root;
mod scan;
mod scanned;
mod seam;
mod space;
mod store;
mod swap;
mod template;
mod temporary;
mod verify;
mod walk;
mod watch;

pub use error::{StoreError, VaultError};
pub use folders::Folders;
pub use history::{
    Claimed, CommitAbout, CommitMessage, CommittedFeatures, CommittedTexts, History, Intended, OwnTexts,
    Pulled, Pushed, Question, TextId, machine,
};
pub use journal::{Journal, all_runs, read_journal, read_transcript, runs_of, write_transcript};
pub use kept::{Sweeper, sweep_kept};
pub use lock::{VaultLock, WatchLock};
pub use mending::{canvases_and_bookmarks, mended_among};
pub use relocate::{Foreseen, Moved, Relinked, finish_move, mend_after_move, preview_move, relocate};
pub use root::Vault;
pub use scan::{Scan, Scanner};
pub use scanned::ScannedNote;
#[cfg(debug_assertions)]
pub use seam::{Moment, at_moments};
pub use store::{Created, Edited, create, edit, write_projection};
pub use swap::Way;
pub use template::{InitReport, RepositoryState, init};
pub use temporary::sweep_temporaries;
pub use verify::{Verified, VerifiedRun, verify_journals};
pub use watch::{Look, Watch};
