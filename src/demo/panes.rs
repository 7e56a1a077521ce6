//! The panes of the made-up world: a build that scrolls, a shell, and an assistant that asks.

use std::time::Duration;

use crate::engine::PaneScript;
use crate::model::{HostName, PaneFacts, PaneId};

/// The process every made-up tmux server is.
const SERVER: u32 = 4_711;
/// Parts of the build.
const PARTS: u64 = 400;
/// Lines of the build before anybody looks.
const BEFORE: u64 = 60;
const NAMES: [&str; 8] = ["ledger", "catalog", "checkout", "mailer", "search-index", "thumbnails", "tax", "webhooks"];

/// What they do. Nothing prints by itself where the world is still.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panes {
    pub is_still: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Build,
    Shell,
    Assistant,
}

impl Kind {
    fn of(host: &HostName, pane: PaneId) -> Option<Self> {
        match (host.as_str(), pane.number) {
            ("web-1", 0) => Some(Self::Build),
            ("web-1", 1) => Some(Self::Shell),
            ("web-2", 0) => Some(Self::Assistant),
            _ => None,
        }
    }

    fn facts(self, number: u32) -> PaneFacts {
        let (command, title, cols, rows) = match self {
            Self::Build => ("make", "make release", 100, 30),
            Self::Shell => ("bash", "deploy@web-1", 80, 24),
            Self::Assistant => ("assistant", "assistant", 90, 26),
        };
        PaneFacts {
            id: PaneId { server: SERVER, number },
            session: "main".to_owned(),
            window: 0,
            window_name: command.to_owned(),
            index: number,
            generation: 1,
            command: command.to_owned(),
            title: title.to_owned(),
            pid: SERVER + 10 + number,
            cols,
            rows,
            dead: None,
            mode: None,
            alternate: false,
            synchronized: false,
            active: number == 0,
            attached: 0,
            feed: None,
            driver: None,
        }
    }
}

/// A line of the build.
fn compiled(step: u64) -> String {
    let part = step % (PARTS + 2);
    let name = NAMES[usize::try_from(step.wrapping_mul(7_919) % 8).unwrap_or_default()];
    match part {
        0 => "\r\n\x1b[1mmake release\x1b[0m\r\n".to_owned(),
        part if part > PARTS => "\x1b[1;32mdone\x1b[0m in 1m 40s\r\n".to_owned(),
        part if part % 47 == 0 => {
            format!("\x1b[1;33mwarning\x1b[0m: {name}/src/lib.c:{}: the result is not used\r\n", step % 900 + 1)
        }
        part if part % 193 == 0 => format!("\x1b[1;31merror\x1b[0m: {name}: a test failed, and is tried again\r\n"),
        part => format!(
            "\x1b[32m[{part:3}/{PARTS}]\x1b[0m compiling \x1b[1m{name}\x1b[0m part {:05}\r\n",
            step * 7_919 % 99_991
        ),
    }
}

const PROMPT: &str = "\x1b[1;32mdeploy@web-1\x1b[0m:\x1b[1;34m~\x1b[0m$ ";
const QUESTION: &str = "\x1b[36m●\x1b[0m worker does not answer since 4 minutes. Shall I restart it on web-1?\r\n\
                        \r\n  systemctl restart worker\r\n\r\n\x1b[1mDo you want to proceed?\x1b[0m (y/n) ";

