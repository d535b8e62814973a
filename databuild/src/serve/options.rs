//! What a server is told at its start, and what it takes from its environment.

use crate::api::Setting;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Go away after so long without requests, runs and due wants; never, if absent.
    pub idle_timeout: Option<Duration>,
    /// Attempts that may run at once.
    pub slots: usize,
    /// Where it listens besides, for other machines.
    pub beyond: Option<Beyond>,
    /// Origins of web apps in development.
    pub allowed_origins: Vec<String>,
    /// Events older than this are archived, or none are; as the graph says, if the outer one is none.
    pub keep_events: Option<Option<Duration>>,
    /// `gc` keeps logs of younger attempts; all, if none.
    pub keep_logs: Option<Duration>,
    /// Only a deployment changes the graph that new work follows.
    pub only_deploy: bool,
    /// Where traces are sent; nowhere, if absent.
    pub otlp_endpoint: Option<String>,
    /// Each setting, for who looks at the server.
    pub settings: Vec<Setting>,
    /// The server belongs to one command: when its standard input ends, so has the command, and it stops with its jobs.
    pub private: bool,
}

/// How other machines reach the server.
#[derive(Debug, Clone)]
pub struct Beyond {
    /// Where it listens for them.
    pub address: SocketAddr,
    /// What others call it.
    pub hosts: Vec<String>,
    /// Who alone may connect.
    pub proxy: Option<IpAddr>,
    /// Files with certificates and key, if it speaks TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// The user's code store: shared by all workspaces, outside of any, since a snapshot's BUILD files would
/// become packages of a workspace around it.
///
/// # Errors
/// Neither `XDG_CACHE_HOME` nor `HOME` is set.
pub fn store_root() -> Result<PathBuf, String> {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    from("XDG_CACHE_HOME")
        .or_else(|| from("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("databuild"))
        .ok_or_else(|| "neither XDG_CACHE_HOME nor HOME names a folder for the code store".to_owned())
}

/// Environment that every job gets. Data must not depend on who started the server, and a shell's
/// environment holds secrets: `PATH` and the language are fixed, who and where is handed on, nothing else is.
/// A job that needs more names it in `env` or `env_inherit`, where it is part of the job's digest.
#[must_use]
pub fn job_environment() -> Vec<(String, String)> {
    const KEPT: [&str; 4] = ["HOME", "USER", "LOGNAME", "TMPDIR"];
    let fixed = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8")];
    KEPT.iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .chain(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect()
}
