//! Places of the screen as text: what the palette, `aurora open` and the history go to. Pure.
//!
//! `overview`, `channels`, `inbox QUERY`, `inbox view NAME`, `inbox message ID`, `health`, `health CHECK`, `health /TEXT`, `health !`,
//! `bridge`, `bridge jobs`, `bridge panes`, `bridge HOST`, `bridge job ID`, `bridge /TEXT`, `pane NAME`, `approvals`, `approvals ID`,
//! `activity events|refusals|tasks|logs|audit`. `@NODE` anywhere narrows a place to that node.

use std::fmt;

use crate::model::{
    ApprovalId, BadViewName, CheckId, HostName, InboxFilter, JobId, MessageId, PaneName, nearest, view_name,
};
use crate::protocol::{BadLine, Snapshot};

use super::action::View;
use super::activity::ActivityTab;
use super::bridge::{BridgeShown, BridgeTab};

/// Longest place, in bytes.
const MAX: usize = 2_048;

/// Where a screen can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The overview.
    Overview,
    /// The channels.
    Channels,
    /// Messages that match.
    Inbox(Box<InboxFilter>),
    /// The conversations of a saved view.
    View(String),
    /// A message in full.
    Message(MessageId),
    /// Checks that match.
    Health(ChecksShown),
    /// A check in full.
    Check(CheckId),
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
}

/// Which checks are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChecksShown {
    /// Only those that are not ok.
    pub problems_only: bool,
    /// Only those with this in their id, kind, target or cause, in any case; all when empty.
    pub text: String,
}

/// The names a place may use.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The node, the only one there is.
    pub node: String,
    /// The ids of the checks.
    pub checks: Vec<CheckId>,
    /// The names of the hosts.
    pub hosts: Vec<HostName>,
}

impl From<&Snapshot> for Known {
    fn from(snapshot: &Snapshot) -> Self {
        let checks = snapshot.checks.iter().map(|check| check.id.clone()).collect();
        let hosts = snapshot.bridge.hosts.iter().map(|host| host.name.clone()).collect();
        Self { node: snapshot.node.clone(), checks, hosts }
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
        if let Some(why) = view.missing() {
            return Err(BadLine::new(*column, why));
        }
        if view == View::Inbox {
            return inbox(line, rest, known);
        }
        let (nodes, rest): (Vec<_>, Vec<_>) = rest.iter().copied().partition(|(_, word)| word.starts_with('@'));
        for (column, node) in nodes {
            is_known(&node[1..], column, known)?;
        }
        match view {
            View::Health => health(&rest, known),
            View::Activity => activity(&rest),
            View::Bridge => bridge(&rest, known),
            View::Approvals => approvals(&rest),
            _ => match rest.first() {
                Some((column, _)) => Err(BadLine::new(*column, format!("nothing follows `{first}`"))),
                None if view == View::Channels => Ok(Self::Channels),
                None => Ok(Self::Overview),
            },
        }
    }
}

