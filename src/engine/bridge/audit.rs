//! The audit log, from the side of the bridge: what is written down, and what is answered about it.

use std::fmt::Display;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{AuditKind, AuditNote, OperatorName};
use crate::protocol::{BridgeNotice, BridgeReply, Refusal};

use super::requests::read;
use super::service::Bridges;

/// A note about what happens now.
pub(super) fn note(by: Option<&OperatorName>, kind: AuditKind, about: impl Display, what: String) -> AuditNote {
    AuditNote::new(Timestamp::now(), by, kind, about, what)
}

impl Bridges {
    /// Writes notes down that belong to no other transaction, and tells everybody. Answers whether they are written.
    pub(in super::super) async fn audit(&self, notes: Vec<AuditNote>) -> bool {
        match self.store.audit(notes).await {
            Ok(entries) => {
                self.tell_all(BridgeNotice::Audited(entries)).await;
                true
            }
            Err(error) => {
                tracing::error!(%error, "the audit log could not be written");
                false
            }
        }
    }

    /// Entries of the log, newest first.
    pub(super) async fn audited(
        self: &Arc<Self>,
        about: Option<String>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<BridgeReply, Refusal> {
        let this = Arc::clone(self);
        read(move || this.store.audited(about.as_deref(), before, limit)).await.map(BridgeReply::Audit)
    }

    /// Whether the log is whole.
    pub(super) async fn verify_audit(self: &Arc<Self>) -> Result<BridgeReply, Refusal> {
        let this = Arc::clone(self);
        let verdict = read(move || this.store.verify_audit()).await?;
        let (entries, broken, head) = (verdict.entries, verdict.broken, verdict.head);
        Ok(BridgeReply::AuditVerified { entries, broken, head })
    }
}
