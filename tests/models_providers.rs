//! Every provider's wire format against an HTTP server on loopback: what is sent, what is understood, what failures mean.

mod models_support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ado_vault::domain::{ModelConfig, Tokens};
use ado_vault::models::{ChatRequest, Message, Model, ModelError, RetryPolicy, Router, ToolCall, build_with};
use models_support::{Book, Entry, config, request};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const KEY: &str = "sk-test-4f9a1b7c0d";

/// A wire format, and how its server talks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Dialect {
    Anthropic,
    OpenAi,
    Gemini,
    Ollama,
    Compatible,
}

use Dialect::{Anthropic, Compatible, Gemini, Ollama, OpenAi};

const ALL: [Dialect; 5] = [Anthropic, OpenAi, Gemini, Ollama, Compatible];

impl Dialect {
    fn note(self, server: &str) -> ModelConfig {
        let (provider, key) = match self {
            Anthropic => ("anthropic", None),
            OpenAi => ("openai", Some("MY_KEY")),
            Gemini => ("gemini", None),
            Ollama => ("ollama", None),
            Compatible => ("openai-compatible", None),
        };
        let mut note = config(&format!(
            r#"{{"name":"m","provider":"{provider}","model":"{}","base_url":"{server}/v1","timeout_seconds":5}}"#,
            self.model()
        ));
        note.api_key_env = key.map(String::from);
        note
    }

    /// The library reads `-max` as a reasoning effort. Models of these two providers carry no such ending, others do.
    fn model(self) -> &'static str {
        if matches!(self, Anthropic | Gemini) { "some" } else { "some-max" }
    }

    fn path(self) -> &'static str {
        match self {
            Anthropic => "/v1/messages",
            OpenAi | Compatible => "/v1/chat/completions",
            Gemini => "/v1/models/some:generateContent",
            Ollama => "/v1/api/chat",
        }
    }

    fn key_header(self) -> Option<(&'static str, String)> {
        match self {
            Anthropic => Some(("x-api-key", KEY.into())),
            OpenAi => Some(("authorization", format!("Bearer {KEY}"))),
            Gemini => Some(("x-goog-api-key", KEY.into())),
            Ollama => None,
            Compatible => Some(("authorization", "Bearer none".into())),
        }
    }

    /// 120 tokens in, 40 of them cached, 30 out, 10 of them reasoning where the format can tell.
    fn answer(self, text: &str, call: Option<Value>) -> Value {
        match self {
            Anthropic => {
                let mut content = vec![json!({"type": "text", "text": text})];
                let stop = if call.is_some() { "tool_use" } else { "end_turn" };
                content.extend(
                    call.map(|input| json!({"type":"tool_use","id":"toolu_1","name":"edit","input":input})),
                );
                json!({
                    "type": "message", "role": "assistant", "model": "x", "content": content, "stop_reason": stop,
                    "usage": {"input_tokens": 50, "cache_creation_input_tokens": 30,
                              "cache_read_input_tokens": 40, "output_tokens": 30,
                              "output_tokens_details": {"thinking_tokens": 10}},
                })
            }
            OpenAi | Compatible => {
                let stop = if call.is_some() { "tool_calls" } else { "stop" };
                let calls = call.map(|input| {
                    json!([{"id":"call_1","type":"function",
                            "function":{"name":"edit","arguments":input.to_string()}}])
                });
                json!({
                    "model": "x",
                    "choices": [{"finish_reason": stop,
                                 "message": {"role": "assistant", "content": text, "tool_calls": calls}}],
                    "usage": {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150,
                              "prompt_tokens_details": {"cached_tokens": 40},
                              "completion_tokens_details": {"reasoning_tokens": 10}},
                })
            }
            Gemini => {
                let mut parts = vec![json!({"text": text})];
                parts.extend(call.map(|input| json!({"functionCall": {"name": "edit", "args": input}})));
                json!({
                    "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
                    "usageMetadata": {"promptTokenCount": 120, "cachedContentTokenCount": 40,
                                      "candidatesTokenCount": 20, "thoughtsTokenCount": 10,
                                      "totalTokenCount": 150},
                })
            }
            Ollama => {
                let calls = call.map(|input| json!([{"function": {"name": "edit", "arguments": input}}]));
                json!({
                    "message": {"role": "assistant", "content": text, "tool_calls": calls}, "done": true,
                    "done_reason": "stop", "prompt_eval_count": 120, "prompt_eval_cached_count": 40, "eval_count": 30,
                })
            }
        }
    }

    fn usage(self) -> Tokens {
        let reasoning = if self == Ollama { 0 } else { 10 };
        let cache_written = if self == Anthropic { 30 } else { 0 };
        Tokens { input: 120, cached: 40, cache_written, output: 30, reasoning }
    }

    fn overflow(self) -> Value {
        let words = match self {
            Anthropic => "prompt is too long: 208310 tokens > 200000 maximum",
            OpenAi | Compatible => "This model's maximum context length is 8192 tokens.",
            Gemini => {
                "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
            }
            Ollama => return json!({"error": "input length exceeds the context length"}),
        };
        json!({"error": {"message": words}})
    }

    /// The place of the results of two tool calls in the request that carries them.
    fn results(self, body: &Value) -> (Value, Value) {
        let at = |place: &str| body.pointer(place).cloned().unwrap_or(Value::Null);
        match self {
            Anthropic => (at("/messages/2/content/0"), at("/messages/2/content/1")),
            OpenAi | Compatible => (at("/messages/3"), at("/messages/4")),
            Gemini => (
                at("/contents/2/parts/0/functionResponse/name"),
                at("/contents/2/parts/1/functionResponse/response"),
            ),
            Ollama => (at("/messages/3/content"), at("/messages/4/content")),
        }
    }
}

