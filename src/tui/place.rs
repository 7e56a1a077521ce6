//! Places of the screen as text: what the palette, `aurora open` and the history go to. Pure.
//!
//! `overview`, `channels`, `inbox QUERY`, `inbox view NAME`, `inbox message ID`, `nodes`, `nodes NODE`, `nodes topology`, `nodes log`,
//! `health`, `health CHECK`, `health /TEXT`, `bridge`, `bridge jobs`, `bridge panes`, `bridge rollouts`, `bridge HOST`, `bridge job ID`,
//! `bridge /TEXT`, `pane NAME`, `approvals`, `approvals ID`, `activity events|refusals|tasks|logs|audit`. `@NODE` anywhere narrows a
//! place to that node; `!` behind the view leaves out what is ok of a list.

use std::fmt;

use crate::model::{
    ApprovalId, BadViewName, CheckId, HostName, InboxFilter, JobId, MessageId, NodeName, PaneName, nearest, view_name,
};
use crate::protocol::BadLine;

use super::action::View;
use super::activity::ActivityTab;
use super::bridge::{BridgeShown, BridgeTab};
use super::known::{Known, Whose};
use super::narrow::with_node;
use super::nodes::NodesTab;

/// Without what is ok.
const PROBLEMS: &str = "!";
/// Longest place, in bytes.
const MAX: usize = 2_048;

/// Where a screen can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The overview.
    Overview,
    /// The channels, of one node only where it is named.
    Channels(Option<String>),
    /// Messages that match.
    Inbox(Box<InboxFilter>),
    /// The conversations of a saved view.
    View(String),
    /// A message in full.
    Message(MessageId),
    /// Checks with this in their id, kind, target or cause, in any case; all when empty.
    Health(String),
    /// A check in full.
    Check(CheckOf),
    /// One of the lists of nodes.
    Nodes(NodesTab),
    /// A node in full.
    Node(NodeName),
    /// Hosts, jobs or panes that match.
    Bridge(BridgeShown),
    /// A host in full.
    Host(HostName),
    /// A job in full.
    Job(JobId),
    /// A pane in full.
    Pane(PaneName),
    /// What waits for a yes.
    Approvals,
    /// An approval in full.
    Approval(ApprovalId),
    /// One of the lists under Activity.
    Activity(ActivityTab),
    /// One of the lists, without what is ok.
    Problems(Box<Self>),
}

/// A check, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOf {
    /// Its id there.
    pub id: CheckId,
    /// The other node it belongs to; `None` for one of this node's.
    pub node: Option<NodeName>,
}

impl From<CheckId> for CheckOf {
    fn from(id: CheckId) -> Self {
        Self { id, node: None }
    }
}

impl fmt::Display for CheckOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            None => write!(f, "{}", self.id),
            Some(node) => write!(f, "{}@{node}", self.id),
        }
    }
}

impl Place {
    /// Whether `line` begins as places do.
    #[must_use]
    pub fn is_begun(line: &str) -> bool {
        line.split_whitespace().next().is_some_and(|word| view(word).is_some() || word == PANE)
    }

