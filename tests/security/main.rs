//! The cases of `docs/security.md`: each has its test, and the attempts on the host's side are first seen to work.

mod index;
mod naive;
