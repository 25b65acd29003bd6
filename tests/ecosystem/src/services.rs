//! Libraries that speak over our sockets to a server of somebody's: docs/services.md has each as a recipe.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use oneloop::net::{TcpListener, TcpStream, UdpSocket};
use oneloop_ecosystem::hickory_runtime;
use oneloop_ecosystem::quinn_runtime;
use oneloop_ecosystem::servers::{Folder, Server};
use tokio_util::compat::FuturesAsyncReadCompatExt;

use crate::as_they_are::{tls, tls_and_pem};
use crate::{Ran, Row};

pub(crate) const ROWS: &[Row] = &[
    Row { library: "tokio-postgres", does: "prepare, write, read and roll back at a PostgreSQL", run: tokio_postgres },
    Row {
        library: "redis:stream",
        does: "share one connection of ours to a redis-server among a hundred tasks",
        run: redis,
    },
    Row { library: "redis:rediss", does: "talk to a redis-server by TLS, on a stream of ours", run: rediss },
    Row { library: "futures-rustls:openssl", does: "talk by TLS to openssl s_server", run: openssl },
    Row { library: "async-tungstenite:websockets", does: "answer a client of Python's websockets", run: websockets },
    Row { library: "hickory-resolver", does: "look names up by UDP and TCP, with a file to copy", run: hickory },
    Row { library: "quinn", does: "talk by QUIC, both sides, with a file to copy", run: quinn },
    Row { library: "quinn:aioquic", does: "answer a client of Python's aioquic", run: aioquic },
    Row { library: "hyper-rustls", does: "ask by HTTPS, on connections that are kept", run: hyper_rustls },
];

fn run<T>(future: impl Future<Output = T>) -> Ran {
    oneloop::run(future);
    Ran::Ran
}

fn tokio_postgres() -> Ran {
    let Some(server) = Server::postgres() else { return Ran::Skipped("there is no PostgreSQL here") };
    run(async {
        let stream = TcpStream::connect(server.addr).await.unwrap().compat(); // glue
        let mut config = tokio_postgres::Config::new();
        config.user("postgres").dbname("postgres");
        let (mut client, connection) = config.connect_raw(stream, tokio_postgres::NoTls).await.unwrap();
        let driver = oneloop::spawn(connection);
        client.batch_execute("create table t (n bigint primary key)").await.unwrap();
        let add = client.prepare("insert into t values ($1)").await.unwrap();
        // They go out together, and are answered in their order.
        let adds = (0..100_i64).map(|n| {
            let (client, add) = (&client, &add);
            async move { client.execute(add, &[&n]).await.unwrap() }
        });
        assert_eq!(futures::future::join_all(adds).await.iter().sum::<u64>(), 100);
        let rolled_back = client.transaction().await.unwrap();
        rolled_back.execute("delete from t", &[]).await.unwrap();
        drop(rolled_back);
        let sum: i64 = client.query_one("select sum(n)::bigint from t", &[]).await.unwrap().get(0);
        assert_eq!(sum, 4950);
        drop(client);
        driver.await.unwrap().unwrap();
    })
}

fn redis() -> Ran {
    use redis::AsyncCommands;
    let Some(server) = Server::redis() else { return Ran::Skipped("there is no redis-server here") };
    run(async {
        let stream = TcpStream::connect(server.addr).await.unwrap().compat(); // glue
        let (settings, config) = (redis::RedisConnectionInfo::default(), redis::AsyncConnectionConfig::new());
        let made = redis::aio::MultiplexedConnection::new_with_config(&settings, stream, config).await; // glue
        let (connection, driver) = made.unwrap();
        let driver = oneloop::spawn(driver); // glue
        let adds = (0..100).map(|_| {
            let mut connection = connection.clone();
            oneloop::spawn(async move { connection.incr::<_, _, i64>("visits", 1).await.unwrap() })
        });
        for add in adds.collect::<Vec<_>>() {
            add.await.unwrap();
        }
        let mut connection = connection;
        assert_eq!(connection.get::<_, i64>("visits").await.unwrap(), 100);
        drop(connection);
        driver.await.unwrap();
    })
}

