//! The gateway on the wire: who asks with the token gets the desk's reply in the dialect in which it was asked.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::desk::Desk;
use super::few::Few;
use super::pieces::Pieces;
use super::question::{Dialect, Said};
use super::refusal::Refusal;
use crate::models::ChatReply;

/// Bytes of one question: more than the longest context of today's models holds.
const MOST_BYTES: usize = 16 << 20;
const EVENTS: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "text/event-stream; charset=utf-8")];
/// Connections of one agent.
const MOST_CONNECTIONS: usize = 32;

/// Serves at the listener until the handle is dropped.
pub(in crate::agents) fn serve(listener: TcpListener, desk: Arc<Desk>) -> AbortOnDropHandle<()> {
    let ask = |dialect| {
        post(move |State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes| async move {
            answer(desk, dialect, &headers, &body, json!({})).await
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
    answer(desk, Dialect::Gemini, &headers, &body, json!({"model": model, "stream": stream})).await
}

/// `more` is what the question holds besides its body.
async fn answer(
    desk: Arc<Desk>,
    dialect: Dialect,
    headers: &HeaderMap,
    body: &[u8],
    more: Value,
) -> Response {
    let question = match admitted(&desk, headers).and_then(|()| {
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
    let (id, at) = (desk.next_id(), Timestamp::now().as_second());
    if question.stream {
        return stream(desk, Pieces::new(dialect, Arc::new(question), id, at)).await;
    }
    match desk.ask(&question, None).await {
        Ok(reply) => {
            let said = Said { question: &question, reply: &reply, id, at };
            as_json(StatusCode::OK, &dialect.answer(&said))
        }
        Err(refusal) => refused(dialect, &refusal),
    }
}

/// An answer under way.
struct Live {
    pieces: Pieces,
    /// Words that came, the first of them taken out.
    heard: mpsc::UnboundedReceiver<String>,
    first: Option<String>,
    /// Ends with the connection.
    asking: AbortOnDropHandle<Result<ChatReply, Refusal>>,
}

/// Passes the answer on as it comes. What fails before its first words is refused as a whole.
async fn stream(desk: Arc<Desk>, pieces: Pieces) -> Response {
    let (tell, mut heard) = mpsc::unbounded_channel();
    let question = pieces.question();
    let asking = AbortOnDropHandle::new(tokio::spawn(async move {
        // Nobody listens any more once the connection is closed.
        let ear = move |words: &str| drop(tell.send(words.to_owned()));
        desk.ask(&question, Some(&ear)).await
    }));
    let first = heard.recv().await;
    if first.is_none() {
        return match asking.await.unwrap_or_else(|_| Err(Refusal::broken())) {
            Ok(reply) => (EVENTS, pieces.end(&reply)).into_response(),
            Err(refusal) => refused(pieces.dialect(), &refusal),
        };
    }
    let live = Live { pieces, heard, first, asking };
    let body = futures_util::stream::unfold(Some(live), |live| async move {
        let mut live = live?;
        let words = match live.first.take() {
            Some(first) => Some(first),
            None => live.heard.recv().await,
        };
        Some(match words {
            Some(words) => (Ok::<_, Infallible>(live.pieces.words(&words)), Some(live)),
            None => {
                let Live { pieces, asking, .. } = live;
                let end = match asking.await.unwrap_or_else(|_| Err(Refusal::broken())) {
                    Ok(reply) => pieces.end(&reply),
                    Err(refusal) => pieces.broken(&refusal),
                };
                (Ok(end), None)
            }
        })
    });
    (EVENTS, Body::from_stream(body)).into_response()
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
