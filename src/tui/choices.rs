//! What the palette offers: actions that are valid here, orders, places, and what can be named.

use std::collections::BTreeSet;

use crate::model::PersonAct;
use crate::protocol::{BridgeRequest, Order, Request, Takes, VERBS, Verb};
use crate::screen;

use super::action::{Action, View};
use super::activity::ActivityTab;
use super::app::App;
use super::bridge::{BridgeShown, BridgeTab};
use super::bridge_choices;
use super::known::Known;
use super::listed::Listed;
use super::nodes::NodesTab;
use super::nodes_keys;
use super::place::{PANE, Place};

/// What a choice does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Does {
    /// Do this, as its key would.
    Act(Action),
    /// Go there.
    Go(Place),
    /// Ask this of the engine.
    Order(Request),
    /// Show what this would do, and ask it once somebody has said so.
    Confirm(BridgeRequest),
    /// Show what this would say of a person, and say it once somebody has confirmed it.
    Say(PersonAct),
    /// Go on typing: the line needs more.
    Continue,
    /// Nothing: it tells what is wrong with the line.
    Tell,
}

/// One thing that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// What stands for it in the line, and by which it is remembered.
    pub line: String,
    /// What it is, in plain words.
    pub words: String,
    /// The keys that do it without the palette.
    pub keys: String,
    /// Why it cannot be chosen now.
    pub why: Option<String>,
    /// What it does.
    pub does: Does,
}

impl Choice {
    pub(super) fn new(line: impl Into<String>, words: impl Into<String>, does: Does) -> Self {
        Self { line: line.into(), words: screen::line(&words.into()), keys: String::new(), why: None, does }
    }

    pub(super) fn place(words: impl Into<String>, place: Place) -> Self {
        Self::new(place.to_string(), words, Does::Go(place))
    }
}

impl App {
    /// Everything that can be chosen when `line` is typed: what the line itself says comes first, and when its verb needs
    /// an argument only that is offered.
    pub(super) fn choices(&self, line: &str) -> Choices {
        if let Some((verb, rest)) = Verb::of(line)
            && verb.takes != Takes::Nothing
            && line.trim_start().len() > verb.name.len()
        {
            let (mut choices, typed) = match (verb.behind_items(rest), verb.takes) {
                (Some((items, value)), _) => (self.values(verb, &items), value),
                (None, Takes::TwoContacts) => self.two_contacts(verb, rest),
                (None, _) => (self.arguments(verb), rest.to_owned()),
            };
            // What is not listed can still be named in full.
            if let Ok(order) = Order::parse(line, &self.asking())
                && !choices.iter().any(|choice| choice.line == line.trim())
            {
                choices.push(self.ordered(line.trim(), verb.words, order.request));
            }
            return Choices { first: None, typed, rest: choices, verb: Some(verb) };
        }
        let mut rest = self.actions();
        rest.extend(self.verbs());
        rest.extend(places());
        if !line.trim().is_empty() {
            rest.extend(self.objects());
        }
        Choices { first: self.typed_place(line), typed: line.to_owned(), rest, verb: None }
    }

    /// The place that is typed, or what is wrong with it.
    fn typed_place(&self, line: &str) -> Option<Choice> {
        if !Place::is_begun(line) || line.split_whitespace().nth(1).is_none() {
            return None;
        }
        let known = self.snapshot.as_deref().map(Known::from).unwrap_or_default();
        Some(match Place::parse(line, &known) {
            Ok(place) => Choice::place(format!("go to {place}"), place),
            // A part of its name is enough, where panes are offered by their names.
            Err(_) if line.trim_start().starts_with(PANE) && self.panes.hosts.is_some() => return None,
            Err(error) => Choice { why: Some(error.to_string()), ..Choice::new(line.trim(), line.trim(), Does::Tell) },
        })
    }

    fn actions(&self) -> Vec<Choice> {
        let entries = super::palette::entries(&self.keymap, &self.contexts()).into_iter();
        let choice = |entry: super::palette::Entry| Choice {
            keys: entry.keys,
            why: self.why_not(entry.action),
            ..Choice::new(entry.words, entry.words, Does::Act(entry.action))
        };
        entries.filter(|entry| entry.action != Action::Palette).map(choice).collect()
    }

    pub(super) fn ordered(&self, line: &str, words: &str, request: Request) -> Choice {
        let why = self.denied(&request);
        Choice { why, ..Choice::new(line, words, bridge_choices::does(request)) }
    }

    fn verbs(&self) -> Vec<Choice> {
        let choice = |verb: &Verb| {
            let words = format!("{} {}: {}", verb.name, verb.takes.written(), verb.words).replace(" :", ":");
            let request = Order::parse(verb.example, &self.asking()).ok().map(|order| order.request);
            let why = request.as_ref().and_then(|request| self.denied(request));
            match (verb.takes, request) {
                (Takes::Nothing, Some(request)) => {
                    Choice { why, ..Choice::new(verb.name, words, Does::Order(request)) }
                }
                _ => Choice { why, ..Choice::new(format!("{} ", verb.name), words, Does::Continue) },
            }
        };
        // What an action does here already is not offered twice.
        VERBS.iter().filter(|verb| verb.name != "reload").map(choice).collect()
    }

