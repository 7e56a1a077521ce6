//! What the interactive program in a pane does, guessed from what it shows.
//!
//! What a pane shows is written by whoever runs there. So this is only ever a guess for people, with what it rests on:
//! nothing is answered, pressed or decided on it.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use serde::Deserialize;

use crate::protocol::{ProgramDoing, ProgramState};
use crate::screen::{Glass, PaneScreen, line};

/// The tools this program knows, the particular ones first.
const KNOWN: &[&str] = &[
    include_str!("../../patterns/claude.toml"),
    include_str!("../../patterns/codex.toml"),
    include_str!("../../patterns/python.toml"),
    include_str!("../../patterns/node.toml"),
    include_str!("../../patterns/less.toml"),
    include_str!("../../patterns/vim.toml"),
    include_str!("../../patterns/shell.toml"),
];
/// Rows from the last that shows something, that count as the bottom of a screen.
const BOTTOM: usize = 12;
/// Longest evidence, in characters.
const MAX_EVIDENCE: usize = 120;
/// A program that printed so lately may not have finished what it shows.
const SETTLED: Duration = Duration::from_millis(700);
/// A program that says it works and has shown nothing new for so long may hang.
const HANGS: Duration = Duration::from_secs(30);

/// Where on the screen a pattern is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    /// The row of the cursor, up to the cursor.
    Cursor,
    /// The last rows that show something.
    Bottom,
    /// Any row.
    Any,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateFile {
    doing: ProgramDoing,
    at: Place,
    pattern: String,
    confidence: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolFile {
    tool: String,
    commands: Vec<String>,
    shows: Vec<String>,
    #[serde(rename = "state")]
    states: Vec<StateFile>,
}

/// How one tool is known, and by what it says what it does.
#[derive(Debug)]
pub struct ToolPatterns {
    tool: String,
    commands: Vec<String>,
    shows: Vec<Regex>,
    states: Vec<(ProgramDoing, Place, Regex, u8)>,
}

/// A text that describes no tool.
#[derive(Debug, thiserror::Error)]
pub enum BadPatterns {
    /// It is not written as it has to be.
    #[error("this describes no tool: {0}")]
    Text(#[from] toml::de::Error),
    /// A pattern in it is no regular expression.
    #[error("a pattern of a tool is no regular expression: {0}")]
    Pattern(#[from] regex::Error),
}

impl ToolPatterns {
    /// Reads one tool, written as the files in `patterns/` are.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, BadPatterns> {
        let file: ToolFile = toml::from_str(text)?;
        let shows = file.shows.iter().map(|pattern| Regex::new(pattern)).collect::<Result<_, _>>()?;
        let state =
            |state: StateFile| Ok((state.doing, state.at, Regex::new(&state.pattern)?, state.confidence.min(100)));
        let states = file.states.into_iter().map(state).collect::<Result<_, regex::Error>>()?;
        Ok(Self { tool: file.tool, commands: file.commands, shows, states })
    }

    /// The tools that are known without being told.
    #[must_use]
    pub fn known() -> &'static [Self] {
        static TOOLS: LazyLock<Vec<ToolPatterns>> =
            LazyLock::new(|| KNOWN.iter().filter_map(|text| ToolPatterns::read(text).ok()).collect());
        &TOOLS
    }
}

/// What is to be judged.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The pane.
    pub glass: &'a Glass,
    /// What runs in front there, as tmux says.
    pub command: &'a str,
    /// For how long it has printed nothing.
    pub silence: Duration,
    /// What was judged before.
    pub before: Option<&'a ProgramState>,
}

/// What the program in a pane does, if anything on its screen says so. `since` is when it began to: it stays while the
/// same tool does the same.
#[must_use]
pub fn judge(seen: Seen<'_>, tools: &[ToolPatterns], now: Timestamp) -> Option<ProgramState> {
    if !seen.glass.is_sound() {
        return None;
    }
    let rows = seen.glass.text();
    let last = rows.iter().rposition(|row| !row.trim().is_empty()).map_or(0, |last| last + 1);
    let bottom = &rows[last.saturating_sub(BOTTOM)..last];
    let cursor = at_cursor(seen.glass);
    let (tool, doing, evidence, confidence) = candidates(tools, seen.command, &rows).into_iter().find_map(|tool| {
        tool.states.iter().find_map(|(doing, place, pattern, confidence)| {
            let matches = |row: &&String| pattern.is_match(row);
            let row = match place {
                Place::Cursor => cursor.as_ref().filter(matches),
                Place::Bottom => bottom.iter().rev().find(matches),
                Place::Any => rows.iter().find(matches),
            };
            row.map(|row| (tool, *doing, evidence(row), *confidence))
        })
    })?;
    let confidence = match doing {
        ProgramDoing::Idle | ProgramDoing::Asks if seen.silence < SETTLED => confidence / 2,
        ProgramDoing::Working if seen.silence > HANGS => confidence / 2,
        _ => confidence,
    };
    let same = seen.before.filter(|before| before.tool == tool.tool && before.doing == doing);
    let changed = SignedDuration::try_from(seen.silence).ok().and_then(|silence| now.checked_sub(silence).ok());
    let since = same.map_or(changed.unwrap_or(now), |before| before.since);
    Some(ProgramState { tool: tool.tool.clone(), doing, evidence, confidence, since })
}

