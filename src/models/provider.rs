//! From a model note to a model that can be asked: provider, base URL, key, time limits. Knows no wire format.

use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use genai::adapter::AdapterKind;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::domain::{ModelConfig, Provider};

use super::ollama::OllamaModel;
use super::remote::RemoteModel;
use super::template::TemplateModel;
use super::{Model, ModelError, RecordedModel, Recorder, recording};

/// What an endpoint without a key is sent where the wire format wants one.
const NO_KEY: &str = "none";
/// A server that does not take a connection within this time is down.
const CONNECT: Duration = Duration::from_secs(10);

/// Makes rustls use aws-lc for this process; calling it again does nothing. [`build`] calls it too.
pub fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
            tracing::debug!("another TLS provider is installed already");
        }
    });
}

/// The model of a note; keys come from the environment. A provider's own variable is used when the note names none:
/// `ANTHROPIC_API_KEY`, `OPENAI_API_KEY`, `GEMINI_API_KEY`. With `recording` set, answers of any provider but
/// `recorded` are appended to that file.
///
/// # Errors
/// `NoKey` names the variable that is not set; `Rejected` a note that cannot work; `NotRecorded` a recording that
/// cannot be read or written.
pub fn build(config: &ModelConfig, vault_root: &Path) -> Result<Arc<dyn Model>, ModelError> {
    build_with(config, vault_root, &|variable| std::env::var(variable).ok().map(SecretString::from))
}

/// Like [`build`], with keys looked up by `keys` instead of the environment.
///
/// # Errors
/// As [`build`].
pub fn build_with(
    config: &ModelConfig,
    vault_root: &Path,
    keys: &dyn Fn(&str) -> Option<SecretString>,
) -> Result<Arc<dyn Model>, ModelError> {
    let (adapter, default_url, default_variable) = match config.provider {
        Provider::Recorded => return Ok(Arc::new(RecordedModel::open(config, vault_root)?)),
        Provider::Template => return Ok(Arc::new(TemplateModel::new(config))),
        Provider::Anthropic => {
            (Some(AdapterKind::Anthropic), Some("https://api.anthropic.com/v1/"), Some("ANTHROPIC_API_KEY"))
        }
        Provider::OpenAi => {
            (Some(AdapterKind::OpenAI), Some("https://api.openai.com/v1/"), Some("OPENAI_API_KEY"))
        }
        Provider::Gemini => (
            Some(AdapterKind::Gemini),
            Some("https://generativelanguage.googleapis.com/v1beta/"),
            Some("GEMINI_API_KEY"),
        ),
        Provider::Ollama => (None, Some("http://localhost:11434/"), None),
        Provider::OpenAiCompatible => (Some(AdapterKind::OpenAI), None, None),
    };
    if config.model.trim().is_empty() {
        return Err(refused(config, "its note names no `model`; set the provider's own name of it"));
    }
    let url = base_url(config, default_url)?;
    let key = match config.api_key_env.as_deref().filter(|name| !name.is_empty()).or(default_variable) {
        Some(variable) => Some(key(config, variable, keys)?),
        None => None,
    };
    let client = client(config, &url)?;
    let (note, url) = (config.clone(), String::from(url));
    let model: Arc<dyn Model> = match adapter {
        None => Arc::new(OllamaModel::new(note, url, key, client)),
        Some(adapter) => {
            let key = key.unwrap_or_else(|| SecretString::from(NO_KEY));
            let model = RemoteModel::new(note, adapter, url, key, client);
            Arc::new(model.map_err(|error| refused(config, &format!("cannot make a client: {error}")))?)
        }
    };
    match &config.recording {
        None => Ok(model),
        Some(file) => {
            let file = recording::inside(config, vault_root, file)?;
            Ok(Arc::new(Recorder::create(model, file)?))
        }
    }
}

