//! The screen inside a real tmux: job control and what the shell gets back.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{AURORA, Site, eventually};

/// Servers this process has started.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A tmux server of a test, with its own socket. It ends with the value.
pub struct Tmux {
    pub socket: String,
}

impl Tmux {
    pub fn start() -> Self {
        Self::with("main", (80, 24), "env PS1='prompt> ' LANG=C.UTF-8 bash --norc --noprofile -i")
    }

    /// A server with one session in which `command` runs.
    pub fn with(session: &str, (cols, rows): (u16, u16), command: &str) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let tmux = Self { socket: format!("aurora-test-{}-{number}", std::process::id()) };
        tmux.session(session, (cols, rows), command);
        tmux
    }

    /// Another session.
    pub fn session(&self, name: &str, (cols, rows): (u16, u16), command: &str) {
        let (cols, rows) = (cols.to_string(), rows.to_string());
        let size = ["-f", "/dev/null", "new-session", "-d", "-x", &cols, "-y", &rows, "-s", name, command];
        self.run(&size);
    }

    pub fn run(&self, args: &[&str]) -> String {
        let output = Command::new("tmux").args(["-L", &self.socket]).args(args).output().expect("tmux runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn type_line(&self, line: &str) {
        self.run(&["send-keys", "-l", line]);
        self.run(&["send-keys", "Enter"]);
    }

    pub fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    #[track_caller]
    pub fn shows(&self, text: &str) {
        eventually(&format!("{text:?} on the screen"), || self.screen().contains(text));
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

#[test]
#[ignore = "needs tmux"]
fn suspend_resume_and_quit_leave_the_shell_as_it_was() {
    let site = Site::served();
    let tmux = Tmux::start();
    tmux.shows("prompt>");
    let args: Vec<String> = site.args().iter().map(|arg| arg.display().to_string()).collect();
    tmux.type_line(&format!("{AURORA} {} attach", args.join(" ")));
    tmux.shows("What needs me?");
    tmux.run(&["send-keys", "C-z"]);
    tmux.shows("Stopped");
    assert!(!tmux.screen().contains("What needs me?"), "the shell's screen is back:\n{}", tmux.screen());
    tmux.type_line("echo is$((40+2))here");
    tmux.shows("is42here");
    tmux.type_line("bg");
    tmux.type_line("echo back$((40+3))");
    tmux.shows("back43");
    tmux.type_line("fg");
    tmux.shows("What needs me?");
    tmux.run(&["send-keys", "3"]);
    tmux.shows("no messages");
    tmux.run(&["send-keys", "Q"]);
    tmux.shows("is42here");
    tmux.type_line("stty -a | grep -o ' echo ' | tr ' ' '<'");
    tmux.shows("<echo<");
}
