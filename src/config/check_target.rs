//! What a check looks at, out of the keys that were typed for its type.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use http::header::{HeaderName, HeaderValue};
use regex::bytes::Regex;
use toml::Spanned;

use crate::model::{
    CheckKind, Endpoint, Expected, Family, HttpAddress, HttpTarget, PRESETS, ProcessTarget, Target, TcpStep, TcpTarget,
    TlsTarget, names_a_secret, preset,
};

use super::check_file::{CheckFile, StepFile};
use super::mistake::Mistake;
use super::resolved::expand_home;
use super::{ConfiguredSecret, SecretRef};

/// Headers whose values are kept elsewhere.
type SecretHeaders = Vec<(HeaderName, ConfiguredSecret)>;

/// The longest conversation.
const STEPS: usize = 32;
/// Redirects that are followed at most.
const REDIRECTS: u8 = 10;

/// The target of `kind` that `typed` describes. Relative paths are looked for in `dir`.
pub(super) fn target(
    typed: &CheckFile,
    kind: CheckKind,
    dir: Option<&Path>,
) -> Result<(Target, SecretHeaders), Mistake> {
    refuse_foreign(typed, kind)?;
    let missing = |key: &str, example: &str| {
        Mistake::at(&typed.kind, format!("a check of type `{kind}` needs `{key}`"))
            .help(format!("add: {key} = {example}"))
    };
    let family = match &typed.family {
        None => Family::Any,
        Some(family) => family.get_ref().parse().map_err(|error: String| Mistake::at(family, error))?,
    };
    let plain = |target| Ok((target, Vec::new()));
    match kind {
        CheckKind::Http => http(typed, family, dir, missing),
        CheckKind::Tcp => {
            let endpoint = endpoint(typed, None, missing)?;
            plain(Target::Tcp(TcpTarget { endpoint, family, script: script(typed)? }))
        }
        CheckKind::Tls => plain(Target::Tls(TlsTarget {
            endpoint: endpoint(typed, Some(443), missing)?,
            family,
            server_name: typed.server_name.as_ref().map(|name| name.get_ref().clone()),
            roots: roots(typed, dir),
        })),
        CheckKind::Process => match (&typed.process, &typed.pid_file) {
            (Some(name), None) => plain(Target::Process(ProcessTarget::Name(name.get_ref().clone()))),
            (None, Some(file)) => plain(Target::Process(ProcessTarget::PidFile(beside(file.get_ref(), dir)))),
            (Some(_), Some(file)) => {
                Err(Mistake::at(file, "`process` names it already").help("leave one of the two out"))
            }
            (None, None) => Err(missing("process", "\"nginx\"")),
        },
        CheckKind::Disk => {
            let path = typed.path.as_ref().ok_or_else(|| missing("path", "\"/\""))?;
            plain(Target::Disk(beside(path.get_ref(), dir)))
        }
        CheckKind::Memory => plain(Target::Memory),
        CheckKind::Load => plain(Target::Load),
    }
}

fn http(
    typed: &CheckFile,
    family: Family,
    dir: Option<&Path>,
    missing: impl Fn(&str, &str) -> Mistake,
) -> Result<(Target, SecretHeaders), Mistake> {
    let url = typed.url.as_ref().ok_or_else(|| missing("url", "\"https://example.org/health\""))?;
    let address: HttpAddress = url.get_ref().parse().map_err(|error| Mistake::at(url, format!("{error}")))?;
    let method = match &typed.method {
        None => http::Method::GET,
        Some(method) => {
            let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
            let found = known.iter().find(|name| **name == method.get_ref()).and_then(|name| name.parse().ok());
            found.ok_or_else(|| Mistake::at(method, format!("the methods are {}", known.join(", "))))?
        }
    };
    let redirects = match &typed.redirects {
        None => 0,
        Some(most) if *most.get_ref() <= REDIRECTS => *most.get_ref(),
        Some(most) => return Err(Mistake::at(most, format!("at most {REDIRECTS} redirects are followed"))),
    };
    let (headers, secrets) = headers(typed)?;
    let target = HttpTarget {
        method,
        headers,
        body: typed.body.as_ref().map(|body| body.get_ref().clone().into()).unwrap_or_default(),
        redirects,
        family,
        roots: roots(typed, dir),
        ..HttpTarget::get(address)
    };
    Ok((Target::Http(Box::new(target)), secrets))
}

