//! An agent's turn on a step: prompt, conversation with a model, tools on a worktree, and a checked answer. The built-in
//! loop does it, or another program in the same sandbox whose model calls go through a gateway here.
//!
//! Agents change files of their worktree and answer with data. They do not commit, know no vault and no forge, and
//! what they say of their own success is not believed: gates and diffs are looked at elsewhere.

mod answer;
mod backend;
mod blocks;
mod contract;
mod error;
mod evidence;
mod external;
mod fence;
mod gateway;
mod history;
mod job;
mod opening;
mod prompt;
mod random;
mod recorder;
mod run;
mod schema;
mod shown;
mod source;
mod tool;
mod vars;
mod worktree;

pub use answer::AgentAnswer;
pub use backend::{AgentBackend, run};
pub use error::AgentError;
pub use job::{AgentJob, AgentTools};
pub use prompt::{FeatureVars, PromptVars, RepositoryVars, render_prompt};
pub use recorder::{ToolRecord, ToolRecorder};
