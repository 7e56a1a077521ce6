//! Typing a prompt into a pane: once, with Enter by itself after it, and a look whether it was taken.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::process::{Pid, Signal};
use tokio::time::{Instant, sleep, timeout};

use crate::model::{End, OperatorName, PaneDriver, PaneId, PanePlace, Prompt};
use crate::tmux::{Found, Listing, Look, Server, TmuxError};

use super::Spool;
use super::journal::JobDir;
use super::panes::{Claim, taken};
use super::typed::{Seen, TypedText};

/// The pane has to show the same for so long before Enter: programs take an Enter close behind a burst for a new line.
const QUIET: Duration = Duration::from_millis(150);
/// No longer is waited for that.
const QUIET_MAX: Duration = Duration::from_millis(1_500);
/// How long a program may take to show that it heard something.
const REACTION: Duration = Duration::from_secs(1);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// How long somebody else may type first.
const TURN: Duration = Duration::from_secs(10);
/// The file in the journal that whoever types holds: two prompts at once would be one.
const TURN_FILE: &str = "typing";

/// What came of it, with a line about it.
#[derive(Debug)]
pub(super) struct Typed {
    pub end: End,
    pub word: String,
}

/// Types `prompt`. Before the first character goes to the pane the journal of `job` says so.
///
/// # Errors
/// Why not one character was typed.
pub(super) async fn type_it(spool: &Spool, job: &JobDir, prompt: &Prompt) -> Result<Typed, String> {
    let _turn = turn(spool).await?;
    let server = Server::new(prompt.place.socket.as_deref()).map_err(words)?;
    let listing = server.list().await.map_err(words)?;
    let found = resolve(&prompt.place, &listing)?;
    let pane = found.number;
    if found.dead.is_some() {
        return Err(format!("the program in pane %{pane} has ended"));
    }
    let _claim = claim(spool, PaneId { server: listing.server, number: pane })?;
    if found.mode.is_some() {
        // Keys would go to the mode.
        server.leave_mode(pane).await.map_err(words)?;
    }
    let before = server.look(pane).await.map_err(words)?;
    job.note_typed().map_err(|error| format!("that it is typed could not be written down: {error}"))?;
    match server.paste(pane, &prompt.text).await {
        Ok(()) => {}
        // It may be there.
        Err(error @ (TmuxError::Slow(_) | TmuxError::Io(_))) => {
            return Ok(Typed { end: End::TypedNotConfirmed, word: format!("pasting into pane %{pane}: {error}") });
        }
        Err(error) => return Err(words(error)),
    }
    let place = format!("{}:{}.{} (%{pane})", found.session, found.window, found.index);
    Ok(match (Typing { server: &server, found, text: &prompt.text }).submit(&before).await {
        Ok(true) => {
            Typed { end: End::Submitted, word: format!("typed into {place}; it has left the line it was typed in") }
        }
        Ok(false) => Typed {
            end: End::TypedNotConfirmed,
            word: format!("typed into {place}, and Enter was pressed; nothing shows that it was taken"),
        },
        Err(error) => Typed { end: End::TypedNotConfirmed, word: format!("typed into {place}; then: {error}") },
    })
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Waits until nobody else types on this host.
async fn turn(spool: &Spool) -> Result<OwnedFd, String> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let fail = |error: io::Error| format!("the turn to type could not be taken: {error}");
    let file = rustix::fs::openat(spool.dir(), TURN_FILE, flags, mode).map_err(|error| fail(error.into()))?;
    let taken = async {
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break Ok(()),
                Err(rustix::io::Errno::WOULDBLOCK) => sleep(LOOK).await,
                Err(error) => break Err(fail(error.into())),
            }
        }
    };
    timeout(TURN, taken).await.map_err(|_| "other prompts are being typed on this host".to_owned())??;
    Ok(file)
}

/// Keeps everybody else from typing into `pane` for as long as it is held.
///
/// # Errors
/// Who has taken it over.
fn claim(spool: &Spool, pane: PaneId) -> Result<Claim, String> {
    let who: OperatorName = "prompt".parse().map_err(words)?;
    match Claim::new(spool.dir(), pane, &PaneDriver { who, since: Timestamp::now() }) {
        Ok(Ok(claim)) => Ok(claim),
        Ok(Err(driver)) => Err(format!("pane %{} is in other hands: {}", pane.number, taken(driver.as_ref()))),
        Err(error) => Err(format!("who drives pane %{} is not known: {error}", pane.number)),
    }
}

/// The pane that `place` means now.
fn resolve<'a>(place: &PanePlace, listing: &'a Listing) -> Result<&'a Found, String> {
    let panes = || listing.panes.iter();
    let session = match &place.session {
        Some(session) => session.as_str(),
        None => {
            let first = panes().next().map(|pane| pane.session.as_str());
            let first = first.ok_or_else(|| listing.why.clone().unwrap_or_else(|| "tmux has no panes".to_owned()))?;
            // Those of a group have the same panes.
            let is_here = |pane: &Found| panes().any(|own| own.session == first && own.number == pane.number);
            if !panes().all(is_here) {
                return Err("there are several sessions; write `pane` to say which".to_owned());
            }
            first
        }
    };
    if !panes().any(|pane| pane.session == session) {
        return Err(match &listing.why {
            Some(why) if listing.panes.is_empty() => why.clone(),
            _ => format!("tmux has no session {session}"),
        });
    }
    let is_meant = |pane: &&Found| {
        pane.session == session && place.pane.map_or(pane.active, |place| place == (pane.window, pane.index))
    };
    panes().find(is_meant).ok_or_else(|| format!("{place} is not there"))
}

