//! A program that prints 8 MB whenever it is told to, and says itself how long that took and how long it stood still.

use std::time::Duration;

use crate::support::eventually;
use crate::tmux::Tmux;

/// At every line that is typed it prints 8 MB in pieces of 32 KiB.
pub const FLOOD: &str = "python3 -c '
import sys, time
piece = (b\"x\" * 99 + b\"\\n\") * 328
print(\"ready\")
print(\"for a line\", flush=True)
for number, _ in enumerate(sys.stdin, 1):
    began = last = time.monotonic()
    still = 0
    for _ in range(8000000 // len(piece) + 1):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        now = time.monotonic()
        still, last = max(still, now - last), now
    print(f\"took {number}: {round((last - began) * 1000)} {round(still * 1000)} ms\", flush=True)
'";

/// The longest a program may stand still. One that is held up by whoever watches stands still for as long as that goes on,
/// up to 300 s; a busy machine makes it some 100 ms.
pub const STILL: Duration = Duration::from_secs(5);

/// One time 8 MB, as the program counted.
#[derive(Debug)]
pub struct Flood {
    /// From the first byte to the last.
    pub took: Duration,
    /// The longest that one piece took.
    pub still: Duration,
}

/// One that goes on.
pub struct Begun<'a> {
    tmux: &'a Tmux,
    session: String,
    number: u32,
}

impl Flood {
    /// Tells the program in `session` to print, for the time with this number.
    pub fn begin<'a>(tmux: &'a Tmux, session: &str, number: u32) -> Begun<'a> {
        tmux.run(&["send-keys", "-t", &format!("={session}:"), "Enter"]);
        Begun { tmux, session: session.to_owned(), number }
    }
}

impl Begun<'_> {
    /// Waits for its end.
    pub fn end(self) -> Flood {
        let (mut flood, prefix) = (None, format!("took {}: ", self.number));
        eventually("8 MB", || {
            let screen = self.tmux.run(&["capture-pane", "-p", "-t", &format!("={}:", self.session)]);
            let said = screen.lines().rev().find_map(|line| line.strip_prefix(&prefix)?.strip_suffix(" ms"));
            flood = said.and_then(|said| said.split_once(' ')).map(|(took, still)| {
                let time = |text: &str| Duration::from_millis(text.parse().expect("a number"));
                Flood { took: time(took), still: time(still) }
            });
            flood.is_some()
        });
        flood.expect("a flood")
    }
}
