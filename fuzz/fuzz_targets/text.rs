//! Text on its way to a terminal: nothing that controls it is left.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let line = aurora::screen::line(&text);
    assert!(line.chars().all(|c| !c.is_control()));
    let lines = aurora::screen::lines(&text);
    assert_eq!(aurora::screen::lines(&lines), lines);
});
