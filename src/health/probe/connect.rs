//! From a name to a connection, each part timed.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::model::{Endpoint, Family, Phase, Value};

use super::Tools;
use super::failure::{Failure, words};
use super::record::Record;

/// Addresses of one name that are tried.
const TRIED: usize = 4;

/// Connects to `endpoint`: the addresses of its name one after another, as the resolver orders them.
///
/// While there is another address to try, one may take no more than its share of the time.
pub(super) async fn connect(
    endpoint: &Endpoint,
    family: Family,
    timeout: Duration,
    tools: &Tools,
    record: &mut Record,
) -> Result<TcpStream, Failure> {
    let addresses = resolve(endpoint, family, tools, record).await?;
    let mut failed = None;
    for (number, address) in addresses.iter().enumerate() {
        record.begin(Phase::Connect, format!("connecting to {address}"));
        let attempt = TcpStream::connect(address);
        let others = u32::try_from(addresses.len() - number - 1).unwrap_or_default();
        // The last one has all the time that is left; the whole look ends with it.
        let result = match others {
            0 => Ok(attempt.await),
            _ => tokio::time::timeout(timeout.saturating_sub(record.elapsed()) / (others + 1), attempt).await,
        };
        let why = match result {
            Ok(Ok(stream)) => {
                record.end();
                record.step(format!("connected to {address}"));
                record.value("ip", Value::Text(address.ip().to_string()));
                // Without it a small request may wait for the next packet; a failure costs only that.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => Failure::io(&address.to_string(), &error),
            Err(_) => Failure::critical(format!("{address}: no answer")),
        };
        record.step(&why.cause);
        failed = Some(why);
    }
    record.end();
    let none = || Failure::critical(format!("{} has no address of this family", endpoint.host));
    Err(failed.unwrap_or_else(none))
}

async fn resolve(
    endpoint: &Endpoint,
    family: Family,
    tools: &Tools,
    record: &mut Record,
) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(address) = endpoint.host.parse::<IpAddr>() {
        let found = family.allows(address).then(|| SocketAddr::new(address, endpoint.port));
        return Ok(found.into_iter().collect());
    }
    record.begin(Phase::Dns, format!("looking up {}", endpoint.host));
    let host = (endpoint.host.clone(), endpoint.port);
    let permit = Arc::clone(&tools.lookups).acquire_owned().await;
    // The permit goes with the thread that waits for the resolver, which outlives a look that gave up.
    let looked_up = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        host.to_socket_addrs().map(Iterator::collect::<Vec<_>>)
    });
    let found = looked_up.await.map_err(|error| Failure::unknown(format!("the lookup broke off: {error}")))?;
    record.end();
    let mut found = found.map_err(|error| {
        let text = words(&error);
        let text = text.trim_start_matches("failed to lookup address information: ");
        Failure::critical(format!("looking up {}: {text}", endpoint.host))
    })?;
    found.retain(|address| family.allows(address.ip()));
    found.dedup();
    found.truncate(TRIED);
    record.step(format!("{} is {}", endpoint.host, list(&found)));
    Ok(found)
}

fn list(addresses: &[SocketAddr]) -> String {
    if addresses.is_empty() {
        return "no address of this family".to_owned();
    }
    addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ")
}
