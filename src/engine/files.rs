//! Reading files that came with events: for the text of a raw mail, and for whoever saves an attachment.

use crate::ingress::Channel;
use crate::model::MessageId;
use crate::provider::Stored;
use crate::store::{Blobs, StoreError};

use super::projector::Projector;

/// Bytes of a raw mail that are read, for its text and the list of its attachments. What comes later in it is in the
/// file, which is an attachment itself.
const RAW_READ: usize = 4 << 20;

/// The beginning of the file that belongs to the text of an event; empty when there is none.
pub(super) fn beginning(blobs: &Blobs, channel: &Channel, stored: &Stored<'_>) -> Vec<u8> {
    let Some(sha256) = channel.provider.file(stored) else { return Vec::new() };
    blobs.read(&sha256, 0, RAW_READ).unwrap_or_else(|error| {
        tracing::error!(%error, file = sha256, "failed to read a stored file; its mail is shown without it");
        Vec::new()
    })
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
        let file = beginning(&self.blobs, channel, &stored);
        let Some(bytes) = channel.provider.part(&stored, &file, attachment.part.unwrap_or(0)) else { return Ok(None) };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Ok(Some(bytes[start..(start + limit).min(bytes.len())].to_vec()))
    }
}
