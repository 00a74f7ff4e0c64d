//! What a planned feature needs before it may start, and what advances from `new` by itself.
//!
//! Does not know the order of the queue or how many places are free.

use super::complexity;
use super::dependencies::{Dependencies, Unmet};
use super::models::pick_models;
use super::next::{Next, plain};
use super::{issues, specifying, spending};
use crate::domain::{
    Config, Diagnostic, Effect, FeatureView, Level, RepoName, Repository, Role, Snapshot, Status, Strategy,
    Tier,
};

/// Judges planned features; holds what is the same for all of them.
pub(super) struct Gatekeeper<'a> {
    snapshot: &'a Snapshot,
    dependencies: &'a Dependencies<'a>,
    /// Every role has an agent and every agent a model in every tier: nothing to check feature by feature.
    staffed: bool,
}

impl<'a> Gatekeeper<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, dependencies: &'a Dependencies<'a>) -> Self {
        let config = &snapshot.config;
        let staffed = Tier::ALL.iter().all(|tier| {
            [Strategy::Pipeline, Strategy::Split].iter().all(|way| staff(config, *way, *tier).is_ok())
        });
        Self { snapshot, dependencies, staffed }
    }

    /// Ready with the repository, or the first thing that is missing.
    pub(super) fn admit(&self, view: &FeatureView) -> Next {
        if !is_chosen(self.snapshot, view) {
            return Next::rest("not among the features asked for");
        }
        if let Some(why) = &self.snapshot.no_sandbox {
            return no_sandbox(why);
        }
        if let Some(next) = specifying::accept(view) {
            return next;
        }
        let repo = match repository(self.snapshot, view) {
            Ok(repository) => repository.name.clone(),
            Err(next) => return next,
        };
        self.dependency(view)
            .or_else(|| rows_of_people(view))
            .or_else(|| self.budget(view))
            .or_else(|| self.staff(view))
            .unwrap_or_else(|| Next::Ready {
                repo,
                reason: "planned, nothing is missing, and a place is free".to_owned(),
            })
    }

    /// The same for a note in `new` that is to be specified; `None` where no draft is wanted.
    pub(super) fn specify(&self, view: &FeatureView) -> Option<Next> {
        let why = specifying::wanted(self.snapshot, view)?;
        if !is_chosen(self.snapshot, view) {
            return Some(Next::rest("not among the features asked for"));
        }
        if let Some(why) = &self.snapshot.no_sandbox {
            return Some(no_sandbox(why));
        }
        let repo = match repository(self.snapshot, view) {
            Ok(repository) => repository.name.clone(),
            Err(next) => return Some(next),
        };
        let writer = employ(&self.snapshot.config, Role::SpecWriter, Tier::Simple);
        Some(self.budget(view).or_else(|| writer.err().map(|missing| ask_for(&missing))).unwrap_or_else(
            || Next::Ready { repo, reason: format!("{why}, nothing is missing, and a place is free") },
        ))
    }

    fn dependency(&self, view: &FeatureView) -> Option<Next> {
        let names = |ids: &[crate::domain::FeatureId], between: &str| {
            ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(between)
        };
        Some(match self.dependencies.unmet(&view.feature)? {
            Unmet::Unreadable(text) => Next::ask(
                "`depends_on` names no feature",
                format!("`depends_on` has the entry `{}`, which holds no feature id", plain(&text)),
                "write an id such as `FR-054` or a link to its note, or remove the entry",
            ),
            Unmet::Unknown(id) => Next::ask(
                &format!("unknown dependency {id}"),
                format!("it depends on `{id}`, and no note has that id"),
                format!("write the note of `{id}` or remove it from `depends_on`"),
            ),
            Unmet::Circle(ids) => Next::ask(
                &format!("dependency cycle {}", names(&ids, " → ")),
                format!("these features wait for each other: {}", names(&ids, " → ")),
                "remove one of them from the `depends_on` of another",
            ),
            Unmet::Waiting(ids) => Next::pause(
                format!("dependency: {}", names(&ids, ", ")),
                format!("it depends on {}, not done yet", names(&ids, ", ")),
                format!("finish {} or remove it from `depends_on`", names(&ids, ", ")),
            ),
        })
    }

    fn budget(&self, view: &FeatureView) -> Option<Next> {
        if let Some(why) =
            spending::used_up(spending::feature_caps(&self.snapshot.config, view), view.spent())
        {
            return Some(Next::ask_on(
                "budget",
                format!("the budget of this feature is used up: {why}"),
                "raise `budget_usd` or `budget_tokens` in the note, or the `feature_…` caps in `00_system/Settings.md`",
            ));
        }
        spending::of_all(self.snapshot)
    }

    fn staff(&self, view: &FeatureView) -> Option<Next> {
        if self.staffed {
            return None;
        }
        let (tier, strategy) = complexity::route(&view.feature, &self.snapshot.config, None);
        staff(&self.snapshot.config, strategy, tier).err().map(|missing| ask_for(&missing))
    }
}

/// A person's row in an earlier phase than rows of agents is done first.
fn rows_of_people(view: &FeatureView) -> Option<Next> {
    let mut rows = view.feature.sections.rows_awaited().map(|(phase, row)| {
        let name = plain(&row.name().replace('`', ""));
        (format!("phase {} row `{name}`", phase.number), plain(row.owner.trim()))
    });
    let (first, owner) = rows.next()?;
    let all: Vec<String> = std::iter::once((&*first, &*owner))
        .map(|(row, owner)| format!("{row} ({owner})"))
        .chain(rows.map(|(row, owner)| format!("{row} ({owner})")))
        .collect();
    Some(Next::ask(
        &format!("{first} is yours"),
        format!("rows that people own come before work of agents: {}", plain(&all.join(", "))),
        "do them and set their `Status` to `done`, or empty their `Owner` to leave them to agents",
    ))
}

