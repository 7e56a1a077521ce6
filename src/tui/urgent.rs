//! Going through what needs a person, one after the other, and back.

use jiff::{SignedDuration, Timestamp};

use crate::model::{MessageRow, NodeName};
use crate::protocol::{Link, Need, Request, Severity, Urgent};

use super::action::View;
use super::activity::ActivityTab;
use super::app::App;
use super::msg::{Cmd, Purpose};
use super::nodes::NodesTab;
use super::place::{CheckOf, Place};
use super::travel::Selected;

/// Unread messages that are asked for; more are counted as "and more".
const LIMIT: usize = 200;
/// A round that nobody goes on with for so long is over: what was seen in it may have been forgotten.
const FORGOTTEN: SignedDuration = SignedDuration::from_mins(10);

/// One round: what was looked at, in order, and which of it is looked at now.
#[derive(Debug, Default)]
pub(super) struct Round {
    trail: Vec<Urgent>,
    at: usize,
    last: Option<Timestamp>,
    /// What the engine last said of unread messages.
    unread: Vec<MessageRow>,
}

/// Where a step leads.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    urgent: Urgent,
    /// Its number in the round, from 1, and how many there are.
    number: usize,
    of: usize,
    /// Everything was seen, and this is the first again.
    is_again: bool,
}

impl Round {
    /// The next of `queue`: the one after where somebody went back from, else the most urgent that was not looked at in
    /// this round. What arrives meanwhile is not skipped, however urgent what was looked at before it.
    fn next(&mut self, queue: &[Urgent], now: Timestamp) -> Option<Step> {
        if self.last.is_some_and(|last| now.duration_since(last) > FORGOTTEN) {
            self.start_again();
        }
        self.last = Some(now);
        let mut is_again = false;
        if self.at + 1 < self.trail.len() {
            self.at += 1;
        } else {
            if self.unseen(queue).next().is_none() {
                is_again = !self.trail.is_empty();
                self.start_again();
            }
            let first = self.unseen(queue).next()?.clone();
            self.trail.push(first);
            self.at = self.trail.len() - 1;
        }
        self.step(queue, is_again)
    }

    /// Whether somebody was led anywhere.
    pub(super) fn has_begun(&self) -> bool {
        !self.trail.is_empty()
    }

    fn back(&mut self, queue: &[Urgent], now: Timestamp) -> Option<Step> {
        self.at = self.at.checked_sub(1)?;
        self.last = Some(now);
        self.step(queue, false)
    }

    fn start_again(&mut self) {
        self.trail.clear();
        self.at = 0;
    }

    fn step(&self, queue: &[Urgent], is_again: bool) -> Option<Step> {
        let seen = self.trail.get(self.at)?;
        // As it stands now, if it still does.
        let urgent = queue.iter().find(|urgent| is_same(urgent, seen)).unwrap_or(seen).clone();
        let of = self.trail.len() + self.unseen(queue).count();
        Some(Step { urgent, number: self.at + 1, of, is_again })
    }

    fn unseen<'a>(&'a self, queue: &'a [Urgent]) -> impl Iterator<Item = &'a Urgent> {
        queue.iter().filter(|urgent| !self.trail.iter().any(|seen| is_same(seen, urgent)))
    }
}

/// Whether both are the same trouble; one that ended and began anew is another.
fn is_same(a: &Urgent, b: &Urgent) -> bool {
    a.need == b.need && a.since == b.since
}

impl App {
    /// Asks who waits, then goes on. A broken line would keep the answer back, so then what is known must do.
    pub(super) fn next_urgent(&mut self) -> Vec<Cmd> {
        if matches!(self.link, Link::Reconnecting { .. }) {
            let known = self.snapshot.as_ref().map(|snapshot| snapshot.inbox.clone()).unwrap_or_default();
            return self.go_on(known);
        }
        self.going = true;
        vec![Cmd::Ask(Purpose::Next, Request::Unread { limit: LIMIT })]
    }

    /// Goes to the next thing that needs a person, now that `unread` are known.
    pub(super) fn go_on(&mut self, unread: Vec<MessageRow>) -> Vec<Cmd> {
        self.going = false;
        self.round.unread = unread;
        let queue = self.queue();
        match self.round.next(&queue, self.now) {
            Some(step) => self.land(step),
            None => {
                self.toast(Severity::Info, "nothing needs you");
                Vec::new()
            }
        }
    }

    /// Goes back to what was looked at before.
    pub(super) fn previous_urgent(&mut self) -> Vec<Cmd> {
        let queue = self.queue();
        self.round.back(&queue, self.now).map_or_else(Vec::new, |step| self.land(step))
    }