fn model(note: &ModelConfig) -> Arc<dyn Model> {
    build_with(note, Path::new("/nowhere"), &|_| Some(SecretString::from(KEY))).unwrap()
}

async fn serve(dialect: Dialect, answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path(dialect.path())).respond_with(answer).mount(&server).await;
    server
}

async fn fails(dialect: Dialect, answer: ResponseTemplate) -> ModelError {
    let server = serve(dialect, answer).await;
    let error = model(&dialect.note(&server.uri())).call(&request("hello")).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(KEY), "{dialect:?}: {error}");
    error
}

async fn sent(server: &MockServer) -> Value {
    serde_json::from_slice(&server.received_requests().await.unwrap()[0].body).unwrap()
}

#[tokio::test]
async fn a_text_comes_back_with_normalised_usage_and_the_key_only_in_its_header() {
    for dialect in ALL {
        let answer = ResponseTemplate::new(200).set_body_json(dialect.answer("hi there", None));
        let server = serve(dialect, answer).await;
        let reply = model(&dialect.note(&server.uri())).call(&request("hello")).await.unwrap();
        assert_eq!((reply.text.as_str(), reply.ended.as_str()), ("hi there", "stop"), "{dialect:?}");
        assert_eq!(reply.tokens, dialect.usage(), "{dialect:?}");
        let received = server.received_requests().await.unwrap();
        if let Some((header, value)) = dialect.key_header() {
            assert_eq!(received[0].headers[header].to_str().unwrap(), value, "{dialect:?}");
        }
        let body = String::from_utf8(received[0].body.clone()).unwrap();
        assert!(!received[0].url.as_str().contains(KEY) && !body.contains(KEY), "{dialect:?}");
        assert!(body.contains("You write code.") && body.contains("500") && body.contains("0.2"), "{body}");
        assert!(body.contains("Replaces text in a file."), "{body}");
        if dialect != Gemini {
            assert_eq!(sent(&server).await["model"], dialect.model(), "{dialect:?}");
        }
        assert!(sent(&server).await.get("reasoning_effort").is_none(), "{dialect:?}");
        if dialect == Ollama {
            assert_eq!(
                sent(&server).await["options"]["num_ctx"],
                8192,
                "its default would cut conversations off"
            );
        }
    }
}

