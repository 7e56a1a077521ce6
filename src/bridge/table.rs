//! The decision table: what is done next, by what is known of an order that may have been handed over.

use crate::protocol::Journal;

/// What was learnt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Evidence<'a> {
    /// The last copy failed before its last byte was handed over.
    NeverSent,
    /// A question was handed over, all or some of it, and nothing came back in time.
    NoAnswer,
    /// No road is open, or each was tried in this round.
    NoRoad,
    /// The host's journal says this.
    Says(&'a Journal),
}

/// What is known beside.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the columns of the table")]
pub(super) struct Facts {
    /// A copy of the order may be on its way to the host, or there.
    pub(super) handed: bool,
    /// Somebody took the job back.
    pub(super) cancelled: bool,
    /// The time to start it is over by our clock.
    pub(super) late: bool,
    /// The host has answered that it was told to forbid the start, or to stop the processes.
    pub(super) told: bool,
    /// By its own clock the host starts no copy any more.
    pub(super) outlived: bool,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Send the order, with the same id.
    Send,
    /// Ask the next road what the journal says, before anything else.
    AskFirst,
    /// Follow what the host has: do not send.
    Attach,
    /// Tell the host to stop it, or never to start it: its journal then says so to every copy that comes late.
    Forbid,
    /// Take the end the journal tells.
    Take,
    /// It has not run and never will: end it.
    NotRun,
    /// It may have run: a person decides.
    Stop,
    /// Stay unsure, and ask again with backoff.
    Probe,
}

