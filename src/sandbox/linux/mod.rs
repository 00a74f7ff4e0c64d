//! The box of Linux: namespaces, mounts, Landlock, seccomp and limits, built by one single-threaded process around
//! itself. Knows the job, not why it runs.
//!
//! Three processes stand between `ado-vault` and the command. The supervisor prepares what needs the rights it was
//! started with and watches over the box; the init is process 1 of the box, builds it, gives up every right and reaps;
//! the command is the init's child. When the supervisor goes the init is killed, and with it everything in the box.

mod channel;
mod entry;
mod filter;
mod fs_rules;
mod groups;
mod handover;
mod identity;
mod init;
mod inspect;
mod limits;
mod mounts;
mod overlay;
mod sockets;
mod supervise;

pub(super) use entry::main as entry_main;
pub(super) use groups::{Group, Groups};
pub(super) use inspect::namespaces;
pub(super) use limits::limit_plainly;
pub(super) use sockets::{beneath as sockets_beneath, bound as bound_sockets};
pub(super) use supervise::child_main;