impl fmt::Display for Place {
    /// The text that reads as this place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overview => f.write_str("overview"),
            Self::Channels => f.write_str("channels"),
            Self::Inbox(filter) if **filter == InboxFilter::default() => f.write_str("inbox"),
            Self::Inbox(filter) => {
                let query = filter.to_string();
                match query.strip_prefix("view ").filter(|rest| !rest.trim().is_empty()) {
                    // The word, and not what begins a view.
                    Some(rest) => write!(f, "inbox \"view\" {rest}"),
                    None => write!(f, "inbox {query}"),
                }
            }
            Self::View(name) => write!(f, "inbox view {name}"),
            Self::Message(id) => write!(f, "inbox message {id}"),
            Self::Health(shown) => {
                f.write_str(if shown.problems_only { "health !" } else { "health" })?;
                if shown.text.is_empty() { Ok(()) } else { write!(f, " /{}", shown.text) }
            }
            Self::Check(id) => write!(f, "health {id}"),
            Self::Bridge(shown) => {
                f.write_str(match shown.tab {
                    BridgeTab::Hosts => "bridge",
                    BridgeTab::Jobs => "bridge jobs",
                    BridgeTab::Panes => "bridge panes",
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
    View::ALL.into_iter().filter(|view| view.missing().is_none()).map(word).chain([PANE]).collect()
}

fn is_known(node: &str, column: usize, known: &Known) -> Result<(), BadLine> {
    if node == known.node {
        return Ok(());
    }
    Err(BadLine::new(column, format!("no node is called `{node}`; the only one known here is `@{}`", known.node)))
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
    let Some((column, _)) = rest.first() else { return Ok(Place::Inbox(Box::default())) };
    let query = &line[line.char_indices().nth(column - 1).map_or(line.len(), |(at, _)| at)..];
    let mut filter: InboxFilter =
        query.parse().map_err(|error: crate::model::BadQuery| BadLine::new(error.column + column - 1, error.what))?;
    if let Some(node) = filter.node.take() {
        let at = rest.iter().find(|(_, word)| word.strip_prefix('@') == Some(&node)).map_or(*column, |(at, _)| *at);
        is_known(&node, at, known)?;
    }
    Ok(Place::Inbox(Box::new(filter)))
}

/// A saved view. Which there are is the engine's to say.
fn view_named(column: usize, words: &[(usize, &str)], known: &Known) -> Result<Place, BadLine> {
    let mut name: Vec<&str> = Vec::new();
    for (column, word) in words {
        match word.strip_prefix('@') {
            Some(node) => is_known(node, *column, known)?,
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

fn health(rest: &[(usize, &str)], known: &Known) -> Result<Place, BadLine> {
    let problems_only = rest.first().is_some_and(|(_, word)| *word == "!");
    let rest = if problems_only { &rest[1..] } else { rest };
    let Some(((column, word), more)) = rest.split_first() else {
        return Ok(Place::Health(ChecksShown { problems_only, text: String::new() }));
    };
    if let Some(text) = word.strip_prefix('/') {
        return Ok(Place::Health(ChecksShown { problems_only, text: joined(text, more) }));
    }
    match more.first() {
        Some((column, _)) => Err(BadLine::new(*column, "one check at a time; `/TEXT` lists those that match")),
        None if problems_only => Err(BadLine::new(*column, format!("`!` lists checks; `! /{word}` narrows the list"))),
        None => check(*column, word, known),
    }
}

fn check(column: usize, word: &str, known: &Known) -> Result<Place, BadLine> {
    if let Some(id) = known.checks.iter().find(|id| id.as_str() == word) {
        return Ok(Place::Check(id.clone()));
    }
    let meant = nearest(word, known.checks.iter().map(CheckId::as_str))
        .map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    Err(BadLine::new(column, format!("no check is called `{word}`; {meant}`health /{word}` lists those that match")))
}

/// Text goes on to the end; single spaces join its words.
fn joined(text: &str, more: &[(usize, &str)]) -> String {
    let words: Vec<&str> = [text].into_iter().chain(more.iter().map(|(_, word)| *word)).collect();
    words.join(" ").trim().to_owned()
}

/// What stands where the name of a host may stand.
const WORDS: [&str; 4] = ["jobs", "job", "panes", "host"];
/// The word before the name of a pane.
const PANE: &str = "pane";

fn bridge(rest: &[(usize, &str)], known: &Known) -> Result<Place, BadLine> {
    let shown = |tab, text| Ok(Place::Bridge(BridgeShown { tab, text }));
    let nothing_more = |more: &[(usize, &str)], after: &str| match more.first() {
        Some((column, _)) => Err(BadLine::new(*column, format!("nothing follows {after}"))),
        None => Ok(()),
    };
    match rest {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known() -> Known {
        Known {
            node: "hub-1".into(),
            checks: ["api", "web"].map(|id| id.parse().expect("an id")).to_vec(),
            hosts: ["web-1", "jobs", "panes"].map(|name| name.parse().expect("a name")).to_vec(),
        }
    }

    fn place(line: &str) -> String {
        match Place::parse(line, &known()) {
            Ok(place) => place.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn places_are_read_and_written() {
        for (typed, written) in [
            ("overview", "overview"),
            (" channels  @hub-1", "channels"),
            ("inbox", "inbox"),
            ("inbox from:stripe unread", "inbox unread from:stripe"),
            ("inbox @hub-1 vip", "inbox vip"),
            (
                "inbox message msg_01a1fbc1535071810000000000000001",
                "inbox message msg_01a1fbc1535071810000000000000001",
            ),
            ("inbox message in a bottle", "inbox message in a bottle"),
            ("inbox view  Late  orders @hub-1", "inbox view Late orders"),
            ("inbox view VIP", "inbox view vip"),
            ("inbox view", "inbox view"),
            ("inbox \"view\" from above", "inbox \"view\" from above"),
            ("inbox vip view from", "inbox vip view from"),
            ("health", "health"),
            ("health web", "health web"),
            ("health /tls @hub-1", "health /tls"),
            ("health @hub-1 ! /not  ok", "health ! /not ok"),
            ("bridge", "bridge"),
            ("bridge web-1 @hub-1", "bridge web-1"),
            ("bridge jobs", "bridge jobs"),
            ("bridge host jobs", "bridge host jobs"),
            ("bridge /no  road", "bridge /no road"),
            ("bridge jobs /web-1", "bridge jobs /web-1"),
            ("bridge panes", "bridge panes"),
            ("bridge panes /@web make", "bridge panes /@web make"),
            ("bridge host panes", "bridge host panes"),
            ("pane web-1:0.1", "pane web-1:0.1"),
            ("pane  web-1:my  work:12.0", "pane web-1:my work:12.0"),
            ("bridge job job_01a1fbc1535071810000000000000001", "bridge job job_01a1fbc1535071810000000000000001"),
            ("approvals", "approvals"),
            ("approvals apr_01a1fbc1535071810000000000000001", "approvals apr_01a1fbc1535071810000000000000001"),
            ("activity", "activity events"),
            ("activity audit", "activity audit"),
            ("activity tasks", "activity tasks"),
        ] {
            assert_eq!(place(typed), written, "{typed:?}");
        }
    }

    #[test]
    fn mistakes_have_a_column_and_a_suggestion() {
        for (typed, said) in [
            ("", "column 1: the places are overview, channels, inbox, health, bridge, approvals, activity, pane"),
            ("  helth", "column 3: no place is called `helth`; did you mean `health`?"),
            ("health /tls @hub-2", "column 13: no node is called `hub-2`; the only one known here is `@hub-1`"),
            ("inbox vip @hub-2", "column 11: no node is called `hub-2`; the only one known here is `@hub-1`"),
            (
                "health wbe",
                "column 8: no check is called `wbe`; did you mean `web`? `health /wbe` lists those that match",
            ),
            ("health web api", "column 12: one check at a time; `/TEXT` lists those that match"),
            ("activity task", "column 10: no list is called `task`; did you mean `tasks`?"),
            ("inbox view a:b", "column 12: the name of a view has 1 to 32 letters, digits, blanks and . _ -"),
            ("overview now", "column 10: nothing follows `overview`"),
            (
                "bridge wbe-1",
                "column 8: no host is called `wbe-1`; did you mean `web-1`? `bridge /wbe-1` lists those that match",
            ),
            ("pane", "column 1: `pane` needs the name of one, as web-1:0.1; `bridge panes` lists them"),
            (
                "pane wbe-1:0.1",
                "column 6: no host is called `wbe-1`; did you mean `web-1`? `bridge /wbe-1` lists those that match",
            ),
            ("bridge job", "column 8: `bridge job` needs the id of a job"),
            ("bridge web-1 now", "column 14: nothing follows the name of a host"),
            ("bridge jobs now", "column 13: `/TEXT` lists jobs that match; `bridge job ID` shows one"),
            ("nodes", "column 1: federation with other nodes is not built yet"),
        ] {
            assert_eq!(place(typed), said, "{typed:?}");
        }
        assert!(place("inbox  form:x").starts_with("column 8: no condition is called `form:`; did you mean `from:`?"));
        assert!(place("inbox message msg_1").starts_with("column 15: "), "{}", place("inbox message msg_1"));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same_place(line in "(inbox|health|bridge|approvals|activity|overview|channels|pane)( (vip|web-1:0.1|panes|unread|view|!|/[a-z]{1,4}|web|web-1|jobs|@hub-1|from:[a-z]{1,5}|[a-z é]{1,6}|tasks)){0,4}") {
            if let Ok(place) = Place::parse(&line, &known()) {
                prop_assert_eq!(Place::parse(&place.to_string(), &known()), Ok(place));
            }
        }

        #[test]
        fn whatever_is_typed_has_its_mistake_inside_the_line(line in "(inbox |health |bridge |approvals |activity )?.{0,40}") {
            if let Err(error) = Place::parse(&line, &known()) {
                prop_assert!(error.column >= 1 && error.column <= line.chars().count() + 2, "{}", error);
            }
        }
    }
}
