//! A control client of a session (`tmux -C`): every byte its panes print, as it comes.
//!
//! While it is attached it has to be read. tmux stops reading a pane whose only clients are control clients that are
//! behind, and so stops the program in it. So whoever has a `Control` polls it and does nothing else that may wait.

use std::collections::VecDeque;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::line::{Item, Reader};
use super::order::{MARK, Order, buffer};
use super::server::{PATIENCE, start};
use super::{Server, TmuxError};

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
    /// The place of [`Control::mark`] in the stream: what was printed before came before.
    Mark(u64),
    /// The place of [`Control::capture`] in the stream.
    Captured {
        /// The number that `capture` gave.
        number: u64,
        /// What to fetch with [`Server::fetch`]; `None`: there is no such pane.
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
    /// Nothing more comes. It is in words of tmux, or of ours.
    Ended {
        /// Why.
        why: String,
    },
}

/// What was captured at one place of the stream, put aside in buffers of tmux. They stay there until they are
/// [fetched](Server::fetch).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Of which pane.
    pub pane: u32,
    history: u32,
    key: u128,
    state: String,
}

impl Taken {
    /// Lines of history that were asked for.
    pub(super) fn history(&self) -> u32 {
        self.history
    }

    /// The buffer of a part.
    pub(super) fn buffer(&self, part: usize) -> String {
        buffer(self.key, part)
    }

    /// What tmux said of the pane.
    pub(super) fn state(&self) -> &str {
        &self.state
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
    /// Orders that were given, oldest first, with the answers they still have to get and the first one they got.
    orders: VecDeque<(Order, u32, Vec<u8>)>,
    marks: u64,
    ended: Option<String>,
    buffer: Vec<u8>,
}

impl Control {
    /// Attaches to the session of that exact name. It takes no part in the size of its windows (`ignore-size`) and
    /// leaves its environment alone (`-E`).
    ///
    /// # Errors
    /// When there is no such session, and when tmux does not answer.
    pub async fn attach(server: &Server, session: &str) -> Result<Self, TmuxError> {
        let session = server.session(session).await?;
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
            marks: 0,
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

    /// Puts a mark into the stream, which is heard as [`Heard::Mark`] with the number this gives.
    ///
    /// # Errors
    /// When tmux does not take it.
    pub async fn mark(&mut self) -> Result<u64, TmuxError> {
        self.marks += 1;
        self.give(Order::Mark(self.marks)).await?;
        Ok(self.marks)
    }

    /// Captures a pane, with at most `history` lines of its history, at one exact place of the stream: what was printed
    /// before is in it, what is heard later is not. It is heard as [`Heard::Captured`] with the number this gives.
    ///
    /// # Errors
    /// When tmux does not take the order.
    pub async fn capture(&mut self, pane: u32, history: u32) -> Result<u64, TmuxError> {
        self.marks += 1;
        let order = Order::Capture { number: self.marks, pane, history, key: rand::random() };
        self.give(order).await?;
        Ok(self.marks)
    }

    /// Gives an order. Not to be given up half way: a part of a line would stay.
    async fn give(&mut self, order: Order) -> Result<(), TmuxError> {
        if self.orders.len() >= ORDERS_MAX {
            return Err(TmuxError::Slow(PATIENCE));
        }
        let line = order.line() + "\n";
        self.orders.push_back((order, order.answers(), Vec::new()));
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
            Item::Exit(why) => {
                self.items.clear();
                let why = if why.is_empty() { "the session has ended, or the client was detached" } else { &why };
                self.end(why);
                None
            }
        }
    }

    /// Orders are answered in their order. The first answer of each says all there is to say.
    fn answered(&mut self, done: bool, body: Vec<u8>) -> Option<Heard> {
        let (order, left, first) = self.orders.front_mut()?;
        *left -= 1;
        if *left + 1 == order.answers() {
            *first = body;
        }
        if done && *left > 0 {
            return None;
        }
        let (order, _, first) = self.orders.pop_front()?;
        match order {
            Order::Subscribe => None,
            Order::Mark(number) => Some(Heard::Mark(number)),
            Order::Capture { number, pane, history, key } => {
                let state = String::from_utf8_lossy(&first);
                let state = state.trim_end().strip_prefix(&format!("{MARK} {number} ")).map(str::to_owned);
                let taken = state.filter(|_| done).map(|state| Taken { pane, history, key, state });
                Some(Heard::Captured { number, taken })
            }
        }
    }
}

fn facts(pane: u32, value: &str) -> Option<Heard> {
    let mut words = value.splitn(6, ' ');
    let dead = words.next()? == "1";
    let size = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let alternate = words.next()? == "1";
    let mode = Some(words.next()?).filter(|mode| *mode != "-").map(str::to_owned);
    let command = words.next().unwrap_or_default().to_owned();
    Some(Heard::Facts { pane, dead, size, alternate, mode, command })
}
