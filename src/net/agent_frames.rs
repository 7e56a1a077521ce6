//! Frames between an engine and an agent: a 32-bit length and one JSON value, over any pair of reader and writer.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::codec::length_delimited::LengthDelimitedCodecError;
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

use crate::protocol::AGENT_FRAME_MAX;

use super::agent_seal::{MARK, Seal};

/// A far side that takes not a single byte for so long is gone.
const STUCK: Duration = Duration::from_secs(15);
/// Of what a parser says about a frame, this many characters are repeated: it quotes what came from outside.
const QUOTED_MAX: usize = 200;

/// What is wrong with a connection. None of it can be mended: the connection ends.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A frame says that it is longer than [`AGENT_FRAME_MAX`]. Nothing of it was read.
    #[error("a frame is longer than {AGENT_FRAME_MAX} bytes")]
    TooLong,
    /// A frame is no message of this protocol: not JSON, nested too deeply, an unknown or a doubled field.
    #[error("a frame is no message: {0}")]
    NotAMessage(String),
    /// The mark of a frame does not fit: it was altered, repeated, or put in by somebody else.
    #[error("a frame was altered on its way, or is not from who the connection was made with")]
    Forged,
    /// The far side takes nothing.
    #[error("the far side took nothing for {} s", STUCK.as_secs())]
    Stuck,
    /// The connection broke.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// Messages from the far side.
#[derive(Debug)]
pub struct FrameReader<R> {
    frames: FramedRead<R, LengthDelimitedCodec>,
    seal: Option<Seal>,
    whole: u64,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads frames from `reader`.
    pub fn new(reader: R) -> Self {
        Self::limited(reader, AGENT_FRAME_MAX, None)
    }

    /// Reads frames that carry the marks of `seal` in front of their bytes.
    pub fn sealed(reader: R, seal: Seal) -> Self {
        Self::limited(reader, AGENT_FRAME_MAX + MARK, Some(seal))
    }

    fn limited(reader: R, most: usize, seal: Option<Seal>) -> Self {
        let codec = LengthDelimitedCodec::builder().max_frame_length(most).new_codec();
        Self { frames: FramedRead::new(reader, codec), seal, whole: 0 }
    }

    /// The next message, or `None` where the far side has closed between two. When the future is dropped nothing is
    /// lost; what has come of a frame is still there at the next call.
    ///
    /// # Errors
    /// When what comes is no frame or no message, and when the connection breaks, also within a frame.
    pub async fn read<M: DeserializeOwned>(&mut self) -> Result<Option<M>, FrameError> {
        let frame = match self.frames.next().await {
            None => return Ok(None),
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Err(reading(error)),
        };
        self.whole += frame.len() as u64 + 4;
        let message = match &mut self.seal {
            None => &frame[..],
            Some(seal) => match frame.split_at_checked(MARK) {
                Some((mark, message)) if seal.fits(message, mark) => message,
                _ => return Err(FrameError::Forged),
            },
        };
        // It refuses more than 128 levels, and the messages refuse every field they do not know.
        serde_json::from_slice(message).map(Some).map_err(|error| FrameError::NotAMessage(quoted(&error)))
    }

    /// The bytes after the last message that [`read`](Self::read) has answered, for whoever carries them on as they are.
    /// A `read` that was dropped may have taken a length out of them.
    pub fn into_rest(self) -> impl AsyncRead + Unpin {
        let parts = self.frames.into_parts();
        io::Cursor::new(parts.read_buf).chain(parts.io)
    }

    /// A number that changes with what was heard. A large frame on a slow line counts before it is whole.
    pub fn heard(&self) -> u64 {
        self.whole + self.frames.read_buffer().len() as u64
    }
}

fn reading(error: io::Error) -> FrameError {
    match error.downcast::<LengthDelimitedCodecError>() {
        Ok(_) => FrameError::TooLong,
        Err(error) => FrameError::Broken(error),
    }
}

fn quoted(error: &serde_json::Error) -> String {
    error.to_string().chars().take(QUOTED_MAX).collect()
}

/// Messages to the far side.
#[derive(Debug)]
pub struct FrameWriter<W> {
    writer: W,
    seal: Option<Seal>,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Writes frames to `writer`.
    pub fn new(writer: W) -> Self {
        Self { writer, seal: None }
    }

    /// Writes frames with the marks of `seal`.
    pub fn sealed(writer: W, seal: Seal) -> Self {
        Self { writer, seal: Some(seal) }
    }

