//! What reaches the screen, what it wants done, and what lies over it.

use std::path::PathBuf;

use crossterm::event::{KeyEvent, MouseEvent};

use crate::model::{CheckId, ConversationId, MessageId, OperatorName};
use crate::protocol::{Refusal, Reply, Request, Severity, Update};
use crate::screen::InputModes;

use super::bridge_asks::BridgePurpose;
use super::bulk::Bulk;
use super::confirm::Confirm;
use super::desk::DeskPurpose;
use super::dialog::Dialog;
use super::drawer::Drawer;
use super::help::Help;
use super::input::Answer;
use super::memory::Kept;
use super::node_dialog::{NodeDialog, NodePurpose};
use super::note::Note;
use super::palette::Palette;
use super::pane_asks::PanePurpose;
use super::pane_mark::MarkDialog;
use super::run_dialog::RunDialog;
use super::saving::{Part, Save};
use super::styles::Look;
use super::theme_picker::ThemePicker;
use super::themes::{Offer, ThemeStep};
use super::view_picker::ViewPicker;

/// What reaches the screen.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted; it is text and never keys.
    Paste(String),
    /// So many bytes were pasted, which is too much.
    PasteTooLong(usize),
    /// The mouse did something; columns and rows count from 0.
    Mouse(MouseEvent),
    /// While somebody types into a pane: bytes, exactly as the terminal sent them.
    Typed(Vec<u8>),
    /// The key that gives a pane back.
    GiveBack,
    /// The terminal answers what it was asked.
    Terminal(Answer),
    /// The terminal has another size: columns and rows.
    Resize(u16, u16),
    /// The engine says something.
    Update(Update),
    /// The answer to a request.
    Reply(Purpose, Result<Reply, Refusal>),
    /// What was remembered of this operator, or why it cannot be used.
    Remembered(Result<Kept, String>),
    /// A step of saving is done; where a file is that is whole now, or why it could not be written.
    Saved(Result<Option<PathBuf>, String>),
    /// The themes there are, to choose one.
    Themes(Vec<Offer>),
    /// The screen looks like this from now on, or stays as it is because of what is wrong with the theme.
    Look(Result<Look, String>),
    /// Time has passed.
    Tick,
}

/// Why something was asked; the answer comes back under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The first rows of what is to be shown; an answer to an older question is dropped.
    Rows(u64),
    /// Rows behind the last.
    Older(u64),
    /// A message, to open it.
    Open(MessageId),
    /// The selected message, to show it beside the list.
    Preview,
    /// The next unread message.
    Next,
    /// The configuration is read again.
    Reload,
    /// The past of a check, to show it.
    CheckHistory(CheckId),
    /// A look at a check.
    Look(CheckId),
    /// A part of a file that is saved.
    Save(Part),
    /// Something was changed; this says what in case it failed.
    Change(&'static str),
    /// Who this screen is to the engine.
    Who,
    /// The conversation of the message that is open.
    Conversation(ConversationId),
    /// The way of the message that is open.
    Trace(MessageId),
    /// Something about what operators do with conversations.
    Desk(DeskPurpose),
    /// Something about hosts, jobs and approvals.
    Bridge(BridgePurpose),
    /// Something about nodes.
    Node(NodePurpose),
    /// Something about panes.
    Pane(PanePurpose),
    /// This line of the palette was ordered.
    Order(String),
}

/// What the screen wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cmd {
    /// Ask the engine.
    Ask(Purpose, Request),
    /// Say that all below this place of a watched pane was taken.
    Seen {
        /// The number of the watch.
        watch: u64,
        /// The place.
        offset: u64,
    },
    /// Leave.
    Quit(Quit),
    /// Give the terminal back to the shell until it resumes us.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// Ask something of the themes.
    Theme(ThemeStep),
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// What is typed from now on goes to a pane as it is, or is keys again.
    Drive(bool),
    /// The terminal is to send cursor keys, the keypad and pastes as the program in a pane asked for.
    Mirror(InputModes),
    /// Do with less where that is not done, and the other way round.
    ToggleLite,
    /// Write a file that came with a message. Each step but giving up is answered by [`Msg::Saved`].
    Save(Save),
    /// Read what was remembered of this operator.
    Recall(OperatorName),
    /// Remember this of an operator.
    Remember(OperatorName, Kept),
}

/// How to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quit {
    /// The engine stops.
    StopEngine,
    /// The engine goes on without a screen.
    KeepEngine,
    /// The engine is in another process and not concerned.
    Leave,
}

/// What lies over the view.
#[derive(Debug)]
pub(super) enum Overlay {
    Help(Box<Help>),
    Palette(Box<Palette>),
    Problems(Box<Drawer>),
    Themes(Box<ThemePicker>),
    Quit,
    Dialog(Box<Dialog>),
    Bulk(Box<Bulk>),
    Note(Box<Note>),
    Views(Box<ViewPicker>),
    Run(Box<RunDialog>),
    Confirm(Box<Confirm>),
    Node(Box<NodeDialog>),
    Mark(Box<MarkDialog>),
}

/// A sentence at the bottom until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Toast {
    pub severity: Severity,
    pub text: String,
}
