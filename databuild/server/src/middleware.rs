//! What each request and each answer passes.

use super::asker::{self, Asker};
use super::caller::{in_browser, origin_of, RequestId};
use super::error::ApiError;
use super::guard::{is_for_people, is_open, Private, Trusted};
use super::next::Next;
use super::pages;
use super::sessions::{Session, SignedOut};
use super::state::App;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{header, HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio_stream::StreamExt as _;

/// Lets through who may talk to the server.
pub(super) async fn guard(app: &App, request: Request, next: impl Next) -> Response {
    let guard = &app.guard;
    let headers = request.headers();
    // No page can open such a connection, so whatever it calls the server is right.
    let private = request.extensions().get::<Private>().is_some();
    if !private && !guard.host_is_ours(request.uri(), headers) {
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
        if !guard.origin_may_call(foreign) {
            return ApiError::new("bad_origin", "pages of this origin may not call the server")
                .with("origin", foreign)
                .into_response();
        }
        if request.method() == Method::OPTIONS {
            return with_cors(StatusCode::NO_CONTENT.into_response(), foreign);
        }
    }
    let path = request.uri().path();
    let open = is_open(path);
    let (asker, session) = match asker::of(app, private, headers) {
        Some(asker) => (Ok(asker), None),
        None => match guard.sessions.of(headers, crate::os::now()) {
            Ok(session) => (asker::of_session(app, &session), Some(session)),
            Err(why) => (Err(why), None),
        },
    };
    if session.is_some() && !request.method().is_safe() && !guard.page_may_act(headers) {
        let message = "a browser's request that changes something has to say that it comes from a page of this server, or of an origin \
                       that may call it";
        return pages::told(request.uri(), headers, ApiError::new("bad_origin", message));
    }
    if let Some(trusted) = request.extensions().get::<Trusted>().filter(|_| asker.is_ok()) {
        trusted.set();
    }
    let response = match asker {
        Err(why) if !open => unknown(path, headers, why),
        asker => {
            if is_use(&request) {
                app.touch();
            }
            let for_people = is_for_people(path, headers);
            // What is open says nothing that anybody might not know.
            let asker = asker.ok().filter(|_| !open).unwrap_or(Asker::Owner);
            match asker.pass(app, request).await {
                Ok(request) => answered(app, &asker, session, request, next).await,
                Err(refused) if for_people => pages::page_of(refused),
                Err(refused) => refused.into_response(),
            }
        }
    };
    match foreign {
        Some(foreign) => with_cors(response, &foreign),
        None => response,
    }
}

/// The answer to somebody who shows neither a token nor a cookie that is good.
fn unknown(path: &str, headers: &HeaderMap, why: SignedOut) -> Response {
    if is_for_people(path, headers) {
        return pages::sign_in(why.message());
    }
    let message = "send `Authorization: Bearer TOKEN` with the token in .databuild/token";
    ApiError::new("unauthorized", message).into_response()
}

/// Whether a request shows that somebody needs the server: no probe, no scrape, no stream, and nothing that a page or a program asks
/// for by itself, which says so by the header `X-Databuild-Background`.
fn is_use(request: &Request) -> bool {
    let path = request.uri().path();
    let query = request.uri().query().unwrap_or_default();
    let follows = path.ends_with("/stream") || query.split('&').any(|part| part.starts_with("follow="));
    !is_open(path)
        && path != "/metrics"
        && !follows
        && !request.headers().contains_key("x-databuild-background")
}

/// The answer of a handler, which is told who asks.
async fn answered(
    app: &App,
    asker: &Asker,
    session: Option<Session>,
    mut request: Request,
    next: impl Next,
) -> Response {
    // Whoever let it in has given it one.
    let known = request.extensions().get::<RequestId>().cloned();
    let id = known.unwrap_or_else(|| RequestId::of(request.headers()));
    let origin = match origin_of(request.headers(), asker, &id, &app.owner) {
        Ok(origin) => origin,
        Err(error) => return error.into_response(),
    };
    let origin = match &session {
        Some(session) => in_browser(origin, session),
        None => origin,
    };
    request.extensions_mut().insert(origin);
    request.extensions_mut().insert(asker.clone());
    if let Some(session) = session {
        request.extensions_mut().insert(session);
    }
    let mut response = while_good(app, asker, next.run(request).await);
    let seq = app.backend.engine.snapshot().state.seq().0;
    response.headers_mut().insert("x-databuild-seq", HeaderValue::from(seq));
    response
}

/// A stream ends when who follows it may not any more: at once, or with the next sign of life.
fn while_good(app: &App, asker: &Asker, response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_stream || *asker == Asker::Owner {
        return response;
    }
    let (app, asker) = (app.clone(), asker.clone());
    response.map(|body| Body::from_stream(body.into_data_stream().take_while(move |_| asker.is_good(&app))))
}

fn with_cors(mut response: Response, origin: &str) -> Response {
    let headers = response.headers_mut();
    if let Ok(origin) = HeaderValue::from_str(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, idempotency-key, if-none-match, last-event-id, x-databuild-actor, x-databuild-background, x-databuild-client, x-request-id"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("etag, location, retry-after, x-databuild-seq, x-request-id"),
    );
    // Such a page may have signed in, by a cookie.
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_ask_by_themselves_is_no_use() {
        let is_use = |path: &str, header: Option<&str>| {
            let request =
                header.into_iter().fold(Request::get(path), |request, name| request.header(name, "1"));
            is_use(&request.body(Body::empty()).unwrap())
        };
        for path in ["/api/v1/wants", "/api/v1/wants/w1/progress?after=1&wait_ms=30000", "/api/v1/server"] {
            assert!(is_use(path, None), "{path}");
            assert!(!is_use(path, Some("X-Databuild-Background")), "{path}");
        }
        for path in
            ["/health", "/ready", "/metrics", "/api/v1/runs/r1/logs?x=1&follow=true", "/api/v1/events/stream"]
        {
            assert!(!is_use(path, None), "{path}");
        }
    }
}