    /// Reads a place; every name in it must be known.
    ///
    /// # Errors
    /// Where the mistake is, and what may have been meant.
    pub fn parse(line: &str, known: &Known) -> Result<Self, BadLine> {
        if line.len() > MAX {
            return Err(BadLine::new(1, format!("a place has at most {MAX} bytes")));
        }
        let words = words(line);
        let Some(((column, first), rest)) = words.split_first() else {
            return Err(BadLine::new(1, format!("the places are {}", names().join(", "))));
        };
        if *first == PANE {
            return pane(*column, rest, known);
        }
        let Some(view) = view(first) else {
            let meant = nearest(first, names()).map_or_else(
                || format!("the places are {}", names().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(BadLine::new(*column, format!("no place is called `{first}`; {meant}")));
        };
        if view == View::Inbox {
            return inbox(line, rest, known);
        }
        let (problems, rest) = without_problems(rest);
        let (whose, others) = known.taken_out(&rest)?;
        let theirs = || match &whose {
            Whose::Theirs(node) => Err(BadLine::new(
                rest.iter().find(|(_, word)| word.starts_with('@')).map_or(*column, |(column, _)| *column),
                format!("{node} does not share this; `nodes {node}` shows what it does"),
            )),
            Whose::Ours(_) | Whose::Anybodys => Ok(()),
        };
        let place = match view {
            View::Health => health(&others, &whose, known),
            View::Bridge => match bridge(&others, &whose, known)? {
                place @ Self::Bridge(BridgeShown { tab: BridgeTab::Jobs, .. }) => Ok(place),
                place => theirs().map(|()| place),
            },
            View::Nodes => nodes(&others, &whose, known),
            View::Activity => activity(&others).and_then(|place| theirs().map(|()| place)),
            View::Approvals => approvals(&others).and_then(|place| theirs().map(|()| place)),
            _ => match (others.first(), whose) {
                (Some((column, _)), _) => Err(BadLine::new(*column, format!("nothing follows `{first}`"))),
                (None, whose) if view == View::Channels => Ok(Self::Channels(whose.node().map(str::to_owned))),
                (None, Whose::Theirs(node)) => Ok(Self::Node(node)),
                (None, _) => Ok(Self::Overview),
            },
        }?;
        match problems {
            None => Ok(place),
            Some(_) if place.is_list() => Ok(Self::Problems(Box::new(place))),
            Some(column) => {
                Err(BadLine::new(column, format!("`{PROBLEMS}` leaves out what is ok of a list; this is none")))
            }
        }
    }

    /// Whether it is a list that can do without what is ok. What an inbox leaves out is part of what it asks.
    pub(super) fn is_list(&self) -> bool {
        match self {
            Self::Channels(_) | Self::Health(_) | Self::Bridge(_) | Self::Approvals | Self::Activity(_) => true,
            Self::Nodes(tab) => *tab == NodesTab::Nodes,
            _ => false,
        }
    }

    /// The view it is in.
    pub(super) fn view(&self) -> View {
        match self {
            Self::Overview => View::Overview,
            Self::Channels(_) => View::Channels,
            Self::Inbox(_) | Self::View(_) | Self::Message(_) => View::Inbox,
            Self::Nodes(_) | Self::Node(_) => View::Nodes,
            Self::Health(_) | Self::Check(_) => View::Health,
            Self::Bridge(_) | Self::Host(_) | Self::Job(_) | Self::Pane(_) => View::Bridge,
            Self::Approvals | Self::Approval(_) => View::Approvals,
            Self::Activity(_) => View::Activity,
            Self::Problems(list) => list.view(),
        }
    }
}

/// Takes the word that leaves out what is ok from `words`, and says where it stood. Behind a `/` it is text.
fn without_problems<'a>(words: &[(usize, &'a str)]) -> (Option<usize>, Vec<(usize, &'a str)>) {
    let mut rest = words.to_vec();
    let at = rest.iter().position(|(_, word)| *word == PROBLEMS || word.starts_with('/'));
    let at = at.filter(|at| rest[*at].1 == PROBLEMS);
    (at.map(|at| rest.remove(at).0), rest)
}

impl fmt::Display for Place {
    /// The text that reads as this place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overview => f.write_str("overview"),
            Self::Channels(None) => f.write_str("channels"),
            Self::Channels(Some(node)) => write!(f, "channels @{node}"),
            Self::Inbox(filter) if **filter == InboxFilter::default() => f.write_str("inbox"),
            Self::Inbox(filter) => {
                let query = filter.to_string();
                let (first, rest) = query.split_once(' ').unwrap_or((&query, ""));
                // The word, and not what begins a view or leaves something out.
                if first == PROBLEMS || first == "view" && !rest.trim().is_empty() {
                    return write!(f, "inbox \"{first}\" {rest}");
                }
                write!(f, "inbox {query}")
            }
            Self::View(name) => write!(f, "inbox view {name}"),
            Self::Message(id) => write!(f, "inbox message {id}"),
            Self::Health(text) if text.is_empty() => f.write_str("health"),
            Self::Health(text) => write!(f, "health /{text}"),
            Self::Check(CheckOf { id, node: None }) => write!(f, "health {id}"),
            Self::Check(CheckOf { id, node: Some(node) }) => write!(f, "health {id} @{node}"),
            Self::Nodes(tab) => f.write_str(match tab {
                NodesTab::Nodes => "nodes",
                NodesTab::Topology => "nodes topology",
                NodesTab::Log => "nodes log",
            }),
            // A node may be called as one of the words is.
            Self::Node(name) if LISTS.contains(&name.as_str()) => write!(f, "nodes node {name}"),
            Self::Node(name) => write!(f, "nodes {name}"),
            Self::Bridge(shown) => {
                f.write_str(match shown.tab {
                    BridgeTab::Hosts => "bridge",
                    BridgeTab::Jobs => "bridge jobs",
                    BridgeTab::Panes => "bridge panes",
                    BridgeTab::Rollouts => "bridge rollouts",
                })?;
                if shown.text.is_empty() { Ok(()) } else { write!(f, " /{}", shown.text) }
            }
            // A host may be called as one of the words is.
            Self::Host(name) if WORDS.contains(&name.as_str()) => write!(f, "bridge host {name}"),
            Self::Host(name) => write!(f, "bridge {name}"),
            Self::Job(id) => write!(f, "bridge job {id}"),
            Self::Pane(name) => write!(f, "{PANE} {name}"),
            Self::Approvals => f.write_str("approvals"),
            Self::Approval(id) => write!(f, "approvals {id}"),
            Self::Activity(tab) => write!(f, "activity {}", tab.name().to_lowercase()),
            Self::Problems(list) => {
                let list = list.to_string();
                match list.split_once(' ') {
                    Some((view, rest)) => write!(f, "{view} {PROBLEMS} {rest}"),
                    None => write!(f, "{list} {PROBLEMS}"),
                }
            }
        }
    }
}

