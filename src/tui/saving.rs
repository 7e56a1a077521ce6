//! Saving the files of an open message, one after the other, a part at a time.

use std::path::PathBuf;

use crate::model::MessageId;
use crate::protocol::{Bytes, Refusal, Reply, Request, Severity};

use super::app::App;
use super::msg::{Cmd, Purpose};

/// One step of saving, for whoever may touch files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Save {
    /// More of the file.
    Write(Vec<u8>),
    /// It is whole and gets this name, which holds no path, or the next that is free.
    Finish(String),
    /// The rest does not come: nothing is left of it.
    GiveUp,
}

/// A part of a file: of which message, which of its files, counted from 1, and from which byte on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The message.
    pub message: MessageId,
    /// The file.
    pub number: u32,
    /// The byte.
    pub offset: u64,
}

/// Files on their way to the disk. Either a part is asked for or a step is being done, never both, so a slow disk holds
/// one part.
#[derive(Debug)]
pub(super) struct Saving {
    /// What is asked for, or was last.
    part: Part,
    names: Vec<String>,
    saved: Vec<PathBuf>,
}

impl Saving {
    fn ask(&self) -> Cmd {
        let Part { message, number, offset } = self.part;
        Cmd::Ask(Purpose::Save(self.part), Request::Attachment { message, number, offset })
    }

    /// The file of which parts are asked for; `None` behind the last.
    fn name(&self) -> Option<&String> {
        self.names.get(usize::try_from(self.part.number).ok()?.checked_sub(1)?)
    }

    /// What was saved, where.
    fn told(&self) -> String {
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let names: Vec<String> = self.saved.iter().map(name).collect();
        let dir = self.saved.first().and_then(|path| path.parent()).map(|dir| dir.display().to_string());
        let dir = dir.filter(|dir| dir != ".").unwrap_or_else(|| "the current directory".to_owned());
        format!("{} saved to {dir}", names.join(", "))
    }
}

impl App {
    pub(super) fn save(&mut self) -> Vec<Cmd> {
        let Some(open) = &self.inbox.open else { return Vec::new() };
        let names: Vec<String> = open.message.attachments.iter().map(crate::model::Attachment::file_name).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let part = Part { message: open.message.row.id, number: 1, offset: 0 };
        let saving = self.saving.insert(Saving { part, names, saved: Vec::new() });
        vec![saving.ask()]
    }

    /// Takes the answer to a question for `part`; an empty one is the end of its file. What belongs to files that are no
    /// longer saved is dropped.
    pub(super) fn part(&mut self, part: Part, reply: Result<Reply, Refusal>) -> Vec<Cmd> {
        let Some(saving) = self.saving.as_mut().filter(|saving| saving.part == part) else { return Vec::new() };
        let why = match reply {
            Ok(Reply::Attachment(Some(Bytes(bytes)))) if !bytes.is_empty() => {
                saving.part.offset += bytes.len() as u64;
                return vec![Cmd::Save(Save::Write(bytes))];
            }
            Ok(Reply::Attachment(Some(_))) => {
                return saving.name().cloned().map(|name| Cmd::Save(Save::Finish(name))).into_iter().collect();
            }
            Ok(_) => format!("file {} is no longer there", part.number),
            Err(refusal) => refusal.to_string(),
        };
        self.not_saved(&why);
        vec![Cmd::Save(Save::GiveUp)]
    }

    /// A step is done; one that finished a file says where that is.
    pub(super) fn saved(&mut self, done: Result<Option<PathBuf>, String>) -> Vec<Cmd> {
        let Some(saving) = &mut self.saving else { return Vec::new() };
        match done {
            Ok(None) => return vec![saving.ask()],
            Ok(Some(path)) => {
                saving.saved.push(path);
                (saving.part.number, saving.part.offset) = (saving.part.number + 1, 0);
                if saving.name().is_some() {
                    return vec![saving.ask()];
                }
                let told = saving.told();
                self.saving = None;
                self.toast(Severity::Info, told);
            }
            Err(why) => self.not_saved(&why),
        }
        Vec::new()
    }

    fn not_saved(&mut self, why: &str) {
        self.saving = None;
        self.toast(Severity::Crit, format!("not saved: {why}"));
    }
}
