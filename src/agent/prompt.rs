//! Typing a prompt into a pane: once, with Enter by itself after it, and a look whether it was taken.

use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Signal};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::model::{End, OperatorName, PaneDriver, PaneFacts, PaneId, PanePlace, Prompt, rules};
use crate::protocol::JobOrder;
use crate::tmux::{Listing, Look, Server, TmuxError};

use super::Spool;
use super::job_dir::JobDir;
use super::panes::{Claim, taken};
use super::runner::expired;
use super::typed::{Seen, TypedText};

/// The pane has to show the same for so long before Enter: programs take an Enter close behind a burst for a new line.
const QUIET: Duration = Duration::from_millis(150);
/// No longer is waited for that.
const QUIET_MAX: Duration = Duration::from_millis(1_500);
/// How long a program may take to show that it heard something.
const REACTION: Duration = Duration::from_secs(1);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// Who has a pane while a prompt is typed there.
const TYPIST: &str = "prompt";

/// What came of it, with a line about it.
#[derive(Debug)]
pub(super) struct Typed {
    pub end: End,
    pub word: String,
}

/// Why not one character was typed: the rule, and in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotTyped {
    pub rule: &'static str,
    pub reason: String,
}

impl From<String> for NotTyped {
    fn from(reason: String) -> Self {
        Self { rule: rules::NOT_TYPED, reason }
    }
}

impl From<TmuxError> for NotTyped {
    fn from(error: TmuxError) -> Self {
        words(error).into()
    }
}

/// A pane that is ours and as it was before anything was typed there.
struct Ready {
    server: Server,
    facts: PaneFacts,
    before: Look,
    /// Nobody else types there meanwhile.
    _claim: Claim,
}

