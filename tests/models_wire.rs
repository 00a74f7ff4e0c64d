//! The same conversation through every wire format against a mock server that others wrote (aimock), so that no mistake of
//! ours is on both sides. Not part of plain `cargo test`: `scripts/aimock-test` starts the server and runs this.

mod models_support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ado_vault::domain::{ModelConfig, Tokens};
use ado_vault::models::{Message, ModelError, RetryPolicy, RoutedReply, Router, build_with};
use models_support::{Book, config, request};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

const PROVIDERS: [(&str, &str); 5] = [
    ("anthropic", "/v1"),
    ("openai", "/v1"),
    ("gemini", "/v1beta"),
    ("ollama", ""),
    ("openai-compatible", "/v1"),
];

fn note(provider: &str, folder: &str) -> ModelConfig {
    let server = std::env::var("AIMOCK_URL").expect("AIMOCK_URL names the server; run scripts/aimock-test");
    config(&format!(
        r#"{{"name":"{provider}","provider":"{provider}","model":"mock-model","base_url":"{server}{folder}",
             "timeout_seconds":10,"price_input":1.0,"price_output":2.0}}"#
    ))
}

fn router(provider: &str, folder: &str) -> (Router, Arc<Book>) {
    router_of(note(provider, folder))
}

fn router_of(note: ModelConfig) -> (Router, Arc<Book>) {
    let model =
        build_with(&note, Path::new("/nowhere"), &|_| Some(SecretString::from("test-key-of-nothing")))
            .unwrap();
    let book = Book::new();
    let retry = RetryPolicy { base: Duration::from_millis(1), tries: 2, max_wait: Duration::from_millis(10) };
    (Router::new(vec![(note, model)], book.clone()).with_retry(retry), book)
}

async fn say(provider: &str, folder: &str, text: &str) -> Result<RoutedReply, ModelError> {
    router(provider, folder).0.call(&request(text), &CancellationToken::new()).await
}

#[tokio::test]
async fn a_tool_call_and_its_result_lead_to_the_last_word() {
    for (provider, folder) in PROVIDERS {
        let (router, book) = router(provider, folder);
        let never = CancellationToken::new();
        let mut talk = request("fix the greeting");
        let first = router.call(&talk, &never).await.unwrap_or_else(|error| panic!("{provider}: {error}"));
        assert_eq!(first.reply.ended, "tool_calls", "{provider}");
        assert_eq!(first.reply.text, "I edit the file.", "{provider}");
        let call = first.reply.tool_calls[0].clone();
        assert_eq!(
            (call.name.as_str(), &call.arguments["path"]),
            ("edit", &"src/lib.rs".into()),
            "{provider}"
        );
        let tokens = first.reply.tokens;
        if provider == "ollama" {
            // This server always reports zero here; tokens are then estimated.
            assert!(tokens.input > 50 && tokens.output > 5, "{tokens:?}");
        } else {
            assert_eq!(tokens, Tokens { input: 321, output: 45, ..Tokens::default() }, "{provider}");
        }
        assert_eq!(first.cost.micros(), tokens.input + 2 * tokens.output, "{provider}");

        talk.messages.push(Message::Assistant { text: first.reply.text, tool_calls: vec![call.clone()] });
        let content = "1 place changed".into();
        talk.messages.push(Message::Tool { call_id: call.id, name: call.name, content });
        talk.context.turn = 2;
        let last = router.call(&talk, &never).await.unwrap_or_else(|error| panic!("{provider}: {error}"));
        assert_eq!((last.reply.text.as_str(), last.reply.ended.as_str()), ("The greeting is fixed.", "stop"));
        assert_eq!(book.entries().len(), 4, "{provider}: {:?}", book.short());
    }
}

#[tokio::test]
async fn the_same_talk_in_pieces_comes_to_the_same() {
    for (provider, folder) in PROVIDERS {
        let in_pieces = ModelConfig { stall_seconds: Some(5), ..note(provider, folder) };
        let (router, _) = router_of(in_pieces);
        let (whole, _) = self::router(provider, folder);
        let never = CancellationToken::new();
        let text = request("fix the greeting");
        let mut pieces =
            router.call(&text, &never).await.unwrap_or_else(|error| panic!("{provider}: {error}"));
        let whole = whole.call(&text, &never).await.unwrap();
        // Where no id is given, or a new one each time, ours stands for it.
        pieces.reply.tool_calls[0].id.clone_from(&whole.reply.tool_calls[0].id);
        assert_eq!(pieces.reply, whole.reply, "{provider}");
    }
}

#[tokio::test]
async fn failures_mean_the_same_in_every_format() {
    for (provider, folder) in PROVIDERS {
        for (text, expected) in [
            ("be limited", "is over its limit"),
            ("refuse the key", "refused the key"),
            ("be too long", "is too long for model"),
            ("answer broken", "broke off"),
            ("hang up", "cannot be reached"),
            ("say what no fixture knows", "503: "),
        ] {
            let error = say(provider, folder, text).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{provider}, {text}: {error}");
            assert!(!error.contains("test-key-of-nothing"), "{provider}, {text}: {error}");
        }
    }
}
