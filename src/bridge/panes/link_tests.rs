use crate::model::{PaneSeed, SpoolId};
use crate::protocol::AGENT_VERSION;

use super::super::rig::{Clock, PANE, chunk, facts, seed};
use super::*;

const LOCAL: LayerKind = LayerKind::Local;
const SSH: LayerKind = LayerKind::Tmux;

struct Scene {
    link: Link,
    clock: Clock,
    ms: u64,
}

impl Scene {
    fn new() -> (Self, Vec<LinkEffect>) {
        let clock = Clock(Instant::now());
        let (link, effects) = Link::new(vec![LOCAL, SSH], TmuxConfig::default(), clock.at(0));
        (Self { link, clock, ms: 0 }, effects)
    }

    fn now(&self) -> Moment {
        self.clock.at(self.ms)
    }

    fn event(&mut self, kind: LayerKind, event: LayerEvent) -> Vec<LinkEffect> {
        let now = self.now();
        self.link.news(kind, event, now)
    }

    fn down(&mut self, kind: LayerKind) -> Vec<LinkEffect> {
        self.event(kind, LayerEvent::Down { why: "connect: refused".to_owned() })
    }

    fn says(&mut self, kind: LayerKind, said: PaneSaid) -> Vec<LinkEffect> {
        self.event(kind, LayerEvent::Heard(Box::new(FromAgent::Pane(said))))
    }

    fn welcome(&mut self, kind: LayerKind) -> Vec<LinkEffect> {
        let welcome = FromAgent::Welcome {
            version: AGENT_VERSION,
            aurora: "1".to_owned(),
            spool: SpoolId::from_uuid(uuid::Uuid::nil()),
            boot: "b".to_owned(),
            clock: Timestamp::UNIX_EPOCH,
            epoch: 1,
            lost: Vec::new(),
        };
        self.event(kind, LayerEvent::Heard(Box::new(welcome)))
    }

    fn listed(&mut self, kind: LayerKind) -> Vec<LinkEffect> {
        self.says(kind, PaneSaid::Panes { panes: vec![facts(3)], why: None, may_drive: true })
    }

    /// Runs until `ms`; answers what was wanted on the way.
    fn until(&mut self, ms: u64) -> Vec<LinkEffect> {
        let mut effects = Vec::new();
        let end = self.clock.at(ms).instant;
        while let Some(due) = self.link.due().filter(|due| *due <= end) {
            self.ms = u64::try_from((due - self.clock.0).as_millis()).expect("soon").max(self.ms) + 1;
            let now = self.now();
            effects.extend(self.link.tick(now));
        }
        self.ms = ms;
        effects
    }

    /// A pane that is watched over an open link.
    fn watching() -> (Self, Arc<Kept>) {
        let (mut scene, _) = Self::new();
        scene.welcome(LOCAL);
        scene.listed(LOCAL);
        let kept = Kept::new(PANE);
        let now = scene.now();
        scene.link.watch(&kept, now);
        scene.says(LOCAL, PaneSaid::Seed(seed(1_000, 0, "$ ")));
        (scene, kept)
    }
}

fn words(effects: &[LinkEffect]) -> Vec<String> {
    effects
        .iter()
        .map(|effect| match effect {
            LinkEffect::Open(kind) => format!("open {}", kind.as_str()),
            LinkEffect::Close => "close".to_owned(),
            LinkEffect::Say(ask) => match ask {
                WatchAsk::List { .. } => "list".to_owned(),
                WatchAsk::Watch { from, history, .. } => format!("watch {history} {from:?}"),
                WatchAsk::Seen { offset, .. } => format!("seen {offset}"),
                WatchAsk::Whole { wanted, .. } => format!("whole {wanted}"),
                WatchAsk::Capture { .. } => "capture".to_owned(),
                WatchAsk::Unwatch { .. } => "unwatch".to_owned(),
            },
            LinkEffect::Tell(LinkNews::Listed(list)) => {
                let layer = list.layer.map_or("none", LayerKind::as_str);
                format!("{layer} {} {}", list.panes.len(), list.why.as_deref().unwrap_or_default())
            }
            LinkEffect::Tell(LinkNews::Broken(_)) => "broken".to_owned(),
            LinkEffect::Tell(LinkNews::Drive(_)) => "drive".to_owned(),
        })
        .collect()
}

