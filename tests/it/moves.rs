//! What a move through each list of the demo costs a line, counted to the byte.

use std::time::Duration;

use aurora::client::Client;
use aurora::config::Theme;
use aurora::demo::{Demo, Scene, World};
use aurora::tui::{ColourMode, Headless, Look};
use jiff::Timestamp;
use ratatui::buffer::{Buffer, Cell};

/// Every list: the keys that lead there, and what is to be seen before the first move.
const LISTS: [(&str, &str); 16] = [
    ("2", "Channels"),
    ("3", "Inbox"),
    ("3/Hecke\r", ""),
    ("4", "hub-berlin"),
    ("4\t\t", ""),
    ("5", "Health"),
    ("5!", "hidden"),
    ("6", "web-2"),
    ("6\t", ""),
    ("6\t\t", "web-2:0.0"),
    ("8", "Activity"),
    ("8\t", ""),
    ("8\t\t", ""),
    ("8\t\t\t", ""),
    ("8\t\t\t\t", ""),
    ("1E", "What is wrong"),
];
/// Bytes of a move within a page.
const MOST: usize = 400;
/// Rows whose text changes when a page is turned: more than those of the selected thing in full.
const PAGE: usize = 10;
/// Moves in one direction: two pages of the list that is longest.
const ENOUGH: usize = 80;

fn rows(frame: &Buffer) -> Vec<String> {
    let width = usize::from(frame.area.width);
    frame.content.chunks(width).map(|row| row.iter().map(Cell::symbol).collect()).collect()
}

async fn until(screen: &mut Headless, seen: &str) {
    let waited = tokio::time::timeout(Duration::from_mins(1), screen.wait_for(seen)).await;
    assert!(waited.is_ok(), "nothing shows {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_move_in_every_list_costs_at_most_400_bytes() {
    let began = Timestamp::from_second(1_795_165_200).expect("in range");
    let (demo, _logs) = Demo::begin(World { scene: Scene::Still, seed: 1, began }).await.expect("plays");
    let look = Look::new(&Theme::built_in("terminal").expect("a theme"), ColourMode::True, false);
    let mut dear = Vec::new();
    for (keys, seen) in LISTS {
        let client = Client::embedded(demo.handle(), true, false).await.expect("is let in");
        let mut screen = Headless::open(client, look, (120, 40), began).await;
        screen.press(keys).await;
        until(&mut screen, seen).await;
        screen.written();
        let mut moves = 0;
        // Lines begin at their end.
        for key in ["j", "k", "j"] {
            let mut before = rows(&screen.frame());
            for number in 1.. {
                screen.press(key).await;
                let bytes = screen.written().len();
                if bytes == 0 || number > ENOUGH {
                    break;
                }
                moves += 1;
                let after = rows(&screen.frame());
                let told = after.iter().zip(&before).filter(|(after, before)| after != before).count();
                if bytes > MOST && told <= PAGE {
                    dear.push((keys, key, number, bytes));
                }
                before = after;
            }
        }
        assert!(moves > 1, "nothing moves in {keys:?}");
    }
    demo.end().await.expect("ends");
    assert_eq!(dear, [], "list, key, number of the move, bytes");
}
