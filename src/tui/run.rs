//! The loop of the screen: keys, updates, signals in; frames out.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use crossterm::terminal;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::client::Client;
use crate::config::KeyMap;
use crate::model::OperatorName;
use crate::protocol::{RequestId, Update};

use super::app::App;
use super::input::{Answer, Input, Reader};
use super::memory::{Kept, Memory};
use super::msg::{Cmd, Msg, Purpose, Quit};
use super::pace::Urgency;
use super::painter::{Painter, QUIET, Settings};
use super::place::Place;
use super::saver::Saver;
use super::terminal::TerminalGuard;
use super::themes::Themes;

/// How often a suspended screen looks whether the terminal is its own again.
const FOREGROUND: Duration = Duration::from_millis(500);
/// How long answers are waited for at the end, so that none of them is left to the shell.
const LAST_ANSWERS: Duration = Duration::from_millis(200);

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

/// When the loop goes on although nothing has happened.
enum Wake {
    /// Then it looks how long the frame stays as it is.
    Look(Instant),
    /// Then the frame changes by itself.
    Tick(Instant),
}

impl Wake {
    /// When to look next, after `msg`. What the clock has changed is followed by nothing of which one could hear.
    fn after(msg: &Msg) -> Self {
        Self::Look(Instant::now() + if matches!(msg, Msg::Tick) { Duration::ZERO } else { QUIET })
    }
}

/// Where a screen begins, and what it remembers.
#[derive(Debug, Clone, Default)]
pub struct Beginning {
    /// Where; the overview when absent.
    pub place: Option<Place>,
    /// What is remembered from screen to screen; nothing when absent.
    pub memory: Option<Memory>,
    /// The engine ends with the screen.
    pub ends_engine: bool,
    /// The tour begins with it.
    pub tour: bool,
}

impl Beginning {
    /// What was remembered of `who`. A place that is asked for counts more than one that is remembered.
    fn recall(&self, who: &OperatorName) -> Option<Result<Kept, String>> {
        let kept = self.memory.as_ref()?.load(who);
        Some(kept.map(|kept| if self.place.is_some() { Kept { place: None, ..kept } } else { kept }))
    }

    /// Remembers where a screen was that lost its terminal.
    fn left(&self, app: &App, ended: Ended) {
        if ended == Ended::Hangup
            && let Some(Cmd::Remember(who, kept)) = app.left_behind()
        {
            self.remember(&who, &kept);
        }
    }

    /// Remembers `kept` of `who`. It is a comfort: a disk that does not take it is told to the log alone.
    fn remember(&self, who: &OperatorName, kept: &Kept) {
        if let Some(Err(error)) = self.memory.as_ref().map(|memory| memory.save(who, kept)) {
            tracing::warn!(%error, "what the palette was used for is not remembered");
        }
    }
}

