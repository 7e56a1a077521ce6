//! `aurora` and `aurora attach`: the screen, with the engine inside or elsewhere.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tracing_appender::non_blocking::WorkerGuard;

use crate::client::{Client, Target};
use crate::config::{Config, KeyMap, Switch, TerminalConfig};
use crate::engine::{Doors, Handle, Running};
use crate::protocol::Order;
use crate::server::socket_path;
use crate::tui::{self, Beginning, ColourMode, Display, Ended, Known, Memory, Place, Quit, Settings, Themes};

use super::args::{AttachArgs, Global, When};
use super::exit::{Exit, Failure, Outcome};
use super::{orders, output, serve, status, watch};

/// How long an engine that is being started is waited for when its screen was left.
const PATIENCE: Duration = Duration::from_secs(10);

/// The screen at a place.
pub(super) async fn open(config: Config, line: &str, global: &Global) -> Outcome {
    let known = match status::snapshot(&config).await {
        Ok(snapshot) => Known::from(&*snapshot),
        Err(failure) if failure.exit == Exit::Denied => return Err(failure),
        // No engine runs yet; the one that will has this configuration.
        Err(_) => Known {
            node: config.node.clone(),
            checks: config.health.checks.iter().map(|check| check.id.clone()).collect(),
            hosts: config.hosts.keys().cloned().collect(),
            ..Known::default()
        },
    };
    let place = Place::parse(line, &known).map_err(|error| match error.column {
        1 if Order::parse(line, &orders::asking()).is_ok() => {
            Failure::usage(format!("this is an order; `aurora do {line:?}` does it"))
        }
        _ => Failure::usage(error),
    })?;
    Box::pin(run(config, Some(place), global)).await
}

/// The screen with the engine inside, or on the engine that runs already.
pub(super) async fn run(config: Config, place: Option<Place>, global: &Global) -> Outcome {
    let beginning = Beginning { place, memory: Some(memory(&config)), ..Beginning::default() };
    refuse_without_terminal("`aurora serve` runs the engine without a screen")?;
    let mut themes = themes(&config, global)?;
    let settings = settings(config.terminal, global, false);
    let dumb = is_dumb()?;
    let target = Target::Unix(socket_path(&config.state_dir));
    if let Ok(client) = Client::attach(target.clone(), true, global.read_only).await {
        return show(client, settings, &mut themes, None, dumb, beginning).await;
    }
    let begin = Box::pin(engine(config, global.clone()));
    let (ended, begun) = if dumb {
        match begin.await {
            Ok((_, (running, _log))) => {
                let client = Client::embedded(&running.handle, true, global.read_only).await?;
                return tell(running, client).await;
            }
            Err(failure) => (Ended::EngineEnded, Err(failure)),
        }
    } else {
        let (ended, begun) = behind(begin, settings, &mut themes, beginning.clone(), global).await?;
        (ended?, begun)
    };
    let (running, _log) = match begun {
        Ok(begun) => begun,
        Err(failure) if ended == Ended::EngineEnded => match wait_for(&target, global).await {
            // It started while we looked.
            Some(client) => return show(client, settings, &mut themes, None, dumb, beginning).await,
            None => return Err(failure),
        },
        Err(failure) => return Err(failure),
    };
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

/// An engine with everything around it; the guard keeps its log open.
async fn engine(config: Config, global: Global) -> Result<(Handle, (Running, WorkerGuard)), Failure> {
    let (running, log) = serve::engine(&config, &global, Doors::Open, false).await?;
    Ok((running.handle.clone(), (running, log)))
}

/// The screen, at once, and behind it what `begin` starts. Answers how the screen ended and what was started.
///
/// # Errors
/// When the screen was left and the start takes too long to be waited for.
pub(super) async fn behind<T: Send + 'static>(
    begin: impl Future<Output = Result<(Handle, T), Failure>> + Send + 'static,
    settings: Settings,
    themes: &mut Themes,
    beginning: Beginning,
    global: &Global,
) -> Result<(io::Result<Ended>, Result<T, Failure>), Failure> {
    let (mut client, starting) = Client::starting(begin, global.read_only);
    let ended = tui::run(&mut client, settings, themes, None, beginning).await;
    drop(client);
    let mut signals = serve::Signals::listen()?;
    let enough = async {
        match ended {
            // An engine goes on without its screen, and one that has not begun begins.
            Ok(Ended::Hangup | Ended::EngineEnded) => signals.until_asked().await,
            Ok(Ended::Quit(_) | Ended::Terminated) | Err(_) => tokio::time::sleep(PATIENCE).await,
        }
    };
    let begun = tokio::select! {
        begun = starting => begun,
        () = enough => {
            let why = "the engine had not started yet when the screen was left; it was given up";
            return Err(Failure::new(Exit::Failed, why));
        }
    };
    let died = |panic| Failure::new(Exit::Failed, format!("the start of the engine ended in a defect: {panic}"));
    Ok((ended, begun.unwrap_or_else(|panic| Err(died(panic)))))
}

