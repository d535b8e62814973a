//! The HTTP client: one small request at a time, over loopback.

use super::error::CliError;
use crate::api::ErrorBody;
use crate::daemon::ServerInfo;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// How long connecting may take; it is the same machine.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a probe may take.
const PROBE: Duration = Duration::from_secs(2);

/// A connection to one server.
pub struct Client {
    runtime: Runtime,
    address: SocketAddr,
    token: String,
}

/// A part of a log.
pub struct LogPart {
    /// As the job wrote them.
    pub bytes: Bytes,
    /// Where they begin.
    pub offset: u64,
    /// The size of the whole log, as it was when they were read.
    pub size: u64,
    /// They end the log, and the attempt is over.
    pub ended: bool,
}

impl Client {
    /// A client of the server that `info` describes.
    ///
    /// # Errors
    /// The process cannot have a runtime.
    pub fn new(info: &ServerInfo) -> Result<Client, CliError> {
        Ok(Client { runtime: runtime()?, address: info.address, token: info.token.expose().to_owned() })
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A further client of the same server, for another thread.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn another(&self) -> Result<Client, CliError> {
        Ok(Client { runtime: runtime()?, address: self.address, token: self.token.clone() })
    }

    /// Asks a server whether it is well.
    pub fn probe(info: &ServerInfo) -> Result<(), String> {
        let client = Client::new(info).map_err(|_| "no runtime".to_owned())?;
        client.runtime.block_on(async {
            let request = tokio::time::timeout(PROBE, client.send(Method::GET, "/ready", None));
            match request.await {
                Ok(Ok(response)) if response.status().is_success() => Ok(()),
                Ok(Ok(response)) => Err(format!("it answered {}", response.status())),
                Ok(Err(error)) => Err(error),
                Err(_) => Err("it did not answer in time".to_owned()),
            }
        })
    }

    /// Asks a server to go.
    pub fn ask_shutdown(info: &ServerInfo) -> Result<(), String> {
        let client = Client::new(info).map_err(|_| "no runtime".to_owned())?;
        client.runtime.block_on(async {
            let body = Bytes::from_static(b"{}");
            let request = client.send(Method::POST, "/api/v1/server/shutdown", Some(body));
            match tokio::time::timeout(PROBE, request).await {
                Ok(Ok(response)) if response.status().is_success() => Ok(()),
                Ok(Ok(response)) => Err(format!("it answered {}", response.status())),
                // It may be gone before its answer.
                Ok(Err(_)) => Ok(()),
                Err(_) => Err("it did not answer in time".to_owned()),
            }
        })
    }

    /// `GET`.
    ///
    /// # Errors
    /// The server is gone, or answered with an error.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.request(Method::GET, path, None)
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.request(Method::DELETE, path, None)
    }

    /// `POST` with a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, CliError> {
        self.request(Method::POST, path, Some(encode(body)?))
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
        let body = encode(body)?;
        self.runtime.block_on(async {
            let response = self.send_with(Method::POST, path, Some(body), Some(key)).await.map_err(gone)?;
            decode(path, &read(response).await?)
        })
    }

    /// `PUT` with a JSON body and no answer.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn put<B: Serialize>(&self, path: &str, body: &B) -> Result<(), CliError> {
        let body = encode(body)?;
        self.runtime.block_on(async {
            let response = self.send(Method::PUT, path, Some(body)).await.map_err(gone)?;
            read(response).await.map(drop)
        })
    }

    /// `PUT` with a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn replace<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, CliError> {
        self.request(Method::PUT, path, Some(encode(body)?))
    }

    /// `POST` whose answer is only a status.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn order<B: Serialize>(&self, path: &str, body: &B) -> Result<(), CliError> {
        let body = encode(body)?;
        self.runtime.block_on(async {
            let response = self.send(Method::POST, path, Some(body)).await.map_err(gone)?;
            read(response).await.map(drop)
        })
    }

    /// `GET` of plain bytes.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn bytes(&self, path: &str) -> Result<Bytes, CliError> {
        self.runtime.block_on(async {
            let response = self.send(Method::GET, path, None).await.map_err(gone)?;
            read(response).await
        })
    }

    /// `GET` of a part of a log.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn log(&self, path: &str) -> Result<LogPart, CliError> {
        self.runtime.block_on(async {
            let response = self.send(Method::GET, path, None).await.map_err(gone)?;
            let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
            let number = |name: &str| header(name).and_then(|text| text.parse().ok()).unwrap_or_default();
            let (size, offset) = (number("x-log-size"), number("x-log-offset"));
            let ended = header("x-log-ended").is_some_and(|text| text == "true");
            Ok(LogPart { bytes: read(response).await?, offset, size, ended })
        })
    }

    fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<T, CliError> {
        self.runtime.block_on(async {
            let response = self.send(method, path, body).await.map_err(gone)?;
            decode(path, &read(response).await?)
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Response<Incoming>, String> {
        self.send_with(method, path, body, None).await
    }

    async fn send_with(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        key: Option<&str>,
    ) -> Result<Response<Incoming>, String> {
        let stream = tokio::time::timeout(CONNECT, TcpStream::connect(self.address))
            .await
            .map_err(|_| format!("{} does not accept a connection", self.address))?
            .map_err(|error| format!("{}: {error}", self.address))?;
        let _ = stream.set_nodelay(true);
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|error| error.to_string())?;
        sender.send_request(request).await.map_err(|error| error.to_string())
    }
}

fn runtime() -> Result<Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new("no_runtime", error.to_string()))
}

fn decode<T: DeserializeOwned>(path: &str, answer: &[u8]) -> Result<T, CliError> {
    serde_json::from_slice(answer).map_err(|error| {
        let message = format!("the server's answer to {path} cannot be read: {error}");
        CliError::new("bad_answer", message)
    })
}

fn encode<B: Serialize>(body: &B) -> Result<Bytes, CliError> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| CliError::new("bad_request", error.to_string()))
}

async fn read(response: Response<Incoming>) -> Result<Bytes, CliError> {
    let status = response.status();
    let bytes = response.into_body().collect().await.map_err(|error| gone(error.to_string()))?.to_bytes();
    if status.is_success() {
        return Ok(bytes);
    }
    match serde_json::from_slice::<ErrorBody>(&bytes) {
        Ok(body) => Err(CliError::from_server(status.as_u16(), body)),
        Err(_) => Err(CliError::new("bad_answer", format!("the server answered {status}"))),
    }
}

fn gone(reason: String) -> CliError {
    CliError::new("server_unreachable", format!("the server cannot be reached: {reason}"))
        .hint("look at .databuild/server.log")
}
