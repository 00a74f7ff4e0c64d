//! One way to ask the server: one call at a time, signed, within the limits, bounded in time and size. It knows no pull
//! request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, ETAG, IF_NONE_MATCH, LINK, LOCATION, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Limited};
use jiff::{SignedDuration, Timestamp};
use octocrab::Octocrab;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::Clock;
use super::address::{Address, graphql};
use super::credential::{Credential, Granted};
use super::limits::{Limits, Signs};
use super::standing::Standing;
use crate::domain::redact_secrets;
use crate::forge::ForgeError;

const CONNECT: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const MOST_BYTES: usize = 8 << 20;
/// A wait for the limits up to this is slept; a longer one is the caller's to plan with.
const SHORT_WAIT: SignedDuration = SignedDuration::from_secs(2);
/// Answers that are remembered for conditional requests, and pages of one list.
const MOST_REMEMBERED: usize = 2_000;
const MOST_PAGES: usize = 30;
/// Entries of a full page.
const PAGE_ENTRIES: usize = 100;

/// A server as one account sees it. All repositories and runs of that account share one.
pub(super) struct Client {
    crab: Octocrab,
    base: String,
    credential: Credential,
    granted: tokio::sync::Mutex<Option<Granted>>,
    limits: Mutex<Limits>,
    remembered: Mutex<HashMap<String, (HeaderValue, Answer)>>,
    clock: Arc<dyn Clock>,
    standing: Standing,
    /// Calls go one after another, as GitHub asks its clients to.
    turn: tokio::sync::Mutex<()>,
}

/// An answer that a caller can act on: success, or a refusal that has a meaning.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Value,
    /// The next page of a list.
    next: Option<String>,
    /// Where the same is to be asked for instead: the repository was renamed.
    moved: Option<String>,
    /// The server's time.
    date: Option<i64>,
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it is the last page of a list and has no room left: the next entry changes nothing in it.
    fn is_full_end(&self) -> bool {
        let list = self.body.as_array().or_else(|| self.body.as_object()?.values().find_map(Value::as_array));
        self.next.is_none() && list.is_some_and(|list| list.len() >= PAGE_ENTRIES)
    }

    /// What the server said of a refusal, bounded and without secrets.
    pub fn message(&self) -> String {
        let mut said = vec![self.body["message"].as_str().unwrap_or_default().to_owned()];
        for error in self.body["errors"].as_array().into_iter().flatten().take(5) {
            said.extend(error.as_str().or_else(|| error["message"].as_str()).map(str::to_owned));
        }
        said.retain(|part| !part.trim().is_empty());
        let said = crate::note::plain(&redact_secrets(&said.join("; "), &[]));
        said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(400).collect()
    }
}