fn rediss() -> Ran {
    use redis::AsyncCommands;
    let (_, tls, pem) = tls_and_pem();
    let Some(server) = Server::redis_by_tls(&pem.certificate, &pem.key) else {
        return Ran::Skipped("there is no redis-server here that speaks TLS");
    };
    run(async {
        let stream = TcpStream::connect(server.addr).await.unwrap();
        let tls = futures_rustls::TlsConnector::from(tls);
        let stream = tls.connect("localhost".try_into().unwrap(), stream).await.unwrap().compat(); // glue
        let (settings, config) = (redis::RedisConnectionInfo::default(), redis::AsyncConnectionConfig::new());
        let made = redis::aio::MultiplexedConnection::new_with_config(&settings, stream, config).await; // glue
        let (mut connection, driver) = made.unwrap();
        let driver = oneloop::spawn(driver); // glue
        let () = connection.set("key", vec![7_u8; 1 << 20]).await.unwrap();
        assert!(connection.get::<_, Vec<u8>>("key").await.unwrap() == vec![7; 1 << 20]);
        drop(connection);
        driver.await.unwrap();
    })
}

fn openssl() -> Ran {
    let (_, tls, pem) = tls_and_pem();
    let Some(server) = Server::openssl(&pem.certificate, &pem.key) else {
        return Ran::Skipped("there is no openssl here");
    };
    run(async {
        let stream = TcpStream::connect(server.addr).await.unwrap();
        let tls = futures_rustls::TlsConnector::from(tls);
        let mut stream = tls.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        stream.write_all(b"drawer\n").await.unwrap();
        let mut heard = [0; 7];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"reward\n");
    })
}

fn websockets() -> Ran {
    let Some(python) = python_with("websockets") else {
        return Ran::Skipped("there is no websockets here: pip install websockets");
    };
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        oneloop::spawn(async move {
            let mut socket = async_tungstenite::accept_async(listener.accept().await.unwrap().0).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                let _ = socket.send(message).await;
            }
        });
        let mut client = oneloop::process::Command::new(python);
        client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/websocket_client.py")).arg(port).arg("by WebSocket");
        let output = client.output().await.unwrap();
        assert_eq!(output.stdout, b"by WebSocket\n", "{}", String::from_utf8_lossy(&output.stderr));
    })
}

/// A Python that has the library.
fn python_with(library: &str) -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut asked = std::process::Command::new(&python);
    let asked = asked.args(["-c", &format!("import {library}")]).stderr(std::process::Stdio::null()).status();
    asked.is_ok_and(|end| end.success()).then_some(python)
}

fn hickory() -> Ran {
    use hickory_resolver::Resolver;
    use hickory_resolver::config::{NameServerConfigGroup, ResolverConfig};
    use hickory_resolver::name_server::GenericConnector;
    run(async {
        let (udp, tcp) = one_port_for_both().await;
        let address = udp.local_addr().unwrap();
        oneloop::spawn(async move {
            let mut query = [0; 512];
            while let Ok((length, peer)) = udp.recv_from(&mut query).await {
                udp.send_to(&answer(&query[..length], false), peer).await.unwrap();
            }
        });
        oneloop::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let mut length = [0; 2];
                stream.read_exact(&mut length).await.unwrap();
                let mut query = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut query).await.unwrap();
                let answer = answer(&query, true);
                stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        let servers = NameServerConfigGroup::from_ips_clear(&[address.ip()], address.port(), true);
        let config = ResolverConfig::from_parts(None, vec![], servers);
        let connector = GenericConnector::new(hickory_runtime::OnThisLoop); // glue
        let mut resolver = Resolver::builder_with_config(config, connector);
        resolver.options_mut().timeout = Duration::from_secs(2);
        let resolver = resolver.build();
        for _ in 0..3 {
            let found = resolver.ipv4_lookup("example.test.").await.unwrap();
            assert_eq!(found.iter().next().unwrap().to_string(), "192.0.2.7");
        }
        let texts = resolver.txt_lookup("example.test.").await.unwrap();
        assert_eq!(texts.iter().next().unwrap().iter().count(), 10);
        assert!(resolver.ipv4_lookup("nobody.test.").await.is_err());
    })
}

/// A port for datagrams that is free for connections, too: another program may have the first that the kernel gives.
async fn one_port_for_both() -> (UdpSocket, TcpListener) {
    // Each stays taken while others are tried, so that no number comes twice.
    let mut taken = Vec::new();
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        match TcpListener::bind(udp.local_addr().unwrap()).await {
            Ok(tcp) => return (udp, tcp),
            Err(error) if error.kind() == ErrorKind::AddrInUse && taken.len() < 100 => taken.push(udp),
            Err(error) => panic!("no port is free for both datagrams and connections: {error}"),
        }
    }
}

