//! A control client of a session (`tmux -C`): every byte its panes print, as it comes.
//!
//! While it is attached it has to be read. tmux stops reading a pane whose only clients are control clients that are
//! behind, and so stops the program in it. So whoever has a `Control` polls it and does nothing else that may wait.

use std::collections::{HashSet, VecDeque};
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::line::{CAPTURE_MAX, Item, Reader};
use super::order::{MARK, Order, PARTS};
use super::rebuild::State;
use super::server::{PATIENCE, start};
use super::{Server, Shot, TmuxError};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// Orders without an answer yet.
const ORDERS_MAX: usize = 1_024;

/// What is heard of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A program printed this. A character or an escape sequence may be cut in two.
    Output {
        /// In which pane.
        pane: u32,
        /// What.
        bytes: Vec<u8>,
    },
    /// Sessions, windows or panes are others now, or have other names or sizes: list them again.
    Changed,
    /// The place of [`Control::capture`] in the stream.
    Captured {
        /// The number that `capture` gave.
        number: u64,
        /// What was captured; `None`: there is no such pane.
        taken: Option<Taken>,
    },
    /// How a pane is now; told of each at the begin, and at changes at most once a second.
    Facts {
        /// Which.
        pane: u32,
        /// Its program has ended.
        dead: bool,
        /// Its width in columns and height in rows.
        size: (u16, u16),
        /// Whether its program uses the alternate screen.
        alternate: bool,
        /// The mode it is in, as `copy-mode`.
        mode: Option<String>,
        /// What runs in front there; comes from outside.
        command: String,
    },
    /// A pane that was paused is told of again: what it printed meanwhile is not known.
    Resumed {
        /// Which.
        pane: u32,
    },
    /// This tmux cannot pause a pane (it is older than 3.2).
    Unpausable,
    /// Nothing more comes. It is in words of tmux, or of ours.
    Ended {
        /// Why.
        why: String,
    },
}

/// What was captured at one place of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pane: u32,
    history: u32,
    state: String,
    pending: Vec<u8>,
    parts: Option<[Vec<u8>; PARTS]>,
}

impl Taken {
    /// Columns and rows of the pane; `None` where it is no screen.
    #[must_use]
    pub fn size(&self) -> Option<(u16, u16)> {
        let state = State::read(&self.state)?;
        Some((state.cols, state.rows))
    }

    /// What it shows. It takes a while where there is much: not for whoever drains a client.
    ///
    /// # Errors
    /// When there was too much of it: with less history there is less. And when it is no screen.
    pub fn shot(&self) -> Result<Shot, TmuxError> {
        let Some([rows, below, joined]) = &self.parts else { return Err(TmuxError::TooMuch(CAPTURE_MAX)) };
        Shot::of(self.pane, self.history, &self.state, &self.pending, [rows, below, joined])
    }
}

/// An attached control client. Dropping it ends it; the session goes on.
#[derive(Debug)]
pub struct Control {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    session: u32,
    reader: Reader,
    items: VecDeque<Item>,
    /// Orders that were given, oldest first, with what they printed so far.
    orders: VecDeque<(Order, Vec<Vec<u8>>)>,
    captures: u64,
    /// Panes tmux was asked to tell nothing of.
    paused: HashSet<u32>,
    ended: Option<String>,
    buffer: Vec<u8>,
}

