//! GitHub as a forge, against a stateful fake over HTTP that GitHub's own description holds to the truth.
//!
//! Plain `cargo test` kills the engine at a sample of the places; `ADO_KILL_EVERY=1` kills at every one.

mod answers;
#[expect(dead_code, reason = "other stories need more of it")]
#[path = "../common/behaviour.rs"]
mod behaviour;
mod ci;
mod commands;
mod contract;
mod emulate;
mod fake;
mod feedback;
mod forks;
mod git_http;
mod graphql;
mod issue_story;
mod issues;
mod kill;
#[path = "../common/killer.rs"]
mod killer;
mod merging;
mod outside;
mod pull_requests;
mod reviews;
mod rules;
mod schedules;
mod slow;
mod story;
#[expect(dead_code, reason = "other stories need more of it")]
#[path = "../common/talk.rs"]
mod talk;
mod webhooks;
