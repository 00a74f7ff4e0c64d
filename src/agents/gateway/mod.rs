//! The model gateway of an external agent: it speaks the providers' dialects on one side and asks the agent's own chain
//! of models on the other. The agent holds a token that is worth nothing anywhere else; keys stay on this side.
//!
//! Every dialect is read into one question and every answer written from one reply, so that any agent can use any model
//! and calls are metered, capped and recorded in one place: the chain's ledger. An answer that is asked for as a stream
//! is passed on as it comes, but for what may be a part of a secret.

mod chat;
mod desk;
mod few;
mod gemini;
mod messages;
mod pieces;
mod question;
mod refusal;
mod responses;
mod server;
mod sieve;
mod token;

pub(super) use desk::{Desk, Standing};
pub(super) use server::serve;
pub(super) use token::Token;
