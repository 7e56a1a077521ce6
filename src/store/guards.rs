//! What the writer remembers of the newest events until projection has filed it.

use rusqlite::Connection;

use super::body_guard::BodyGuard;
use super::once::SpentTokens;

/// Bodies and tokens that were seen and are not filed yet.
#[derive(Debug, Default)]
pub(super) struct Guards {
    pub(super) bodies: BodyGuard,
    pub(super) tokens: SpentTokens,
}

impl Guards {
    /// What is behind the watermark of projection.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { bodies: BodyGuard::load(connection)?, tokens: SpentTokens::load(connection)? })
    }

    /// Forgets everything up to `seq`: it is filed and committed.
    pub(super) fn forget(&mut self, up_to: i64) {
        self.bodies.forget(up_to);
        self.tokens.forget(up_to);
    }

    /// Forgets everything after `seq`: its transaction was rolled back.
    pub(super) fn roll_back(&mut self, after: i64) {
        self.bodies.roll_back(after);
        self.tokens.roll_back(after);
    }
}
