//! Composition: observe the vault and the world, decide, perform; the event loop; where steps are executed.
//!
//! Only this room writes notes and journals while work goes on, and only one engine runs on a vault at a time.

mod bell;
mod book;
mod boxes;
mod claim;
mod commands;
mod committed;
mod config;
mod days;
mod earlier;
mod errand;
mod error;
mod event_loop;
mod execute;
mod explain;
mod facts;
mod failure;
mod finish;
mod flight;
mod issues;
mod late_saves;
mod ledger;
mod looking;
mod observe;
mod outside;
mod pace;
mod perform;
mod preview;
mod progress;
mod proposals;
mod publish;
mod reader;
mod recover;
mod redact;
mod request;
mod review_report;
mod secrets;
mod setup;
mod sighting;
mod stranger;
mod transition;

pub use bell::webhook_secret_of;
pub use book::RunBook;
pub use boxes::{EscapeTry, probe_agent, probe_sandbox, try_escapes};
pub use config::ConfigReader;
pub use error::EngineError;
pub use event_loop::{Engine, Options, Outcome, PAUSE, Settled};
pub use execute::{InProcess, StepExecutor, StepServices};
pub use observe::{Circumstances, Observation, Observer, repository_problem};
pub use preview::Rewrite;
pub use progress::{Listener, Quiet, Said};
pub use proposals::ReviewOrder;
pub use reader::{Seen, see};
pub use redact::{text as without_secrets, value as value_without_secrets};
pub use review_report::{ReviewReport, Reviewed};

pub use crate::forge::github::WebhookSecret;
pub use crate::sandbox::SandboxReport;
