//! One question to one node over HTTP, signed, and its answer, which has to be signed for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use crate::model::{NodeKey, NodeName};
use crate::net::{Answered, Asked, HttpClient, NodeKeys, Proof};

use super::LinkError;

/// The way to one node.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub http: HttpClient,
    /// Where it listens, without a slash at the end.
    pub url: String,
    /// Who is meant.
    pub peer: NodeName,
    /// Who asks.
    pub me: NodeName,
    /// The keys of who asks.
    pub keys: Arc<NodeKeys>,
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Question {
    pub method: Method,
    /// Path and query.
    pub path: String,
    pub body: Vec<u8>,
    /// Bytes of the answer at most.
    pub most: usize,
    /// Time for all of it.
    pub time: Duration,
}

/// An answer of the node that was asked.
#[derive(Debug)]
pub(super) struct Said {
    pub status: StatusCode,
    pub body: Bytes,
    /// The key that has signed it.
    pub key: NodeKey,
}

impl Caller {
    /// Asks; what comes back is signed by one of `trusted`.
    pub(super) async fn ask(&self, question: Question, trusted: &[NodeKey]) -> Result<Said, LinkError> {
        let Question { method, path, body, most, time } = question;
        let asked = Asked { method: method.as_str(), path: &path };
        let proof = Proof::new(&self.keys, &self.me, &self.peer, &asked, &body, Timestamp::now());
        let mut request = self.http.request(method, format!("{}{path}", self.url)).timeout(time);
        request = request.header(header::AUTHORIZATION, proof.header());
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let (status, headers, body) = self.received(request, most).await?;
        let answer =
            Answered { node: &self.peer, to: &self.me, nonce: &proof.nonce, status: status.as_u16(), body: &body };
        let Some(key) = answer.proven_by(&headers, trusted) else { return Err(unsigned(status)) };
        Ok(Said { status, body, key })
    }

    async fn received(
        &self,
        request: reqwest::RequestBuilder,
        most: usize,
    ) -> Result<(StatusCode, HeaderMap, Bytes), LinkError> {
        let long = || LinkError::Unusable(format!("it is longer than {most} bytes"));
        let mut response = request.send().await.map_err(|error| unreachable(&error))?;
        if response.content_length().is_some_and(|length| length > most as u64) {
            return Err(long());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
            if body.len() + chunk.len() > most {
                return Err(long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), std::mem::take(response.headers_mut()), body.freeze()))
    }
}

impl Said {
    /// What a good answer says.
    pub(super) fn parsed<T: DeserializeOwned>(&self) -> Result<T, LinkError> {
        if self.status != StatusCode::OK {
            return Err(self.refused());
        }
        serde_json::from_slice(&self.body).map_err(|error| LinkError::Unusable(error.to_string()))
    }

    /// Why it is none.
    pub(super) fn refused(&self) -> LinkError {
        #[derive(serde::Deserialize)]
        struct Problem {
            detail: String,
        }
        let said: Option<Problem> = serde_json::from_slice(&self.body).ok();
        let why = said.map_or_else(|| format!("status {}", self.status), |problem| problem.detail);
        // 429 passes by itself; it says nothing about whether this node may ask.
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => LinkError::Busy(why),
            _ => LinkError::Refused(why),
        }
    }
}

/// What an answer without a signature can only mean: whoever gave it, it is not that of the node.
fn unsigned(status: StatusCode) -> LinkError {
    match status {
        StatusCode::UNAUTHORIZED => LinkError::Refused(
            "it does not know this node by its key; join it again, or add this node's key there".to_owned(),
        ),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY => {
            LinkError::Unreachable(format!("status {status}"))
        }
        _ => LinkError::Unusable(format!("status {status}, and no key of that node has signed it")),
    }
}

/// Why nothing came, down to its cause: the outermost says only that a request failed.
fn unreachable(error: &reqwest::Error) -> LinkError {
    if error.is_timeout() {
        return LinkError::Unreachable("it did not answer in time".to_owned());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    LinkError::Unreachable(cause.to_string())
}
