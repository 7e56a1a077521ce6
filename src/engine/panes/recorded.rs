//! For whom a pane is recorded: a recording ends with the last who wanted it.

use std::collections::BTreeSet;

use crate::protocol::ClientId;

use super::recording::Recording;

/// A recording, and who wants it.
pub(super) struct Recorded {
    pub recording: Recording,
    /// It goes on without any client.
    stays: bool,
    /// It goes on as long as one of these is there.
    clients: BTreeSet<ClientId>,
}

impl Recorded {
    /// One that nobody wants yet.
    pub(super) fn new(recording: Recording) -> Self {
        Self { recording, stays: false, clients: BTreeSet::new() }
    }

    /// `client` wants it, and with `stays` also once it has gone.
    pub(super) fn wants(&mut self, client: ClientId, stays: bool) {
        if stays {
            self.stays = true;
        } else {
            self.clients.insert(client);
        }
    }

    /// `client` wants it no more, nor that it goes on without a client where it says so with `stays`.
    pub(super) fn lets_go(&mut self, client: ClientId, stays: bool) {
        self.stays &= !stays;
        self.clients.remove(&client);
    }

    /// Whether anybody wants it.
    pub(super) fn is_wanted(&self) -> bool {
        self.stays || !self.clients.is_empty()
    }
}
