//! What a certificate says, and why it is not trusted.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::model::{Value, short_duration};
use crate::net::{Distrust, Shown};

use super::record::Record;

/// Names of other hosts that are listed.
const LISTED: usize = 3;

/// Writes down what `shown` says about the server `host` at `now`; answers why it is not trusted.
pub(super) fn write_down(shown: &Shown, host: &str, now: Timestamp, record: &mut Record) -> Option<String> {
    let certificates: Vec<X509Certificate<'_>> = shown
        .chain
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok())
        .map(|(_, certificate)| certificate)
        .collect();
    record.value("tls_version", Value::Number(shown.version));
    record.value("cert_trusted", Value::Bool(shown.distrust.is_none()));
    record.value("cert_host_matches", Value::Bool(shown.host_matches));
    let Some(own) = certificates.first().filter(|_| certificates.len() == shown.chain.len()) else {
        let why = "certificate that cannot be read".to_owned();
        record.remark("cert_trusted", why.clone());
        return Some(why);
    };
    let left = left(own, now);
    let (begin, end) = (own.validity().not_before.timestamp(), own.validity().not_after.timestamp());
    let life = Duration::from_secs(u64::try_from(end.saturating_sub(begin)).unwrap_or_default());
    record.value("cert_expires", Value::Duration(left));
    if !life.is_zero() {
        record.value("cert_lifetime_left", Value::Percent(100.0 * left.as_secs_f64() / life.as_secs_f64()));
    }
    record.value("cert_subject", Value::Text(name(own.subject())));
    record.value("cert_issuer", Value::Text(name(own.issuer())));
    record.value("cert_sha256", Value::Text(hex::encode(Sha256::digest(&shown.chain[0]))));
    let path = path(&certificates);
    record.value("chain_expires", Value::Duration(path.iter().map(|one| self::left(one, now)).min().unwrap_or(left)));
    for one in &path {
        record.step(format!("certificate of {}, {}", name(one.subject()), time_words(one, now)));
    }
    if certificates.len() > path.len() {
        record.step(format!("{} more certificates that are not part of its path", certificates.len() - path.len()));
    }
    let why = shown.distrust.as_ref().map(|distrust| words(distrust, shown, &certificates, &path, host, now));
    match &why {
        Some(why) => record.remark("cert_trusted", why.clone()),
        None => record.remark("cert_lifetime_left", time_words(own, now)),
    }
    why
}

/// The server's own certificate and those that sign it, as far as the server sends them.
fn path<'a, 'b>(certificates: &'b [X509Certificate<'a>]) -> Vec<&'b X509Certificate<'a>> {
    let mut path: Vec<&X509Certificate<'_>> = Vec::new();
    let mut next = certificates.first();
    while let Some(one) = next {
        path.push(one);
        let signs = |other: &&X509Certificate<'_>| other.subject().as_raw() == one.issuer().as_raw();
        next = certificates.iter().filter(signs).find(|other| !path.iter().any(|known| std::ptr::eq(*known, *other)));
    }
    path
}

fn left(certificate: &X509Certificate<'_>, now: Timestamp) -> Duration {
    let seconds = certificate.validity().not_after.timestamp().saturating_sub(now.as_second());
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

fn time_words(certificate: &X509Certificate<'_>, now: Timestamp) -> String {
    let end = certificate.validity().not_after.timestamp();
    let begin = certificate.validity().not_before.timestamp();
    let distance = |from: i64, to: i64| Duration::from_secs(u64::try_from(to.saturating_sub(from)).unwrap_or_default());
    let now = now.as_second();
    if end < now {
        format!("expired {} ago", short_duration(distance(end, now)))
    } else if begin > now {
        format!("not valid for another {}", short_duration(distance(now, begin)))
    } else {
        format!("expires in {}", short_duration(distance(now, end)))
    }
}

fn words(
    distrust: &Distrust,
    shown: &Shown,
    certificates: &[X509Certificate<'_>],
    path: &[&X509Certificate<'_>],
    host: &str,
    now: Timestamp,
) -> String {
    let own = &certificates[0];
    let is_over = |one: &X509Certificate<'_>| one.validity().not_after.timestamp() < now.as_second();
    let mut reasons = Vec::new();
    match distrust {
        Distrust::Expired | Distrust::NotYet => {
            let culprit = path.iter().find(|one| is_over(one)).unwrap_or(&own);
            let whose =
                if std::ptr::eq(*culprit, own) { String::new() } else { format!("{} ", name(culprit.subject())) };
            reasons.push(format!("{whose}{}", time_words(culprit, now)));
        }
        Distrust::OtherHost => {}
        Distrust::UnknownIssuer if own.subject() == own.issuer() => reasons.push("self-signed".to_owned()),
        Distrust::UnknownIssuer if certificates.len() == 1 => {
            reasons.push(format!("unknown issuer {}, and the server sends no intermediate", name(own.issuer())));
        }
        Distrust::UnknownIssuer => {
            let last = path.last().unwrap_or(&own);
            reasons.push(format!("unknown issuer {}", name(last.issuer())));
        }
        Distrust::Other(why) => reasons.push(why.clone()),
    }
    // One that is not trusted for another reason may be over or for another host as well.
    if !matches!(distrust, Distrust::Expired | Distrust::NotYet) && is_over(own) {
        reasons.push(time_words(own, now));
    }
    if !shown.host_matches {
        reasons.push(format!("for {}, not for {host}", hosts(own)));
    }
    reasons.join(" and ")
}

/// The hosts a certificate is for.
fn hosts(certificate: &X509Certificate<'_>) -> String {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let hosts: Vec<String> = names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect();
    match hosts.len() {
        0 => "no host".to_owned(),
        count if count > LISTED => format!("{} and {} more", hosts[..LISTED].join(", "), count - LISTED),
        _ => hosts.join(", "),
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| std::net::Ipv4Addr::from(bytes).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| std::net::Ipv6Addr::from(bytes).to_string())).ok()
}

/// The common name, or everything when there is none.
fn name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|common| common.as_str().ok());
    common.map_or_else(|| name.to_string(), str::to_owned)
}
