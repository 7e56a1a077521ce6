//! `aurora attach --stdio`: the far end of `ssh://`.

use std::io::IsTerminal;

use crate::client::relay;
use crate::config::Config;
use crate::server::socket_path;

use super::args::Global;
use super::exit::{Exit, Failure, Outcome};

/// Carries frames between standard input and output and the engine's socket. Nothing else is printed there, and
/// what the other side asked sshd to run plays no part.
pub(super) async fn run(config: &Config, key: Option<&str>, global: &Global) -> Outcome {
    if std::io::stdin().is_terminal() || std::io::stdout().is_terminal() {
        let text = "this end speaks frames, not to a person; `aurora attach` opens the screen";
        return Err(Failure::usage(text));
    }
    let path = socket_path(&config.state_dir);
    match relay(&path, key, global.read_only, tokio::io::stdin(), tokio::io::stdout()).await {
        Ok(()) => Ok(Exit::Fine),
        Err(error) => Err(error.into()),
    }
}
