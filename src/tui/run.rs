//! The loop of the screen: keys, updates, signals in; frames out.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use crossterm::terminal;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::client::{Client, Download};
use crate::config::KeyMap;
use crate::protocol::{RequestId, Update};

use super::app::{App, Cmd, Msg, Purpose, Quit};
use super::input::{Input, Reader};
use super::output::Output;
use super::saving::Save;
use super::screen::Screen;
use super::terminal::TerminalGuard;
use super::themes::Themes;

/// How often ages are looked at again. They are coarse, so mostly nothing is written.
const TICK: Duration = Duration::from_secs(5);
/// How often a suspended screen looks whether the terminal is its own again.
const FOREGROUND: Duration = Duration::from_millis(500);

/// How the screen ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The operator left.
    Quit(Quit),
    /// The terminal went away.
    Hangup,
    /// The process was asked to stop.
    Terminated,
    /// The embedded engine has ended by itself.
    EngineEnded,
}

/// Runs the screen on this process's terminal until it ends. `themes` says how it looks, now and when files change.
/// `keys` are this machine's own, in place of those of the engine's configuration.
///
/// # Errors
/// When standard output is no terminal.
pub async fn run(client: &mut Client, themes: &mut Themes, keys: Option<&KeyMap>) -> io::Result<Ended> {
    let mut guard = Some(TerminalGuard::take()?);
    let size = terminal::size()?;
    let mut screen = Screen::new(size, true);
    let mut output = Output::start()?;
    let mut reader = Some(Reader::open()?);
    let mut app = begin(client, themes, keys, size);
    let mut asked: HashMap<RequestId, Purpose> = HashMap::new();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut resume = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    let mut resized = signal(SignalKind::window_change())?;
    let mut saving: Option<Download> = None;
    let mut dirty = true;

    let ended = 'screen: loop {
        if dirty && guard.is_some() && !output.is_busy() {
            dirty = false;
            let bytes = screen.frame(&app);
            if !bytes.is_empty() {
                output.write(bytes);
            }
        }
        let msg = tokio::select! {
            // Keys before updates, so that a busy engine never makes the screen feel slow.
            biased;
            _ = terminate.recv() => break Ended::Terminated,
            _ = interrupt.recv() => break Ended::Terminated,
            _ = hangup.recv() => break Ended::Hangup,
            () = foreground(&mut resume), if guard.is_none() => {
                guard = Some(TerminalGuard::take()?);
                reader = Some(Reader::open()?);
                screen.forget();
                resize(&mut screen)?
            }
            _ = resized.recv(), if guard.is_some() => resize(&mut screen)?,
            input = next_input(&mut reader) => match input {
                Some(Input::Key(key)) => Msg::Key(key),
                Some(Input::Paste(text)) => Msg::Paste(text),
                Some(Input::PasteTooLong(bytes)) => Msg::PasteTooLong(bytes),
                Some(Input::Mouse(mouse)) => Msg::Mouse(mouse),
                Some(Input::Answer(answer)) => Msg::Terminal(answer),
                Some(Input::Focus(_)) => continue,
                None => break Ended::Hangup,
            },
            written = output.written(), if output.is_busy() => match written {
                Ok(()) => continue,
                Err(_) => break Ended::Hangup,
            },
            update = client.next() => match update {
                Some(Update::Reply { id, reply }) => match asked.remove(&id) {
                    Some(purpose) => Msg::Reply(purpose, reply),
                    None => continue,
                },
                Some(update) => Msg::Update(update),
                None => break Ended::EngineEnded,
            },
            look = themes.changed() => Msg::Look(look),
            () = wake(app.wakes_at()) => Msg::Tick,
            _ = ticks.tick() => Msg::Tick,
        };
        dirty = true;
        for cmd in app.update(msg, Timestamp::now()) {
            match cmd {
                Cmd::Ask(purpose, request) => {
                    asked.insert(client.ask(request), purpose);
                }
                Cmd::Quit(quit) => break 'screen Ended::Quit(quit),
                Cmd::Save(step) => {
                    if let Some(result) = save(&mut saving, step) {
                        app.update(Msg::Saved(result), Timestamp::now());
                    }
                }
                Cmd::Redraw => screen.forget(),
                Cmd::Theme(step) => {
                    if let Some(msg) = themes.take(step) {
                        app.update(msg, Timestamp::now());
                    }
                }
                Cmd::Suspend => {
                    // No reader of keys may be left, or it would take the shell's.
                    reader = None;
                    if output.is_busy() && output.written().await.is_err() {
                        break 'screen Ended::Hangup;
                    }
                    guard = None;
                    rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
                }
            }
        }
    };
    output.stop();
    drop(guard);
    Ok(ended)
}

/// The screen before anything was heard. A theme that cannot be used is told on it, in the plain one.
fn begin(client: &Client, themes: &Themes, keys: Option<&KeyMap>, size: (u16, u16)) -> App {
    let now = Timestamp::now();
    let mut app = App::new(themes.plain(), size, client.link(), client.is_read_only(), now);
    if let Some(keys) = keys {
        app.set_keys(keys);
    }
    app.update(Msg::Look(themes.look()), now);
    app
}

/// Asks the terminal for its size.
fn resize(screen: &mut Screen) -> io::Result<Msg> {
    let (columns, rows) = terminal::size()?;
    screen.resize((columns, rows));
    Ok(Msg::Resize(columns, rows))
}

/// Takes one step of saving; answers what is to be said when it was the last.
fn save(saving: &mut Option<Download>, step: Save) -> Option<Result<String, String>> {
    let dir = Download::dir();
    let done = match step {
        Save::Begin(name) => Download::create(&dir, &name).map(|download| *saving = Some(download)),
        // Without a file something has failed before, and was said then.
        Save::Write(bytes) => saving.as_mut().map_or(Ok(()), |download| download.write(&bytes)),
        Save::End => {
            return saving.take().map(|download| {
                let dir = download.path().parent().unwrap_or(&dir).display().to_string();
                Ok(if dir == "." { "the current directory".to_owned() } else { dir })
            });
        }
    };
    done.err().map(|error| {
        *saving = None;
        Err(format!("{}: {error}", dir.display()))
    })
}

/// Resolves when the shell has given the terminal back. Not every shell says so to a job that runs already.
async fn foreground(resume: &mut Signal) {
    while !is_foreground() {
        tokio::select! {
            _ = resume.recv() => {}
            () = tokio::time::sleep(FOREGROUND) => {}
        }
    }
}

/// Resolves at `moment`; nothing wakes up before.
async fn wake(moment: Option<Timestamp>) {
    match moment {
        // In the past is at once.
        Some(moment) => {
            let left = Duration::try_from(moment.duration_since(Timestamp::now())).unwrap_or_default();
            tokio::time::sleep(left).await;
        }
        None => std::future::pending().await,
    }
}

async fn next_input(reader: &mut Option<Reader>) -> Option<Input> {
    match reader {
        Some(reader) => reader.next().await,
        None => std::future::pending().await,
    }
}

/// Whether the shell has given the terminal to this process.
fn is_foreground() -> bool {
    rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}
