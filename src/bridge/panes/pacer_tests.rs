use crate::model::PaneDriver;

use super::super::kept::Kept;
use super::super::rig::{Clock, PANE, chunk, seed};
use super::*;

fn pacer(clock: &Clock, pace: PanePace) -> Pacer {
    let pane = PaneAddress { host: "web-1".parse().expect("a name"), pane: PANE };
    Pacer::new(5, pane, pace, clock.at(0).instant)
}

fn begun() -> (std::sync::Arc<Kept>, Clock) {
    let kept = Kept::new(PANE);
    kept.change(|screen| screen.seed(&seed(100, 0, "$ ")));
    (kept, Clock(Instant::now()))
}

fn print(kept: &Kept, text: &str) {
    kept.change(|screen| {
        let place = screen.pending.end();
        screen.feed(&chunk(place, text), Timestamp::UNIX_EPOCH);
    });
}

/// What comes at this moment: `S` a screen with what was left out, `C` bytes.
fn said(pacer: &mut Pacer, kept: &Kept, now: Moment) -> Vec<String> {
    let screen = kept.look();
    let mut said = Vec::new();
    while pacer.turn(&screen, now.instant) == Turn::Now {
        let update = pacer.next(&screen, now.instant).expect("its turn");
        said.push(match update {
            PaneUpdate::Seed { seed, watch: 5, .. } => format!("S{} -{}", seed.offset, seed.missed),
            PaneUpdate::Chunk { chunk, watch: 5, .. } => {
                format!("C{} {}", chunk.offset, String::from_utf8_lossy(&chunk.bytes))
            }
            PaneUpdate::Stale { since, .. } => format!("stale {}", since.is_some()),
            PaneUpdate::Ended { why, .. } => format!("ended {why}"),
            PaneUpdate::Driver { driver, take, .. } => format!("driver {} {}", driver.is_some(), take.as_second()),
            other => format!("{other:?}"),
        });
    }
    said
}

use super::super::moment::Moment;

#[test]
fn the_first_piece_after_a_rest_comes_at_once_and_the_next_in_its_time() {
    let (kept, clock) = begun();
    let mut pacer = pacer(&clock, PanePace::LIVE);
    assert_eq!(said(&mut pacer, &kept, clock.at(0)), ["S100 -0"]);
    pacer.seen(100);
    print(&kept, "a");
    print(&kept, "b");
    assert_eq!(pacer.turn(&kept.look(), clock.at(10).instant), Turn::At(clock.at(67).instant));
    assert_eq!(said(&mut pacer, &kept, clock.at(67)), ["C100 ab"], "together");
    assert_eq!(pacer.turn(&kept.look(), clock.at(70).instant), Turn::Rest);
    print(&kept, "c");
    assert_eq!(said(&mut pacer, &kept, clock.at(1_000)), ["C102 c"], "after a rest at once");
    let mut pieces = 0;
    for ms in 2_000..3_000 {
        print(&kept, "x");
        let place = kept.look().pending.end();
        pieces += said(&mut pacer, &kept, clock.at(ms)).len();
        pacer.seen(place);
    }
    assert!((14..=16).contains(&pieces), "{pieces} in a second");
}

#[test]
fn who_watches_hears_once_that_it_was_too_fast() {
    let (kept, clock) = begun();
    let mut pacer = pacer(&clock, PanePace { every_ms: 0, window: 9_000 });
    let mut too_fast = |at: u64| match pacer.next(&kept.look(), clock.at(at).instant) {
        Some(PaneUpdate::Seed { seed, .. }) => Some(seed.too_fast),
        _ => None,
    };
    assert_eq!(too_fast(0), Some(false));
    let again = |too_fast| PaneSeed { too_fast, ..seed(100, 0, "9999") };
    kept.reseed(&again(true), Timestamp::UNIX_EPOCH);
    assert_eq!((too_fast(100), too_fast(200)), (Some(true), None));
    kept.reseed(&again(false), Timestamp::UNIX_EPOCH);
    assert_eq!(too_fast(300), Some(false));
}

#[test]
fn what_the_client_has_not_seen_holds_back_the_rest_and_then_a_whole_screen_goes() {
    let (kept, clock) = begun();
    let mut pacer = pacer(&clock, PanePace { every_ms: 0, window: 2_000 });
    assert_eq!(said(&mut pacer, &kept, clock.at(0)).len(), 1);
    pacer.seen(100);
    print(&kept, &"x".repeat(1_500));
    assert_eq!(said(&mut pacer, &kept, clock.at(100))[0][..5], *"C100 ");
    // Of 2,000 bytes 1,500 are on their way: a screen of 160 characters fits, 1,500 bytes do not.
    print(&kept, &"y".repeat(1_500));
    assert_eq!(said(&mut pacer, &kept, clock.at(200)), ["S3100 -1500"]);
    for _ in 0..40 {
        print(&kept, &"z".repeat(1_000));
    }
    let at = clock.at(300);
    let sent = said(&mut pacer, &kept, at);
    assert!(sent.is_empty() || sent == ["S43100 -40000"], "{sent:?}");
    pacer.seen(43_100);
    let rest = said(&mut pacer, &kept, clock.at(400));
    assert!(sent.len() + rest.len() == 1, "{sent:?} {rest:?}");
}