#[test]
fn the_first_road_that_works_is_used_and_after_a_break_all_are_tried_from_the_first() {
    let (mut scene, first) = Scene::new();
    assert_eq!(words(&first), ["open local"]);
    assert_eq!(words(&scene.down(LOCAL)), ["open tmux"]);
    assert!(scene.down(LOCAL).is_empty(), "it was given up");
    assert_eq!(words(&scene.welcome(SSH)), ["list"]);
    assert_eq!(words(&scene.listed(SSH)), ["tmux 1 "]);
    scene.ms = 20_000;
    assert_eq!(words(&scene.down(SSH)), ["broken", "none 1 connect: refused", "close"]);
    assert_eq!(words(&scene.until(20_300)), ["open local"]);
    scene.down(LOCAL);
    let both = scene.down(SSH);
    assert_eq!(words(&both), ["none 1 local: connect: refused; tmux: connect: refused", "close"]);
    // The same again is no news, and the pauses grow.
    let mut opened = 0;
    for ms in (21..200).map(|s| s * 1_000) {
        for effect in scene.until(ms) {
            assert!(matches!(effect, LinkEffect::Open(_)), "{effect:?}");
            opened += 1;
            scene.down(LOCAL);
            assert_eq!(words(&scene.down(SSH)).last().map(String::as_str), Some("close"));
        }
    }
    assert!((20..30).contains(&opened), "{opened}");
}

#[test]
fn a_road_that_is_barred_ends_it_until_somebody_looks() {
    let (mut scene, _) = Scene::new();
    let barred = scene.event(LOCAL, LayerEvent::Barred { why: "another key".to_owned() });
    assert_eq!(words(&barred), ["none 0 another key", "close"]);
    assert!(scene.until(1_000_000).is_empty(), "no weaker road either");
    assert_eq!(words(&scene.link.nudge()), ["open local"]);
}

#[test]
fn what_was_watched_is_watched_again_from_where_it_was() {
    let (mut scene, kept) = Scene::watching();
    scene.says(LOCAL, PaneSaid::Chunk(chunk(1_000, "make\r\n")));
    scene.ms = 5_000;
    scene.down(LOCAL);
    assert_eq!(
        kept.look().stale.as_ref().map(|(since, _)| *since),
        Some(Timestamp::UNIX_EPOCH),
        "since it was heard last"
    );
    scene.until(5_300);
    scene.welcome(LOCAL);
    assert_eq!(words(&scene.listed(LOCAL)), ["watch 0 Some(1006)", "local 1 "]);
    scene.says(LOCAL, PaneSaid::Chunk(chunk(1_006, "done")));
    let screen = kept.look();
    assert_eq!((screen.stale.clone(), screen.lost), (None, crate::protocol::PaneLost::default()), "nothing was lost");
    drop(screen);
    scene.down(LOCAL);
    scene.until(8_000);
    scene.welcome(LOCAL);
    scene.listed(LOCAL);
    assert_eq!(words(&scene.says(LOCAL, PaneSaid::Seed(seed(9_000, 500, "new")))), ["seen 9000"]);
    let lost = kept.look().lost;
    assert_eq!((lost.gaps, lost.bytes), (1, 500));
}

#[test]
fn what_is_recorded_is_wanted_whole_on_every_road() {
    let (mut scene, kept) = Scene::watching();
    kept.look().whole = true;
    assert_eq!(words(&scene.link.whole(PANE)), ["whole true"]);
    scene.down(LOCAL);
    assert!(scene.link.whole(PANE).is_empty(), "there is nobody to say it to");
    scene.until(5_300);
    scene.welcome(LOCAL);
    assert_eq!(words(&scene.listed(LOCAL)), ["watch 0 Some(1000)", "whole true", "local 1 "]);
    kept.look().whole = false;
    assert_eq!(words(&scene.link.whole(PANE)), ["whole false"]);
}

#[test]
fn what_was_too_fast_is_a_gap_without_a_size() {
    let (mut scene, kept) = Scene::watching();
    scene.says(LOCAL, PaneSaid::Seed(PaneSeed { too_fast: true, ..seed(1_000, 0, "9999") }));
    scene.says(LOCAL, PaneSaid::Seed(PaneSeed { too_fast: true, ..seed(1_400, 300, "99999") }));
    let lost = kept.look().lost;
    assert_eq!((lost.gaps, lost.too_fast, lost.bytes), (2, 2, 300), "only what is known is counted");
}

