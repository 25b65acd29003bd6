//! TLS: whom to trust, and the handshake. rustls, with the cryptography of ring.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_lock::OnceCell;
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::{ClientConfig, RootCertStore};
use oneloop::net::TcpStream;
use oneloop::task::spawn_blocking;

/// The authorities that a client trusts. The certificates are read when the first of them is needed.
pub(crate) struct Tls {
    ca: Option<PathBuf>,
    connector: OnceCell<TlsConnector>,
}

impl Tls {
    pub(crate) fn new(ca: Option<PathBuf>) -> Self {
        Self { ca, connector: OnceCell::new() }
    }

    /// Shakes hands with the server of this name.
    pub(crate) async fn connect(&self, name: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let connector = self.connector.get_or_try_init(async || {
            let ca = self.ca.clone();
            // Files block, so another thread reads them.
            let roots = spawn_blocking(move || roots(ca.as_deref())).await.map_err(io::Error::other)??;
            let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
            Ok::<_, io::Error>(TlsConnector::from(Arc::new(config)))
        });
        connector.await?.connect(name, stream).await
    }
}

fn roots(ca: Option<&Path>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(ca) => {
            let named = |error: String| io::Error::other(format!("--ca {}: {error}", ca.display()));
            for certificate in CertificateDer::pem_file_iter(ca).map_err(|error| named(error.to_string()))? {
                let certificate = certificate.map_err(|error| named(error.to_string()))?;
                roots.add(certificate).map_err(|error| named(error.to_string()))?;
            }
        }
        // One that cannot be read is as good as one that is not there.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(io::Error::other("no certificate is trusted here: name a file of them with --ca"));
    }
    Ok(roots)
}
