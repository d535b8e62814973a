//! Logs of attempts: a byte range, or a stream of server-sent events while the job runs.

use super::app::App;
use super::error::ApiError;
use crate::runner::{AttemptFiles, AttemptName};
use crate::system::open_left;
use axum::body::Body;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use databuild_core::ids::AttemptId;
use std::convert::Infallible;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

/// Bytes read at once.
const CHUNK: u64 = 256 << 10;
/// Bytes of one plain answer, at most.
const MOST: u64 = 16 << 20;
/// How soon new output is looked for; the end of an attempt is noticed by its event.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// One stream of one attempt.
#[derive(Debug)]
pub(super) struct Log {
    attempt: AttemptId,
    path: PathBuf,
    /// It ended well: then a folder that is not there means that nothing was printed (or that `gc` came by).
    ended_well: bool,
}

impl Log {
    /// That of an attempt, which may have `ended_well`: then it may have had nothing to say.
    pub(super) fn find(
        app: &App,
        attempt: AttemptId,
        ended_well: bool,
        stream: &str,
    ) -> Result<Log, ApiError> {
        let name = AttemptName::new(attempt.to_string())
            .map_err(|error| ApiError::new(error.code(), error.to_string()))?;
        let files = AttemptFiles::new(app.engine.spool(), &name);
        let path = match stream {
            "stdout" => files.stdout(),
            "stderr" => files.stderr(),
            other => return Err(ApiError::not_found("stream_not_found", "stream", other)),
        };
        Ok(Log { attempt, path, ended_well })
    }

    /// A byte range as plain text.
    pub(super) async fn read(self, offset: u64, limit: Option<u64>) -> Result<Response, ApiError> {
        let path = self.path.clone();
        let limit = limit.unwrap_or(MOST).min(MOST);
        let read = tokio::task::spawn_blocking(move || read_range(&path, offset, limit)).await;
        let read = match read {
            Ok(Err(error)) if self.ended_well && error.kind() == ErrorKind::NotFound => {
                Ok(Ok((Vec::new(), 0)))
            }
            other => other,
        };
        match read {
            Ok(Ok((bytes, size))) => Ok((
                [("content-type", "text/plain; charset=utf-8".to_owned()), ("x-log-size", size.to_string())],
                Body::from(bytes),
            )
                .into_response()),
            _ => Err(ApiError::new(
                "log_not_found",
                format!("the log of {} is not there: it has not started, or gc removed it", self.attempt),
            )),
        }
    }

    /// Chunks as they come; the event's id is the offset after it, by which a client resumes.
    pub(super) fn follow(self, app: &App, offset: u64) -> Response {
        let (send, receive) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(16);
        let app = app.clone();
        tokio::spawn(async move {
            let mut offset = offset;
            let mut seq = app.engine.watch();
            loop {
                let live = app
                    .engine
                    .snapshot()
                    .state
                    .runs
                    .get(&self.attempt.run)
                    .is_some_and(|run| run.attempt == self.attempt.number && run.occupies_slot());
                let path = self.path.clone();
                let read = tokio::task::spawn_blocking(move || read_range(&path, offset, CHUNK)).await;
                let bytes = match read {
                    Ok(Ok((bytes, _))) => bytes,
                    // Not started yet.
                    _ if live => Vec::new(),
                    _ => break,
                };
                if bytes.is_empty() {
                    if !live {
                        break;
                    }
                    let _ = tokio::time::timeout(LOOK_AGAIN, seq.changed()).await;
                    continue;
                }
                offset += bytes.len() as u64;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let event = Event::default().event("log").id(offset.to_string());
                let Ok(event) = event.json_data(text) else { break };
                if send.send(Ok(event)).await.is_err() {
                    return;
                }
            }
            let _ = send.send(Ok(Event::default().event("end").data("{}"))).await;
        });
        Sse::new(tokio_stream::wrappers::ReceiverStream::new(receive))
            .keep_alive(KeepAlive::default())
            .into_response()
    }
}

fn read_range(path: &std::path::Path, offset: u64, limit: u64) -> std::io::Result<(Vec<u8>, u64)> {
    let mut file = match open_left(path)? {
        Some(file) => file,
        // A log comes into being with its first byte; its folder says that the attempt is known.
        None if path.parent().is_some_and(|dir| dir.is_dir()) => return Ok((Vec::new(), 0)),
        None => return Err(ErrorKind::NotFound.into()),
    };
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset.min(size)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok((bytes, size))
}
