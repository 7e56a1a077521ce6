//! Reading files that came with events: for the text of a raw mail, and for whoever saves an attachment.

use std::io::{self, ErrorKind};

use crate::ingress::Channel;
use crate::model::{MessageId, StoreFault};
use crate::provider::Stored;
use crate::store::{Blobs, StoreError};

use super::projector::Projector;

/// Bytes of a raw mail that are read, for its text and the list of its attachments. What comes later in it is in the
/// file, which is an attachment itself.
const RAW_READ: usize = 4 << 20;

/// The beginning of the file that belongs to the text of an event; empty when there is none. A file that is gone, or
/// cannot be read for good, holds nobody up: its mail is shown without it.
///
/// # Errors
/// When it cannot be read now.
pub(super) fn beginning(blobs: &Blobs, channel: &Channel, stored: &Stored<'_>) -> Result<Vec<u8>, StoreError> {
    let Some(sha256) = channel.provider.file(stored) else { return Ok(Vec::new()) };
    blobs.read(&sha256, 0, RAW_READ).or_else(|error| {
        if !is_lost(&error) {
            let detail = format!("failed to read the stored file {sha256}: {error}");
            return Err(StoreError::Disk { fault: StoreFault::Io, detail });
        }
        tracing::error!(%error, file = sha256, "failed to read a stored file; its mail is shown without it");
        Ok(Vec::new())
    })
}

/// Whether trying again is of no use: the file is gone, or a part of the disk is.
fn is_lost(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

impl Projector {
    /// At most `limit` bytes of attachment `number` of a message, from `offset` on; `None` when there is none.
    pub(super) fn attachment(
        &self,
        message: MessageId,
        number: u32,
        offset: u64,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(attachment) = self.store.attachment(message, number)? else { return Ok(None) };
        if let Some(sha256) = &attachment.sha256 {
            let bytes = self.blobs.read(sha256, offset, limit);
            return bytes
                .map(Some)
                .map_err(|error| StoreError::File { sha256: sha256.clone(), why: error.to_string() });
        }
        let Some(event) = self.store.event_of(message)? else { return Ok(None) };
        let headers = event.headers();
        let stored = Stored { kind: &event.kind, key: &event.key, headers: &headers, data: &event.body };
        let reading = self.reading.get();
        let Some(channel) = reading.channels.get(&event.channel) else { return Ok(None) };
        let file = beginning(&self.blobs, channel, &stored)?;
        let Some(bytes) = channel.provider.part(&stored, &file, attachment.part.unwrap_or(0)) else { return Ok(None) };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Ok(Some(bytes[start..(start + limit).min(bytes.len())].to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use crate::config;
    use crate::provider::{Form, FormField, FormFile};

    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_now_is_tried_again_and_a_lost_one_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let blobs = Blobs::open(dir.path()).expect("opens");
        let text = "[channels.mail]\nprovider = \"mailgun\"\nsecrets = [\"env:PATH\"]\n";
        let all = config::parse(text, None).expect("a configuration");
        let config = all.channels.values().next().expect("a channel").clone();
        let channel = Channel::new(&all, config).expect("a channel");
        let field = FormField { name: "body-mime".into(), value: "From: a@b".into(), cut: true };
        let sha256 = "a".repeat(64);
        let file = FormFile {
            field: "body-mime".into(),
            name: None,
            declared: None,
            found: None,
            size: 9,
            sha256: sha256.clone(),
        };
        let data = Form { fields: vec![field], files: vec![file] }.to_bytes(&[]);
        let stored = Stored { kind: "mail.received", key: "k", headers: &[], data: &data };
        assert_eq!(beginning(&blobs, &channel, &stored).expect("goes on"), b"", "it is gone");
        let path = dir.path().join("blobs/aa").join(&sha256);
        std::fs::create_dir_all(&path).expect("a directory where the file should be");
        assert!(matches!(beginning(&blobs, &channel, &stored), Err(StoreError::Disk { fault: StoreFault::Io, .. })));
        std::fs::remove_dir(&path).expect("removes");
        std::fs::write(&path, "From: a@b").expect("writes");
        assert_eq!(beginning(&blobs, &channel, &stored).expect("reads"), b"From: a@b");
    }
}
