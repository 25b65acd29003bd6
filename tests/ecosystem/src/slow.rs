//! Libraries that take long to be compiled: they are there with `--features all`.

use std::process::{Command, Stdio};
use std::time::Duration;

use oneloop_ecosystem::servers::{Folder, Server};

use crate::{Ran, Row};

pub(crate) const AS_THEY_ARE: &[Row] = &[
    Row { library: "tonic", does: "call by gRPC a hundred times at once on one connection, both sides", run: tonic },
    Row { library: "async-imap", does: "leave a mail at a dovecot, search for it and read it", run: async_imap },
];

pub(crate) const BESIDE: &[Row] = &[
    Row { library: "zbus", does: "offer an object at a dbus-daemon, and call it from another connection", run: zbus },
    Row { library: "lapin", does: "publish a hundred messages at a RabbitMQ, and consume them in order", run: lapin },
];

fn run<T>(future: impl Future<Output = T>) -> Ran {
    oneloop::run(future);
    Ran::Ran
}

fn tonic() -> Ran {
    use hyper::body::Incoming;
    use oneloop::interop::hyper::{Executor, Io, Timer};
    use tonic::codec::ProstCodec;
    use tonic::codegen::http::uri::PathAndQuery;

    struct Greet;

    impl tonic::server::UnaryService<String> for Greet {
        type Response = String;
        type Future = std::pin::Pin<Box<dyn Future<Output = Result<tonic::Response<String>, tonic::Status>> + Send>>;

        fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
            Box::pin(async move {
                oneloop::time::sleep(Duration::from_millis(5)).await;
                match request.into_inner() {
                    name if name.is_empty() => Err(tonic::Status::invalid_argument("a name is needed")),
                    name => Ok(tonic::Response::new(format!("hello, {name}"))),
                }
            })
        }
    }

    run(async {
        let listener = oneloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        oneloop::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = hyper::service::service_fn(async |request: hyper::Request<Incoming>| {
                let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, String>::default());
                Ok::<_, std::convert::Infallible>(grpc.unary(Greet, request).await)
            });
            let http = hyper::server::conn::http2::Builder::new(Executor); // glue
            http.serve_connection(Io::new(stream), answer).await.unwrap(); // glue
        });
        let connector = oneloop::interop::hyper_util::Connector::new(); // glue
        let mut http = hyper_util::client::legacy::Client::builder(Executor); // glue
        let http = http.http2_only(true).timer(Timer).build::<_, tonic::body::Body>(connector);
        let client = tonic::client::Grpc::with_origin(http, format!("http://{address}").parse().unwrap());
        let greet = async |name: String| {
            let mut client = client.clone();
            client.ready().await.unwrap();
            let path = PathAndQuery::from_static("/test.Greeter/Greet");
            client.unary(tonic::Request::new(name), path, ProstCodec::<String, String>::default()).await
        };
        let answers = futures::future::join_all((0..100).map(|n| greet(format!("{n}")))).await;
        for (n, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.unwrap().into_inner(), format!("hello, {n}"));
        }
        assert_eq!(greet(String::new()).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    })
}

struct Greeter;

#[zbus::interface(name = "org.oneloop.Greeter")]
impl Greeter {
    async fn greet(&self, name: &str) -> String {
        format!("hello, {name}")
    }
}

fn zbus() -> Ran {
    let folder = Folder::new("dbus");
    let address = format!("unix:path={}", folder.0.join("socket").display());
    let mut daemon = Command::new("dbus-daemon");
    daemon
        .args(["--session", "--nofork", "--nopidfile", "--address", &address])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(mut daemon) = daemon.spawn() else { return Ran::Skipped("there is no dbus-daemon here") };
    let heard = oneloop::run(async {
        while !folder.0.join("socket").exists() {
            oneloop::time::sleep(Duration::from_millis(20)).await;
        }
        let connect = || zbus::connection::Builder::address(address.as_str()).unwrap();
        let offers = connect().name("org.oneloop.Test").unwrap().serve_at("/greeter", Greeter).unwrap();
        let _offers = offers.build().await.unwrap();
        let asks = connect().build().await.unwrap();
        let call = asks.call_method(Some("org.oneloop.Test"), "/greeter", Some("org.oneloop.Greeter"), "Greet", &"ann");
        call.await.unwrap().body().deserialize::<String>().unwrap()
    });
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert_eq!(heard, "hello, ann");
    Ran::Ran
}

fn async_imap() -> Ran {
    use futures::TryStreamExt;
    use tokio_util::compat::FuturesAsyncReadCompatExt;
    let Some(server) = Server::dovecot() else { return Ran::Skipped("there is no dovecot here") };
    run(async {
        let stream = oneloop::net::TcpStream::connect(server.addr).await.unwrap();
        let mut client = async_imap::Client::new(stream.compat()); // glue
        client.read_response().await.unwrap().unwrap();
        let mut session = client.login("ann", "secret").await.map_err(|(error, _)| error).unwrap();
        session.append("INBOX", None, None, "Subject: milk\r\n\r\nTwo bottles.\r\n").await.unwrap();
        assert_eq!(session.select("INBOX").await.unwrap().exists, 1);
        let found = session.search("SUBJECT milk").await.unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [1]);
        let mails: Vec<_> = session.fetch("1", "BODY[TEXT]").await.unwrap().try_collect().await.unwrap();
        assert_eq!(mails[0].text(), Some(&b"Two bottles.\r\n"[..]));
        session.logout().await.unwrap();
    })
}

fn lapin() -> Ran {
    use futures::StreamExt;
    use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions};
    use lapin::types::FieldTable;
    use lapin::{BasicProperties, Connection, ConnectionProperties};
    let Some(server) = Server::rabbitmq() else { return Ran::Skipped("there is no rabbitmq-server here") };
    run(async {
        let uri = format!("amqp://guest:guest@{}/%2f", server.addr);
        let connection = Connection::connect(&uri, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let new = QueueDeclareOptions::default();
        channel.queue_declare("words".into(), new, FieldTable::default()).await.unwrap();
        for n in 0..100 {
            let (text, as_usual) = (format!("{n}"), BasicPublishOptions::default());
            let words = BasicProperties::default();
            channel.basic_publish("".into(), "words".into(), as_usual, text.as_bytes(), words).await.unwrap();
        }
        let as_usual = BasicConsumeOptions::default();
        let mut words =
            channel.basic_consume("words".into(), "reader".into(), as_usual, FieldTable::default()).await.unwrap();
        for n in 0..100 {
            let word = words.next().await.unwrap().unwrap();
            assert_eq!(word.data, format!("{n}").as_bytes());
            word.ack(BasicAckOptions::default()).await.unwrap();
        }
        connection.close(200, "done".into()).await.unwrap();
    })
}
