//! Ranges and relations that values of registry notes must keep, beyond their types. It does not know where a note is.

use serde_json::{Map, Value};

use crate::domain::{
    AgentConfig, ApprovalPolicy, Backend, BranchName, Diagnostic, FeatureId, ForgeKind, GateKind, GatePolicy,
    ModelConfig, PLACEHOLDERS, Provider, REVIEW_PREFIX, Repository, Routing, SECRET_WORDS, SandboxMode,
    SandboxProfile, Settings, Tool, placeholders,
};

/// A property that does not keep its limits.
pub(crate) struct Breach {
    pub key: &'static str,
    pub diagnostic: Diagnostic,
}

type Given = Map<String, Value>;

/// Gathers breaches.
struct Limits<'a> {
    given: &'a Given,
    breaches: Vec<Breach>,
}

impl<'a> Limits<'a> {
    fn new(given: &'a Given) -> Self {
        Self { given, breaches: vec![] }
    }

    fn hold(&mut self, key: &'static str, holds: bool, message: impl Into<String>, remedy: &str) {
        if !holds {
            let diagnostic = Diagnostic::error("bad-value", message, remedy);
            self.breaches.push(Breach { key, diagnostic });
        }
    }

    fn warn(&mut self, key: &'static str, holds: bool, message: impl Into<String>, remedy: &str) {
        if !holds {
            let diagnostic = Diagnostic::warning("bad-value", message, remedy);
            self.breaches.push(Breach { key, diagnostic });
        }
    }

    fn within(&mut self, key: &'static str, value: u64, least: u64, most: u64) {
        self.hold(
            key,
            (least..=most).contains(&value),
            format!("`{key}` is {value}, outside of {least} to {most}"),
            &format!("write a number from {least} to {most}"),
        );
    }

