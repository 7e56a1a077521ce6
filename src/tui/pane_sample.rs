//! Panes for the tests of the screen: three hosts, one without any, five panes in every state a list can show.

use crate::model::{LayerKind, PaneAddress, PaneChunk, PaneDriver, PaneFacts, PaneFeedKind, PaneId, PaneSeed};
use crate::protocol::{HostPanes, PaneLost, PaneMark, PaneRow, PaneUpdate, ProgramDoing, ProgramState};

use super::sample::at;

/// A pane of web-1 or web-2.
pub(super) fn address(host: &str, number: u32) -> PaneAddress {
    PaneAddress { host: host.parse().expect("a name"), pane: PaneId { server: 7, number } }
}

pub(super) fn pane(number: u32, session: &str, command: &str, index: u32) -> PaneRow {
    let facts = PaneFacts {
        session: session.into(),
        window_name: command.into(),
        index,
        command: command.into(),
        pid: 4_000 + number,
        active: index == 0,
        ..PaneFacts::sample(number)
    };
    PaneRow {
        facts,
        program: None,
        printed: None,
        watchers: Vec::new(),
        recording: None,
        mark: PaneMark::default(),
        calls: None,
        lost: PaneLost::default(),
    }
}

pub(super) fn panes() -> Vec<HostPanes> {
    let host = |name: &str, layer, why: Option<&str>, panes| HostPanes {
        host: name.parse().expect("a name"),
        layer,
        at: at(-90),
        why: why.map(str::to_owned),
        may_drive: true,
        panes,
    };
    let mut asks = pane(4, "claude", "node", 0);
    asks.program = Some(ProgramState {
        tool: "claude".into(),
        doing: ProgramDoing::Asks,
        evidence: "Do you want to proceed?".into(),
        confidence: 95,
        since: at(-20),
    });
    let mut driven = pane(5, "work", "vim", 0);
    driven.facts.driver = Some(PaneDriver { who: "ben".parse().expect("a name"), since: at(-60) });
    driven.facts.feed = Some(PaneFeedKind::Control);
    driven.watchers = vec!["ben".parse().expect("a name")];
    let mut build = pane(0, "main", "make", 0);
    build.calls = Some((at(-30), "a line matches error".into()));
    vec![
        host("db-1", None, Some("no tmux server runs there"), Vec::new()),
        host("web-1", Some(LayerKind::Socket), None, vec![build, pane(1, "main", "bash", 1)]),
        host("web-2", Some(LayerKind::Socket), None, vec![asks, driven]),
    ]
}

/// A whole screen of `rows` lines that are called `line N`, the first of them `first`.
pub(super) fn seed(watch: u64, first: u64, size: (u16, u16), offset: u64, missed: u64) -> PaneUpdate {
    let lines: Vec<String> = (first..first + u64::from(size.1)).map(|n| format!("line {n}")).collect();
    let bytes = lines.join("\r\n").into_bytes();
    let pane = PaneId { server: 7, number: 0 };
    let seed = PaneSeed { pane, offset, missed, too_fast: false, cols: size.0, rows: size.1, history: 0, bytes };
    PaneUpdate::Seed { watch, epoch: 1, first_row: first, lost: PaneLost::default(), seed }
}

pub(super) fn chunk(watch: u64, first_row: u64, offset: u64, text: &str) -> PaneUpdate {
    let chunk = PaneChunk { pane: PaneId { server: 7, number: 0 }, offset, bytes: text.as_bytes().to_vec() };
    PaneUpdate::Chunk { watch, first_row, chunk }
}
