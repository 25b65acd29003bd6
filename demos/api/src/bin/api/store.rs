//! The notes, in SQLite. A write is acknowledged when it is on disk: whatever happens next, it is there.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use oneloop::task::spawn_blocking;
use oneloop_demos::log;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::notes::{Draft, Note, Page};
use crate::valid::Refusal;

/// The steps that made the schema, in order. A step that was published is never edited: another one follows it.
const MIGRATIONS: [&str; 2] = [
    "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, text TEXT NOT NULL) STRICT",
    "ALTER TABLE notes ADD COLUMN stars INTEGER NOT NULL DEFAULT 0 CHECK (stars BETWEEN 0 AND 5)",
];

/// SQLite has one writer at a time, so one connection does.
#[derive(Clone)]
pub(crate) struct Store(Arc<Mutex<Connection>>);

impl Store {
    /// Opens the file, or a database in memory, and brings its schema up to date.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, String> {
        let named = |error: &dyn std::fmt::Display| match path {
            Some(path) => format!("--db {}: {error}", path.display()),
            None => format!("cannot open a database in memory: {error}"),
        };
        let opened = match path {
            Some(path) => Connection::open(path),
            None => Connection::open_in_memory(),
        };
        let mut connection = opened.map_err(|error| named(&error))?;
        prepare(&connection).map_err(|error| named(&error))?;
        migrate(&mut connection).map_err(|error| named(&error))?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    pub(crate) async fn list(&self, page: Page) -> Result<Vec<Note>, Refusal> {
        self.ask(move |db| {
            let mut query = db.prepare_cached("SELECT * FROM notes WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            query.query_map(params![page.after, page.limit], note)?.collect()
        })
        .await
    }

    pub(crate) async fn add(&self, draft: Draft) -> Result<Note, Refusal> {
        self.ask(move |db| {
            let insert = "INSERT INTO notes (title, text, stars) VALUES (?1, ?2, ?3) RETURNING *";
            db.prepare_cached(insert)?.query_row(params![draft.title, draft.text, draft.stars], note)
        })
        .await
    }

    pub(crate) async fn show(&self, id: i64) -> Result<Option<Note>, Refusal> {
        self.ask(move |db| db.prepare_cached("SELECT * FROM notes WHERE id = ?1")?.query_row([id], note).optional())
            .await
    }

    pub(crate) async fn change(&self, id: i64, draft: Draft) -> Result<Option<Note>, Refusal> {
        self.ask(move |db| {
            let update = "UPDATE notes SET title = ?2, text = ?3, stars = ?4 WHERE id = ?1 RETURNING *";
            let set = params![id, draft.title, draft.text, draft.stars];
            db.prepare_cached(update)?.query_row(set, note).optional()
        })
        .await
    }

    pub(crate) async fn remove(&self, id: i64) -> Result<bool, Refusal> {
        self.ask(move |db| Ok(db.execute("DELETE FROM notes WHERE id = ?1", [id])? > 0)).await
    }

    /// Has a thread of the blocking pool ask the database. Dropping the wait for the answer does not undo it.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let connection = Arc::clone(&self.0);
        let asked = spawn_blocking(move || question(&connection.lock().unwrap_or_else(PoisonError::into_inner)));
        let failed = |error: &dyn std::fmt::Display| {
            log(&format!("the database: {error}"));
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the database does not answer")
        };
        match asked.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failed(&error)),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// Readers beside the writer, and each transaction on disk before it is acknowledged.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")
}

/// Takes the steps that have not been taken: all of them, or none.
fn migrate(connection: &mut Connection) -> Result<(), String> {
    let text = |error: rusqlite::Error| error.to_string();
    let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(text)?;
    let version: usize = change.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(text)?;
    let Some(steps) = MIGRATIONS.get(version..) else {
        return Err(format!("its schema is {version}, and this program knows {}: use a newer one", MIGRATIONS.len()));
    };
    for step in steps {
        change.execute_batch(step).map_err(text)?;
    }
    change.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(text)?;
    change.commit().map_err(text)
}

fn note(row: &Row<'_>) -> rusqlite::Result<Note> {
    Ok(Note { id: row.get("id")?, title: row.get("title")?, text: row.get("text")?, stars: row.get("stars")? })
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{MIGRATIONS, migrate};

    #[test]
    fn a_database_of_any_older_schema_is_brought_up_to_date() {
        for version in 0..=MIGRATIONS.len() {
            let mut old = Connection::open_in_memory().unwrap();
            for step in &MIGRATIONS[..version] {
                old.execute_batch(step).unwrap();
            }
            old.pragma_update(None, "user_version", version).unwrap();
            if version > 0 {
                old.execute("INSERT INTO notes (title, text) VALUES ('kept', '')", []).unwrap();
            }
            migrate(&mut old).unwrap();
            migrate(&mut old).unwrap();
            let notes: usize = old.query_row("SELECT count(stars) FROM notes", [], |row| row.get(0)).unwrap();
            assert_eq!(notes, usize::from(version > 0));
        }
    }

    #[test]
    fn a_database_of_a_newer_program_is_left_alone() {
        let mut new = Connection::open_in_memory().unwrap();
        new.pragma_update(None, "user_version", 99).unwrap();
        assert!(migrate(&mut new).unwrap_err().contains("use a newer one"));
    }
}
