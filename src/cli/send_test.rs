//! `aurora send-test` and `aurora channel test`: real samples through the real socket.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use jiff::Timestamp;
use uuid::Uuid;

use crate::config::Config;
use crate::ingress::Channel;
use crate::model::{ChannelId, Reason};
use crate::net::{HttpClient, http_client, pinned_tls};
use crate::provider::{self, Sample};

use super::exit::{Exit, Failure, Outcome};
use super::output;

/// The channel `id` with its secrets, as the engine would have it.
pub(super) fn channel(config: &Config, id: &ChannelId) -> Result<Channel, Failure> {
    let configured = config.channels.get(id).ok_or_else(|| {
        let known = config.channels.keys().map(ChannelId::as_str).collect::<Vec<_>>().join(", ");
        Failure::usage(format!("no channel is called `{id}`; configured are {known}"))
    })?;
    Channel::new(config, configured.clone()).map_err(|problem| {
        let next = if config.default_channels {
            "\nstart aurora once: it makes the secrets of the default channels"
        } else {
            ""
        };
        Failure::usage(format!("{problem}{next}"))
    })
}

/// The address and path that the samples of `channel` go to.
fn door(config: &Config, channel: &Channel) -> Result<(SocketAddr, String), Failure> {
    channel.config.doors(config.ingress).pop().ok_or_else(|| Failure::usage("the channel has no address"))
}

/// The way to a channel's own listener.
struct Way {
    client: HttpClient,
    url: String,
    /// The address its provider was told; samples are signed for it.
    told: String,
}

impl Way {
    /// A way to `channel`: the listener's own certificate is the only one that is trusted, whatever its name.
    fn to(config: &Config, channel: &Channel) -> Result<Self, Failure> {
        let (address, path) = door(config, channel)?;
        let certificate = config.listeners().get(&address).copied().flatten().map(|tls| config.locate(&tls.cert));
        let tls = pinned_tls(certificate.as_deref()).map_err(Failure::usage)?;
        let client = http_client(tls).map_err(|error| Failure::new(Exit::Failed, error))?;
        Ok(Self { client, url: config.url(address, &path), told: config.told(&channel.config, address, &path) })
    }
}

struct Answer {
    status: u16,
    body: String,
}

async fn post(way: &Way, sample: Sample) -> Result<Answer, Failure> {
    let Way { client, url, .. } = way;
    let sent = client.post(url).headers(sample.headers).body(sample.body).send().await;
    let response = sent.map_err(|error| {
        let cause = root_cause(&error);
        let refused = cause.downcast_ref().is_some_and(|io: &io::Error| io.kind() == ErrorKind::ConnectionRefused);
        let next = if refused { "\nnothing listens there: start `aurora` or `aurora serve`" } else { "" };
        Failure::new(Exit::Down, format!("failed to post to {url}: {cause}{next}"))
    })?;
    let status = response.status().as_u16();
    let body = response.text().await.unwrap_or_default();
    Ok(Answer { status, body: body.trim().to_owned() })
}

/// What is at the bottom of `error`; the layers above only say that something failed.
fn root_cause(error: &reqwest::Error) -> &(dyn Error + 'static) {
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}

fn sign(channel: &Channel, way: &Way, id: &str, text: &str) -> Result<Sample, Failure> {
    let sample = channel.provider.sample(&channel.secrets, Timestamp::now(), id, text, &way.told);
    sample.map_err(|why| Failure::usage(format!("channel `{}` cannot sign a sample: {why}", channel.config.id)))
}

pub(super) async fn run(config: &Config, id: &ChannelId, count: u32, text: &str) -> Outcome {
    let channel = channel(config, id)?;
    let way = Way::to(config, &channel)?;
    let mut refused = 0;
    for _ in 0..count {
        let id = Uuid::now_v7().to_string();
        let answer = post(&way, sign(&channel, &way, &id, text)?).await?;
        let accepted = (200..300).contains(&answer.status);
        refused += u32::from(!accepted);
        if count <= 10 || !accepted {
            output::line(&format!("{} {} {}", answer.status, answer.body, id).replace("  ", " "))?;
        }
    }
    if refused > 0 {
        return Err(Failure::new(Exit::Failed, format!("{refused} of {count} were refused by {}", way.url)));
    }
    output::line(&format!("{count} accepted by {}", way.url))?;
    Ok(Exit::Fine)
}

/// Posts a good sample, the same again, and an altered one; each must be answered as it should be.
pub(super) async fn test(config: &Config, id: &ChannelId) -> Outcome {
    let channel = channel(config, id)?;
    let way = Way::to(config, &channel)?;
    let id = Uuid::now_v7().to_string();
    let sample = sign(&channel, &way, &id, "Test of this channel")?;
    let forged = channel.provider.forge(sample.clone());
    let mut wrong = 0;
    for (what, sample, outcome) in [
        ("a good sample is accepted", sample.clone(), provider::Outcome::Stored),
        ("the same again is a duplicate", sample, provider::Outcome::Repeated),
        ("a forged one is refused", forged, provider::Outcome::Refused(Reason::Signature)),
    ] {
        let answer = post(&way, sample).await?;
        let good = answer.status == channel.provider.answer(outcome).status;
        wrong += u32::from(!good);
        output::line(&format!("{}  {what}: {} {}", if good { "ok  " } else { "FAIL" }, answer.status, answer.body))?;
    }
    if wrong > 0 {
        Err(Failure::new(Exit::Failed, format!("{wrong} of 3 steps failed at {}", way.url)))
    } else {
        Ok(Exit::Fine)
    }
}
