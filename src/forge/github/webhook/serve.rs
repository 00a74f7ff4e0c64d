//! The receiver on the wire: one path, bounded in size, time and connections. It rings and tells nothing more.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::check::{Delivery, Refusal, WebhookSecret};
use super::deliveries::Deliveries;

/// Where deliveries are posted.
const PATH: &str = "/github";
/// Bytes of a body: GitHub sends no larger ones.
const MOST_BYTES: usize = 25 << 20;
/// GitHub waits for ten seconds.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// The whole of a connection, whatever is sent on it.
const CONNECTION_WITHIN: Duration = Duration::from_secs(60);
const MOST_CONNECTIONS: usize = 32;

/// A receiver of deliveries.
pub struct Webhooks {
    secret: WebhookSecret,
    deliveries: Mutex<Deliveries>,
    ring: Box<dyn Fn() + Send + Sync>,
}

impl Webhooks {
    /// `cache` is the folder that remembers deliveries; `ring` is called for each that is new, and must return at once.
    pub fn new(secret: WebhookSecret, cache: &Path, ring: impl Fn() + Send + Sync + 'static) -> Self {
        let deliveries = Mutex::new(Deliveries::read(cache.join("deliveries")));
        Self { secret, deliveries, ring: Box::new(ring) }
    }

    /// Takes deliveries until it is dropped.
    pub async fn serve(self, listener: TcpListener) {
        let (own, places) = (Arc::new(self), Arc::new(Semaphore::new(MOST_CONNECTIONS)));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, from)) => {
                    let own = own.clone();
                    tokio::spawn(async move {
                        let _ = tokio::time::timeout(CONNECTION_WITHIN, own.connection(stream, from)).await;
                        drop(place);
                    });
                }
                // Out of descriptors, or a connection that was gone at once.
                Err(error) => {
                    tracing::debug!(%error, "no connection was taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn connection(&self, stream: TcpStream, from: SocketAddr) {
        let answer = service_fn(async |request: Request<Incoming>| {
            let (status, words) = match self.take(request).await {
                Ok(words) => (202, words),
                Err(refusal) => {
                    tracing::warn!(%from, why = refusal.in_words(), "a delivery was refused");
                    (refusal.status(), refusal.in_words())
                }
            };
            let mut response = Response::new(Full::new(Bytes::from(words)));
            *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
            Ok::<_, Infallible>(response)
        });
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(64 << 10);
        if let Err(error) = server.serve_connection(TokioIo::new(stream), answer).await {
            tracing::debug!(%from, %error, "a connection ended");
        }
    }

    async fn take(&self, request: Request<Incoming>) -> Result<&'static str, Refusal> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST || head.uri.path() != PATH {
            return Err(Refusal::Malformed);
        }
        let mut delivery = Delivery::begin(&head.headers, &self.secret)?;
        let read = tokio::time::timeout(BODY_WITHIN, read(body, &mut delivery));
        read.await.map_err(|_| Refusal::TooSlow)??;
        let event = delivery.event.clone();
        let names = delivery.end()?;
        let is_new = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).are_new(names);
        match (is_new, event.as_str()) {
            (false, _) => Err(Refusal::Replayed),
            (true, "ping") => Ok("pong"),
            (true, _) => {
                tracing::debug!(%event, "looking again");
                (self.ring)();
                Ok("looking again")
            }
        }
    }
}

/// Reads the body into the delivery without keeping it.
async fn read(mut body: Incoming, delivery: &mut Delivery) -> Result<(), Refusal> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Malformed)?;
        let Some(data) = frame.data_ref() else { continue };
        bytes += data.len();
        if bytes > MOST_BYTES {
            return Err(Refusal::TooLarge);
        }
        delivery.read(data);
    }
    Ok(())
}