/// The words of a line, each with where it begins, in characters from 1.
fn words(line: &str) -> Vec<(usize, &str)> {
    let starts = line.split_whitespace().map(|text| (text.as_ptr() as usize - line.as_ptr() as usize, text));
    starts.map(|(at, text)| (line[..at].chars().count() + 1, text)).collect()
}

/// How a view is typed.
fn word(view: View) -> &'static str {
    match view {
        View::Overview => "overview",
        View::Channels => "channels",
        View::Inbox => "inbox",
        View::Nodes => "nodes",
        View::Health => "health",
        View::Bridge => "bridge",
        View::Approvals => "approvals",
        View::Activity => "activity",
    }
}

fn view(typed: &str) -> Option<View> {
    View::ALL.into_iter().find(|view| word(*view) == typed)
}

fn names() -> Vec<&'static str> {
    View::ALL.into_iter().map(word).chain([PANE]).collect()
}

fn inbox(line: &str, rest: &[(usize, &str)], known: &Known) -> Result<Place, BadLine> {
    if let [(_, "message"), (column, id), more @ ..] = rest
        && id.starts_with("msg_")
    {
        let id = id.parse().map_err(|error| BadLine::new(*column, error))?;
        return match more.first() {
            None => Ok(Place::Message(id)),
            Some((column, _)) => Err(BadLine::new(*column, "nothing follows the id of a message")),
        };
    }
    if let [(_, "view"), named @ ..] = rest
        && let Some((column, _)) = named.first()
    {
        return view_named(*column, named, known);
    }
    if let [(_, PROBLEMS), rest @ ..] = rest {
        // What waits for somebody: nobody has read it, and nobody has taken it.
        return match inbox(line, rest, known)? {
            Place::Inbox(filter) => Ok(Place::Inbox(Box::new(InboxFilter { unread: true, open: true, ..*filter }))),
            _ => Err(BadLine::new(rest[0].0, format!("`{PROBLEMS}` narrows what a query asks for"))),
        };
    }
    let Some((column, _)) = rest.first() else { return Ok(Place::Inbox(Box::default())) };
    let query = &line[line.char_indices().nth(column - 1).map_or(line.len(), |(at, _)| at)..];
    let mut filter: InboxFilter =
        query.parse().map_err(|error: crate::model::BadQuery| BadLine::new(error.column + column - 1, error.what))?;
    if let Some(node) = filter.node.take() {
        let at = rest.iter().find(|(_, word)| word.strip_prefix('@') == Some(&node)).map_or(*column, |(at, _)| *at);
        if let Whose::Theirs(node) = known.whose(&node, at)? {
            filter.node = Some(node.to_string());
        }
    }
    Ok(Place::Inbox(Box::new(filter)))
}

