//! The sandbox that tests use: the built-in one, or containers of the image that `ADO_SANDBOX_IMAGE` names, which
//! `scripts/container-test` makes.

use std::path::{Path, PathBuf};

use ado_vault::sandbox::Sandbox;

/// The program that runs containers, where it is not to be the first one found.
pub fn engine() -> Option<PathBuf> {
    std::env::var_os("ADO_SANDBOX_ENGINE").map(PathBuf::from)
}

/// Says so and gives nothing where this machine cannot enforce the profile.
pub fn sandbox() -> Option<Sandbox> {
    let init = Path::new(env!("CARGO_BIN_EXE_ado-vault"));
    let sandbox = match std::env::var("ADO_SANDBOX_IMAGE") {
        Ok(image) => Sandbox::container(init, engine().as_deref(), &image),
        Err(_) => Sandbox::detect(init),
    };
    match sandbox {
        Ok(sandbox) => Some(sandbox),
        Err(error) => {
            eprintln!("not run: {error}");
            assert!(std::env::var_os("ADO_REQUIRE_SANDBOX").is_none(), "a sandbox is required here: {error}");
            None
        }
    }
}
