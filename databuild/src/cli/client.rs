//! The HTTP client: one small request at a time, to the workspace's server over loopback, or to one elsewhere.
//!
//! Each request has a connection of its own, so that none meets one that a server left behind which is gone.

use super::error::CliError;
use crate::api::{ErrorBody, Page, ACTOR_HEADER, CLIENT_HEADER};
use crate::daemon::{ServerInfo, Token};
use crate::observe::machine_tls;
use crate::os::ProcessId;
use databuild_core::text::shown;
use serde::de::DeserializeOwned;
use serde::Serialize;
use std::time::Duration;
use ureq::http::request::Builder;
use ureq::http::{Method, Request, Response};
use ureq::tls::TlsConfig;
use ureq::{Agent, AsSendBody, Body};

/// How long connecting may take; it is the same machine.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a probe may take.
const PROBE: Duration = Duration::from_secs(2);

/// Rows of a list that are asked for at once.
const PAGE: usize = 1000;

/// What the log calls this program.
const PROGRAM: &str = "cli";

/// Asks one server.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    /// Where it is, such as `http://127.0.0.1:8080`; paths follow.
    base: String,
    token: String,
    /// The server's process; none of a server elsewhere.
    process: Option<ProcessId>,
    /// What the log is to call the program that asks.
    program: &'static str,
}

/// A part of a log.
pub struct LogPart {
    /// As the job wrote them.
    pub bytes: Vec<u8>,
    /// Where they begin.
    pub offset: u64,
    /// The size of the whole log, as it was when they were read.
    pub size: u64,
    /// They end the log, and the attempt is over.
    pub ended: bool,
    /// Anything is kept of the log.
    pub kept: bool,
}

/// Lines of a log, written out.
pub struct LogPrintout {
    /// As they are shown.
    pub bytes: Vec<u8>,
    /// When the last one came, if that is known.
    pub at: Option<String>,
    /// Where to go on.
    pub next: String,
    /// Nothing follows.
    pub ended: bool,
    /// Anything is kept of the log.
    pub kept: bool,
}

/// What is asked of a server.
struct Question<'a> {
    method: Method,
    path: &'a str,
    /// JSON.
    body: Option<&'a [u8]>,
    /// The name of the request, under which it is carried out once.
    key: Option<&'a str>,
    /// Further headers.
    headers: &'a [(&'static str, String)],
    /// How long it may take.
    limit: Option<Duration>,
}

impl<'a> Question<'a> {
    fn new(method: Method, path: &'a str) -> Question<'a> {
        Question { method, path, body: None, key: None, headers: &[], limit: None }
    }
}

/// Why there is no answer.
enum Silence {
    /// It took too long.
    Slow,
    /// The server is not there, or went.
    Gone(String),
}

impl Client {
    /// A client of the server that `info` describes.
    pub fn new(info: &ServerInfo) -> Client {
        let (base, token) = (format!("http://{}", info.address), info.token.expose().to_owned());
        Client { agent: agent(None), base, token, process: Some(info.process()), program: PROGRAM }
    }

    /// A client of the server at `url`, which is one of this program.
    ///
    /// # Errors
    /// It is no URL that can be asked.
    pub fn elsewhere(url: &str, token: &Token) -> Result<Client, CliError> {
        let base = url.trim_end_matches('/').to_owned();
        let (tls, host) = match (base.strip_prefix("https://"), base.strip_prefix("http://")) {
            (Some(host), _) => (Some(machine_tls()), host),
            (None, Some(host)) => (None, host),
            (None, None) => (None, ""),
        };
        if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
            let message = format!("`{}` is not the URL of a server", shown(url));
            return Err(CliError::new("bad_server_url", message).hint("write it as http://127.0.0.1:8080"));
        }
        let token = token.expose().to_owned();
        Ok(Client { agent: agent(tls), base, token, process: None, program: PROGRAM })
    }

    /// The same, for a program that the log is to call so.
    #[must_use]
    pub fn called(self, program: &'static str) -> Client {
        Client { program, ..self }
    }

    /// Where the server is.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// The server's process; none of a server elsewhere.
    pub fn process(&self) -> Option<ProcessId> {
        self.process
    }

