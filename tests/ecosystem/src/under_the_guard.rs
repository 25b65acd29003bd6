//! Libraries that look for tokio's runtime: one runs on one other thread, and its guard is held around our loop.

use std::io::Write;
use std::time::{Duration, Instant};

use oneloop_ecosystem::servers::Folder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Ran, Row, served};

pub(crate) const ROWS: &[Row] = &[
    Row { library: "tokio::net", does: "talk over tokio's sockets from a task of ours", run: tokio_net },
    Row { library: "tokio::time", does: "sleep and time out by tokio's clock, which is the real one", run: tokio_time },
    Row { library: "tokio::fs", does: "write and read a file on tokio's pool", run: tokio_fs },
    Row { library: "tokio::spawn", does: "run a Send task on tokio's thread, and join it here", run: tokio_spawn },
    Row { library: "reqwest", does: "ask a server of our loop", run: reqwest },
    Row { library: "sqlx", does: "write and read a table of SQLite through a pool", run: sqlx },
    Row { library: "sqlx:postgres", does: "write and read a table of PostgreSQL through a pool", run: sqlx_postgres },
    Row { library: "tower:timeout", does: "end a service that takes too long", run: tower_timeout },
    Row { library: "tower-http", does: "serve a file by ServeDir", run: tower_http },
    Row {
        library: "tokio-tungstenite",
        does: "talk by WebSocket to async-tungstenite on our loop",
        run: tokio_tungstenite,
    },
    Row { library: "bb8", does: "lend connections from a pool of two to ten tasks", run: bb8 },
];

/// The two lines: a runtime of tokio on one other thread, and its guard around ours.
fn under_the_guard<T>(future: impl Future<Output = T>) -> Ran {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _guard = tokio.enter();
    oneloop::run(future);
    Ran::Ran
}

fn tokio_net() -> Ran {
    under_the_guard(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let answers = oneloop::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut word = [0; 5];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
        });
        let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut word = String::new();
        stream.read_to_string(&mut word).await.unwrap();
        answers.await.unwrap();
        assert_eq!(word, "hello");
    })
}

fn tokio_time() -> Ran {
    under_the_guard(async {
        let start = Instant::now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let never = tokio::time::timeout(Duration::from_millis(5), std::future::pending::<()>());
        assert!(never.await.is_err() && start.elapsed() >= Duration::from_millis(10));
    });
    // A virtual clock of ours does not move tokio's.
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _guard = tokio.enter();
    let start = Instant::now();
    let runtime = oneloop::Runtime::builder().virtual_clock().build().unwrap();
    runtime.block_on(async { oneloop::time::sleep(Duration::from_secs(3600)).await });
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(50)).await });
    assert!((Duration::from_millis(50)..Duration::from_secs(60)).contains(&start.elapsed()));
    Ran::Ran
}

fn tokio_fs() -> Ran {
    under_the_guard(async {
        let folder = Folder::new("file");
        let path = folder.0.join("file");
        tokio::fs::write(&path, "words").await.unwrap();
        assert_eq!(tokio::fs::read_to_string(&path).await.unwrap(), "words");
        tokio::fs::remove_file(&path).await.unwrap();
    })
}

fn tokio_spawn() -> Ran {
    under_the_guard(async {
        let there = tokio::spawn(async { std::thread::current().id() }).await.unwrap();
        assert_ne!(there, std::thread::current().id());
    })
}

fn reqwest() -> Ran {
    under_the_guard(async {
        let addr = served::start().await;
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        for path in ["a", "b"] {
            let answer = client.get(format!("http://{addr}/{path}")).send().await.unwrap();
            assert_eq!(answer.text().await.unwrap(), format!("hello from /{path}"));
        }
    })
}

fn sqlx() -> Ran {
    under_the_guard(async {
        let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
        sqlx::query("create table t (n integer)").execute(&pool).await.unwrap();
        for n in [1_i64, 2, 39] {
            sqlx::query("insert into t values (?)").bind(n).execute(&pool).await.unwrap();
        }
        let sum: (i64,) = sqlx::query_as("select sum(n) from t").fetch_one(&pool).await.unwrap();
        assert_eq!(sum.0, 42);
        pool.close().await;
    })
}

fn sqlx_postgres() -> Ran {
    let Some(server) = oneloop_ecosystem::servers::Server::postgres() else {
        return Ran::Skipped("there is no PostgreSQL here");
    };
    under_the_guard(async {
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

fn tower_timeout() -> Ran {
    use tower::{Service, ServiceBuilder, ServiceExt};
    under_the_guard(async {
        let sleeps = tower::service_fn(|time: Duration| async move {
            oneloop::time::sleep(time).await;
            Ok::<_, std::convert::Infallible>(7)
        });
        let mut service = ServiceBuilder::new().timeout(Duration::from_millis(50)).service(sleeps);
        assert_eq!(service.ready().await.unwrap().call(Duration::ZERO).await.unwrap(), 7);
        let late = service.ready().await.unwrap().call(Duration::from_secs(30)).await.unwrap_err();
        assert!(late.is::<tower::timeout::error::Elapsed>());
    })
}

fn tower_http() -> Ran {
    use tower::ServiceExt;
    let folder = Folder::new("dir");
    std::fs::File::create(folder.0.join("page")).unwrap().write_all(b"on disk").unwrap();
    under_the_guard(async {
        let files = tower_http::services::ServeDir::new(&folder.0);
        for (path, status) in [("/page", 200), ("/none", 404), ("/../page", 404)] {
            let request = hyper::Request::get(path).body(String::new()).unwrap();
            let response = files.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            if status == 200 {
                let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
                assert_eq!(body, "on disk");
            }
        }
    })
}

fn tokio_tungstenite() -> Ran {
    use futures::{SinkExt, StreamExt};
    under_the_guard(async {
        let listener = oneloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(oneloop::spawn(async move {
            let mut socket = async_tungstenite::accept_async(listener.accept().await.unwrap().0).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                let _ = socket.send(message).await;
            }
        }));
        let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{addr}/")).await.unwrap();
        socket.send("back".into()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap().as_str(), "back");
    })
}

fn bb8() -> Ran {
    struct Connections(std::net::SocketAddr);
    impl bb8::ManageConnection for Connections {
        type Connection = tokio::net::TcpStream;
        type Error = std::io::Error;
        async fn connect(&self) -> std::io::Result<tokio::net::TcpStream> {
            tokio::net::TcpStream::connect(self.0).await
        }
        async fn is_valid(&self, _: &mut tokio::net::TcpStream) -> std::io::Result<()> {
            Ok(())
        }
        fn has_broken(&self, _: &mut tokio::net::TcpStream) -> bool {
            false
        }
    }
    under_the_guard(async {
        let listener = oneloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepted = std::rc::Rc::new(std::cell::Cell::new(0));
        let counts = accepted.clone();
        drop(oneloop::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counts.set(counts.get() + 1);
                drop(oneloop::spawn(async move { futures::io::copy(&stream, &mut &stream).await }));
            }
        }));
        let pool = bb8::Pool::builder().max_size(2).build(Connections(addr)).await.unwrap();
        let tasks: Vec<_> = (0..10_u8)
            .map(|n| {
                let pool = pool.clone();
                oneloop::spawn(async move {
                    let mut connection = pool.get().await.unwrap();
                    connection.write_all(&[n]).await.unwrap();
                    assert_eq!(connection.read_u8().await.unwrap(), n);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!((1..=2).contains(&accepted.get()));
    })
}
