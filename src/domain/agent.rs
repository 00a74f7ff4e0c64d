//! Agents and models as their notes define them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AgentName, AgentVariable, Backend, ContentHash, ModelName, SandboxProfile, Usd};

/// What an agent is for. One note per role is needed; several may exist and a repository or tier picks one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    SpecWriter,
    Planner,
    Coder,
    Tester,
    Reviewer,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::SpecWriter, Self::Planner, Self::Coder, Self::Tester, Self::Reviewer];

    pub fn slug(self) -> &'static str {
        match self {
            Self::SpecWriter => "spec_writer",
            Self::Planner => "planner",
            Self::Coder => "coder",
            Self::Tester => "tester",
            Self::Reviewer => "reviewer",
        }
    }

    /// Whether this role may change files of the worktree.
    pub fn may_write(self) -> bool {
        matches!(self, Self::Coder | Self::Tester)
    }
}

/// A tool of the built-in loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    List,
    Search,
    Read,
    Edit,
    Write,
    Run,
    Finish,
}

/// Front matter of a note in `20_agents/`. The body is the Tera prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentConfig {
    /// The note's stem.
    #[serde(default = "unnamed_agent")]
    #[schemars(skip)]
    pub name: AgentName,
    pub role: Role,
    /// Fallback chain, first is preferred; empty means the tier's model, else `default_model` of the settings.
    #[serde(default)]
    pub models: Vec<ModelName>,
    /// Tools offered; empty means all that the role may use.
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// Programs that the `run` tool may start, by first word; empty means none.
    #[serde(default)]
    pub commands: Vec<String>,
    /// Turns (model calls) before the agent is stopped.
    #[serde(default = "default_max_turns")]
    pub max_turns: u32,
    /// `read-only`, `worktree`, or `worktree+network` and hosts; missing means what the role needs. A role that changes
    /// nothing never writes, whatever stands here.
    #[serde(default)]
    pub sandbox: Option<SandboxProfile>,
    #[serde(default)]
    pub temperature: Option<f64>,
    /// `built-in`: ado-vault talks to the model itself. `acp` and `command` start another program.
    #[serde(default)]
    pub backend: Backend,
    /// The program of `acp` and `command` with its arguments, one word an entry; never a shell line.
    #[serde(default)]
    pub command: Vec<String>,
    /// Variables of that program: `NAME` passes one on from ado-vault's own environment, `NAME=value` sets one.
    #[serde(default)]
    pub env: Vec<AgentVariable>,
    /// Files and folders of this machine that it may read besides the worktree: where it is installed.
    #[serde(default)]
    pub read_paths: Vec<String>,
    /// Seconds without output and without a model call after which it is ended.
    #[serde(default = "default_stall")]
    pub stall_seconds: u64,
    /// Tera template.
    #[serde(default)]
    #[schemars(skip)]
    pub prompt: String,
    /// Hash of the note, recorded with each step.
    #[serde(default = "empty_hash")]
    #[schemars(skip)]
    pub hash: ContentHash,
}

fn unnamed_agent() -> AgentName {
    "unnamed".parse().expect("a literal name is valid")
}

fn default_max_turns() -> u32 {
    20
}

fn default_stall() -> u64 {
    300
}

fn empty_hash() -> ContentHash {
    ContentHash::of("")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    Anthropic,
    #[serde(rename = "openai")]
    OpenAi,
    Gemini,
    Ollama,
    /// Any server that speaks OpenAI's chat completions: LiteLLM, vLLM, llama.cpp.
    #[serde(rename = "openai-compatible")]
    OpenAiCompatible,
    /// Replays a recorded conversation from a file.
    Recorded,
    /// No model: a plan or a review from a template, which says that it is one. The last link of a chain.
    Template,
}

impl Provider {
    pub fn slug(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::OpenAiCompatible => "openai-compatible",
            Self::Recorded => "recorded",
            Self::Template => "template",
        }
    }
}

/// How a model is asked to change files. Small local models fail at tool calls and succeed with whole files in a fence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EditFormat {
    #[default]
    Tools,
    SearchReplace,
    WholeFile,
}

