//! What forms of our own pages send.
//!
//! A form has a token that follows from the browser's cookie. Other pages can make a browser send a form with its cookie,
//! but they cannot read the token.

use super::answer::Failed;
use crate::daemon::Token;
use crate::error::ApiError;
use crate::extract::whole;
use crate::sessions::Session;
use axum::extract::{FromRequest, RawForm, Request};
use std::collections::BTreeMap;

/// The fields of a form that one of our pages sent.
pub(super) struct Sent(BTreeMap<String, String>);

impl Sent {
    /// A field's value; empty without it.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The same, none if it is empty.
    pub(super) fn some(&self, name: &str) -> Option<String> {
        Some(self.get(name).to_owned()).filter(|value| !value.is_empty())
    }
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Failed;

    async fn from_request(request: Request, state: &S) -> Result<Sent, Failed> {
        let session = request.extensions().get::<Session>().cloned();
        let (parts, body) = whole(request, state).await?;
        let bad = |message: String| Failed::from(ApiError::new("bad_form", message));
        let RawForm(body) = RawForm::from_request(Request::from_parts(parts, body.into()), state)
            .await
            .map_err(|rejection| bad(rejection.body_text()))?;
        let uri = format!("/?{}", String::from_utf8_lossy(&body))
            .parse()
            .map_err(|_| bad("it is no form".to_owned()))?;
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri);
        let fields: BTreeMap<String, String> =
            pairs.map_err(|rejection| bad(rejection.body_text()))?.0.into_iter().collect();
        let is_ours = session.is_some_and(|session| {
            Token::is_same(&session.csrf, fields.get("csrf").map_or("", String::as_str))
        });
        if !is_ours {
            return Err(ApiError::new(
                "bad_form",
                "the form is not one of this server's pages, or is older than its token; open the page again",
            )
            .into());
        }
        Ok(Sent(fields))
    }
}
