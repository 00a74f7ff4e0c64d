//! The whole way of a request through the engine, killed at any word and restarted: real git, sandbox, gates and merge,
//! with a scripted conversation in place of a model.
//!
//! Plain `cargo test` kills at a sample of the places; `ADO_KILL_EVERY=1` kills at every one.

#[cfg(feature = "aimock")]
mod aimock;
#[cfg(debug_assertions)]
mod cut_off;
mod judge;
mod kill;
#[path = "../common/killer.rs"]
mod killer;
mod second_repo;
mod tally;
mod watch;
mod wire;
mod world;
