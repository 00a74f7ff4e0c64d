//! Git over HTTP by git's own `http-backend`, for whoever knows the token. It knows no pull request.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response};
use base64::Engine;

use super::fake::TOKEN;

/// Answers one request of git for `path`, which begins with the repository's folder.
pub fn serve(
    git: &Path,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response<Body> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{TOKEN}"));
    if header("authorization") != format!("Basic {known}") {
        let refused = Response::builder().status(401).header("www-authenticate", "Basic realm=\"git\"");
        return refused.body(Body::empty()).unwrap();
    }
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", git.parent().unwrap())
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "ado-bot")
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("REQUEST_METHOD", method.as_str())
        .env("PATH_INFO", format!("/{path}"))
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let said = child.wait_with_output().unwrap().stdout;
    let end = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let mut response = Response::builder().status(200);
    for line in String::from_utf8_lossy(&said[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(value.split(' ').next().unwrap().parse::<u16>().unwrap()),
            _ => response.header(name, value),
        };
    }
    response.body(Body::from(said[end + 4..].to_vec())).unwrap()
}
