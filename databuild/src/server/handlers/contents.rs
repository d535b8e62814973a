//! Contents that graphs name by their digests: pieces of source manifests. Clients send those that the server lacks.

use super::super::app::App;
use super::super::error::ApiError;
use crate::api::{KeepContents, KeptContents, MissingContents};
use crate::store::pieces::listed;
use crate::store::Blob;
use axum::extract::rejection::JsonRejection;
use axum::Json;
use std::collections::{BTreeMap, BTreeSet};

/// `POST /contents/missing`: which of some contents the server does not have.
///
/// # Errors
/// The log cannot be read.
pub async fn missing(
    app: App,
    body: Result<Json<MissingContents>, JsonRejection>,
) -> Result<Json<MissingContents>, ApiError> {
    let Json(MissingContents { digests }) = body?;
    let digests = app.quick(move |_, reader| Ok(reader.missing(&digests)?)).await?;
    Ok(Json(MissingContents { digests }))
}

/// `POST /contents`: keeps contents until a graph names them. What no graph names may go again.
///
/// # Errors
/// They cannot be written.
pub async fn keep(
    app: App,
    body: Result<Json<KeepContents>, JsonRejection>,
) -> Result<Json<KeptContents>, ApiError> {
    let Json(KeepContents { contents }) = body?;
    let blobs: Vec<Blob> = app
        .quick(move |_, _| Ok(contents.into_iter().map(|text| Blob::of(text.into_bytes())).collect()))
        .await?;
    let digests = blobs.iter().map(|blob| blob.digest.clone()).collect();
    app.engine.keep(blobs).await?;
    Ok(Json(KeptContents { digests }))
}

/// The digests of a graph's source manifests, if all that they stand for is there.
///
/// # Errors
/// Something was never sent, or is gone since.
pub(super) async fn all_there(
    app: &App,
    sources: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ApiError> {
    app.slow(move |_, reader| {
        let (mut pieces, mut lacking) = (BTreeSet::new(), 0);
        for digest in sources.values().collect::<BTreeSet<_>>() {
            match reader.content(digest)? {
                Some(content) => pieces.extend(listed(&content).unwrap_or_default()),
                None => lacking += 1,
            }
        }
        let pieces: Vec<String> = pieces.into_iter().collect();
        lacking += reader.missing(&pieces)?.len();
        match lacking {
            0 => Ok(sources),
            _ => Err(ApiError::new(
                "sources_missing",
                format!("{lacking} contents of source manifests are not there; send them to /api/v1/contents first"),
            )),
        }
    })
    .await
}