fn key(
    config: &ModelConfig,
    variable: &str,
    keys: &dyn Fn(&str) -> Option<SecretString>,
) -> Result<SecretString, ModelError> {
    let key = keys(variable).map(|key| SecretString::from(key.expose_secret().trim()));
    key.filter(|key| !key.expose_secret().is_empty())
        .ok_or_else(|| ModelError::NoKey { model: config.name.clone(), variable: variable.to_owned() })
}

/// The endpoint, ending in `/` so that paths are added to it and do not replace its last part.
fn base_url(config: &ModelConfig, default: Option<&str>) -> Result<Url, ModelError> {
    let text = config.base_url.as_deref().map(str::trim).filter(|text| !text.is_empty()).or(default);
    let Some(text) = text else {
        return Err(refused(
            config,
            "its note names no `base_url`; set one such as `http://localhost:8000/v1/`",
        ));
    };
    let mut url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| refused(config, "its `base_url` is no http or https address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(config, "its `base_url` holds credentials; name a variable in `api_key_env`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused(config, "its `base_url` has a `?` or `#` part; give the address alone"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Redirects are not followed: a key in a header of ours would travel along.
fn client(config: &ModelConfig, url: &Url) -> Result<reqwest::Client, ModelError> {
    install_tls();
    let timeout = Duration::from_secs(config.timeout_seconds.max(1));
    let mut builder = reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(CONNECT.min(timeout))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("ado-vault/", env!("CARGO_PKG_VERSION")));
    if url.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    }
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| refused(config, &format!("cannot make an http client: {error}")))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn refused(config: &ModelConfig, detail: &str) -> ModelError {
    ModelError::Rejected { model: config.name.clone(), detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> ModelConfig {
        serde_json::from_str(json).unwrap()
    }

    fn error(json: &str) -> ModelError {
        build_with(&config(json), Path::new("/nowhere"), &|_| None).err().unwrap()
    }

    #[test]
    fn a_base_url_ends_in_a_slash() {
        let note = config(r#"{"provider":"openai-compatible","base_url":"http://127.0.0.1:8000/v1"}"#);
        assert_eq!(base_url(&note, None).unwrap().as_str(), "http://127.0.0.1:8000/v1/");
        let note = config(r#"{"provider":"ollama"}"#);
        assert_eq!(
            base_url(&note, Some("http://localhost:11434/")).unwrap().as_str(),
            "http://localhost:11434/"
        );
    }

    #[test]
    fn a_missing_key_names_its_variable() {
        let named = error(r#"{"name":"gpt","provider":"openai","model":"m","api_key_env":"MY_KEY"}"#);
        assert_eq!(named.to_string(), "environment variable `MY_KEY` for model `gpt` is not set");
        let default = error(r#"{"name":"claude","provider":"anthropic","model":"m"}"#);
        assert_eq!(
            default.to_string(),
            "environment variable `ANTHROPIC_API_KEY` for model `claude` is not set"
        );
        let empty =
            build_with(&config(r#"{"provider":"gemini","model":"m"}"#), Path::new("/nowhere"), &|_| {
                Some(SecretString::from(" \n"))
            });
        assert!(matches!(empty.err(), Some(ModelError::NoKey { .. })));
    }

    #[test]
    fn a_note_that_cannot_work_says_what_to_set() {
        for (json, words) in [
            (r#"{"provider":"openai-compatible","model":"m"}"#, "`base_url`"),
            (r#"{"provider":"ollama"}"#, "`model`"),
            (r#"{"provider":"ollama","model":"m","base_url":"localhost:11434"}"#, "no http or https"),
            (r#"{"provider":"ollama","model":"m","base_url":"http://u:p@h/"}"#, "credentials"),
            (r#"{"provider":"ollama","model":"m","base_url":"http://h/?key=1"}"#, "`?`"),
        ] {
            let error = error(json);
            assert!(matches!(error, ModelError::Rejected { .. }), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn proxies_are_not_asked_for_this_machine() {
        for (url, expected) in [
            ("http://localhost:1/", true),
            ("http://127.0.0.1/", true),
            ("http://[::1]:1/", true),
            ("http://localhost.example.com/", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
