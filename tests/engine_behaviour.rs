//! What the engine does with a vault that a person works in, told as stories: the real engine, git, gates and sandbox,
//! with a recorded conversation in the place of models.

#[path = "engine_behaviour/approvals.rs"]
mod approvals;
#[path = "engine_behaviour/audit.rs"]
mod audit;
#[path = "engine_behaviour/bad_agents.rs"]
mod bad_agents;
#[path = "engine_behaviour/bad_input.rs"]
mod bad_input;
#[path = "common/behaviour.rs"]
mod behaviour;
#[path = "engine_behaviour/brakes.rs"]
mod brakes;
#[path = "engine_behaviour/budgets.rs"]
mod budgets;
#[path = "engine_behaviour/caps.rs"]
mod caps;
#[path = "engine_behaviour/external.rs"]
mod external;
#[path = "engine_behaviour/machines.rs"]
mod machines;
#[path = "engine_behaviour/moves.rs"]
mod moves;
#[path = "engine_behaviour/pace.rs"]
mod pace;
#[path = "engine_behaviour/parallel.rs"]
mod parallel;
#[path = "engine_behaviour/pauses.rs"]
mod pauses;
#[path = "engine_behaviour/real_agents.rs"]
mod real_agents;
#[path = "engine_behaviour/reload.rs"]
mod reload;
#[path = "engine_behaviour/review.rs"]
mod review;
#[path = "engine_behaviour/secrets.rs"]
mod secrets;
#[path = "engine_behaviour/setup.rs"]
mod setup;
#[path = "common/talk.rs"]
mod talk;
#[path = "engine_behaviour/unwell_models.rs"]
mod unwell_models;
#[path = "engine_behaviour/words.rs"]
mod words;
