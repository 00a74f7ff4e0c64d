//! What people look at: everything here is derived from domain values and can be thrown away and made again.

pub mod render;
