//! From a name to a connection, each part timed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::model::{Endpoint, Family, Phase, Value};

use super::Tools;
use super::failure::Failure;
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
    let addresses = tools.lookups.addresses(&endpoint.host, record).await?;
    let mut found: Vec<SocketAddr> =
        addresses.into_iter().map(|address| SocketAddr::new(address, endpoint.port)).collect();
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