/// A text that stands in its pane.
struct Typing<'a> {
    server: &'a Server,
    found: &'a Found,
    text: &'a str,
}

impl Typing<'_> {
    /// Presses Enter when the pane is quiet, and says whether the text was taken. Enter comes a second time only while
    /// the text is seen to stand there still: what the pane asks instead is for a person to answer.
    async fn submit(&self, before: &Look) -> Result<bool, TmuxError> {
        let mut painted = self.quiet().await?;
        if painted == *before && self.nudge() {
            self.until(|now| now != before).await?;
            painted = self.quiet().await?;
        }
        let text = TypedText::find(self.text, before, &painted);
        self.enter().await?;
        if self.left(&text).await? {
            return Ok(true);
        }
        let now = self.server.look(self.found.number).await?;
        if now == painted && self.nudge() && self.left(&text).await? {
            return Ok(true);
        }
        let now = self.server.look(self.found.number).await?;
        if text.judge(&now) != Seen::Still {
            return Ok(false);
        }
        self.enter().await?;
        self.left(&text).await
    }

    async fn enter(&self) -> Result<(), TmuxError> {
        self.server.type_bytes(self.found.number, b"\r").await.map_err(|not| not.why)
    }

    /// Waits until it shows the same for a while.
    async fn quiet(&self) -> Result<Look, TmuxError> {
        let began = Instant::now();
        let (mut last, mut since) = (self.server.look(self.found.number).await?, began);
        while since.elapsed() < QUIET && began.elapsed() < QUIET_MAX {
            sleep(LOOK).await;
            let now = self.server.look(self.found.number).await?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(last)
    }

    /// Waits until the text has left its place, and says whether it has. A screen that is being drawn may look so for a
    /// moment.
    async fn left(&self, text: &TypedText) -> Result<bool, TmuxError> {
        let mut before = false;
        self.until(|now| {
            let left = text.judge(now) == Seen::Left;
            std::mem::replace(&mut before, left) && left
        })
        .await
    }

    /// Looks until `holds`, for as long as a program may take to react.
    async fn until(&self, mut holds: impl FnMut(&Look) -> bool) -> Result<bool, TmuxError> {
        let began = Instant::now();
        loop {
            sleep(LOOK).await;
            if holds(&self.server.look(self.found.number).await?) {
                return Ok(true);
            }
            if began.elapsed() > REACTION {
                return Ok(false);
            }
        }
    }

    /// Some programs do not read while no terminal is attached, until they hear that their window has changed. Says
    /// whether they were told.
    fn nudge(&self) -> bool {
        let pid = i32::try_from(self.found.pid).ok().and_then(Pid::from_raw).filter(|_| self.found.attached == 0);
        pid.is_some_and(|pid| rustix::process::kill_process(pid, Signal::WINCH).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pane(number: u32, session: &str, window: u32, index: u32, active: bool) -> Found {
        Found {
            number,
            session: session.into(),
            session_id: 0,
            window,
            window_name: String::new(),
            index,
            command: String::new(),
            title: String::new(),
            pid: 1,
            cols: 80,
            rows: 24,
            dead: None,
            mode: None,
            alternate: false,
            synchronized: false,
            active,
            attached: 0,
        }
    }

    #[test]
    fn what_somebody_drives_is_not_typed_into() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = Spool::open(&dir.path().join("spool"), crate::agent::Machine::default()).expect("a journal");
        let pane = PaneId { server: 7, number: 3 };
        let driver = PaneDriver { who: "anna".parse().expect("a name"), since: Timestamp::UNIX_EPOCH };
        let driven = Claim::new(spool.dir(), pane, &driver).expect("no error").expect("it is free");
        let why = claim(&spool, pane).expect_err("anna has it");
        assert!(why.contains("pane %3 is in other hands: anna drives it"), "{why}");
        drop(driven);
        let typing = claim(&spool, pane).expect("free again");
        assert!(Claim::new(spool.dir(), pane, &driver).expect("no error").is_err(), "while a prompt is typed");
        drop(typing);
    }

    #[test]
    fn a_place_means_one_pane_or_none() {
        let panes = vec![pane(1, "a", 0, 0, false), pane(2, "a", 0, 1, true), pane(3, "ab", 0, 0, true)];
        let listing = Listing { server: 7, panes, why: None };
        let at = |place: &str| resolve(&place.parse().expect("a place"), &listing).map(|pane| pane.number);
        assert_eq!((at("a"), at("a:0.0"), at("ab")), (Ok(2), Ok(1), Ok(3)));
        assert!(at("b").expect_err("none").contains("no session b"));
        assert!(at("a:1.0").expect_err("none").contains("pane a:1.0 is not there"));
        let only = resolve(&PanePlace::default(), &listing).expect_err("which?");
        assert!(only.contains("several sessions"), "{only}");
        let one = Listing { panes: listing.panes[..2].to_vec(), ..listing };
        assert_eq!(resolve(&PanePlace::default(), &one).map(|pane| pane.number), Ok(2));
        let grouped = vec![pane(1, "a", 0, 0, true), pane(1, "ab", 0, 0, true)];
        let group = Listing { server: 7, panes: grouped, why: None };
        assert_eq!(resolve(&PanePlace::default(), &group).map(|pane| pane.number), Ok(1));
        assert_eq!(resolve(&"ab".parse().expect("a place"), &group).map(|pane| pane.number), Ok(1));
        let none = Listing { why: Some("no tmux server is running".into()), ..Listing::default() };
        assert_eq!(resolve(&PanePlace::default(), &none), Err("no tmux server is running".to_owned()));
    }
}
