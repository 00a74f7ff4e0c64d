//! Boxes as their callers use them.
#![cfg(target_os = "linux")]

mod boxes;
mod caches;
mod commands;
mod containers;
mod limits;
#[path = "../common/sandbox.rs"]
mod machine;
mod network;
