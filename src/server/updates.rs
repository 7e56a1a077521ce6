//! `/ws/updates`: a snapshot first, then what happens, as it happens. It can be resumed, and leaves nothing out.
//!
//! A notice that events were projected is only a hint: the events themselves are read from the store, from where
//! the client is. So a burst, a slow client and a line that broke cost time and no event.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, RawQuery};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::{Handle, Joined};
use crate::model::{ChannelPanel, CheckState, Event, EventFilter, MessageRow, TaskStatus};
use crate::protocol::{Notice, Overall, Problem, Reply, Request, RequestId, Snapshot, Update};

use super::caller::{Caller, turned_away};
use super::problem::{problem, problem_with, unavailable};
use super::seats::{Full, Seat, Seats};

/// What the `OpenAPI` description says about the stream.
pub(super) const DESCRIPTION: &str = "Frames are JSON objects. `frame` is `system` or `event`: a sender chooses an \
    event's `type`, never its `frame`. The first frame has the type `system.status`: how things are, and in `seq` where \
    events begin. Then each event comes once and in order, with its `seq`; `?since=` resumes after one. \
    `system.gap` says that too many events were missed and how many. Everything else that changes comes as \
    `notification`. A browser sends the token as the subprotocol `aurora.token.<token>` beside `aurora.v1`. A limited \
    token needs the scope `updates`.";

/// The subprotocol that is spoken.
const PROTOCOL: &str = "aurora.v1";
/// Events read at once.
const PAGE: usize = 200;
/// Events that are sent late. Whoever missed more begins anew.
const LATE: i64 = 10_000;
/// How often the line is tried.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A line on which nothing came for so long is broken.
const SILENCE: Duration = Duration::from_mins(1);
/// Time for a client to take a frame.
const SEND: Duration = Duration::from_secs(30);
/// A client has nothing to say but pings and a farewell.
const FROM_CLIENT: usize = 4 * 1024;
/// Time for the streams to end with the listener.
const FAREWELL: Duration = Duration::from_secs(1);

/// What every stream needs.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    handle: Handle,
    stop: CancellationToken,
    seats: Seats,
    open: TaskTracker,
}

impl Stream {
    pub(super) fn new(handle: Handle, stop: CancellationToken) -> Self {
        Self { handle, stop, seats: Seats::default(), open: TaskTracker::new() }
    }

    /// Waits until the streams have ended; who does not listen is not waited for.
    pub(super) async fn ended(&self) {
        self.open.close();
        let _ = tokio::time::timeout(FAREWELL, self.open.wait()).await;
    }
}

/// Opens a stream.
pub(super) async fn open(
    Extension(stream): Extension<Stream>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Response> {
    let since = since(query.as_deref()).map_err(|why| problem(StatusCode::BAD_REQUEST, why))?;
    if is_foreign(&headers) {
        return Err(problem(StatusCode::FORBIDDEN, "a page of another origin may not open this stream"));
    }
    let upgrade = upgrade.map_err(|_| {
        let websocket = HeaderValue::from_static("websocket");
        problem_with(StatusCode::UPGRADE_REQUIRED, "this path speaks WebSocket only", header::UPGRADE, websocket)
    })?;
    let seat = stream.seats.take(&caller.credential).map_err(|full| match full {
        Full::All => unavailable(full.to_string()),
        Full::Each => problem_with(StatusCode::TOO_MANY_REQUESTS, full.to_string(), header::RETRY_AFTER, 1),
    })?;
    let joined = stream.handle.join(caller.credential, true, true).await.map_err(|why| turned_away(&why))?;
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(FROM_CLIENT).max_frame_size(FROM_CLIENT);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let follower = Follower { socket, joined, since, seq: None, hinted: 0, reading: None, asked: 0 };
        stream.open.clone().track_future(follower.run(stream.stop.clone(), seat)).await;
    }))
}

/// The one parameter there is.
fn since(query: Option<&str>) -> Result<Option<i64>, &'static str> {
    let mut since = None;
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if name != "since" || since.is_some() {
            return Err("the only parameter is `since`, once; a token goes into the Authorization header");
        }
        since = Some(value.parse().ok().filter(|seq| *seq >= 0).ok_or("`since` is the `seq` of an event")?);
    }
    Ok(since)
}

/// Whether a browser asks on behalf of a page from elsewhere. Programs send no `Origin`.
fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    origin.is_none() || origin != host
}

