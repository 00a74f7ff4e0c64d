//! Which providers and models are left alone for now: a breaker each, shared by all runs of a process. What was before the
//! process began is told from the journals.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use reqwest::Url;

use super::breaker::Breaker;
use crate::domain::{CallEnd, CallFailure, FailureKind, ModelConfig, ModelName, Provider, Unwell};

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The breakers of a process.
pub struct Health {
    clock: Clock,
    breakers: Mutex<BTreeMap<Place, Breaker>>,
}

/// What a breaker belongs to. A limit on requests or tokens holds for one model; an outage, an overload or a used-up plan
/// for all models behind one endpoint and key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Model(ModelName),
    /// Endpoint in words, and the variable that its key is in.
    Provider(String, Option<String>),
}

/// Why a call is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    pub until: Timestamp,
    pub kind: FailureKind,
}

impl Default for Health {
    fn default() -> Self {
        Self::with_clock(Arc::new(Timestamp::now))
    }
}

impl Health {
    /// With the time from elsewhere, for tests.
    pub fn with_clock(clock: Clock) -> Self {
        Self { clock, breakers: Mutex::default() }
    }

    /// Hears of calls that ended before this process began, in any order. Calls of models without a note say nothing.
    pub fn recall(&self, models: &BTreeMap<ModelName, ModelConfig>, mut ends: Vec<CallEnd>) {
        ends.sort_by_key(|end| end.at);
        for end in ends {
            if let Some(config) = models.get(&end.model) {
                self.tell(config, end.failure, end.at);
            }
        }
    }

