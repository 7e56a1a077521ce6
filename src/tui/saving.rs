//! Saving the files of an open message, one after the other, a part at a time.

use crate::model::MessageId;
use crate::protocol::{Bytes, Request, Severity};

use super::app::App;
use super::msg::{Cmd, Purpose};

/// One step of saving, for whoever may touch files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Save {
    /// A file of this name begins; it holds no path.
    Begin(String),
    /// More of it.
    Write(Vec<u8>),
    /// The last one is complete.
    End,
}

/// Files on their way to the disk.
#[derive(Debug)]
pub(super) struct Saving {
    message: MessageId,
    names: Vec<String>,
    /// Which file, counted from 1, and how much of it is here.
    number: u32,
    offset: u64,
}

impl Saving {
    fn ask(&self) -> Cmd {
        let Self { message, number, offset, .. } = *self;
        Cmd::Ask(Purpose::Save, Request::Attachment { message, number, offset })
    }

    fn name(&self) -> Option<&String> {
        self.names.get(usize::try_from(self.number).ok()?.checked_sub(1)?)
    }
}

impl App {
    pub(super) fn save(&mut self) -> Vec<Cmd> {
        let Some(open) = &self.inbox.open else { return Vec::new() };
        let names: Vec<String> = open.message.attachments.iter().map(crate::model::Attachment::file_name).collect();
        let Some(first) = names.first().cloned() else { return Vec::new() };
        let saving = Saving { message: open.message.row.id, names, number: 1, offset: 0 };
        let ask = saving.ask();
        self.saving = Some(saving);
        vec![Cmd::Save(Save::Begin(first)), ask]
    }

    /// Takes a part of a file; an empty one is its end.
    pub(super) fn part(&mut self, part: Option<Bytes>) -> Vec<Cmd> {
        let Some(saving) = &mut self.saving else { return Vec::new() };
        let Some(Bytes(bytes)) = part else {
            let number = saving.number;
            self.saved(&Err(format!("file {number} is no longer there")));
            return Vec::new();
        };
        if !bytes.is_empty() {
            saving.offset += bytes.len() as u64;
            return vec![Cmd::Save(Save::Write(bytes)), saving.ask()];
        }
        (saving.number, saving.offset) = (saving.number + 1, 0);
        match saving.name().cloned() {
            Some(name) => vec![Cmd::Save(Save::Begin(name)), saving.ask()],
            None => vec![Cmd::Save(Save::End)],
        }
    }

    /// All files are written to a directory, or something went wrong.
    pub(super) fn saved(&mut self, result: &Result<String, String>) {
        let Some(saving) = self.saving.take() else { return };
        match result {
            Ok(dir) => self.toast(Severity::Info, format!("{} saved to {dir}", saving.names.join(", "))),
            Err(why) => self.toast(Severity::Crit, format!("not saved: {why}")),
        }
    }
}