#[tokio::test]
async fn tool_calls_and_their_results_make_the_round_trip() {
    for dialect in ALL {
        let answer = dialect.answer("I edit.", Some(json!({"path": "a.rs"})));
        let server = serve(dialect, ResponseTemplate::new(200).set_body_json(answer)).await;
        let model = model(&dialect.note(&server.uri()));
        let reply = model.call(&request("hello")).await.unwrap();
        assert_eq!((reply.text.as_str(), reply.ended.as_str()), ("I edit.", "tool_calls"), "{dialect:?}");
        let [call] = reply.tool_calls.as_slice() else { panic!("{dialect:?}: {reply:?}") };
        assert_eq!((call.name.as_str(), &call.arguments), ("edit", &json!({"path": "a.rs"})));
        assert!(call.id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{}", call.id);

        server.reset().await;
        let text = ResponseTemplate::new(200).set_body_json(dialect.answer("done", None));
        Mock::given(method("POST")).and(path(dialect.path())).respond_with(text).mount(&server).await;
        let second = ToolCall { id: "second".into(), name: "edit".into(), arguments: json!("broken {") };
        model.call(&next_turn(call.clone(), second)).await.unwrap();
        let body = sent(&server).await;
        let id = &call.id;
        let expected = match dialect {
            Anthropic => (
                json!({"type": "tool_result", "content": "1 changed", "tool_use_id": id}),
                json!({"type": "tool_result", "content": "refused", "tool_use_id": "second",
                       "cache_control": {"type": "ephemeral"}}),
            ),
            OpenAi | Compatible => (
                json!({"role": "tool", "content": "1 changed", "tool_call_id": id}),
                json!({"role": "tool", "content": "refused", "tool_call_id": "second"}),
            ),
            Gemini => {
                (json!("edit"), body["contents"][2]["parts"][1]["functionResponse"]["response"].clone())
            }
            Ollama => (json!("1 changed"), json!("refused")),
        };
        assert_eq!(dialect.results(&body), expected, "{dialect:?}: {body:#}");
        let text = body.to_string();
        assert!(
            text.contains("a.rs") && text.contains("refused") && text.contains("not_an_object"),
            "{text}"
        );
    }
}

fn next_turn(first: ToolCall, second: ToolCall) -> ChatRequest {
    let mut request = request("hello");
    let result = |call: &ToolCall, content: &str| Message::Tool {
        call_id: call.id.clone(),
        name: call.name.clone(),
        content: content.into(),
    };
    let results = [result(&first, "1 changed"), result(&second, "refused")];
    request.messages.push(Message::Assistant { text: "I edit.".into(), tool_calls: vec![first, second] });
    request.messages.extend(results);
    request
}

#[tokio::test]
async fn anthropic_is_told_to_keep_the_task_and_the_newest_message_for_the_next_turn() {
    let server =
        serve(Anthropic, ResponseTemplate::new(200).set_body_json(Anthropic.answer("x", None))).await;
    let call = |id: &str| ToolCall { id: id.into(), name: "edit".into(), arguments: json!({}) };
    model(&Anthropic.note(&server.uri())).call(&next_turn(call("one"), call("two"))).await.unwrap();
    let body = sent(&server).await;
    assert_eq!(body.to_string().matches("cache_control").count(), 2, "{body:#}");
    assert_eq!(body["messages"][0]["content"][0]["cache_control"]["type"], "ephemeral", "{body:#}");
    assert_eq!(body["messages"][2]["content"][1]["cache_control"]["type"], "ephemeral", "{body:#}");
}

#[tokio::test]
async fn a_used_up_plan_is_told_from_a_limit_of_pace() {
    let body = json!({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}});
    for dialect in ALL {
        let error = fails(dialect, ResponseTemplate::new(429).set_body_json(body.clone())).await;
        assert!(matches!(error, ModelError::Exhausted { until: None, .. }), "{dialect:?}: {error}");
    }
    let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let error = fails(Anthropic, ResponseTemplate::new(529).set_body_json(overloaded)).await;
    assert!(matches!(error, ModelError::Overloaded { .. }), "{error}");
}

#[tokio::test]
async fn a_limit_tells_when_it_ends() {
    for dialect in ALL {
        let answer =
            ResponseTemplate::new(429).insert_header("retry-after", "17").set_body_string("slow down");
        let error = fails(dialect, answer).await;
        let ModelError::RateLimited { retry_after, detail, .. } = &error else {
            panic!("{dialect:?}: {error}")
        };
        assert_eq!((*retry_after, detail.as_str()), (Some(Duration::from_secs(17)), "429: slow down"));
    }
}

#[tokio::test]
async fn a_refused_key_is_named_but_not_shown() {
    for dialect in [Anthropic, OpenAi, Gemini] {
        let body = json!({"error": {"message": format!("Incorrect API key provided: {KEY}\u{7}.")}});
        let error = fails(dialect, ResponseTemplate::new(401).set_body_json(body)).await;
        assert_eq!(error.to_string(), "model `m` refused the key: 401: Incorrect API key provided: [key] .");
    }
}