    /// Whether [`App::previous_urgent`] would lead anywhere.
    pub(super) fn was_urgent(&self) -> bool {
        self.round.at > 0
    }

    fn queue(&self) -> Vec<Urgent> {
        let snapshot = self.snapshot.as_ref();
        snapshot
            .map(|snapshot| snapshot.urgent(&self.round.unread, self.identity.as_ref(), self.now))
            .unwrap_or_default()
    }

    fn land(&mut self, step: Step) -> Vec<Cmd> {
        let Step { urgent, number, of, is_again } = step;
        let more = if self.round.unread.len() >= LIMIT { "+" } else { "" };
        let again = if is_again { "all seen, from the first again: " } else { "" };
        let commands = self.look_at(urgent.need);
        self.toast(urgent.severity, format!("{again}{number} of {of}{more}: {}", urgent.reason));
        commands
    }

    /// Goes to where a person sees what `need` is about.
    pub(super) fn look_at(&mut self, need: Need) -> Vec<Cmd> {
        match need {
            Need::Message(id) => {
                self.go(View::Inbox);
                self.inbox.list.select_where(|row| row.message() == id);
                return self.open_message(id);
            }
            Need::Check(id) => {
                self.go(View::Health);
                self.health.open = None;
                self.health.select_check(id.into());
            }
            Need::Incident { node, subject } => return self.look_at_incident(node, &subject),
            Need::Node(name) => {
                self.go_to_nodes(NodesTab::Nodes, Selected::Node(name));
            }
            Need::Job(id) => return self.open_job(id),
            Need::Host(name) => return self.open_host(name),
            Need::Pane(pane, name) => return self.go_to_called(pane, &name),
            Need::Approval(id) => return self.go_to_place(Place::Approval(id)),
            Need::Task(name) => {
                self.turn_to(ActivityTab::Tasks);
                self.activity.select_task(name);
            }
            Need::DeadLetters => {
                self.turn_to(ActivityTab::Events);
                self.activity.select_event(|event| event.cause.is_some());
            }
            Need::Refused(channel, reason) => {
                self.turn_to(ActivityTab::Refusals);
                self.activity.select_refusal(|refused| refused.channel == channel && refused.reason == reason);
            }
            Need::Store | Need::Isolation | Need::Configuration => self.go(View::Overview),
        }
        Vec::new()
    }

    /// Goes to the check an incident of another node is about, or to that node where it does not share its checks.
    fn look_at_incident(&mut self, node: NodeName, subject: &str) -> Vec<Cmd> {
        let shared = self.nodes_panel().remote(node.as_str());
        let check = shared.and_then(|shared| shared.checks.iter().find(|check| check.id.as_str() == subject));
        let Some(id) = check.map(|check| check.id.clone()) else {
            self.open_node(node);
            return Vec::new();
        };
        self.go(View::Health);
        self.health.open = None;
        self.health.select_check(CheckOf { id, node: Some(node) });
        Vec::new()
    }

