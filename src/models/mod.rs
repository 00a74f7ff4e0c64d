//! Model providers behind one trait: chats, a router with a fallback chain, prices and budget reservation, recorded
//! conversations.

mod breaker;
mod chat;
mod estimate;
mod exhausted;
mod failure;
mod health;
mod held;
mod ollama;
mod provider;
mod recording;
mod remote;
mod retry_after;
mod router;
mod template;

pub use chat::*;
pub use estimate::estimate;
pub use health::Health;
pub use held::{hold_variables, secrets_held};
pub use provider::{build, build_with, install_tls};
pub use recording::{RecordedModel, Recorder};
pub use router::{RetryPolicy, RoutedReply, Router, chain};
