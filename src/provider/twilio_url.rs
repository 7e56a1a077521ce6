//! The addresses Twilio may have signed.
//!
//! Its signers do not agree on ports and queries, so its own libraries try several forms (twilio-node, `webhooks.ts`;
//! twilio-python, `request_validator.py`). All of them come from the configured address, never from the header `Host`.

use super::urlencoded::unescape;

/// One address that may have been signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The address.
    pub url: String,
    /// What was done to its port, and what to its query.
    how: [&'static str; 2],
}

impl Candidate {
    /// How it was made: `default port added, ' as %27`.
    pub(super) fn how(&self) -> String {
        self.how.join(", ")
    }
}

/// Every form of `address` with `query`, each once; the form as it came is the first.
pub(super) fn candidates(address: &str, query: &str) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let queries = queries(query);
    for (address, port) in addresses(address) {
        for (query, form) in &queries {
            let url = if query.is_empty() { address.clone() } else { format!("{address}?{query}") };
            if candidates.iter().all(|candidate| candidate.url != url) {
                candidates.push(Candidate { url, how: [port, form] });
            }
        }
    }
    candidates
}

/// The address as it is, without its port, and with the port its scheme has.
fn addresses(address: &str) -> Vec<(String, &'static str)> {
    let mut all = vec![(address.to_owned(), "as configured")];
    let Some((scheme, rest)) = address.split_once("://") else { return all };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // An IPv6 address has colons of its own, within brackets; a name and password may have one before the `@`.
    let host = authority.rfind('@').map_or(0, |at| at + 1);
    let bracket = authority.rfind(']').unwrap_or(host).max(host);
    match authority[bracket..].find(':') {
        Some(colon) => all.push((format!("{scheme}://{}{path}", &authority[..bracket + colon]), "port left out")),
        None => {
            let port = if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 };
            all.push((format!("{scheme}://{authority}:{port}{path}"), "default port added"));
        }
    }
    all
}

/// The query as it is, as browsers write it, and taken apart and written again in the two usual ways.
fn queries(query: &str) -> Vec<(String, &'static str)> {
    const AS_IT_CAME: &str = "query as it came";
    if query.is_empty() {
        return vec![(String::new(), AS_IT_CAME)];
    }
    let mut browser = query.to_owned();
    for (plain, encoded) in [('\'', "%27"), ('"', "%22"), ('<', "%3C"), ('>', "%3E")] {
        browser = browser.replace(plain, encoded);
    }
    let form = written_again(query);
    let mut legacy = form.replace('+', "%20");
    for (encoded, plain) in [("%21", "!"), ("%27", "'"), ("%28", "("), ("%29", ")"), ("%7E", "~")] {
        legacy = legacy.replace(encoded, plain);
    }
    vec![
        (query.to_owned(), AS_IT_CAME),
        (browser, "' as %27"),
        (form, "query written again with +"),
        (legacy, "query written again with %20"),
    ]
}

fn written_again(query: &str) -> String {
    let write = |bytes: &[u8]| form_urlencoded::byte_serialize(bytes).collect::<String>();
    pairs(query.as_bytes())
        .map(|(name, value)| format!("{}={}", write(&name), write(&value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Names and values of a form, decoded to their exact bytes: what is not UTF-8 is not replaced.
pub(super) fn pairs(form: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let middle = memchr::memchr(b'=', pair);
        let (name, value) = middle.map_or((pair, &[][..]), |middle| (&pair[..middle], &pair[middle + 1..]));
        (unescape(name, true), unescape(value, true))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(address: &str, query: &str) -> Vec<String> {
        candidates(address, query).into_iter().map(|candidate| candidate.url).collect()
    }

    #[test]
    fn ports_are_left_out_or_added() {
        let cases = [
            ("https://a.example/x", vec!["https://a.example/x", "https://a.example:443/x"]),
            ("http://a.example/x", vec!["http://a.example/x", "http://a.example:80/x"]),
            ("https://a.example:8443/x", vec!["https://a.example:8443/x", "https://a.example/x"]),
            ("https://a.example", vec!["https://a.example", "https://a.example:443"]),
            ("https://u:p@a.example/x", vec!["https://u:p@a.example/x", "https://u:p@a.example:443/x"]),
            ("http://[::1]/x", vec!["http://[::1]/x", "http://[::1]:80/x"]),
            ("http://[::1]:9297/x", vec!["http://[::1]:9297/x", "http://[::1]/x"]),
            ("", vec![""]),
        ];
        for (address, expected) in cases {
            assert_eq!(urls(address, ""), expected);
        }
    }

    #[test]
    fn queries_are_written_in_every_usual_way() {
        let written = urls("x", "b=It's+(me)&a=%7e&c");
        let expected = [
            "x?b=It's+(me)&a=%7e&c",
            "x?b=It%27s+(me)&a=%7e&c",
            "x?b=It%27s+%28me%29&a=%7E&c=",
            "x?b=It's%20(me)&a=~&c=",
        ];
        assert_eq!(written, expected);
        assert_eq!(urls("x", "foo=1&bar=2"), ["x?foo=1&bar=2"], "each form once");
    }

    #[test]
    fn bytes_that_are_no_text_stay_what_they_are() {
        let decoded: Vec<_> = pairs(b"a=%FF+b&&c&=d&e=f=%zz").collect();
        let expected: [(&[u8], &[u8]); 4] = [(b"a", b"\xff b"), (b"c", b""), (b"", b"d"), (b"e", b"f=%zz")];
        assert_eq!(decoded, expected.map(|(name, value)| (name.to_vec(), value.to_vec())));
    }
}