    fn turn_to(&mut self, tab: ActivityTab) {
        self.go(View::Activity);
        self.activity.tab = tab;
        // What leads here may be no problem of its list's.
        self.activity.list_problems_only(false);
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{CheckState, Role};
    use crate::protocol::{Notice, PaneCall};

    use super::super::action::Action;
    use super::super::pane_sample::address;
    use super::super::{msg::Msg, sample};
    use super::*;
    use crate::protocol::{Reply, Update};

    /// Presses `n` and answers as an engine that knows `rows`.
    fn next(app: &mut App, rows: &[MessageRow]) -> String {
        let asked = app.act(Action::Next);
        assert_eq!(asked, [Cmd::Ask(Purpose::Next, Request::Unread { limit: LIMIT })]);
        app.update(Msg::Reply(Purpose::Next, Ok(Reply::Messages(rows.to_vec()))), sample::at(0));
        said(app)
    }

    fn said(app: &App) -> String {
        app.toast.as_ref().map(|toast| toast.text.clone()).unwrap_or_default()
    }

    #[test]
    fn one_key_goes_through_everything_in_order_and_another_back() {
        let mut app = sample::app(sample::snapshot(), Role::Operator, true);
        let rows = [sample::row(2, true), sample::row(1, false), sample::row(3, false)];
        assert_eq!(next(&mut app, &rows), "1 of 6: search is not running: address in use");
        assert_eq!((app.view, app.activity.tab), (View::Activity, ActivityTab::Tasks));
        assert_eq!(next(&mut app, &rows), "2 of 6: check web is critical (10m): status == 200: got 503");
        assert_eq!(next(&mut app, &rows), "3 of 6: VIP waiting 1h: Sender 2: Subject 2");
        assert_eq!(app.view, View::Inbox);
        assert_eq!(next(&mut app, &rows), "4 of 6: check tls is warn (10m): status == 200: got 503");
        app.act(Action::PreviousUrgent);
        assert_eq!(said(&app), "3 of 6: VIP waiting 1h: Sender 2: Subject 2");
        assert_eq!(next(&mut app, &rows), "4 of 6: check tls is warn (10m): status == 200: got 503");
        assert!(next(&mut app, &rows).starts_with("5 of 6: waiting 1h: Sender 1"));
        assert!(next(&mut app, &rows).starts_with("6 of 6: waiting 1h: Sender 3"));
        assert!(next(&mut app, &rows).starts_with("all seen, from the first again: 1 of 6: search is not running"));
        assert!(app.why_not(Action::PreviousUrgent).is_some(), "this is the first");
    }

    #[test]
    fn what_arrives_meanwhile_is_not_skipped_and_what_is_read_is_still_counted() {
        let mut snapshot = sample::snapshot();
        snapshot.tasks.clear();
        let mut app = sample::app(snapshot, Role::Operator, false);
        let (first, second) = (sample::row(1, false), sample::row(3, false));
        assert!(next(&mut app, &[first.clone(), second.clone()]).starts_with("1 of 4: check web"));
        assert!(next(&mut app, &[first.clone(), second.clone()]).starts_with("2 of 4: check tls"));
        assert!(next(&mut app, &[first, second.clone()]).starts_with("3 of 4: waiting"));
        // The first message is read by now, and a check that was fine is critical.
        let api = sample::check("api", CheckState::Critical);
        app.update(Msg::Update(Update::Notice(Notice::Checks(vec![api]))), sample::at(0));
        assert!(next(&mut app, &[second]).starts_with("4 of 5: check api is critical"));
        // One that ended and began again is new.
        let mut again = sample::check("web", CheckState::Critical);
        again.since = sample::at(0);
        app.update(Msg::Update(Update::Notice(Notice::Checks(vec![again]))), sample::at(0));
        assert!(next(&mut app, &[]).starts_with("5 of 5: check web"));
    }

    #[test]
    fn a_pane_that_calls_is_opened() {
        let mut app = sample::app(sample::empty(), Role::Operator, false);
        let call = |number, name: &str| PaneCall {
            pane: address("web-1", number),
            name: name.into(),
            since: sample::at(i64::from(number)),
            why: "it prints: build failed".into(),
        };
        let calls = |calls| Msg::Update(Update::Notice(Notice::Calls(calls)));
        app.update(calls(vec![call(0, "web-1:0.0"), call(1, "web-1:%1")]), sample::at(0));
        assert!(next(&mut app, &[]).starts_with("1 of 2: pane web-1:0.0 calls"), "{}", said(&app));
        assert_eq!(app.zoomed().map(|(open, _)| open.pane.clone()), Some(address("web-1", 0)));
        // Nobody knows yet what this one is called.
        assert!(next(&mut app, &[]).starts_with("2 of 2: pane web-1:%1 calls"), "{}", said(&app));
        assert!(app.on_panes() && app.zoomed().is_none());
        app.update(calls(Vec::new()), sample::at(0));
        assert_eq!(next(&mut app, &[]), "nothing needs you");
    }

    #[test]
    fn a_round_is_forgotten_and_an_empty_one_says_so() {
        let mut app = sample::app(sample::empty(), Role::Operator, false);
        assert_eq!(next(&mut app, &[]), "nothing needs you");
        let mut round = Round::default();
        let queue = sample::snapshot().urgent(&[], None, sample::at(0));
        for number in 1..=queue.len() {
            assert_eq!(round.next(&queue, sample::at(0)).map(|step| step.number), Some(number));
        }
        let late = round.next(&queue, sample::at(3_600)).expect("the first");
        assert_eq!((late.number, late.is_again), (1, false));
    }

    #[test]
    fn a_broken_line_goes_through_what_is_known() {
        let mut app = sample::app(sample::snapshot(), Role::Operator, false);
        let link = Link::Reconnecting { since: sample::at(0), tries: 1, why: String::new() };
        app.update(Msg::Update(Update::Link(link)), sample::at(0));
        assert_eq!(app.act(Action::Next), []);
        assert!(said(&app).starts_with("1 of 6"), "{}", said(&app));
    }
}
