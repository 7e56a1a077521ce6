//! A condition: read or refused with a place within it; what is read is written so that it reads the same.
#![no_main]

use aurora::condition::Condition;
use aurora::config::check_schema;
use aurora::model::{CheckKind, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let schema = check_schema(CheckKind::Http);
    match Condition::parse(text, schema) {
        Ok(read) => {
            let written = read.to_string();
            // Backslashes are doubled, so that the writing may be longer than what may be read.
            if written.len() <= aurora::condition::MAX_BYTES {
                assert_eq!(Condition::parse(&written, schema).as_ref(), Ok(&read));
            }
            let values = [("status".to_owned(), Value::Number(503.0)), ("body".to_owned(), Value::Text(text.to_owned()))];
            let judged = read.judge(values.as_slice());
            assert_eq!(judged.holds, judged.because.is_empty());
        }
        Err(error) => assert!(text.get(error.span).is_some()),
    }
});