    /// Asks a server whether it is well.
    pub fn probe(info: &ServerInfo) -> Result<(), String> {
        Client::new(info).is_well()
    }

    /// Asks whether the server is well; its runner need not be.
    pub fn is_well(&self) -> Result<(), String> {
        let question = Question { limit: Some(PROBE), ..Question::new(Method::GET, "/health") };
        match self.send(&question) {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(format!("it answered {}", response.status())),
            Err(Silence::Gone(reason)) => Err(reason),
            Err(Silence::Slow) => Err("it did not answer in time".to_owned()),
        }
    }

    /// Asks a server to go.
    pub fn ask_shutdown(info: &ServerInfo) -> Result<(), String> {
        let order = Question::new(Method::POST, "/api/v1/server/shutdown");
        let order = Question { body: Some(b"{}"), limit: Some(PROBE), ..order };
        match Client::new(info).send(&order) {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(format!("it answered {}", response.status())),
            // It may be gone before its answer.
            Err(Silence::Gone(_)) => Ok(()),
            Err(Silence::Slow) => Err("it did not answer in time".to_owned()),
        }
    }

    /// `GET`.
    ///
    /// # Errors
    /// The server is gone, or answered with an error.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        decode(path, &self.bytes(path)?)
    }

    /// Rows of a list, page by page until there are as many as `wanted` (0 for all) or no more. `path` has a query.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn list<T: DeserializeOwned>(&self, path: &str, wanted: usize) -> Result<Page<T>, CliError> {
        let wanted = if wanted == 0 { usize::MAX } else { wanted };
        let mut rows: Vec<T> = Vec::new();
        let mut cursor = String::new();
        let more = if path.contains('?') { '&' } else { '?' };
        loop {
            let limit = (wanted - rows.len()).min(PAGE);
            let page: Page<T> = self.get(&format!("{path}{more}limit={limit}{cursor}"))?;
            rows.extend(page.data);
            match page.next {
                // A page may have fewer rows than there are.
                Some(next) if rows.len() < wanted => cursor = format!("&cursor={next}"),
                next => return Ok(Page { data: rows, next, seq: page.seq }),
            }
        }
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        decode(path, &self.ask(&Question::new(Method::DELETE, path))?)
    }

    /// `POST` with a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, CliError> {
        decode(path, &self.tell(Method::POST, path, body, None)?)
    }

    /// `POST` with a JSON body of a request with this name: with the same name and body it is carried out once.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post_with_key<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        body: &B,
    ) -> Result<T, CliError> {
        decode(path, &self.tell(Method::POST, path, body, Some(key))?)
    }

    /// `PUT` with a JSON body and no answer.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn put<B: Serialize>(&self, path: &str, body: &B) -> Result<(), CliError> {
        self.tell(Method::PUT, path, body, None).map(drop)
    }

    /// `PUT` with a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn replace<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, CliError> {
        decode(path, &self.tell(Method::PUT, path, body, None)?)
    }

    /// `POST` whose answer is only a status.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn order<B: Serialize>(&self, path: &str, body: &B) -> Result<(), CliError> {
        self.tell(Method::POST, path, body, None).map(drop)
    }

    /// `GET` of plain bytes.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, CliError> {
        self.ask(&Question::new(Method::GET, path))
    }

    /// `GET` of a part of a log.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn log(&self, path: &str) -> Result<LogPart, CliError> {
        let response = self.send(&Question::new(Method::GET, path)).map_err(|silence| self.gone(silence))?;
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let number = |name: &str| header(name).and_then(|text| text.parse().ok()).unwrap_or_default();
        let (size, offset) = (number("x-log-size"), number("x-log-offset"));
        let ended = header("x-log-ended").is_some_and(|text| text == "true");
        let kept = header("x-log-kept").is_none_or(|text| text == "true");
        Ok(LogPart { bytes: self.read(response)?, offset, size, ended, kept })
    }

    /// `GET` of lines of a log, written out.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn log_printout(&self, path: &str) -> Result<LogPrintout, CliError> {
        let response = self.send(&Question::new(Method::GET, path)).map_err(|silence| self.gone(silence))?;
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let (at, next) = (header("x-log-at"), header("x-log-next").unwrap_or_default());
        let ended = header("x-log-ended").is_some_and(|text| text == "true");
        let kept = header("x-log-kept").is_none_or(|text| text == "true");
        Ok(LogPrintout { bytes: self.read(response)?, at, next, ended, kept })
    }

    /// `POST` of a message in another protocol, with headers of its own. What the server answers, be it an error.
    ///
    /// # Errors
    /// The server is gone.
    pub fn exchange(
        &self,
        path: &str,
        headers: &[(&'static str, String)],
        body: &[u8],
    ) -> Result<(u16, Vec<u8>), CliError> {
        let question = Question { body: Some(body), headers, ..Question::new(Method::POST, path) };
        let mut response = self.send(&question).map_err(|silence| self.gone(silence))?;
        let bytes = response.body_mut().with_config().limit(u64::MAX).read_to_vec();
        Ok((response.status().as_u16(), bytes.map_err(|error| self.gone(silence(error)))?))
    }

    /// Sends `body` as JSON; returns the answer.
    fn tell<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: &B,
        key: Option<&str>,
    ) -> Result<Vec<u8>, CliError> {
        let body =
            serde_json::to_vec(body).map_err(|error| CliError::new("bad_request", error.to_string()))?;
        self.ask(&Question { body: Some(&body), key, ..Question::new(method, path) })
    }

    fn ask(&self, question: &Question<'_>) -> Result<Vec<u8>, CliError> {
        let response = self.send(question).map_err(|silence| self.gone(silence))?;
        self.read(response)
    }

    fn send(&self, question: &Question<'_>) -> Result<Response<Body>, Silence> {
        let mut request = Request::builder()
            .method(&question.method)
            .uri(format!("{}{}", self.base, question.path))
            .header("authorization", format!("Bearer {}", self.token))
            .header(ACTOR_HEADER, crate::os::user().as_bytes())
            .header(CLIENT_HEADER, self.program);
        for (name, value) in question.headers {
            request = request.header(*name, value);
        }
        if let Some(key) = question.key {
            request = request.header("idempotency-key", key);
        }
        let answer = match question.body {
            Some(body) => self.run(request.header("content-type", "application/json"), body, question.limit),
            None => self.run(request, (), question.limit),
        };
        answer.map_err(silence)
    }

    fn run(
        &self,
        request: Builder,
        body: impl AsSendBody,
        limit: Option<Duration>,
    ) -> Result<Response<Body>, ureq::Error> {
        let request = self.agent.configure_request(request.body(body)?).timeout_global(limit).build();
        self.agent.run(request)
    }

    fn read(&self, mut response: Response<Body>) -> Result<Vec<u8>, CliError> {
        let status = response.status();
        let bytes = response.body_mut().with_config().limit(u64::MAX).read_to_vec();
        let bytes = bytes.map_err(|error| self.gone(silence(error)))?;
        if status.is_success() {
            return Ok(bytes);
        }
        match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(body) => Err(CliError::from_server(status.as_u16(), body)),
            Err(_) => Err(CliError::new("bad_answer", format!("the server answered {status}"))),
        }
    }

    fn gone(&self, silence: Silence) -> CliError {
        let reason = match silence {
            Silence::Slow => "it does not accept a connection".to_owned(),
            Silence::Gone(reason) => reason,
        };
        let message = format!("the server cannot be reached: {}: {reason}", self.base);
        let error = CliError::new("server_unreachable", message);
        if self.process.is_some() {
            error.hint("look at .databuild/server.log")
        } else {
            error
        }
    }
}

fn agent(tls: Option<TlsConfig>) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(0)
        .proxy(None)
        .timeout_connect(Some(CONNECT));
    match tls {
        Some(tls) => config.tls_config(tls).build().into(),
        None => config.build().into(),
    }
}

fn silence(error: ureq::Error) -> Silence {
    match error {
        ureq::Error::Timeout(_) => Silence::Slow,
        ureq::Error::Io(error) => Silence::Gone(error.to_string()),
        other => Silence::Gone(other.to_string()),
    }
}

fn decode<T: DeserializeOwned>(path: &str, answer: &[u8]) -> Result<T, CliError> {
    serde_json::from_slice(answer).map_err(|error| {
        let message = format!("the server's answer to {path} cannot be read: {error}");
        CliError::new("bad_answer", message)
    })
}
