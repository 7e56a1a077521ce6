//! Making tokens: random bytes that are seen once, and a hash that is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{FreshToken, Token, TokenHash, TokenId};
use crate::store::{Store, StoreError};

use super::access::Grant;

/// Makes the token that is granted and keeps its hash.
pub(super) async fn mint(
    store: &Store,
    grant: Grant,
    now: Timestamp,
) -> Result<(TokenHash, Token, FreshToken), StoreError> {
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
    store.add_token(hash, token.clone()).await?;
    Ok((hash, token, fresh))
}
