//! A made-up host: the journal as it is specified, and what really ran.

use std::collections::BTreeMap;
use std::time::Duration;

use aurora::model::{End, JobId, LayerKind, OutputChunk, OutputTotals, Stream};
use aurora::protocol::{JobOrder, Journal};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// How far the journal has an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Its directory is there, and nothing in it.
    Made,
    Accepted,
    Started {
        boot: u32,
        at: Timestamp,
    },
    Over(Journal),
}

/// Who hears how a job goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    pub road: LayerKind,
    pub line: u64,
    pub life: u32,
}

/// One order, and what became of it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub order: JobOrder,
    pub via: LayerKind,
    pub page: Page,
    /// Its runner was killed, or went with the machine.
    pub died: bool,
    pub written: u64,
    pub listeners: Vec<Listener>,
}

/// What is the truth about a job, whatever anybody says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Truth {
    pub executions: u32,
    pub died: bool,
}

pub struct Host {
    pub journal: BTreeMap<JobId, Entry>,
    pub truth: BTreeMap<JobId, Truth>,
    pub boot: u32,
    pub epoch: u64,
    pub skew: SignedDuration,
    pub full_until: Timestamp,
    pub up_at: Timestamp,
    /// Whether an order whose time is over is refused before it is written down.
    pub refuses_early: bool,
    /// Whether a cancel of a job the journal does not have is written down.
    pub remembers: bool,
}

pub fn piece(seq: u64) -> OutputChunk {
    let stream = if seq.is_multiple_of(3) { Stream::Err } else { Stream::Out };
    OutputChunk { seq, stream, bytes: format!("line {seq}\n").into_bytes() }
}

pub fn hash(pieces: u64) -> String {
    let bytes: Vec<u8> = (0..pieces).flat_map(|seq| piece(seq).bytes).collect();
    hex::encode(Sha256::digest(bytes))
}

impl Host {
    pub fn clock(&self, now: Timestamp) -> Timestamp {
        now + self.skew
    }

    /// What the journal answers.
    pub fn says(&self, id: &JobId) -> Journal {
        let Some(entry) = self.journal.get(id) else { return Journal::Absent };
        match &entry.page {
            Page::Made => Journal::Absent,
            Page::Accepted => Journal::Accepted,
            Page::Started { boot, .. } if entry.died || *boot != self.boot => {
                Journal::Unknown { reason: "whoever ran it is gone".to_owned() }
            }
            Page::Started { at, .. } => Journal::Started { pid: 7, at: *at },
            Page::Over(end) => end.clone(),
        }
    }

    /// The end of a job that ran until now.
    pub fn end(&self, id: &JobId, end: End, cut_short: Option<&str>, now: Timestamp) -> Option<Journal> {
        let entry = self.journal.get(id)?;
        let Page::Started { at, .. } = entry.page else { return None };
        Some(Journal::Done {
            end,
            started: at,
            ended: self.clock(now),
            output: OutputTotals { out: entry.written, err: 0, cut: 0 },
            sha256: hash(entry.written),
            cut_short: cut_short.map(str::to_owned),
            left: Vec::new(),
        })
    }

    /// The machine starts again: whoever ran is gone.
    pub fn restart(&mut self, back: Timestamp) {
        for (id, entry) in &mut self.journal {
            if matches!(entry.page, Page::Started { .. }) {
                entry.died = true;
                self.truth.entry(*id).or_default().died = true;
            }
            entry.listeners.clear();
        }
        self.boot += 1;
        self.up_at = back;
    }

    pub fn kill_runner(&mut self, id: &JobId) {
        if let Some(entry) = self.journal.get_mut(id) {
            entry.died = true;
            self.truth.entry(*id).or_default().died = true;
        }
    }
}

/// How long the made-up command of a job runs, and how many pieces it writes.
pub fn work(id: &JobId) -> (Duration, u64) {
    let number = id.as_uuid().as_u128();
    let millis = [3, 40, 900, 6_000, 25_000][usize::try_from(number % 5).unwrap_or_default()];
    (Duration::from_millis(millis), u64::try_from(number % 4).unwrap_or_default())
}
