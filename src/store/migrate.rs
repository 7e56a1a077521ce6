//! Numbered schema migrations on `PRAGMA user_version`.

use rusqlite::Connection;

use super::StoreError;

/// The migrations in order; number 1 makes the first schema. One that has been released never changes.
const MIGRATIONS: [&str; 15] = [
    include_str!("migrations/0001_events_and_inbox.sql"),
    include_str!("migrations/0002_checks.sql"),
    include_str!("migrations/0003_mail.sql"),
    include_str!("migrations/0004_token_configured.sql"),
    include_str!("migrations/0005_desk.sql"),
    include_str!("migrations/0006_views_and_trace.sql"),
    include_str!("migrations/0007_find.sql"),
    include_str!("migrations/0008_repeats.sql"),
    include_str!("migrations/0009_act_times.sql"),
    include_str!("migrations/0010_jobs.sql"),
    include_str!("migrations/0011_audit.sql"),
    include_str!("migrations/0012_rollouts.sql"),
    include_str!("migrations/0013_nodes.sql"),
    include_str!("migrations/0014_lines.sql"),
    include_str!("migrations/0015_persons.sql"),
];

/// Brings the schema of `connection` to the newest version, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > MIGRATIONS.len() {
        return Err(StoreError::NewerSchema { found, known: MIGRATIONS.len() });
    }
    for (number, sql) in (1..).zip(MIGRATIONS).skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing_and_a_newer_schema_is_refused() {
        let mut connection = Connection::open_in_memory().expect("opens");
        migrate(&mut connection).expect("first");
        migrate(&mut connection).expect("second");
        connection.pragma_update(None, "user_version", 99).expect("sets");
        assert!(matches!(migrate(&mut connection), Err(StoreError::NewerSchema { found: 99, .. })));
    }

    #[test]
    fn messages_of_an_older_schema_become_lines_with_their_marks_and_texts() {
        let mut connection = Connection::open_in_memory().expect("opens");
        connection.pragma_update(None, "foreign_keys", false).expect("sets, as the store does");
        for sql in &MIGRATIONS[..13] {
            connection.execute_batch(sql).expect("migrates");
        }
        connection.pragma_update(None, "user_version", 13).expect("sets");
        connection
            .execute_batch(
                "INSERT INTO channel VALUES (1, 'a');
                 INSERT INTO contact (n, id, channel, address, name, vip) VALUES (5, x'05', 1, 'v@example.org', 'vera', 1);
                 INSERT INTO event (seq, id, channel, kind, received, dedupe_key, body_hash, assurance, guarded, head, body)
                     VALUES (7, x'07', 1, 'note', 70, 'k7', x'', 0, 0, x'', x''),
                            (8, x'08', 1, 'mail', 80, 'k8', x'', 0, 0, x'', x'');
                 INSERT INTO message (seq, channel, conversation, contact, subject, preview, text, alike)
                     VALUES (7, 1, 3, 5, 's7', 'p7', 't7', 9), (8, 1, 3, NULL, 's8', 'p8', 't8', NULL);
                 INSERT INTO mark (seq, read_at, acked_at, acked_by, read_by) VALUES (7, 71, 72, 'otto', 'anna');",
            )
            .expect("fills");
        migrate(&mut connection).expect("migrates");
        let line = |seq: i64| -> String {
            let sql =
                "SELECT concat_ws(' ', m.seq, conversation, contact, alike, received, hex(id), kind, read_at, acked_at,
                acked_by, subject, preview, text) FROM message m JOIN message_text USING (seq) WHERE m.seq = ?1";
            connection.query_row(sql, [seq], |row| row.get(0)).expect("a line")
        };
        assert_eq!([line(7), line(8)], ["7 3 5 9 70 07 note 71 72 otto s7 p7 t7", "8 3 80 08 mail s8 p8 t8"]);
        let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).expect("a row");
        assert_eq!(one("SELECT group_concat(seq) FROM vip_message"), "7");
        assert_eq!(one("SELECT group_concat(seq) FROM unacked"), "8");
        connection.execute_batch("UPDATE mark SET acked_at = NULL, acked_by = NULL WHERE seq = 7").expect("takes back");
        assert_eq!(one("SELECT group_concat(seq) FROM (SELECT seq FROM unacked ORDER BY seq)"), "7,8");
        assert_eq!(line(7), "7 3 5 9 70 07 note 71 s7 p7 t7");
    }
}
