//! Who sent a request that came through proxies.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::config::Cidr;

/// The header in which each proxy appends the address it was called from.
///
/// `Forwarded` (RFC 7239) is not read: a proxy that writes the one passes the other on as its sender wrote it.
const HOPS: &str = "x-forwarded-for";

/// The address a request comes from: `peer`, unless that is one of the `trusted` proxies.
///
/// Then it is the last hop that is none of them, as what stands before it was written by somebody unknown. When all
/// are, it is the first. A hop that is no address, and no hop at all, leave `peer`.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    let peer = peer.to_canonical();
    if !is_trusted(peer) {
        return peer;
    }
    let mut first = peer;
    // Lines of one header are one list, in order (RFC 9110, section 5.3).
    for line in headers.get_all(HOPS).iter().rev() {
        // A line may hold other bytes than text, in hops that nobody looks at.
        for hop in line.as_bytes().rsplit(|byte| *byte == b',') {
            match address(hop) {
                None => return peer,
                Some(hop) if !is_trusted(hop) => return hop,
                Some(hop) => first = hop,
            }
        }
    }
    first
}

/// An address as proxies write it: bare, in brackets, with a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let parsed = bare.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|socket| socket.ip()));
    parsed.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The client behind `lines` of the header, as a proxy at `peer` sent them.
    fn behind(peer: &str, lines: &[&str]) -> String {
        let trusted: Vec<Cidr> =
            ["127.0.0.1", "10.0.0.0/8", "2001:db8:aa::/48"].map(|r| r.parse().expect("a range")).into();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HOPS, HeaderValue::from_bytes(line.as_bytes()).expect("a value"));
        }
        client_address(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn the_last_hop_that_is_no_proxy_is_the_client() {
        let cases: &[(&[&str], &str)] = &[
            (&["203.0.113.9"], "203.0.113.9"),
            (&["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9, 10.1.2.3"], "203.0.113.9"),
            (&["198.51.100.1,203.0.113.9,10.1.2.3 , 127.0.0.1"], "203.0.113.9"),
            (&["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["2001:db8::9"], "2001:db8::9"),
            (&["[2001:db8::9]"], "2001:db8::9"),
            (&["[2001:db8::9]:4711"], "2001:db8::9"),
            (&["2001:db8::9, 2001:db8:aa::1"], "2001:db8::9"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9, ::ffff:10.1.2.3"], "203.0.113.9"),
        ];
        for (lines, client) in cases {
            assert_eq!(behind("127.0.0.1", lines), *client, "{lines:?}");
        }
        assert_eq!(behind("::ffff:127.0.0.1", &["203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn lines_are_joined_in_order() {
        assert_eq!(behind("127.0.0.1", &["198.51.100.1", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(behind("127.0.0.1", &["203.0.113.9", "10.1.2.3, 10.1.2.4"]), "203.0.113.9");
    }

    #[test]
    fn what_the_sender_wrote_before_a_proxy_changes_nothing() {
        for forged in ["127.0.0.1", "10.0.0.1", "nonsense", "", "198.51.100.1", "\u{e9}"] {
            assert_eq!(behind("127.0.0.1", &[&format!("{forged}, 203.0.113.9")]), "203.0.113.9", "{forged:?}");
            assert_eq!(behind("127.0.0.1", &[forged, "203.0.113.9"]), "203.0.113.9", "{forged:?}");
        }
    }

    #[test]
    fn what_is_no_address_leaves_the_proxy() {
        let long = "1, ".repeat(20_000);
        for line in
            ["", "unknown", "203.0.113.999", "203.0.113.9:x", "[203.0.113.9", "203.0.113.9,", "fe80::1%eth0", &long]
        {
            assert_eq!(behind("127.0.0.1", &[line]), "127.0.0.1", "{line:?}");
        }
        assert_eq!(behind("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(behind("127.0.0.1", &["203.0.113.9, unknown, 10.0.0.1"]), "127.0.0.1");
    }

    #[test]
    fn nobody_else_is_believed() {
        assert_eq!(behind("198.51.100.7", &["203.0.113.9"]), "198.51.100.7");
        assert_eq!(behind("127.0.0.2", &["203.0.113.9"]), "127.0.0.2");
        assert_eq!(client_address([127, 0, 0, 1].into(), &HeaderMap::new(), &[]).to_string(), "127.0.0.1");
    }
}