/// The answer of a name server that knows one name. Its text is too long for a datagram.
fn answer(query: &[u8], is_tcp: bool) -> Vec<u8> {
    use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
    use hickory_resolver::proto::rr::rdata::{A, TXT};
    use hickory_resolver::proto::rr::{RData, Record, RecordType};
    let query = Message::from_vec(query).unwrap();
    let question = query.queries()[0].clone();
    let name = question.name().clone();
    let mut answer = Message::new();
    answer.set_id(query.id()).set_message_type(MessageType::Response).add_query(question.clone());
    if !name.to_ascii().starts_with("example.") {
        answer.set_response_code(ResponseCode::NXDomain);
    } else if question.query_type() == RecordType::A {
        answer.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 0, 2, 7))));
    } else if is_tcp {
        answer.add_answer(Record::from_rdata(name, 60, RData::TXT(TXT::new(vec!["long ".repeat(40); 10]))));
    } else {
        answer.set_truncated(true);
    }
    answer.to_vec().unwrap()
}

fn quinn() -> Ran {
    use quinn::ClientConfig;
    use quinn::crypto::rustls::QuicClientConfig;
    run(async {
        let (server, client) = tls();
        let address = echo_by_quic(server);
        let mut endpoint = endpoint(None);
        endpoint.set_default_client_config(ClientConfig::new(Arc::new(QuicClientConfig::try_from(client).unwrap())));
        let connection = endpoint.connect(address, "localhost").unwrap().await.unwrap();
        let word = vec![7; 1 << 20];
        let echoes = (0..8).map(|_| async {
            let (mut send, mut receive) = connection.open_bi().await.unwrap();
            send.write_all(&word).await.unwrap();
            send.finish().unwrap();
            assert!(receive.read_to_end(1 << 20).await.unwrap() == word);
        });
        futures::future::join_all(echoes).await;
        connection.close(0_u32.into(), b"done");
        endpoint.wait_idle().await;
    })
}

fn aioquic() -> Ran {
    let Some(python) = python_with("aioquic") else {
        return Ran::Skipped("there is no aioquic here: pip install aioquic");
    };
    let folder = Folder::new("aioquic");
    let certificate = folder.0.join("localhost.pem");
    let (server, _, pem) = tls_and_pem();
    std::fs::write(&certificate, pem.certificate).unwrap();
    run(async {
        let port = echo_by_quic(server).port().to_string();
        let mut client = oneloop::process::Command::new(python);
        client
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/quic_client.py"))
            .arg(port)
            .arg(&certificate)
            .arg("by QUIC");
        let output = client.output().await.unwrap();
        assert_eq!(output.stdout, b"by QUIC\n", "{}", String::from_utf8_lossy(&output.stderr));
    })
}

/// A server that sends every stream back.
fn echo_by_quic(tls: Arc<rustls::ServerConfig>) -> SocketAddr {
    let tls = quinn::crypto::rustls::QuicServerConfig::try_from(tls).unwrap();
    let server = endpoint(Some(quinn::ServerConfig::with_crypto(Arc::new(tls))));
    let address = server.local_addr().unwrap();
    oneloop::spawn(async move {
        while let Some(incoming) = server.accept().await {
            let connection = incoming.await.unwrap();
            oneloop::spawn(async move {
                while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                    oneloop::spawn(async move {
                        let word = receive.read_to_end(1 << 20).await.unwrap();
                        send.write_all(&word).await.unwrap();
                        send.finish().unwrap();
                    });
                }
            });
        }
    });
    address
}

fn endpoint(server: Option<quinn::ServerConfig>) -> quinn::Endpoint {
    let socket = std::net::UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    quinn::Endpoint::new(quinn::EndpointConfig::default(), server, socket, Arc::new(quinn_runtime::OnThisLoop)).unwrap()
}

fn hyper_rustls() -> Ran {
    use http_body_util::{BodyExt, Empty};
    use hyper::body::Bytes;
    use oneloop::interop::hyper::{Executor, Io, Timer};
    run(async {
        let (server, client) = tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        oneloop::spawn(async move {
            // There is one connection: a second user waits in vain.
            let (stream, _) = listener.accept().await.unwrap();
            let stream = futures_rustls::TlsAcceptor::from(server).accept(stream).await.unwrap();
            let hello = hyper::service::service_fn(crate::served::hello);
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(Io::new(stream), hello).await;
        });
        let mut connector = oneloop::interop::hyper_util::Connector::new(); // glue
        connector.enforce_http(false); // glue
        let with_tls = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config((*client).clone());
        let connector = with_tls.https_only().enable_http1().wrap_connector(connector);
        let client: hyper_util::client::legacy::Client<_, Empty<Bytes>> =
            hyper_util::client::legacy::Client::builder(Executor).pool_timer(Timer).build(connector); // glue
        for path in ["/one", "/two", "/three"] {
            let answer = client.get(format!("https://localhost:{port}{path}").parse().unwrap()).await.unwrap();
            let body: Bytes = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, format!("hello from {path}"));
        }
    })
}
