//! The fallback chain and recordings, with models scripted in the test and a ledger that remembers. Time is paused.

mod models_support;

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ado_vault::domain::{EditFormat, ModelConfig, ModelName, Tokens, Usd};
use ado_vault::models::{
    ChatReply, ChatRequest, Health, Model, ModelError, RecordedModel, Recorder, RetryPolicy, Router, build,
    chain,
};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use models_support::{Book, Entry, config, request};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Answers in the order of its script; then it waits for ever.
struct Scripted {
    name: ModelName,
    answers: Mutex<VecDeque<Result<ChatReply, ModelError>>>,
}

#[async_trait]
impl Model for Scripted {
    fn name(&self) -> &ModelName {
        &self.name
    }

    async fn call(&self, _request: &ChatRequest) -> Result<ChatReply, ModelError> {
        let next = self.answers.lock().unwrap().pop_front();
        match next {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

fn name(text: &str) -> ModelName {
    text.parse().unwrap()
}

fn reply(text: &str) -> ChatReply {
    ChatReply {
        text: text.into(),
        tool_calls: Vec::new(),
        tokens: Tokens { input: 1000, cached: 200, output: 100, ..Tokens::default() },
        ended: "stop".into(),
    }
}

fn down(model: &str) -> Result<ChatReply, ModelError> {
    Err(ModelError::Unreachable { model: name(model), detail: "503".into() })
}

fn limited(model: &str, seconds: Option<u64>) -> Result<ChatReply, ModelError> {
    let retry_after = seconds.map(Duration::from_secs);
    Err(ModelError::RateLimited { model: name(model), retry_after, detail: "429".into() })
}

fn auth(model: &str) -> Result<ChatReply, ModelError> {
    Err(ModelError::Auth { model: name(model), detail: "401".into() })
}

type Script = Vec<Result<ChatReply, ModelError>>;

/// A chain of models of one provider.
fn router(book: &Arc<Book>, scripts: Vec<(&str, Script)>) -> Router {
    chain_of(book, scripts, priced)
}

/// A chain of models each behind a server of its own.
fn apart(book: &Arc<Book>, scripts: Vec<(&str, Script)>) -> Router {
    chain_of(book, scripts, |model| ModelConfig {
        base_url: Some(format!("http://{model}.example/v1/")),
        ..priced(model)
    })
}

fn chain_of(book: &Arc<Book>, scripts: Vec<(&str, Script)>, note: fn(&str) -> ModelConfig) -> Router {
    let models = scripts
        .into_iter()
        .map(|(model, answers)| {
            let config = note(model);
            let scripted = Scripted { name: name(model), answers: Mutex::new(answers.into()) };
            (config, Arc::new(scripted) as Arc<dyn Model>)
        })
        .collect();
    let health = Arc::new(Health::with_clock(clock()));
    Router::new(models, book.clone()).with_health(health)
}

/// A clock that goes with the paused time.
fn clock() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    let began = Instant::now();
    Arc::new(move || at(began.elapsed()))
}

fn at(elapsed: Duration) -> Timestamp {
    let begin: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    begin.checked_add(SignedDuration::try_from(elapsed).unwrap()).unwrap()
}

fn priced(model: &str) -> ModelConfig {
    config(&format!(
        r#"{{"name":"{model}","provider":"openai","model":"x","price_input":2.0,"price_cached":0.5,"price_output":8.0,
             "edit_format":"whole-file"}}"#
    ))
}

