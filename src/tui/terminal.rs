//! The terminal: taken, and given back however the program ends.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{self, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, execute, queue};

use crate::screen;

/// The thread that draws, while the terminal is ours. The panic hook asks.
static TAKEN: Mutex<Option<ThreadId>> = Mutex::new(None);
static HOOK: Once = Once::new();
/// How long a terminal that does not read may hold up the end.
const PATIENCE: Duration = Duration::from_millis(300);

/// The terminal while it is ours. Dropping it gives it back.
#[derive(Debug)]
pub struct TerminalGuard {
    _private: (),
}

impl TerminalGuard {
    /// Takes the terminal: raw mode, alternate screen, no cursor, bracketed paste.
    ///
    /// # Errors
    /// When standard output is no terminal.
    pub fn take() -> io::Result<Self> {
        HOOK.call_once(hook_panics);
        terminal::enable_raw_mode()?;
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current().id());
        let guard = Self { _private: () };
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
        Ok(guard)
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        give_back();
    }
}

/// A panic of the thread that draws gives the terminal back and is printed. A panic of any other thread ends
/// that thread's task alone: while the terminal is ours it is logged, and the screen stays.
fn hook_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let drawing = *TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        match drawing {
            None => default(panic),
            Some(thread) if thread == std::thread::current().id() => {
                give_back();
                // It may quote text from outside.
                let _ = writeln!(io::stderr(), "{}", screen::lines(&panic.to_string()));
            }
            Some(_) => tracing::error!("{}", screen::line(&panic.to_string())),
        }
    }));
}

/// Gives the terminal back, once. Nothing helps when it is gone, and one that does not read is not waited for.
fn give_back() {
    if TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take().is_none() {
        return;
    }
    let _ = terminal::disable_raw_mode();
    let (done, written) = std::sync::mpsc::channel();
    let restore = move || {
        let mut bytes = Vec::new();
        let _ = queue!(bytes, cursor::Show, DisableBracketedPaste, LeaveAlternateScreen);
        let mut out = io::stdout();
        let _ = out.write_all(&bytes).and_then(|()| out.flush());
        let _ = done.send(());
    };
    if std::thread::Builder::new().name("screen-restore".to_owned()).spawn(restore).is_ok() {
        let _ = written.recv_timeout(PATIENCE);
    }
}
