//! Making tokens: random bytes that are seen once, and a hash that is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{AuditEntry, AuditKind, AuditNote, FreshToken, OperatorName, Token, TokenHash, TokenId};
use crate::store::{Store, StoreError};

use super::access::Grant;

/// Makes the token that is granted and keeps its hash; `by` is who wants it.
pub(super) async fn mint(
    store: &Store,
    grant: Grant,
    by: &OperatorName,
    now: Timestamp,
) -> Result<(TokenHash, Token, FreshToken, Vec<AuditEntry>), StoreError> {
    let bytes: [u8; 32] = rand::random();
    let fresh = FreshToken(format!("{}{}", TokenHash::PREFIX, URL_SAFE_NO_PAD.encode(bytes)));
    let hash = TokenHash::of(&fresh.0);
    let token = Token {
        id: TokenId::from_uuid(Uuid::now_v7()),
        operator: grant.operator,
        role: grant.role,
        configured: grant.configured,
        scopes: grant.scopes,
        created: now,
        expires: grant.expires,
        used: None,
    };
    let what = format!("a token for {} with the role {}", token.operator, token.role);
    let note = AuditNote::new(now, Some(by), AuditKind::Changed, token.id, what);
    let entries = store.add_token(hash, token.clone(), note).await?;
    Ok((hash, token, fresh, entries))
}
