//! Who sends a request, by what it says of itself.
//!
//! Nothing proves a name: whoever has the owner's token is trusted to give the right one. Who has another token is called as that is. Who gives none is the owner, who alone can
//! read the token. DataBuild itself sends no requests, so none is by the system. Each request has an id, its own or one of
//! ours, which stands in the events that it brings about and in the answer.

use super::asker::Asker;
use super::error::ApiError;
use super::guard::Encrypted;
use super::sessions::Session;
use super::state::App;
use crate::api::{ACTOR_HEADER, CLIENT_HEADER};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{header, HeaderMap, HeaderName};
use databuild_core::event::{Actor, Cause, Origin, RequestKey};
use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

const ACTOR: HeaderName = HeaderName::from_static(ACTOR_HEADER);
const CLIENT: HeaderName = HeaderName::from_static(CLIENT_HEADER);
/// Names a request.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What a program is called that does not say.
const NAMELESS: &str = "api";
/// What the pages are called.
const BROWSER: &str = "ui";
/// Longest value of these headers, in bytes.
const LONGEST: usize = 128;

/// The origin of what a request brings about; `owner` asks if it names nobody.
pub(super) fn origin_of(
    headers: &HeaderMap,
    asker: &Asker,
    id: &RequestId,
    owner: &Arc<str>,
) -> Result<Origin, ApiError> {
    let said = text(headers, &ACTOR)?;
    let actor = match asker {
        Asker::Owner => Actor::Person(said.map_or_else(|| Arc::clone(owner), Arc::from)),
        // The token proves who it is.
        Asker::Holder { name, .. } => Actor::Token(Arc::clone(name)),
    };
    let client = text(headers, &CLIENT)?.unwrap_or(NAMELESS).into();
    // What it named itself by may be no name.
    text(headers, &REQUEST_ID)?;
    Ok(Origin { actor, cause: Some(Cause::Request { id: Arc::clone(&id.0), client }) })
}

/// The origin of a request that a browser sends which is signed in. Whom a token let in acts as that.
pub(super) fn in_browser(origin: Origin, session: &Session) -> Origin {
    let cause = match origin.cause {
        Some(Cause::Request { id, .. }) => Some(Cause::Request { id, client: BROWSER.into() }),
        other => other,
    };
    let actor = match session.token {
        Some(_) => origin.actor,
        None => Actor::Person(session.person.as_str().into()),
    };
    Origin { actor, cause }
}

/// The name of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    /// Its own; one of ours if it has none, or none that can be had.
    pub(super) fn of(headers: &HeaderMap) -> RequestId {
        match text(headers, &REQUEST_ID) {
            Ok(Some(id)) => RequestId(id.into()),
            _ => RequestId(next_id().into()),
        }
    }

    /// As a line of the log has it: in quotes, unless it consists of what no reader of the log takes for the end of a value.
    pub(super) fn logged(&self) -> Cow<'_, str> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if self.0.bytes().all(is_plain) {
            return Cow::Borrowed(&self.0);
        }
        Cow::Owned(format!("{:?}", &*self.0))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, ApiError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map(str::trim).unwrap_or("\0");
    if text.len() > LONGEST || text.chars().any(char::is_control) {
        let message = format!("the value of {name} is not text of at most {LONGEST} bytes");
        return Err(ApiError::new("bad_header", message));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Unlike those of other requests to this server.
fn next_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    static STARTED: LazyLock<u32> = LazyLock::new(std::process::id);
    format!("{:x}-{}", *STARTED, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a handler needs, with an engine that acts for whoever sent the request.
impl FromRequestParts<App> for App {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<App, Infallible> {
        let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
        let mut app = app.clone();
        app.backend.engine = app.backend.engine.on_behalf_of(origin);
        if let Some(key) = parts.extensions.get::<RequestKey>() {
            app.backend.engine = app.backend.engine.under(Some(key.clone()));
        }
        if let Some(asker) = parts.extensions.get::<Asker>() {
            app.backend.audience = asker.audience();
        }
        Ok(app)
    }
}

/// Whether a browser reached the server over an encrypted connection: ours, or that of the proxy which other machines reach it by.
pub(super) struct Secure(pub(super) bool);

impl FromRequestParts<App> for Secure {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Secure, Infallible> {
        let named = || {
            let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
            host.is_some_and(|host| app.guard.is_named_beyond(host))
        };
        Ok(Secure(parts.extensions.get::<Encrypted>().is_some() || named()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderValue, StatusCode};
    use axum::response::IntoResponse as _;

    #[test]
    fn the_name_of_a_request_is_one_value_of_a_line_of_the_log() {
        for (id, logged) in [
            ("4f-1_a.b", "4f-1_a.b"),
            ("a status=200", "\"a status=200\""),
            ("a\"} method", "\"a\\\"} method\""),
            ("\u{202e}\u{e9}", "\"\\u{202e}\u{e9}\""),
            ("a/b", "\"a/b\""),
        ] {
            assert_eq!(RequestId(id.into()).logged(), logged);
        }
    }

    #[test]
    fn a_request_says_who_sends_it() {
        let origin = |pairs: &[(&HeaderName, &[u8])]| {
            let value = |value: &[u8]| HeaderValue::from_bytes(value).unwrap();
            let headers = pairs.iter().map(|(name, bytes)| ((*name).clone(), value(bytes))).collect();
            origin_of(&headers, &Asker::Owner, &RequestId::of(&headers), &"owner".into())
        };
        let full = [(&ACTOR, "Åda".as_bytes()), (&CLIENT, b"cli"), (&REQUEST_ID, b"r-1")];
        let cause = |id: &str, client: &str| Some(Cause::Request { id: id.into(), client: client.into() });
        let said = origin(&full).unwrap();
        assert_eq!(said, Origin { actor: Actor::Person("Åda".into()), cause: cause("r-1", "cli") });
        let holder = Asker::Holder { name: "bot".into(), scopes: Vec::new(), datasets: Vec::new() };
        let headers = full
            .iter()
            .map(|(name, value)| ((*name).clone(), HeaderValue::from_bytes(value).unwrap()))
            .collect();
        let said = origin_of(&headers, &holder, &RequestId::of(&headers), &"owner".into()).unwrap();
        assert_eq!(said.actor, Actor::Token("bot".into()), "it cannot be somebody else");
        let (one, other) = (origin(&[]).unwrap(), origin(&[(&ACTOR, b" ")]).unwrap());
        assert_eq!((one.actor.kind(), one.actor.name(), one.source()), ("person", Some("owner"), "api"));
        assert_eq!(other.actor, one.actor);
        assert_ne!(one.cause, other.cause, "each request has an id of its own");
        for bad in [&b"a\tb"[..], b"\xff", &[b'a'; 129]] {
            let refused = origin(&[(&ACTOR, bad)]).unwrap_err().into_response();
            assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        }
    }
}
