//! Whoever has no key but a token: what it sees, and how often it may guess.

use super::rig::{Hub, epoch, written};

#[tokio::test]
async fn who_has_guessed_too_often_is_not_listened_to() {
    let hub = Hub::new(&[]).await;
    let get = |token: &str| written("GET", "/federation/nodes", &format!("authorization: Bearer {token}\r\n"), b"");
    let mut last = 0;
    for _ in 0..70 {
        last = hub.send(&get("aur_other")).await.0;
    }
    assert_eq!(last, 429);
    assert_eq!(hub.send(&get("aur_good")).await.0, 429, "the right one is not told from a wrong one any more");
}

#[tokio::test]
async fn holders_of_a_token_see_nodes_and_entries() {
    let hub = Hub::new(&[]).await;
    let get = |path: &str, token: &str| {
        let header = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        written("GET", path, &header, b"")
    };
    let (status, text) = hub.send(&get("/health", "")).await;
    assert_eq!(status, 200);
    assert!(text.ends_with(r#"{"status":"ok","node":"hub-1"}"#), "{text}");
    for path in ["/federation/nodes", "/federation/events"] {
        for (token, expected) in
            [("", 401), ("hunter2", 401), ("aur_other", 401), ("aur_stats", 403), ("aur_good", 200)]
        {
            assert_eq!(hub.send(&get(path, token)).await.0, expected, "{path} {token}");
        }
        let (status, text) = hub.send(&get(&format!("{path}?token=aur_good"), "")).await;
        assert_eq!(status, 401, "a token in the address");
        assert!(text.contains("is not taken here"), "{text}");
    }
    let (_, text) = hub.send(&get("/federation/nodes", "aur_good")).await;
    assert!(text.ends_with(r#"{"nodes":[]}"#), "{text}");
    let (_, text) = hub.send(&get("/federation/events", "aur_good")).await;
    let next = format!("{}:0", epoch());
    assert!(text.ends_with(&format!(r#"{{"events":[],"next":"{next}","gap":false}}"#)), "{text}");
    let (_, text) = hub.send(&get(&format!("/federation/events?after={}:7", epoch()), "aur_good")).await;
    assert!(text.contains(r#""gap":true"#) && text.contains(":2\""), "{text}");
    assert_eq!(hub.send(&get("/federation/events?after=x", "aur_good")).await.0, 400);
    let open = Hub::with(&[], true, None).await;
    assert_eq!(open.send(&get("/federation/nodes?token=aur_good", "")).await.0, 200);
    assert_eq!(open.send(&get("/federation/nodes?token=aur_good", "aur_good")).await.0, 401, "two of them");
}
