//! Typing into a pane: who has it, what is on its way there, and why it is over. Every byte goes as the terminal sent it.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use crate::model::{PaneAddress, PaneDriver, counted};
use crate::protocol::{DRIVER_IDLE_S, PaneReply, PaneRequest, Refusal, Reply, Severity};
use crate::screen::InputModes;

use super::app::App;
use super::msg::Cmd;
use super::pane_asks::{PanePurpose, ask};

/// Most bytes in one request.
const PIECE: usize = 32 << 10;
/// Requests on their way at once: a fast typist over a slow line waits for none of them, and a paste is no flood. Together
/// they are 256 KiB, no more than an engine takes ahead.
const FLYING: usize = 8;
/// Bytes that may wait. Who pastes more is told that it was too much, and nothing is typed from there on.
const WAITING: usize = 1 << 20;

/// What was asked for to type there.
#[derive(Debug, Default)]
pub(super) struct Takes {
    last: u64,
    /// Not answered yet. A pane that is given up before the answer and wanted again is not asked for twice.
    asked: BTreeMap<PaneAddress, u64>,
}

/// A pane that is typed into.
#[derive(Debug)]
pub(super) struct Drive {
    pub pane: PaneAddress,
    pub state: DriveState,
    /// Which asking it came of: answers to another are not about this one.
    attempt: u64,
    /// What was typed and is not on its way yet.
    waiting: VecDeque<u8>,
    /// Requests on their way, and their bytes.
    flying: usize,
    flying_bytes: usize,
    /// Bytes that surely were not typed, and that may have been.
    refused: usize,
    unsure: usize,
    /// What the terminal was told of the program's modes.
    mirrored: InputModes,
}

/// Whether keys arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DriveState {
    /// It was asked for. What is typed meanwhile waits.
    Asking,
    /// They do, since then. The host counts it from another time: by that it is told what is news of this take-over, and
    /// what of one before it.
    Driving {
        /// By the clock here.
        since: Timestamp,
        /// By the clock of the host, where that is known.
        take: Option<Timestamp>,
    },
    /// They do not any more, and go nowhere until the person at the keyboard says that this was seen.
    Lost(String),
}

impl Drive {
    fn new(pane: PaneAddress, attempt: u64) -> Self {
        Self {
            pane,
            state: DriveState::Asking,
            attempt,
            waiting: VecDeque::new(),
            flying: 0,
            flying_bytes: 0,
            refused: 0,
            unsure: 0,
            mirrored: InputModes::default(),
        }
    }

    fn is_driving(&self) -> bool {
        matches!(self.state, DriveState::Driving { .. })
    }

    /// Sends what may be sent now.
    fn send(&mut self) -> Vec<Cmd> {
        let mut commands = Vec::new();
        while self.is_driving() && self.flying < FLYING && !self.waiting.is_empty() {
            let bytes: Vec<u8> = self.waiting.drain(..self.waiting.len().min(PIECE)).collect();
            self.flying += 1;
            self.flying_bytes += bytes.len();
            let purpose = PanePurpose::Keys { attempt: self.attempt, bytes: bytes.len() };
            commands.push(ask(purpose, PaneRequest::Keys { pane: self.pane.clone(), bytes }));
        }
        commands
    }

    fn lose(&mut self, why: String) {
        self.state = DriveState::Lost(why);
        self.refused += std::mem::take(&mut self.waiting).len();
    }

    /// What came of keys of so many bytes.
    fn answered(&mut self, bytes: usize, refusal: Option<&Refusal>) {
        self.flying = self.flying.saturating_sub(1);
        self.flying_bytes = self.flying_bytes.saturating_sub(bytes);
        match refusal {
            None => {}
            // Whoever refuses has typed nothing of it; what failed or was not answered may be typed, or a part of it.
            Some(Refusal::Denied(_)) => self.refused += bytes,
            Some(_) => self.unsure += bytes,
        }
    }

    /// What of the typed did not arrive, or perhaps not, once it is lost.
    pub(super) fn untyped(&self) -> Option<String> {
        let unsure = self.unsure + self.flying_bytes;
        let bytes = |count: usize| counted(count, "byte");
        match (self.refused, unsure) {
            (0, 0) => None,
            (refused, 0) => Some(format!("{} not typed", bytes(refused))),
            (0, unsure) => Some(format!("{} perhaps typed, perhaps not", bytes(unsure))),
            (refused, unsure) => Some(format!("{} not typed, {} perhaps", bytes(refused), bytes(unsure))),
        }
    }
}

fn release(pane: PaneAddress) -> Cmd {
    ask(PanePurpose::Release, PaneRequest::Release { pane })
}

impl App {
    /// Asks to type into `pane`. From this moment keys are the pane's.
    pub(super) fn take_over(&mut self, pane: PaneAddress) -> Vec<Cmd> {
        let takes = &mut self.panes.takes;
        let mut commands = vec![Cmd::Drive(true)];
        let attempt = takes.asked.get(&pane).copied().unwrap_or_else(|| {
            takes.last += 1;
            takes.asked.insert(pane.clone(), takes.last);
            commands.push(ask(PanePurpose::Take(pane.clone(), takes.last), PaneRequest::Take { pane: pane.clone() }));
            takes.last
        });
        self.panes.drive = Some(Drive::new(pane, attempt));
        commands
    }