/// The table. Each arm is one row of it; only *nothing was ever handed over* and *the journal says so* end a job.
#[expect(clippy::match_same_arms, reason = "each arm is a row of the table")]
pub(super) fn decide(evidence: Evidence<'_>, facts: Facts) -> Step {
    let unwanted = facts.cancelled || facts.late;
    match evidence {
        // Failed before the last byte was handed over: the next road, the same id. An earlier copy may have arrived.
        Evidence::NeverSent if facts.handed => Step::AskFirst,
        Evidence::NeverSent if unwanted => Step::NotRun,
        Evidence::NeverSent => Step::Send,

        // Handed over, and nothing accepted in time: unsure, and the next road asks first.
        Evidence::NoAnswer => Step::AskFirst,

        // Nobody answers: unsure, unless nothing ever left this machine.
        Evidence::NoRoad if !facts.handed && unwanted => Step::NotRun,
        Evidence::NoRoad => Step::Probe,

        // Absent: the body, with the same id; a late copy meets EEXIST. One that is not wanted any more is forbidden,
        // because a copy may still come. A journal that cannot remember a job it never had is believed once its own
        // clock starts no copy any more.
        Evidence::Says(Journal::Absent) if !unwanted => Step::Send,
        Evidence::Says(Journal::Absent) if !facts.told => Step::Forbid,
        Evidence::Says(Journal::Absent) if facts.outlived => Step::NotRun,
        Evidence::Says(Journal::Absent) => Step::Probe,

        // Accepted or started: follow it, and do not send.
        Evidence::Says(Journal::Accepted) if !unwanted => Step::Attach,
        Evidence::Says(Journal::Accepted) if !facts.told => Step::Forbid,
        Evidence::Says(Journal::Accepted) => Step::Probe,
        Evidence::Says(Journal::Started { .. }) if facts.cancelled && !facts.told => Step::Forbid,
        Evidence::Says(Journal::Started { .. }) => Step::Attach,

        // Over: take it.
        Evidence::Says(Journal::Done { .. } | Journal::NotRun { .. }) => Step::Take,

        // Started, and whoever ran it is gone: stop.
        Evidence::Says(Journal::Unknown { .. }) => Step::Stop,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::model::{End, OutputTotals};

    use super::*;

    fn started() -> Journal {
        Journal::Started { pid: 7, at: Timestamp::UNIX_EPOCH }
    }

    fn done() -> Journal {
        Journal::Done {
            end: End::Exit(0),
            started: Timestamp::UNIX_EPOCH,
            ended: Timestamp::UNIX_EPOCH,
            output: OutputTotals::default(),
            sha256: String::new(),
            cut_short: None,
            left: Vec::new(),
        }
    }

    const FRESH: Facts = Facts { handed: false, cancelled: false, late: false, told: false, outlived: false };
    const HANDED: Facts = Facts { handed: true, ..FRESH };
    const LATE: Facts = Facts { late: true, ..HANDED };
    const CANCELLED: Facts = Facts { cancelled: true, ..HANDED };
    const LATE_AND_TOLD: Facts = Facts { told: true, ..LATE };
    const OUTLIVED: Facts = Facts { outlived: true, ..LATE_AND_TOLD };

    /// The table as it is specified, row by row.
    #[test]
    fn each_row() {
        use Evidence::{NeverSent, NoAnswer, NoRoad, Says};
        let (started, done) = (started(), done());
        let not_run = Journal::NotRun { rule: "expired".into(), reason: String::new() };
        let unknown = Journal::Unknown { reason: String::new() };
        let rows = [
            ("failed before the last byte", NeverSent, FRESH, Step::Send),
            ("the same, and an earlier copy may be there", NeverSent, HANDED, Step::AskFirst),
            ("the same, and its time is over", NeverSent, Facts { late: true, ..FRESH }, Step::NotRun),
            ("handed over, nothing in time", NoAnswer, HANDED, Step::AskFirst),
            ("nobody answers, nothing handed over", NoRoad, FRESH, Step::Probe),
            ("nobody answers, handed over", NoRoad, HANDED, Step::Probe),
            ("nobody answers, handed over, late", NoRoad, LATE, Step::Probe),
            ("nobody answers, cancelled before", NoRoad, Facts { cancelled: true, ..FRESH }, Step::NotRun),
            ("absent", Says(&Journal::Absent), HANDED, Step::Send),
            ("absent, late", Says(&Journal::Absent), LATE, Step::Forbid),
            ("absent, cancelled", Says(&Journal::Absent), CANCELLED, Step::Forbid),
            ("absent after it was forbidden", Says(&Journal::Absent), LATE_AND_TOLD, Step::Probe),
            ("the same, and no copy can start", Says(&Journal::Absent), OUTLIVED, Step::NotRun),
            ("accepted", Says(&Journal::Accepted), HANDED, Step::Attach),
            ("accepted, late", Says(&Journal::Accepted), LATE, Step::Forbid),
            ("accepted after it was forbidden", Says(&Journal::Accepted), OUTLIVED, Step::Probe),
            ("started", Says(&started), HANDED, Step::Attach),
            ("started, late", Says(&started), LATE, Step::Attach),
            ("started, cancelled", Says(&started), CANCELLED, Step::Forbid),
            ("started, being stopped", Says(&started), Facts { told: true, ..CANCELLED }, Step::Attach),
            ("done", Says(&done), HANDED, Step::Take),
            ("done, late", Says(&done), LATE, Step::Take),
            ("done, cancelled", Says(&done), CANCELLED, Step::Take),
            ("not run", Says(&not_run), HANDED, Step::Take),
            ("unknown", Says(&unknown), HANDED, Step::Stop),
        ];
        for (name, evidence, facts, expected) in rows {
            assert_eq!(decide(evidence, facts), expected, "{name}");
        }
    }

    /// Whatever else is true, the body is sent only when nothing left this machine or the journal has nothing, and only
    /// those two end a job as not run.
    #[test]
    fn no_column_makes_it_send_or_end_on_less_evidence() {
        let (started, done) = (started(), done());
        let journals = [Journal::Absent, Journal::Accepted, started, done];
        for bits in 0..32u8 {
            let bit = |n: u8| bits >> n & 1 == 1;
            let facts = Facts { handed: bit(0), cancelled: bit(1), late: bit(2), told: bit(3), outlived: bit(4) };
            let says = journals.iter().map(Evidence::Says);
            for evidence in [Evidence::NeverSent, Evidence::NoAnswer, Evidence::NoRoad].into_iter().chain(says) {
                let nothing_there = match evidence {
                    Evidence::NeverSent | Evidence::NoRoad => !facts.handed,
                    Evidence::Says(Journal::Absent) => true,
                    Evidence::NoAnswer | Evidence::Says(_) => false,
                };
                match decide(evidence, facts) {
                    Step::Send => assert!(nothing_there && !facts.cancelled && !facts.late, "{evidence:?} {facts:?}"),
                    Step::NotRun => assert!(nothing_there && (facts.cancelled || facts.late), "{evidence:?} {facts:?}"),
                    _ => {}
                }
            }
        }
    }
}
