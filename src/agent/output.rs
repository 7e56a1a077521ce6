//! What a command writes: pieces in files of 256 KiB beside its order. The beginning and the end are kept, the middle is
//! counted. A file that was cut off by a crash is good up to its last whole piece.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use sha2::{Digest, Sha256};

use crate::model::{OutputChunk, OutputTotals, Stream};

use super::JobDir;
use super::spool::FILE_MODE;

/// A file is full when it has this many bytes.
const FILE_FULL: u64 = 256 << 10;
/// Files of the beginning that are kept: 1 MiB.
const HEAD: u64 = 4;
/// Full files of the end that are kept: 1 MiB.
const TAIL: u64 = 4;
/// Before each piece: one byte for the stream, eight for its number, four for its length, most significant first.
const HEADER: usize = 13;
/// No piece is longer, in bytes.
pub(super) const PIECE_MAX: usize = 32 << 10;

fn file_name(number: u64) -> String {
    format!("out.{number:06}")
}

/// The numbers of the files there are.
fn numbers(dir: &OwnedFd) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        found.extend(name.strip_prefix("out.").and_then(|number| number.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Keeps what a command writes.
#[derive(Debug)]
pub struct OutputWriter<'a> {
    job: &'a JobDir,
    file: Option<File>,
    number: u64,
    size: u64,
    seq: u64,
    written: OutputTotals,
    buffer: Vec<u8>,
}

impl<'a> OutputWriter<'a> {
    /// Nothing has been written yet.
    #[must_use]
    pub fn new(job: &'a JobDir) -> Self {
        Self { job, file: None, number: 0, size: 0, seq: 0, written: OutputTotals::default(), buffer: Vec::new() }
    }

    /// Keeps one piece. What the disk does not take is cut out, and counted: a command never fails of it.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Out => self.written.out += bytes.len() as u64,
            Stream::Err => self.written.err += bytes.len() as u64,
        }
        for piece in bytes.chunks(PIECE_MAX) {
            let seq = self.seq;
            self.seq += 1;
            if self.append(stream, seq, piece).is_err() {
                self.forget_half();
            }
        }
    }

    fn append(&mut self, stream: Stream, seq: u64, piece: &[u8]) -> io::Result<()> {
        if self.file.is_some() && self.size >= FILE_FULL {
            self.number += 1;
            self.file = None;
            if let Some(middle) = self.number.checked_sub(TAIL + 1).filter(|number| *number >= HEAD) {
                // What cannot be removed is only more than was promised.
                let _ = rustix::fs::unlinkat(self.job.dir(), file_name(middle), AtFlags::empty());
            }
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mode = Mode::from_raw_mode(FILE_MODE);
                let file = rustix::fs::openat(self.job.dir(), file_name(self.number), flags, mode)?;
                self.size = 0;
                self.file.insert(File::from(file))
            }
        };
        self.buffer.clear();
        self.buffer.push(match stream {
            Stream::Out => 1,
            Stream::Err => 2,
        });
        self.buffer.extend(seq.to_be_bytes());
        self.buffer.extend(u32::try_from(piece.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.buffer.extend(piece);
        file.write_all(&self.buffer)?;
        self.size += self.buffer.len() as u64;
        Ok(())
    }

    /// Half a piece at the end of a file would be taken for the beginning of the next.
    fn forget_half(&mut self) {
        let Some(file) = &mut self.file else { return };
        let cut = file.set_len(self.size).and_then(|()| io::Seek::seek(file, io::SeekFrom::Start(self.size)));
        if cut.is_err() {
            self.size = FILE_FULL;
        }
    }

    /// Drops the end that is kept, so that there is room for something that matters more.
    pub fn give_way(&mut self) {
        self.file = None;
        for number in numbers(self.job.dir()).unwrap_or_default() {
            // The next one may be removed all the same.
            let _ = rustix::fs::unlinkat(self.job.dir(), file_name(number), AtFlags::empty());
        }
    }

    /// What was written and what is kept of it, with the hash over that, and the files that hold it.
    ///
    /// # Errors
    /// When it cannot be read again.
    pub fn end(&mut self) -> io::Result<(OutputTotals, String, Vec<File>)> {
        let mut hash = Sha256::new();
        let mut kept = 0;
        let mut files = Vec::new();
        if self.seq > 0 {
            let mut reader = OutputReader::new(self.job, 0)?;
            loop {
                let chunks = reader.read(1 << 20)?;
                if chunks.is_empty() {
                    break;
                }
                for chunk in chunks {
                    hash.update(&chunk.bytes);
                    kept += chunk.bytes.len() as u64;
                }
            }
            for number in numbers(self.job.dir())? {
                files.extend(open(self.job.dir(), number)?);
            }
        }
        let cut = (self.written.out + self.written.err).saturating_sub(kept);
        Ok((OutputTotals { cut, ..self.written }, hex::encode(hash.finalize()), files))
    }
}

