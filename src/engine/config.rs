//! Reads settings, policies, agents, models and repositories afresh when their notes change; an invalid note keeps
//! its last good version and is named among the problems.

use std::collections::BTreeMap;

use crate::domain::{
    AgentConfig, ApprovalPolicy, Config, Diagnostic, GatePolicy, ModelConfig, NotePath, Repository,
    ReviewRule, Routing, Settings,
};
use crate::models::hold_variables;
use crate::note::{self, Read};
use crate::vault::{Folders, Scan, ScannedNote, TextId};

/// Remembers the last good version of every configuration note.
#[derive(Default)]
pub struct ConfigReader {
    settings: Kept<Settings>,
    routing: Kept<Routing>,
    approvals: Kept<ApprovalPolicy>,
    gates: Kept<GatePolicy>,
    repositories: Kept<Repository>,
    models: Kept<ModelConfig>,
    agents: Kept<AgentConfig>,
}

impl ConfigReader {
    /// The configuration as the notes of this scan say it.
    pub fn read(&mut self, scan: &Scan, folders: &Folders) -> Config {
        let mut config = Config::default();
        let system = folders.system();
        let policy = folders.policy();
        let named = |folder: &str, stem: &str| scan.in_folder(folder).find(|note| note.path.stem() == stem);
        let problems = &mut config.problems;
        if let Some(value) = self.settings.one(named(system, "Settings"), note::read_settings, problems) {
            config.settings = value;
        }
        if let Some(value) = self.routing.one(named(policy, "Routing"), note::read_routing, problems) {
            config.routing = value;
        }
        if let Some(value) = self.approvals.one(named(policy, "Approvals"), note::read_approvals, problems) {
            config.approvals = value;
        }
        if let Some(value) = self.gates.one(named(policy, "Gates"), note::read_gates, problems) {
            config.gates = value;
        }
        let repositories =
            self.repositories.all(scan.in_folder(folders.repositories()), note::read_repository, problems);
        config.repositories = repositories.into_iter().map(|repo| (repo.name.clone(), repo)).collect();
        let models = self.models.all(scan.in_folder(folders.models()), note::read_model, problems);
        config.models = models.into_iter().map(|model| (model.name.clone(), model)).collect();
        hold_variables(config.models.values().filter_map(|model| model.api_key_env.as_deref()));
        hold_variables(
            config.repositories.values().flat_map(|repo| repo.forge_settings.variables(repo.forge)),
        );
        let agents = self.agents.all(scan.in_folder(folders.agents()), note::read_agent, problems);
        config.agents = agents.into_iter().map(|agent| (agent.name.clone(), agent)).collect();
        if let Some(constitution) = named(policy, "Constitution") {
            config.constitution = note::body(&constitution.text()).trim().to_owned();
        }
        config.review_rules = scan
            .in_folder(folders.review_rules())
            .map(|rule| ReviewRule {
                name: rule.path.stem().to_owned(),
                text: note::body(&rule.text()).trim().to_owned(),
            })
            .collect();
        config
    }
}

/// Last read and last good version of the notes of one kind.
struct Kept<T> {
    read: BTreeMap<NotePath, (TextId, Vec<Diagnostic>)>,
    good: BTreeMap<NotePath, T>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { read: BTreeMap::new(), good: BTreeMap::new() }
    }
}

impl<T: Clone> Kept<T> {
    fn one(
        &mut self,
        note: Option<&ScannedNote>,
        read: impl Fn(&NotePath, &str) -> Read<T>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<T> {
        self.all(note.into_iter(), read, problems).pop()
    }

    fn all<'a>(
        &mut self,
        notes: impl Iterator<Item = &'a ScannedNote>,
        read: impl Fn(&NotePath, &str) -> Read<T>,
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<T> {
        let mut values = vec![];
        let mut seen = BTreeMap::new();
        for note in notes {
            let diagnostics = match self.read.remove(&note.path) {
                Some((blob, diagnostics)) if blob == note.blob => diagnostics,
                _ => self.read_one(note, &read),
            };
            problems.extend(diagnostics.iter().cloned());
            seen.insert(note.path.clone(), (note.blob, diagnostics));
            values.extend(self.good.get(&note.path).cloned());
        }
        self.good.retain(|path, _| seen.contains_key(path));
        self.read = seen;
        values
    }

    fn read_one(&mut self, note: &ScannedNote, read: impl Fn(&NotePath, &str) -> Read<T>) -> Vec<Diagnostic> {
        let Read { value, mut diagnostics } = read(&note.path, &note.text());
        let broken = value.is_none() || diagnostics.iter().any(Diagnostic::is_error);
        match value {
            Some(value) if !broken => {
                self.good.insert(note.path.clone(), value);
            }
            _ if self.good.contains_key(&note.path) => {
                for diagnostic in &mut diagnostics {
                    diagnostic.message.push_str(" (the last good version stays in force)");
                }
            }
            _ => {}
        }
        diagnostics
    }
}