/// A saved view. Which there are is the engine's to say.
fn view_named(column: usize, words: &[(usize, &str)], known: &Known) -> Result<Place, BadLine> {
    let mut name: Vec<&str> = Vec::new();
    for (column, word) in words {
        match word.strip_prefix('@') {
            Some(node) => match known.whose(node, *column)? {
                Whose::Theirs(_) => return Err(BadLine::new(*column, "a view lists what is in this node's store")),
                Whose::Ours(_) | Whose::Anybodys => {}
            },
            None => name.push(word),
        }
    }
    let name = name.join(" ");
    match view_name(&name) {
        Err(error @ BadViewName::Unfit) => Err(BadLine::new(column, error)),
        Err(BadViewName::Taken(built_in)) => Ok(Place::View(built_in.to_owned())),
        Ok(name) => Ok(Place::View(name)),
    }
}

fn health(rest: &[(usize, &str)], whose: &Whose, known: &Known) -> Result<Place, BadLine> {
    let shown = |text: &str| Ok(Place::Health(with_node(text, whose.node())));
    let Some(((column, word), more)) = rest.split_first() else { return shown("") };
    if let Some(text) = word.strip_prefix('/') {
        return shown(&joined(text, more));
    }
    match more.first() {
        Some((column, _)) => Err(BadLine::new(*column, "one check at a time; `/TEXT` lists those that match")),
        None => check(*column, word, whose, known),
    }
}

fn check(column: usize, word: &str, whose: &Whose, known: &Known) -> Result<Place, BadLine> {
    let node = if let Whose::Theirs(node) = whose { Some(node) } else { None };
    let ids: Vec<&CheckId> = match node {
        None => known.checks.iter().collect(),
        Some(node) => known.remote.iter().filter(|(of, _)| of == node).map(|(_, id)| id).collect(),
    };
    if let Some(id) = ids.iter().find(|id| id.as_str() == word) {
        return Ok(Place::Check(CheckOf { id: (*id).clone(), node: node.cloned() }));
    }
    let meant = nearest(word, ids.iter().map(|id| id.as_str()))
        .map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    let of = node.map_or_else(String::new, |node| format!(" of {node}"));
    Err(BadLine::new(
        column,
        format!("no check{of} is called `{word}`; {meant}`health /{word}` lists those that match"),
    ))
}

/// What stands where the name of a node may stand.
const LISTS: [&str; 3] = ["topology", "log", "node"];

fn nodes(rest: &[(usize, &str)], whose: &Whose, known: &Known) -> Result<Place, BadLine> {
    let named = |column: usize, name: &str| match known.whose(name, column)? {
        Whose::Theirs(name) => Ok(Place::Node(name)),
        Whose::Ours(name) => name.parse().map(Place::Node).map_err(|error| BadLine::new(column, error)),
        Whose::Anybodys => Ok(Place::Nodes(NodesTab::Nodes)),
    };
    match (rest, whose.node()) {
        ([], None) => Ok(Place::Nodes(NodesTab::Nodes)),
        // What there is of one node's log stands with the node.
        ([] | [(_, "log")], Some(node)) => named(1, node),
        ([(_, "topology")], None) => Ok(Place::Nodes(NodesTab::Topology)),
        ([(_, "log")], None) => Ok(Place::Nodes(NodesTab::Log)),
        ([(_, "node"), (column, name)] | [(column, name)], None) => named(*column, name),
        ([.., (column, _)], _) => Err(BadLine::new(*column, "nothing follows the name of a node")),
    }
}

/// Text goes on to the end; single spaces join its words.
fn joined(text: &str, more: &[(usize, &str)]) -> String {
    let words: Vec<&str> = [text].into_iter().chain(more.iter().map(|(_, word)| *word)).collect();
    words.join(" ").trim().to_owned()
}

/// What stands where the name of a host may stand.
const WORDS: [&str; 5] = ["jobs", "job", "panes", "rollouts", "host"];
/// The word before the name of a pane.
pub(super) const PANE: &str = "pane";