#[tokio::test]
async fn too_long_a_conversation_is_told_apart() {
    for dialect in ALL {
        let error = fails(dialect, ResponseTemplate::new(400).set_body_json(dialect.overflow())).await;
        assert!(matches!(error, ModelError::ContextOverflow { .. }), "{dialect:?}: {error}");
    }
}

#[tokio::test]
async fn broken_answers_are_failures_and_never_replies() {
    for dialect in ALL {
        let cut = ResponseTemplate::new(200).set_body_raw(r#"{"choices": [{"mess"#, "application/json");
        let error = fails(dialect, cut).await;
        let ModelError::BrokenOff { tokens, .. } = &error else { panic!("{dialect:?}: {error}") };
        assert!(tokens.input > 0 && tokens.output == 500, "it may be charged in full: {tokens:?}");
        let page = ResponseTemplate::new(200).set_body_raw("<html>", "text/html");
        let error = fails(dialect, page).await;
        assert!(error.to_string().contains("`base_url`"), "{dialect:?}: {error}");
        let other = fails(dialect, ResponseTemplate::new(200).set_body_json(json!({"ok": true}))).await;
        assert!(matches!(other, ModelError::Rejected { .. }), "{dialect:?}: {other}");
        let wrapped = json!({"error": {"code": 503, "message": "overloaded"}});
        let error = fails(dialect, ResponseTemplate::new(200).set_body_json(wrapped)).await;
        assert!(matches!(error, ModelError::Overloaded { .. }), "{dialect:?}: {error}");
        let elsewhere = ResponseTemplate::new(307).insert_header("location", "http://127.0.0.1:1/");
        let error = fails(dialect, elsewhere).await;
        assert!(error.to_string().contains("redirects are not followed"), "{dialect:?}: {error}");
    }
}

#[tokio::test]
async fn arguments_that_are_no_json_reach_the_agent_as_text() {
    let mut answer = Compatible.answer("", Some(json!({})));
    answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = json!("{\"path\": ");
    let server = serve(Compatible, ResponseTemplate::new(200).set_body_json(answer)).await;
    let reply = model(&Compatible.note(&server.uri())).call(&request("hello")).await.unwrap();
    assert_eq!(reply.tool_calls[0].arguments, json!("{\"path\": "));
    assert_eq!(reply.tokens, Compatible.usage());
}

#[tokio::test]
async fn a_server_without_usage_is_still_charged_for_tokens() {
    let mut answer = Compatible.answer("x".repeat(30).as_str(), None);
    answer.as_object_mut().unwrap().remove("usage");
    let server = serve(Compatible, ResponseTemplate::new(200).set_body_json(answer)).await;
    let reply = model(&Compatible.note(&server.uri())).call(&request(&"y".repeat(3000))).await.unwrap();
    assert!(reply.tokens.input > 1000 && reply.tokens.output == 10, "{:?}", reply.tokens);
}

#[tokio::test]
async fn a_cut_connection_and_a_closed_port_are_outages() {
    for dialect in ALL {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let cutting = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await.unwrap();
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"a\"";
            stream.write_all(head.as_bytes()).await.unwrap();
        };
        let model = model(&dialect.note(&address));
        let asked = request("hello");
        let (answer, ()) = tokio::join!(model.call(&asked), cutting);
        let error = answer.unwrap_err();
        assert!(matches!(error, ModelError::BrokenOff { .. }), "{dialect:?}: {error}");
        drop(listener);
        let error = model.call(&asked).await.unwrap_err();
        assert!(matches!(error, ModelError::Unreachable { .. }), "{dialect:?}: {error}");
        assert!(!error.to_string().contains(&address), "{error}");
    }
}

#[tokio::test]
async fn a_fault_that_passes_is_tried_again_and_no_book_shows_the_key() {
    for dialect in ALL {
        let server = MockServer::start().await;
        let fault = ResponseTemplate::new(500).set_body_string(format!("broken {KEY}"));
        Mock::given(method("POST")).respond_with(fault).up_to_n_times(1).mount(&server).await;
        let text = ResponseTemplate::new(200).set_body_json(dialect.answer("back again", None));
        Mock::given(method("POST")).and(path(dialect.path())).respond_with(text).mount(&server).await;
        let mut note = dialect.note(&server.uri());
        note.api_key_env = Some("MY_KEY".into());
        let book = Book::new();
        let retry = RetryPolicy { base: Duration::from_millis(1), ..RetryPolicy::default() };
        let model = model(&note);
        let router = Router::new(vec![(note, model)], book.clone()).with_retry(retry);
        let answer = router.call(&request("hello"), &CancellationToken::new()).await.unwrap();
        assert_eq!(answer.reply.text, "back again");
        let failed = "settle 1 model `m` cannot be reached: 500: broken [key]";
        assert_eq!(book.short(), ["reserve 1 m", failed, "reserve 2 m", "settle 2 stop"], "{dialect:?}");
        let all = book.entries().iter().map(|entry: &Entry| format!("{entry:?}")).collect::<String>();
        assert!(!all.contains(KEY), "{all}");
    }
}