    /// What it writes to.
    pub fn into_inner(self) -> W {
        self.writer
    }

    /// Writes `message` and hands it over. After a failure, and when the future was dropped, nothing more may be
    /// written: the frame may have gone in part.
    ///
    /// # Errors
    /// When it is longer than a frame, and when the connection breaks or takes nothing.
    pub async fn write<M: Serialize>(&mut self, message: &M) -> Result<(), FrameError> {
        self.write_noting(message, &mut false).await
    }

    /// The same; `handed` becomes true before any byte of it can have reached the far side, and stays as it is when
    /// none was handed over.
    ///
    /// # Errors
    /// As with [`write`](Self::write).
    pub async fn write_noting<M: Serialize>(&mut self, message: &M, handed: &mut bool) -> Result<(), FrameError> {
        let frame = encode(message, self.seal.as_mut())?;
        let mut rest = frame.as_slice();
        while !rest.is_empty() {
            let taken = patiently(self.writer.write(rest)).await?;
            if taken == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            *handed = true;
            rest = &rest[taken..];
        }
        patiently(self.writer.flush()).await
    }
}

async fn patiently<T>(step: impl Future<Output = io::Result<T>>) -> Result<T, FrameError> {
    tokio::time::timeout(STUCK, step).await.map_err(|_| FrameError::Stuck)?.map_err(FrameError::Broken)
}