async fn ask(router: &Router) -> Result<ado_vault::models::RoutedReply, ModelError> {
    router.call(&request("hello"), &CancellationToken::new()).await
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_reserved_settled_and_priced_by_its_note() {
    let book = Book::new();
    let answer = ask(&router(&book, vec![("a", vec![Ok(reply("hi"))])])).await.unwrap();
    let cost = Usd::from_micros(800 * 2 + 200 / 2 + 100 * 8);
    assert_eq!((answer.model, answer.cost, answer.edit_format), (name("a"), cost, EditFormat::WholeFile));
    let entries = book.entries();
    assert_eq!(entries.iter().map(Entry::short).collect::<Vec<_>>(), ["reserve 1 a", "settle 1 stop"]);
    let Entry::Settled(_, settlement) = &entries[1] else { panic!() };
    assert_eq!((settlement.cost, settlement.tokens), (cost, reply("hi").tokens));
    let transcript = settlement.transcript.as_ref().unwrap();
    assert_eq!(transcript["request"]["messages"][0]["text"], "hello");
    assert_eq!(transcript["request"]["tools"][0], "edit");
    assert_eq!(transcript["reply"]["text"], "hi");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_tried_again_after_one_and_two_seconds_then_the_next_model_answers() {
    let book = Book::new();
    let scripts = vec![("a", vec![down("a"), down("a"), down("a")]), ("b", vec![Ok(reply("from b"))])];
    let began = Instant::now();
    let answer = ask(&apart(&book, scripts)).await.unwrap();
    assert_eq!((answer.model, began.elapsed()), (name("b"), Duration::from_secs(3)));
    let failed = "model `a` cannot be reached: 503";
    assert_eq!(
        book.short(),
        [
            "reserve 1 a".to_owned(),
            format!("settle 1 {failed}"),
            "reserve 2 a".into(),
            format!("settle 2 {failed}"),
            "reserve 3 a".into(),
            format!("settle 3 {failed}"),
            "reserve 4 b".into(),
            "settle 4 stop".into(),
        ]
    );
    let Entry::Settled(_, settlement) = &book.entries()[1] else { panic!() };
    assert_eq!((settlement.tokens, settlement.cost), (Tokens::default(), Usd::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_short_retry_after_is_obeyed_and_a_long_one_gives_way_to_the_next_model() {
    let book = Book::new();
    let began = Instant::now();
    let chain = router(&book, vec![("a", vec![limited("a", Some(20)), Ok(reply("a"))])]);
    assert_eq!(ask(&chain).await.unwrap().model, name("a"));
    assert_eq!(began.elapsed(), Duration::from_secs(20));

    let began = Instant::now();
    let chain = router(
        &book,
        vec![
            ("a", vec![limited("a", Some(31)), Ok(reply("a again"))]),
            ("b", vec![Ok(reply("b")), Ok(reply("b"))]),
        ],
    );
    assert_eq!(ask(&chain).await.unwrap().model, name("b"));
    assert_eq!(ask(&chain).await.unwrap().model, name("b"), "a is limited still and is not bothered");
    assert_eq!(began.elapsed(), Duration::ZERO);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(ask(&chain).await.unwrap().reply.text, "a again");
}

#[tokio::test(start_paused = true)]
async fn when_all_are_limited_the_earliest_reset_parks_the_run() {
    let book = Book::new();
    let chain =
        router(&book, vec![("a", vec![limited("a", Some(600))]), ("b", vec![limited("b", Some(90))])]);
    let error = ask(&chain).await.unwrap_err();
    let ModelError::Unwell { until, detail, .. } = &error else { panic!("{error}") };
    assert_eq!(*until, at(Duration::from_secs(90)));
    assert!(detail.contains("model `a`") && detail.contains("model `b`"), "{detail}");
    tokio::time::advance(Duration::from_secs(30)).await;
    let error = ask(&chain).await.unwrap_err();
    let ModelError::Unwell { until, .. } = &error else { panic!("{error}") };
    assert_eq!(*until, at(Duration::from_secs(90)));
    assert_eq!(book.short().len(), 4, "the second call asked nobody");
}

fn sharing(book: &Arc<Book>, health: &Arc<Health>, scripts: Vec<(&str, Script)>) -> Router {
    router(book, scripts).with_health(health.clone())
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_one_run_met_spares_the_others_the_tries_until_one_call_finds_it_over() {
    let book = Book::new();
    let health = Arc::new(Health::with_clock(clock()));
    let first = sharing(&book, &health, vec![("a", vec![down("a"), down("a"), down("a")])]);
    assert!(matches!(ask(&first).await, Err(ModelError::Unreachable { .. })));
    let second = sharing(&book, &health, vec![("a", vec![Ok(reply("a"))]), ("b", vec![Ok(reply("b"))])]);
    let error = ask(&second).await.unwrap_err();
    let ModelError::Unwell { until, detail, .. } = &error else { panic!("{error}") };
    assert_eq!(*until, at(Duration::from_secs(3 + 30)));
    assert!(detail.contains("`b` is not asked before 2026-11-21T12:00:33Z"), "the same provider: {detail}");
    assert_eq!(book.short().len(), 6, "nobody was asked");
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(ask(&second).await.unwrap().model, name("a"));
}

#[tokio::test(start_paused = true)]
async fn a_used_up_plan_gives_way_to_another_provider_at_once_and_without_another_parks_the_run() {
    let book = Book::new();
    let health = Arc::new(Health::with_clock(clock()));
    let spent = || Err(ModelError::Exhausted { model: name("a"), until: None, detail: "no credit".into() });
    let local = config(r#"{"name":"local","provider":"ollama","model":"x"}"#);
    let answers = Mutex::new([Ok(reply("local")), Ok(reply("local"))].into());
    let chain = Router::new(
        vec![
            (
                priced("a"),
                Arc::new(Scripted { name: name("a"), answers: Mutex::new([spent()].into()) })
                    as Arc<dyn Model>,
            ),
            (local, Arc::new(Scripted { name: name("local"), answers })),
        ],
        book.clone(),
    )
    .with_health(health.clone());
    let began = Instant::now();
    assert_eq!(ask(&chain).await.unwrap().model, name("local"));
    assert_eq!(ask(&chain).await.unwrap().model, name("local"));
    assert_eq!(began.elapsed(), Duration::ZERO);
    let asked: Vec<String> = book.short().into_iter().filter(|line| line.starts_with("reserve")).collect();
    assert_eq!(asked, ["reserve 1 a", "reserve 2 local", "reserve 3 local"], "`a` is asked once");

    let alone = sharing(&book, &health, vec![("a", vec![Ok(reply("a"))])]);
    let error = ask(&alone).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "model `a` is not asked before 2026-11-21T13:00:00Z: it has no quota or credit left"
    );
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(ask(&alone).await.unwrap().reply.text, "a");
}

#[tokio::test(start_paused = true)]
async fn refusals_fall_to_the_next_model_and_are_all_listed_in_the_end() {
    let book = Book::new();
    let rejected = Err(ModelError::Rejected { model: name("b"), detail: "no such model".into() });
    let chain = router(&book, vec![("a", vec![auth("a")]), ("b", vec![rejected])]);
    let error = ask(&chain).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "model `b` rejected the request: model `a` refused the key: 401; model `b` rejected the request: no such model"
    );

    let chain = router(&book, vec![("a", vec![auth("a")]), ("b", vec![Ok(reply("1")), Ok(reply("2"))])]);
    assert_eq!(ask(&chain).await.unwrap().reply.text, "1");
    assert_eq!(ask(&chain).await.unwrap().reply.text, "2", "a refused key is not tried again");
}

#[tokio::test(start_paused = true)]
async fn an_overlong_conversation_stops_the_chain() {
    let book = Book::new();
    let overflow = Err(ModelError::ContextOverflow { model: name("a"), detail: "too long".into() });
    let error = ask(&router(&book, vec![("a", vec![overflow]), ("b", vec![Ok(reply("b"))])])).await;
    assert!(matches!(error, Err(ModelError::ContextOverflow { .. })), "{error:?}");
    assert_eq!(book.short().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_budget_nothing_is_asked() {
    let book = Book::with_calls(1);
    let chain = router(&book, vec![("a", vec![down("a"), Ok(reply("a"))]), ("b", vec![Ok(reply("b"))])]);
    let error = ask(&chain).await.unwrap_err();
    assert_eq!(error, ModelError::OutOfBudget { detail: "1 of 1 model calls made".into() });
    assert_eq!(book.short().len(), 2, "only the first call was reserved and settled");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_or_dropped_call_leaves_its_reservation_open() {
    let book = Book::new();
    let chain = router(&book, vec![("a", vec![])]);
    let cancel = CancellationToken::new();
    let (asked, text) = (cancel.clone(), request("hello"));
    let (answer, ()) = tokio::join!(chain.call(&text, &asked), async { cancel.cancel() });
    assert_eq!(answer.unwrap_err(), ModelError::Cancelled);
    assert_eq!(book.short(), ["reserve 1 a"]);
    assert_eq!(chain.call(&text, &cancel).await.unwrap_err(), ModelError::Cancelled);
    assert_eq!(book.short(), ["reserve 1 a"], "nothing is reserved after the stop");
    let dropped = tokio::time::timeout(Duration::from_secs(1), ask(&chain)).await;
    assert!(dropped.is_err());
    assert_eq!(book.short(), ["reserve 1 a", "reserve 2 a"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_between_two_tries() {
    let book = Book::new();
    let chain = router(&book, vec![("a", vec![limited("a", Some(20)), Ok(reply("late"))])]);
    let cancel = CancellationToken::new();
    let text = request("hello");
    let began = Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        cancel.cancel();
    };
    let (answer, ()) = tokio::join!(chain.call(&text, &cancel), stop);
    assert_eq!((answer.unwrap_err(), began.elapsed()), (ModelError::Cancelled, Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn patience_can_be_set() {
    let book = Book::new();
    let retry = RetryPolicy { base: Duration::from_secs(4), tries: 4, max_wait: Duration::from_secs(10) };
    let chain = router(&book, vec![("a", vec![down("a"), down("a"), limited("a", None), Ok(reply("a"))])])
        .with_retry(retry);
    let began = Instant::now();
    assert_eq!(ask(&chain).await.unwrap().reply.text, "a");
    assert_eq!(began.elapsed(), Duration::from_secs(4 + 8 + 10));
}

const RECORDING: &str = r#"{"v":1,"about":"a demonstration"}
{"v":1,"key":"code/1","agent":"coder","turn":1,"reply":{"text":"hi","tool_calls":[{"id":"c1","name":"edit","arguments":{"path":"a.rs"}}],"tokens":{"input":1000,"output":100},"ended":"tool_calls"}}

{"v":1,"key":"code/1","agent":"coder","turn":2,"reply":{"text":"old","tokens":{},"ended":"stop"}}
{"v":1,"key":"code/1","agent":"coder","turn":2,"reply":{"text":"new","tokens":{},"ended":"stop"}}
"#;

fn recorded(file: &str) -> ModelConfig {
    config(&format!(
        r#"{{"name":"demo","provider":"recorded","recording":"{file}","price_input":3.0,"price_output":15.0}}"#
    ))
}

fn at_turn(turn: u32) -> ChatRequest {
    let mut request = request("hello");
    request.context.turn = turn;
    request
}

#[tokio::test]
async fn a_recording_answers_by_place_at_the_notes_prices_as_often_as_asked() {
    let vault = tempfile::tempdir().unwrap();
    fs::write(vault.path().join("talk.jsonl"), RECORDING).unwrap();
    let book = Book::new();
    let chain = chain(&[recorded("talk.jsonl")], vault.path(), book.clone()).unwrap();
    let never = CancellationToken::new();
    for _ in 0..2 {
        let answer = chain.call(&at_turn(1), &never).await.unwrap();
        assert_eq!(answer.reply.tool_calls[0].arguments["path"], "a.rs");
        assert_eq!(answer.cost, Usd::from_micros(3000 + 1500));
        assert_eq!(chain.call(&at_turn(2), &never).await.unwrap().reply.text, "new");
    }
    let error = chain.call(&at_turn(3), &never).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "recording of model `demo` cannot answer: `talk.jsonl` has no reply for step `code/1`, agent `coder`, turn 3; \
         record this run with another model or choose a model that is not recorded"
    );
}

#[tokio::test]
async fn what_a_recorder_wrote_is_replayed_word_for_word() {
    let vault = tempfile::tempdir().unwrap();
    let file = vault.path().join("recordings/run.jsonl");
    let said = ChatReply {
        text: "zeile\n\u{1f600}".into(),
        tool_calls: vec![ado_vault::models::ToolCall {
            id: "c".into(),
            name: "run".into(),
            arguments: serde_json::json!({"command": ["cargo", "test"]}),
        }],
        ..reply("")
    };
    let scripted = Scripted { name: name("a"), answers: Mutex::new([Ok(said.clone()), down("a")].into()) };
    let recorder = Recorder::create(Arc::new(scripted), file).unwrap();
    assert_eq!(recorder.call(&at_turn(1)).await.unwrap(), said);
    recorder.call(&at_turn(2)).await.unwrap_err();
    drop(recorder);
    let replay = RecordedModel::open(&recorded("recordings/run.jsonl"), vault.path()).unwrap();
    assert_eq!(replay.call(&at_turn(1)).await.unwrap(), said);
    assert!(replay.call(&at_turn(2)).await.is_err(), "a failure is not recorded");
}

#[test]
fn a_recording_stays_inside_the_vault_and_a_broken_one_names_its_line() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("talk.jsonl"), RECORDING).unwrap();
    let vault = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), vault.path().join("link")).unwrap();
    fs::write(vault.path().join("broken.jsonl"), format!("{RECORDING}not json\n")).unwrap();
    fs::write(vault.path().join("newer.jsonl"), RECORDING.replace("{\"v\":1", "{\"v\":2")).unwrap();
    let absolute = outside.path().join("talk.jsonl");
    for (file, words) in [
        (absolute.to_str().unwrap(), "not a path inside the vault"),
        ("../talk.jsonl", "not a path inside the vault"),
        ("link/talk.jsonl", "leads out of the vault"),
        ("missing.jsonl", "cannot read `missing.jsonl`"),
        ("broken.jsonl", "line 6 of `broken.jsonl`"),
        ("newer.jsonl", "has version 2; known is 1"),
        ("", "names no `recording`"),
    ] {
        let error = open_error(&recorded(file), vault.path());
        assert!(error.contains(words), "{file}: {error}");
    }
}

fn open_error(config: &ModelConfig, vault: &Path) -> String {
    build(config, vault).err().unwrap().to_string()
}

#[tokio::test]
async fn a_chain_works_without_its_members_that_cannot_be_built() {
    let vault = tempfile::tempdir().unwrap();
    fs::write(vault.path().join("talk.jsonl"), RECORDING).unwrap();
    let book = Book::new();
    let keyless = config(
        r#"{"name":"gpt","provider":"openai","model":"x","api_key_env":"ADO_TEST_KEY_THAT_IS_NOT_SET"}"#,
    );
    let both = chain(&[keyless.clone(), recorded("talk.jsonl")], vault.path(), book.clone()).unwrap();
    assert_eq!(both.first().name, name("demo"), "the first that can be asked");
    assert_eq!(ask(&both).await.unwrap().model, name("demo"));
    assert_eq!(book.short(), ["reserve 1 demo", "settle 1 tool_calls"], "no call to `gpt` was made or paid");

    let alone = chain(&[keyless], vault.path(), book.clone()).unwrap();
    assert_eq!(alone.first().name, name("gpt"));
    let variable = "ADO_TEST_KEY_THAT_IS_NOT_SET".to_owned();
    assert_eq!(ask(&alone).await.unwrap_err(), ModelError::NoKey { model: name("gpt"), variable });
    assert!(matches!(chain(&[], vault.path(), book), Err(ModelError::NoModel { .. })));
}
