//! Bytes from a terminal: however they are cut, the same comes of them, and nothing is held without bound.
#![no_main]

use aurora::tui::input::{Input, Parser, Pending};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut parser = Parser::default();
    let whole: Vec<Input> = parser.feed(bytes).into_iter().chain(parser.pause()).collect();
    assert_eq!(parser.pending(), Pending::Nothing);
    // An escape and a character are a matter of time, so they are not cut apart.
    let mut parser = Parser::default();
    let mut cut = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = rest.iter().position(|byte| *byte != 0x1b).map_or(rest.len(), |at| at + 1);
        cut.extend(parser.feed(&rest[..at]));
        rest = &rest[at..];
    }
    cut.extend(parser.pause());
    assert_eq!(whole, cut);
});
