//! What calls are signed with: a token from the environment, or an app's private key, which is exchanged for a token of
//! an hour that is renewed before it ends. It makes no calls.

use jiff::{SignedDuration, Timestamp};
use octocrab::auth::{EncodingKey, create_jwt};
use octocrab::models::AppId;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::domain::Repository;
use crate::forge::ForgeError;

/// A token is renewed when less than this is left of it.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// Reads a variable of the environment.
pub(crate) type Environment = dyn Fn(&str) -> Option<SecretString> + Send + Sync;

pub(super) enum Credential {
    Token(SecretString),
    App(App),
}

pub(super) struct App {
    id: AppId,
    key: EncodingKey,
}

/// A token that an app was given, and when it ends.
pub(super) struct Granted {
    pub token: SecretString,
    ends: Timestamp,
}

impl Credential {
    /// Reads what the repository note names.
    pub fn read(repository: &Repository, environment: &Environment) -> Result<Self, ForgeError> {
        let settings = &repository.forge_settings;
        let variables = settings.variables(repository.forge);
        let variable = variables.first().copied().unwrap_or("GITHUB_TOKEN");
        let secret = environment(variable)
            .filter(|secret| !secret.expose_secret().trim().is_empty())
            .ok_or_else(|| ForgeError::NoSecret { variable: variable.to_owned() })?;
        let Some(id) = settings.app_id else {
            return Ok(Self::Token(SecretString::from(secret.expose_secret().trim().to_owned())));
        };
        let key = EncodingKey::from_rsa_pem(secret.expose_secret().as_bytes()).map_err(|_| {
            let why = format!("`{variable}` does not hold a private key of an app (RSA, PEM)");
            ForgeError::Unusable { repository: repository.name.to_string(), why }
        })?;
        Ok(Self::App(App { id: AppId(id), key }))
    }
}

impl App {
    /// The short-lived word by which the server knows the app itself.
    pub fn signature(&self) -> Result<SecretString, ForgeError> {
        create_jwt(self.id, &self.key).map(SecretString::from).map_err(|error| ForgeError::Unusable {
            repository: format!("app {}", self.id),
            why: format!("its private key cannot sign: {error}"),
        })
    }
}

impl Granted {
    /// Reads the server's answer to the exchange. Its end is counted from the server's own time where that is known.
    pub fn read(body: &serde_json::Value, served: Option<i64>, now: Timestamp) -> Option<Self> {
        #[derive(Deserialize)]
        struct Wire {
            token: String,
            expires_at: Timestamp,
        }
        let wire = Wire::deserialize(body).ok()?;
        let served = served.and_then(|date| Timestamp::from_second(date).ok()).unwrap_or(now);
        let ends = now.checked_add(wire.expires_at.duration_since(served)).ok()?;
        Some(Self { token: SecretString::from(wire.token), ends })
    }

    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.ends.duration_since(now) > MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends_by_the_servers_clock() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let body = serde_json::json!({"token": "t", "expires_at": "2026-11-21T14:00:00Z"});
        // The server's clock is an hour ahead, so an hour is left and not two.
        let served = "2026-11-21T13:00:00Z".parse::<Timestamp>().unwrap().as_second();
        let granted = Granted::read(&body, Some(served), now).unwrap();
        assert!(granted.is_fresh("2026-11-21T12:54:59Z".parse().unwrap()));
        assert!(!granted.is_fresh("2026-11-21T12:55:00Z".parse().unwrap()));
        assert!(Granted::read(&serde_json::json!({"token": "t"}), None, now).is_none());
    }
}
