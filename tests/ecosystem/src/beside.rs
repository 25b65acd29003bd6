//! Libraries that bring a thread of their own, which wakes our tasks: nothing has to be done for them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use oneloop_ecosystem::servers::Folder;

use crate::{Ran, Row};

pub(crate) const ROWS: &[Row] = &[
    Row { library: "async-io", does: "wait for a timer and a socket of its own reactor", run: async_io },
    Row { library: "async-fs", does: "write and read a file", run: async_fs },
    Row { library: "async-process", does: "talk to a child process and await its end", run: async_process },
    Row { library: "blocking", does: "run a closure on its pool", run: blocking },
    Row { library: "futures-timer", does: "wait for a timer of its own thread", run: futures_timer },
    Row { library: "notify", does: "hear that a file is written", run: notify },
    Row { library: "rayon", does: "sum on all processors, and answer by a channel", run: rayon },
    Row { library: "redis", does: "set and get at a redis-server", run: redis },
    Row { library: "sqlx:smol", does: "write and read a table of PostgreSQL through a pool", run: sqlx },
];

fn run<T>(future: impl Future<Output = T>) -> Ran {
    oneloop::run(future);
    Ran::Ran
}

fn async_io() -> Ran {
    run(async {
        let start = Instant::now();
        async_io::Timer::after(Duration::from_millis(5)).await;
        assert!(start.elapsed() >= Duration::from_millis(5));
        let one = async_io::Async::<std::net::UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        let other = async_io::Async::<std::net::UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        let to = one.get_ref().local_addr().unwrap();
        let hears = oneloop::spawn(async move {
            let mut buffer = [0; 8];
            let length = one.recv(&mut buffer).await.unwrap();
            buffer[..length].to_vec()
        });
        other.send_to(b"hello", to).await.unwrap();
        assert_eq!(hears.await.unwrap(), b"hello");
    })
}

fn async_fs() -> Ran {
    run(async {
        let folder = Folder::new("fs");
        let path = folder.0.join("file");
        async_fs::write(&path, "words").await.unwrap();
        assert_eq!(async_fs::read_to_string(&path).await.unwrap(), "words");
    })
}

fn async_process() -> Ran {
    use async_process::{Command, Stdio};
    run(async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"there and back").await.unwrap();
        drop(stdin);
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).await.unwrap();
        assert!(child.status().await.unwrap().success() && said == "there and back");
    })
}

fn blocking() -> Ran {
    run(async {
        let other = blocking::unblock(|| std::thread::current().id()).await;
        assert_ne!(other, std::thread::current().id());
    })
}

fn futures_timer() -> Ran {
    run(async {
        let start = Instant::now();
        futures_timer::Delay::new(Duration::from_millis(5)).await;
        assert!(start.elapsed() >= Duration::from_millis(5));
    })
}

fn notify() -> Ran {
    use notify::Watcher;
    run(async {
        let folder = Folder::new("notify");
        let (sender, events) = async_channel::unbounded();
        let tell = move |event| drop(sender.try_send(event));
        let mut watcher = notify::recommended_watcher(tell).unwrap();
        watcher.watch(&folder.0, notify::RecursiveMode::NonRecursive).unwrap();
        std::fs::write(folder.0.join("news"), "x").unwrap();
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            if event.unwrap().paths.iter().any(|path| path.ends_with("news")) {
                break;
            }
        }
    })
}

fn rayon() -> Ran {
    use rayon::prelude::*;
    run(async {
        let (answer, answered) = async_channel::bounded(1);
        rayon::spawn(move || answer.send_blocking((0..100_000_u64).into_par_iter().sum::<u64>()).unwrap());
        assert_eq!(answered.recv().await, Ok(4_999_950_000));
    })
}

fn redis() -> Ran {
    let folder = Folder::new("redis");
    let socket = folder.0.join("socket");
    let mut server = Command::new("redis-server");
    server.args(["--port", "0", "--save", "", "--unixsocket"]).arg(&socket).current_dir(&folder.0);
    let Ok(mut server) = server.stdout(Stdio::null()).spawn() else {
        return Ran::Skipped("there is no redis-server here");
    };
    let heard = oneloop::run(async {
        let client = redis::Client::open(format!("unix://{}", socket.display())).unwrap();
        let mut connection = loop {
            match client.get_multiplexed_async_connection().await {
                Ok(connection) => break connection,
                // It has only just been started.
                Err(_) => oneloop::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let () = redis::cmd("SET").arg("key").arg("value").query_async(&mut connection).await.unwrap();
        redis::cmd("GET").arg("key").query_async::<String>(&mut connection).await.unwrap()
    });
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(heard, "value");
    Ran::Ran
}

fn sqlx() -> Ran {
    let Some(server) = oneloop_ecosystem::servers::Server::postgres() else {
        return Ran::Skipped("there is no PostgreSQL here");
    };
    run(async {
        let url = format!("postgres://postgres@{}/postgres", server.addr);
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(3).connect(&url).await.unwrap();
        sqlx::query("create table t (n bigint)").execute(&pool).await.unwrap();
        let adds = [1_i64, 2, 39].map(|n| sqlx::query("insert into t values ($1)").bind(n).execute(&pool));
        futures::future::try_join_all(adds).await.unwrap();
        let sum: (i64,) = sqlx::query_as("select sum(n)::bigint from t").fetch_one(&pool).await.unwrap();
        assert_eq!(sum.0, 42);
        pool.close().await;
    })
}
