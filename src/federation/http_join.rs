//! Joining over HTTP: one question to the node that made the token.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::model::NodeName;
use crate::net::{NodeKeys, node_client};
use crate::protocol::{Join, JoinAnswer};

use super::http_call::{Caller, Question};
use super::http_wire::{JOIN, SMALL_MAX};
use super::{JoinToken, LinkError};

/// Time for the answer.
const TIME: Duration = Duration::from_secs(15);

/// Asks the node that made `token` to let `join`, which [`JoinToken::wish`] made, in. Its answer is signed with the key
/// in the token, and pins this node's key there: what is left is to pin its key here.
///
/// # Errors
/// When it is not reached, does not let this node in, or somebody else answers.
pub async fn join_at(
    token: &JoinToken,
    join: &Join,
    me: &NodeName,
    keys: Arc<NodeKeys>,
) -> Result<JoinAnswer, LinkError> {
    let http = node_client(&token.url, token.pin).map_err(LinkError::Unreachable)?;
    let url = token.url.trim_end_matches('/').to_owned();
    let caller = Caller { http, url, peer: token.node.clone(), me: me.clone(), keys };
    let body = serde_json::to_vec(join).map_err(|error| LinkError::Unusable(error.to_string()))?;
    let question = Question { method: Method::POST, path: JOIN.to_owned(), body, most: SMALL_MAX, time: TIME };
    let answer: JoinAnswer = match caller.ask(question, &[token.key]).await {
        // It knows nobody who joins; what it means is the invitation.
        Err(LinkError::Refused(_)) => Err(LinkError::Refused("it has made no such invitation".to_owned())),
        said => said?.parsed(),
    }?;
    if answer.node == token.node && answer.key == token.key {
        Ok(answer)
    } else {
        Err(LinkError::Unusable("it is not the node that made the token".to_owned()))
    }
}
