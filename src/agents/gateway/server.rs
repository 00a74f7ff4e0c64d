//! The gateway on the wire: who asks with the token gets the desk's reply in the dialect in which it was asked.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::desk::Desk;
use super::few::Few;
use super::question::{Dialect, Said};
use super::refusal::Refusal;

/// Bytes of one question: more than the longest context of today's models holds.
const MOST_BYTES: usize = 16 << 20;
/// Connections of one agent.
const MOST_CONNECTIONS: usize = 32;

/// Serves at the listener until the handle is dropped.
pub(in crate::agents) fn serve(listener: TcpListener, desk: Arc<Desk>) -> AbortOnDropHandle<()> {
    let ask = |dialect| {
        post(move |State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes| async move {
            answer(&desk, dialect, &headers, &body, json!({})).await
        })
    };
    // With and without the version: agents put their addresses together in both ways.
    let of_version = Router::new()
        .route("/chat/completions", ask(Dialect::Chat))
        .route("/responses", ask(Dialect::Responses))
        .route("/messages", ask(Dialect::Messages))
        .route("/models", get(models));
    let router = Router::new()
        .route("/v1beta/models/{call}", post(gemini))
        .nest("/v1", of_version.clone())
        .merge(of_version)
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(desk);
    AbortOnDropHandle::new(tokio::spawn(async move {
        // It never ends by itself.
        let _ = axum::serve(Few::of(listener, MOST_CONNECTIONS), router).await;
    }))
}

/// Gemini's dialect says in the path which model is asked, and whether for a stream: `m:streamGenerateContent`.
async fn gemini(
    State(desk): State<Arc<Desk>>,
    Path(call): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (model, method) = call.rsplit_once(':').unwrap_or((&call, ""));
    let stream = match method {
        "generateContent" => false,
        "streamGenerateContent" => true,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    answer(&desk, Dialect::Gemini, &headers, &body, json!({"model": model, "stream": stream})).await
}

/// `more` is what the question holds besides its body.
async fn answer(desk: &Desk, dialect: Dialect, headers: &HeaderMap, body: &[u8], more: Value) -> Response {
    let question = match admitted(desk, headers).and_then(|()| {
        let mut body: Value = serde_json::from_slice(body)
            .map_err(|error| Refusal::of_question(&format!("the request is no JSON: {error}")))?;
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        dialect.read(&body).map_err(|problem| Refusal::of_question(&problem))
    }) {
        Ok(question) => question,
        Err(refusal) => return refused(dialect, &desk.refuse(refusal)),
    };
    let (turn, reply) = match desk.ask(&question).await {
        Ok(replied) => replied,
        Err(refusal) => return refused(dialect, &refusal),
    };
    let id = format!("{turn:08}");
    let said = Said { question: &question, reply: &reply, id, at: Timestamp::now().as_second() };
    match question.stream {
        true => ([(CONTENT_TYPE, "text/event-stream; charset=utf-8")], dialect.stream(&said)).into_response(),
        false => as_json(StatusCode::OK, &dialect.answer(&said)),
    }
}

/// The one model that there is, in the fields of both providers.
async fn models(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    if let Err(refusal) = admitted(&desk, &headers) {
        return refused(Dialect::Chat, &desk.refuse(refusal));
    }
    let model = json!({
        "id": desk.model,
        "object": "model",
        "type": "model",
        "display_name": desk.model,
        "created": 0,
        "created_at": "1970-01-01T00:00:00Z",
        "owned_by": "ado-vault",
    });
    as_json(StatusCode::OK, &json!({"object": "list", "data": [model], "has_more": false}))
}

fn admitted(desk: &Desk, headers: &HeaderMap) -> Result<(), Refusal> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let own = ["x-api-key", "x-goog-api-key", "api-key"]
        .map(|name| headers.get(name).and_then(|value| value.to_str().ok()));
    let given = bearer.into_iter().chain(own.into_iter().flatten());
    match given.into_iter().any(|given| desk.token.is(given.trim())) {
        true => Ok(()),
        false => Err(Refusal::wrong_token()),
    }
}

fn refused(dialect: Dialect, refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = as_json(status, &refusal.body(dialect));
    if let Some(wait) = refusal.retry_after {
        response.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
    }
    response
}

fn as_json(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
