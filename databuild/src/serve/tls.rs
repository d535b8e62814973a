//! TLS for connections from other machines.

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::ServerConfig;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", .path.display())]
pub struct TlsError {
    path: PathBuf,
    reason: String,
}

/// Who shakes hands with these certificates, the server's own first, and this key.
pub(super) fn acceptor(certificates: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let wrong = |path: &Path, reason: String| TlsError { path: path.to_owned(), reason };
    let found = CertificateDer::pem_file_iter(certificates)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .map_err(|error| wrong(certificates, error.to_string()))?;
    if found.is_empty() {
        return Err(wrong(certificates, "it has no certificate in PEM".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(found, secret))
        .map_err(|error| wrong(key, error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::super::door::Door;
    use super::super::entrance::Entrance;
    use super::super::http;
    use super::*;
    use crate::server::Encrypted;
    use axum::routing::get;
    use axum::{Extension, Router};
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
    use std::io::{Read, Write};
    use std::net::{IpAddr, SocketAddr, TcpStream};
    use tokio::net::TcpListener;
    use tokio::runtime::Runtime;
    use tokio::sync::watch;

    /// Of `data.example` and `localhost`, until 2126; nobody else uses it.
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
         MIIBpzCCAUygAwIBAgIUW5MdS1UqXYQTtEecRx8pklXTif0wCgYIKoZIzj0EAwIw\n\
         FzEVMBMGA1UEAwwMZGF0YS5leGFtcGxlMCAXDTI2MTEzMDE2NTM0MFoYDzIxMjYx\n\
         MTA2MTY1MzQwWjAXMRUwEwYDVQQDDAxkYXRhLmV4YW1wbGUwWTATBgcqhkjOPQIB\n\
         BggqhkjOPQMBBwNCAAQjhq4fx5tIP847OnO5yGSFADVenGAF9QoBgE8mj7pZT9oC\n\
         54rnUC34NJJlaojSKFAIkkZdTD3hRYjPZdrHDQC8o3QwcjAdBgNVHQ4EFgQULcqV\n\
         SPvOTsvBbVa9UVvnJASXqYEwHwYDVR0jBBgwFoAULcqVSPvOTsvBbVa9UVvnJASX\n\
         qYEwIgYDVR0RBBswGYIMZGF0YS5leGFtcGxlgglsb2NhbGhvc3QwDAYDVR0TAQH/\n\
         BAIwADAKBggqhkjOPQQDAgNJADBGAiEA02F3pBfh8Sc/C+6rTLFWhcvktnSNT50L\n\
         TzBYpeF1NnkCIQDlqYXUwu/PFAZuL/1gXv6S//g9mNA1jO8Ui4HpgyTReA==\n\
         -----END CERTIFICATE-----";
    /// Its key.
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
         MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgo5jHVPbSQQlzOPmj\n\
         d2dEzqBCE8ZQyYt0FU4IY1nSZdGhRANCAAQjhq4fx5tIP847OnO5yGSFADVenGAF\n\
         9QoBgE8mj7pZT9oC54rnUC34NJJlaojSKFAIkkZdTD3hRYjPZdrHDQC8\n\
         -----END PRIVATE KEY-----";

    fn files() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        std::fs::write(&certificate, CERTIFICATE).unwrap();
        std::fs::write(&key, KEY).unwrap();
        (folder, certificate, key)
    }

    /// A server for other machines, as long as the second part lives.
    fn serve(
        proxy: Option<IpAddr>,
        tls: Option<TlsAcceptor>,
    ) -> (SocketAddr, (Runtime, watch::Sender<bool>)) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let answer = |encrypted: Option<Extension<Encrypted>>| async move {
            if encrypted.is_some() {
                "fine, and secret"
            } else {
                "fine"
            }
        };
        let entrance = Entrance::open(Router::new().route("/", get(answer)));
        let door = Door::Beyond { listener, proxy, tls };
        runtime.spawn(http::serve(door, entrance, 8, http::PATIENCE, stopped));
        (address, (runtime, stop))
    }

    /// What is answered, if anything is.
    fn ask(mut stream: impl Read + Write) -> String {
        let mut answer = String::new();
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: data.example\r\nConnection: close\r\n\r\n");
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn other_machines_are_answered_over_tls_alone() {
        let (_folder, certificate, key) = files();
        let (address, _serving) = serve(None, Some(acceptor(&certificate, &key).unwrap()));
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("data.example").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = StreamOwned::new(client, TcpStream::connect(address).unwrap());
        assert!(ask(stream).ends_with("fine, and secret"));
        let plain = ask(TcpStream::connect(address).unwrap());
        assert!(!plain.contains("fine"), "{plain}");
    }

    #[test]
    fn the_proxy_alone_may_connect() {
        let (address, _serving) = serve(Some("127.0.0.1".parse().unwrap()), None);
        assert!(ask(TcpStream::connect(address).unwrap()).ends_with("fine"));
        let (address, _serving) = serve(Some("192.0.2.1".parse().unwrap()), None);
        assert_eq!(ask(TcpStream::connect(address).unwrap()), "");
    }

    #[test]
    fn files_that_are_no_certificates_are_named() {
        let (folder, certificate, key) = files();
        let refused = |certificate: &Path, key: &Path| match acceptor(certificate, key) {
            Ok(_) => panic!("they were taken"),
            Err(error) => error.to_string(),
        };
        let none = folder.path().join("none.pem");
        assert!(refused(&none, &key).contains("none.pem"));
        assert!(refused(&certificate, &none).contains("none.pem"));
        assert!(refused(&key, &key).contains("k.pem: it has no certificate"));
        assert!(refused(&certificate, &certificate).contains("c.pem"));
    }
}