fn bridge(rest: &[(usize, &str)], whose: &Whose, known: &Known) -> Result<Place, BadLine> {
    // Of what is on the bridge nodes share their jobs.
    let shown = |tab, text: String| {
        let text = if tab == BridgeTab::Jobs { with_node(&text, whose.node()) } else { text };
        Ok(Place::Bridge(BridgeShown { tab, text }))
    };
    let nothing_more = |more: &[(usize, &str)], after: &str| match more.first() {
        Some((column, _)) => Err(BadLine::new(*column, format!("nothing follows {after}"))),
        None => Ok(()),
    };
    match rest {
        [] if matches!(whose, Whose::Theirs(_)) => shown(BridgeTab::Jobs, String::new()),
        [] => shown(BridgeTab::Hosts, String::new()),
        [(_, "jobs")] => shown(BridgeTab::Jobs, String::new()),
        [(_, "jobs"), (column, word), more @ ..] => match word.strip_prefix('/') {
            Some(text) => shown(BridgeTab::Jobs, joined(text, more)),
            None => Err(BadLine::new(*column, "`/TEXT` lists jobs that match; `bridge job ID` shows one")),
        },
        [(_, "panes")] => shown(BridgeTab::Panes, String::new()),
        [(_, "panes"), (column, word), more @ ..] => match word.strip_prefix('/') {
            Some(text) => shown(BridgeTab::Panes, joined(text, more)),
            None => Err(BadLine::new(*column, "`/TEXT` lists panes that match; `pane NAME` shows one")),
        },
        [(_, "rollouts")] => shown(BridgeTab::Rollouts, String::new()),
        [(_, "rollouts"), (column, word), more @ ..] => match word.strip_prefix('/') {
            Some(text) => shown(BridgeTab::Rollouts, joined(text, more)),
            None => Err(BadLine::new(*column, "`/TEXT` lists rollouts that match")),
        },
        [(_, "job"), (column, id), more @ ..] => {
            let id = id.parse().map_err(|error| BadLine::new(*column, error))?;
            nothing_more(more, "the id of a job").map(|()| Place::Job(id))
        }
        [(column, "job")] => Err(BadLine::new(*column, "`bridge job` needs the id of a job")),
        [(_, "host"), (column, name), more @ ..] => {
            nothing_more(more, "the name of a host")?;
            host(*column, name, known)
        }
        [(column, word), more @ ..] => match word.strip_prefix('/') {
            Some(text) => shown(BridgeTab::Hosts, joined(text, more)),
            None => {
                nothing_more(more, "the name of a host")?;
                host(*column, word, known)
            }
        },
    }
}

/// A pane. Which there are is the engine's to say; the name of a session may hold blanks.
fn pane(column: usize, rest: &[(usize, &str)], known: &Known) -> Result<Place, BadLine> {
    let Some((at, _)) = rest.first() else {
        return Err(BadLine::new(column, "`pane` needs the name of one, as web-1:0.1; `bridge panes` lists them"));
    };
    let words: Vec<&str> = rest.iter().map(|(_, word)| *word).collect();
    let name: PaneName = words.join(" ").parse().map_err(|error| BadLine::new(*at, error))?;
    host(*at, name.host.as_str(), known)?;
    Ok(Place::Pane(name))
}

fn host(column: usize, word: &str, known: &Known) -> Result<Place, BadLine> {
    if let Some(name) = known.hosts.iter().find(|name| name.as_str() == word) {
        return Ok(Place::Host(name.clone()));
    }
    let meant = nearest(word, known.hosts.iter().map(HostName::as_str))
        .map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    Err(BadLine::new(column, format!("no host is called `{word}`; {meant}`bridge /{word}` lists those that match")))
}

fn approvals(rest: &[(usize, &str)]) -> Result<Place, BadLine> {
    match rest {
        [] => Ok(Place::Approvals),
        [(column, id)] => id.parse().map(Place::Approval).map_err(|error| BadLine::new(*column, error)),
        [_, (column, _), ..] => Err(BadLine::new(*column, "nothing follows the id of an approval")),
    }
}

fn activity(rest: &[(usize, &str)]) -> Result<Place, BadLine> {
    let Some((column, word)) = rest.first() else { return Ok(Place::Activity(ActivityTab::default())) };
    if let Some((column, _)) = rest.get(1) {
        return Err(BadLine::new(*column, format!("nothing follows `activity {word}`")));
    }
    let name = |tab: ActivityTab| tab.name().to_lowercase();
    ActivityTab::ALL.into_iter().find(|tab| name(*tab) == *word).map(Place::Activity).ok_or_else(|| {
        let lists = ActivityTab::ALL.map(name);
        let meant = nearest(word, lists.iter().map(String::as_str))
            .map_or_else(|| format!("the lists are {}", lists.join(", ")), |near| format!("did you mean `{near}`?"));
        BadLine::new(*column, format!("no list is called `{word}`; {meant}"))
    })
}