fn headers(typed: &CheckFile) -> Result<(Vec<(HeaderName, HeaderValue)>, SecretHeaders), Mistake> {
    const REFERENCES: [&str; 4] = ["env:", "file:", "credential:", "cmd:"];
    let (mut headers, mut secrets, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (name, value) in &typed.headers {
        let header: HeaderName =
            name.get_ref().parse().map_err(|_| Mistake::at(name, "this is not the name of a header"))?;
        if ["content-length", "transfer-encoding", "connection", "upgrade"].contains(&header.as_str()) {
            return Err(Mistake::at(name, format!("the header {header} belongs to the connection; it cannot be set")));
        }
        if !seen.insert(header.clone()) {
            return Err(Mistake::at(name, format!("the header {header} is there twice")));
        }
        let text = value.get_ref();
        if REFERENCES.iter().any(|scheme| text.starts_with(scheme)) {
            let reference: SecretRef = text.parse().map_err(|error: String| Mistake::at(value, error))?;
            secrets.push((header, ConfiguredSecret { reference, not_after: None, span: Some(value.span()) }));
        } else if names_a_secret(header.as_str()) {
            // Its place is not shown: the file's line would show the value.
            return Err(Mistake::at(name, format!("the value of the header {header} is a secret")).help(
                "write where it is kept: \"env:NAME\", \"file:PATH\", \"credential:NAME\" or \"cmd:PROGRAM ARGS\"",
            ));
        } else {
            let value = HeaderValue::from_str(text).map_err(|_| Mistake::at(value, "this is not one line of text"))?;
            headers.push((header, value));
        }
    }
    Ok((headers, secrets))
}

fn endpoint(
    typed: &CheckFile,
    port: Option<u16>,
    missing: impl Fn(&str, &str) -> Mistake,
) -> Result<Endpoint, Mistake> {
    let host = typed.host.as_ref().ok_or_else(|| missing("host", "\"mail.example.org\""))?;
    let port = typed.port.as_ref().map(|port| *port.get_ref()).or(port).ok_or_else(|| missing("port", "25"))?;
    let text = host.get_ref();
    let bracketed = if text.contains(':') && !text.starts_with('[') { format!("[{text}]") } else { text.clone() };
    format!("{bracketed}:{port}").parse().map_err(|error| Mistake::at(host, format!("{error}")))
}

fn script(typed: &CheckFile) -> Result<Vec<TcpStep>, Mistake> {
    let send = |text: &str| TcpStep::Send(text.as_bytes().to_vec());
    let expect = |text: &str| TcpStep::Expect(Expected::Text(text.as_bytes().to_vec()));
    let twice =
        |key| Err(Mistake::at(key, "`preset`, `script`, and `send` with `expect` are three ways to say the same"));
    match (&typed.preset, &typed.script) {
        (Some(name), None) if typed.send.is_some() || typed.expect.is_some() => twice(name),
        (Some(name), None) => preset(name.get_ref()).ok_or_else(|| {
            Mistake::at(name, format!("unknown preset {:?}", name.get_ref()))
                .help(format!("there are {}", PRESETS.join(", ")))
        }),
        (Some(name), Some(_)) => twice(name),
        (None, Some(script)) => {
            if typed.send.is_some() || typed.expect.is_some() || script.get_ref().len() > STEPS {
                return Err(Mistake::at(
                    script,
                    format!("at most {STEPS} steps, without `send` and `expect` beside it"),
                ));
            }
            script.get_ref().iter().map(|one| step(script, one)).collect()
        }
        (None, None) => {
            let send = typed.send.as_ref().map(|text| send(text.get_ref()));
            Ok(send.into_iter().chain(typed.expect.as_ref().map(|text| expect(text.get_ref()))).collect())
        }
    }
}

fn step(script: &Spanned<Vec<StepFile>>, typed: &StepFile) -> Result<TcpStep, Mistake> {
    match (&typed.send, &typed.expect, &typed.matches) {
        (Some(text), None, None) => Ok(TcpStep::Send(text.as_bytes().to_vec())),
        (None, Some(text), None) => Ok(TcpStep::Expect(Expected::Text(text.as_bytes().to_vec()))),
        (None, None, Some(pattern)) => Regex::new(pattern)
            .map(|pattern| TcpStep::Expect(Expected::Pattern(pattern)))
            .map_err(|error| Mistake::at(script, format!("this is not a regular expression: {error}"))),
        _ => Err(Mistake::at(script, "a step is one of send, expect and matches")),
    }
}

fn roots(typed: &CheckFile, dir: Option<&Path>) -> Vec<PathBuf> {
    typed.roots.iter().flat_map(Spanned::get_ref).map(|path| beside(path, dir)).collect()
}

/// A relative path is one beside the configuration file.
fn beside(typed: &str, dir: Option<&Path>) -> PathBuf {
    let path = expand_home(typed);
    dir.map_or_else(|| path.clone(), |dir| dir.join(&path))
}

/// Refuses keys that mean nothing to `kind`: whoever wrote one expects it to do something.
fn refuse_foreign(typed: &CheckFile, kind: CheckKind) -> Result<(), Mistake> {
    use CheckKind::{Disk, Http, Process, Tcp, Tls};
    fn key<T>(value: Option<&Spanned<T>>) -> Option<std::ops::Range<usize>> {
        value.map(Spanned::span)
    }
    let keys = [
        (key(typed.url.as_ref()), "url", &[Http][..]),
        (key(typed.method.as_ref()), "method", &[Http]),
        (typed.headers.keys().next().map(Spanned::span), "headers", &[Http]),
        (key(typed.body.as_ref()), "body", &[Http]),
        (key(typed.redirects.as_ref()), "redirects", &[Http]),
        (key(typed.host.as_ref()), "host", &[Tcp, Tls]),
        (key(typed.port.as_ref()), "port", &[Tcp, Tls]),
        (key(typed.family.as_ref()), "family", &[Http, Tcp, Tls]),
        (key(typed.roots.as_ref()), "roots", &[Http, Tls]),
        (key(typed.server_name.as_ref()), "server_name", &[Tls]),
        (key(typed.preset.as_ref()), "preset", &[Tcp]),
        (key(typed.send.as_ref()), "send", &[Tcp]),
        (key(typed.expect.as_ref()), "expect", &[Tcp]),
        (key(typed.script.as_ref()), "script", &[Tcp]),
        (key(typed.path.as_ref()), "path", &[Disk]),
        (key(typed.process.as_ref()), "process", &[Process]),
        (key(typed.pid_file.as_ref()), "pid_file", &[Process]),
    ];
    for (span, name, kinds) in keys {
        if span.is_some() && !kinds.contains(&kind) {
            let of: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            let message = format!("a check of type `{kind}` has no `{name}`");
            return Err(Mistake { span, message, help: Some(format!("it is for {}", of.join(", "))) });
        }
    }
    Ok(())
}

/// A target in one line, without secrets.
#[must_use]
pub fn target_line(target: &Target) -> String {
    match target {
        Target::Http(target) if target.method == http::Method::GET => target.address.to_string(),
        Target::Http(target) => format!("{} {}", target.method, target.address),
        Target::Tcp(target) => target.endpoint.to_string(),
        Target::Tls(TlsTarget { endpoint, server_name: Some(name), .. }) => format!("{endpoint} ({name})"),
        Target::Tls(target) => target.endpoint.to_string(),
        Target::Process(ProcessTarget::Name(name)) => name.clone(),
        Target::Process(ProcessTarget::PidFile(path)) | Target::Disk(path) => path.display().to_string(),
        Target::Memory | Target::Load => "this machine".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::parse;
    use super::*;

    fn typed(keys: &str) -> Result<Target, Box<super::super::ConfigError>> {
        let config = parse(&format!("[[checks]]\nid = \"a\"\n{keys}"), Some(Path::new("/etc/aurora/config.toml")))?;
        Ok(config.health.checks[0].target.clone())
    }

    #[test]
    fn every_type_has_its_target() {
        let cases = [
            ("type = \"http\"\nurl = \"https://example.org/a?token=x\"\n", "https://example.org/a?token=***"),
            (
                "type = \"http\"\nurl = \"http://[::1]:8080\"\nmethod = \"HEAD\"\nredirects = 3\n",
                "HEAD http://[::1]:8080/",
            ),
            ("type = \"tcp\"\nhost = \"::1\"\nport = 25\npreset = \"smtp\"\nfamily = \"ipv6\"\n", "[::1]:25"),
            (
                "type = \"tls\"\nhost = \"example.org\"\nserver_name = \"www.example.org\"\n",
                "example.org:443 (www.example.org)",
            ),
            ("type = \"process\"\nprocess = \"nginx\"\n", "nginx"),
            ("type = \"process\"\npid_file = \"run/a.pid\"\n", "/etc/aurora/run/a.pid"),
            ("type = \"disk\"\npath = \"/srv\"\n", "/srv"),
            ("type = \"memory\"\n", "this machine"),
            ("type = \"load\"\n", "this machine"),
        ];
        for (keys, line) in cases {
            let target = typed(keys).unwrap_or_else(|error| panic!("{keys}: {error}"));
            assert_eq!(target_line(&target), line);
        }
    }

    #[test]
    fn conversations_are_written_in_three_ways() {
        let said = |keys: &str| match typed(&format!("type = \"tcp\"\nhost = \"a\"\nport = 1\n{keys}")) {
            Ok(Target::Tcp(target)) => Ok(target.script.len()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.message),
        };
        assert_eq!(said(""), Ok(0));
        assert_eq!(said("send = \"PING\\r\\n\"\nexpect = \"+PONG\"\n"), Ok(2));
        assert_eq!(said("script = [{ matches = \"^220 \" }, { send = \"QUIT\\r\\n\" }]\n"), Ok(2));
        assert_eq!(said("preset = \"smtp\"\n"), Ok(3));
        for bad in [
            "preset = \"smtp\"\nsend = \"x\"\n",
            "preset = \"gopher\"\n",
            "script = [{}]\n",
            "script = [{ send = \"x\", expect = \"y\" }]\n",
            "script = [{ matches = \"(\" }]\n",
            "script = [{ send = \"x\" }]\nexpect = \"y\"\n",
        ] {
            assert!(said(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_of_another_type_and_missing_ones_are_named() {
        let message = |keys: &str| typed(keys).expect_err(keys).message.clone();
        assert_eq!(message("type = \"load\"\nurl = \"http://a/\"\n"), "a check of type `load` has no `url`");
        assert_eq!(
            message("type = \"http\"\nurl = \"http://a/\"\npath = \"/\"\n"),
            "a check of type `http` has no `path`"
        );
        assert_eq!(message("type = \"http\"\n"), "a check of type `http` needs `url`");
        assert_eq!(message("type = \"tcp\"\nhost = \"a\"\n"), "a check of type `tcp` needs `port`");
        assert!(message("type = \"http\"\nurl = \"http://a/\"\nmethod = \"get\"\n").contains("GET, HEAD"));
        assert!(message("type = \"http\"\nurl = \"http://a/\"\nredirects = 11\n").contains("at most 10"));
    }

    #[test]
    fn secrets_in_headers_are_references_and_are_not_shown() {
        let keys = |value: &str| {
            format!(
                "type = \"http\"\nurl = \"http://a/\"\nheaders = {{ Authorization = \"{value}\", accept = \"*/*\" }}\n"
            )
        };
        let text = format!("[[checks]]\nid = \"a\"\n{}", keys("env:HEALTH_TOKEN_THAT_IS_NOT_SET"));
        let config = parse(&text, None).expect("a reference");
        let check = &config.health.checks[0];
        assert_eq!(check.secret_headers.len(), 1);
        let error = config.check_target(check).expect_err("it is not set");
        assert!(error.message.contains("check `a`") && error.position() == Some((5, 29)), "{error}");
        assert!(typed(&keys("Bearer hunter2")).expect_err("a literal").message.contains("is a secret"));
        let twice = "type = \"http\"\nurl = \"http://a/\"\nheaders = { accept = \"a\", Accept = \"b\" }\n";
        assert!(typed(twice).expect_err("twice").message.contains("there twice"));
    }
}
