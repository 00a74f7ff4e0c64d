//! The vault room against real files, real git and real processes.

mod audit;
mod claim;
mod common;
#[cfg(debug_assertions)]
mod cut_off;
mod git_states;
mod history;
mod human_edits;
mod index;
mod init;
mod journal;
mod killed;
mod locks;
mod no_room;
mod relocate;
mod remote;
mod scan;
mod scan_index;
mod signed;
mod store;
mod watch;
