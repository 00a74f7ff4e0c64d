//! Reads the notes that configure ado-vault: settings, policies, repositories, models, agents. It does not know the last
//! good version of a note; keeping that is the caller's.

use crate::domain::{
    AgentConfig, ApprovalPolicy, Diagnostic, GatePolicy, ModelConfig, NotePath, Repository, Routing, Settings,
};

/// What a note says, and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Read<T> {
    /// `None` when the note cannot be used.
    pub value: Option<T>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads `00_system/Settings.md`.
pub fn read_settings(path: &NotePath, text: &str) -> Read<Settings> {
    let _ = (path, text);
    Read { value: None, diagnostics: vec![] }
}

/// Reads `30_policy/Routing.md`.
pub fn read_routing(path: &NotePath, text: &str) -> Read<Routing> {
    let _ = (path, text);
    Read { value: None, diagnostics: vec![] }
}

/// Reads `30_policy/Approvals.md`.
pub fn read_approvals(path: &NotePath, text: &str) -> Read<ApprovalPolicy> {
    let _ = (path, text);
    Read { value: None, diagnostics: vec![] }
}

/// Reads `30_policy/Gates.md`.
pub fn read_gates(path: &NotePath, text: &str) -> Read<GatePolicy> {
    let _ = (path, text);
    Read { value: None, diagnostics: vec![] }
}

/// Reads a note of `00_system/repos/`; its body is the conventions.
pub fn read_repository(path: &NotePath, text: &str) -> Read<Repository> {
    let _ = (path, text);
    Read { value: None, diagnostics: vec![] }
}

/// Reads a note of `00_system/models/`.
pub fn read_model(path: &NotePath, text: &str) -> Read<ModelConfig> {
    let _ = (path, text);
    Read { value: None, diagnostics: vec![] }
}

/// Reads a note of `20_agents/`; its body is the prompt.
pub fn read_agent(path: &NotePath, text: &str) -> Read<AgentConfig> {
    let _ = (path, text);
    Read { value: None, diagnostics: vec![] }
}