/// A frame that aurora makes itself.
#[derive(Serialize)]
#[serde(tag = "type")]
enum System<'a> {
    #[serde(rename = "system.status")]
    Status {
        seq: i64,
        status: Overall,
        node: &'a str,
        version: &'a str,
        started: Timestamp,
        at: Timestamp,
        problems: Vec<Problem>,
        channels: &'a [ChannelPanel],
        /// How many of those that are enabled stand how; their panels come as notifications.
        checks: BTreeMap<CheckState, u64>,
        /// Since when this machine's own connectivity is gone.
        isolated: Option<Timestamp>,
        tasks: &'a [TaskStatus],
        inbox: &'a [MessageRow],
        dead_letters: u64,
    },
    #[serde(rename = "system.gap")]
    Gap { seq: i64, missed: i64, detail: &'static str },
    #[serde(rename = "notification")]
    Notification { seq: i64, notice: &'a Notice },
}

#[derive(Serialize)]
#[serde(tag = "frame", rename_all = "lowercase")]
enum Frame<'a> {
    System(System<'a>),
    Event(&'a Event),
}

/// Why a stream ends.
enum End {
    /// The client left, or does not listen.
    Gone,
    /// It is told why.
    Close(u16, &'static str),
}

/// One client that follows.
struct Follower {
    socket: WebSocket,
    joined: Joined,
    /// Where the client wants to go on.
    since: Option<i64>,
    /// The last event that was sent, once the stream has begun.
    seq: Option<i64>,
    /// There are events up to here.
    hinted: i64,
    /// The page that is on its way.
    reading: Option<RequestId>,
    asked: u64,
}

impl Follower {
    async fn run(mut self, stop: CancellationToken, _seat: Seat) {
        let Err(end) = self.follow(&stop).await else { return };
        if let End::Close(code, reason) = end {
            let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            // It may have gone meanwhile.
            let _ = tokio::time::timeout(FAREWELL, self.socket.send(frame)).await;
        }
    }

    async fn follow(&mut self, stop: &CancellationToken) -> Result<(), End> {
        let mut pings = tokio::time::interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Err(End::Close(close_code::AWAY, "the engine stops")),
                update = self.joined.updates.recv() => match update {
                    Some(update) => self.take(update).await?,
                    None => return Err(End::Close(close_code::POLICY, "the token no longer counts")),
                },
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => heard = Instant::now(),
                    Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                        return Err(End::Close(close_code::UNSUPPORTED, "this stream takes no messages"));
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
                },
                _ = pings.tick() => {
                    if heard.elapsed() > SILENCE {
                        return Err(End::Gone);
                    }
                    self.send(Message::Ping(bytes::Bytes::new())).await?;
                }
            }
            self.read_on().await?;
        }
    }

    async fn take(&mut self, update: Update) -> Result<(), End> {
        match update {
            Update::Snapshot(snapshot) => self.begin(&snapshot).await,
            Update::Notice(Notice::Stopping) => Err(End::Close(close_code::AWAY, "the engine stops")),
            Update::Notice(Notice::Arrived { up_to, .. }) => {
                self.hinted = self.hinted.max(up_to);
                Ok(())
            }
            // The log is for who looks after aurora, not for who uses it.
            Update::Notice(Notice::Log(_)) | Update::Link(_) | Update::Pane(_) => Ok(()),
            Update::Notice(notice) => match self.seq {
                Some(seq) => self.write(&Frame::System(System::Notification { seq, notice: &notice })).await,
                None => Ok(()),
            },
            Update::Reply { id, reply } if Some(id) == self.reading => {
                self.reading = None;
                match reply {
                    Ok(Reply::Events(events)) => self.events(&events).await,
                    _ => Err(End::Close(close_code::ERROR, "the store cannot be read; resume with `since`")),
                }
            }
            Update::Reply { .. } => Ok(()),
        }
    }

    /// Sends how things are: first, and whenever the client was too slow for notices.
    async fn begin(&mut self, snapshot: &Snapshot) -> Result<(), End> {
        let newest = snapshot.up_to;
        // An event the client has seen and this engine has not: it followed another one before.
        let is_ahead = self.seq.is_none() && self.since.is_some_and(|since| since > newest);
        let seq = match (self.seq, self.since) {
            (Some(seq), _) => seq,
            (None, Some(since)) if !is_ahead => since,
            _ => newest,
        };
        self.seq = Some(seq);
        self.hinted = self.hinted.max(newest);
        let now = Timestamp::now();
        let status = System::Status {
            seq,
            status: snapshot.overall(now),
            node: &snapshot.node,
            version: &snapshot.version,
            started: snapshot.started,
            at: snapshot.at,
            problems: snapshot.problems(now),
            channels: &snapshot.channels,
            checks: CheckState::tally(snapshot.checks.iter().filter(|check| check.enabled).map(|check| check.state)),
            isolated: snapshot.isolated,
            tasks: &snapshot.tasks,
            inbox: &snapshot.inbox,
            dead_letters: snapshot.dead_letters,
        };
        self.write(&Frame::System(status)).await?;
        if is_ahead {
            let detail = "`since` lies ahead of every event here; was the state directory replaced?";
            self.write(&Frame::System(System::Gap { seq, missed: 0, detail })).await?;
        }
        Ok(())
    }

    /// Asks for the next page when there is one, or gives up on events that are too many to send late.
    async fn read_on(&mut self) -> Result<(), End> {
        let Some(seq) = self.seq.filter(|seq| *seq < self.hinted && self.reading.is_none()) else { return Ok(()) };
        let missed = self.hinted - seq;
        if missed > LATE {
            self.seq = Some(self.hinted);
            let detail = "too many events to send late; `aurora events list` has them";
            return self.write(&Frame::System(System::Gap { seq: self.hinted, missed, detail })).await;
        }
        self.asked += 1;
        let id = RequestId(self.asked);
        self.reading = Some(id);
        let request = Request::Events { filter: EventFilter::default(), before: None, after: Some(seq), limit: PAGE };
        if self.joined.ask(id, request).await { Ok(()) } else { Err(End::Close(close_code::AWAY, "the engine stops")) }
    }

    async fn events(&mut self, events: &[Event]) -> Result<(), End> {
        // What is not projected yet has no subject; it comes with its notice.
        let hinted = self.hinted;
        for event in events.iter().filter(|event| event.seq <= hinted) {
            self.write(&Frame::Event(event)).await?;
            self.seq = Some(event.seq);
        }
        Ok(())
    }

    async fn write(&mut self, frame: &Frame<'_>) -> Result<(), End> {
        let text = serde_json::to_string(frame).map_err(|error| {
            tracing::error!(%error, "a frame of the stream cannot be written");
            End::Close(close_code::ERROR, "a frame could not be written; this is a defect")
        })?;
        self.send(Message::Text(text.into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(SEND, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Gone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_the_only_parameter() {
        assert_eq!(since(None), Ok(None));
        assert_eq!(since(Some("since=7")), Ok(Some(7)));
        for bad in ["since=", "since=-1", "since=x", "since=1&since=2", "token=aur_x", "since=99999999999999999999"] {
            assert!(since(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_from_elsewhere_is_foreign() {
        let headers = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("127.0.0.1:8901"))]);
            headers.extend(origin.map(|origin| (header::ORIGIN, HeaderValue::from_static(origin))));
            headers
        };
        assert!(!is_foreign(&headers(None)));
        assert!(!is_foreign(&headers(Some("http://127.0.0.1:8901"))));
        for origin in ["https://evil.example", "http://127.0.0.1:8902", "null", "http://127.0.0.1:8901.evil.example"] {
            assert!(is_foreign(&headers(Some(origin))), "{origin}");
        }
    }

    #[test]
    fn a_sender_cannot_make_a_system_frame() {
        let frame = serde_json::to_value(Frame::System(System::Gap { seq: 3, missed: 2, detail: "x" })).expect("JSON");
        assert_eq!((&frame["frame"], &frame["type"]), (&"system".into(), &"system.gap".into()));
        let event = Event {
            seq: 1,
            id: crate::model::EventId::from_uuid(uuid::Uuid::nil()),
            channel: "a".parse().expect("an id"),
            kind: "system.gap".into(),
            time: Timestamp::UNIX_EPOCH,
            received: Timestamp::UNIX_EPOCH,
            subject: None,
            dedupe_key: String::new(),
            assurance: crate::model::Assurance::Body,
            state: crate::model::EventState::Stored,
            cause: None,
        };
        assert_eq!(serde_json::to_value(Frame::Event(&event)).expect("JSON")["frame"], "event");
    }
}
