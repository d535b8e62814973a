//! Following the event log: who reads it for all followers, pages among them, and who tells each of them.
//!
//! Invariant: a follower gets every event after the one where it began, once and in order; or it is told which ones it lost.

use super::state::App;
use super::stream::{write, written, Chunk, Follower, Next};
use super::veiled;
use crate::api::LostEvents;
use crate::app::events::{told, Filter, Runs};
use crate::app::Context as _;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use databuild_core::ids::Seq;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Events that are read at once, at most.
const AT_ONCE: usize = 250;
/// After what was told, so long nothing is, at least: what is committed meanwhile goes out together.
const PAUSE: Duration = Duration::from_millis(20);
/// The same for each of the followers: however many there are, what is sent to all of them a second has a limit, so that they leave
/// the machine to others.
const PAUSE_EACH: Duration = Duration::from_micros(400);
/// After an error of the log, it is read again this much later.
const AGAIN: Duration = Duration::from_secs(1);
/// A follower who is told nothing for so long is told where it is.
const QUIET: Duration = Duration::from_secs(15);
/// Parts of a stream that wait for its connection, at most.
const WAITING: usize = 2;

/// The answer to somebody who follows the log after an event, or from now on.
pub(super) fn follow(app: &App, after: Option<u64>, filter: Filter) -> Response {
    let (send, receive) = mpsc::channel(WAITING);
    let (follower, committed) = join(app);
    // One that comes from a log that had more events begins here.
    let after = after.unwrap_or(committed).min(committed);
    let teller = Teller { app: app.clone(), follower, filter, after, send };
    tokio::spawn(async move {
        // It ends when its reader has left, or the log cannot be read.
        let _ = teller.tell().await;
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies would wait for more.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(ReceiverStream::new(receive))).into_response()
}

/// One follower more, and the last event that readers may see. The first one has the log read, as long as there are any.
pub(super) fn join(app: &App) -> (Follower, u64) {
    let committed = committed(app);
    let (follower, is_first) = app.stream.join(committed);
    if is_first {
        tokio::spawn(read(app.clone(), committed));
    }
    (follower, committed)
}

/// The last event that readers may see.
fn committed(app: &App) -> u64 {
    app.backend.engine.snapshot().state.seq().0
}

/// Reads what is committed after an event and writes it for all followers, as long as there are any.
async fn read(app: App, mut after: u64) {
    let stream = &app.stream;
    let mut seq = app.backend.engine.watch();
    let mut runs = Runs::default();
    loop {
        let until = *seq.borrow_and_update();
        if after >= until {
            if stream.is_over() {
                return;
            }
            match tokio::time::timeout(QUIET, seq.changed()).await {
                // The engine has gone.
                Ok(Err(_)) => return,
                Ok(Ok(())) | Err(_) => continue,
            }
        }
        let mut known = std::mem::take(&mut runs);
        let found = app.quick(move |_, reader| {
            let (archived, told) = told(reader, &mut known, Seq(after), Seq(until), AT_ONCE)?;
            Ok((archived, written(told), known))
        });
        match found.await {
            Ok((archived, chunks, known)) => {
                runs = known;
                if archived.0 > after {
                    after = archived.0;
                    stream.skip_to(after);
                }
                for chunk in chunks {
                    after = chunk.last;
                    stream.add(chunk);
                }
                tokio::time::sleep(PAUSE.max(PAUSE_EACH * stream.followers())).await;
            }
            Err(error) => {
                tracing::warn!(%error, "followers of events wait: the log cannot be read");
                tokio::time::sleep(AGAIN).await;
            }
        }
        if stream.is_over() {
            return;
        }
    }
}

/// Tells one reader.
struct Teller {
    app: App,
    follower: Follower,
    filter: Filter,
    /// Up to here it has been told.
    after: u64,
    send: mpsc::Sender<Result<Bytes, Infallible>>,
}

/// The reader has left, or the log cannot be read.
struct Over;

impl Teller {
    async fn tell(mut self) -> Result<(), Over> {
        // It tells no event. A reader that comes again is after this one.
        self.send(format!("retry: 1000\nid: {}\n\n", self.after).into()).await?;
        self.catch_up().await?;
        loop {
            match self.follower.stream.next(self.after) {
                Next::Gone(to) => self.lose(to).await?,
                Next::Chunks(chunks) if !chunks.is_empty() => {
                    for chunk in chunks {
                        self.pass(&chunk).await?;
                    }
                }
                Next::Chunks(_) => self.wait().await?,
            }
        }
    }

    /// Tells what is kept no more from the log itself.
    async fn catch_up(&mut self) -> Result<(), Over> {
        let mut runs = Runs::default();
        while let Next::Gone(until) = self.follower.stream.next(self.after) {
            let (after, mut known) = (Seq(self.after), std::mem::take(&mut runs));
            let found = self.app.slow(move |_, reader| {
                let (archived, told) = told(reader, &mut known, after, Seq(until), AT_ONCE)?;
                Ok((archived, written(told), known))
            });
            let (archived, chunks, known) = found.await.map_err(|error| {
                tracing::warn!(%error, "a stream of events ends: the log cannot be read");
                Over
            })?;
            runs = known;
            if archived.0 > self.after {
                self.lose(archived.0).await?;
            }
            if chunks.is_empty() {
                self.after = self.after.max(until);
            }
            for chunk in chunks {
                self.pass(&chunk).await?;
            }
        }
        Ok(())
    }

    /// Tells those events of a chunk that are asked for and not told yet.
    async fn pass(&mut self, chunk: &Chunk) -> Result<(), Over> {
        let new = chunk.events.iter().skip_while(|(told, _)| told.seq.0 <= self.after);
        let parts: Vec<Bytes> = if self.filter.is_all() {
            let begin = new.map(|(_, range)| range.start).next();
            begin.map(|begin| chunk.bytes.slice(begin..)).into_iter().collect()
        } else {
            let snapshot = self.app.backend.engine.snapshot();
            let matcher = self.filter.at(&snapshot.state);
            let asked_for = new.filter(|(told, _)| told.fits(&matcher));
            let sees_all = self.filter.audience().sees_all();
            let part = |(told, range): &(_, std::ops::Range<usize>)| match sees_all {
                true => chunk.bytes.slice(range.clone()),
                false => veiled::event(&self.filter, &snapshot.state, told),
            };
            asked_for.map(part).collect()
        };
        for part in parts {
            self.send(part).await?;
        }
        self.after = chunk.last.max(self.after);
        Ok(())
    }

    /// Tells that events up to this one are not told.
    async fn lose(&mut self, to: u64) -> Result<(), Over> {
        let mut bytes = Vec::new();
        write(&mut bytes, to, "lost", &LostEvents { from: self.after + 1, to });
        self.send(bytes.into()).await?;
        self.after = to;
        Ok(())
    }

    /// Waits for something new.
    async fn wait(&mut self) -> Result<(), Over> {
        let after = self.after;
        tokio::select! {
            newer = self.follower.newest.wait_for(|newest| *newest > after) => {
                return newer.map(drop).map_err(|_| Over);
            }
            () = self.send.closed() => return Err(Over),
            () = tokio::time::sleep(QUIET) => {}
        }
        // It tells no event. The connection is seen to live, and a reader that comes again need not pass over what it did not
        // ask for.
        self.send(format!("id: {after}\n\n").into()).await
    }

    async fn send(&self, bytes: Bytes) -> Result<(), Over> {
        self.send.send(Ok(bytes)).await.map_err(|_| Over)
    }
}

#[cfg(test)]
mod tests;
