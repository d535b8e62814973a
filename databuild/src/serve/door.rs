//! Where connections come in: a port of this machine, one for other machines, or a Unix socket that only the server's own user
//! can open.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

/// A connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A listener.
pub(super) enum Door {
    /// Anybody on this machine can connect.
    Port(TcpListener),
    /// Other machines can.
    Beyond {
        /// Where.
        listener: TcpListener,
        /// Who alone may, if that is one.
        proxy: Option<IpAddr>,
        /// Who shakes hands, unless the proxy did.
        tls: Option<TlsAcceptor>,
    },
    /// Who connects is the server's own user.
    Socket(UnixSocket),
}

/// A Unix socket with its file, which goes with it.
pub(super) struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl UnixSocket {
    /// Listens at `path`, in a folder that only its owner can enter. What an earlier server left there is replaced; the caller
    /// owns the state folder that the path belongs to.
    pub(super) fn bind(path: &Path) -> io::Result<UnixSocket> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(UnixSocket { listener, path: path.to_owned() })
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // It may be gone with its folder.
        let _ = fs::remove_file(&self.path);
    }
}

impl Door {
    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Door::Port(listener) => Ok(Box::new(listener.accept().await?.0)),
            Door::Beyond { listener, proxy, .. } => {
                let (stream, peer) = listener.accept().await?;
                if proxy.is_some_and(|proxy| proxy != peer.ip().to_canonical()) {
                    let message = format!("{} is not the proxy", peer.ip());
                    return Err(io::Error::new(io::ErrorKind::ConnectionRefused, message));
                }
                Ok(Box::new(stream))
            }
            Door::Socket(socket) => {
                let stream = socket.listener.accept().await?.0;
                // Mode and folder see to it; root passes both.
                let user = stream.peer_cred()?.uid();
                if user != rustix::process::geteuid().as_raw() {
                    let message = format!("user {user} is not the server's own");
                    return Err(io::Error::new(io::ErrorKind::ConnectionRefused, message));
                }
                Ok(Box::new(stream))
            }
        }
    }

    /// Who shakes hands with those who come in by it; takes as long as they like.
    pub(super) fn tls(&self) -> Option<TlsAcceptor> {
        match self {
            Door::Beyond { tls, .. } => tls.clone(),
            _ => None,
        }
    }

    /// Whether who comes in by it needs no token.
    pub(super) fn is_private(&self) -> bool {
        matches!(self, Door::Socket(_))
    }
}