    /// What came of asking.
    pub(super) fn taken(&mut self, pane: &PaneAddress, attempt: u64, reply: Result<Reply, Refusal>) -> Vec<Cmd> {
        let now = self.now;
        if self.panes.takes.asked.get(pane) == Some(&attempt) {
            self.panes.takes.asked.remove(pane);
        }
        let asking = |drive: &&mut Drive| drive.attempt == attempt && drive.state == DriveState::Asking;
        let Some(drive) = self.panes.drive.as_mut().filter(asking) else {
            // It was given up before it was granted.
            return if reply.is_ok() { vec![release(pane.clone())] } else { Vec::new() };
        };
        match reply {
            Ok(reply) => {
                let take = match reply {
                    Reply::Pane(PaneReply::Taken(driver)) => Some(driver.since),
                    _ => None,
                };
                drive.state = DriveState::Driving { since: now, take };
                drive.send()
            }
            Err(Refusal::Unanswered) => {
                drive.lose("no answer came to whether it is taken over; it is given back".to_owned());
                vec![release(pane.clone())]
            }
            Err(why) => {
                drive.lose(why.to_string());
                Vec::new()
            }
        }
    }

    /// Bytes were typed.
    pub(super) fn typed(&mut self, bytes: &[u8]) -> Vec<Cmd> {
        let Some(drive) = &mut self.panes.drive else { return vec![Cmd::Drive(false)] };
        match &drive.state {
            DriveState::Lost(_) => return Vec::new(),
            // What follows a hole means something else, and a paste comes in many pieces.
            state if drive.waiting.len() + bytes.len() > WAITING => {
                let is_asking = *state == DriveState::Asking;
                drive.lose(format!("the pane does not take more than {} KiB ahead", WAITING >> 10));
                drive.refused += bytes.len();
                // One that is granted later is given back then.
                return if is_asking { Vec::new() } else { vec![release(drive.pane.clone())] };
            }
            _ => drive.waiting.extend(bytes),
        }
        drive.send()
    }

    /// What came of keys of so many bytes. After the first that were not typed for sure nothing more goes there until it is
    /// taken over again: what follows a hole means something else.
    pub(super) fn keys_told(&mut self, attempt: u64, bytes: usize, refused: Option<&Refusal>) -> Vec<Cmd> {
        let Some(drive) = self.panes.drive.as_mut().filter(|drive| drive.attempt == attempt) else { return Vec::new() };
        drive.answered(bytes, refused);
        let Some(why) = refused.filter(|_| drive.is_driving()) else { return drive.send() };
        drive.lose(match why {
            Refusal::Unanswered => "no answer came to what was typed".to_owned(),
            why => why.to_string(),
        });
        vec![release(drive.pane.clone())]
    }

    /// The key that gives back was pressed, or the pane is left.
    pub(super) fn give_back(&mut self) -> Vec<Cmd> {
        let Some(drive) = self.panes.drive.take() else { return vec![Cmd::Drive(false)] };
        let mut commands = vec![Cmd::Drive(false)];
        match drive.state {
            DriveState::Lost(_) => {
                if let Some(untyped) = drive.untyped() {
                    self.toast(Severity::Warn, untyped);
                }
            }
            DriveState::Asking => self.toast(Severity::Info, "not taken over"),
            DriveState::Driving { .. } => {
                let lost = drive.waiting.len();
                if lost > 0 {
                    self.toast(Severity::Warn, format!("given back; {lost} bytes were not typed yet and are not"));
                } else {
                    self.toast(Severity::Info, "given back");
                }
                commands.push(release(drive.pane));
            }
        }
        commands
    }

    /// Somebody else types there now, or nobody; this is about the take-over that began at `take`, as its host counts.
    pub(super) fn driver_changed(
        &mut self,
        pane: &PaneAddress,
        driver: Option<&PaneDriver>,
        take: Timestamp,
        why: &str,
    ) -> Vec<Cmd> {
        let mut commands = Vec::new();
        let me = self.identity.as_ref().map(|identity| &identity.operator);
        let is_me = driver.is_some_and(|driver| Some(&driver.who) == me);
        match &mut self.panes.drive {
            Some(drive) if drive.pane == *pane => {
                // What became of one before this one may come after the answer to this one.
                let is_late = matches!(drive.state, DriveState::Driving { take: Some(own), .. } if take < own);
                if is_late {
                    return commands;
                }
                if !is_me && drive.is_driving() {
                    let told = driver.map_or_else(|| why.to_owned(), |driver| format!("{} has it: {why}", driver.who));
                    drive.lose(told);
                    // Where it is ours all the same, nobody is kept from it.
                    commands.push(release(pane.clone()));
                }
            }
            _ => {
                let name = self.panes.shown_name(pane);
                let told = driver.map_or_else(|| "nobody types".to_owned(), |driver| format!("{} types", driver.who));
                self.toast(Severity::Info, format!("{told} in {name}: {why}"));
            }
        }
        self.panes.driven(pane, driver);
        commands
    }

    /// A broken line ends it: the engine has given the pane back by then, or will.
    pub(super) fn drive_ends_with_line(&mut self) {
        self.panes.takes.asked.clear();
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
        (std::mem::replace(&mut drive.mirrored, modes) != modes).then_some(Cmd::Mirror(modes))
    }
}

/// How long a pane may rest before it is given back by itself, in words.
pub(super) fn idle_release() -> String {
    format!("given back after {} min without a key", DRIVER_IDLE_S / 60)
}
