//! What 16 MiB of a stream cost the screen of a pane: time, and memory beyond what was there before.
//!
//! `cargo bench --bench pane_hostile` prints one line of JSON for each kind of stream, and one for a mixture of them all
//! ("mixture", the figure of docs/benchmarks.md). `believed` says whether the screen can be believed at the end: a stream
//! that asks for far more work than its length allows is given up, and the pane is captured anew.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints figures"
)]

use std::time::Instant;

use aurora::model::{PaneChunk, PaneId};
use aurora::screen::Glass;

const LENGTH: usize = 16 << 20;
/// As an agent sends them.
const PIECE: usize = 32 << 10;

/// Ordinary streams first, then what a program that means harm would print.
const KINDS: &[(&str, &str)] = &[
    ("log", "2026-01-02T03:04:05Z \x1b[32m INFO\x1b[0m request served in 12 ms path=/api/v1/things status=200\r\n"),
    ("plain", "a line that is printed again and again\r\n"),
    ("redraw", "\x1b[H\x1b[1mtitle\x1b[m\x1b[K\r\n\x1b[44m row one of a table \x1b[K\x1b[m\r\nrow two\x1b[K\r\n\x1b[J"),
    (
        "counts",
        "\x1b[65535@\x1b[65535L\x1b[65535S\x1b[65535bx\x1b[65535P\x1b[65535T\x1b[65535M\x1b[65535X\x1b[65535;65535H",
    ),
    ("command without an end", "\x1b]0;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ("device string without an end", "\x1bPqaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ("wide", "日本語👍🏽\u{200d}👩e\u{301}\u{302}\u{303}\u{304}\u{305}"),
    ("line feeds", "\n"),
    ("clearing", "\x1b[2J"),
    ("alignment", "\x1b#8"),
    ("screens", "\x1b[?1049h\x1b[?1049l"),
    ("colours", "\x1b[38;2;1;2;3;48;5;7;1;3;4ma\x1b[mb"),
];

/// Numbers that look random and are the same every time.
fn noise() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(LENGTH);
    while bytes.len() < LENGTH {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: f64 = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096.0 / 1_048_576.0
}

fn measure(name: &str, bytes: &[u8], columns: u16, rows: u16) {
    let before = resident();
    let mut glass = Glass::new(columns, rows);
    let pane = PaneId { server: 1, number: 0 };
    let mut most: f64 = 0.0;
    let started = Instant::now();
    for piece in bytes.chunks(PIECE) {
        let chunk = PaneChunk { pane, offset: glass.offset(), bytes: piece.to_vec() };
        glass.feed(&chunk).expect("no hole");
        most = most.max(resident() - before);
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = bytes.len() as f64 / 1_048_576.0 / seconds;
    println!(
        r#"{{"stream":"{name}","columns":{columns},"rows":{rows},"seconds":{seconds:.3},"mib_per_second":{rate:.1},"memory_mib":{most:.1},"believed":{}}}"#,
        glass.is_sound()
    );
}

fn main() {
    let noise = noise();
    let whole = |text: &str| -> Vec<u8> {
        let body = if text.starts_with("\x1b]") || text.starts_with("\x1bP") { &text[2..] } else { text };
        let head = &text.as_bytes()[..text.len() - body.len()];
        head.iter().copied().chain(body.bytes().cycle()).take(LENGTH).collect()
    };
    for (columns, rows) in [(120, 40), (500, 300)] {
        for (name, text) in KINDS {
            measure(name, &whole(text), columns, rows);
        }
        measure("noise", &noise, columns, rows);
        let part = LENGTH / 8;
        let hostile = KINDS[3..].iter().filter(|(name, _)| !name.contains("alignment") && *name != "clearing");
        let mut mixture: Vec<u8> = Vec::with_capacity(LENGTH);
        for (_, text) in hostile.take(7) {
            mixture.extend_from_slice(&whole(text)[..part]);
            // The string without an end ends, or nothing else would be looked at.
            mixture.extend_from_slice(b"\x1b\\");
        }
        mixture.extend_from_slice(&noise[..part]);
        measure("mixture", &mixture, columns, rows);
    }
}
