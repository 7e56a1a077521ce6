//! `aurora` and `aurora attach`: the screen, with the engine inside or elsewhere.

use std::io::IsTerminal;

use crate::client::{Client, Target};
use crate::config::{Config, KeyMap, Theme};
use crate::engine::{Doors, Running};
use crate::server::socket_path;
use crate::tui::{self, ColourMode, Ended, Look, Quit};

use super::args::{AttachArgs, Global, When};
use super::exit::{Exit, Failure, Outcome};
use super::{output, serve};

/// The screen with the engine inside, or on the engine that runs already.
pub(super) async fn run(config: Config, global: &Global) -> Outcome {
    let (look, look_of) = (look(&config.theme, global)?, |theme: &str| follow(theme, global));
    refuse_without_terminal("`aurora serve` runs the engine without a screen")?;
    let target = Target::Unix(socket_path(&config.state_dir));
    if let Ok(client) = Client::attach(target.clone(), true, global.read_only).await {
        return show(client, look, look_of, None).await;
    }
    let (running, _log) = match serve::engine(&config, global, Doors::Open, false).await {
        Ok(started) => started,
        Err(failure) => match wait_for(&target, global).await {
            // It started while we looked.
            Some(client) => return show(client, look, look_of, None).await,
            None => return Err(failure),
        },
    };
    let mut client = Client::embedded(&running.handle, true, global.read_only).await?;
    let ended = tui::run(&mut client, look, look_of, None).await?;
    drop(client);
    match ended {
        Ended::Quit(Quit::KeepEngine) => {
            output::line("The engine goes on in this process; `aurora` in another terminal shows it.")?;
            output::line("ctrl-c stops it; ctrl-z and `bg` give this terminal back.")?;
            keep(running).await
        }
        Ended::Hangup => keep(running).await,
        Ended::Quit(_) | Ended::Terminated | Ended::EngineEnded => serve::stop(running).await,
    }
}

/// The engine goes on without its screen, as `serve` does.
async fn keep(running: Running) -> Outcome {
    tracing::info!("the screen is gone; the engine goes on");
    serve::Signals::listen()?.until_stop(&running.handle).await;
    serve::stop(running).await
}

async fn wait_for(target: &Target, global: &Global) -> Option<Client> {
    for _ in 0..40 {
        if let Ok(client) = Client::attach(target.clone(), true, global.read_only).await {
            return Some(client);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    None
}

/// The screen on a running engine.
pub(super) async fn attach(config: &Config, args: &AttachArgs, global: &Global) -> Outcome {
    let look = look(&config.theme, global)?;
    let target = match &args.target {
        None => Target::Unix(socket_path(&config.state_dir)),
        Some(target) => Target::parse(target, args.remote.as_deref()).map_err(Failure::usage)?,
    };
    refuse_without_terminal("`aurora status` and `aurora watch` tell in lines of text how a running engine is")?;
    // Keys belong to the hands: who sits at another machine than the engine's keeps the keys they have there.
    let keys = match &target {
        Target::Ssh(_) => Some(&config.keys).filter(|keys| !keys.overrides().is_empty()),
        Target::Unix(_) => None,
    };
    let client = Client::attach(target, true, global.read_only).await;
    // The engine may have a configuration of its own; this screen has its own too.
    show(client?, look, |_: &str| None, keys).await
}

async fn show(
    mut client: Client,
    look: Look,
    look_of: impl Fn(&str) -> Option<Look>,
    keys: Option<&KeyMap>,
) -> Outcome {
    tui::run(&mut client, look, look_of, keys).await?;
    Ok(Exit::Fine)
}

pub(super) fn refuse_without_terminal(instead: &str) -> Result<(), Failure> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage(format!("this is no terminal; {instead}")))
}

/// The look of a theme the engine's configuration names from now on, unless the command line names one.
fn follow(theme: &str, global: &Global) -> Option<Look> {
    if global.theme.is_none() { look(theme, global).ok() } else { None }
}

/// The look of `theme` in this terminal.
pub(super) fn look(theme: &str, global: &Global) -> Result<Look, Failure> {
    let env = |name: &str| std::env::var(name).unwrap_or_default();
    let mode = match global.color {
        When::Never => ColourMode::None,
        When::Auto if !env("NO_COLOR").is_empty() || env("TERM") == "dumb" => ColourMode::None,
        When::Auto | When::Always if matches!(env("COLORTERM").as_str(), "truecolor" | "24bit") => ColourMode::True,
        When::Auto | When::Always => ColourMode::Sixteen,
    };
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].map(env).into_iter().find(|value| !value.is_empty()).unwrap_or_default();
    let ascii = global.ascii || !locale.to_lowercase().replace('-', "").contains("utf8") && !locale.is_empty();
    let theme = Theme::built_in(theme).map_err(Failure::usage)?;
    // A theme of exact colours in a terminal without them would lose its meaning.
    let theme = if mode == ColourMode::True { theme } else { Theme::built_in("terminal").map_err(Failure::usage)? };
    Ok(Look::new(&theme, mode, ascii))
}
