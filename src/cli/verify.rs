//! `aurora channel verify`: a captured request against the channel's secrets.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;

use crate::config::Config;
use crate::model::ChannelId;
use crate::provider::{Form, FormDecoder, RawRequest};

use super::exit::{Exit, Failure, Outcome};
use super::{output, send_test};

pub(super) fn run(config: &Config, id: &ChannelId, file: &Path, at: Option<Timestamp>, explain: bool) -> Outcome {
    let channel = send_test::channel(config, id)?;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(|error| Failure::usage(format!("failed to read {}: {error}", file.display())))?;
    }
    let captured = parse(&bytes).map_err(|why| Failure::usage(format!("{}: {why}", file.display())))?;
    let doors = channel.config.doors(config.ingress);
    // A proxy may have rewritten the path: then the channel's own is what its provider was told.
    let door = doors.iter().find(|(_, path)| *path == captured.path).or(doors.last());
    let told = door.map(|(address, path)| config.told(&channel.config, *address, path)).unwrap_or_default();
    let mut request = RawRequest { address: told.into(), ..captured.request };
    if channel.provider.takes_forms() && FormDecoder::reads(request.media_type().as_deref()) {
        let content_type = request.one("content-type").ok().flatten().unwrap_or_default();
        let form = Form::decode(content_type, &request.body);
        let form = form.map_err(|why| Failure::new(Exit::Failed, format!("refused (malformed-body): {why}")))?;
        request.form = Some(form);
    }
    let now = at.unwrap_or_else(Timestamp::now);
    match channel.provider.verify(&channel.secrets, &request, now) {
        Ok(verified) if channel.is_enough(verified.assurance) => {
            output::line(&format!("verified: {}", verified.assurance))?;
            for envelope in channel.provider.identify(&request, &verified) {
                let key = envelope.key.as_deref().unwrap_or("(none)");
                output::line(&format!("event: {}  key: {key}", envelope.kind))?;
                if let Some(cause) = envelope.dead {
                    output::line(&format!("it would be a dead letter: {cause}"))?;
                }
            }
            Ok(Exit::Fine)
        }
        Ok(verified) => Err(Failure::new(
            Exit::Failed,
            format!("refused (assurance): the signature proves only `{}`", verified.assurance),
        )),
        Err(rejected) => {
            if explain {
                output::line(&format!("address: {}", request.address))?;
                output::line(&format!("body: {} bytes", request.body.len()))?;
                for tried in &rejected.tried {
                    output::line(tried)?;
                }
            }
            Err(Failure::new(Exit::Failed, format!("refused ({}): {}", rejected.reason.as_str(), rejected.detail)))
        }
    }
}

/// A request as it was written down.
#[derive(Debug)]
struct Captured {
    /// The path it was sent to.
    path: String,
    /// The request, without the address its provider was told.
    request: RawRequest,
}

/// Reads a request as it is written down: request line, headers, empty line, body. Line ends are `\n` or `\r\n`.
fn parse(bytes: &[u8]) -> Result<Captured, String> {
    let mut rest = bytes;
    let mut line = || -> Option<&[u8]> {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    };
    let first = line().ok_or("it is empty")?;
    let first = String::from_utf8_lossy(first).into_owned();
    let mut words = first.split(' ');
    let method =
        words.next().and_then(|word| word.parse::<Method>().ok()).ok_or("the first line is no request line")?;
    let target = words.next().ok_or("the request line names no path")?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut headers = HeaderMap::new();
    loop {
        let header = line().ok_or("there is no empty line between headers and body")?;
        if header.is_empty() {
            break;
        }
        let text = String::from_utf8_lossy(header);
        let (name, value) = text.split_once(':').ok_or_else(|| format!("{text:?} is no header"))?;
        let name: HeaderName = name.trim().parse().map_err(|_| format!("{name:?} is no header name"))?;
        let value =
            HeaderValue::from_str(value.trim()).map_err(|_| format!("the value of {name} is no header value"))?;
        headers.append(name, value);
    }
    let request =
        RawRequest { method, address: "".into(), query, headers, body: Bytes::copy_from_slice(rest), form: None };
    Ok(Captured { path, request })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_request_is_read_and_its_body_untouched() {
        let Captured { path, request } =
            parse(b"POST /x?a=1 HTTP/1.1\r\nX-A: 1\r\nX-A: 2\r\n\r\nbody\r\n\r\n\xff").expect("a request");
        assert_eq!(path, "/x");
        assert_eq!(request.query, "a=1");
        assert_eq!(request.headers.get_all("x-a").iter().count(), 2);
        assert_eq!(&request.body[..], b"body\r\n\r\n\xff");
        for bad in [&b""[..], b"POST\n\n", b"POST / HTTP/1.1\nno colon\n\n", b"POST / HTTP/1.1\nA: b\n"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
