//! The model gateway of an external agent: it speaks the providers' dialects on one side and asks the agent's own chain
//! of models on the other. The agent holds a token that is worth nothing anywhere else; keys stay on this side.
//!
//! Every dialect is read into one question and every answer written from one reply, so that any agent can use any model
//! and calls are metered, capped and recorded in one place: the chain's ledger.

mod chat;
mod desk;
mod few;
mod gemini;
mod messages;
mod question;
mod refusal;
mod responses;
mod server;
mod token;

pub(super) use desk::{Desk, Standing};
pub(super) use server::serve;
pub(super) use token::Token;