/// The engine with sentences in place of its screen.
async fn tell(running: Running, client: Client) -> Outcome {
    let mut signals = serve::Signals::listen()?;
    tokio::select! {
        told = watch::plainly(client) => {
            serve::stop(running).await?;
            told
        }
        () = signals.until_stop(&running.handle) => serve::stop(running).await,
    }
}

/// Whether the terminal says that it can do nothing but print lines. Says what is done about it.
fn is_dumb() -> Result<bool, Failure> {
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    if dumb {
        output::line("TERM is dumb, so what happens is told in sentences; ctrl-c ends it.")?;
        output::line(
            "For the full screen start aurora in another terminal, or say what this one is: TERM=xterm aurora",
        )?;
    }
    Ok(dumb)
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
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

/// The screen on a running engine.
pub(super) async fn attach(config: &Config, args: &AttachArgs, global: &Global) -> Outcome {
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
    // The engine may have a configuration of its own; this screen has its own too.
    let mut themes = themes(config, global)?;
    let beginning = Beginning { memory: Some(memory(config)), ..Beginning::default() };
    let settings = settings(config.terminal, global, matches!(target, Target::Ssh(_)));
    let client = Client::attach(target, true, global.read_only).await;
    show(client?, settings, &mut themes, keys, is_dumb()?, beginning).await
}

async fn show(
    mut client: Client,
    settings: Settings,
    themes: &mut Themes,
    keys: Option<&KeyMap>,
    dumb: bool,
    beginning: Beginning,
) -> Outcome {
    if dumb {
        return watch::plainly(client).await;
    }
    tui::run(&mut client, settings, themes, keys, beginning).await?;
    Ok(Exit::Fine)
}

/// How the screen uses its terminal; `far` is an engine at the other end of an ssh.
pub(super) fn settings(config: TerminalConfig, global: &Global, far: bool) -> Settings {
    let env = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let over_ssh = env("SSH_CONNECTION") || env("SSH_TTY");
    // These know neither titles nor questions, and the console of Linux prints some of them.
    let plain = std::env::var("TERM").is_ok_and(|term| matches!(term.as_str(), "" | "dumb" | "linux"));
    Settings {
        sync: config.sync && !global.no_sync,
        lite: if global.lite { Switch::On } else { config.lite },
        mouse: config.mouse.or(!over_ssh),
        title: config.title && !plain,
        far: far || over_ssh,
        asks: !plain,
    }
}

/// What screens remember, on this machine.
fn memory(config: &Config) -> Memory {
    Memory::new(config.state_dir.join("screens"))
}

pub(super) fn refuse_without_terminal(instead: &str) -> Result<(), Failure> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage(format!("this is no terminal; {instead}")))
}

/// The themes of the screen, as the terminal can show them.
pub(super) fn themes(config: &Config, global: &Global) -> Result<Themes, Failure> {
    let env = |name: &str| std::env::var(name).unwrap_or_default();
    let forced = match global.color {
        When::Auto => None,
        When::Always => Some(true),
        When::Never => Some(false),
    };
    let colours = ColourMode::detect(forced, env);
    let only_ascii = tui::is_ascii_locale(env);
    let display = Display { colours, ascii: global.ascii || only_ascii, only_ascii };
    let themes = Themes::new(config, global.config.as_deref(), global.theme.as_deref(), display);
    if global.theme.is_some() {
        themes.look().map_err(Failure::usage)?;
    }
    Ok(themes)
}
