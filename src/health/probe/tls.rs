//! The handshake, and the certificate a server shows in it.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::model::{Phase, TlsTarget};

use super::Tools;
use super::certificate;
use super::connect::connect;
use super::failure::Failure;
use super::record::Record;

/// Reads the certificate behind a port; one that is not trusted is read as well, and `cert_trusted` is false.
pub(super) async fn look(
    target: &TlsTarget,
    timeout: Duration,
    tools: &Tools,
    record: &mut Record,
) -> Result<(), Failure> {
    let tcp = connect(&target.endpoint, target.family, timeout, tools, record).await?;
    let name = target.server_name.as_ref().unwrap_or(&target.endpoint.host);
    handshake(name, tcp, &target.roots, tools, record).await.map(|_| ())
}

/// Shakes hands as with the server `name`; answers why its certificate is not trusted, when it is not.
pub(super) async fn handshake(
    name: &str,
    tcp: TcpStream,
    roots: &[PathBuf],
    tools: &Tools,
    record: &mut Record,
) -> Result<(TlsStream<TcpStream>, Option<String>), Failure> {
    record.waiting("waiting for trusted roots");
    let tls = tools.tls(roots).await?;
    record.begin(Phase::Tls, "shaking hands");
    let now = Timestamp::now();
    let since_1970 = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
    let (stream, shown) =
        tls.handshake(name, tcp, since_1970).await.map_err(|error| Failure::critical(error.to_string()))?;
    record.end();
    record.step(format!("TLS {} with {name}", shown.version));
    let distrust = certificate::write_down(&shown, name, now, record);
    Ok((stream, distrust))
}
