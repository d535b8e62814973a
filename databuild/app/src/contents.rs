//! Contents that graphs name by their digests: pieces of source manifests. Clients send those that the server lacks.

use super::context::Context;
use super::AppError;
use crate::api::{KeepContents, KeptContents, MissingContents, MOST_CONTENTS};
use crate::store::pieces::listed;
use crate::store::Blob;
use std::collections::{BTreeMap, BTreeSet};

/// Which of some contents the server does not have.
///
/// # Errors
/// The log cannot be read.
pub async fn missing(context: &impl Context, body: MissingContents) -> Result<MissingContents, AppError> {
    let MissingContents { digests } = body;
    let digests = context.quick(move |_, reader| Ok(reader.missing(&digests)?)).await?;
    Ok(MissingContents { digests })
}

/// Keeps contents until a graph names them. What no graph names may go again.
///
/// # Errors
/// They cannot be written.
pub async fn keep(context: &impl Context, body: KeepContents) -> Result<KeptContents, AppError> {
    let KeepContents { contents } = body;
    if contents.len() > MOST_CONTENTS {
        let message = format!("{} contents at once; send at most {MOST_CONTENTS}", contents.len());
        return Err(AppError::new("body_too_large", message));
    }
    let blobs = context.quick(move |_, _| {
        Ok(contents.into_iter().map(|text| Blob::of(text.into_bytes())).collect::<Vec<_>>())
    });
    let blobs = blobs.await?;
    let digests = blobs.iter().map(|blob| blob.digest.clone()).collect();
    let once: BTreeMap<String, Blob> = blobs.into_iter().map(|blob| (blob.digest.clone(), blob)).collect();
    context.backend().engine.keep(once.into_values().collect()).await?;
    Ok(KeptContents { digests })
}

/// The digests of a graph's source manifests, if all that they stand for is there.
///
/// # Errors
/// Something was never sent, or is gone since.
pub(super) async fn all_there(
    context: &impl Context,
    sources: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, AppError> {
    context.slow(move |_, reader| {
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
            _ => Err(AppError::new(
                "sources_missing",
                format!("the server lacks {lacking} source manifests, or pieces of them; send them to /api/v1/contents first"),
            )),
        }
    })
    .await
}