#[tokio::test]
async fn a_slow_server_is_given_up_after_the_notes_time() {
    let answer = ResponseTemplate::new(200)
        .set_body_json(Compatible.answer("late", None))
        .set_delay(Duration::from_secs(30));
    let server = serve(Compatible, answer).await;
    let mut note = Compatible.note(&server.uri());
    note.timeout_seconds = 1;
    let error = model(&note).call(&request("hello")).await.unwrap_err();
    let ModelError::BrokenOff { detail, .. } = &error else { panic!("{error}") };
    assert!(detail.starts_with("no answer in time"), "{detail}");
}

/// The pieces of an answer with a text and a tool call, as each format sends them.
fn pieces(dialect: Dialect) -> Vec<String> {
    let data = |value: Value| format!("data: {value}\n\n");
    match dialect {
        Anthropic => {
            let event = |name: &str, value: Value| format!("event: {name}\n{}", data(value));
            let delta = |index: u32, delta: Value| {
                event(
                    "content_block_delta",
                    json!({"type": "content_block_delta", "index": index, "delta": delta}),
                )
            };
            let begin = |index: u32, block: Value| {
                let begin = json!({"type": "content_block_start", "index": index, "content_block": block});
                event("content_block_start", begin)
            };
            let end = |index: u32| {
                event("content_block_stop", json!({"type": "content_block_stop", "index": index}))
            };
            vec![
                event(
                    "message_start",
                    json!({"type": "message_start", "message": {"id": "m", "type": "message",
                    "role": "assistant", "model": "x", "content": [], "stop_reason": null,
                    "usage": {"input_tokens": 50, "cache_creation_input_tokens": 30,
                              "cache_read_input_tokens": 40, "output_tokens": 1}}}),
                ),
                begin(0, json!({"type": "text", "text": ""})),
                delta(0, json!({"type": "text_delta", "text": "I "})),
                delta(0, json!({"type": "text_delta", "text": "edit."})),
                end(0),
                begin(1, json!({"type": "tool_use", "id": "toolu_1", "name": "edit", "input": {}})),
                delta(1, json!({"type": "input_json_delta", "partial_json": "{\"path\":"})),
                delta(1, json!({"type": "input_json_delta", "partial_json": "\"a.rs\"}"})),
                end(1),
                event(
                    "message_delta",
                    json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"},
                    "usage": {"output_tokens": 30}}),
                ),
                event("message_stop", json!({"type": "message_stop"})),
            ]
        }
        Ollama => {
            let line = |message: Value, done: bool| {
                let message = json!({"model": "x", "message": message, "done": done});
                format!("{message}\n")
            };
            let last = json!({"message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop",
                "prompt_eval_count": 120, "prompt_eval_cached_count": 40, "eval_count": 30});
            vec![
                line(json!({"role": "assistant", "content": "I "}), false),
                line(json!({"role": "assistant", "content": "edit"}), false),
                line(json!({"role": "assistant", "content": "."}), false),
                line(
                    json!({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "edit",
                    "arguments": {"path": "a.rs"}}}]}),
                    false,
                ),
                format!("{last}\n"),
            ]
        }
        _ => {
            let choice = |delta: Value, end: Value| {
                data(
                    json!({"id": "c", "model": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}),
                )
            };
            let call = |function: Value| {
                json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                "function": function}]})
            };
            vec![
                choice(json!({"role": "assistant", "content": "I "}), Value::Null),
                choice(json!({"content": "edit."}), Value::Null),
                choice(call(json!({"name": "edit", "arguments": "{\"path\":"})), Value::Null),
                choice(
                    json!({"tool_calls": [{"index": 0, "function": {"arguments": "\"a.rs\"}"}}]}),
                    Value::Null,
                ),
                choice(json!({}), json!("tool_calls")),
                data(json!({"id": "c", "model": "x", "choices": [], "usage": {"prompt_tokens": 120,
                    "completion_tokens": 30, "total_tokens": 150, "prompt_tokens_details": {"cached_tokens": 40},
                    "completion_tokens_details": {"reasoning_tokens": 10}}})),
                "data: [DONE]\n\n".into(),
            ]
        }
    }
}

