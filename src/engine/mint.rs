//! Making tokens: random bytes that are seen once, and a hash that is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{FreshToken, Role, Token, TokenHash, TokenId, TokenWish};
use crate::store::{Store, StoreError};

/// Makes the token of `wish` and keeps its hash.
pub(super) async fn mint(
    store: &Store,
    wish: TokenWish,
    now: Timestamp,
) -> Result<(TokenHash, Token, FreshToken), StoreError> {
    let bytes: [u8; 32] = rand::random();
    let fresh = FreshToken(format!("{}{}", TokenHash::PREFIX, URL_SAFE_NO_PAD.encode(bytes)));
    let hash = TokenHash::of(&fresh.0);
    let token = Token {
        id: TokenId::from_uuid(Uuid::now_v7()),
        operator: wish.operator,
        role: wish.role.unwrap_or(Role::Viewer),
        scopes: wish.scopes,
        created: now,
        expires: wish.expires,
        used: None,
    };
    store.add_token(hash, token.clone()).await?;
    Ok((hash, token, fresh))
}
