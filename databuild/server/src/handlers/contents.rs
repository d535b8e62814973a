//! Contents that graphs name by their digests.

use super::super::extract::Body;
use super::Answer;
use crate::api::{KeepContents, KeptContents, MissingContents};
use crate::app::contents;
use crate::state::App;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use axum::{Json, Router};

/// Some thousand pieces of source manifests, or digests of them.
const LIMIT: usize = 16 << 20;

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/contents", post(keep))
        .route("/contents/missing", post(missing))
        .layer(DefaultBodyLimit::max(LIMIT))
}

async fn missing(app: App, Body(body): Body<MissingContents>) -> Answer<MissingContents> {
    Ok(Json(contents::missing(&app, body).await?))
}

async fn keep(app: App, Body(body): Body<KeepContents>) -> Answer<KeptContents> {
    Ok(Json(contents::keep(&app, body).await?))
}

#[cfg(test)]
mod tests {
    use super::super::super::fuzz::app;
    use super::*;
    use crate::api::MOST_CONTENTS;

    #[tokio::test]
    async fn one_request_keeps_a_bounded_number_of_texts_each_once() {
        let (app, _folder) = app();
        let keep = |contents: Vec<String>| contents::keep(&app, KeepContents { contents });
        let same = keep(vec![String::new(); MOST_CONTENTS]).await.unwrap();
        assert_eq!(same.digests.len(), MOST_CONTENTS);
        let asked = MissingContents { digests: same.digests[..1].to_vec() };
        assert_eq!(contents::missing(&app, asked).await.unwrap().digests, [""; 0]);
        let refused = keep(vec![String::new(); MOST_CONTENTS + 1]).await.unwrap_err();
        assert_eq!(refused.code(), "body_too_large");
    }
}
