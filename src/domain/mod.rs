//! Plain data that every room speaks: features, runs, steps, verdicts, budgets, settings, effects.
//!
//! Nothing here does I/O, reads a clock or draws a random number; time and facts arrive as fields.

mod agent;
mod call;
mod config;
mod diagnostic;
mod effect;
mod event;
mod external;
mod feature;
mod finding;
mod forge_settings;
mod ids;
mod lazy;
mod money;
mod names;
mod overnight;
mod phase;
mod plan;
mod pull_request;
mod routing;
mod run;
mod sandboxing;
mod secret;
mod secret_waiver;
mod shared;
mod snapshot;
mod status;
mod step;

pub use agent::*;
pub use call::*;
pub use config::*;
pub use diagnostic::*;
pub use effect::*;
pub use event::*;
pub use external::*;
pub use feature::*;
pub use finding::*;
pub use forge_settings::*;
pub use ids::*;
pub use lazy::*;
pub use money::*;
pub use names::*;
pub use overnight::*;
pub use phase::*;
pub use plan::*;
pub use pull_request::*;
pub use routing::*;
pub use run::*;
pub use sandboxing::*;
pub use secret::*;
pub use secret_waiver::*;
pub use shared::*;
pub use snapshot::*;
pub use status::*;
pub use step::*;
