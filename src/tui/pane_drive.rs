//! Typing into a pane: who has it, what is on its way there, and why it is over. Every byte goes as the terminal sent it.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::model::{PaneAddress, PaneDriver};
use crate::protocol::{DRIVER_IDLE_S, PaneRequest, Severity};

use super::app::{App, Cmd};
use super::pane_asks::{PanePurpose, ask};
use super::pane_modes::Modes;

/// Most bytes in one request.
const PIECE: usize = 64 << 10;
/// Requests on their way at once: a fast typist over a slow line waits for none of them, and a paste is no flood.
const FLYING: usize = 8;
/// Bytes that may wait. Who pastes more is told that it was too much, and nothing of that piece is typed.
const WAITING: usize = 1 << 20;

/// A pane that is typed into.
#[derive(Debug)]
pub(super) struct Drive {
    pub pane: PaneAddress,
    pub state: DriveState,
    /// What was typed and is not on its way yet.
    waiting: VecDeque<u8>,
    flying: usize,
    /// What the terminal was told of the program's modes.
    mirrored: Modes,
}

/// Whether keys arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DriveState {
    /// It was asked for. What is typed meanwhile waits.
    Asking,
    /// They do, since then.
    Driving(Timestamp),
    /// They do not any more, and go nowhere until the person at the keyboard says that this was seen.
    Lost(String),
}

impl Drive {
    fn new(pane: PaneAddress) -> Self {
        Self { pane, state: DriveState::Asking, waiting: VecDeque::new(), flying: 0, mirrored: Modes::default() }
    }

    /// Sends what may be sent now.
    fn send(&mut self) -> Vec<Cmd> {
        let mut commands = Vec::new();
        while matches!(self.state, DriveState::Driving(_)) && self.flying < FLYING && !self.waiting.is_empty() {
            let bytes: Vec<u8> = self.waiting.drain(..self.waiting.len().min(PIECE)).collect();
            self.flying += 1;
            commands
                .push(ask(PanePurpose::Keys(self.pane.clone()), PaneRequest::Keys { pane: self.pane.clone(), bytes }));
        }
        commands
    }

    fn lose(&mut self, why: String) {
        self.state = DriveState::Lost(why);
        self.waiting.clear();
    }
}

impl App {
    /// Asks to type into `pane`. From this moment keys are the pane's.
    pub(super) fn take_over(&mut self, pane: PaneAddress) -> Vec<Cmd> {
        self.panes.drive = Some(Drive::new(pane.clone()));
        vec![Cmd::Drive(true), ask(PanePurpose::Take(pane.clone()), PaneRequest::Take { pane })]
    }

    /// What came of asking.
    pub(super) fn taken(&mut self, pane: &PaneAddress, refused: Option<String>) -> Vec<Cmd> {
        let now = self.now;
        let Some(drive) = self.panes.drive.as_mut().filter(|drive| drive.pane == *pane) else {
            // It was given up before it was granted.
            let release = PaneRequest::Release { pane: pane.clone() };
            return if refused.is_none() { vec![ask(PanePurpose::Release, release)] } else { Vec::new() };
        };
        match refused {
            None if drive.state == DriveState::Asking => drive.state = DriveState::Driving(now),
            None => {}
            Some(why) => drive.lose(why),
        }
        drive.send()
    }

    /// Bytes were typed.
    pub(super) fn typed(&mut self, bytes: &[u8]) -> Vec<Cmd> {
        let Some(drive) = &mut self.panes.drive else { return vec![Cmd::Drive(false)] };
        match &drive.state {
            DriveState::Lost(_) => return Vec::new(),
            _ if drive.waiting.len() + bytes.len() > WAITING => {
                let (kib, room) = (bytes.len().div_ceil(1 << 10), WAITING >> 10);
                self.toast(
                    Severity::Crit,
                    format!("the pane does not take more than {room} KiB ahead; {kib} KiB were not typed"),
                );
                return Vec::new();
            }
            _ => drive.waiting.extend(bytes),
        }
        drive.send()
    }

    /// What came of some keys.
    pub(super) fn keys_told(&mut self, pane: &PaneAddress, refused: Option<String>) -> Vec<Cmd> {
        let Some(drive) = self.panes.drive.as_mut().filter(|drive| drive.pane == *pane) else { return Vec::new() };
        drive.flying = drive.flying.saturating_sub(1);
        if let Some(why) = refused
            && !matches!(drive.state, DriveState::Lost(_))
        {
            drive.lose(format!("not typed: {why}"));
        }
        drive.send()
    }

    /// The key that gives back was pressed, or the pane is left.
    pub(super) fn give_back(&mut self) -> Vec<Cmd> {
        let Some(drive) = self.panes.drive.take() else { return vec![Cmd::Drive(false)] };
        let mut commands = vec![Cmd::Drive(false)];
        match drive.state {
            DriveState::Lost(_) => {}
            DriveState::Asking => self.toast(Severity::Info, "not taken over"),
            DriveState::Driving(_) => {
                let lost = drive.waiting.len();
                if lost > 0 {
                    self.toast(Severity::Warn, format!("given back; {lost} bytes were not typed yet and are not"));
                } else {
                    self.toast(Severity::Info, "given back");
                }
                commands.push(ask(PanePurpose::Release, PaneRequest::Release { pane: drive.pane }));
            }
        }
        commands
    }

    /// Somebody else types there now, or nobody.
    pub(super) fn driver_changed(&mut self, pane: &PaneAddress, driver: Option<&PaneDriver>, why: &str) {
        let me = self.identity.as_ref().map(|identity| &identity.operator);
        let is_me = driver.is_some_and(|driver| Some(&driver.who) == me);
        match &mut self.panes.drive {
            Some(drive) if drive.pane == *pane => {
                if !is_me && matches!(drive.state, DriveState::Driving(_)) {
                    let told = driver.map_or_else(|| why.to_owned(), |driver| format!("{} has it: {why}", driver.who));
                    drive.lose(told);
                }
            }
            _ => {
                let name = self.panes.shown_name(pane);
                let told = driver.map_or_else(|| "nobody types".to_owned(), |driver| format!("{} types", driver.who));
                self.toast(Severity::Info, format!("{told} in {name}: {why}"));
            }
        }
        self.panes.driven(pane, driver);
    }

    /// A broken line ends it: the engine has given the pane back by then, or will.
    pub(super) fn drive_ends_with_line(&mut self) {
        if let Some(drive) = &mut self.panes.drive
            && !matches!(drive.state, DriveState::Lost(_))
        {
            drive.lose("the line to the engine broke; the pane was given back".to_owned());
        }
    }

    /// Tells the terminal what the program there wants of it, where that is something else now.
    pub(super) fn mirror(&mut self) -> Option<Cmd> {
        let drive = self.panes.drive.as_mut()?;
        let modes = self.panes.watches.get(&drive.pane)?.modes();
        (std::mem::replace(&mut drive.mirrored, modes) != modes)
            .then_some(Cmd::Mirror { cursor_keys: modes.cursor_keys, paste: modes.paste })
    }
}

/// How long a pane may rest before it is given back by itself, in words.
pub(super) fn idle_release() -> String {
    format!("given back after {} min without a key", DRIVER_IDLE_S / 60)
}
