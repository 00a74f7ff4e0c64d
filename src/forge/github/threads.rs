//! Answers at a pull request, and threads that they settle. The plain API has no threads: GraphQL is asked for these alone.

use http::Method;
use serde_json::{Value, json};

use super::forge::{GithubForge, PAGE, done};
use super::own::is_own;
use super::remarks::THREAD;
use super::words::outgoing;
use crate::forge::{Answer, ForgeError};

const THREADS: &str = "query($owner: String!, $name: String!, $number: Int!, $after: String) { \
    repository(owner: $owner, name: $name) { pullRequest(number: $number) { \
    reviewThreads(first: 100, after: $after) { nodes { id isResolved comments(first: 1) { nodes { databaseId } } } \
    pageInfo { hasNextPage endCursor } } } } }";
const RESOLVE: &str =
    "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }";
/// Pages of threads that are looked through.
const MOST_PAGES: usize = 20;

impl GithubForge {
    /// Answers in the thread that the answer names, or on the page, unless that was done. A thread is resolved then.
    pub(super) async fn answer_at(&self, number: u64, answer: &Answer) -> Result<(), ForgeError> {
        let marker = format!("<!-- ado:answer {} -->", answer.id);
        let Some(first) = answer.place.strip_prefix(THREAD).and_then(|id| id.parse::<u64>().ok()) else {
            return self.say_once(number, &marker, &answer.text).await;
        };
        let comments = self.pull(number, "/comments");
        let there = self.client.list(&self.address, &format!("{comments}?{PAGE}"), None).await?;
        if !there.iter().any(|each| is_own(each, &marker)) {
            let path = self.pull(number, &format!("/comments/{first}/replies"));
            let body = json!({"body": format!("{}\n\n{marker}", outgoing(&answer.text))});
            let reply = self.client.send(&self.address, Method::POST, &path, body).await?;
            // The comment was deleted: nobody waits for an answer.
            if matches!(reply.status, 404 | 410) {
                return Ok(());
            }
            done(&path, reply)?;
        }
        self.resolve(number, first).await
    }

    /// Settles the thread that a comment began. One that cannot be settled by this account stays for people.
    async fn resolve(&self, number: u64, first: u64) -> Result<(), ForgeError> {
        let Some(thread) = self.thread_of(number, first).await? else { return Ok(()) };
        match self.client.ask(&self.address, RESOLVE, json!({"id": thread})).await {
            Err(error @ ForgeError::Refused { .. }) => {
                tracing::warn!(%error, "a review thread stays open");
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }

    /// The open thread that a comment began.
    async fn thread_of(&self, number: u64, first: u64) -> Result<Option<String>, ForgeError> {
        let mut after = Value::Null;
        for _ in 0..MOST_PAGES {
            let (owner, name) = (&self.address.owner, &self.address.name);
            let variables = json!({"owner": owner, "name": name, "number": number, "after": after});
            let mut data = self.client.ask(&self.address, THREADS, variables).await?;
            let threads = data["repository"]["pullRequest"]["reviewThreads"].take();
            let is_it =
                |thread: &&Value| thread["comments"]["nodes"][0]["databaseId"].as_u64() == Some(first);
            if let Some(thread) = threads["nodes"].as_array().into_iter().flatten().find(is_it) {
                let is_open = thread["isResolved"] != true;
                return Ok(thread["id"].as_str().filter(|_| is_open).map(str::to_owned));
            }
            if threads["pageInfo"]["hasNextPage"] != true {
                break;
            }
            after = threads["pageInfo"]["endCursor"].clone();
        }
        Ok(None)
    }
}
