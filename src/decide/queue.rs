//! Who is served first: class, then priority, then age, then number; and how many at once.
//!
//! Does not know whether a feature may start; only such are given to it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::eligibility::is_chosen;
use super::next::Next;
use crate::domain::{Config, Effect, FeatureView, QueueClass, RepoName, Snapshot, Status};

/// Places that are taken. Every live run at work holds one, whatever it waits for, unless the command line leaves it out.
pub(super) struct Slots {
    taken: u32,
    by_repo: BTreeMap<RepoName, u32>,
}

impl Slots {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut slots = Self { taken: 0, by_repo: BTreeMap::new() };
        let chosen = snapshot.features.iter().filter(|view| is_chosen(snapshot, view));
        // A pull request that waits for its merge takes nobody's time.
        let at_work = chosen.filter_map(FeatureView::live_run).filter(|run| run.status != Status::Review);
        for run in at_work {
            slots.take(&run.repo);
        }
        slots
    }

    fn take(&mut self, repo: &RepoName) {
        self.taken += 1;
        *self.by_repo.entry(repo.clone()).or_default() += 1;
    }

    /// Why nothing may start in `repo` now.
    fn full(&self, config: &Config, repo: &RepoName) -> Option<String> {
        let (all, each) = (config.settings.max_parallel, config.settings.max_parallel_per_repo);
        let here = self.by_repo.get(repo).copied().unwrap_or(0);
        if self.taken >= all {
            Some(format!("{} of {all} places (`max_parallel`) are taken", self.taken))
        } else if here >= each {
            Some(format!("{here} of {each} places of `{repo}` (`max_parallel_per_repo`) are taken"))
        } else {
            None
        }
    }
}

/// Turns what is ready into starts, first come by rank, and the rest into waits.
pub(super) fn admit(snapshot: &Snapshot, mut slots: Slots, judged: &mut [(&FeatureView, Next)]) {
    let mut ready: Vec<usize> =
        (0..judged.len()).filter(|index| matches!(judged[*index].1, Next::Ready { .. })).collect();
    ready.sort_by_cached_key(|index| rank(snapshot, judged[*index].0));
    for (place, index) in ready.into_iter().enumerate() {
        let (view, next) = &mut judged[index];
        let Next::Ready { repo, reason } = &*next else { continue };
        let Some(run) = view.current_run() else { continue };
        *next = match slots.full(&snapshot.config, repo) {
            Some(why) => Next::pause(
                "slot",
                format!("{why}; it is number {} in the queue", place + 1),
                "wait for a run to end, or raise the limit in `00_system/Settings.md`",
            ),
            None => {
                slots.take(repo);
                let effect = Effect::Start {
                    path: view.feature.path.clone(),
                    run,
                    repo: repo.clone(),
                    kind: view.feature.kind(),
                    from: view.feature.folder.unwrap_or(Status::Planned),
                };
                Next::act(effect, format!("{reason} ({})", standing(snapshot, view)))
            }
        };
    }
}

/// Smaller is served sooner.
fn rank(snapshot: &Snapshot, view: &FeatureView) -> (usize, u8, Timestamp, u64, String) {
    (
        class_place(snapshot, view).saturating_sub(lifts(snapshot, view)),
        view.feature.properties.priority.unwrap_or(u8::MAX),
        view.waiting_since.unwrap_or(Timestamp::MAX),
        view.feature.id.as_ref().map_or(u64::MAX, |id| id.number()),
        view.feature.path.as_str().to_owned(),
    )
}

fn class(view: &FeatureView) -> QueueClass {
    if view.asked || view.feature.properties.priority == Some(1) {
        QueueClass::Asked
    } else {
        QueueClass::of(view.feature.kind())
    }
}

/// Place of the feature's class among the classes of `Routing.md`; classes not named there come last.
fn class_place(snapshot: &Snapshot, view: &FeatureView) -> usize {
    let classes = &snapshot.config.routing.classes;
    let class = class(view);
    classes.iter().position(|each| *each == class).unwrap_or(classes.len())
}

/// Classes gained by waiting.
fn lifts(snapshot: &Snapshot, view: &FeatureView) -> usize {
    let step = snapshot.config.routing.ageing_hours;
    let waited = view.waiting_since.map_or(0, |since| snapshot.now.duration_since(since).as_hours());
    let hours = u64::try_from(waited).unwrap_or(0);
    hours.checked_div(step).and_then(|lifts| usize::try_from(lifts).ok()).unwrap_or(0)
}

fn standing(snapshot: &Snapshot, view: &FeatureView) -> String {
    let class = match class(view) {
        QueueClass::Asked => "asked for",
        QueueClass::Bug => "bug",
        QueueClass::Feature => "feature",
        QueueClass::Maintenance => "maintenance",
    };
    let priority =
        view.feature.properties.priority.map_or("none".to_owned(), |priority| priority.to_string());
    format!("class {class}, priority {priority}, classes gained by waiting {}", lifts(snapshot, view))
}
