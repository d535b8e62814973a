//! Contents that graphs name by their digests.

use super::super::extract::Body;
use super::Answer;
use crate::api::{KeepContents, KeptContents, MissingContents};
use crate::app::contents;
use crate::state::App;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Some thousand pieces of source manifests, or digests of them.
pub(crate) const LIMIT: usize = 16 << 20;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(keep)).routes(routes!(missing))
}

/// Which of some contents the server does not have.
///
/// The answer has the form of the request.
#[utoipa::path(
    post,
    path = "/contents/missing",
    tag = "Graphs",
    operation_id = "contents_missing",
    request_body = MissingContents,
    responses(
        (status = 200, body = MissingContents),
        (status = "default", description = "body_too_large"),
    )
)]
async fn missing(app: App, Body(body): Body<MissingContents>) -> Answer<MissingContents> {
    Ok(Json(contents::missing(&app, body).await?))
}

/// Keeps contents for a graph that is to name them.
///
/// At most 16 MiB and 10,000 texts a request. A text is a source manifest, a piece of one, or a JSON array of the
/// digests of pieces that together are one: manifests of jobs that share a library are nearly equal, and so are
/// stored and sent once. What no graph names may go again.
#[utoipa::path(
    post,
    path = "/contents",
    tag = "Graphs",
    operation_id = "contents_keep",
    request_body = KeepContents,
    responses(
        (status = 200, body = KeptContents),
        (status = "default", description = "body_too_large WRITE"),
    )
)]
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
