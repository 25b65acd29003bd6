//! Libraries that block: they run on the threads of `spawn_blocking`, and the loop goes on meanwhile.

use oneloop::task::spawn_blocking;

use crate::{Ran, Row, served};

pub(crate) const ROWS: &[Row] = &[
    Row { library: "rusqlite", does: "write and read a table of SQLite", run: rusqlite },
    Row { library: "ureq", does: "ask a server of the loop by HTTP", run: ureq },
];

fn rusqlite() -> Ran {
    let sum = oneloop::run(async {
        let query = || -> rusqlite::Result<i64> {
            let database = rusqlite::Connection::open_in_memory()?;
            database.execute_batch("create table t (n); insert into t values (1), (2), (39);")?;
            database.query_row("select sum(n) from t", [], |row| row.get(0))
        };
        spawn_blocking(query).await.unwrap() // glue
    });
    assert_eq!(sum.unwrap(), 42);
    Ran::Ran
}

fn ureq() -> Ran {
    oneloop::run(async {
        let addr = served::start().await;
        let ask = move || ureq::get(format!("http://{addr}/ureq")).call().unwrap().body_mut().read_to_string().unwrap();
        assert_eq!(spawn_blocking(ask).await.unwrap(), "hello from /ureq"); // glue
    });
    Ran::Ran
}
