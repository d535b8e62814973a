//! Data versions of content that a server has: its ETag, else its time of modification, else the hash of the content.
//!
//! The question is HEAD. Only if that is refused (405 or 501), or is answered without an ETag or a time, is
//! it GET, of which nothing but the head is read if there is one of them. A conditional GET would save no more.

use super::{shown, Answer};
use base16ct::HexDisplay;
use databuild_core::observation::version_fault;
use rustls::crypto::ring;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Content longer than this is not read to find out whether it changed.
const MOST_BYTES: u64 = 64 << 20;
const MOST_REDIRECTS: u32 = 5;

/// Why a server did not say what it has. URLs are told without their query, which may hold a key.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Neither there nor absent.
    #[error("{url} answered with status {status}; 200 says what is there, 404 and 410 that nothing is")]
    Status {
        /// Whom.
        url: String,
        /// What it said.
        status: u16,
    },
    /// Too slow.
    #[error("{url} gave no answer within {}; raise `timeout` of observe.http if it needs longer", shown(*limit))]
    Timeout {
        /// Whom.
        url: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// No connection, or one that broke.
    #[error("{url} cannot be asked: {problem}")]
    Unreachable {
        /// Whom.
        url: String,
        /// What the system says.
        problem: String,
    },
    /// Nothing tells its versions apart but too much content.
    #[error("{url} has neither an ETag nor a time of modification, and its content is more than {MOST_BYTES} bytes; use observe.program")]
    TooLarge {
        /// Whom.
        url: String,
    },
    /// A header that cannot be a data version.
    #[error("{url} has a header `{header}` that {fault}")]
    BadHeader {
        /// Whom.
        url: String,
        /// Which.
        header: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
}

impl HttpError {
    /// Whether nobody answered, so that asking for the next thing is likely to be in vain.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, HttpError::Timeout { .. } | HttpError::Unreachable { .. })
    }
}

/// Asks servers. Certificates are held against what the machine trusts, which is read when it is first needed.
#[derive(Debug, Default)]
pub struct HttpClient {
    agent: OnceLock<Agent>,
}

impl HttpClient {
    /// Which data version is at a URL.
    ///
    /// # Errors
    /// It does not say.
    pub fn look(&self, url: &str, limit: Duration) -> Result<Answer, HttpError> {
        let agent = self.agent.get_or_init(|| agent(machine_roots()));
        let asking = Asking { agent, url, limit, until: Instant::now() + limit };
        let head = asking.ask(true)?;
        if !matches!(head.status(), StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
            match asking.judge(&head)? {
                Verdict::Known(answer) => return Ok(answer),
                Verdict::NoHeader => {}
            }
        }
        let whole = asking.ask(false)?;
        match asking.judge(&whole)? {
            Verdict::Known(answer) => Ok(answer),
            Verdict::NoHeader => asking.hash(whole),
        }
    }
}

/// One thing that is asked for, maybe twice, by one time limit.
struct Asking<'a> {
    agent: &'a Agent,
    url: &'a str,
    limit: Duration,
    until: Instant,
}

enum Verdict {
    Known(Answer),
    /// It is there, and its headers tell no version.
    NoHeader,
}

impl Asking<'_> {
    fn ask(&self, head: bool) -> Result<Response<Body>, HttpError> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.timeout());
        }
        let request = if head { self.agent.head(self.url) } else { self.agent.get(self.url) };
        request.config().timeout_global(Some(left)).build().call().map_err(|error| self.failed(error))
    }

    fn judge(&self, response: &Response<Body>) -> Result<Verdict, HttpError> {
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Verdict::Known(Answer::Absent)),
            status if !status.is_success() => {
                return Err(HttpError::Status { url: self.shown(), status: status.as_u16() })
            }
            _ => {}
        }
        for (header, prefix) in [("etag", "etag"), ("last-modified", "modified")] {
            if let Some(value) = self.header(response.headers(), header)? {
                return Ok(Verdict::Known(Answer::Version(format!("{prefix}:{value}"))));
            }
        }
        Ok(Verdict::NoHeader)
    }

    fn header<'h>(&self, headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, HttpError> {
        let Some(value) = headers.get(name) else { return Ok(None) };
        let bad = |fault| HttpError::BadHeader { url: self.shown(), header: name, fault };
        let text = value.to_str().map_err(|_| bad("is not text"))?.trim();
        version_fault(text).map_or(Ok(Some(text)), |fault| Err(bad(fault)))
    }

    fn hash(&self, response: Response<Body>) -> Result<Answer, HttpError> {
        let mut body = response.into_body().into_reader().take(MOST_BYTES + 1);
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        let mut length = 0;
        loop {
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    length += read as u64;
                    hasher.update(&buffer[..read]);
                }
                Err(error) => return Err(self.failed(ureq::Error::from(error))),
            }
        }
        if length > MOST_BYTES {
            return Err(HttpError::TooLarge { url: self.shown() });
        }
        Ok(Answer::Version(format!("sha256:{:x}", HexDisplay(&hasher.finalize()))))
    }

    fn failed(&self, error: ureq::Error) -> HttpError {
        let problem = match error {
            ureq::Error::Timeout(_) => return self.timeout(),
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => return self.timeout(),
            ureq::Error::HostNotFound => "there is no such host".to_owned(),
            ureq::Error::TooManyRedirects => format!("it redirects more than {MOST_REDIRECTS} times"),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                "it, or where it redirects to, is no URL".to_owned()
            }
            other => other.to_string(),
        };
        HttpError::Unreachable { url: self.shown(), problem }
    }

    fn timeout(&self) -> HttpError {
        HttpError::Timeout { url: self.shown(), limit: self.limit }
    }

    fn shown(&self) -> String {
        self.url.split('?').next().unwrap_or_default().to_owned()
    }
}

/// How to speak with servers over TLS: certificates are held against what the machine trusts.
#[must_use]
pub fn machine_tls() -> TlsConfig {
    tls(&machine_roots())
}

fn tls(roots: &[Certificate<'static>]) -> TlsConfig {
    TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(roots))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build()
}

/// An agent that trusts whom these certificates vouch for, and takes nothing from the environment.
fn agent(roots: Vec<Certificate<'static>>) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(MOST_REDIRECTS)
        .proxy(None)
        .tls_config(tls(&roots))
        .user_agent(concat!("databuild/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// The authorities that the machine trusts.
fn machine_roots() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the machine's certificate authorities cannot be read");
    }
    found.certs.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect()
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