/// Types `prompt`, as `order` says. Before the first character goes to the pane the journal of `job` says so, and only
/// while the order stands: half of its time may pass before that, and Enter is pressed and looked after in the rest.
///
/// # Errors
/// Why not one character was typed.
pub(super) async fn type_it(spool: &Spool, job: &JobDir, order: &JobOrder, prompt: &Prompt) -> Result<Typed, NotTyped> {
    let time = Duration::from_millis(order.plan.timeout_ms);
    let end = Instant::now() + time;
    let ready = timeout(time / 2, ready(spool, &prompt.place)).await;
    let Ready { server, facts, before, _claim } = ready.map_err(|_| late(time / 2))??;
    still_wanted(job, order, Timestamp::now())?;
    job.note_typed().map_err(|error| format!("that it is typed could not be written down: {error}"))?;
    let pane = facts.id.number;
    match server.paste(pane, &prompt.text).await {
        Ok(()) => {}
        // It may be there.
        Err(error @ (TmuxError::Slow(_) | TmuxError::Io(_))) => {
            return Ok(Typed { end: End::TypedNotConfirmed, word: format!("pasting into pane %{pane}: {error}") });
        }
        Err(error) => return Err(error.into()),
    }
    let place = format!("{}:{}.{} (%{pane})", facts.session, facts.window, facts.index);
    let typing = Typing { server: &server, facts: &facts, text: &prompt.text };
    let word = match timeout_at(end, typing.submit(&before)).await {
        Ok(Ok(true)) => {
            let word = format!("typed into {place}; it has left the line it was typed in");
            return Ok(Typed { end: End::Submitted, word });
        }
        Ok(Ok(false)) => format!("typed into {place}, and Enter was pressed; nothing shows that it was taken"),
        Ok(Err(error)) => format!("typed into {place}; then: {error}"),
        Err(_) => format!("typed into {place}, and Enter perhaps pressed; then its {} s were over", time.as_secs()),
    };
    Ok(Typed { end: End::TypedNotConfirmed, word })
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn late(time: Duration) -> String {
    format!("tmux, or another prompt in the same pane, took longer than {} s", time.as_secs())
}

/// Whether the order still stands at `now`: getting ready may have taken long.
///
/// # Errors
/// Why it does not.
fn still_wanted(job: &JobDir, order: &JobOrder, now: Timestamp) -> Result<(), NotTyped> {
    if now > order.not_after {
        return Err(NotTyped { rule: "expired", reason: expired(order.not_after) });
    }
    // Whoever cancels writes that down first, and then looks for somebody to tell.
    match job.cancelled() {
        Ok(None) => Ok(()),
        Ok(Some(_)) => {
            Err(NotTyped { rule: rules::CANCELLED, reason: "it was taken back before it was typed".to_owned() })
        }
        Err(error) => Err(format!("whether it was taken back is not known: {error}").into()),
    }
}

/// Finds the pane that `place` means, and has it for ourselves. From then on it is of this one tmux server: the same number
/// means another program after a restart.
async fn ready(spool: &Spool, place: &PanePlace) -> Result<Ready, NotTyped> {
    let server = Server::new(place.socket.as_deref())?;
    let listing = server.list().await?;
    let facts = resolve(place, &listing)?.clone();
    let pane = facts.id.number;
    if facts.dead.is_some() {
        return Err(format!("the program in pane %{pane} has ended").into());
    }
    let claim = claim(spool, facts.id).await?;
    let server = server.only(facts.id.server);
    // Keys would go to the mode. Somebody may have begun one since it was listed.
    server.leave_mode(pane).await?;
    let before = server.look(pane).await?;
    Ok(Ready { server, facts, before, _claim: claim })
}

/// Keeps everybody else from typing into `pane` for as long as it is held. Another prompt there is waited for: two at once
/// would be one.
///
/// # Errors
/// Who has taken it over.
async fn claim(spool: &Spool, pane: PaneId) -> Result<Claim, String> {
    let who: OperatorName = TYPIST.parse().map_err(words)?;
    loop {
        match Claim::new(spool.dir(), pane, &PaneDriver { who: who.clone(), since: Timestamp::now() }) {
            Ok(Ok(claim)) => return Ok(claim),
            // Nobody's name is in it yet for a moment.
            Ok(Err(driver)) if driver.as_ref().is_none_or(|driver| driver.who == who) => sleep(LOOK).await,
            Ok(Err(driver)) => {
                return Err(format!("pane %{} is in other hands: {}", pane.number, taken(driver.as_ref())));
            }
            Err(error) => return Err(format!("who drives pane %{} is not known: {error}", pane.number)),
        }
    }
}

/// The pane that `place` means now.
fn resolve<'a>(place: &PanePlace, listing: &'a Listing) -> Result<&'a PaneFacts, String> {
    let panes = || listing.panes.iter().map(|found| &found.facts);
    let session = match &place.session {
        Some(session) => session.as_str(),
        None => {
            let first = panes().next().map(|pane| pane.session.as_str());
            let first = first.ok_or_else(|| listing.why.clone().unwrap_or_else(|| "tmux has no panes".to_owned()))?;
            // Those of a group have the same panes.
            let is_here = |pane: &PaneFacts| panes().any(|own| own.session == first && own.id == pane.id);
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
    let is_meant = |pane: &&PaneFacts| {
        pane.session == session && place.pane.map_or(pane.active, |place| place == (pane.window, pane.index))
    };
    panes().find(is_meant).ok_or_else(|| format!("{place} is not there"))
}

/// A text that stands in its pane.
struct Typing<'a> {
    server: &'a Server,
    facts: &'a PaneFacts,
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
        let now = self.server.look(self.facts.id.number).await?;
        if now == painted && self.nudge() && self.left(&text).await? {
            return Ok(true);
        }
        let now = self.server.look(self.facts.id.number).await?;
        if text.judge(&now) != Seen::Still {
            return Ok(false);
        }
        self.enter().await?;
        self.left(&text).await
    }

    async fn enter(&self) -> Result<(), TmuxError> {
        self.server.type_bytes(self.facts.id.number, b"\r").await.map_err(|not| not.why)
    }

    /// Waits until it shows the same for a while.
    async fn quiet(&self) -> Result<Look, TmuxError> {
        let began = Instant::now();
        let (mut last, mut since) = (self.server.look(self.facts.id.number).await?, began);
        while since.elapsed() < QUIET && began.elapsed() < QUIET_MAX {
            sleep(LOOK).await;
            let now = self.server.look(self.facts.id.number).await?;
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
            if holds(&self.server.look(self.facts.id.number).await?) {
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
        let pid = i32::try_from(self.facts.pid).ok().and_then(Pid::from_raw).filter(|_| self.facts.attached == 0);
        pid.is_some_and(|pid| rustix::process::kill_process(pid, Signal::WINCH).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::super::journal::CancelNote;
    use super::super::journal::tests::{id_at, order};
    use super::*;
    use crate::tmux::Found;

    fn pane(number: u32, session: &str, window: u32, index: u32, active: bool) -> Found {
        let facts = PaneFacts { session: session.into(), window, index, active, pid: 1, ..PaneFacts::sample(number) };
        Found { session_id: 0, facts }
    }

    #[tokio::test(start_paused = true)]
    async fn another_prompt_in_the_pane_is_waited_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = Spool::open(&dir.path().join("spool"), crate::agent::Machine::default()).expect("a journal");
        let pane = PaneId { server: 7, number: 3 };
        let first = claim(&spool, pane).await.expect("it is free");
        claim(&spool, PaneId { number: 4, ..pane }).await.expect("another pane is another matter");
        assert!(timeout(Duration::from_secs(9), claim(&spool, pane)).await.is_err(), "it waits");
        let begun = Instant::now();
        let second = async {
            sleep(Duration::from_secs(1)).await;
            drop(first);
        };
        let (claimed, ()) = tokio::join!(claim(&spool, pane), second);
        claimed.expect("it is free");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }

    #[test]
    fn what_was_taken_back_or_is_past_its_time_is_not_typed() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = Spool::open(&dir.path().join("spool"), crate::agent::Machine::default()).expect("a journal");
        let now = Timestamp::now();
        let order = JobOrder { not_after: now + Duration::from_secs(10), ..order(id_at(now), "a") };
        let job = spool.accept(&order, now).expect("writes").expect("taken");
        let rule = |at| still_wanted(&job, &order, at).map_err(|not| not.rule);
        assert_eq!(rule(now), Ok(()));
        assert_eq!(rule(now + Duration::from_secs(11)), Err("expired"));
        job.cancel(CancelNote { grace_ms: 0, at: now }).expect("writes");
        assert_eq!(rule(now), Err("cancelled"));
    }

    #[tokio::test]
    async fn what_somebody_drives_is_not_typed_into() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = Spool::open(&dir.path().join("spool"), crate::agent::Machine::default()).expect("a journal");
        let pane = PaneId { server: 7, number: 3 };
        let driver = PaneDriver { who: "anna".parse().expect("a name"), since: Timestamp::UNIX_EPOCH };
        let driven = Claim::new(spool.dir(), pane, &driver).expect("no error").expect("it is free");
        let why = claim(&spool, pane).await.expect_err("anna has it");
        assert!(why.contains("pane %3 is in other hands: anna drives it"), "{why}");
        drop(driven);
        let typing = claim(&spool, pane).await.expect("free again");
        assert!(Claim::new(spool.dir(), pane, &driver).expect("no error").is_err(), "while a prompt is typed");
        drop(typing);
    }

    #[test]
    fn a_place_means_one_pane_or_none() {
        let panes = vec![pane(1, "a", 0, 0, false), pane(2, "a", 0, 1, true), pane(3, "ab", 0, 0, true)];
        let listing = Listing { server: 7, panes, why: None };
        let at = |place: &str| resolve(&place.parse().expect("a place"), &listing).map(|pane| pane.id.number);
        assert_eq!((at("a"), at("a:0.0"), at("ab")), (Ok(2), Ok(1), Ok(3)));
        assert!(at("b").expect_err("none").contains("no session b"));
        assert!(at("a:1.0").expect_err("none").contains("pane a:1.0 is not there"));
        let only = resolve(&PanePlace::default(), &listing).expect_err("which?");
        assert!(only.contains("several sessions"), "{only}");
        let one = Listing { panes: listing.panes[..2].to_vec(), ..listing };
        assert_eq!(resolve(&PanePlace::default(), &one).map(|pane| pane.id.number), Ok(2));
        let grouped = vec![pane(1, "a", 0, 0, true), pane(1, "ab", 0, 0, true)];
        let group = Listing { server: 7, panes: grouped, why: None };
        assert_eq!(resolve(&PanePlace::default(), &group).map(|pane| pane.id.number), Ok(1));
        assert_eq!(resolve(&"ab".parse().expect("a place"), &group).map(|pane| pane.id.number), Ok(1));
        let none = Listing { why: Some("no tmux server is running".into()), ..Listing::default() };
        assert_eq!(resolve(&PanePlace::default(), &none), Err("no tmux server is running".to_owned()));
    }
}