#[test]
fn a_screen_larger_than_what_is_left_of_the_window_goes_once_though_nothing_was_taken() {
    let (kept, clock) = begun();
    let mut pacer = pacer(&clock, PanePace { every_ms: 0, window: 1_024 });
    said(&mut pacer, &kept, clock.at(0));
    pacer.seen(100);
    // The client takes these five bytes, and need not say so.
    print(&kept, "hello");
    assert_eq!(said(&mut pacer, &kept, clock.at(100)), ["C100 hello"]);
    let coloured: Vec<String> = (0..400).map(|n| format!("\u{1b}[38;2;{};{};9mx", n % 256, n % 199)).collect();
    let coloured = coloured.concat();
    print(&kept, &coloured);
    assert!(kept.look().glass.dump().len() > 1_024, "neither the bytes nor the screen fit");
    assert_eq!(said(&mut pacer, &kept, clock.at(200)).len(), 1);
    print(&kept, "more");
    assert_eq!(pacer.turn(&kept.look(), clock.at(9_000).instant), Turn::Rest, "and then it waits");
    pacer.seen(kept.look().pending.end() - 4);
    assert_eq!(said(&mut pacer, &kept, clock.at(9_000)).len(), 1);
}

#[test]
fn what_is_old_stays_so_until_the_new_screen_was_sent() {
    let (kept, clock) = begun();
    let mut pacer = pacer(&clock, PanePace { every_ms: 4_000, window: 8 << 10 });
    said(&mut pacer, &kept, clock.at(0));
    pacer.seen(100);
    kept.change(|screen| screen.stale = Some((Timestamp::UNIX_EPOCH, "cut".to_owned())));
    assert_eq!(said(&mut pacer, &kept, clock.at(1)), ["stale true"]);
    kept.change(|screen| {
        screen.stale = None;
        screen.seed(&seed(5_000, 0, "after"))
    });
    assert_eq!(pacer.turn(&kept.look(), clock.at(10).instant), Turn::At(clock.at(4_000).instant));
    assert!(said(&mut pacer, &kept, clock.at(10)).is_empty());
    assert_eq!(said(&mut pacer, &kept, clock.at(4_000)), ["S5000 -0", "stale false"]);
}

#[test]
fn a_window_that_is_used_up_is_waited_for() {
    let (kept, clock) = begun();
    let mut pacer = pacer(&clock, PanePace { every_ms: 0, window: 1_024 });
    said(&mut pacer, &kept, clock.at(0));
    pacer.seen(100);
    print(&kept, &"\u{1b}[H\u{1b}[31mab".repeat(100));
    assert_eq!(said(&mut pacer, &kept, clock.at(100)).len(), 1);
    let mut sent = 0;
    for n in 2..20 {
        print(&kept, &"x".repeat(900));
        sent += said(&mut pacer, &kept, clock.at(n * 100)).len();
    }
    assert!(sent < 8, "{sent} pieces without a word from the client");
    assert_eq!(pacer.turn(&kept.look(), clock.at(9_000).instant), Turn::Rest);
    let place = kept.look().pending.end();
    pacer.seen(pacer.out.back().expect("on its way").0);
    assert_eq!(said(&mut pacer, &kept, clock.at(9_000)).len(), 1);
    assert_eq!(pacer.place, place);
}

#[test]
fn a_watch_hears_that_it_is_stale_and_what_came_after_and_the_end_last() {
    let (kept, clock) = begun();
    let mut pacer = pacer(&clock, PanePace::LIVE);
    said(&mut pacer, &kept, clock.at(0));
    pacer.seen(100);
    kept.change(|screen| screen.stale = Some((Timestamp::UNIX_EPOCH, "cut".to_owned())));
    assert_eq!(said(&mut pacer, &kept, clock.at(1)), ["stale true"]);
    kept.change(|screen| {
        screen.stale = None;
        screen.seed(&seed(5_000, 0, "after"))
    });
    assert_eq!(said(&mut pacer, &kept, clock.at(500)), ["S5000 -0", "stale false"]);
    assert_eq!(kept.look().lost.gaps, 1, "of unknown size");
    let driver = PaneDriver { who: "anna".parse().expect("a name"), since: Timestamp::UNIX_EPOCH };
    kept.change(|screen| screen.driven(Some(&driver), "taken over"));
    kept.change(|screen| screen.driven(Some(&driver), "again"));
    assert_eq!(said(&mut pacer, &kept, clock.at(501)), ["driver true 0"]);
    print(&kept, "last words");
    kept.change(|screen| screen.ended = Some("the pane is gone".to_owned()));
    assert_eq!(said(&mut pacer, &kept, clock.at(502)), ["C5000 last words", "ended the pane is gone"]);
    assert!(pacer.is_over());
    print(&kept, "x");
    assert!(said(&mut pacer, &kept, clock.at(900)).is_empty());
}

#[test]
fn a_recorder_gets_every_byte() {
    let (kept, clock) = begun();
    let pane = PaneAddress { host: "web-1".parse().expect("a name"), pane: PANE };
    let mut pacer = Pacer::of_everything(pane, Duration::from_millis(20), clock.at(0).instant);
    let screen = |pacer: &mut Pacer, ms| pacer.next(&kept.look(), clock.at(ms).instant);
    assert!(matches!(screen(&mut pacer, 0), Some(PaneUpdate::Seed { .. })));
    for n in 1..50 {
        print(&kept, &"x".repeat(4_000));
        let piece = screen(&mut pacer, n * 20);
        assert!(matches!(&piece, Some(PaneUpdate::Chunk { chunk, .. }) if chunk.bytes.len() == 4_000), "{piece:?}");
    }
}
