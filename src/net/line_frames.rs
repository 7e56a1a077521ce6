//! Frames on a line between an engine and its clients: what a client asks is small, what it hears may be large.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

use crate::protocol::{ASK_MAX, CODEC_MAX};

/// Reads and writes frames at one end of a line. A longer one that comes in is an error, before it is read; one that would
/// go out is `InvalidInput`, and nothing of it is written.
#[derive(Debug)]
pub struct LineCodec {
    reads: LengthDelimitedCodec,
    writes: LengthDelimitedCodec,
}

impl LineCodec {
    /// At the end of an engine.
    #[must_use]
    pub fn of_engine() -> Self {
        Self { reads: up_to(ASK_MAX), writes: up_to(CODEC_MAX) }
    }

    /// At the end of a client.
    #[must_use]
    pub fn of_client() -> Self {
        Self { reads: up_to(CODEC_MAX), writes: up_to(ASK_MAX) }
    }
}

fn up_to(most: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(most).new_codec()
}

impl Decoder for LineCodec {
    type Item = BytesMut;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        self.reads.decode(bytes)
    }
}

impl Encoder<Bytes> for LineCodec {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, into: &mut BytesMut) -> io::Result<()> {
        self.writes.encode(frame, into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_small_and_what_is_answered_may_be_large() {
        let (mut engine, mut client) = (LineCodec::of_engine(), LineCodec::of_client());
        let mut line = BytesMut::new();
        client.encode(Bytes::from(vec![b'x'; ASK_MAX]), &mut line).expect("it fits");
        assert_eq!(engine.decode(&mut line).expect("it fits").map(|frame| frame.len()), Some(ASK_MAX));
        let long = Bytes::from(vec![b'x'; ASK_MAX + 1]);
        let refused = client.encode(long.clone(), &mut line).expect_err("it is too long");
        assert_eq!((refused.kind(), line.len()), (io::ErrorKind::InvalidInput, 0));
        engine.encode(long, &mut line).expect("it fits");
        assert_eq!(client.decode(&mut line).expect("it fits").map(|frame| frame.len()), Some(ASK_MAX + 1));
        // The length alone is enough.
        let length = u32::try_from(ASK_MAX + 1).expect("small").to_be_bytes();
        assert!(engine.decode(&mut BytesMut::from(&length[..])).is_err());
    }
}
