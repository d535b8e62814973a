//! `server.json`: who the server is and how to reach it.

use super::identity::DirId;
use super::state_dir::StateDir;
use super::token::Token;
use crate::os::{read_left, replace_file, ProcessId, ProcessRecord};
use serde::{Deserialize, Serialize};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Bytes that a `server.json` may have.
pub(super) const LONGEST: u64 = 1 << 20;

/// The contents of `server.json` (mode 0600). Readers ignore fields they do not
/// know, and the meaning of a field never changes, so clients and servers of
/// different versions can find and replace each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// Process id.
    pub pid: u32,
    /// Process start time in clock ticks since boot.
    pub start_time: u64,
    /// The kernel's id of the boot the server runs in.
    pub boot_id: String,
    /// The host's name.
    pub host: String,
    /// The HTTP address; always a loopback one.
    pub address: SocketAddr,
    /// The Unix socket, where its user needs no token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The bearer token.
    pub token: Token,
    /// DataBuild's version.
    pub version: String,
    /// SHA-256 of the server's executable, in hexadecimal.
    pub binary_sha256: String,
    /// Version of the protocol between client and server.
    pub protocol: u32,
    /// The workspace's real path when the server started.
    pub workspace: PathBuf,
    /// The identity of the state folder the server owns.
    pub state_dir: DirId,
    /// When the server was ready, in milliseconds since 1970 UTC.
    pub started_at_ms: u64,
    /// The same, RFC 3339. This and the two below are for those who read the file without knowing DataBuild; servers of
    /// earlier versions leave them out.
    #[serde(default)]
    pub started_at: String,
    /// The port of `address`.
    #[serde(default)]
    pub port: u16,
    /// The same as `workspace`.
    #[serde(default)]
    pub workspace_root: PathBuf,
    /// Where the server finds the code of jobs. Clients store it there, wherever their own environment would put it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_store: Option<PathBuf>,
}

/// What reading `server.json` gave.
#[derive(Debug)]
pub(super) enum ReadInfo {
    /// A well-formed file.
    Info(Box<ServerInfo>),
    /// No file.
    Absent,
    /// A file that no server wrote.
    Malformed(String),
}

impl ServerInfo {
    /// The server's process.
    pub fn process(&self) -> ProcessId {
        ProcessId { pid: self.pid, start_time: self.start_time }
    }

    /// The same with its boot.
    #[must_use]
    pub fn record(&self) -> ProcessRecord {
        ProcessRecord { pid: self.pid, start_time: self.start_time, boot_id: self.boot_id.clone() }
    }

    /// Reads the state folder's `server.json`; `None` if there is none. No
    /// claim that the server lives: see `find`.
    pub fn read(state: &StateDir) -> io::Result<Option<Self>> {
        match Self::read_raw(state)? {
            ReadInfo::Info(info) => Ok(Some(*info)),
            ReadInfo::Absent => Ok(None),
            ReadInfo::Malformed(why) => Err(io::Error::new(io::ErrorKind::InvalidData, why)),
        }
    }

    pub(super) fn read_raw(state: &StateDir) -> io::Result<ReadInfo> {
        Ok(read_left(&state.server_json(), LONGEST)?.map_or(ReadInfo::Absent, |bytes| Self::parse(&bytes)))
    }

    pub(super) fn parse(bytes: &[u8]) -> ReadInfo {
        match serde_json::from_slice::<ServerInfo>(bytes) {
            // The token must not be sent to another machine, even if somebody else wrote this file.
            Ok(info) if !info.address.ip().is_loopback() => {
                ReadInfo::Malformed(format!("{} is not a loopback address", info.address))
            }
            Ok(info) => ReadInfo::Info(Box::new(info)),
            Err(e) => ReadInfo::Malformed(e.to_string()),
        }
    }

    /// Replaces the state folder's `server.json` by this in one step.
    pub fn write(&self, state: &StateDir) -> io::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        replace_file(&state.server_json(), &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{"pid":1,"start_time":2,"boot_id":"b","host":"h",
        "address":"127.0.0.1:80","token":"t","version":"1","binary_sha256":"s","protocol":1,
        "workspace":"/w","state_dir":{"dev":3,"ino":4},"started_at_ms":5,"from_the_future":true}"#;

    #[test]
    fn unknown_fields_are_ignored() {
        assert!(matches!(
            ServerInfo::parse(SAMPLE.as_bytes()),
            ReadInfo::Info(info) if info.state_dir == DirId { dev: 3, ino: 4 }
        ));
    }

    #[test]
    fn an_address_beyond_this_machine_is_not_believed() {
        let text = SAMPLE.replace("127.0.0.1", "192.0.2.1");
        assert!(matches!(
            ServerInfo::parse(text.as_bytes()),
            ReadInfo::Malformed(why) if why.contains("192.0.2.1")
        ));
    }

    #[test]
    fn half_a_file_is_malformed() {
        assert!(matches!(ServerInfo::parse(&SAMPLE.as_bytes()[..40]), ReadInfo::Malformed(_)));
    }
}
