//! Settings and policies as their notes define them, with the defaults that a missing property means.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AgentConfig, AgentName, Caps, Diagnostic, ForgeSettings, HostRule, ModelConfig, ModelName, Overnight,
    RepoName, Role, Routing, SecretWaiver, Tier, Usd,
};

/// Front matter of `00_system/Settings.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Settings {
    /// Prefix of new feature ids: `FR` gives `FR-001`.
    pub id_prefix: String,
    /// How new notes are named: `title` gives `FR-056 Short title.md`, `slug` gives `FR-056-short-title.md`.
    pub note_name: NoteName,
    /// Seconds between two full looks while watching.
    pub poll_seconds: u64,
    /// Milliseconds that file events are gathered before a look.
    pub debounce_ms: u64,
    /// A note that changed within this many seconds is still being typed and is left alone.
    pub quiet_seconds: u64,
    /// Seconds between two writes of `ado-vault` to the note of one feature, and after a human's save; 0 for none.
    pub write_pause_seconds: u64,
    pub max_parallel: u32,
    pub max_parallel_per_repo: u32,
    /// Fix rounds (gates or review back to code) before a human is asked.
    pub max_rounds: u32,
    /// Rounds of feedback (words at the pull request, failing checks, conflicts) that a run works on before a human is asked.
    pub max_feedback_rounds: u32,
    /// Minutes of a run's active work before a human is asked.
    pub run_minutes: u64,
    pub run_budget_usd: Option<Usd>,
    pub run_budget_tokens: Option<u64>,
    pub run_max_calls: Option<u64>,
    /// Steps that agents of one run may begin.
    pub run_max_sessions: Option<u64>,
    /// Caps of a feature's whole life, where its note sets none.
    pub feature_budget_usd: Option<Usd>,
    pub feature_budget_tokens: Option<u64>,
    pub feature_max_calls: Option<u64>,
    pub feature_max_sessions: Option<u64>,
    pub feature_minutes: Option<u64>,
    pub day_budget_usd: Option<Usd>,
    pub day_budget_tokens: Option<u64>,
    pub day_max_calls: Option<u64>,
    pub day_max_sessions: Option<u64>,
    pub day_minutes: Option<u64>,
    /// Hours of the overnight session, such as `22:00-06:00 +02:00`; empty means that there is none.
    pub overnight: Option<Overnight>,
    pub overnight_budget_usd: Option<Usd>,
    pub overnight_budget_tokens: Option<u64>,
    pub overnight_max_calls: Option<u64>,
    pub overnight_max_sessions: Option<u64>,
    pub overnight_minutes: Option<u64>,
    /// Repository of a feature that names none.
    pub default_repo: Option<RepoName>,
    /// Model of an agent that names none.
    pub default_model: Option<ModelName>,
    /// Where worktrees are made; relative to the vault, or absolute. Empty means `.ado/worktrees`.
    pub worktrees: String,
    pub merge_method: MergeMethod,
    pub approval_authority: ApprovalAuthority,
    /// Simple, low-risk notes in `new` go to `planned` by themselves.
    pub auto_advance: bool,
    /// Notes in `new` with neither a summary nor acceptance criteria are given a draft of both by themselves.
    pub auto_specify: bool,
    /// `required`: no agent runs without the built-in sandbox. `container`: they run in containers of `sandbox_image`.
    /// `none`: agents run without a sandbox and every run says so.
    pub sandbox: SandboxMode,
    /// Image with the toolchains, for `sandbox: container`; it must be on this machine already.
    pub sandbox_image: Option<String>,
    /// Fetch and push the vault's own git remote during `sync`, and claim runs there before they begin.
    pub sync_remote: bool,
    /// Let the hooks `pre-commit` and `commit-msg` of the vault's own repository judge the commits of `ado-vault`.
    pub commit_hooks: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            id_prefix: "FR".into(),
            note_name: NoteName::Title,
            poll_seconds: 60,
            debounce_ms: 50,
            quiet_seconds: 3,
            write_pause_seconds: 5,
            max_parallel: 2,
            max_parallel_per_repo: 2,
            max_rounds: 5,
            max_feedback_rounds: 5,
            run_minutes: 120,
            run_budget_usd: Some(Usd::from_dollars(10.0)),
            run_budget_tokens: Some(5_000_000),
            run_max_calls: Some(300),
            run_max_sessions: None,
            feature_budget_usd: None,
            feature_budget_tokens: None,
            feature_max_calls: None,
            feature_max_sessions: None,
            feature_minutes: None,
            day_budget_usd: Some(Usd::from_dollars(50.0)),
            day_budget_tokens: None,
            day_max_calls: None,
            day_max_sessions: None,
            day_minutes: None,
            overnight: None,
            overnight_budget_usd: None,
            overnight_budget_tokens: None,
            overnight_max_calls: None,
            overnight_max_sessions: None,
            overnight_minutes: None,
            default_repo: None,
            default_model: None,
            worktrees: String::new(),
            merge_method: MergeMethod::Merge,
            approval_authority: ApprovalAuthority::Vault,
            auto_advance: false,
            auto_specify: false,
            sandbox: SandboxMode::Required,
            sandbox_image: None,
            sync_remote: true,
            commit_hooks: false,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteName {
    #[default]
    Title,
    Slug,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergeMethod {
    #[default]
    Merge,
    Squash,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalAuthority {
    /// Any human writer of the vault; agents cannot write it.
    #[default]
    Vault,
    /// A tick counts in a commit that is signed by an enrolled key and made when the gate was asked for.
    Signed,
    /// The merge counts as approved by a review at the forge, of the very head, by one of the repository's `approvers`.
    /// Before there is a pull request a tick counts as with `vault`.
    Forge,
}

impl std::str::FromStr for ApprovalAuthority {
    type Err = super::InvalidId;
    fn from_str(text: &str) -> Result<Self, super::InvalidId> {
        match text {
            "vault" => Ok(Self::Vault),
            "signed" => Ok(Self::Signed),
            "forge" => Ok(Self::Forge),
            _ => Err(super::InvalidId {
                kind: "approval authority",
                text: text.to_owned(),
                expected: "`vault`, `signed` or `forge`",
            }),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SandboxMode {
    #[default]
    Required,
    /// By docker or podman.
    Container,
    None,
}

/// Front matter of `30_policy/Approvals.md`: paths and sizes that need a human, and who may merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ApprovalPolicy {
    /// Glob patterns of paths whose change waits for a human.
    pub sensitive_paths: Vec<String>,
    /// A diff with more changed lines than this waits for a human.
    pub max_diff_lines: u64,
    /// A diff that touches more files than this waits for a human.
    pub max_diff_files: u64,
    #[serde(rename = "merge_policy")]
    pub merge: MergePolicy,
    /// Classes of changes that merge by themselves once the review approves and the forge's checks pass. What touches a
    /// sensitive path never does.
    pub auto_merge: Vec<MergeClass>,
    /// Most changed lines and files of the class `small`.
    pub small_diff_lines: u64,
    pub small_diff_files: u64,
    /// When the target branch is merged into a pull request's branch.
    pub update_branch: UpdateBranch,
    /// Nothing is pushed and no pull request is opened before a human approved the change.
    pub approve_pull_request: bool,
    /// Nothing is merged before a human approved the head. Always so where approvals are signed or reviews.
    pub approve_merge: bool,
}

impl Default for ApprovalPolicy {
    fn default() -> Self {
        Self {
            sensitive_paths: [
                ".github/**",
                ".gitlab-ci.yml",
                ".circleci/**",
                ".forgejo/**",
                ".gitea/**",
                "azure-pipelines.yml",
                "**/Jenkinsfile",
                "**/CODEOWNERS",
                "**/.gitattributes",
                "**/.gitmodules",
                "**/build.rs",
                "**/.cargo/**",
                "**/Makefile",
                "**/setup.py",
                "**/*.gradle",
                "**/*.gradle.kts",
                "**/Dockerfile*",
                "**/docker-compose*",
                "**/auth/**",
                "**/billing/**",
                "**/payments/**",
                "**/migrations/**",
                "**/infra/**",
                "**/terraform/**",
                "**/*.tf",
                "**/*secret*",
                "**/.env*",
                "**/.npmrc",
                "**/*.pem",
                "**/*.key",
            ]
            .map(String::from)
            .to_vec(),
            max_diff_lines: 1500,
            max_diff_files: 40,
            merge: MergePolicy::Human,
            auto_merge: vec![],
            small_diff_lines: 50,
            small_diff_files: 5,
            update_branch: UpdateBranch::Conflicts,
            approve_pull_request: false,
            approve_merge: false,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergePolicy {
    #[default]
    Human,
    /// Low-risk pull requests merge by themselves.
    LowRisk,
}

/// What a change is, where that decides who merges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergeClass {
    /// Texts for people alone.
    Documentation,
    /// Only blanks and line breaks, in languages where those mean nothing.
    Formatting,
    /// Manifests and lock files alone, for a request of the type `dependency`, with checks of the forge that pass.
    Dependencies,
    /// Low risk, few lines, few files.
    Small,
}

impl std::fmt::Display for MergeClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Documentation => "documentation alone",
            Self::Formatting => "formatting alone",
            Self::Dependencies => "dependencies alone",
            Self::Small => "small and of low risk",
        })
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateBranch {
    /// A human does it.
    Never,
    /// Where the two are in conflict.
    #[default]
    Conflicts,
    /// Also where the forge merges only what holds the target branch.
    Behind,
}

/// Front matter of `30_policy/Gates.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GatePolicy {
    /// `auto`: detect the project's tools. Otherwise only the gates of the repository note run.
    pub detect: bool,
    /// Gates that must exist, by kind: a run without one of these waits for a human.
    pub required: Vec<GateKind>,
    pub timeout_seconds: u64,
    /// Lines of raw output kept for the next instruction.
    pub context_lines: u32,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self { detect: true, required: vec![], timeout_seconds: 900, context_lines: 40 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateKind {
    Format,
    Lint,
    Types,
    Build,
    Test,
    Coverage,
    Secrets,
}

impl GateKind {
    pub fn slug(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Lint => "lint",
            Self::Types => "types",
            Self::Build => "build",
            Self::Test => "test",
            Self::Coverage => "coverage",
            Self::Secrets => "secrets",
        }
    }
}

impl std::fmt::Display for GateKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.slug())
    }
}

/// Front matter of a note in `00_system/repos/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Repository {
    /// The note's stem.
    #[serde(default = "unnamed_repo")]
    #[schemars(skip)]
    pub name: RepoName,
    /// Folder of a local clone: absolute, `~/…`, or relative to the vault.
    pub path: String,
    #[serde(default = "default_branch")]
    pub default_branch: String,
    /// Remote that branches are pushed to; missing or absent in the clone means a purely local repository.
    #[serde(default = "default_remote")]
    pub remote: String,
    #[serde(default)]
    pub forge: ForgeKind,
    #[serde(flatten)]
    pub forge_settings: ForgeSettings,
    /// Gates as `kind: command` lines, such as `test: cargo test`; they replace the detected gate of the same kind.
    #[serde(default)]
    pub gates: Vec<String>,
    /// Sandbox of gates as `kind: profile` lines, such as `test: worktree+network localhost:5432`; others have
    /// `worktree`.
    #[serde(default)]
    pub gate_sandbox: Vec<String>,
    /// Command that fetches and builds what every run begins with, before any agent works: the only one that reaches
    /// `setup_hosts`. It runs once for each state of the lock files.
    #[serde(default)]
    pub setup: Option<String>,
    /// Package registries that `setup` may reach.
    #[serde(default)]
    pub setup_hosts: Vec<HostRule>,
    #[serde(default = "default_setup_timeout")]
    pub setup_timeout_seconds: u64,
    /// Folders that `setup` fills and runs begin with, each with a layer of its own; empty means the usual ones.
    #[serde(default)]
    pub caches: Vec<String>,
    /// Commands run in a fresh worktree.
    #[serde(default)]
    pub after_create: Option<String>,
    #[serde(default)]
    pub before_run: Option<String>,
    #[serde(default)]
    pub after_run: Option<String>,
    #[serde(default)]
    pub before_remove: Option<String>,
    /// Time limit of each hook.
    #[serde(default = "default_hook_timeout")]
    pub hook_timeout_seconds: u64,
    /// More glob patterns of paths whose change waits for a human.
    #[serde(default)]
    pub sensitive_paths: Vec<String>,
    /// What the search for secrets takes for one and is none: lines `rule paths`, with ` sha256:…` behind for one value.
    #[serde(default)]
    pub allow_secrets: Vec<SecretWaiver>,
    /// Names of environment variables passed into the sandbox.
    #[serde(default)]
    pub env: Vec<String>,
    /// Extra folders of this machine that the sandbox shows read-only: toolchains, package caches.
    #[serde(default)]
    pub read_paths: Vec<String>,
    /// Body of the note: conventions for agents.
    #[serde(default)]
    #[schemars(skip)]
    pub conventions: String,
}

