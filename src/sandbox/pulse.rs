//! Whether a command still does something: when it last wrote, or had something done for it elsewhere. Ends nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Signs of life of one command. A clone is the same pulse.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<Mutex<Beat>>);

#[derive(Debug)]
struct Beat {
    last: Instant,
    /// How many things it waits for.
    awaited: usize,
}

/// Something that the command waits for; as long as this lives it is not still.
#[derive(Debug)]
pub struct Awaited(Pulse);

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Beat { last: Instant::now(), awaited: 0 })))
    }
}

impl Pulse {
    /// A sign of life.
    pub fn beat(&self) {
        self.change(|_| ());
    }

    /// Keeps the command from counting as still until the answer is dropped.
    pub fn hold(&self) -> Awaited {
        self.change(|beat| beat.awaited += 1);
        Awaited(self.clone())
    }

    /// Ends when there was no sign of life for this long.
    pub(super) async fn stopped(&self, most: Duration) {
        loop {
            let (awaited, quiet) = {
                let beat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                (beat.awaited > 0, beat.last.elapsed())
            };
            match most.checked_sub(quiet) {
                None | Some(Duration::ZERO) if !awaited => return,
                Some(left) if !awaited => sleep(left).await,
                _ => sleep(most).await,
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Beat)) {
        let mut beat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut beat);
        beat.last = Instant::now();
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.change(|beat| beat.awaited -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_pulse_stops_only_when_nothing_came_for_long_enough_and_nothing_is_awaited() {
        let (pulse, begun) = (Pulse::default(), Instant::now());
        let watched = pulse.clone();
        let watch = tokio::spawn(async move { watched.stopped(MOST).await });
        sleep(Duration::from_secs(6)).await;
        pulse.beat();
        let awaited = pulse.hold();
        sleep(Duration::from_secs(50)).await;
        assert!(!watch.is_finished(), "an answer is awaited");
        drop(awaited);
        watch.await.unwrap();
        assert!((66..=76).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    }
}
