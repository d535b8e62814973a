//! Who may talk to a server that can start processes: loopback is no protection against a web page.

use super::error::ApiError;
use super::routes::App;
use crate::daemon::Token;
use axum::extract::{Request, State};
use axum::http::{header, HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// What requests are held against.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The bearer token of `server.json`.
    pub token: Token,
    /// The port the server listens on.
    pub port: u16,
    /// Origins of web apps in development that may call the API, e.g. `http://localhost:3000`.
    pub allowed_origins: Vec<String>,
}

/// Whether somebody on this connection has shown the token.
#[derive(Debug, Clone, Default)]
pub struct Trusted(Arc<AtomicBool>);

impl Trusted {
    /// It was shown.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Paths that answer without a token: they say nothing but that the server lives.
const OPEN: [&str; 2] = ["/health", "/ready"];

impl Guard {
    /// A DNS name that was rebound to loopback arrives with its own name as host. A request names it in one Host header,
    /// and once more if it has an absolute URI.
    fn host_is_ours(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let is_ours = |host: &str| {
            ["127.0.0.1", "localhost", "[::1]"]
                .iter()
                .any(|name| host == *name || host.strip_prefix(name) == Some(&format!(":{}", self.port)))
        };
        host.to_str().is_ok_and(is_ours)
            && uri.authority().is_none_or(|authority| is_ours(authority.as_str()))
            && uri.scheme_str().is_none_or(|scheme| scheme == "http")
    }

    fn origin_is_ours(&self, origin: &str) -> bool {
        ["127.0.0.1", "localhost"].iter().any(|name| origin == format!("http://{name}:{}", self.port))
    }

    fn token_fits(&self, headers: &HeaderMap) -> bool {
        headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|token| self.token.matches(token))
    }
}

/// Middleware over all routes.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let guard = &app.guard;
    let headers = request.headers();
    if !guard.host_is_ours(request.uri(), headers) {
        return ApiError::new(
            "bad_host",
            "the Host header is not this server's; call it as 127.0.0.1 or localhost",
        )
        .into_response();
    }
    let origin = headers.get(header::ORIGIN).cloned();
    let foreign = origin
        .as_ref()
        .map(|origin| origin.to_str().unwrap_or_default().to_owned())
        .filter(|origin| !guard.origin_is_ours(origin));
    if let Some(foreign) = &foreign {
        if !guard.allowed_origins.contains(foreign) {
            return ApiError::new("bad_origin", "pages of this origin may not call the server")
                .with("origin", foreign)
                .into_response();
        }
        if request.method() == Method::OPTIONS {
            return with_cors(StatusCode::NO_CONTENT.into_response(), foreign);
        }
    }
    let open = OPEN.contains(&request.uri().path());
    let fits = guard.token_fits(headers);
    if let Some(trusted) = request.extensions().get::<Trusted>().filter(|_| fits) {
        trusted.set();
    }
    let response = if !open && !fits {
        ApiError::new(
            "unauthorized",
            "send `Authorization: Bearer TOKEN` with the token of .databuild/server.json",
        )
        .into_response()
    } else {
        if !open {
            app.touch();
        }
        let mut response = next.run(request).await;
        let seq = app.engine.snapshot().state.seq.0;
        response.headers_mut().insert("x-databuild-seq", HeaderValue::from(seq));
        response
    };
    match foreign {
        Some(foreign) => with_cors(response, &foreign),
        None => response,
    }
}

fn with_cors(mut response: Response, origin: &str) -> Response {
    let headers = response.headers_mut();
    if let Ok(origin) = HeaderValue::from_str(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, idempotency-key, last-event-id"),
    );
    headers
        .insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("x-databuild-seq, location"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_a_request_gives_the_server_must_be_its_own() {
        let token = Token::generate().unwrap();
        let guard = Guard { token, port: 80, allowed_origins: Vec::new() };
        let cases: [(&str, &[&str], bool); 12] = [
            ("/x", &["127.0.0.1:80"], true),
            ("/x", &["localhost"], true),
            ("/x", &["[::1]:80"], true),
            ("/x", &["localhost:81"], false),
            ("/x", &["evil.example"], false),
            ("/x", &[], false),
            ("/x", &["localhost", "localhost"], false),
            ("/x", &["localhost", "evil.example"], false),
            ("http://127.0.0.1:80/x", &["127.0.0.1:80"], true),
            ("http://evil.example/x", &["127.0.0.1:80"], false),
            ("http://me@127.0.0.1:80/x", &["127.0.0.1:80"], false),
            ("https://127.0.0.1:80/x", &["127.0.0.1:80"], false),
        ];
        for (uri, hosts, ours) in cases {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            assert_eq!(guard.host_is_ours(&uri.parse().unwrap(), &headers), ours, "{uri} {hosts:?}");
        }
    }
}
