//! A configuration file: read or refused with a place, never a panic, never a secret shown.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = aurora::config::parse(text, None) {
        let _ = error.to_string();
        let _ = error.position();
    }
});