/// Runs the screen on this process's terminal until it ends. `themes` says how it looks, now and when files change.
/// `keys` are this machine's own, in place of those of the engine's configuration.
///
/// # Errors
/// When standard output is no terminal, or standard input is nothing one can wait for.
pub async fn run(
    client: &mut Client,
    settings: Settings,
    themes: &mut Themes,
    keys: Option<&KeyMap>,
    beginning: Beginning,
) -> io::Result<Ended> {
    // Who asks for an end from here on gets the terminal back.
    let mut signals = Signals::listen()?;
    let mut guard = Some(TerminalGuard::take(settings.title)?);
    let size = terminal::size()?;
    let mut painter = Painter::new(settings, size)?;
    let mut app = begin(client, themes, keys, &beginning, size);
    app.status.mouse = settings.mouse;
    // The first frame goes out before what can wait: it has no times that a zone could be needed for.
    painter.draw(&mut app, themes.asks_background(), Instant::now());
    app.set_zone(jiff::tz::TimeZone::system());
    let mut reader = Some(Reader::open()?);
    let mut asked: HashMap<RequestId, Purpose> = HashMap::new();
    let mut saver = Saver::default();
    let mut wake = Wake::Look(Instant::now() + QUIET);

    let ended = 'screen: loop {
        let due = guard.as_ref().and_then(|_| painter.draw(&mut app, themes.asks_background(), Instant::now()));
        let msg = tokio::select! {
            // Keys before updates, so that a busy engine never makes the screen feel slow.
            biased;
            ended = signals.ends.next() => break ended,
            () = foreground(&mut signals.resumed), if guard.is_none() => {
                guard = Some(TerminalGuard::take(settings.title)?);
                reader = Some(Reader::open()?);
                painter.resume(app.status.mouse);
                resize(&mut painter)?
            }
            _ = signals.resized.recv(), if guard.is_some() => resize(&mut painter)?,
            input = next_input(&mut reader, painter.awaits()) => {
                let Some(input) = input else { break Ended::Hangup };
                if input == Input::Answer(Answer::Attributes) {
                    painter.answered(&mut app, Instant::now());
                }
                let Some(msg) = message(input) else { continue };
                msg
            }
            written = painter.written(), if painter.is_busy() => match written {
                Ok(()) => continue,
                Err(_) => break Ended::Hangup,
            },
            () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => continue,
            update = client.next() => match update {
                Some(Update::Reply { id, reply }) => match asked.remove(&id) {
                    Some(purpose) => Msg::Reply(purpose, reply),
                    None => continue,
                },
                Some(update) => {
                    painter.hear(&update);
                    Msg::Update(update)
                }
                None => break Ended::EngineEnded,
            },
            done = saver.done() => Msg::Saved(done),
            look = themes.changed() => {
                painter.want(Urgency::Key);
                Msg::Look(look)
            }
            () = wake_at(app.wakes_at()) => {
                painter.want(Urgency::Key);
                Msg::Tick
            }
            tick = wait(&wake), if guard.is_some() && !painter.is_busy() => {
                if !tick {
                    wake = Wake::Tick(Instant::now() + painter.still_for(&mut app, Timestamp::now()));
                    continue;
                }
                Msg::Tick
            }
        };
        wake = Wake::after(&msg);
        painter.want(app.urgency(&msg));
        let mut commands = VecDeque::from(app.update(msg, Timestamp::now()));
        while let Some(cmd) = commands.pop_front() {
            match cmd {
                Cmd::Ask(purpose, request) => drop(asked.insert(client.ask(request), purpose)),
                Cmd::Seen { watch, offset } => client.seen(watch, offset),
                Cmd::Quit(quit) => break 'screen Ended::Quit(quit),
                Cmd::Save(step) => saver.take(step),
                Cmd::Recall(who) => commands.extend(hear(&mut app, beginning.recall(&who).map(Msg::Remembered))),
                Cmd::Remember(who, kept) => beginning.remember(&who, &kept),
                Cmd::Redraw => painter.forget(),
                Cmd::Mouse(on) => painter.take_mouse(on),
                Cmd::Drive(on) => drive(&mut reader, &mut painter, on, app.status.mouse),
                Cmd::Mirror(modes) => painter.mirror(modes),
                Cmd::ToggleLite => painter.toggle_lite(Instant::now()),
                Cmd::Theme(step) => commands.extend(hear(&mut app, themes.take(step))),
                Cmd::Suspend => {
                    if painter.is_busy() && painter.written().await.is_err() {
                        break 'screen Ended::Hangup;
                    }
                    leave(&mut reader, &painter).await;
                    guard = None;
                    rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
                }
            }
        }
    };
    leave(&mut reader, &painter).await;
    painter.stop();
    drop(guard);
    beginning.left(&app, ended);
    Ok(ended)
}

/// Tells the app what came of a command, if anything did.
fn hear(app: &mut App, msg: Option<Msg>) -> Vec<Cmd> {
    msg.map(|msg| app.update(msg, Timestamp::now())).unwrap_or_default()
}