/// The tool that runs in front. Where nothing known does, or an interpreter that much is written in, those whose marks are
/// on the screen come first.
fn candidates<'a>(tools: &'a [ToolPatterns], command: &str, rows: &[String]) -> Vec<&'a ToolPatterns> {
    let named = tools.iter().find(|tool| tool.commands.iter().any(|name| name == command));
    if let Some(tool) = named.filter(|tool| !matches!(tool.tool.as_str(), "node" | "python")) {
        return vec![tool];
    }
    let shown = |tool: &&ToolPatterns| tool.shows.iter().any(|shows| rows.iter().any(|row| shows.is_match(row)));
    tools.iter().filter(shown).chain(named).collect()
}

/// What stands before the cursor in its row.
fn at_cursor(glass: &Glass) -> Option<String> {
    let screen = glass.screen();
    let (column, row) = screen.cursor()?;
    Some(screen.row(row).filter(|cell| cell.column < column).map(|cell| cell.to_string()).collect())
}

fn evidence(row: &str) -> String {
    line(row.trim()).chars().take(MAX_EVIDENCE).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{PaneId, PaneSeed};

    fn glass(text: &str) -> Glass {
        let mut glass = Glass::new(80, 24);
        let pane = PaneId { server: 1, number: 0 };
        let bytes = text.replace('\n', "\r\n").into_bytes();
        glass.seed(&PaneSeed { pane, offset: 0, missed: 0, too_fast: false, cols: 80, rows: 24, history: 0, bytes });
        glass
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("in range")
    }

    fn judged(command: &str, text: &str, silence: Duration) -> Option<ProgramState> {
        let glass = glass(text);
        judge(Seen { glass: &glass, command, silence, before: None }, ToolPatterns::known(), now())
    }

    const REST: Duration = Duration::from_secs(5);

    type Judged = Option<(&'static str, ProgramDoing)>;

    /// The command in front, the file with the screen, and what it is.
    const SCREENS: &[(&str, &str, Judged)] = &[
        ("claude", include_str!("../../tests/screens/claude-asks.txt"), Some(("claude", ProgramDoing::Asks))),
        ("node", include_str!("../../tests/screens/claude-working.txt"), Some(("claude", ProgramDoing::Working))),
        ("node", include_str!("../../tests/screens/claude-idle.txt"), Some(("claude", ProgramDoing::Idle))),
        ("codex", include_str!("../../tests/screens/codex-asks.txt"), Some(("codex", ProgramDoing::Asks))),
        ("codex", include_str!("../../tests/screens/codex-working.txt"), Some(("codex", ProgramDoing::Working))),
        ("codex", include_str!("../../tests/screens/codex-idle.txt"), Some(("codex", ProgramDoing::Idle))),
        ("python3", include_str!("../../tests/screens/python.txt"), Some(("python", ProgramDoing::Idle))),
        ("node", include_str!("../../tests/screens/node.txt"), Some(("node", ProgramDoing::Idle))),
        ("less", include_str!("../../tests/screens/less.txt"), Some(("less", ProgramDoing::Idle))),
        ("vim", include_str!("../../tests/screens/vim.txt"), Some(("vim", ProgramDoing::Idle))),
        ("bash", include_str!("../../tests/screens/shell.txt"), Some(("shell", ProgramDoing::Idle))),
        ("bash", include_str!("../../tests/screens/shell-asks.txt"), Some(("shell", ProgramDoing::Asks))),
        ("bash", include_str!("../../tests/screens/build.txt"), None),
        ("make", include_str!("../../tests/screens/build.txt"), None),
    ];

    #[test]
    fn every_tool_can_be_read() {
        for text in KNOWN {
            ToolPatterns::read(text).expect(text);
        }
        assert_eq!(ToolPatterns::known().len(), KNOWN.len());
        for bad in ["", "tool = 1", "tool = 'a'\ncommands = []\nshows = ['(']\nstate = []"] {
            assert!(ToolPatterns::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn screens_are_read_as_people_read_them() {
        for (command, screen, wanted) in SCREENS {
            let state = judged(command, screen.trim_end_matches('\n'), REST);
            let got = state.as_ref().map(|state| (state.tool.as_str(), state.doing));
            assert_eq!(got, *wanted, "{state:?}\n{screen}");
            if let Some(state) = state {
                assert!((50..=100).contains(&state.confidence) && !state.evidence.is_empty());
                assert_eq!(state.since, now() - SignedDuration::from_secs(5));
            }
        }
    }

    #[test]
    fn what_still_prints_is_less_sure_and_what_lasts_keeps_its_begin() {
        let idle = judged("bash", "dev:~$ ", REST).expect("a shell");
        let busy = judged("bash", "dev:~$ ", Duration::from_millis(10)).expect("a shell");
        assert!(busy.confidence * 2 <= idle.confidence + 1);
        let screen = glass("dev:~$ ");
        let later = now() + SignedDuration::from_secs(60);
        let seen = Seen { glass: &screen, command: "bash", silence: REST, before: Some(&idle) };
        assert_eq!(judge(seen, ToolPatterns::known(), later).expect("a shell").since, idle.since);
        assert_eq!(judged("bash", "dev:~$ \x1b[?25l", REST), None, "no cursor, no prompt");
    }

    proptest! {
        #[test]
        fn evidence_is_one_harmless_line(text in any::<String>()) {
            if let Some(state) = judged("bash", &format!("{text}$ "), REST) {
                prop_assert_eq!(line(&state.evidence), state.evidence.clone());
                prop_assert!(state.evidence.chars().count() <= MAX_EVIDENCE);
            }
        }
    }
}
