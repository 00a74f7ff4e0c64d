//! The way out of a box: named hosts by the proxy, and nothing else.

use std::io::{Read, Write};
use std::net::TcpListener;

use ado_vault::sandbox::{SandboxCommand, SandboxOutput, SandboxPolicy};

use super::boxes::*;

/// A server that answers each connection with what it was sent, up to an empty line, and closes.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut heard = vec![];
            let mut byte = [0];
            while !heard.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                heard.extend(byte);
            }
            let _ = stream.write_all(&[b"heard: ", heard.as_slice()].concat());
        }
    });
    port
}

/// What is said to the proxy, and what comes back, in a box that may reach `hosts`.
async fn ask(hosts: &[&str], said: &str) -> Option<SandboxOutput> {
    let sandbox = sandbox()?;
    let (_keep, worktree) = folder();
    let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
    let policy = SandboxPolicy { hosts, ..policy(&worktree) };
    // `cat` writes all at once; the shell writes line by line, and may find the connection closed after the first request.
    let script = format!(
        "printf '{said}' >said && exec 3<>/dev/tcp/127.0.0.1/${{http_proxy##*:}} && cat said >&3 && cat <&3"
    );
    let command =
        SandboxCommand { argv: ["bash", "-c", &script].map(String::from).to_vec(), ..sh(&worktree, "") };
    Some(run(&sandbox, &command, &policy).await)
}

fn told(output: &SandboxOutput) -> Vec<String> {
    output.refused.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_named_host_is_reached_through_a_tunnel_and_plainly() {
    let port = echo();
    let rule = format!("127.0.0.1:{port}");
    let tunnel = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\nhello\\r\\n\\r\\n");
    let Some(output) = ask(&[&rule], &tunnel).await else { return };
    assert_eq!(output.stdout, "HTTP/1.1 200 connected\r\n\r\nheard: hello\r\n\r\n", "{output:?}");
    let plain = format!("GET http://localhost:{port}/x HTTP/1.1\\r\\nHost: evil\\r\\n\\r\\n");
    let output = ask(&[&format!("localhost:{port}")], &plain).await.unwrap();
    let sent = format!("GET /x HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    assert_eq!((output.stdout, output.refused), (format!("heard: {sent}"), vec![]));
}

#[tokio::test]
async fn what_is_not_named_is_refused_and_told() {
    let port = echo();
    let rule = format!("127.0.0.1:{port}");
    for (asked, why) in [
        ("evil.example:443".to_owned(), "no rule names this host and port"),
        (format!("127.0.0.1:{}", port ^ 1), "no rule names this host and port"),
        (format!("127.0.0.1.evil.example:{port}"), "no rule names this host and port"),
    ] {
        let said = format!("CONNECT {asked} HTTP/1.1\\r\\n\\r\\n");
        let Some(output) = ask(&[&rule], &said).await else { return };
        assert!(output.stdout.starts_with("HTTP/1.1 403 "), "{output:?}");
        assert_eq!(told(&output), [format!("`{asked}` was refused: {why}")]);
    }
}

/// A name that leads to this machine: `127.1` is one for every resolver.
#[tokio::test]
async fn a_named_host_with_a_private_address_is_refused_until_the_address_is_named() {
    let port = echo();
    let (name, address) = (format!("127.1:{port}"), format!("127.0.0.1:{port}"));
    let said = format!("CONNECT {name} HTTP/1.1\\r\\n\\r\\nhello\\r\\n\\r\\n");
    let Some(output) = ask(&[&name], &said).await else { return };
    let why = "it leads to 127.0.0.1, no public address and not named itself";
    assert_eq!(told(&output), [format!("`{name}` was refused: {why}")]);
    assert!(!output.stdout.contains("heard"), "{output:?}");
    let output = ask(&[&name, &address], &said).await.unwrap();
    assert!(output.stdout.ends_with("heard: hello\r\n\r\n") && output.refused.is_empty(), "{output:?}");
}

#[tokio::test]
async fn one_plain_request_gets_one_answer() {
    let port = echo();
    let first = format!("GET http://127.0.0.1:{port}/1 HTTP/1.1\\r\\n\\r\\n");
    let said = format!("{first}GET /2 HTTP/1.1\\r\\nHost: evil\\r\\n\\r\\n");
    let Some(output) = ask(&[&format!("127.0.0.1:{port}")], &said).await else { return };
    assert!(output.stdout.contains("/1") && !output.stdout.contains("evil"), "{output:?}");
}

#[tokio::test]
async fn without_a_named_host_there_is_no_proxy() {
    let Some(output) = ask(&[], "CONNECT a.org:443 HTTP/1.1\\r\\n\\r\\n").await else { return };
    assert!(!output.success() && output.stdout.is_empty(), "{output:?}");
}

/// The rest of the machine's network stays out of reach where a host is named.
#[tokio::test]
async fn nothing_is_reached_past_the_proxy() {
    let Some(sandbox) = sandbox() else { return };
    let port = echo();
    let (_keep, worktree) = folder();
    let hosts = vec![format!("127.0.0.1:{port}").parse().unwrap()];
    let policy = SandboxPolicy { hosts, ..policy(&worktree) };
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
    let command =
        SandboxCommand { argv: ["bash", "-c", &script].map(String::from).to_vec(), ..sh(&worktree, "") };
    assert!(!run(&sandbox, &command, &policy).await.success());
}