/// Front matter of a note in `00_system/models/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelConfig {
    /// The note's stem.
    #[serde(default = "unnamed_model")]
    #[schemars(skip)]
    pub name: ModelName,
    pub provider: Provider,
    /// The provider's own name of the model.
    #[serde(default)]
    pub model: String,
    /// Ends in `/`; only needed for `ollama` elsewhere than on this machine and for `openai-compatible`.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Name of the environment variable that holds the key; never the key.
    #[serde(default)]
    pub api_key_env: Option<String>,
    #[serde(default)]
    pub edit_format: EditFormat,
    #[serde(default = "default_context")]
    pub context_tokens: u64,
    #[serde(default = "default_output")]
    pub max_output_tokens: u64,
    /// USD per million input tokens. Missing prices count as zero: such a model is bounded by tokens and calls alone.
    #[serde(default)]
    pub price_input: Usd,
    /// USD per million cached input tokens; missing means `price_input`.
    #[serde(default)]
    pub price_cached: Option<Usd>,
    /// USD per million input tokens that the provider puts into its cache; missing means `price_input`, and a quarter more
    /// than that for `anthropic`.
    #[serde(default)]
    pub price_cache_write: Option<Usd>,
    /// USD per million output tokens.
    #[serde(default)]
    pub price_output: Usd,
    /// One call's time limit.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u64,
    /// Longest wait for the next piece of an answer, which is then asked for in pieces; missing or 0: in one.
    #[serde(default)]
    pub stall_seconds: Option<u64>,
    /// The conversation's file, relative to the vault: `recorded` replays it, any other provider's answers are appended.
    #[serde(default)]
    pub recording: Option<String>,
}

impl ModelConfig {
    /// Whether it is known to answer in pieces: compatible servers are of many kinds, and some answer whole whatever they are
    /// asked.
    pub fn answers_in_pieces(&self) -> bool {
        self.provider != Provider::OpenAiCompatible || self.stall_seconds.is_some_and(|seconds| seconds > 0)
    }

    /// How long an answer in pieces may be silent: the note's own limit, else as long as a whole call may take.
    pub fn longest_silence(&self) -> std::time::Duration {
        let stall = self.stall_seconds.filter(|seconds| *seconds > 0);
        std::time::Duration::from_secs(stall.unwrap_or(self.timeout_seconds.max(1)))
    }
}

fn unnamed_model() -> ModelName {
    "unnamed".parse().expect("a literal name is valid")
}

fn default_context() -> u64 {
    128_000
}

fn default_output() -> u64 {
    8_192
}

fn default_timeout() -> u64 {
    300
}

impl ModelConfig {
    /// What these tokens cost at this note's prices.
    pub fn cost(&self, tokens: super::Tokens) -> Usd {
        let cached = tokens.cached.min(tokens.input);
        let written = tokens.cache_written.min(tokens.input - cached);
        Usd::of_tokens(tokens.input - cached - written, self.price_input)
            + Usd::of_tokens(cached, self.price_cached.unwrap_or(self.price_input))
            + Usd::of_tokens(written, self.cache_write_price())
            + Usd::of_tokens(tokens.output, self.price_output)
    }

    /// The most that so many tokens can cost, whatever of them meets a cache.
    pub fn most(&self, input: u64, output: u64) -> Usd {
        let dearest =
            self.price_input.max(self.cache_write_price()).max(self.price_cached.unwrap_or_default());
        Usd::of_tokens(input, dearest) + Usd::of_tokens(output, self.price_output)
    }

    /// <https://platform.claude.com/docs/en/about-claude/pricing>: writing for five minutes costs a quarter more than
    /// reading anew.
    fn cache_write_price(&self) -> Usd {
        let of_provider = match self.provider {
            Provider::Anthropic => Usd::from_micros(self.price_input.micros().saturating_mul(5).div_ceil(4)),
            _ => self.price_input,
        };
        self.price_cache_write.unwrap_or(of_provider)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tokens;
    use super::*;

    #[test]
    fn cached_tokens_cost_their_own_price_and_are_not_counted_twice() {
        let model: ModelConfig = serde_json::from_str(
            r#"{"provider":"openai","model":"m","price_input":2.0,"price_cached":0.5,"price_output":8.0}"#,
        )
        .unwrap();
        let tokens = Tokens { input: 1_000_000, cached: 400_000, output: 100_000, ..Tokens::default() };
        assert_eq!(model.cost(tokens), Usd::from_dollars(1.2 + 0.2 + 0.8));
    }

    #[test]
    fn tokens_that_are_put_into_a_cache_cost_what_the_provider_takes_for_it() {
        let model = |json: &str| -> ModelConfig { serde_json::from_str(json).unwrap() };
        let tokens =
            Tokens { input: 1_000_000, cached: 400_000, cache_written: 200_000, ..Tokens::default() };
        let anthropic = r#"{"provider":"anthropic","model":"m","price_input":4.0,"price_cached":0.4}"#;
        assert_eq!(model(anthropic).cost(tokens), Usd::from_dollars(1.6 + 0.16 + 1.0));
        assert_eq!(model(anthropic).most(1_000_000, 0), Usd::from_dollars(5.0));
        let openai = r#"{"provider":"openai","model":"m","price_input":4.0,"price_cached":0.4}"#;
        assert_eq!(model(openai).cost(tokens), Usd::from_dollars(1.6 + 0.16 + 0.8));
        let named = r#"{"provider":"openai","price_input":4.0,"price_cache_write":6.0,"price_cached":0.4}"#;
        assert_eq!(model(named).cost(tokens), Usd::from_dollars(1.6 + 0.16 + 1.2));
    }
}
