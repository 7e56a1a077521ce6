//! Numbered schema migrations on `PRAGMA user_version`.

use rusqlite::Connection;

use super::StoreError;

/// The migrations in order; number 1 makes the first schema. One that has been released never changes.
const MIGRATIONS: [&str; 13] = [
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
}
