//! The secrets that this process holds: values of environment variables that notes name, or whose names say it.
//!
//! Does not know where they are taken out; `domain::redact_secrets` does that.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::domain::SECRET_WORDS;

/// Names of variables that notes say hold a secret.
static NAMED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// From now on the values of these variables count as held, whatever their names say.
pub fn hold_variables<'a>(names: impl IntoIterator<Item = &'a str>) {
    let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    named.extend(names.into_iter().filter(|name| !name.is_empty()).map(str::to_owned));
}

/// Values of this process's environment that are secret, by the names of their variables or because a note names them.
pub fn secrets_held() -> Vec<String> {
    let named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
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