fn streaming(dialect: Dialect, server: &str) -> ModelConfig {
    ModelConfig { stall_seconds: Some(1), ..dialect.note(server) }
}

#[tokio::test]
async fn an_answer_in_pieces_is_the_same_answer() {
    for dialect in [Anthropic, OpenAi, Compatible, Ollama] {
        let answer = ResponseTemplate::new(200).set_body_raw(pieces(dialect).concat(), "text/event-stream");
        let server = serve(dialect, answer).await;
        let reply = model(&streaming(dialect, &server.uri())).call(&request("hello")).await.unwrap();
        assert_eq!((reply.text.as_str(), reply.ended.as_str()), ("I edit.", "tool_calls"), "{dialect:?}");
        let [call] = reply.tool_calls.as_slice() else { panic!("{dialect:?}: {reply:?}") };
        assert_eq!((call.name.as_str(), &call.arguments), ("edit", &json!({"path": "a.rs"})), "{dialect:?}");
        let reasoning = if matches!(dialect, Anthropic | Ollama) { 0 } else { 10 };
        assert_eq!(reply.tokens, Tokens { reasoning, ..dialect.usage() }, "{dialect:?}");
        assert_eq!(sent(&server).await["stream"], true, "{dialect:?}");
    }
}

#[tokio::test]
async fn failures_of_a_streamed_call_mean_the_same() {
    for dialect in ALL {
        let limit =
            ResponseTemplate::new(429).insert_header("retry-after", "17").set_body_string("slow down");
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(limit).mount(&server).await;
        let error = model(&streaming(dialect, &server.uri())).call(&request("hello")).await.unwrap_err();
        let ModelError::RateLimited { retry_after, .. } = &error else { panic!("{dialect:?}: {error}") };
        assert_eq!(*retry_after, Some(Duration::from_secs(17)), "{dialect:?}");
    }
    let gone = model(&streaming(Compatible, "http://127.0.0.1:1")).call(&request("hello")).await.unwrap_err();
    assert!(matches!(gone, ModelError::Unreachable { .. }), "{gone}");
}

/// A server that gives these pieces of an answer and then says nothing more, with the connection open or closed.
async fn falling_silent(pieces: String, closes: bool) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut open = vec![];
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 65536];
            let _ = stream.read(&mut asked).await;
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            let chunk = format!("{head}{:x}\r\n{pieces}\r\n", pieces.len());
            stream.write_all(chunk.as_bytes()).await.unwrap();
            if !closes {
                open.push(stream);
            }
        }
    });
    (address, server)
}

#[tokio::test]
async fn an_answer_that_stalls_is_given_up_and_counted_once_for_what_came_of_it() {
    for (dialect, closes) in
        [Compatible, Anthropic, Ollama].into_iter().flat_map(|dialect| [(dialect, false), (dialect, true)])
    {
        let (address, server) = falling_silent(pieces(dialect)[..4].concat(), closes).await;
        let note = ModelConfig { timeout_seconds: 60, ..streaming(dialect, &address) };
        let began = std::time::Instant::now();
        let error = model(&note).call(&request("hello")).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(30), "long before the call's own limit");
        let ModelError::BrokenOff { tokens, .. } = &error else { panic!("{dialect:?} {closes}: {error}") };
        assert!(tokens.input > 10 && (1..20).contains(&tokens.output), "{dialect:?}: {tokens:?}");

        let book = Book::new();
        let retry = RetryPolicy { base: Duration::from_millis(1), tries: 1, ..RetryPolicy::default() };
        let priced = ModelConfig { price_output: ado_vault::domain::Usd::from_dollars(1.0), ..note };
        let router = Router::new(vec![(priced.clone(), model(&priced))], book.clone()).with_retry(retry);
        router.call(&request("hello"), &CancellationToken::new()).await.unwrap_err();
        let settled: Vec<Tokens> = book
            .entries()
            .iter()
            .filter_map(|entry| match entry {
                Entry::Settled(_, settlement) => Some(settlement.tokens),
                Entry::Reserved(..) => None,
            })
            .collect();
        assert_eq!(settled, [*tokens], "{dialect:?}");
        server.abort();
    }
}
