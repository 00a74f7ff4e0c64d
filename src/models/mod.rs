//! Model providers behind one trait: chats, a router with a fallback chain, prices and budget reservation, recorded
//! conversations.

mod chat;

pub use chat::*;