fn unnamed_repo() -> RepoName {
    "unnamed".parse().expect("a literal name is valid")
}

fn default_branch() -> String {
    "main".into()
}

fn default_remote() -> String {
    "origin".into()
}

fn default_setup_timeout() -> u64 {
    1800
}

fn default_hook_timeout() -> u64 {
    60
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForgeKind {
    /// Pull requests are notes in `80_pull_requests/`.
    #[default]
    Local,
    /// github.com or a GitHub Enterprise server.
    Github,
}

/// A note of `30_policy/review-rules/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewRule {
    pub name: String,
    pub text: String,
}

/// Everything that the vault's system, agent and policy notes say. An invalid note keeps its last good version here
/// and is named in `problems`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Config {
    pub settings: Settings,
    pub routing: Routing,
    pub approvals: ApprovalPolicy,
    pub gates: GatePolicy,
    pub constitution: String,
    pub review_rules: Vec<ReviewRule>,
    pub repositories: BTreeMap<RepoName, Repository>,
    pub models: BTreeMap<ModelName, ModelConfig>,
    pub agents: BTreeMap<AgentName, AgentConfig>,
    pub problems: Vec<Diagnostic>,
}

impl Config {
    /// The first agent of a role by name.
    pub fn agent(&self, role: Role) -> Option<&AgentConfig> {
        self.agents.values().find(|agent| agent.role == role)
    }

