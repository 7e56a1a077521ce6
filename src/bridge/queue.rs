//! Jobs that wait for their turn: who goes first, what holds a job back, and where it stands.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{CommandName, HostName, JobId, Lane};

use super::Caps;
use super::clock::back;
use super::road::apart;

/// Waiting this long lifts a job by one lane.
const LIFT: Duration = Duration::from_mins(1);

/// What a job takes up, and since when it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) id: JobId,
    pub(super) host: HostName,
    pub(super) command: CommandName,
    pub(super) lane: Lane,
    pub(super) since: Timestamp,
}

impl Turn {
    /// Sorts jobs in the order they are let go: by lane, lifted by waiting; then the one that waits longer.
    fn order(&self, now: Timestamp) -> (u64, Timestamp, JobId) {
        let lifted = apart(self.since, now).as_secs() / LIFT.as_secs();
        ((self.lane as u64).saturating_sub(lifted), self.since, self.id)
    }
}

/// How much runs, by everything that has a cap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Load {
    engine: u32,
    lanes: [u32; Lane::ALL.len()],
    commands: BTreeMap<CommandName, u32>,
    hosts: BTreeMap<HostName, u32>,
}

impl Load {
    /// One more job of this kind. A `stranded` one, which no road reaches, keeps nobody waiting but its own host.
    pub(super) fn add(&mut self, turn: &Turn, stranded: bool) {
        *self.hosts.entry(turn.host.clone()).or_default() += 1;
        if !stranded {
            self.engine += 1;
            self.lanes[turn.lane as usize] += 1;
            *self.commands.entry(turn.command.clone()).or_default() += 1;
        }
    }

    /// What keeps a job from being let go now.
    fn full(&self, turn: &Turn, caps: &Caps, at_once: u32) -> Option<Full> {
        let of = |runs: Option<&u32>| runs.copied().unwrap_or_default();
        let rule = caps.commands.get(&turn.command).and_then(|rule| rule.at_once);
        let full = |runs: u32, cap: u32, what: Bound| (runs >= cap).then_some(Full { runs, cap, what });
        full(of(self.hosts.get(&turn.host)), at_once, Bound::Host)
            .or_else(|| rule.and_then(|cap| full(of(self.commands.get(&turn.command)), cap, Bound::Command)))
            .or_else(|| full(self.lanes[turn.lane as usize], caps.lanes[turn.lane as usize], Bound::Lane))
            .or_else(|| full(self.engine, caps.engine, Bound::Engine))
    }
}

/// What is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Host,
    Command,
    Lane,
    Engine,
}

/// A cap that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Full {
    runs: u32,
    cap: u32,
    what: Bound,
}

/// Where a job stands, and why it does not run yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Jobs that go before it and take up the same thing.
    pub(super) before: u32,
    /// In words.
    pub(super) why: String,
}

/// Jobs that wait for their turn.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<JobId, Turn>,
}

/// How a host is for those that wait: how many it takes at once, or why it takes none now.
pub(super) type Door<'a> = dyn Fn(&Turn) -> Result<u32, String> + 'a;

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn push(&mut self, turn: Turn) {
        self.waiting.insert(turn.id, turn);
    }

    pub(super) fn remove(&mut self, id: &JobId) -> Option<Turn> {
        self.waiting.remove(id)
    }

    /// The clock was put back.
    pub(super) fn clock_back(&mut self, step: SignedDuration) {
        self.waiting.values_mut().for_each(|turn| back(&mut turn.since, step));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Turn> {
        self.waiting.values()
    }

    fn sorted(&self, now: Timestamp) -> Vec<&Turn> {
        let mut turns: Vec<&Turn> = self.waiting.values().collect();
        turns.sort_by_cached_key(|turn| turn.order(now));
        turns
    }

    /// Takes out those that may go now, first first, and adds them to `load`. What cannot go holds back nobody who can.
    pub(super) fn ready(&mut self, load: &mut Load, caps: &Caps, door: &Door<'_>, now: Timestamp) -> Vec<JobId> {
        let mut ready = Vec::new();
        for turn in self.sorted(now) {
            if let Ok(at_once) = door(turn)
                && load.full(turn, caps, at_once).is_none()
            {
                load.add(turn, false);
                ready.push(turn.id);
            }
        }
        for id in &ready {
            self.waiting.remove(id);
        }
        ready
    }

    /// Where everybody stands, first first.
    pub(super) fn places(&self, load: &Load, caps: &Caps, door: &Door<'_>, now: Timestamp) -> Vec<(JobId, Place)> {
        let mut before = Load::default();
        let mut places = Vec::with_capacity(self.waiting.len());
        for turn in self.sorted(now) {
            let (count, cause) = match door(turn) {
                Err(why) => (before.hosts.get(&turn.host).copied().unwrap_or_default(), why),
                Ok(at_once) => match load.full(turn, caps, at_once) {
                    Some(full) => (before.of(full.what, turn), full.in_words(turn)),
                    None => (before.engine, "its turn comes".to_owned()),
                },
            };
            let why = if count == 0 { cause } else { format!("{count} before it; {cause}") };
            places.push((turn.id, Place { before: count, why }));
            before.add(turn, false);
        }
        places
    }
}