/// The screen before anything was heard. A theme that cannot be used is told on it, in the plain one.
fn begin(client: &Client, themes: &Themes, keys: Option<&KeyMap>, beginning: &Beginning, size: (u16, u16)) -> App {
    let now = Timestamp::now();
    let mut app = App::new(themes.plain(), size, client.link(), client.is_read_only(), now);
    if let Some(keys) = keys {
        app.set_keys(keys);
    }
    if beginning.ends_engine {
        app.end_engine();
    }
    if beginning.tour {
        app.begin_tour();
    }
    if let Some(place) = &beginning.place {
        app.start_at(place.clone());
    }
    app.update(Msg::Look(themes.look()), now);
    app
}

/// What the app is told of an input.
fn message(input: Input) -> Option<Msg> {
    Some(match input {
        Input::Key(key) => Msg::Key(key),
        Input::Paste(text) => Msg::Paste(text),
        Input::PasteTooLong(bytes) => Msg::PasteTooLong(bytes),
        Input::Mouse(mouse) => Msg::Mouse(mouse),
        Input::Answer(Answer::Attributes) | Input::Focus(_) => return None,
        Input::Answer(answer) => Msg::Terminal(answer),
        Input::Typed(bytes) => Msg::Typed(bytes),
        Input::GiveBack => Msg::GiveBack,
    })
}

/// The signals that a screen is about.
struct Signals {
    ends: Ends,
    /// The shell goes on with a job that was stopped.
    resumed: Signal,
    /// The terminal has another size.
    resized: Signal,
}

/// The signals that end it.
struct Ends {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            ends: Ends {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup: signal(SignalKind::hangup())?,
            },
            resumed: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
            resized: signal(SignalKind::window_change())?,
        })
    }
}

impl Ends {
    async fn next(&mut self) -> Ended {
        tokio::select! {
            _ = self.terminate.recv() => Ended::Terminated,
            _ = self.interrupt.recv() => Ended::Terminated,
            _ = self.hangup.recv() => Ended::Hangup,
        }
    }
}

/// Ends the reader of keys, or it would take the shell's; before that takes what the terminal still answers, or the
/// shell would read it as typed.
async fn leave(reader: &mut Option<Reader>, painter: &Painter) {
    let Some(mut reader) = reader.take().filter(|_| painter.awaits()) else { return };
    let answers =
        async { while reader.next().await.is_some_and(|input| input != Input::Answer(Answer::Attributes)) {} };
    // A terminal that never answers is not waited for.
    let _ = tokio::time::timeout(LAST_ANSWERS, answers).await;
}

/// Asks the terminal for its size.
fn resize(painter: &mut Painter) -> io::Result<Msg> {
    let (columns, rows) = terminal::size()?;
    painter.resize((columns, rows));
    Ok(Msg::Resize(columns, rows))
}

/// Resolves when it is time; answers whether the frame changes now. A look that comes late finds an old frame.
async fn wait(wake: &Wake) -> bool {
    let (Wake::Look(at) | Wake::Tick(at)) = *wake;
    if at > Instant::now() {
        tokio::time::sleep_until(at.into()).await;
    }
    matches!(wake, Wake::Tick(_)) || at.elapsed() >= QUIET
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
async fn wake_at(moment: Option<Timestamp>) {
    match moment {
        // In the past is at once.
        Some(moment) => {
            let left = Duration::try_from(moment.duration_since(Timestamp::now())).unwrap_or_default();
            tokio::time::sleep(left).await;
        }
        None => std::future::pending().await,
    }
}

/// What is typed goes to a pane as it is from now on, or is keys again.
fn drive(reader: &mut Option<Reader>, painter: &mut Painter, on: bool, mouse: bool) {
    if let Some(reader) = reader {
        reader.drive(on);
    }
    painter.drive(on, mouse);
}

async fn next_input(reader: &mut Option<Reader>, awaits: bool) -> Option<Input> {
    match reader {
        Some(reader) => {
            reader.awaits(awaits);
            reader.next().await
        }
        None => std::future::pending().await,
    }
}

/// Whether the shell has given the terminal to this process.
fn is_foreground() -> bool {
    rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}
