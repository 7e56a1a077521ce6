//! Which answers the link believes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::federation::{EventLink, LinkError};

use super::rig::{Hub, Party, ask, link, trusting};

/// Somebody who answers every connection with these bytes, and then `more` of it every second.
async fn somebody(bytes: Vec<u8>, more: Option<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(&bytes).await;
                while let Some(byte) = more {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    if stream.write_all(&[byte]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// Whether an error is the one that was expected.
type Fits = fn(&LinkError) -> bool;

#[tokio::test]
async fn only_a_signed_answer_is_believed() {
    let (me, hub) = (Party::new("hub-2"), Party::new("hub-1"));
    let page = br#"{"node":"hub-1","epoch":"epo_00000000000000000000000000000001","events":[],"head":null,"high":9,"low":1,"more":false,"hops":0}"#;
    let answers = |status: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let unusable: Fits = |error| matches!(error, LinkError::Unusable(_));
    let cases: [(&str, Vec<u8>, Fits); 5] = [
        ("unsigned", answers("200 OK", page), unusable),
        ("redirected", answers("302 Found", b""), unusable),
        ("too long", answers("200 OK", &vec![b' '; 2 << 20]), unusable),
        ("busy", answers("503 Service Unavailable", b""), |error| matches!(error, LinkError::Unreachable(_))),
        ("unknown", answers("401 Unauthorized", b""), |error| matches!(error, LinkError::Refused(_))),
    ];
    for (what, bytes, fits) in cases {
        let address = somebody(bytes, None).await;
        let error = link(address, &me, trusting(&hub)).page(&ask(0)).await.expect_err(what);
        assert!(fits(&error), "{what}: {error}");
    }
    let nobody = link("127.0.0.1:1".parse().expect("an address"), &me, trusting(&hub));
    assert!(matches!(nobody.beat(&me.beat()).await, Err(LinkError::Unreachable(_))));
    // The right node, answering with a key that is not pinned.
    let real = Hub::new(&[&me]).await;
    let error = link(real.address, &me, trusting(&hub)).beat(&me.beat()).await.expect_err("another key");
    assert!(unusable(&error), "{error}");
    assert!(hub.dir.path().exists());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_trickles_its_answer_is_given_up() {
    let (me, hub) = (Party::new("hub-2"), Party::new("hub-1"));
    let endless = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_vec();
    let address = somebody(endless, Some(b' ')).await;
    let started = tokio::time::Instant::now();
    let error = link(address, &me, trusting(&hub)).page(&ask(0)).await.expect_err("given up");
    assert_eq!(error, LinkError::Unreachable("it did not answer in time".into()));
    assert!(started.elapsed() <= Duration::from_secs(12), "{:?}", started.elapsed());
}
