//! futures-rustls with ring: TLS on this runtime's sockets, with a certificate of the tests' own.

use std::sync::Arc;

use futures_lite::future::zip;
use futures_lite::{AsyncReadExt, AsyncWriteExt, io};
use futures_rustls::client::TlsStream;
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use futures_rustls::{TlsAcceptor, TlsConnector};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use oneloop::interop::hyper::Io;
use oneloop::net::TcpStream;

use crate::support::{Server, body_of, get, listen, pattern, run};

/// A certificate for localhost, and its key.
const LOCALHOST: &[u8] = include_bytes!("localhost.pem");

/// A server's side, and the certificate by which to know it.
fn acceptor() -> (TlsAcceptor, CertificateDer<'static>) {
    let certificate = CertificateDer::from_pem_slice(LOCALHOST).unwrap();
    let key = PrivateKeyDer::from_pem_slice(LOCALHOST).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.clone()], key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), certificate)
}

/// A client that trusts these certificates and no others.
async fn connect(server: &Server, trusted: Option<CertificateDer<'static>>) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted);
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(server.addr).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

#[test]
fn what_is_sent_while_receiving_comes_back_whole_and_ends_in_order() {
    run(async {
        let (acceptor, certificate) = acceptor();
        let server = listen(move |stream| {
            let accepting = acceptor.accept(stream);
            async {
                let (reader, mut writer) = io::split(accepting.await.unwrap());
                io::copy(reader, &mut writer).await.unwrap();
                writer.close().await.unwrap();
            }
        })
        .await;
        let (mut reader, mut writer) = io::split(connect(&server, Some(certificate)).await.unwrap());
        let (sent, mut received) = (pattern(1 << 20), Vec::new());
        let send = async {
            writer.write_all(&sent).await.unwrap();
            writer.close().await.unwrap();
        };
        zip(send, reader.read_to_end(&mut received)).await.1.unwrap();
        assert!(received == sent);
    });
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    run(async {
        let (acceptor, _) = acceptor();
        let server = listen(move |stream| {
            let accepting = acceptor.accept(stream);
            async { assert!(accepting.await.is_err()) }
        })
        .await;
        let error = connect(&server, None).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    });
}

#[test]
fn hyper_speaks_over_tls() {
    async fn hello(_: Request<Incoming>) -> hyper::Result<Response<String>> {
        Ok(Response::new("in private".to_owned()))
    }
    run(async {
        let (acceptor, certificate) = acceptor();
        let server = listen(move |stream| {
            let accepting = acceptor.accept(stream);
            async {
                let stream = Io::new(accepting.await.unwrap());
                http1::Builder::new().serve_connection(stream, service_fn(hello)).await.unwrap();
            }
        })
        .await;
        let stream = Io::new(connect(&server, Some(certificate)).await.unwrap());
        let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        oneloop::spawn(connection);
        let response = client.send_request(get("/")).await.unwrap();
        assert_eq!(body_of(response).await, "in private");
    });
}
