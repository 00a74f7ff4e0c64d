//! What commands share: the vault, an engine with its signals, a feature by name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Failure;
use super::args::Global;
use crate::domain::{FeatureId, FeatureView};
use crate::engine::{
    Engine, EngineError, Listener, Observation, Options, Outcome, PAUSE, ReviewOrder, Reviewed, Settled,
    WebhookSecret,
};
use crate::vault::Vault;

/// Time between a signal and the end of the program, whatever hangs.
const LEAVE_AFTER: Duration = Duration::from_millis(4_500);

pub fn open_vault(global: &Global) -> Result<Vault, Failure> {
    Ok(Vault::open(&global.vault)?)
}

pub fn feature_id(text: &str) -> Result<FeatureId, Failure> {
    text.trim_end_matches(".md")
        .parse()
        .map_err(|error: crate::domain::InvalidId| Failure::usage(error.to_string()))
}

pub fn feature_ids(texts: &[String]) -> Result<Vec<FeatureId>, Failure> {
    texts.iter().map(|text| feature_id(text)).collect()
}

/// The feature with this id, or a failure that names what there is.
pub fn find<'a>(look: &'a Observation, id: &FeatureId) -> Result<&'a FeatureView, Failure> {
    look.feature(id).ok_or_else(|| {
        Failure::errors(format!("feature `{id}` is not in the vault; `ado-vault status --all` lists all"))
    })
}

/// How an engine is to work.
pub enum Work {
    UntilIdle,
    UntilStopped,
}

/// Opens an engine and lets it work until it ends or a signal stops it.
pub fn work(vault: &Vault, options: Options, work: &Work) -> Result<Outcome, Failure> {
    let opening = match work {
        Work::UntilIdle => Opening::WhenWritable(Some(PAUSE)),
        Work::UntilStopped => Opening::WhenWritable(None),
    };
    let outcome = with_engine(vault, options, opening, async |engine, stop| match work {
        Work::UntilIdle => engine.run(stop).await,
        Work::UntilStopped => engine.watch(stop).await,
    });
    Ok(outcome?.unwrap_or(Outcome::Stopped))
}

/// Lets an engine work until a signal stops it, and take webhooks at an address, which is told as soon as it is had.
pub fn serve(
    vault: &Vault,
    options: Options,
    address: SocketAddr,
    secret: WebhookSecret,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), Failure> {
    with_engine(vault, options, Opening::WhenWritable(None), async |engine, stop| {
        let (bound, _webhooks) = engine.take_webhooks(address, secret).await?;
        listening(bound);
        engine.watch(stop).await
    })?;
    Ok(())
}

/// Keeps the books once: no agents, no pushes, no merges. `None` when a signal stopped it.
pub fn keep_books(vault: &Vault, options: Options) -> Result<Option<Settled>, Failure> {
    with_engine(vault, options, Opening::AtOnce, async |engine, stop| engine.keep_books(stop).await)
}

/// Reviews one pull request that somebody else wrote. `None` when a signal stopped it.
pub fn review(vault: &Vault, options: Options, order: &ReviewOrder) -> Result<Option<Reviewed>, Failure> {
    with_engine(vault, options, Opening::WhenWritable(Some(PAUSE)), async |engine, stop| {
        engine.review(order, stop).await
    })
}

/// Whether an engine waits for a vault that cannot be written, and for how long.
enum Opening {
    AtOnce,
    WhenWritable(Option<Duration>),
}

/// `None` when a signal came and the work did not end in time.
fn with_engine<T>(
    vault: &Vault,
    options: Options,
    opening: Opening,
    work: impl AsyncFnOnce(&mut Engine, &CancellationToken) -> Result<T, EngineError>,
) -> Result<Option<T>, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signals(&stop)?;
        let opened = match opening {
            Opening::AtOnce => Some(Engine::open(vault, options).await?),
            Opening::WhenWritable(patience) => {
                Engine::open_when_writable(vault, options, &stop, patience).await?
            }
        };
        let Some(mut engine) = opened else { return Ok(None) };
        tokio::select! {
            done = work(&mut engine, &stop) => Ok::<Option<T>, Failure>(Some(done?)),
            () = patience_ends(&stop) => Ok(None),
        }
    });
    // Steps that did not stop in time are left behind; the journal knows them.
    runtime.shutdown_background();
    done
}

/// A push or a merge that hangs does not hold up the end: the journal knows what was tried.
async fn patience_ends(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LEAVE_AFTER).await;
}

fn stop_on_signals(stop: &CancellationToken) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signals = signal(kind)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    Ok(())
}

pub fn options(
    listener: Arc<dyn Listener>,
    only: Vec<FeatureId>,
    no_sandbox: bool,
    what: &'static str,
) -> Result<Options, Failure> {
    Ok(Options { binary: std::env::current_exe()?, no_sandbox, only, listener, what })
}
