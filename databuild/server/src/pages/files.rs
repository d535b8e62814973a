//! What pages load, and where a browser signs in.

use super::answer::{sign_in, Answer};
use crate::caller::Secure;
use crate::error::ApiError;
use crate::extract::Query;
use crate::head::Head;
use crate::state::App;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{header, HeaderValue, Uri};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use axum::Router;
use databuild_ui::assets;
use serde::Deserialize;
use std::convert::Infallible;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/assets/{name}", get(asset)).route("/sign-in", get(enter))
}

async fn asset(uri: Uri) -> Answer {
    let asset =
        assets::find(uri.path()).ok_or_else(|| ApiError::new("not_found", "there is no such file"))?;
    let forever = "public, max-age=31536000, immutable";
    Ok(([(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, forever)], asset.content)
        .into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    code: String,
}

/// Whether a link is only looked at, as chats do to show what is behind it and browsers before somebody clicks: it is not used up by that.
struct LookedAt(bool);

impl<S: Send + Sync> FromRequestParts<S> for LookedAt {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<LookedAt, Infallible> {
        let said = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let is_other = |name, word| said(name).is_some_and(|said| said != word);
        let ahead = ["sec-purpose", "purpose", "x-moz"].iter().filter_map(|name| said(name));
        Ok(LookedAt(
            parts.extensions.get::<Head>().is_some()
                || is_other("sec-fetch-mode", "navigate")
                || is_other("sec-fetch-dest", "document")
                || ahead.into_iter().any(|said| said.contains("prefetch") || said.contains("preview")),
        ))
    }
}

async fn enter(
    State(app): State<App>,
    Secure(secure): Secure,
    is_looked_at: LookedAt,
    Query(link): Query<Link>,
) -> Answer {
    if is_looked_at.0 {
        return Ok(sign_in("The link signs in a browser that opens it."));
    }
    let Some(cookie) = app.guard.sessions.redeem(&link.code, crate::os::now(), secure) else {
        return Ok(sign_in("The link was used already, or is older than a minute."));
    };
    let cookie =
        HeaderValue::from_str(&cookie).map_err(|error| ApiError::new("internal", error.to_string()))?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}
