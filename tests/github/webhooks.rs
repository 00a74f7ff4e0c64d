//! Webhooks: only GitHub's own deliveries ring, each once, and what they say is not believed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ado_vault::engine::Engine;
use ado_vault::forge::github::{WebhookSecret, Webhooks};
use ado_vault::note::PropertyValue;
use hmac::{Hmac, Mac};
use reqwest::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::behaviour::*;
use super::issue_story::{CLEAR, issue_world, notes};
use super::issues::Issue;

const SECRET: &str = "a secret of the webhook";
/// Examples of `@octokit/webhooks-examples`.
const EXAMPLES: [(&str, &str); 5] = [
    ("check_run", include_str!("webhooks/check_run.json")),
    ("issue_comment", include_str!("webhooks/issue_comment.json")),
    ("issues", include_str!("webhooks/issues.json")),
    ("ping", include_str!("webhooks/ping.json")),
    ("pull_request", include_str!("webhooks/pull_request.json")),
];

/// A receiver that counts its rings.
async fn receiver(cache: &Path) -> (SocketAddr, Arc<AtomicUsize>, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, rings) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = rings.clone();
    let secret = WebhookSecret::new(SECRET).unwrap();
    let webhooks = Webhooks::new(secret, cache, move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    (address, rings, AbortOnDropHandle::new(tokio::spawn(webhooks.serve(listener))))
}

fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let bytes = mac.finalize().into_bytes();
    format!("sha256={}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

async fn post(to: SocketAddr, event: &str, delivery: &str, signature: &str, body: &str) -> u16 {
    let request = Client::new().post(format!("http://{to}/github")).body(body.to_owned());
    let request = request.header("X-GitHub-Event", event).header("X-GitHub-Delivery", delivery);
    request.header("X-Hub-Signature-256", signature).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn case_64_a_forged_or_replayed_delivery_is_believed_by_a_naive_receiver_and_rings_nothing_here() {
    let body = EXAMPLES[2].1;
    let forged = signature("another secret, guessed", body);
    // Naive: whoever posts is GitHub, and what the payload says is done, each time.
    let acted = Arc::new(AtomicUsize::new(0));
    let naive = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let naive_at = naive.local_addr().unwrap();
    let counted = acted.clone();
    let believe = axum::routing::post(move |body: axum::body::Bytes| async move {
        let payload: serde_json::Value = serde_json::from_slice(&body).unwrap();
        counted.fetch_add(usize::from(payload["action"].is_string()), Ordering::SeqCst);
    });
    let router = axum::Router::new().route("/github", believe);
    let _naive =
        AbortOnDropHandle::new(tokio::spawn(async move { axum::serve(naive, router).await.unwrap() }));
    for _ in 0..2 {
        let request = Client::new().post(format!("http://{naive_at}/github")).body(body);
        request.header("content-type", "application/json").send().await.unwrap();
    }
    assert_eq!(acted.load(Ordering::SeqCst), 2, "it works against a naive receiver");

    let folder = tempfile::tempdir().unwrap();
    let (at, rings, server) = receiver(folder.path()).await;
    let good = signature(SECRET, body);
    assert_eq!(post(at, "issues", "1", &forged, body).await, 401);
    assert_eq!(post(at, "issues", "1", &good, &format!("{body} ")).await, 401);
    assert_eq!(post(at, "issues", "1", "", body).await, 400);
    assert_eq!(rings.load(Ordering::SeqCst), 0);
    assert_eq!(post(at, "issues", "1", &good, body).await, 202);
    assert_eq!(post(at, "issues", "1", &good, body).await, 409);
    assert_eq!(post(at, "issues", "2", &good, body).await, 409, "the same under another name");
    assert_eq!(rings.load(Ordering::SeqCst), 1);
    drop(server);
    let (at, rings, _server) = receiver(folder.path()).await;
    assert_eq!(post(at, "issues", "1", &good, body).await, 409, "also after a restart");
    assert_eq!(rings.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn deliveries_as_github_sends_them_ring() {
    let folder = tempfile::tempdir().unwrap();
    let (at, rings, _server) = receiver(folder.path()).await;
    for (event, body) in EXAMPLES {
        assert_eq!(
            post(at, event, &format!("delivery-of-{event}"), &signature(SECRET, body), body).await,
            202,
            "{event}"
        );
    }
    assert_eq!(rings.load(Ordering::SeqCst), 4, "a ping does not ring");
    let elsewhere = Client::new().post(format!("http://{at}/")).body("x").send().await.unwrap();
    assert_eq!(elsewhere.status(), 400);
}

#[tokio::test]
async fn bodies_and_the_time_for_a_head_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (at, rings, _server) = receiver(folder.path()).await;
    let mut slow = TcpStream::connect(at).await.unwrap();
    slow.write_all(b"POST /github HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let large = "x".repeat((25 << 20) + 1);
    let mut stream = TcpStream::connect(at).await.unwrap();
    let head = format!(
        "POST /github HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: 9\r\n\
         X-Hub-Signature-256: {}\r\nContent-Length: {}\r\n\r\n",
        signature(SECRET, &large),
        large.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // It may hang up before all is written.
    let _ = stream.write_all(large.as_bytes()).await;
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
    assert_eq!(rings.load(Ordering::SeqCst), 0);
    let mut rest = vec![];
    tokio::time::timeout(Duration::from_secs(20), slow.read_to_end(&mut rest))
        .await
        .expect("it hangs up")
        .unwrap();
}

#[test]
fn a_delivery_makes_a_watching_engine_ask_the_forge() {
    let (world, github) = issue_world(&Talk::greeting(), "");
    world.set("00_system/Settings.md", "poll_seconds", PropertyValue::Integer(3_600));
    world.save("poll rarely");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut engine = Engine::open(&world.vault, world.options()).await.unwrap();
        let secret = WebhookSecret::new(SECRET).unwrap();
        let (at, _webhooks) = engine.take_webhooks("127.0.0.1:0".parse().unwrap(), secret).await.unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let watching = tokio::spawn(async move { engine.watch(&stopped).await.unwrap() });
        until(|| github.requests().iter().any(|each| each == "GET /issues")).await;
        github.state().issues.push(Issue::wanted(101, "ann", "Greet", CLEAR));
        let body = EXAMPLES[2].1;
        assert_eq!(post(at, "issues", "1", &signature(SECRET, body), body).await, 202);
        until(|| notes(&world).len() == 1).await;
        stop.cancel();
        watching.await.unwrap();
    });
    assert_eq!(notes(&world), ["FR-001 Greet.md"], "what the payload says is not believed");
}

async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it comes to hold");
}
