//! `[[checks]]` and `[health]` as they were typed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::federation_file::VantageFile;

/// `[[checks]]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckFile {
    /// Its name, on screens and in commands.
    #[schemars(with = "String")]
    pub id: Spanned<String>,
    /// `http`, `tcp`, `tls`, `process`, `disk`, `memory` or `load`.
    #[serde(rename = "type")]
    #[schemars(with = "String")]
    pub kind: Spanned<String>,
    /// Whether it is looked at; yes when absent.
    pub enabled: Option<bool>,
    /// Time between two looks, 30s when absent.
    #[schemars(with = "Option<String>")]
    pub interval: Option<Spanned<String>>,
    /// Time a look may take; when absent 80 % of the interval, at most 10s.
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Spanned<String>>,
    /// Time to the next look after a failure that is not confirmed yet; the interval when absent.
    #[schemars(with = "Option<String>")]
    pub retry: Option<Spanned<String>>,
    /// Critical unless this holds.
    #[schemars(with = "Option<String>")]
    pub when: Option<Spanned<String>>,
    /// A warning unless this holds.
    #[schemars(with = "Option<String>")]
    pub warn: Option<Spanned<String>>,
    /// How many results confirm another state.
    #[schemars(with = "Option<AlertFile>")]
    pub alert: Option<Spanned<AlertFile>>,
    /// In place of `alert.fail`: so many failures among so many results.
    #[schemars(with = "Option<[u32; 2]>")]
    pub m_of_n: Option<Spanned<[u32; 2]>>,
    /// Which nodes look at the same, and how many of them have to agree that it is down.
    #[schemars(with = "Option<VantageFile>")]
    pub vantage: Option<Spanned<VantageFile>>,
    /// `http`: the address.
    #[schemars(with = "Option<String>")]
    pub url: Option<Spanned<String>>,
    /// `http`: the method, GET when absent.
    #[schemars(with = "Option<String>")]
    pub method: Option<Spanned<String>>,
    /// `http`: headers; a value may be a reference to a secret.
    #[schemars(with = "BTreeMap<String, String>")]
    #[serde(default)]
    pub headers: BTreeMap<Spanned<String>, Spanned<String>>,
    /// `http`: the body.
    #[schemars(with = "Option<String>")]
    pub body: Option<Spanned<String>>,
    /// `http`: redirects that are followed, none when absent.
    #[schemars(with = "Option<u8>")]
    pub redirects: Option<Spanned<u8>>,
    /// `tcp` and `tls`: the name or address.
    #[schemars(with = "Option<String>")]
    pub host: Option<Spanned<String>>,
    /// `tcp` and `tls`: the port; 443 for `tls` when absent.
    #[schemars(with = "Option<u16>")]
    pub port: Option<Spanned<u16>>,
    /// `http`, `tcp` and `tls`: `any`, `ipv4` or `ipv6`.
    #[schemars(with = "Option<String>")]
    pub family: Option<Spanned<String>>,
    /// `http` and `tls`: PEM files of roots that are trusted beside those of the platform.
    #[schemars(with = "Option<Vec<String>>")]
    pub roots: Option<Spanned<Vec<String>>>,
    /// `tls`: the name that must be in the certificate, when it is not `host`.
    #[schemars(with = "Option<String>")]
    pub server_name: Option<Spanned<String>>,
    /// `tcp`: a conversation that is built in: `imap`, `pop3`, `redis`, `smtp` or `ssh`.
    #[schemars(with = "Option<String>")]
    pub preset: Option<Spanned<String>>,
    /// `tcp`: what is said first.
    #[schemars(with = "Option<String>")]
    pub send: Option<Spanned<String>>,
    /// `tcp`: what has to come then.
    #[schemars(with = "Option<String>")]
    pub expect: Option<Spanned<String>>,
    /// `tcp`: a longer conversation.
    #[schemars(with = "Option<Vec<StepFile>>")]
    pub script: Option<Spanned<Vec<StepFile>>>,
    /// `disk`: any path on the file system.
    #[schemars(with = "Option<String>")]
    pub path: Option<Spanned<String>>,
    /// `process`: its name.
    #[schemars(with = "Option<String>")]
    pub process: Option<Spanned<String>>,
    /// `process`: the file that holds its number.
    #[schemars(with = "Option<String>")]
    pub pid_file: Option<Spanned<String>>,
}

/// `alert`
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertFile {
    /// Failures in a row that confirm a worse state, 3 when absent.
    pub fail: Option<u32>,
    /// Successes in a row that confirm a better one, 2 when absent.
    pub ok: Option<u32>,
}

/// One step of `script`: one of the three.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepFile {
    /// Says this.
    pub send: Option<String>,
    /// Reads until this comes.
    pub expect: Option<String>,
    /// Reads until this regular expression matches.
    pub matches: Option<String>,
}

/// `[health]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthFile {
    /// Addresses that answer while this machine's own network works.
    #[schemars(with = "Vec<String>")]
    pub witnesses: Vec<Spanned<String>>,
    /// How many of them have to answer, 1 when absent.
    #[schemars(with = "Option<u32>")]
    pub need: Option<Spanned<u32>>,
}
