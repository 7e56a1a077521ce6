//! The loop of the screen: keys, updates, signals in; frames out.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use crossterm::terminal;
use futures_util::StreamExt;
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::client::{Client, Download};
use crate::protocol::{RequestId, Update};

use super::app::{App, Cmd, Msg, Purpose, Quit};
use super::output::{FrameBytes, Output};
use super::saving::Save;
use super::styles::Look;
use super::terminal::TerminalGuard;

/// How often ages are looked at again. They are coarse, so mostly nothing is written.
const TICK: Duration = Duration::from_secs(5);
/// How often a suspended screen looks whether the terminal is its own again.
const FOREGROUND: Duration = Duration::from_millis(500);
/// Around a frame, so that a terminal that knows it shows the frame at once; others ignore it.
const BEGIN_FRAME: &[u8] = b"\x1b[?2026h";
const END_FRAME: &[u8] = b"\x1b[?2026l";

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

/// The terminal as ratatui draws it, and the bytes that come of it.
struct Screen {
    terminal: Terminal<CrosstermBackend<FrameBytes>>,
    bytes: FrameBytes,
}

/// Runs the screen on this process's terminal until it ends. `look_of` has the look of a theme, for when the
/// engine's configuration names another one; where it has none the look stays.
///
/// # Errors
/// When standard output is no terminal.
pub async fn run(client: &mut Client, look: Look, look_of: impl Fn(&str) -> Option<Look>) -> io::Result<Ended> {
    let mut guard = Some(TerminalGuard::take()?);
    let mut screen = Screen::new()?;
    let mut output = Output::start()?;
    let mut events = Some(EventStream::new());
    let mut app = App::new(look, terminal::size()?, client.link(), client.is_read_only(), Timestamp::now());
    let mut asked: HashMap<RequestId, Purpose> = HashMap::new();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut resume = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    let mut theme: Option<String> = None;
    let mut saving: Option<Download> = None;
    let mut dirty = true;

    let ended = 'screen: loop {
        if dirty && guard.is_some() && !output.is_busy() {
            dirty = false;
            let bytes = screen.frame(&app)?;
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
                screen = Screen::new()?;
                events = Some(EventStream::new());
                let (columns, rows) = terminal::size()?;
                Msg::Resize(columns, rows)
            }
            event = next_event(&mut events) => match event {
                Some(Ok(Event::Key(key))) => Msg::Key(key),
                Some(Ok(Event::Paste(text))) => Msg::Paste(text),
                Some(Ok(Event::Resize(columns, rows))) => Msg::Resize(columns, rows),
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => break Ended::Hangup,
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
                Some(update) => {
                    if let Update::Snapshot(snapshot) = &update {
                        let now = &snapshot.config.theme;
                        if theme.replace(now.clone()).is_some_and(|before| before != *now)
                            && let Some(look) = look_of(now)
                        {
                            app.set_look(look);
                        }
                    }
                    Msg::Update(update)
                }
                None => break Ended::EngineEnded,
            },
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
                Cmd::Redraw => screen = Screen::new()?,
                Cmd::Suspend => {
                    // No reader of keys may be left, or it would take the shell's.
                    events = None;
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
    drop(events);
    if ended == Ended::Hangup {
        silence_input()?;
    }
    Ok(ended)
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

/// Puts a pipe nobody writes to in the place of standard input.
///
/// crossterm's reader takes the end of a terminal that is gone for "nothing yet" and asks again at once, for
/// as long as the process lives; an engine that outlives its screen would burn a core.
fn silence_input() -> io::Result<()> {
    let (quiet, writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK | rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::stdio::dup2_stdin(&quiet)?;
    // Without a writer the pipe would read as ended, which is what it is here against.
    std::mem::forget(writer);
    Ok(())
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

async fn next_event(events: &mut Option<EventStream>) -> Option<io::Result<Event>> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

impl Screen {
    /// An empty screen. `Terminal::clear` would ask the terminal where its cursor is and wait for an answer
    /// that some never give, so the first frame erases by itself.
    fn new() -> io::Result<Self> {
        let mut bytes = FrameBytes::default();
        bytes.write_all(b"\x1b[2J")?;
        let terminal = Terminal::new(CrosstermBackend::new(bytes.clone()))?;
        Ok(Self { terminal, bytes })
    }

    /// The bytes of the next frame; none when nothing has changed.
    fn frame(&mut self, app: &App) -> io::Result<Vec<u8>> {
        self.terminal.draw(|frame| app.draw(frame))?;
        let bytes = self.bytes.take();
        if !changes_the_screen(&bytes) {
            return Ok(Vec::new());
        }
        Ok([BEGIN_FRAME, &bytes, END_FRAME].concat())
    }
}

/// Whether a frame does more than hide the cursor, which is hidden already, and reset colours.
fn changes_the_screen(bytes: &[u8]) -> bool {
    const IDLE: [&[u8]; 2] = [b"\x1b[?25l", b"\x1b[39m\x1b[49m\x1b[59m\x1b[0m"];
    let mut rest = bytes;
    while let Some(after) = IDLE.iter().find_map(|idle| rest.strip_prefix(*idle)) {
        rest = after;
    }
    !rest.is_empty()
}

/// Whether the shell has given the terminal to this process.
fn is_foreground() -> bool {
    rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_frame_is_not_written() {
        assert!(!changes_the_screen(b""));
        assert!(!changes_the_screen(b"\x1b[?25l"));
        assert!(!changes_the_screen(b"\x1b[39m\x1b[49m\x1b[59m\x1b[0m\x1b[?25l"));
        assert!(changes_the_screen(b"\x1b[1;1Hx\x1b[?25l"));
    }
}