    /// Who is left alone now.
    pub fn unwell(&self) -> Vec<Unwell> {
        let now = self.now();
        let breakers = self.lock();
        let shut = breakers.iter().filter_map(|(place, breaker)| Some((place, breaker.shut(now)?)));
        let unwell = shut.map(|(place, (until, kind))| Unwell {
            what: place.in_words(),
            until,
            why: kind.in_words().to_owned(),
        });
        unwell.collect()
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Whether this model may be asked now. Who may, must tell how it ended.
    pub(super) fn ask(&self, config: &ModelConfig) -> Result<(), Refused> {
        let now = self.now();
        let mut breakers = self.lock();
        let places = places(config);
        let shut = places.iter().filter_map(|place| breakers.get(place)?.shut(now)).max_by_key(|shut| shut.0);
        if let Some((until, kind)) = shut {
            return Err(Refused { until, kind });
        }
        for place in places {
            if let Some(breaker) = breakers.get_mut(&place) {
                *breaker = breaker.asked(now).0;
            }
        }
        Ok(())
    }

    /// How a call that was let through ended.
    pub(super) fn ended(&self, config: &ModelConfig, failure: Option<CallFailure>) {
        self.tell(config, failure, self.now());
    }

    fn tell(&self, config: &ModelConfig, failure: Option<CallFailure>, at: Timestamp) {
        let mut breakers = self.lock();
        let about = failure.and_then(|failure| place_of(config, failure.kind));
        for place in places(config) {
            let breaker = breakers.entry(place.clone()).or_default();
            match failure {
                None => *breaker = breaker.answered(),
                Some(failure) if about.as_ref() == Some(&place) => *breaker = breaker.failed(failure, at),
                Some(_) => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Breaker>> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn in_words(&self) -> String {
        match self {
            Self::Model(name) => format!("model {name}"),
            Self::Provider(endpoint, None) => endpoint.clone(),
            Self::Provider(endpoint, Some(variable)) => format!("{endpoint} with the key in {variable}"),
        }
    }
}

/// The breakers that a call passes. Recordings and templates ask nobody.
fn places(config: &ModelConfig) -> Vec<Place> {
    if matches!(config.provider, Provider::Recorded | Provider::Template) {
        return vec![];
    }
    vec![Place::Model(config.name.clone()), provider_of(config)]
}

/// Which of them a failure is about. Gemini counts its long quotas by model, and is overloaded by model.
fn place_of(config: &ModelConfig, kind: FailureKind) -> Option<Place> {
    let by_model = match kind {
        FailureKind::Limited => true,
        FailureKind::Exhausted | FailureKind::Overloaded => config.provider == Provider::Gemini,
        FailureKind::Unreachable => false,
    };
    let place = if by_model { Place::Model(config.name.clone()) } else { provider_of(config) };
    places(config).contains(&place).then_some(place)
}

fn provider_of(config: &ModelConfig) -> Place {
    let slug = config.provider.slug();
    let host = config.base_url.as_deref().and_then(|url| {
        let url = Url::parse(url.trim()).ok()?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("{}{port}", url.host_str()?))
    });
    let endpoint = host.map_or_else(|| slug.to_owned(), |host| format!("{slug} at {host}"));
    Place::Provider(endpoint, config.api_key_env.clone().filter(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(json: &str) -> ModelConfig {
        serde_json::from_str(json).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn health(now: i64) -> Health {
        Health::with_clock(Arc::new(move || at(now)))
    }

    fn failure(kind: FailureKind, until: Option<i64>) -> Option<CallFailure> {
        Some(CallFailure { kind, until: until.map(at) })
    }

    #[test]
    fn an_empty_account_shuts_all_its_models_and_a_limit_only_its_own() {
        let (large, small) = (
            model(r#"{"name":"large","provider":"openai","model":"l"}"#),
            model(r#"{"name":"small","provider":"openai","model":"s"}"#),
        );
        let other = model(r#"{"name":"other","provider":"openai","model":"s","api_key_env":"SECOND"}"#);
        let health = health(0);
        health.ended(&large, failure(FailureKind::Limited, Some(50)));
        assert_eq!(health.ask(&large), Err(Refused { until: at(50), kind: FailureKind::Limited }));
        assert_eq!(health.ask(&small), Ok(()));
        health.ended(&small, failure(FailureKind::Exhausted, None));
        let exhausted = Err(Refused { until: at(3600), kind: FailureKind::Exhausted });
        assert_eq!((health.ask(&large), health.ask(&small)), (exhausted, exhausted));
        assert_eq!(health.ask(&other), Ok(()), "another key is another account");
        let said: Vec<String> =
            health.unwell().iter().map(|one| format!("{} {}", one.what, one.why)).collect();
        assert_eq!(said, ["model large is over its limit", "openai has no quota or credit left"]);
        health.ended(&small, None);
        assert_eq!(health.ask(&small), Ok(()));
    }

    #[test]
    fn a_new_process_knows_from_the_journals_who_is_unwell() {
        let note = model(
            r#"{"name":"m","provider":"openai-compatible","model":"x","base_url":"http://localhost:8000/v1/"}"#,
        );
        let models = BTreeMap::from([(note.name.clone(), note.clone())]);
        let end = |at_second, failure| CallEnd { model: note.name.clone(), at: at(at_second), failure };
        let down = failure(FailureKind::Unreachable, None);
        let fresh = health(20);
        fresh.recall(&models, vec![end(3, down), end(1, down), end(2, down), end(0, None)]);
        let unwell = fresh.unwell();
        assert_eq!(
            (unwell[0].what.as_str(), unwell[0].until),
            ("openai-compatible at localhost:8000", at(33))
        );
        let later = health(34);
        later.recall(&models, vec![end(1, down), end(2, down), end(3, down)]);
        assert_eq!(later.unwell(), []);
        let mended = health(20);
        mended.recall(&models, vec![end(1, down), end(2, down), end(3, None), end(4, down)]);
        assert_eq!(mended.unwell(), []);
    }

    #[test]
    fn who_asks_nobody_is_never_unwell() {
        let recorded = model(r#"{"name":"r","provider":"recorded"}"#);
        let health = health(0);
        health.ended(&recorded, failure(FailureKind::Exhausted, None));
        assert_eq!((health.ask(&recorded), health.unwell()), (Ok(()), vec![]));
    }
}