/// Whether the command line lets this feature be worked on.
pub(super) fn is_chosen(snapshot: &Snapshot, view: &FeatureView) -> bool {
    match (&snapshot.only, &view.feature.id) {
        (Some(only), Some(id)) => only.contains(id),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

pub(super) fn no_sandbox(why: &str) -> Next {
    Next::ask(
        "no sandbox",
        format!("no agent may run on this machine: {}", plain(why)),
        "run `ado-vault doctor`, or set `sandbox: none` in `00_system/Settings.md` to run without one",
    )
}

pub(super) fn ask_for(missing: &Diagnostic) -> Next {
    Next::ask(&missing.message, plain(&missing.message), plain(&missing.remedy))
}

/// The repository a feature names, or the settings' default, if it can be used.
fn repository<'a>(snapshot: &'a Snapshot, view: &FeatureView) -> Result<&'a Repository, Next> {
    let config = &snapshot.config;
    let named = view.feature.properties.repo.as_deref().map(unlinked).filter(|name| !name.is_empty());
    let name: Option<RepoName> = match named {
        Some(name) => name.parse().ok(),
        None => config.settings.default_repo.clone(),
    };
    let known = || {
        let names: Vec<&str> = config.repositories.keys().map(RepoName::as_str).collect();
        if names.is_empty() {
            "there are none yet".to_owned()
        } else {
            format!("known: {}", names.join(", "))
        }
    };
    let found = name.as_ref().and_then(|name| config.repositories.get_key_value(name));
    let Some((name, repository)) = found else {
        let shown = named.map(str::to_owned).or_else(|| name.as_ref().map(ToString::to_string));
        return Err(match shown {
            Some(shown) => Next::ask(
                &format!("unknown repository `{shown}`"),
                format!("no note in `00_system/repos/` is named `{}`", plain(&shown)),
                format!("set `repo` to the name of a repository note ({}) or write one", known()),
            ),
            None => Next::ask(
                "no repository",
                "the note names no `repo` and the settings have no `default_repo`",
                format!("set `repo` to the name of a repository note ({})", known()),
            ),
        });
    };
    usable(snapshot, name).map_or(Ok(repository), Err)
}

/// Why a repository cannot be worked in now; `None` where it can.
pub(super) fn usable(snapshot: &Snapshot, name: &RepoName) -> Option<Next> {
    if !snapshot.config.repositories.contains_key(name) {
        return Some(Next::ask(
            &format!("unknown repository `{name}`"),
            format!("the note of repository `{name}` is gone"),
            format!("write `00_system/repos/{name}.md` again"),
        ));
    }
    snapshot.unusable_repos.get(name).map(|why| {
        Next::ask(
            &format!("repository `{name}` cannot be used"),
            plain(why),
            format!("mend the repository or the note `00_system/repos/{name}.md`"),
        )
    })
}

fn unlinked(text: &str) -> &str {
    let name = text.trim().trim_start_matches("[[").trim_end_matches("]]");
    name.split('|').next().unwrap_or(name).trim()
}

/// Whether the roles of a strategy have agents, and those models.
pub(super) fn staff(config: &Config, strategy: Strategy, tier: Tier) -> Result<(), Diagnostic> {
    let roles: &[Role] = match strategy {
        Strategy::Single => &[Role::Coder, Role::Reviewer],
        Strategy::Pipeline => &[Role::Planner, Role::Coder, Role::Reviewer],
        Strategy::Split => &[Role::Planner],
    };
    roles.iter().try_for_each(|role| employ(config, *role, tier))
}

/// Whether one role has an agent with models that exist.
pub(super) fn employ(config: &Config, role: Role, tier: Tier) -> Result<(), Diagnostic> {
    let Some(agent) = config.agent(role) else {
        return Err(Diagnostic::error(
            "missing-agent",
            format!("no agent has the role `{}`", role.slug()),
            format!("write a note in `20_agents/` with `role: {}`", role.slug()),
        ));
    };
    pick_models(config, agent, tier).map(|_| ())
}

/// Simple, low-risk, described notes in `new` go on by themselves where the settings say so. A note that already had a
/// run was moved back by a human and stays.
pub(super) fn advance(snapshot: &Snapshot, view: &FeatureView) -> Next {
    let by_hand = |why: &str| Next::rest(format!("{why}; move it to `planned` to have it done"));
    if !snapshot.config.settings.auto_advance {
        return by_hand("a new note");
    }
    if !view.runs.is_empty() {
        return by_hand("a human moved it back to `new`");
    }
    if !issues::goes_on_by_itself(&view.feature) {
        return by_hand("it comes from an issue of somebody who is no instructor");
    }
    let sections = &view.feature.sections;
    if sections.criteria.is_empty() && sections.summary.trim().is_empty() {
        return by_hand("it has neither a summary nor acceptance criteria");
    }
    let open = sections.questions.iter().any(|question| question.decision.trim().is_empty());
    if open || !sections.pending_decisions.is_empty() {
        return by_hand("it has open questions");
    }
    let (tier, _) = complexity::route(&view.feature, &snapshot.config, None);
    let (risk, _) = super::risk::risk(&view.feature, &snapshot.config);
    if tier > Tier::Simple || risk > Level::Low {
        return by_hand(&format!("it is {tier} and its risk {risk}"));
    }
    Next::act(
        Effect::Advance { path: view.feature.path.clone(), to: Status::Planned },
        format!("it is {tier}, its risk is {risk}, and `auto_advance` is set"),
    )
}
