//! The secrets that this process holds: values of environment variables that notes name, or whose names say it.
//!
//! Does not know where they are taken out; `domain::redact_secrets` does that.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::SECRET_WORDS;

static HELD: Mutex<Held> = Mutex::new(Held { named: BTreeSet::new(), values: None });

struct Held {
    /// Names of variables that notes say hold a secret.
    named: BTreeSet<String>,
    /// As found in the environment, which stays the same while the process lives.
    values: Option<Arc<[String]>>,
}

/// From now on the values of these variables count as held, whatever their names say.
pub fn hold_variables<'a>(names: impl IntoIterator<Item = &'a str>) {
    let mut held = held();
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        if held.named.insert(name.to_owned()) {
            held.values = None;
        }
    }
}

/// Values of this process's environment that are secret, by the names of their variables or because a note names them.
pub fn secrets_held() -> Arc<[String]> {
    let mut held = held();
    let Held { named, values } = &mut *held;
    Arc::clone(values.get_or_insert_with(|| find(named)))
}

fn held() -> MutexGuard<'static, Held> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(named: &BTreeSet<String>) -> Arc<[String]> {
    let mut values = BTreeSet::new();
    for (name, value) in std::env::vars_os() {
        let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else { continue };
        if named.contains(&name) {
            // Of a key in several lines each counts, but for those that say what it is.
            let lines =
                value.lines().map(str::trim).filter(|line| line.len() >= 12 && !line.starts_with("-----"));
            values.extend(lines.map(str::to_owned));
        } else if SECRET_WORDS.iter().any(|word| name.to_uppercase().contains(word)) && is_value(&value) {
            values.insert(value);
        }
    }
    values.into_iter().collect()
}

/// Long enough for a secret, and no path such as an agent's socket.
fn is_value(value: &str) -> bool {
    value.len() >= 12 && !value.starts_with('/') && !value.contains(char::is_whitespace)
}