/// Removes what is kept of the output of `job`.
///
/// # Errors
/// When the directory cannot be read.
pub(super) fn drop_output(job: &JobDir) -> io::Result<()> {
    for number in numbers(job.dir())? {
        rustix::fs::unlinkat(job.dir(), file_name(number), AtFlags::empty())?;
    }
    Ok(())
}

fn open(dir: &OwnedFd, number: u64) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(dir, file_name(number), flags, Mode::empty()) {
        Ok(file) => Ok(Some(File::from(file))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads what a command writes while it is written.
#[derive(Debug)]
pub struct OutputReader {
    dir: OwnedFd,
    file: Option<File>,
    number: u64,
    offset: u64,
    from: u64,
}

impl OutputReader {
    /// From the piece with the number `from` on.
    ///
    /// # Errors
    /// When the directory cannot be opened again.
    pub fn new(job: &JobDir, from: u64) -> io::Result<Self> {
        Ok(Self { dir: job.dir().try_clone()?, file: None, number: 0, offset: 0, from })
    }

    /// The number of the piece that comes next, or a later one.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.from
    }

    /// The pieces there are beyond those that were read, about `most` bytes of them at most. None when there are no
    /// more yet.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(&mut self, most: usize) -> io::Result<Vec<OutputChunk>> {
        let mut found = Vec::new();
        let mut bytes = 0;
        while bytes < most {
            if self.file.is_none() {
                self.file = open(&self.dir, self.number)?;
            }
            if let Some(file) = &self.file
                && let Some(chunk) = read_piece(file, self.offset)?
            {
                self.offset += (HEADER + chunk.bytes.len()) as u64;
                if chunk.seq >= self.from {
                    self.from = chunk.seq + 1;
                    bytes += chunk.bytes.len();
                    found.push(chunk);
                }
                continue;
            }
            // A file is whole once there is a later one; it may have grown between the two looks.
            let next = self.number + u64::from(self.file.is_some());
            let Some(later) = numbers(&self.dir)?.into_iter().find(|number| *number >= next) else { break };
            let grown = self.file.as_ref().map(|file| read_piece(file, self.offset)).transpose()?.flatten();
            if grown.is_none() {
                (self.file, self.number, self.offset) = (None, later, 0);
            }
        }
        Ok(found)
    }
}