/// What the made-up shell says to a line.
fn shell(line: &str) -> String {
    let (command, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    match command {
        "" => String::new(),
        "ls" => "\x1b[1;34mreleases\x1b[0m  shop.toml  worker.log\r\n".to_owned(),
        "pwd" => "/home/deploy\r\n".to_owned(),
        "uptime" => " 14:02:11 up 41 days,  3:07,  load average: 0.42\r\n".to_owned(),
        "echo" => format!("{rest}\r\n"),
        "clear" => "\x1b[2J\x1b[H".to_owned(),
        command => format!("{command}: this shell is made up; try ls, pwd, uptime, echo, clear\r\n"),
    }
}

fn assistant(line: &str) -> String {
    match line.trim() {
        "y" | "yes" => "\x1b[36m●\x1b[0m restarted; it answers again after 2.1 s.\r\n\r\n> ".to_owned(),
        "n" | "no" => "\x1b[36m●\x1b[0m then I leave it as it is.\r\n\r\n> ".to_owned(),
        "" => "> ".to_owned(),
        _ => QUESTION.to_owned(),
    }
}

impl PaneScript for Panes {
    fn panes(&self, host: &HostName) -> Vec<PaneFacts> {
        let kinds = (0..2).filter_map(|number| Some((number, Kind::of(host, PaneId { server: SERVER, number })?)));
        kinds.map(|(number, kind)| kind.facts(number)).collect()
    }

    fn before(&self, host: &HostName, pane: PaneId) -> String {
        match Kind::of(host, pane) {
            Some(Kind::Build) => (0..BEFORE).map(compiled).collect(),
            Some(Kind::Shell) => format!("{PROMPT}uptime\r\n{}{PROMPT}", shell("uptime")),
            Some(Kind::Assistant) => {
                format!("\x1b[1massistant\x1b[0m  web-2\r\n\r\n> look after worker\r\n\r\n{QUESTION}")
            }
            None => String::new(),
        }
    }

    fn next(&self, host: &HostName, pane: PaneId, step: u64) -> Option<(Duration, String)> {
        let builds = Kind::of(host, pane) == Some(Kind::Build) && !self.is_still;
        builds.then(|| (Duration::from_millis(250), compiled(BEFORE + step)))
    }

    fn typed(&self, host: &HostName, pane: PaneId, line: &mut String, byte: u8) -> String {
        let Some(kind) = Kind::of(host, pane).filter(|kind| *kind != Kind::Build) else { return String::new() };
        match byte {
            b'\r' | b'\n' => {
                let said = std::mem::take(line);
                match kind {
                    Kind::Assistant => format!("\r\n{}", assistant(&said)),
                    _ => format!("\r\n{}{PROMPT}", shell(&said)),
                }
            }
            0x7f => line.pop().map_or_else(String::new, |_| "\x08 \x08".to_owned()),
            0x03 => {
                line.clear();
                format!("^C\r\n{}", if kind == Kind::Shell { PROMPT } else { "> " })
            }
            b' '..=b'~' if line.len() < 200 => {
                line.push(char::from(byte));
                char::from(byte).to_string()
            }
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> HostName {
        name.parse().expect("a name")
    }

    fn typed(name: &str, number: u32, keys: &str) -> String {
        let (panes, mut line) = (Panes { is_still: false }, String::new());
        let pane = PaneId { server: SERVER, number };
        keys.bytes().map(|byte| panes.typed(&host(name), pane, &mut line, byte)).collect()
    }

    #[test]
    fn there_is_a_build_a_shell_and_an_assistant() {
        let panes = Panes { is_still: false };
        let commands = |name: &str| panes.panes(&host(name)).into_iter().map(|facts| facts.command).collect::<Vec<_>>();
        assert_eq!(
            (commands("web-1"), commands("web-2"), commands("db-1")),
            (vec!["make".to_owned(), "bash".to_owned()], vec!["assistant".to_owned()], Vec::new(),)
        );
        let build = PaneId { server: SERVER, number: 0 };
        assert_eq!(
            panes.next(&host("web-1"), build, 7),
            panes.next(&host("web-1"), build, 7),
            "told by nothing but the step"
        );
        assert!(Panes { is_still: true }.next(&host("web-1"), build, 7).is_none());
    }

    #[test]
    fn what_is_typed_is_answered() {
        assert!(typed("web-1", 1, "echx\x7fo hi\r").contains("\r\nhi\r\n"));
        assert!(typed("web-2", 0, "y\r").contains("restarted"));
        assert!(typed("web-2", 0, "\r").ends_with("> "));
        assert_eq!(typed("web-1", 0, "make\r"), "", "a build reads nothing");
    }
}