    /// What may follow `verb`.
    fn arguments(&self, verb: &Verb) -> Vec<Choice> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let named: Vec<(String, String)> = match verb.takes {
            Takes::Nothing | Takes::NameAndQuery | Takes::Act | Takes::TwoContacts => Vec::new(),
            Takes::Host | Takes::Command | Takes::Job | Takes::Resolution | Takes::Approval => {
                return self.bridge_arguments(verb);
            }
            Takes::View => {
                let saved = self.inbox.views.iter().filter(|view| !view.builtin);
                saved.map(|view| (view.name.clone(), format!("{}: {}", view.name, view.query))).collect()
            }
            Takes::Items
            | Takes::ItemsAndLabel
            | Takes::ItemsAndOperator
            | Takes::ItemsAndTime
            | Takes::ItemsAndText => snapshot
                .inbox
                .iter()
                .map(|row| (row.id.to_string(), format!("{}: {}", row.from, row.subject)))
                .collect(),
            Takes::Contact => self.contacts_seen(),
            Takes::Check => snapshot
                .checks
                .iter()
                .map(|check| (check.id.to_string(), format!("{}: {}", check.id, check.state.as_str())))
                .collect(),
            Takes::Task => snapshot
                .tasks
                .iter()
                .map(|task| (task.name.clone(), format!("{}: {}", task.name, task.state.as_str())))
                .collect(),
        };
        let needs_more = verb.takes.behind_items().is_some_and(|behind| !behind.is_empty());
        let orders = named.into_iter().filter_map(|(argument, words)| {
            if needs_more {
                return Some(Choice::new(format!("{} {argument} ", verb.name), words, Does::Continue));
            }
            let line = format!("{} {argument}", verb.name);
            let request = Order::parse(&line, &self.asking()).ok()?.request;
            Some(self.ordered(&line, &words, request))
        });
        orders.collect()
    }

    /// What may follow `verb` and the ids of what it is about.
    fn values(&self, verb: &Verb, items: &str) -> Vec<Choice> {
        let known: Vec<String> = match verb.takes {
            Takes::ItemsAndTime => ["1h", "4h", "tomorrow", "next week", "until-reply"].map(str::to_owned).to_vec(),
            Takes::ItemsAndOperator => {
                let me = self.identity.as_ref().map(|identity| identity.operator.to_string());
                me.into_iter().chain(["nobody".to_owned()]).collect()
            }
            Takes::ItemsAndLabel => {
                let labels = self.inbox.list.rows().iter().flat_map(Listed::labels).map(ToString::to_string);
                labels.collect::<BTreeSet<_>>().into_iter().collect()
            }
            _ => Vec::new(),
        };
        let orders = known.into_iter().filter_map(|value| {
            let line = format!("{} {items} {value}", verb.name);
            let request = Order::parse(&line, &self.asking()).ok()?.request;
            Some(self.ordered(&line, &value, request))
        });
        orders.collect()
    }

    /// Things by their names: checks, channels, tasks, messages and who wrote them.
    fn objects(&self) -> Vec<Choice> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let checks = snapshot.checks.iter().map(|check| {
            Choice::place(
                format!("check {}: {}", check.id, check.state.as_str()),
                Place::Check(check.id.clone().into()),
            )
        });
        let channels = snapshot.channels.iter().map(|channel| {
            let filter = crate::model::InboxFilter { channel: Some(channel.id.clone()), ..Default::default() };
            Choice::place(format!("channel {}: {} unread", channel.id, channel.unread), Place::Inbox(Box::new(filter)))
        });
        let tasks = snapshot.tasks.iter().map(|task| {
            let line = format!("restart {}", task.name);
            self.ordered(
                &line,
                &format!("restart task {}: {}", task.name, task.state.as_str()),
                Request::RestartTask(task.name.clone()),
            )
        });
        let messages = snapshot
            .inbox
            .iter()
            .map(|row| Choice::place(format!("message by {}: {}", row.from, row.subject), Place::Message(row.id)));
        let views =
            self.inbox.views.iter().map(|view| {
                Choice::place(format!("view {}: {}", view.name, view.query), Place::View(view.name.clone()))
            });
        checks
            .chain(channels)
            .chain(views)
            .chain(tasks)
            .chain(self.node_choices())
            .chain(self.bridge_objects())
            .chain(messages)
            .collect()
    }
}

fn places() -> Vec<Choice> {
    let filter = |query: &str| query.parse().map(Box::new).map(Place::Inbox).ok();
    let inbox = ["unread", "vip", "open", "unread vip", "unread open"].into_iter().filter_map(filter);
    let inbox = inbox.map(|place| Choice::place(format!("go to {place}"), place));
    let bridge = |tab| Place::Bridge(BridgeShown { tab, text: String::new() });
    let parts = [
        ("channels that are not ok", Place::Channels(None)),
        ("nodes that are not ok", Place::Nodes(NodesTab::Nodes)),
        ("checks that are not ok", Place::Health(String::new())),
        ("hosts that are not ok", bridge(BridgeTab::Hosts)),
        ("jobs that are not ok", bridge(BridgeTab::Jobs)),
        ("panes that need somebody", bridge(BridgeTab::Panes)),
        ("approvals that wait", Place::Approvals),
        ("tasks that are not ok", Place::Activity(ActivityTab::Tasks)),
        ("log lines that warn", Place::Activity(ActivityTab::Logs)),
    ];
    let parts = parts.map(|(words, list)| Choice::place(format!("go to {words}"), Place::Problems(Box::new(list))));
    let lists = ActivityTab::ALL
        .into_iter()
        .map(|tab| Choice::place(format!("go to {}: {}", View::Activity.name(), tab.name()), Place::Activity(tab)));
    inbox.chain(parts).chain(nodes_keys::places()).chain(bridge_choices::places()).chain(lists).collect()
}

/// What can be chosen for a line.
#[derive(Debug)]
pub(super) struct Choices {
    /// What the line itself says.
    pub first: Option<Choice>,
    /// The part of the line that narrows the others.
    pub typed: String,
    pub rest: Vec<Choice>,
    /// The verb whose argument is chosen.
    pub verb: Option<&'static Verb>,
}
