//! The terminal: taken, and given back however the program ends.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use crossterm::terminal;
use rustix::termios::{QueueSelector, tcflush};

use crate::screen;

/// The thread that draws, while the terminal is ours. The panic hook asks.
static TAKEN: Mutex<Option<ThreadId>> = Mutex::new(None);
/// Whether the terminal keeps the title it had before.
static TITLED: AtomicBool = AtomicBool::new(false);
/// Whether the mouse may have sent something nobody has read.
static MOUSE: AtomicBool = AtomicBool::new(false);
/// Whether it sends cursor keys for applications.
static CURSOR_KEYS: AtomicBool = AtomicBool::new(false);
/// Whether the terminal sends sequences from its keypad.
static KEYPAD: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();
/// Where this process logs.
static LOGS: OnceLock<String> = OnceLock::new();
/// How long a terminal that does not read may hold up the end.
const PATIENCE: Duration = Duration::from_millis(300);

/// The other screen, bracketed paste, no cursor.
const TAKE: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?25l";
/// Keeps the title of the window, and gives it back (XTWINOPS).
const KEEP_TITLE: &[u8] = b"\x1b[22;0t";
const OLD_TITLE: &[u8] = b"\x1b[23;0t";
/// Clicks and the wheel (mode 1000), in the form that has no limits (1006).
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";
/// Everything that was ever set: marks around frames, colours, reports of light and dark, paste, cursor, screen.
const GIVE_BACK: &[u8] = b"\x1b[?2026l\x1b[m\x1b[?2031l\x1b[?2004l\x1b[?25h\x1b[?1049l";

/// Says where this process logs, for whoever has to look there.
pub fn logs_in(dir: &Path) {
    // The first is the one that is written to.
    let _ = LOGS.set(dir.display().to_string());
}

/// What is printed of a panic: what it said, and where more stands.
fn told(panic: &str, logs: Option<&str>) -> String {
    let more = logs.map(|dir| format!("\nthis is a defect of aurora; what happened before is logged in {dir}"));
    // It may quote text from outside.
    screen::lines(&format!("{panic}{}", more.unwrap_or_default()))
}

/// The terminal while it is ours. Dropping it gives it back.
#[derive(Debug)]
pub struct TerminalGuard {
    _private: (),
}

impl TerminalGuard {
    /// Takes the terminal: raw mode, alternate screen, no cursor, bracketed paste; with `title` its title is kept, to
    /// be given back.
    ///
    /// # Errors
    /// When standard output is no terminal.
    pub fn take(title: bool) -> io::Result<Self> {
        HOOK.call_once(hook_panics);
        terminal::enable_raw_mode()?;
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current().id());
        TITLED.store(title, Ordering::Relaxed);
        let guard = Self { _private: () };
        let keep: &[u8] = if title { KEEP_TITLE } else { b"" };
        let mut out = io::stdout();
        out.write_all(&[TAKE, keep].concat())?;
        out.flush()?;
        Ok(guard)
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        give_back();
    }
}

/// The bytes that take the mouse, or leave it to the terminal.
pub(super) fn mouse(on: bool) -> &'static [u8] {
    if on {
        MOUSE.store(true, Ordering::Relaxed);
        MOUSE_ON
    } else if MOUSE.load(Ordering::Relaxed) {
        MOUSE_OFF
    } else {
        b""
    }
}

/// The bytes that make the terminal send cursor keys for applications (DECCKM), or as ever.
pub(super) fn cursor_keys(on: bool) -> &'static [u8] {
    if on {
        CURSOR_KEYS.store(true, Ordering::Relaxed);
        b"\x1b[?1h"
    } else if CURSOR_KEYS.swap(false, Ordering::Relaxed) {
        b"\x1b[?1l"
    } else {
        b""
    }
}

/// The bytes that make the terminal send sequences from its keypad for applications (DECKPAM), or digits.
pub(super) fn keypad(on: bool) -> &'static [u8] {
    if on {
        KEYPAD.store(true, Ordering::Relaxed);
        b"\x1b="
    } else if KEYPAD.swap(false, Ordering::Relaxed) {
        b"\x1b>"
    } else {
        b""
    }
}

/// A panic of the thread that draws gives the terminal back and is printed. A panic of any other thread ends
/// that thread's task alone: while the terminal is ours it is logged, and the screen stays. So it does where the screen of
/// a pane is fed: that is caught.
fn hook_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let drawing = *TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        match drawing {
            _ if screen::panics_are_caught() => tracing::error!("{}", screen::line(&panic.to_string())),
            None => default(panic),
            Some(thread) if thread == std::thread::current().id() => {
                give_back();
                let panic = panic.to_string();
                let _ = writeln!(io::stderr(), "{}", told(&panic, LOGS.get().map(String::as_str)));
                tracing::error!("{}", screen::line(&panic));
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
    let title: &[u8] = if TITLED.swap(false, Ordering::Relaxed) { OLD_TITLE } else { b"" };
    let mouse = MOUSE.swap(false, Ordering::Relaxed);
    let bytes = [if mouse { MOUSE_OFF } else { b"" }, cursor_keys(false), keypad(false), title, GIVE_BACK].concat();
    let (done, written) = std::sync::mpsc::channel();
    let restore = move || {
        let mut out = io::stdout();
        let _ = out.write_all(&bytes).and_then(|()| out.flush());
        let _ = done.send(());
    };
    if std::thread::Builder::new().name("screen-restore".to_owned()).spawn(restore).is_ok() {
        let _ = written.recv_timeout(PATIENCE);
    }
    if mouse {
        // The shell would take what the mouse has sent for typed text.
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
    }
    let _ = terminal::disable_raw_mode();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_names_the_log_and_controls_nothing() {
        let said = told("panicked at x:1:\n\u{1b}[2Jboom", Some("/var/lib/aurora/logs"));
        assert!(said.ends_with("\nthis is a defect of aurora; what happened before is logged in /var/lib/aurora/logs"));
        assert!(said.contains("boom") && !said.contains('\u{1b}'), "{said}");
        assert!(!told("boom", None).contains("logged"));
    }
}
