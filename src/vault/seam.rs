//! The seam through which everything goes that the vault room changes on disk, so that tests can end the process before
//! and after each change.
//!
//! In release builds there is nothing here but the change itself; in debug builds a hook can be set by code alone, by no
//! environment and no setting.

/// The instant before or after a change of the disk, named by what is changed.
#[cfg(debug_assertions)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before(&'static str),
    After(&'static str),
}

#[cfg(debug_assertions)]
type Hook = Box<dyn Fn(Moment) + Send + Sync>;

#[cfg(debug_assertions)]
static HOOK: std::sync::OnceLock<Hook> = std::sync::OnceLock::new();

/// Debug builds alone: calls `hook` at every moment from now on. Gives whether it was the first hook of this process;
/// another is not set.
#[cfg(debug_assertions)]
pub fn at_moments(hook: impl Fn(Moment) + Send + Sync + 'static) -> bool {
    HOOK.set(Box::new(hook)).is_ok()
}

/// Makes one change of the disk.
#[inline]
pub(crate) fn change<T>(what: &'static str, make: impl FnOnce() -> T) -> T {
    reach(what, false);
    let made = make();
    reach(what, true);
    made
}

#[cfg(debug_assertions)]
fn reach(what: &'static str, after: bool) {
    if let Some(hook) = HOOK.get() {
        hook(if after { Moment::After(what) } else { Moment::Before(what) });
    }
}

#[cfg(not(debug_assertions))]
#[inline(always)]
fn reach(_what: &'static str, _after: bool) {}
