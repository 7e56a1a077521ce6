//! What operators say is kept: who is a VIP, and the tokens of the API.

use uuid::Uuid;

use crate::model::{AuditKind, AuditNote, ContactFilter, InboxFilter, Role, Scope, Token, TokenHash, TokenId};

use super::rig::{at, channels, event, open, project, record, refresh_vips};

#[tokio::test]
async fn vips_by_operator_win_over_the_configuration() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    record(&store, event(a, Some("1"), "ann: x", 0)).await;
    project(&store).await;
    let vips = InboxFilter { vip: true, unread: true, ..InboxFilter::default() };
    refresh_vips(&store, |address| address.starts_with("ann")).await;
    assert_eq!(store.inbox_count(&vips).expect("counts"), 1);
    let ann = store.contacts(&ContactFilter::default(), 1).expect("lists")[0].id;
    let (contact, work) = store.set_vip(ann, false).await.expect("sets").expect("known");
    assert!(!contact.vip);
    assert_eq!(work.unread[&contact.channel], (-1, 1));
    refresh_vips(&store, |_| true).await;
    assert_eq!(store.inbox_count(&vips).expect("counts"), 0, "what an operator said stays");
}

#[tokio::test]
async fn many_vips_are_made_without_keeping_deliveries_waiting_or_overruling_anybody() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    let insert = "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
        INSERT INTO contact (id, channel, address, name, vip) SELECT randomblob(16), ?1, n || '@x.example', '', 0 FROM n";
    store.write(move |connection| connection.execute(insert, [a])).await.expect("contacts");
    let changes = store.vip_changes(|_| true).expect("reads");
    let somebody = store.contacts(&ContactFilter::default(), 1).expect("reads")[0].id;
    store.set_vip(somebody, false).await.expect("an operator decides meanwhile");
    let ended = std::sync::Mutex::new(Vec::new());
    let changing = async {
        assert_eq!(store.change_vips(changes).await.expect("changes"), 1_999);
        ended.lock().expect("not poisoned").push("vips");
    };
    let recording = async {
        assert_eq!(record(&store, event(a, Some("k"), "x", 0)).await.fresh, 1);
        ended.lock().expect("not poisoned").push("delivery");
    };
    tokio::join!(changing, recording);
    assert_eq!(ended.into_inner().expect("not poisoned"), ["delivery", "vips"]);
    assert!(!store.contact(somebody).expect("reads").expect("is there").vip);
    assert_eq!(refresh_vips(&store, |_| true).await, 0, "nothing is left to do");
}

#[tokio::test]
async fn tokens_are_kept_until_they_are_revoked() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let token = |number, scopes: Option<Vec<Scope>>| Token {
        id: TokenId::from_uuid(Uuid::from_u128(number)),
        operator: "anna".parse().expect("a name"),
        role: Role::Approver,
        configured: scopes.is_some(),
        scopes,
        created: at(0),
        expires: Some(at(10)),
        used: None,
    };
    let note = |number: u8| AuditNote::new(at(0), None, AuditKind::Changed, number, "a token");
    let tokens = [token(1, Some(vec![Scope::Stats, Scope::Updates])), token(2, None)];
    for (number, token) in (1..).zip(&tokens) {
        store.add_token(TokenHash([number; 32]), token.clone(), note(number)).await.expect("adds");
    }
    store.token_used(tokens[1].id, at(5)).await.expect("notes");
    drop(store);
    let store = open(&dir);
    let kept = store.tokens().expect("lists");
    assert_eq!(kept[0], (TokenHash([1; 32]), tokens[0].clone()));
    assert_eq!(kept[1].1, Token { used: Some(at(5)), ..tokens[1].clone() });
    store.revoke_token(tokens[0].id, note(3)).await.expect("revokes");
    assert_eq!(store.verify_audit().expect("reads").entries, 3);
    assert_eq!(store.tokens().expect("lists").len(), 1);
}