#[test]
fn leave_for_more_is_given_as_it_is_used_and_no_faster_than_is_taken_in() {
    let (mut scene, kept) = Scene::watching();
    let mut place = 1_000;
    let line = "y\r\n".repeat(8 << 10);
    let mut seen = 0;
    for _ in 0..100 {
        scene.says(LOCAL, PaneSaid::Chunk(chunk(place, &line)));
        place += line.len() as u64;
        scene.ms += 1;
        let ms = scene.ms;
        seen += words(&scene.until(ms)).iter().filter(|word| word.starts_with("seen")).count();
    }
    // 2.4 MB within 100 ms from an agent that waits for no leave.
    assert!(seen < 10, "{seen}");
    assert_eq!(kept.look().total, 24 * 100 * 1_024);
    let later = scene.ms + 2_000;
    assert!(words(&scene.until(later)).contains(&format!("seen {place}")), "once it is taken in");
    let pause = scene.link.pause() - scene.clock.0;
    assert!(pause < Duration::from_secs(1), "so much is borne: {pause:?}");
}

#[test]
fn a_screen_is_compared_once_after_it_has_printed_and_replaced_where_it_differs() {
    let (mut scene, kept) = Scene::watching();
    assert_eq!(words(&scene.until(10_000)), ["capture"]);
    assert!(words(&scene.says(LOCAL, PaneSaid::Captured(seed(1_000, 0, "$ ")))).is_empty());
    scene.says(LOCAL, PaneSaid::Captured(seed(1_002, 0, "other")));
    assert_eq!(kept.look().lost.drift, 0, "nobody asked for it");
    assert!(scene.until(60_000).is_empty());
    scene.says(LOCAL, PaneSaid::Chunk(chunk(1_000, "x")));
    assert_eq!(words(&scene.until(63_000)), ["capture"]);
    scene.says(LOCAL, PaneSaid::Captured(seed(999, 0, "before it")));
    assert_eq!(kept.look().lost.drift, 0, "of another place");
    scene.says(LOCAL, PaneSaid::Chunk(chunk(1_001, "y")));
    scene.until(66_000);
    scene.says(LOCAL, PaneSaid::Captured(seed(1_002, 0, "what tmux shows")));
    assert_eq!(kept.look().lost.drift, 1);
    assert!(String::from_utf8_lossy(&kept.look().glass.dump()).contains("what tmux shows"));
}

#[test]
fn an_agent_that_lies_about_places_or_panes_costs_little() {
    let (mut scene, kept) = Scene::watching();
    assert_eq!(words(&scene.says(LOCAL, PaneSaid::Chunk(chunk(u64::MAX, "x")))), ["unwatch"]);
    assert!(scene.says(LOCAL, PaneSaid::Chunk(chunk(1_000, "x"))).is_empty(), "nothing until a whole screen came");
    let mut asked = 0;
    for ms in 1..600 {
        let again = words(&scene.until(ms * 100));
        asked += again.len();
        if !again.is_empty() {
            assert_eq!(again, ["watch 0 None"]);
            scene.says(LOCAL, PaneSaid::Seed(seed(5, 0, "")));
            scene.says(LOCAL, PaneSaid::Chunk(chunk(1, "x")));
        }
    }
    assert!(asked < 36, "{asked} times in a minute: every 2 s at most");
    let stranger = PaneSeed { pane: crate::model::PaneId { server: 1, number: 1 }, ..seed(0, 0, "x") };
    assert!(scene.says(LOCAL, PaneSaid::Seed(stranger)).is_empty());
    scene.says(LOCAL, PaneSaid::Ended { pane: PANE, why: "gone".to_owned() });
    assert_eq!(kept.look().ended.as_deref(), Some("gone"));
    assert!(scene.link.unwatch(PANE).is_empty(), "it is over there too");
}

#[test]
fn a_watch_that_is_refused_is_over_and_one_that_goes_on_is_not() {
    let (mut scene, kept) = Scene::watching();
    let refused = |rule: &str| PaneSaid::Refused {
        pane: PANE,
        rule: rule.to_owned(),
        reason: "there is no such pane".to_owned(),
        seq: None,
    };
    assert_eq!(words(&scene.says(LOCAL, refused("unknown"))), ["drive"]);
    assert_eq!(kept.look().ended, None, "it was about somebody who takes it over");
    let other = Kept::new(PANE);
    let now = scene.now();
    scene.link.watch(&other, now);
    scene.says(LOCAL, refused("taken"));
    assert_eq!(other.look().ended, None);
    scene.says(LOCAL, refused("unknown"));
    assert_eq!(other.look().ended.as_deref(), Some("there is no such pane"));
}