impl Client {
    /// Must be called within a tokio runtime, which the connection then belongs to.
    pub fn new(
        base: &str,
        credential: Credential,
        clock: Arc<dyn Clock>,
        standing: Standing,
    ) -> Result<Self, ForgeError> {
        let unusable = |error: octocrab::Error| ForgeError::Unusable {
            repository: base.to_owned(),
            why: format!("no client can be made for it: {}", causes(&error)),
        };
        let crab = Octocrab::builder()
            .base_uri(base)
            .map_err(unusable)?
            .set_connect_timeout(Some(CONNECT))
            .set_read_timeout(Some(clock.patience()))
            .set_write_timeout(Some(clock.patience()))
            .build()
            .map_err(unusable)?;
        let mut limits = Limits::default();
        if let Some(not_before) = standing.read() {
            limits.remember(not_before, clock.now());
        }
        Ok(Self {
            crab,
            base: base.to_owned(),
            credential,
            granted: tokio::sync::Mutex::new(None),
            limits: Mutex::new(limits),
            remembered: Mutex::default(),
            clock,
            standing,
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// Reads one thing. What did not change since it was read last costs nothing of the limits.
    pub async fn get(&self, at: &Address, path: &str) -> Result<Answer, ForgeError> {
        self.call(at, Method::GET, path, None).await
    }

    /// Reads a list, page by page. `items` names the field that holds it, where the answer is not the list itself.
    pub async fn list(
        &self,
        at: &Address,
        path: &str,
        items: Option<&str>,
    ) -> Result<Vec<Value>, ForgeError> {
        let mut found = vec![];
        let mut next = Some(path.to_owned());
        for _ in 0..MOST_PAGES {
            let Some(path) = next.take() else { break };
            let mut answer = self.get(at, &path).await?;
            if !answer.is_success() {
                return Err(refused(&path, &answer));
            }
            let body = match items {
                Some(field) => answer.body[field].take(),
                None => answer.body.take(),
            };
            let Value::Array(page) = body else {
                return Err(self.unreachable(&path, "the answer holds no list"));
            };
            found.extend(page);
            next = answer.next;
        }
        Ok(found)
    }

    /// Reads a text that does not change once it is there, such as the log of a job that ended, and keeps what
    /// `shortened` leaves of it.
    pub async fn text(
        &self,
        at: &Address,
        path: &str,
        shortened: impl Fn(&str) -> String,
    ) -> Result<String, ForgeError> {
        if let Some((_, known)) = self.lock(&self.remembered).get(path) {
            return Ok(known.body.as_str().unwrap_or_default().to_owned());
        }
        let answer = self.get(at, path).await?;
        let Value::String(text) = &answer.body else { return Err(refused(path, &answer)) };
        let text = shortened(text);
        let answer = Answer { body: Value::String(text.clone()), ..answer };
        self.remember(path, HeaderValue::from_static("\"whole\""), answer);
        Ok(text)
    }

    /// Asks for a change. Null stands for no body.
    pub async fn send(
        &self,
        at: &Address,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<Answer, ForgeError> {
        self.call(at, method, path, Some(body).filter(|body| !body.is_null())).await
    }

    /// Asks GraphQL, for the few things that the plain API does not do. Gives the `data`.
    pub async fn ask(&self, at: &Address, query: &str, variables: Value) -> Result<Value, ForgeError> {
        let path = graphql(&self.base);
        let body = json!({ "query": query, "variables": variables });
        let mut answer = self.call(at, Method::POST, &path, Some(body)).await?;
        if !answer.is_success() || answer.body.get("errors").is_some_and(|errors| !errors.is_null()) {
            return Err(refused("/graphql", &answer));
        }
        Ok(answer.body["data"].take())
    }

    /// The token that git may use now.
    pub async fn token(&self, at: &Address) -> Result<SecretString, ForgeError> {
        let _turn = self.turn.lock().await;
        self.bearer(at).await
    }

    async fn call(
        &self,
        at: &Address,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, ForgeError> {
        let _turn = self.turn.lock().await;
        let bearer = self.bearer(at).await?;
        let answer = self.once(&method, path, body.as_ref(), &bearer).await?;
        if answer.status == 401 && matches!(self.credential, Credential::App(_)) {
            // The token was taken back or ended early. A refused call did nothing, so it may be made again.
            *self.granted.lock().await = None;
            let bearer = self.bearer(at).await?;
            return allowed(path, self.once(&method, path, body.as_ref(), &bearer).await?);
        }
        // Reads are led on by the connection; a change that was not made there is asked for again at the new place.
        if let Some(moved) = answer.moved.as_ref().filter(|_| method != Method::GET) {
            return allowed(path, self.once(&method, moved, body.as_ref(), &bearer).await?);
        }
        allowed(path, answer)
    }

    async fn bearer(&self, at: &Address) -> Result<SecretString, ForgeError> {
        let app = match &self.credential {
            Credential::Token(token) => return Ok(token.clone()),
            Credential::App(app) => app,
        };
        let mut granted = self.granted.lock().await;
        if let Some(granted) = granted.as_ref().filter(|granted| granted.is_fresh(self.clock.now())) {
            return Ok(granted.token.clone());
        }
        let path = at.path("/installation");
        let found = allowed(&path, self.once(&Method::GET, &path, None, &app.signature()?).await?)?;
        let Some(installation) = found.body["id"].as_u64().filter(|_| found.is_success()) else {
            return Err(refused(&path, &found));
        };
        let path = format!("/app/installations/{installation}/access_tokens");
        let given = self.once(&Method::POST, &path, Some(&json!({})), &app.signature()?).await?;
        let given = allowed(&path, given)?;
        let fresh = Granted::read(&given.body, given.date, self.clock.now())
            .filter(|_| given.is_success())
            .ok_or_else(|| refused(&path, &given))?;
        let token = fresh.token.clone();
        *granted = Some(fresh);
        Ok(token)
    }

    /// One request and its answer, within the limits; nothing is tried twice here.
    async fn once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        bearer: &SecretString,
    ) -> Result<Answer, ForgeError> {
        let writes = *method != Method::GET;
        self.wait(writes).await?;
        let known = (!writes).then(|| self.lock(&self.remembered).get(path).cloned()).flatten();
        let request = self.request(method, path, body, bearer, known.as_ref().map(|(tag, _)| tag))?;
        if writes {
            self.lock(&self.limits).wrote(self.clock.now());
        }
        let exchange = async {
            let response = self.crab.send(request).await.map_err(|error| causes(&error))?;
            let (head, body) = response.into_parts();
            let bytes = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| error.to_string())?;
            Ok::<_, String>((head, bytes.to_bytes()))
        };
        let (head, bytes) = match tokio::time::timeout(self.clock.patience(), exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return Err(self.unreachable(path, &why)),
            Err(_) => {
                let why = format!("no answer within {} seconds", self.clock.patience().as_secs());
                return Err(self.unreachable(path, &why));
            }
        };
        let status = head.status.as_u16();
        let parsed = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
        let signs = signs(status, &head.headers, parsed.as_ref().unwrap_or(&Value::Null));
        self.hear(&signs);
        if signs.is_limit() {
            return Err(self.limited(self.lock(&self.limits).allowed_at(self.clock.now(), false)));
        }
        if let (304, Some((_, answer))) = (status, known) {
            // A page that is as it was may have got a next one.
            return Ok(Answer { next: next_page(&head.headers, &self.base).or(answer.next), ..answer });
        }
        if status >= 500 || status == 408 || status == 304 {
            return Err(self.unreachable(path, &format!("it answered {status}")));
        }
        let body = match parsed {
            Ok(body) => body,
            Err(_) if status >= 400 => Value::Null,
            Err(_) if is_text(&head.headers) => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
            Err(_) => return Err(self.unreachable(path, "the answer is not JSON")),
        };
        let next = next_page(&head.headers, &self.base);
        let moved = moved(status, &head.headers, &self.base);
        let answer = Answer { status, body, next, moved, date: signs.date };
        if let (200, false, Some(tag)) = (status, writes || answer.is_full_end(), head.headers.get(ETAG)) {
            self.remember(path, tag.clone(), answer.clone());
        }
        Ok(answer)
    }

    fn remember(&self, path: &str, tag: HeaderValue, answer: Answer) {
        let mut remembered = self.lock(&self.remembered);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(path.to_owned(), (tag, answer));
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        bearer: &SecretString,
        tag: Option<&HeaderValue>,
    ) -> Result<Request<octocrab::OctoBody>, ForgeError> {
        let bad = |why: String| ForgeError::Unusable { repository: self.base.clone(), why };
        let mut signed = HeaderValue::from_str(&format!("Bearer {}", bearer.expose_secret()))
            .map_err(|_| bad("the token holds characters that no token has".into()))?;
        signed.set_sensitive(true);
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header(AUTHORIZATION, signed)
            .header(ACCEPT, "application/vnd.github+json")
            .header(USER_AGENT, "ado-vault");
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        self.crab.build_request(request, body).map_err(|error| bad(causes(&error)))
    }

    /// Waits a little for the limits; says when to come again where it is longer.
    async fn wait(&self, writes: bool) -> Result<(), ForgeError> {
        let now = self.clock.now();
        let at = self.lock(&self.limits).allowed_at(now, writes);
        if at.duration_since(now) > SHORT_WAIT {
            return Err(self.limited(at));
        }
        self.clock.until(at).await;
        Ok(())
    }

    fn hear(&self, signs: &Signs) {
        let now = self.clock.now();
        let mut limits = self.lock(&self.limits);
        let before = limits.not_before();
        limits.heard(signs, now);
        if let Some(after) = limits.not_before().filter(|after| Some(*after) != before) {
            self.standing.write(after);
        }
    }

    fn limited(&self, until: Timestamp) -> ForgeError {
        ForgeError::Limited { server: self.base.clone(), until }
    }

    fn unreachable(&self, path: &str, why: &str) -> ForgeError {
        let why: String = redact_secrets(why, &[]).chars().take(300).collect();
        ForgeError::Unreachable { server: self.base.clone(), what: path.to_owned(), why }
    }

    /// What a panic elsewhere left is whole: nothing is held over a wait.
    fn lock<'a, T>(&self, held: &'a Mutex<T>) -> std::sync::MutexGuard<'a, T> {
        held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A refusal that says nothing about the thing asked for but about the asker is an error at once.
fn allowed(path: &str, answer: Answer) -> Result<Answer, ForgeError> {
    if matches!(answer.status, 401 | 403) { Err(refused(path, &answer)) } else { Ok(answer) }
}

pub(super) fn refused(path: &str, answer: &Answer) -> ForgeError {
    ForgeError::Refused { what: path.to_owned(), status: answer.status, why: answer.message() }
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/plain"))
}

fn signs(status: u16, headers: &HeaderMap, body: &Value) -> Signs {
    fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        headers.get(name)?.to_str().ok().map(str::trim)
    }
    let number = |name: &str| header(headers, name).and_then(|text| text.parse().ok());
    let date = header(headers, DATE.as_str()).and_then(|text| {
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(date.as_second())
    });
    // GraphQL says it in the body of a success.
    let errors = body["errors"].as_array();
    let limited = errors.is_some_and(|all| all.iter().any(|error| error["type"] == "RATE_LIMITED"));
    let message = body["message"].as_str().unwrap_or_default().to_lowercase();
    Signs {
        status: if limited { 429 } else { status },
        retry_after: number("retry-after"),
        remaining: number("x-ratelimit-remaining"),
        reset: header(headers, "x-ratelimit-reset").and_then(|text| text.parse().ok()),
        date,
        speaks_of_limit: message.contains("rate limit") || message.contains("abuse detection"),
    }
}

/// The address of the next page as a path of the same server; one of another server is not followed.
fn next_page(headers: &HeaderMap, base: &str) -> Option<String> {
    let links = headers.get(LINK)?.to_str().ok()?;
    let link = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let address = link.split('<').nth(1)?.split('>').next()?;
    let path = address.strip_prefix(base)?;
    path.starts_with('/').then(|| path.to_owned())
}

/// The place that a redirection names, as a path of the same server; to another server nothing is taken.
fn moved(status: u16, headers: &HeaderMap, base: &str) -> Option<String> {
    let address = headers.get(LOCATION)?.to_str().ok().filter(|_| matches!(status, 301 | 302 | 307 | 308))?;
    let path = address.strip_prefix(base).unwrap_or(address);
    (path.starts_with('/') && !path.starts_with("//")).then(|| path.to_owned())
}

/// An error with its causes on one line, without the stack that octocrab's own words carry.
fn causes(error: &octocrab::Error) -> String {
    let mut said: Vec<String> = vec![];
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        let words = error.to_string();
        if said.last().is_none_or(|last| !last.contains(&words)) {
            said.push(words);
        }
        cause = error.source();
    }
    if said.is_empty() { "the connection failed".to_owned() } else { said.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_is_followed_to_the_same_server_alone() {
        let to = |status: u16, address: &str| {
            let headers = [(LOCATION, HeaderValue::from_str(address).unwrap())].into_iter().collect();
            moved(status, &headers, "https://api.github.com")
        };
        let new = "https://api.github.com/repositories/7/pulls";
        assert_eq!(to(307, new).as_deref(), Some("/repositories/7/pulls"));
        assert_eq!(to(201, new), None);
        assert_eq!(to(307, "https://evil.example/pulls"), None);
        assert_eq!(to(307, "//evil.example/pulls"), None);
        assert_eq!(to(308, "https://api.github.com.evil.example/pulls"), None);
    }

    #[test]
    fn the_next_page_is_of_the_same_server() {
        let next = |link: &str| {
            let headers = [(LINK, HeaderValue::from_str(link).unwrap())].into_iter().collect();
            next_page(&headers, "https://api.github.com")
        };
        let first = "<https://api.github.com/repositories/1/pulls?page=1>; rel=\"prev\", \
                     <https://api.github.com/repositories/1/pulls?page=3>; rel=\"next\"";
        assert_eq!(next(first).as_deref(), Some("/repositories/1/pulls?page=3"));
        assert_eq!(next("<https://evil.example/x?page=2>; rel=\"next\""), None);
        assert_eq!(next("<https://api.github.com.evil.example/x>; rel=\"next\""), None);
        assert_eq!(next("<https://api.github.com/x>; rel=\"last\""), None);
    }
}