/// The frame of `message`: its length, its mark where it has one, its bytes.
fn encode<M: Serialize>(message: &M, seal: Option<&mut Seal>) -> Result<Vec<u8>, FrameError> {
    let begin = 4 + if seal.is_some() { MARK } else { 0 };
    let mut frame = vec![0; begin];
    serde_json::to_writer(&mut frame, message).map_err(|error| FrameError::Broken(error.into()))?;
    if frame.len() - begin > AGENT_FRAME_MAX {
        return Err(FrameError::TooLong);
    }
    let length = u32::try_from(frame.len() - 4).map_err(|_| FrameError::TooLong)?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    if let Some(seal) = seal {
        let mark = seal.mark(&frame[begin..]);
        frame[4..begin].copy_from_slice(&mark);
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;
    use crate::protocol::{FromAgent, ToAgent};

    fn probe(nonce: u64) -> ToAgent {
        ToAgent::Probe { nonce }
    }

    #[tokio::test]
    async fn messages_arrive_in_order_whatever_pieces_they_come_in() {
        let (near, mut far) = duplex(7);
        let sending = tokio::spawn(async move {
            let mut bytes = Vec::new();
            for nonce in 0..20 {
                bytes.extend(encode(&probe(nonce), None).expect("a frame"));
            }
            for piece in bytes.chunks(3) {
                far.write_all(piece).await.expect("writes");
            }
        });
        let mut reader = FrameReader::new(near);
        for nonce in 0..20 {
            assert_eq!(reader.read().await.expect("a frame"), Some(probe(nonce)));
        }
        assert_eq!(reader.read::<ToAgent>().await.expect("an end"), None);
        sending.await.expect("sends");
    }

    async fn read(bytes: &[u8]) -> Result<Option<ToAgent>, FrameError> {
        FrameReader::new(bytes).read().await
    }

    fn framed(json: &str) -> Vec<u8> {
        let length = u32::try_from(json.len()).expect("short");
        [&length.to_be_bytes()[..], json.as_bytes()].concat()
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused_in_words() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for (json, word) in [
            (deep.as_str(), "expected value"),
            (r#"{"probe":{"nonce":1,"nonce":2}}"#, "duplicate field"),
            (r#"{"probe":{"nonce":1e30}}"#, "floating point"),
            (r#"{"probe":{"nonce":99999999999999999999999}}"#, "invalid type"),
            (r#"{"probe":{"nonce":1}} {"probe":{"nonce":2}}"#, "trailing"),
            (r#"{"probe":{"nonce":1,"sudo":true}}"#, "sudo"),
            ("", "EOF"),
        ] {
            match read(&framed(json)).await {
                Err(error @ FrameError::NotAMessage(_)) => {
                    let text = error.to_string();
                    assert!(text.contains(word), "{word}: {text}");
                }
                other => panic!("{word}: {other:?}"),
            }
        }
        let long = format!(r#"{{"{}":1}}"#, "x".repeat(500_000));
        let error = read(&framed(&long)).await.expect_err("an unknown message").to_string();
        assert!(error.len() < 300, "it quotes {} bytes", error.len());
    }

    #[tokio::test]
    async fn a_frame_that_is_too_long_is_refused_by_its_length_alone() {
        let length = u32::try_from(AGENT_FRAME_MAX + 1).expect("fits");
        assert!(matches!(read(&length.to_be_bytes()).await, Err(FrameError::TooLong)));
        // What a shell prints, and what a browser sends.
        for noise in ["Welcome to web-1!\n", "GET / HTTP/1.1\r\n\r\n"] {
            assert!(matches!(read(noise.as_bytes()).await, Err(FrameError::TooLong)), "{noise}");
        }
        let mut writer = FrameWriter::new(tokio::io::sink());
        let mut handed = false;
        let long = FromAgent::Trouble { id: None, reason: "x".repeat(AGENT_FRAME_MAX) };
        assert!(matches!(writer.write_noting(&long, &mut handed).await, Err(FrameError::TooLong)));
        assert!(!handed);
    }

    #[tokio::test]
    async fn what_comes_after_a_message_is_left_as_it_is() {
        let bytes = [1, 2, 3].map(|nonce| encode(&probe(nonce), None).expect("a frame"));
        // One and a half have been read ahead when the first is answered.
        let whole = bytes.concat();
        let (ahead, later) = whole.split_at(bytes[0].len() + bytes[1].len() / 2);
        let mut reader = FrameReader::new(ahead.chain(later));
        assert_eq!(reader.read().await.expect("a frame"), Some(probe(1)));
        let mut rest = Vec::new();
        reader.into_rest().read_to_end(&mut rest).await.expect("reads");
        assert_eq!(rest, bytes[1..].concat());
    }

    #[tokio::test]
    async fn an_end_within_a_frame_is_no_end() {
        let whole = framed(r#"{"probe":{"nonce":1}}"#);
        assert!(matches!(read(&whole[..whole.len() - 1]).await, Err(FrameError::Broken(_))));
        assert_eq!(read(&[]).await.expect("an end"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_known_whether_a_byte_was_handed_over() {
        let (near, far) = duplex(8);
        let mut writer = FrameWriter::new(near);
        let mut handed = false;
        assert!(matches!(writer.write_noting(&probe(1), &mut handed).await, Err(FrameError::Stuck)));
        assert!(handed, "eight bytes were");
        drop(far);
        handed = false;
        assert!(matches!(writer.write_noting(&probe(1), &mut handed).await, Err(FrameError::Broken(_))));
        assert!(!handed);
    }

    #[tokio::test]
    async fn a_part_of_a_frame_is_heard() {
        let (near, mut far) = duplex(64);
        let mut reader = FrameReader::new(near);
        let before = reader.heard();
        far.write_all(&[0, 0, 0, 50, 1, 2, 3]).await.expect("writes");
        let waiting = tokio::time::timeout(Duration::from_millis(20), reader.read::<ToAgent>());
        assert!(waiting.await.is_err(), "it is not whole");
        assert_ne!(reader.heard(), before);
        let mut nothing = [0; 1];
        drop(reader);
        assert_eq!(far.read(&mut nothing).await.expect("an end"), 0);
    }

    #[tokio::test]
    async fn a_sealed_frame_that_was_touched_is_forged() {
        let seal = || Seal::new([7; MARK]);
        let mut writer = FrameWriter::sealed(Vec::new(), seal());
        for nonce in 0..3 {
            writer.write(&probe(nonce)).await.expect("writes");
        }
        let bytes = writer.into_inner();
        let mut whole = FrameReader::sealed(&bytes[..], seal());
        for nonce in 0..3 {
            assert_eq!(whole.read().await.expect("a frame"), Some(probe(nonce)));
        }
        let frame = bytes.len() / 3;
        let repeated = [&bytes[..frame], &bytes[..frame]].concat();
        let left_out = bytes[frame..].to_vec();
        let plain = framed(r#"{"probe":{"nonce":1}}"#);
        let altered = (0..frame - 4).map(|place| {
            let mut bytes = bytes[..frame].to_vec();
            bytes[4 + place] ^= 1;
            bytes
        });
        for forged in altered.chain([repeated, left_out, plain, framed("")]) {
            let mut reader = FrameReader::sealed(&forged[..], seal());
            let mut last = reader.read::<ToAgent>().await;
            if last.is_ok() {
                last = reader.read().await;
            }
            assert!(matches!(last, Err(FrameError::Forged)), "{last:?}");
        }
    }
}