impl Control {
    /// Attaches to the session of that number, of the server that is meant. It takes no part in the size of its windows (`ignore-size`) and
    /// leaves its environment alone (`-E`).
    ///
    /// # Errors
    /// When there is no such session, and when tmux does not answer.
    pub async fn attach(server: &Server, session: u32) -> Result<Self, TmuxError> {
        server.has_session(session).await?;
        let mut command = server.command()?;
        command.args(["-C", "attach-session", "-E", "-t", &format!("${session}"), "-f", "ignore-size"]);
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = start(&mut command)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("a child without pipes").into());
        };
        let mut control = Self {
            child,
            stdin,
            stdout,
            session,
            reader: Reader::default(),
            items: VecDeque::new(),
            orders: VecDeque::new(),
            captures: 0,
            paused: HashSet::new(),
            ended: None,
            buffer: Vec::with_capacity(CHUNK),
        };
        tokio::time::timeout(PATIENCE, control.attached()).await.map_err(|_| TmuxError::Slow(PATIENCE))??;
        control.give(Order::Subscribe).await?;
        Ok(control)
    }

    /// Waits until tmux has attached it: an order before that would be about no session.
    async fn attached(&mut self) -> Result<(), TmuxError> {
        loop {
            self.read().await;
            if self.items.iter().any(|item| matches!(item, Item::Session(_))) {
                return Ok(());
            }
            if let Some(why) = &self.ended {
                return Err(TmuxError::Said(why.clone()));
            }
        }
    }

    /// Waits for what is heard next. Nothing is lost when the waiting is given up. After [`Heard::Ended`] it comes again
    /// and again.
    pub async fn next(&mut self) -> Heard {
        loop {
            while let Some(item) = self.items.pop_front() {
                if let Some(heard) = self.heard(item) {
                    return heard;
                }
            }
            if let Some(why) = &self.ended {
                return Heard::Ended { why: why.clone() };
            }
            self.read().await;
        }
    }

    /// Captures a pane, with at most `history` lines of its history, at one exact place of the stream: what was printed
    /// before is in it, what is heard later is not. It is heard as [`Heard::Captured`] with the number this gives.
    ///
    /// # Errors
    /// When tmux does not take the order.
    pub async fn capture(&mut self, pane: u32, history: u32) -> Result<u64, TmuxError> {
        self.captures += 1;
        let key = rand::random();
        self.reader.expect(key);
        self.give(Order::Capture { number: self.captures, pane, history, key }).await?;
        Ok(self.captures)
    }

    /// Has tmux tell nothing of a pane, until [`Self::resume`]. The program in it goes on as if nobody watched; what was on
    /// its way is still heard.
    ///
    /// # Errors
    /// When tmux does not take the order.
    pub async fn pause(&mut self, pane: u32) -> Result<(), TmuxError> {
        self.paused.insert(pane);
        self.give(Order::Pause { pane }).await
    }

    /// Has tmux tell of a pane again. Once it does, that is heard as [`Heard::Resumed`].
    ///
    /// # Errors
    /// When tmux does not take the order.
    pub async fn resume(&mut self, pane: u32) -> Result<(), TmuxError> {
        self.give(Order::Resume { pane }).await
    }

    /// Gives an order. Not to be given up half way: a part of a line would stay.
    async fn give(&mut self, order: Order) -> Result<(), TmuxError> {
        if self.orders.len() >= ORDERS_MAX {
            return Err(TmuxError::Slow(PATIENCE));
        }
        let line = order.line() + "\n";
        self.orders.push_back((order, Vec::new()));
        let written = tokio::time::timeout(PATIENCE, self.stdin.write_all(line.as_bytes())).await;
        let result = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(TmuxError::Slow(PATIENCE)),
        };
        self.end("tmux takes no more orders");
        result
    }

    fn end(&mut self, why: &str) {
        self.ended.get_or_insert_with(|| why.to_owned());
        // It may have ended already.
        let _ = self.child.start_kill();
    }

    /// Reads once. Can be given up at any time.
    async fn read(&mut self) {
        self.buffer.clear();
        match self.stdout.read_buf(&mut self.buffer).await {
            Ok(0) => self.end("the control client has ended"),
            Ok(_) => {
                if let Err(endless) = self.reader.feed(&self.buffer, &mut self.items) {
                    self.end(&format!("tmux wrote {endless}"));
                }
            }
            Err(error) => self.end(&format!("the control client cannot be read: {error}")),
        }
    }

    fn heard(&mut self, item: Item) -> Option<Heard> {
        match item {
            Item::Output { pane, bytes } => Some(Heard::Output { pane, bytes }),
            Item::Paused { pane } if self.paused.contains(&pane) => None,
            Item::Resumed { pane } => self.paused.remove(&pane).then_some(Heard::Resumed { pane }),
            Item::Paused { pane } => {
                // Nobody asked for that (`pause-after`). What was left out is not known, so it begins anew.
                self.items.clear();
                self.end(&format!("tmux has left out what pane %{pane} printed"));
                None
            }
            Item::Facts { pane, value } => facts(pane, &value),
            Item::Session(session) if session == self.session => None,
            Item::Session(_) => {
                self.items.clear();
                self.end("somebody has moved the control client to another session");
                None
            }
            Item::Changed => Some(Heard::Changed),
            Item::Answer { done, body } => self.answered(done, body),
            Item::Captured(parts) => self.captured(parts),
            Item::Exit(why) => {
                self.items.clear();
                let why = if why.is_empty() { "the session has ended, or the client was detached" } else { &why };
                self.end(why);
                None
            }
        }
    }

    /// Orders are answered in their order.
    fn answered(&mut self, done: bool, body: Vec<u8>) -> Option<Heard> {
        let (order, printed) = self.orders.front_mut()?;
        match *order {
            Order::Capture { .. } if done => {
                // What it shows comes behind these.
                printed.push(body);
                None
            }
            Order::Capture { number, key, .. } => {
                self.reader.forget(key);
                self.orders.pop_front();
                Some(Heard::Captured { number, taken: None })
            }
            Order::Subscribe | Order::Resume { .. } => {
                self.orders.pop_front();
                None
            }
            Order::Pause { .. } => {
                self.orders.pop_front();
                (!done).then_some(Heard::Unpausable)
            }
        }
    }

    fn captured(&mut self, parts: Option<[Vec<u8>; PARTS]>) -> Option<Heard> {
        let (Order::Capture { number, pane, history, .. }, printed) = self.orders.pop_front()? else { return None };
        let Ok([state, pending]) = <[Vec<u8>; 2]>::try_from(printed) else {
            return Some(Heard::Captured { number, taken: None });
        };
        let state = String::from_utf8_lossy(&state);
        let state = state.trim_end().strip_prefix(&format!("{MARK} {number} ")).map(str::to_owned);
        Some(Heard::Captured { number, taken: state.map(|state| Taken { pane, history, state, pending, parts }) })
    }
}

fn facts(pane: u32, value: &str) -> Option<Heard> {
    let mut words = value.splitn(7, ' ');
    let dead = words.next()? == "1";
    let size = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let alternate = words.next()? == "1";
    let mode = Some(words.next()?).filter(|mode| *mode != "-").map(str::to_owned);
    // A list says more of the process.
    words.next()?;
    let command = words.next().unwrap_or_default().to_owned();
    Some(Heard::Facts { pane, dead, size, alternate, mode, command })
}