impl Load {
    fn of(&self, what: Bound, turn: &Turn) -> u32 {
        match what {
            Bound::Host => self.hosts.get(&turn.host).copied().unwrap_or_default(),
            Bound::Command => self.commands.get(&turn.command).copied().unwrap_or_default(),
            Bound::Lane => self.lanes[turn.lane as usize],
            Bound::Engine => self.engine,
        }
    }
}

impl Full {
    fn in_words(self, turn: &Turn) -> String {
        let what: &dyn fmt::Display = match self.what {
            Bound::Host => &turn.host,
            Bound::Command => &turn.command,
            Bound::Lane => &format_args!("the {} lane", turn.lane.as_str()),
            Bound::Engine => &"this engine",
        };
        format!("{what} runs {} of {}", self.runs, self.cap)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use crate::bridge::CommandRule;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn turn(number: u128, host: &str, lane: Lane, since: i64) -> Turn {
        Turn {
            id: JobId::from_uuid(Uuid::from_u128(number)),
            host: host.parse().expect("a name"),
            command: "todo".parse().expect("a name"),
            lane,
            since: at(since),
        }
    }

    fn queue(turns: &[Turn]) -> Queue {
        let mut queue = Queue::default();
        turns.iter().cloned().for_each(|turn| queue.push(turn));
        queue
    }

    fn numbers(ids: &[JobId]) -> Vec<u128> {
        ids.iter().map(|id| id.as_uuid().as_u128()).collect()
    }

    #[test]
    fn lanes_go_in_order_and_the_older_goes_first() {
        let mut queue = queue(&[
            turn(1, "a", Lane::Idle, 0),
            turn(2, "a", Lane::Normal, 2),
            turn(3, "a", Lane::Normal, 1),
            turn(4, "a", Lane::Urgent, 9),
        ]);
        let ready = queue.ready(&mut Load::default(), &Caps::default(), &|_| Ok(9), at(10));
        assert_eq!(numbers(&ready), [4, 3, 2, 1]);
    }

    #[test]
    fn a_minute_of_waiting_lifts_by_a_lane() {
        let both = |now| {
            let mut queue = queue(&[turn(1, "a", Lane::Idle, 0), turn(2, "a", Lane::Urgent, now)]);
            numbers(&queue.ready(&mut Load::default(), &Caps::default(), &|_| Ok(1), at(now)))
        };
        assert_eq!(both(179), [2]);
        assert_eq!(both(180), [1], "three lanes up, and it waits longer");
    }

    #[test]
    fn each_cap_holds_and_says_so() {
        let web = || turn(1, "web-1", Lane::Bulk, 0);
        let mut load = Load::default();
        load.add(&web(), false);
        load.add(&web(), false);
        let place = |caps: &Caps, at_once| {
            let queue = queue(&[turn(7, "web-1", Lane::Bulk, 1), turn(8, "web-1", Lane::Bulk, 2)]);
            queue.places(&load, caps, &move |_| Ok(at_once), at(3)).pop().expect("the last").1
        };
        let open = Caps::default();
        assert_eq!(place(&open, 2).why, "1 before it; web-1 runs 2 of 2");
        let rule = CommandRule { at_once: Some(2), weakest: None };
        let command = Caps { commands: BTreeMap::from([("todo".parse().expect("a name"), rule)]), ..open.clone() };
        assert_eq!(place(&command, 9).why, "1 before it; todo runs 2 of 2");
        assert_eq!(
            place(&Caps { lanes: [9, 9, 2, 9], ..open.clone() }, 9).why,
            "1 before it; the bulk lane runs 2 of 2"
        );
        assert_eq!(place(&Caps { engine: 2, ..open }, 9).why, "1 before it; this engine runs 2 of 2");
    }

    #[test]
    fn a_host_that_takes_nothing_holds_back_nobody_else() {
        let mut queue = queue(&[turn(1, "dark", Lane::Urgent, 0), turn(2, "web-1", Lane::Idle, 5)]);
        let door = |turn: &Turn| if turn.host.as_str() == "dark" { Err("no road".to_owned()) } else { Ok(1) };
        let mut load = Load::default();
        assert_eq!(numbers(&queue.ready(&mut load, &Caps::default(), &door, at(6))), [2]);
        let places = queue.places(&load, &Caps::default(), &door, at(6));
        assert_eq!(places[0].1, Place { before: 0, why: "no road".to_owned() });
    }

    #[test]
    fn jobs_nobody_reaches_take_up_their_host_only() {
        let mut load = Load::default();
        load.add(&turn(1, "dark", Lane::Normal, 0), true);
        let caps = Caps { engine: 1, ..Caps::default() };
        let door = |_: &Turn| Ok(1);
        let mut queue = queue(&[turn(2, "dark", Lane::Normal, 0), turn(3, "web-1", Lane::Normal, 0)]);
        assert_eq!(numbers(&queue.ready(&mut load, &caps, &door, at(1))), [3]);
    }

    proptest! {
        /// However urgent ones keep coming, each that waits has its turn within the time it takes to be lifted to the
        /// top and to let those go that were there before it.
        #[test]
        fn nobody_starves(lane in 0usize..4, burst in 1u32..4) {
            let mut queue = queue(&[turn(0, "a", Lane::ALL[lane], 0)]);
            let caps = Caps { engine: 1, ..Caps::default() };
            let mut next = 1;
            let mut second = 0;
            loop {
                for _ in 0..burst {
                    queue.push(turn(next, "a", Lane::Urgent, second));
                    next += 1;
                }
                // Each second one is let go, and what ran is over.
                let went = queue.ready(&mut Load::default(), &caps, &|_| Ok(1), at(second));
                prop_assert!(went.len() <= 1);
                if numbers(&went) == [0] {
                    break;
                }
                second += 1;
                prop_assert!(second < 181 * i64::from(burst) + 1, "it still waits");
            }
        }

        /// No cap is ever passed, and nobody who fits is left behind.
        #[test]
        fn caps_hold_and_nothing_idles(
            jobs in proptest::collection::vec((0usize..3, 0usize..4, 0i64..300), 0..60),
            engine in 0u32..12, at_once in 0u32..5, lane_cap in 0u32..6,
        ) {
            let hosts = ["a", "b", "c"];
            let turns: Vec<Turn> = (0..).zip(&jobs).map(|(n, (host, lane, since))| turn(n, hosts[*host], Lane::ALL[*lane], *since)).collect();
            let mut queue = queue(&turns);
            let caps = Caps { engine, lanes: [lane_cap; 4], ..Caps::default() };
            let mut load = Load::default();
            let ready = queue.ready(&mut load, &caps, &|_| Ok(at_once), at(300));
            prop_assert!(load.engine <= engine);
            prop_assert!(load.hosts.values().all(|runs| *runs <= at_once));
            prop_assert!(load.lanes.iter().all(|runs| *runs <= lane_cap));
            prop_assert_eq!(ready.len() + queue.len(), turns.len());
            prop_assert!(queue.iter().all(|turn| load.full(turn, &caps, at_once).is_some()));
        }
    }
}
