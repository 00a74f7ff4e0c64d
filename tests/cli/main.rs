//! The program as people meet it: the real binary, real vaults and repositories, its output and exit codes.

mod beside;
mod check;
mod demo;
mod external;
mod leaks;
mod look;
mod mv;
mod reference;
mod support;
mod sync;
mod work;
mod write;
