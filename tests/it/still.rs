//! What a screen costs a line while only time goes by, counted to the byte.

use std::time::Duration;

use aurora::client::Client;
use aurora::config::Theme;
use aurora::demo::{Demo, Scene, World};
use aurora::tui::{ColourMode, Headless, Look};
use jiff::Timestamp;

/// The keys that lead to a view or to one of its lists.
const VIEWS: [&str; 14] = ["1", "2", "3", "3\r", "4", "4\r", "5", "5\r", "6", "6\t", "6\t\t", "7", "8", "8\t\t"];
/// Minutes before the first of the demo's approvals ends, which is something that happens.
const MINUTES: usize = 45;
/// Bytes a minute.
const MOST: usize = 200;
/// Between two moments at which a frame may change by itself.
const STEP: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_in_which_nothing_happens_costs_at_most_200_bytes() {
    let began = Timestamp::from_second(1_795_165_200).expect("in range");
    let (demo, _logs) = Demo::begin(World { scene: Scene::Still, seed: 1, began }).await.expect("plays");
    let look = Look::new(&Theme::built_in("terminal").expect("a theme"), ColourMode::True, false);
    let (mut dear, mut all) = (Vec::new(), 0);
    for keys in VIEWS {
        let client = Client::embedded(demo.handle(), true, false).await.expect("is let in");
        let mut screen = Headless::open(client, look, (120, 40), began).await;
        screen.press(keys).await;
        screen.written();
        for minute in 0..MINUTES {
            let mut bytes = 0;
            for _ in 0..60 / STEP.as_secs() {
                screen.pass(STEP);
                bytes += screen.written().len();
            }
            if bytes > MOST {
                dear.push((keys, minute, bytes));
            }
            all += bytes;
        }
    }
    demo.end().await.expect("ends");
    assert!(all > 0, "ages never change");
    assert_eq!(dear, [], "view, minute, bytes");
}
