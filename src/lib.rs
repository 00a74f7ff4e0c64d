//! `ado-vault` turns feature-request notes in a Markdown vault into reviewed, merged pull requests.
//!
//! It observes the vault and the world, decides with a pure function what should happen next, and performs it. Each
//! module is a room; `docs/architecture.md` says what lives where and which rooms may use which.

pub mod agents;
pub mod cli;
pub mod decide;
pub mod demo;
pub mod domain;
pub mod engine;
pub mod forge;
pub mod gates;
pub mod models;
pub mod note;
pub mod report;
pub mod sandbox;
pub mod vault;
pub mod workspace;
