//! The time that calls are made by: the machine's, or one that a test moves.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// Tells the time and waits for it.
#[async_trait]
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
    /// Comes back when `now` is `at` or later.
    async fn until(&self, at: Timestamp);
    /// Wall time of one call with its answer.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineClock;

#[async_trait]
impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn until(&self, at: Timestamp) {
        while let Ok(left) = Duration::try_from(at.duration_since(Timestamp::now()))
            && !left.is_zero()
        {
            tokio::time::sleep(left).await;
        }
    }
}
