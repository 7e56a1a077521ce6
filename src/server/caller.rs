//! Who calls the API: the token of a request, and what the engine answers to it.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use tokio::sync::Mutex;

use crate::engine::{Credential, Joined, TurnedAway};
use crate::model::TokenHash;
use crate::protocol::{Refusal, Reply, Request, RequestId, Update};

use super::problem::{problem, unauthorised, unavailable};

/// How a browser sends the token: it can set no header of a WebSocket but its subprotocols.
pub(super) const TOKEN_PROTOCOL: &str = "aurora.token.";
/// Time for the engine to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// No token is longer.
const LONGEST: usize = 128;

/// The client behind one HTTP request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub credential: Credential,
    joined: Arc<Mutex<Joined>>,
}

impl Caller {
    pub(super) fn new(credential: Credential, joined: Joined) -> Self {
        Self { credential, joined: Arc::new(Mutex::new(joined)) }
    }

    /// Asks the engine and waits for its answer.
    pub(super) async fn ask(&self, request: Request) -> Result<Reply, Response> {
        let mut joined = self.joined.lock().await;
        if !joined.ask(RequestId(0), request).await {
            return Err(unavailable("the engine stops"));
        }
        let answer = async {
            while let Some(update) = joined.updates.recv().await {
                if let Update::Reply { reply, .. } = update {
                    return Some(reply);
                }
            }
            None
        };
        match tokio::time::timeout(ANSWER, answer).await {
            Ok(Some(Ok(reply))) => Ok(reply),
            Ok(Some(Err(refusal))) => Err(refused(&refusal)),
            Ok(None) => Err(unavailable("the engine stops, or the token no longer counts")),
            Err(_) => Err(unavailable("the engine is too busy to answer")),
        }
    }
}

/// The engine answered something else than was asked for: a defect, said plainly.
pub(super) fn unexpected() -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "the engine answered something that was not asked for; this is a defect")
}

fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Denied(why) => problem(StatusCode::FORBIDDEN, why.clone()),
        Refusal::Unknown(what) => problem(StatusCode::NOT_FOUND, what.clone()),
        Refusal::Failed(_) | Refusal::Unanswered | Refusal::Superseded => unavailable(refusal.to_string()),
    }
}

/// The answer to whoever was not let in.
pub(super) fn turned_away(why: &TurnedAway) -> Response {
    match why {
        TurnedAway::Unrecognised(why) => unauthorised(why.clone()),
        TurnedAway::Denied(why) => problem(StatusCode::FORBIDDEN, why.clone()),
        TurnedAway::Stopped => unavailable("the engine stops"),
    }
}

/// The token of a request: `Authorization: Bearer`, else a subprotocol. Never the address, where logs keep it.
pub(super) fn credential(headers: &HeaderMap) -> Result<Credential, &'static str> {
    let token = match &headers.get_all(header::AUTHORIZATION).iter().collect::<Vec<_>>()[..] {
        [] => subprotocol(headers).ok_or("send a token as `Authorization: Bearer aur_...`")?,
        [value] => {
            let bearer = value.to_str().ok().and_then(|value| value.split_once(' '));
            let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            bearer.map(|(_, token)| token.trim()).ok_or("the Authorization header is not `Bearer aur_...`")?
        }
        _ => return Err("there is more than one Authorization header"),
    };
    if token.len() > LONGEST || !token.starts_with(TokenHash::PREFIX) {
        return Err("this is no token of aurora; they begin with aur_");
    }
    Ok(Credential::Token(TokenHash::of(token)))
}

fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|name| name.trim().strip_prefix(TOKEN_PROTOCOL))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_token_is_read_from_its_two_places_only() {
        let token = Ok(Credential::Token(TokenHash::of("aur_abc")));
        assert_eq!(credential(&headers(&[(header::AUTHORIZATION, "Bearer aur_abc")])), token);
        assert_eq!(credential(&headers(&[(header::AUTHORIZATION, "bearer  aur_abc ")])), token);
        let protocols = (header::SEC_WEBSOCKET_PROTOCOL, "aurora.v1, aurora.token.aur_abc");
        assert_eq!(credential(&headers(&[protocols])), token);
        for bad in ["Basic YTpi", "Bearer", "aur_abc", "Bearer hunter2"] {
            assert!(credential(&headers(&[(header::AUTHORIZATION, bad)])).is_err(), "{bad}");
        }
        let twice = [(header::AUTHORIZATION, "Bearer aur_abc"), (header::AUTHORIZATION, "Bearer aur_abc")];
        assert!(credential(&headers(&twice)).is_err());
        assert!(credential(&HeaderMap::new()).is_err());
    }
}