    /// Amounts of money: the type reads a negative one as zero, so the number as written is looked at.
    fn money(&mut self, keys: &[&'static str]) {
        for key in keys {
            let amount = self.given.get(*key).and_then(Value::as_f64).unwrap_or(0.0);
            self.hold(
                key,
                (0.0..=1e9).contains(&amount),
                format!("`{key}` is {amount}, not an amount in USD"),
                "write a number of 0 or more",
            );
        }
    }

    fn globs(&mut self, key: &'static str, patterns: &[String]) {
        for pattern in patterns {
            if let Err(error) = globset::Glob::new(pattern) {
                self.hold(
                    key,
                    false,
                    format!("`{pattern}` in `{key}` is not a glob pattern: {error}"),
                    "correct it",
                );
            }
        }
    }
}

pub(crate) fn settings(settings: &Settings, given: &Given) -> Vec<Breach> {
    let mut limits = Limits::new(given);
    limits.hold(
        "id_prefix",
        FeatureId::new(&settings.id_prefix, 1).is_ok() && settings.id_prefix != REVIEW_PREFIX,
        format!("`{}` cannot begin an id", settings.id_prefix),
        "use upper-case letters and digits, such as `FR`",
    );
    limits.hold(
        "sandbox",
        settings.sandbox != SandboxMode::Container || settings.sandbox_image.is_some(),
        "`sandbox: container` needs an image",
        "name one that holds the toolchains as `sandbox_image`",
    );
    limits.within("poll_seconds", settings.poll_seconds, 1, 86_400);
    limits.within("debounce_ms", settings.debounce_ms, 0, 60_000);
    limits.within("quiet_seconds", settings.quiet_seconds, 0, 3_600);
    limits.within("write_pause_seconds", settings.write_pause_seconds, 0, 3_600);
    limits.within("max_parallel", settings.max_parallel.into(), 1, 1_000);
    limits.within("max_parallel_per_repo", settings.max_parallel_per_repo.into(), 1, 1_000);
    limits.within("max_rounds", settings.max_rounds.into(), 1, 100);
    limits.within("run_minutes", settings.run_minutes, 1, 100_000);
    limits.money(&["run_budget_usd", "day_budget_usd", "feature_budget_usd", "overnight_budget_usd"]);
    limits.breaches
}

pub(crate) fn routing(routing: &Routing, given: &Given) -> Vec<Breach> {
    let mut limits = Limits::new(given);
    let weights = [
        ("weight_phases", routing.weight_phases),
        ("weight_files", routing.weight_files),
        ("weight_components", routing.weight_components),
        ("weight_dependencies", routing.weight_dependencies),
        ("weight_new_code", routing.weight_new_code),
        ("weight_questions", routing.weight_questions),
    ];
    for (key, weight) in weights {
        limits.within(key, weight.into(), 0, 1_000);
    }
    limits.hold(
        "weight_phases",
        weights.iter().any(|(_, weight)| *weight > 0),
        "all weights are 0",
        "give at least one criterion a weight",
    );
    let starts = [
        ("simple_from", routing.simple_from),
        ("moderate_from", routing.moderate_from),
        ("complex_from", routing.complex_from),
        ("epic_from", routing.epic_from),
    ];
    for pair in starts.windows(2) {
        let [(lower, low), (upper, high)] = pair else { continue };
        limits.hold(
            upper,
            low <= high,
            format!("`{upper}` ({high}) is below `{lower}` ({low})"),
            "let each tier start where the one before it ends",
        );
    }
    limits.hold(
        "epic_from",
        routing.epic_from <= 101,
        format!("`epic_from` is {}; complexity goes to 100", routing.epic_from),
        "write a number from 0 to 100, or 101 for no epics",
    );
    limits.money(&[
        "trivial_budget_usd",
        "simple_budget_usd",
        "moderate_budget_usd",
        "complex_budget_usd",
        "epic_budget_usd",
    ]);
    limits.within("ageing_hours", routing.ageing_hours, 1, 100_000);
    let has_pair =
        routing.classes.iter().enumerate().any(|(at, class)| routing.classes[..at].contains(class));
    limits.hold("classes", !has_pair, "a class is listed twice", "list each class once");
    limits.breaches
}

pub(crate) fn approvals(policy: &ApprovalPolicy, given: &Given) -> Vec<Breach> {
    let mut limits = Limits::new(given);
    limits.globs("sensitive_paths", &policy.sensitive_paths);
    limits.within("max_diff_lines", policy.max_diff_lines, 1, 10_000_000);
    limits.within("max_diff_files", policy.max_diff_files, 1, 1_000_000);
    limits.breaches
}

pub(crate) fn gates(policy: &GatePolicy, given: &Given) -> Vec<Breach> {
    let mut limits = Limits::new(given);
    limits.within("timeout_seconds", policy.timeout_seconds, 1, 86_400);
    limits.within("context_lines", policy.context_lines.into(), 0, 10_000);
    limits.breaches
}

pub(crate) fn repository(repository: &Repository, given: &Given) -> Vec<Breach> {
    let mut limits = Limits::new(given);
    let path = repository.path.trim();
    limits.hold("path", !path.is_empty(), "`path` is empty", "write the folder of a local clone");
    limits.hold(
        "path",
        !path.contains("://") && !path.starts_with("git@"),
        format!("`{path}` is a URL, not a folder"),
        "clone the repository and write the clone's folder",
    );
    limits.hold(
        "default_branch",
        repository.default_branch.parse::<BranchName>().is_ok(),
        format!("`{}` is not a branch name that ado-vault uses", repository.default_branch),
        "use letters, digits, `.`, `_`, `-` and `/`",
    );
    limits.hold(
        "remote",
        !repository.remote.starts_with('-') && !repository.remote.contains(char::is_whitespace),
        format!("`{}` is not the name of a git remote", repository.remote),
        "write a name such as `origin`",
    );
    for line in &repository.gate_sandbox {
        let parsed = line
            .split_once(':')
            .filter(|(kind, profile)| is_gate(kind) && profile.parse::<SandboxProfile>().is_ok());
        limits.hold(
            "gate_sandbox",
            parsed.is_some(),
            format!("`{line}` is not a gate's sandbox"),
            "write `kind: profile`, such as `test: read-only` or `test: worktree+network localhost:5432`",
        );
    }
    limits.within("setup_timeout_seconds", repository.setup_timeout_seconds, 1, 86_400);
    limits.warn(
        "setup_hosts",
        repository.setup_hosts.is_empty() || repository.setup.is_some(),
        "without `setup` nothing reaches `setup_hosts`",
        "write the command that fetches dependencies as `setup`",
    );
    for cache in &repository.caches {
        let plain =
            !cache.is_empty() && cache.split('/').all(|part| !matches!(part, "" | "." | ".." | ".git"));
        limits.hold(
            "caches",
            plain,
            format!("`{cache}` is not a folder of the repository"),
            "write a relative path such as `target` or `web/node_modules`",
        );
    }
    for gate in &repository.gates {
        let parsed =
            gate.split_once(':').filter(|(kind, command)| is_gate(kind) && !command.trim().is_empty());
        limits.hold(
            "gates",
            parsed.is_some(),
            format!("`{gate}` is not a gate"),
            "write `kind: command`; kinds are format, lint, types, build, test, coverage, secrets",
        );
    }
    limits.within("hook_timeout_seconds", repository.hook_timeout_seconds, 1, 86_400);
    limits.globs("sensitive_paths", &repository.sensitive_paths);
    for name in &repository.env {
        limits.hold(
            "env",
            is_variable(name),
            "an entry of `env` is not the name of an environment variable",
            "name the variable; its value never lives in the vault",
        );
    }
    forge(&mut limits, repository);
    limits.breaches
}

fn forge(limits: &mut Limits<'_>, repository: &Repository) {
    let settings = &repository.forge_settings;
    for (key, name) in [("token_env", &settings.token_env), ("app_key_env", &settings.app_key_env)] {
        if let Some(name) = name
            && !is_variable(name)
        {
            let diagnostic = Diagnostic::error(
                "secret-in-note",
                format!(
                    "`{key}` must name an environment variable; what stands there may be the secret itself"
                ),
                "write the variable's name, such as `GITHUB_TOKEN`, and revoke what stands there if it is a token",
            );
            limits.breaches.push(Breach { key, diagnostic });
        }
    }
    if repository.forge == ForgeKind::Local {
        return;
    }
    limits.hold(
        "slug",
        settings.slug.as_deref().is_some_and(is_slug),
        format!(
            "`{}` does not say where the repository is at its forge",
            settings.slug.as_deref().unwrap_or_default()
        ),
        "write `slug: owner/name`",
    );
    if let Some(url) = &settings.base_url {
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        let loopback = local.iter().any(|start| {
            url.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        });
        limits.hold(
            "base_url",
            (url.starts_with("https://") || loopback) && !url.contains(['@', '?', '#', ' ']),
            format!("`{url}` is not the address of a forge's API"),
            "write an address such as `https://github.example.org/api/v3`, without user or password",
        );
    }
    limits.hold(
        "app_key_env",
        settings.app_id.is_none() || settings.app_key_env.is_some(),
        "`app_id` is given, and `app_key_env` is not",
        "name the environment variable that holds the app's private key",
    );
    let secrets = settings.variables(repository.forge);
    limits.hold(
        "env",
        repository.env.iter().all(|name| !secrets.contains(&name.as_str())),
        "`env` names a variable that holds the forge's secret: agents would see it",
        "take it out of `env`",
    );
}

/// `owner/name`.
fn is_slug(slug: &str) -> bool {
    let part = |part: &str| {
        (1..=100).contains(&part.len())
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    slug.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

fn is_gate(kind: &str) -> bool {
    serde_json::from_value::<GateKind>(Value::from(kind.trim())).is_ok()
}

pub(crate) fn model(model: &ModelConfig, given: &Given) -> Vec<Breach> {
    let mut limits = Limits::new(given);
    if model.provider == Provider::Recorded {
        limits.hold(
            "recording",
            model.recording.as_deref().is_some_and(|file| !file.trim().is_empty()),
            "the provider `recorded` needs a `recording`",
            "name the conversation's file, relative to the vault",
        );
    } else if model.provider != Provider::Template {
        limits.hold(
            "model",
            !model.model.trim().is_empty(),
            "`model` is missing",
            "write the provider's name of the model",
        );
    }
    limits.hold(
        "base_url",
        model.provider != Provider::OpenAiCompatible || model.base_url.is_some(),
        "the provider `openai-compatible` needs a `base_url`",
        "write the server's address, such as `http://localhost:8000/v1/`",
    );
    if let Some(url) = &model.base_url {
        let has_scheme = url.starts_with("http://") || url.starts_with("https://");
        limits.hold(
            "base_url",
            has_scheme,
            format!("`{url}` is not the address of a server"),
            "begin it with `https://` or `http://`",
        );
        limits.warn(
            "base_url",
            url.ends_with('/'),
            format!("`{url}` does not end in `/`"),
            "add a `/` at the end",
        );
        limits.hold(
            "base_url",
            !url.contains('@'),
            "`base_url` holds a user or password: secrets never live in the vault",
            "put the key into an environment variable and name it in `api_key_env`",
        );
    }
    if let Some(name) = &model.api_key_env
        && !is_variable(name)
    {
        let diagnostic = Diagnostic::error(
            "secret-in-note",
            "`api_key_env` must name an environment variable; what stands there looks like the key itself: \
             secrets never live in the vault",
            "write the variable's name, such as `ANTHROPIC_API_KEY`, and revoke the key",
        );
        limits.breaches.push(Breach { key: "api_key_env", diagnostic });
    }
    limits.within("context_tokens", model.context_tokens, 1, 100_000_000);
    limits.within("max_output_tokens", model.max_output_tokens, 1, 10_000_000);
    limits.hold(
        "max_output_tokens",
        model.max_output_tokens <= model.context_tokens,
        "`max_output_tokens` is more than `context_tokens`",
        "lower it",
    );
    limits.money(&["price_input", "price_cached", "price_output"]);
    limits.within("timeout_seconds", model.timeout_seconds, 1, 86_400);
    limits.breaches
}

pub(crate) fn agent(agent: &AgentConfig, given: &Given) -> Vec<Breach> {
    let mut limits = Limits::new(given);
    limits.within("max_turns", agent.max_turns.into(), 1, 1_000);
    let temperature = agent.temperature.unwrap_or(0.0);
    limits.hold(
        "temperature",
        (0.0..=2.0).contains(&temperature),
        format!("`temperature` is {temperature}, outside of 0 to 2"),
        "write a number from 0 to 2",
    );
    limits.hold(
        "sandbox",
        agent.role.may_write() || !matches!(&agent.sandbox, Some(SandboxProfile::Worktree)),
        format!("a `{}` changes nothing, so its sandbox cannot be `worktree`", agent.role.slug()),
        "write `read-only`, or remove the line",
    );
    let writes = agent.tools.iter().any(|tool| matches!(tool, Tool::Edit | Tool::Write));
    limits.warn(
        "tools",
        agent.role.may_write() || !writes,
        format!("a `{}` may not change files, so `edit` and `write` have no effect", agent.role.slug()),
        "remove them",
    );
    for command in &agent.commands {
        limits.hold(
            "commands",
            !command.trim().is_empty() && !command.contains(char::is_whitespace),
            format!("`{command}` is not one word"),
            "name the program alone; its arguments are the agent's",
        );
    }
    external(&mut limits, agent);
    limits.breaches
}

/// What an agent that is another program needs, and what only such a one has.
fn external(limits: &mut Limits<'_>, agent: &AgentConfig) {
    if agent.backend == Backend::BuiltIn {
        let others = [
            ("command", agent.command.is_empty()),
            ("env", agent.env.is_empty()),
            ("read_paths", agent.read_paths.is_empty()),
        ];
        for (key, missing) in others {
            limits.warn(
                key,
                missing,
                format!("`{key}` has no effect on the built-in agent"),
                "add `backend: command` or `backend: acp`, or remove the line",
            );
        }
        return;
    }
    let backend = agent.backend.slug();
    let program = agent.command.first().map(String::as_str).unwrap_or_default();
    limits.hold(
        "command",
        !program.trim().is_empty(),
        format!("`backend: {backend}` needs a `command`"),
        "list the program and its arguments, one word an entry",
    );
    limits.hold(
        "command",
        !program.contains(char::is_whitespace) && !program.contains("{{"),
        format!("`{program}` is not the name of a program"),
        "make every word an entry of its own, such as `[opencode, run, \"{{prompt}}\"]`; it is never a shell line",
    );
    let values = agent.env.iter().filter_map(|variable| variable.value.as_deref());
    for (key, text) in
        agent.command.iter().map(|word| ("command", word.as_str())).chain(values.map(|value| ("env", value)))
    {
        limits.hold(key, !text.contains('\0'), format!("`{key}` holds a NUL character"), "remove it");
        for name in
            placeholders(text).into_iter().filter(|name| PLACEHOLDERS.iter().all(|(known, _)| known != name))
        {
            let known: Vec<&str> = PLACEHOLDERS.iter().map(|(name, _)| *name).collect();
            limits.hold(
                key,
                false,
                format!("`{{{{{name}}}}}` in `{key}` stands for nothing"),
                &format!("the names are {}", known.join(", ")),
            );
        }
    }
    for variable in &agent.env {
        let secret = match &variable.value {
            Some(value) => looks_like_key(value.trim()),
            None => names_secret(&variable.name),
        };
        limits.hold(
            "env",
            !secret,
            "an entry of `env` would give the agent a key: it gets one for the model gateway, and no other",
            "remove it; the key stays in the variable that the model note names",
        );
    }
    for path in &agent.read_paths {
        limits.hold(
            "read_paths",
            path.starts_with('/') && path.trim_end_matches('/').contains('/'),
            format!("`{path}` is not an absolute path"),
            "write where the agent is installed, such as `/opt/agents/opencode`",
        );
    }
    limits.within("stall_seconds", agent.stall_seconds, 1, 86_400);
}

/// Whether this is a name that an environment variable can have, and not a key in its place.
fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !looks_like_key(name)
}

/// Whether a variable's name says that it holds a secret.
fn names_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Whether an unknown property holds a secret.
pub(crate) fn looks_secret(key: &str, value: &Value) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    let names_one =
        ["api_key", "apikey", "secret", "password", "access_token", "auth_token"].contains(&key.as_str());
    value.as_str().is_some_and(|text| looks_like_key(text) || (names_one && !text.is_empty()))
}

/// Beginnings that providers and forges give to their keys.
fn looks_like_key(text: &str) -> bool {
    ["sk-", "sk_", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "AIza", "AKIA"]
        .iter()
        .any(|start| text.starts_with(start) && text.len() > start.len() + 8)
}
