//! Secrets taken out of what jobs write, before it is written down or shown.

use std::collections::HashMap;

use crate::bridge::BridgeEffect;
use crate::model::{JobId, Stream};
use crate::screen::{KnownSecrets, OutputRedactor};

/// The streams of jobs that are not over.
#[derive(Debug, Default)]
pub(super) struct Redacting {
    streams: HashMap<(JobId, Stream), OutputRedactor>,
}

impl Redacting {
    /// Takes secrets out of `effects`, where a piece of output is among them: those that `known` names, and what is written
    /// like one.
    pub(super) fn take(&mut self, effects: &mut [BridgeEffect], known: impl Fn() -> KnownSecrets) {
        for effect in effects {
            match effect {
                BridgeEffect::Output { id, chunk } => {
                    let stream = self.streams.entry((*id, chunk.stream));
                    chunk.bytes = stream.or_insert_with(|| OutputRedactor::new(known())).push(&chunk.bytes);
                }
                BridgeEffect::Keep(job) if job.state.outcome().is_some() => {
                    for stream in [Stream::Out, Stream::Err] {
                        self.streams.remove(&(job.id, stream));
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use crate::model::OutputChunk;

    use super::*;

    #[test]
    fn each_stream_of_each_job_is_looked_through_by_itself() {
        let mut redacting = Redacting::default();
        let known = || KnownSecrets::new(["canary-value".to_owned()]);
        let mut written = |job: u128, stream, text: &str| {
            let chunk = OutputChunk { seq: 0, stream, bytes: text.into() };
            let mut effects = [BridgeEffect::Output { id: JobId::from_uuid(Uuid::from_u128(job)), chunk }];
            redacting.take(&mut effects, known);
            let [BridgeEffect::Output { chunk, .. }] = effects else { panic!("output") };
            String::from_utf8(chunk.bytes).expect("text")
        };
        assert_eq!(written(1, Stream::Out, "the canary-"), "the [redacted]");
        assert_eq!(written(1, Stream::Err, "value\n"), "value\n");
        assert_eq!(written(2, Stream::Out, "value\n"), "value\n");
        assert_eq!(written(1, Stream::Out, "value\n"), "\n");
        assert_eq!(written(1, Stream::Out, "token=hunter22\n"), "token=[redacted]\n");
    }
}