    /// Caps of one run: the settings', the tier's where it is lower.
    pub fn run_caps(&self, tier: Tier) -> Caps {
        let tier_usd = self.routing.budget(tier);
        let usd = self.settings.run_budget_usd.map_or(tier_usd, |cap| cap.min(tier_usd));
        Caps {
            usd: Some(usd),
            tokens: self.settings.run_budget_tokens,
            calls: self.settings.run_max_calls,
            sessions: self.settings.run_max_sessions,
            // `run_minutes` counts from the last resume and is a brake of its own.
            minutes: None,
        }
    }

    pub fn day_caps(&self) -> Caps {
        let settings = &self.settings;
        Caps {
            usd: settings.day_budget_usd,
            tokens: settings.day_budget_tokens,
            calls: settings.day_max_calls,
            sessions: settings.day_max_sessions,
            minutes: settings.day_minutes,
        }
    }

    /// Caps of one night, where there are nights.
    pub fn night_caps(&self) -> Caps {
        let settings = &self.settings;
        Caps {
            usd: settings.overnight_budget_usd,
            tokens: settings.overnight_budget_tokens,
            calls: settings.overnight_max_calls,
            sessions: settings.overnight_max_sessions,
            minutes: settings.overnight_minutes,
        }
    }

    /// Caps of the whole life of a feature whose note sets none itself.
    pub fn feature_caps(&self) -> Caps {
        let settings = &self.settings;
        Caps {
            usd: settings.feature_budget_usd,
            tokens: settings.feature_budget_tokens,
            calls: settings.feature_max_calls,
            sessions: settings.feature_max_sessions,
            minutes: settings.feature_minutes,
        }
    }
}
