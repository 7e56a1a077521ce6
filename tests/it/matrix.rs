//! Every view of the demo at four sizes and with all, sixteen and no colours: texts with styles, a file a view.
//!
//! After a wanted change: `INSTA_UPDATE=always cargo test --test it matrix::`, then read the difference as an operator
//! would. A file holds, for each size, the text once and what each rung of colours makes of it: row, then runs of
//! columns with the letter of their style, which the end of the file explains.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use aurora::client::Client;
use aurora::config::Theme;
use aurora::demo::{Demo, Scene, World};
use aurora::tui::{ColourMode, Headless, Look};
use jiff::Timestamp;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (200, 60), (60, 18)];
const RUNGS: [(&str, ColourMode, &str); 3] = [
    ("true colour, dark", ColourMode::True, "dark"),
    ("16 colours, terminal", ColourMode::Sixteen, "terminal"),
    ("NO_COLOR", ColourMode::None, "terminal"),
];

/// What a frame says, without its styles.
pub fn text(frame: &Buffer) -> String {
    let mut text = String::new();
    for cells in frame.content.chunks(usize::from(frame.area.width)) {
        let mut line = String::new();
        let mut covered = 0;
        for (column, cell) in cells.iter().enumerate() {
            if column >= covered {
                line.push_str(cell.symbol());
                covered = column + unicode_width::UnicodeWidthStr::width(cell.symbol()).max(1);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn style(cell: &Cell) -> String {
    let mut words = Vec::new();
    for (word, colour) in [("on ", cell.bg), ("", cell.fg)] {
        if colour != Color::Reset {
            words.push(format!("{word}{colour}").to_lowercase());
        }
    }
    if !cell.modifier.is_empty() {
        words.push(format!("{:?}", cell.modifier).to_lowercase().replace(" | ", " "));
    }
    words.join(" ")
}

/// The letters of styles, in the order in which they were met.
#[derive(Default)]
struct Legend(BTreeMap<String, String>);

impl Legend {
    fn letter(&mut self, style: String) -> String {
        let number = u8::try_from(self.0.len()).expect("few styles");
        let letter = char::from(b'a' + number % 26).to_string().repeat(usize::from(number / 26) + 1);
        self.0.entry(style).or_insert(letter).clone()
    }

    /// The runs of every row that is not plain.
    fn runs(&mut self, frame: &Buffer) -> String {
        let mut all = String::new();
        for (row, cells) in frame.content.chunks(usize::from(frame.area.width)).enumerate() {
            let mut runs: Vec<(usize, usize, String)> = Vec::new();
            for (column, cell) in cells.iter().enumerate() {
                let style = style(cell);
                match runs.last_mut() {
                    Some((_, length, same)) if *same == style => *length += 1,
                    _ => runs.push((column, 1, style)),
                }
            }
            runs.retain(|(.., style)| !style.is_empty());
            if !runs.is_empty() {
                let _ = write!(all, "{row:>2}:");
                for (column, length, style) in runs {
                    let _ = write!(all, " {column}+{length}{}", self.letter(style));
                }
                all.push('\n');
            }
        }
        all
    }
}

/// What `steps` lead to, at every size and with every rung of colours: keys, and what is to be seen before the next ones.
async fn shoot(name: &str, steps: &[(&str, &str)]) {
    // Past: what the engine does now then has the age of something new.
    let began = Timestamp::from_second(1_795_165_200).expect("in range");
    let world = World { scene: Scene::Still, seed: 1, began };
    let mut legend = Legend::default();
    let mut shots: Vec<Vec<(String, String)>> = vec![Vec::new(); SIZES.len()];
    for (_, mode, theme) in RUNGS {
        // A world of its own: reading a message marks it.
        let (demo, _logs) = Demo::begin(world).await.expect("plays");
        let client = Client::embedded(demo.handle(), true, false).await.expect("is let in");
        let look = Look::new(&Theme::built_in(theme).expect("a theme"), mode, false);
        let mut screen = Headless::open(client, look, SIZES[0], began).await;
        for (keys, seen) in steps {
            screen.press(keys).await;
            until(&mut screen, name, seen).await;
        }
        for (size, shots) in SIZES.into_iter().zip(&mut shots) {
            screen.resize(size).await;
            until(&mut screen, name, steps.last().map_or("", |(_, seen)| seen)).await;
            let frame = screen.frame();
            if mode == ColourMode::None {
                let plain = |cell: &Cell| cell.fg == Color::Reset && cell.bg == Color::Reset;
                assert!(frame.content.iter().all(plain), "{name} at {size:?}: a colour without colours");
                let marked = |cell: &Cell| cell.modifier.intersects(Modifier::BOLD | Modifier::REVERSED);
                assert!(frame.content.iter().any(marked), "{name} at {size:?}: no focus without colours");
            }
            shots.push((stable(&text(&frame)), legend.runs(&frame)));
        }
        drop(screen);
        demo.end().await.expect("ends");
    }
    let mut all = String::new();
    for ((columns, rows), shots) in SIZES.into_iter().zip(shots) {
        let mut said = String::new();
        for ((rung, ..), (text, runs)) in RUNGS.into_iter().zip(shots) {
            if said != text {
                let _ = write!(all, "=== {columns}x{rows}, {rung}\n{text}");
                said = text;
            }
            let _ = write!(all, "--- {columns}x{rows}, {rung}\n{runs}");
        }
    }
    all.push_str("=== styles\n");
    let mut letters: Vec<(&String, &String)> = legend.0.iter().map(|(style, letter)| (letter, style)).collect();
    letters.sort_by_key(|(letter, _)| (letter.len(), (*letter).clone()));
    for (letter, style) in letters {
        let _ = writeln!(all, "{letter} {style}");
    }
    insta::assert_snapshot!(name, all);
}

async fn until(screen: &mut Headless, name: &str, seen: &str) {
    let waited = tokio::time::timeout(Duration::from_mins(1), screen.wait_for(seen)).await;
    assert!(waited.is_ok(), "{name}: nothing shows {seen:?}");
}

/// Every view where the least fits that is more than counts.
#[tokio::test(flavor = "multi_thread")]
async fn every_view_at_40x10() {
    let began = Timestamp::from_second(1_795_165_200).expect("in range");
    let (demo, _logs) = Demo::begin(World { scene: Scene::Still, seed: 1, began }).await.expect("plays");
    let look = Look::new(&Theme::built_in("terminal").expect("a theme"), ColourMode::None, false);
    let mut all = String::new();
    for keys in
        ["1", "2", "3", "3!", "4", "5", "5!", "6", "6\t", "7", "7\r", "8", "8\t", "8\t\t", "8\t\t\t", "3?", ":", "E"]
    {
        let client = Client::embedded(demo.handle(), true, false).await.expect("is let in");
        let mut screen = Headless::open(client, look, (40, 10), began).await;
        screen.press(keys).await;
        let _ = writeln!(all, "=== {keys:?}\n{}", stable(&text(&screen.frame())));
    }
    demo.end().await.expect("ends");
    insta::assert_snapshot!("demo_at_40x10", all);
}

/// What is shown without what no seed decides: the name of a temporary directory, and when this run began.
fn stable(text: &str) -> String {
    let directory = regex::Regex::new(r"aurora-demo-\w{6}").expect("an expression");
    let began = regex::Regex::new(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ \(now\)").expect("an expression");
    let text = directory.replace_all(text, "aurora-demo-......");
    began.replace_all(&text, "since 0000-00-00 00:00:00Z (now)").into_owned()
}

macro_rules! views {
    ($($name:ident: $keys:literal),+ $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            shoot(concat!("demo_", stringify!($name)), &[($keys, "")]).await;
        })+
    };
}

// Panes come later than the frame that asks for them.
#[tokio::test(flavor = "multi_thread")]
async fn panes() {
    Box::pin(shoot("demo_panes", &[("6\t\t", "web-2:0.0")])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pane() {
    Box::pin(shoot("demo_pane", &[("6\t\t", "web-2:0.0"), ("j\r", "[ 59/400]")])).await;
}

views! {
    overview: "1",
    channels: "2j",
    inbox: "3jj",
    message: "3jjj\r",
    search: "3/Hecke",
    nodes: "4j",
    node: "4jj\r",
    node_topology: "4\t",
    node_log: "4\t\tj",
    node_trust: "4jjt",
    node_checks: "5/@hub-berlin\r",
    node_messages: "3/@hub-berlin\r",
    node_jobs: "6\t/@hub-berlin\r",
    health: "5",
    health_problems: "5!",
    problems_only_channels: "2!",
    problems_only_inbox: "3!",
    problems_only_nodes: "4!",
    problems_only_jobs: "6\t!",
    problems_only_approvals: "7!",
    problems_only_logs: "8\t\t\t!",
    check: "5\r",
    bridge: "6",
    host: "6j\r",
    jobs: "6\tj",
    job: "6\tj\r",
    job_unknown: "6\t\r\t",
    run_command: "6jx",
    approvals: "7",
    approval: "7\r",
    activity: "8",
    audit: "8\t\t\t\t",
    refusals: "8\t",
    tasks: "8\t\t",
    help: "3?",
    palette: ":health",
    problems: "Ej",
    quit: "Q",
}
