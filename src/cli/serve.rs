//! `ado-vault serve`: `watch` that is also told by webhooks when to look.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::args::Global;
use super::progress::Progress;
use super::session::{self, open_vault, options};
use super::{Exit, Failure, output};
use crate::engine::{WebhookSecret, webhook_secret_of};

/// Watch, and take GitHub's webhooks, which say when to look again
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ado-vault serve
  ado-vault serve --listen 127.0.0.1:9000 --secret-file /run/secrets/webhook

Deliveries are posted to `/github`. Put a server with TLS in front of it; docs/github.md shows how.")]
pub struct ServeArgs {
    /// Address to listen at; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4747")]
    pub listen: SocketAddr,
    /// Environment variable that holds the webhook's secret
    #[arg(long, value_name = "NAME", default_value = "ADO_WEBHOOK_SECRET")]
    pub secret_env: String,
    /// File that holds it, readable by you alone; it is read in place of the variable
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Let agents run without a sandbox; every run says so
    #[arg(long)]
    pub no_sandbox: bool,
}

pub fn run(global: &Global, args: &ServeArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let secret = match &args.secret_file {
        Some(file) => of_file(file)?,
        None => webhook_secret_of(&args.secret_env).ok_or_else(|| {
            let name = &args.secret_env;
            Failure::errors(format!(
                "`{name}` holds no secret of 16 characters or more; set it to the secret of the webhook, or name a file with \
                 `--secret-file`"
            ))
        })?,
    };
    let options = options(Arc::new(Progress::new()), vec![], args.no_sandbox, "serve")?;
    session::serve(&vault, options, args.listen, secret, |address| {
        output::say(format!(
            "watching {}, told by webhooks at http://{address}/github; Ctrl-C stops",
            vault.root().display()
        ));
    })?;
    output::say("stopped; everything is saved");
    Ok(Exit::Done)
}

fn of_file(file: &Path) -> Result<WebhookSecret, Failure> {
    let shown = file.display();
    let cannot =
        |error: std::io::Error| Failure::errors(format!("cannot read the secret in `{shown}`: {error}"));
    let mode = std::fs::metadata(file).map_err(cannot)?.mode();
    if mode & 0o077 != 0 {
        return Err(Failure::errors(format!("others can read `{shown}`; run `chmod 600 {shown}`")));
    }
    let text = std::fs::read_to_string(file).map_err(cannot)?;
    WebhookSecret::new(&text)
        .ok_or_else(|| Failure::errors(format!("`{shown}` holds no secret of 16 characters or more")))
}
