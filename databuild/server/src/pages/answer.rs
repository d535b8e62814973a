//! What pages answer: HTML under one policy, also where something is wrong.

use crate::api::ErrorBody;
use crate::app::AppError;
use crate::asker::Asker;
use crate::error::ApiError;
use crate::guard::is_for_people;
use crate::next::Next;
use crate::state::App;
use crate::veiled::seen;
use axum::extract::Request;
use axum::http::{header, HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};

/// Nothing but what this server sends is loaded, run or asked, and nobody puts a page of it into another.
const POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What handlers of pages answer.
pub(super) type Answer = Result<Response, Failed>;

/// What went wrong, which becomes a page.
pub(super) struct Failed(ApiError);

impl<E: Into<ApiError>> From<E> for Failed {
    fn from(error: E) -> Failed {
        Failed(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        self.0.page()
    }
}

/// An error as whoever asks reads it: people a page, programs JSON.
pub(crate) fn told(uri: &Uri, headers: &HeaderMap, error: ApiError) -> Response {
    if is_for_people(uri.path(), headers) {
        page_of(error)
    } else {
        error.into_response()
    }
}

/// An error as people read it.
pub(crate) fn page_of(error: ApiError) -> Response {
    secured(error.page())
}

/// What the handler of a page answers, for whoever asked. It shows answers that are [`seen`](crate::veiled) already; what is left is an error's text.
pub(crate) async fn veiled_page(app: &App, request: Request, next: impl Next) -> Response {
    let audience = request.extensions().get().map(Asker::audience).unwrap_or_default();
    let mut answer = next.run(request).await;
    let Some(ErrorBody { error, message, .. }) = answer.extensions_mut().remove() else { return answer };
    if audience.sees_all() {
        return answer;
    }
    let mut app = app.clone();
    app.backend.audience = audience;
    let refused = match seen(&app, message).await {
        Ok(message) => ApiError::new(&error, message),
        Err(failed) => failed.into(),
    };
    page_of(refused)
}

/// The page for who is not signed in.
pub(crate) fn sign_in(message: &str) -> Response {
    let page = databuild_ui::pages::sign_in::page(message).into_string();
    secured((StatusCode::UNAUTHORIZED, Html(page)).into_response())
}

pub(super) async fn guarded(response: Response) -> Response {
    secured(response)
}

fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let all = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in all {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What is said of the state is asked for each time; files say otherwise.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    response
}

/// To another page, by `GET`.
pub(super) fn to(url: &databuild_ui::links::Url) -> Response {
    Redirect::to(&url.to_string()).into_response()
}

/// An error of a page's own.
pub(super) fn refused(code: &'static str, message: impl Into<String>) -> Failed {
    AppError::new(code, message).into()
}
