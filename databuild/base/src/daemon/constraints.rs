//! What a client demands of a running server, and why one is replaced.

use super::info::ServerInfo;
use std::fmt;
use std::path::PathBuf;

/// What the server must be to serve this client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints {
    /// DataBuild's version.
    pub version: String,
    /// Version of the protocol between client and server.
    pub protocol: u32,
    /// SHA-256 of the executable a new server would run; `None` accepts any.
    pub binary_sha256: Option<String>,
}

/// Why a running server was replaced; shown to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestartReason {
    /// It was another version.
    Version {
        /// The replaced server's version.
        running: String,
        /// This client's version.
        wanted: String,
    },
    /// It spoke another protocol.
    Protocol {
        /// The replaced server's protocol.
        running: u32,
        /// This client's protocol.
        wanted: u32,
    },
    /// The same version, built from other sources.
    Binary,
    /// The workspace has moved since it started.
    WorkspaceMoved {
        /// Where the workspace was.
        from: PathBuf,
        /// Where it is.
        to: PathBuf,
    },
}

impl Constraints {
    /// The first demand that the server described by `info` does not meet.
    pub fn mismatch(&self, info: &ServerInfo) -> Option<RestartReason> {
        if self.version != info.version {
            return Some(RestartReason::Version {
                running: info.version.clone(),
                wanted: self.version.clone(),
            });
        }
        if self.protocol != info.protocol {
            return Some(RestartReason::Protocol { running: info.protocol, wanted: self.protocol });
        }
        self.binary_sha256
            .as_ref()
            .filter(|wanted| **wanted != info.binary_sha256)
            .map(|_| RestartReason::Binary)
    }
}

impl fmt::Display for RestartReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestartReason::Version { running, wanted } => {
                write!(f, "it was version {running}, this is version {wanted}")
            }
            RestartReason::Protocol { running, wanted } => {
                write!(f, "it spoke protocol {running}, this is protocol {wanted}")
            }
            RestartReason::Binary => f.write_str("it was built from other sources"),
            RestartReason::WorkspaceMoved { from, to } => {
                write!(f, "the workspace moved from {} to {}", from.display(), to.display())
            }
        }
    }
}