/// The whole piece at `offset`, when there is one.
fn read_piece(file: &File, offset: u64) -> io::Result<Option<OutputChunk>> {
    let whole = |buffer: &mut [u8], offset| match file.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    };
    let mut header = [0; HEADER];
    if !whole(&mut header, offset)? {
        return Ok(None);
    }
    let [stream, seq @ .., a, b, c, d] = header;
    let stream = match stream {
        1 => Stream::Out,
        2 => Stream::Err,
        // A disk that lost its power may leave zeros.
        _ => return Ok(None),
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > PIECE_MAX {
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    let found = whole(&mut bytes, offset + HEADER as u64)?;
    Ok(found.then_some(OutputChunk { seq: u64::from_be_bytes(seq), stream, bytes }))
}

#[cfg(test)]
mod tests {
    use rustix::fs::CWD;

    use super::*;

    /// The directory of a job that writes.
    fn job(dir: &std::path::Path) -> JobDir {
        let dir = rustix::fs::openat(CWD, dir, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("opens");
        JobDir::of(crate::model::JobId::from_uuid(uuid::Uuid::nil()), dir)
    }

    fn all(reader: &mut OutputReader) -> Vec<OutputChunk> {
        let mut found = Vec::new();
        loop {
            let more = reader.read(100_000).expect("reads");
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    #[test]
    fn bytes_come_back_as_they_were_with_common_numbers() {
        let dir = tempfile::tempdir().expect("a directory");
        let job = job(dir.path());
        let mut writer = OutputWriter::new(&job);
        let every: Vec<u8> = (0..=255).collect();
        writer.write(Stream::Out, &every);
        writer.write(Stream::Err, b"\xff\xfe\0");
        let mut reader = OutputReader::new(&job, 0).expect("reads");
        let chunks = all(&mut reader);
        assert_eq!(chunks.len(), 2);
        assert_eq!((chunks[0].seq, chunks[0].stream, &chunks[0].bytes), (0, Stream::Out, &every));
        assert_eq!(
            (chunks[1].seq, chunks[1].stream, chunks[1].bytes.as_slice()),
            (1, Stream::Err, b"\xff\xfe\0".as_slice())
        );
        writer.write(Stream::Out, b"more");
        assert_eq!(all(&mut reader).iter().map(|chunk| chunk.seq).collect::<Vec<_>>(), [2], "it goes on");
        assert_eq!(all(&mut OutputReader::new(&job, 2).expect("reads")).len(), 1, "from a number on");
        let (totals, hash, files) = writer.end().expect("reads");
        assert_eq!(totals, OutputTotals { out: 260, err: 3, cut: 0 });
        let expected = Sha256::new().chain_update(&every).chain_update(b"\xff\xfe\0more").finalize();
        assert_eq!((hash, files.len()), (hex::encode(expected), 1));
    }

    #[test]
    fn the_middle_of_much_is_cut_out_and_counted() {
        let dir = tempfile::tempdir().expect("a directory");
        let job = job(dir.path());
        let mut writer = OutputWriter::new(&job);
        let mut slow = OutputReader::new(&job, 0).expect("reads");
        let total: u64 = 8 << 20;
        for n in 0..total / 8192 {
            writer.write(Stream::Out, &[u8::try_from(n % 251).expect("small"); 8192]);
            if n == 3 {
                assert_eq!(slow.read(1).expect("reads").len(), 1);
            }
        }
        let (totals, _, files) = writer.end().expect("reads");
        let kept = total - totals.cut;
        assert!((2 << 20..5 << 19).contains(&kept), "{kept}");
        assert!(files.len() <= 9, "{}", files.len());
        let chunks = all(&mut OutputReader::new(&job, 0).expect("reads"));
        assert_eq!(chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum::<u64>(), kept);
        assert!(chunks.windows(2).all(|pair| pair[0].seq < pair[1].seq));
        assert_eq!((chunks[0].seq, chunks.last().map(|chunk| chunk.seq)), (0, Some(total / 8192 - 1)));
        let gaps = chunks.windows(2).filter(|pair| pair[0].seq + 1 != pair[1].seq).count();
        assert_eq!(gaps, 1, "one piece of the middle");
        let late = all(&mut slow);
        assert_eq!(late.len(), chunks.len() - 1, "who was slow reads the same");
    }

    #[test]
    fn half_a_piece_is_none_and_garbage_ends_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let job = job(dir.path());
        OutputWriter::new(&job).write(Stream::Out, b"whole");
        let path = dir.path().join(file_name(0));
        let mut bytes = std::fs::read(&path).expect("reads");
        for tail in [[1].as_slice(), &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5, b'h'], &[0; 64], &[1; 64], &[9; 64]] {
            let whole = bytes.len();
            bytes.extend(tail);
            std::fs::write(&path, &bytes).expect("writes");
            let chunks = all(&mut OutputReader::new(&job, 0).expect("reads"));
            assert_eq!(chunks.len(), 1, "{tail:?}");
            bytes.truncate(whole);
        }
    }
}
