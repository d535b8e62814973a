//! Who may talk to a server that can start processes: loopback is no protection against a web page.

use super::error::ApiError;
use super::routes::App;
use crate::daemon::Token;
use axum::extract::{Request, State};
use axum::http::{header, HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

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

/// Paths that answer without a token: they say nothing but that the server lives.
const OPEN: [&str; 2] = ["/health", "/ready"];

impl Guard {
    /// A DNS name that was rebound to loopback arrives with its own name as host.
    fn host_is_ours(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
        ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|name| host == *name || host.strip_prefix(name) == Some(&format!(":{}", self.port)))
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
    if !guard.host_is_ours(headers) {
        return ApiError::new(
            StatusCode::FORBIDDEN,
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
            return ApiError::new(
                StatusCode::FORBIDDEN,
                "bad_origin",
                "pages of this origin may not call the server",
            )
            .with("origin", foreign)
            .into_response();
        }
        if request.method() == Method::OPTIONS {
            return with_cors(StatusCode::NO_CONTENT.into_response(), foreign);
        }
    }
    let open = OPEN.contains(&request.uri().path());
    let response = if !open && !guard.token_fits(headers) {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
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
