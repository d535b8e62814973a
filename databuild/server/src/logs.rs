//! Logs of attempts: a byte range of one stream, or lines of both; or a stream of server-sent events while the job runs.

use super::error::ApiError;
use super::log_lines::{lines, Form, Line, Lines, Place, Printout, Searched};
use super::state::App;
use crate::api::{LogLine, LogLines};
use crate::app::{runs, Context as _, Room};
use crate::executor::{AttemptName, Executor, LogFrom, LogPart, Stream, Weave};
use axum::body::Body;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use databuild_core::ids::AttemptId;
use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes read at once.
const CHUNK: u64 = 256 << 10;
/// Bytes of one plain answer, at most.
pub(super) const MOST: u64 = 16 << 20;
/// Bytes of each stream that lines are taken from at once; more than the longest line.
const WINDOW: u64 = 1 << 20;
/// The same where lines are only written out.
const LARGE_WINDOW: u64 = 4 << 20;
/// Lines of one answer, at most.
pub(super) const LINES: usize = 10_000;
/// Lines of one answer in which they are written out, at most.
pub(super) const PRINTED: usize = 1_000_000;
/// How long a log is searched for one answer.
pub(super) const SEARCH: Duration = Duration::from_secs(2);
/// How soon new output is looked for; the end of an attempt is noticed by its event.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What one attempt printed.
pub(super) struct Printed {
    executor: Arc<dyn Executor>,
    attempt: AttemptId,
    name: AttemptName,
    /// Its process ended: then a folder that is not there means that nothing was printed (or that `gc` came by).
    ended: bool,
}

/// The stream of this name.
pub(super) fn stream(name: &str) -> Result<Stream, ApiError> {
    let found = Stream::BOTH.into_iter().find(|stream| stream.name() == name);
    found.ok_or_else(|| ApiError::not_found("stream_not_found", "stream", name))
}

impl Printed {
    /// That of an attempt, whose process may have `ended`: then it may have had nothing to say.
    pub(super) fn by(app: &App, attempt: AttemptId, ended: bool) -> Result<Printed, ApiError> {
        let name = AttemptName::new(attempt.to_string())
            .map_err(|error| ApiError::new(error.code(), error.to_string()))?;
        Ok(Printed { executor: Arc::clone(app.backend.engine.executor()), attempt, name, ended })
    }

    /// That of an attempt of a run, the last one if none is named.
    ///
    /// # Errors
    /// No such run or attempt.
    pub(super) async fn of_run(app: &App, id: &str, attempt: Option<u32>) -> Result<Printed, ApiError> {
        let run_id = runs::parse(id)?;
        let run = runs::get(app, run_id).await?;
        let number = attempt.unwrap_or(run.run.attempt_count);
        if number == 0 || number > run.run.attempt_count {
            return Err(ApiError::not_found("attempt_not_found", "attempt", &format!("{id}-{number}")));
        }
        let mut attempts = run.attempts.iter();
        // What has no exit code had no process, or nobody knows what became of it.
        let ended = attempts.any(|row| row.number == number && row.exit_code.is_some());
        Printed::by(app, AttemptId { run: run_id, number }, ended)
    }

    /// Looks until there is enough, or the attempt is over, or `wait` is; without it there is no end to waiting. Tells
    /// whether the attempt may still write. `look` is told whether it may, and finds none if nothing is kept of the attempt: so none
    /// is found of one that is over and printed nothing, or whose log `gc` removed.
    async fn until<T: Default + Send + 'static>(
        &self,
        app: &App,
        wait: Option<Duration>,
        look: impl Fn(&dyn Executor, &AttemptName, bool) -> std::io::Result<Option<T>> + Clone + Send + 'static,
        is_enough: impl Fn(&T) -> bool,
    ) -> Result<(Option<T>, bool), ApiError> {
        let until = wait.map(|wait| Instant::now() + wait);
        let waits = wait.is_none_or(|wait| !wait.is_zero());
        let mut seq = app.backend.engine.watch();
        loop {
            // Asked first: what is there after the end is all.
            let live = self.is_live(app);
            let (executor, name, look) = (Arc::clone(&self.executor), self.name.clone(), look.clone());
            // An executor may take as long as it likes to find a log.
            let found = match app.looking(move |_, _| Ok(look(&*executor, &name, live))).await? {
                Ok(Some(found)) => Some(found),
                Ok(None) if self.ended => None,
                // Not started yet, and whoever waits asks again.
                _ if live && waits => Some(T::default()),
                _ => {
                    return Err(ApiError::new(
                        "log_not_found",
                        format!("{} has no log: it has not started, or gc removed the log", self.attempt),
                    ))
                }
            };
            let left = until.map_or(LOOK_AGAIN, |until| until.saturating_duration_since(Instant::now()));
            if found.as_ref().is_some_and(&is_enough) || !live || left.is_zero() {
                return Ok((found, live));
            }
            let _ = tokio::time::timeout(LOOK_AGAIN.min(left), seq.changed()).await;
        }
    }

    /// What a part of the log is recognized by. What was told of a log never changes, so it follows from where the part is; to work
    /// it out from the bytes took a fifth of the time of a long log.
    fn tag(&self, app: &App, part: &[&dyn Display]) -> String {
        let place = part.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
        format!("\"log.{:x}-{}-{place}\"", app.backend.started_at.as_millisecond(), self.attempt)
    }

    /// Whether its process may still write.
    fn is_live(&self, app: &App) -> bool {
        let live = app.backend.engine.snapshot();
        let run = live.state.runs().get(&self.attempt.run);
        run.is_some_and(|run| run.attempt == self.attempt.number && run.occupies_slot())
    }

    /// The bytes of one stream.
    pub(super) fn log(self, stream: Stream) -> Log {
        Log { printed: self, stream }
    }

    /// Where the last so many bytes of each stream begin, at the begin of a line.
    pub(super) async fn near_end(&self, app: &App, bytes: u64) -> Result<Place, ApiError> {
        let look = move |executor: &dyn Executor, name: &AttemptName, _| {
            let mut place = Place::default();
            for stream in Stream::BOTH {
                let Some(part) = executor.log(name, stream, LogFrom::End(bytes), bytes)? else {
                    return Ok(None);
                };
                // What is before the first end of a line belongs to a line that began earlier.
                let whole = part.bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let begin = if part.offset == 0 { 0 } else { part.offset + whole as u64 };
                place.0[stream as usize] = begin;
            }
            Ok(Some(place))
        };
        Ok(self.until(app, Some(Duration::ZERO), look, |_| true).await?.0.unwrap_or_default())
    }

    /// Lines of both streams, or of one.
    pub(super) fn lines(self, only: Option<Stream>) -> LogInLines {
        LogInLines { printed: self, only }
    }
}

/// The end of a stream.
pub(super) struct End {
    /// What is no UTF-8 in it is replaced.
    pub(super) text: String,
    /// Where it begins.
    pub(super) offset: u64,
    /// Of the stream.
    pub(super) size: u64,
}

/// One stream of one attempt, in bytes.
pub(super) struct Log {
    printed: Printed,
    stream: Stream,
}

impl Log {
    /// A byte range, as the job wrote it. Headers tell the log's size, where the range begins, whether the attempt is over and the
    /// range ends its log, and whether anything is kept of it. If there is nothing yet, it waits for more of a live attempt.
    pub(super) async fn read(
        self,
        app: &App,
        from: LogFrom,
        limit: u64,
        wait: Duration,
    ) -> Result<Response, ApiError> {
        let (found, live) = self.more(app, from, limit, 0, Some(wait)).await?;
        let is_kept = found.is_some();
        let range = found.unwrap_or_default();
        let ended = !live && range.offset + range.bytes.len() as u64 >= range.size;
        let headers = [
            ("content-type", "text/plain; charset=utf-8".to_owned()),
            ("x-log-size", range.size.to_string()),
            ("x-log-offset", range.offset.to_string()),
            ("x-log-ended", ended.to_string()),
            ("x-log-kept", is_kept.to_string()),
            ("etag", self.printed.tag(app, &[&self.stream.name(), &range.offset, &range.bytes.len()])),
        ];
        Ok((headers, Body::from(range.bytes)).into_response())
    }

    /// The last bytes as text, at most so many.
    pub(super) async fn end(self, app: &App, most: u64) -> Result<End, ApiError> {
        let (part, _) = self.more(app, LogFrom::End(most), most, 0, Some(Duration::ZERO)).await?;
        let part = part.unwrap_or_default();
        let text = String::from_utf8_lossy(&part.bytes).into_owned();
        Ok(End { text, offset: part.offset, size: part.size })
    }

    /// The range as soon as it has more than `known` bytes; else as [`Printed::until`].
    async fn more(
        &self,
        app: &App,
        from: LogFrom,
        limit: u64,
        known: usize,
        wait: Option<Duration>,
    ) -> Result<(Option<LogPart>, bool), ApiError> {
        let stream = self.stream;
        let look =
            move |executor: &dyn Executor, name: &AttemptName, _| executor.log(name, stream, from, limit);
        self.printed.until(app, wait, look, |range: &LogPart| range.bytes.len() > known).await
    }

    /// Chunks as they come; the event's id is the offset after it, by which a client resumes.
    pub(super) fn follow(self, app: &App, offset: u64) -> Response {
        let (send, receive) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(16);
        let app = app.clone();
        tokio::spawn(async move {
            let (mut offset, mut held) = (offset, 0);
            loop {
                let found = tokio::select! {
                    found = self.more(&app, LogFrom::Begin(offset), CHUNK, held, None) => found,
                    () = send.closed() => return,
                };
                let (bytes, live) = match found {
                    Err(error) if error.is_busy() => continue,
                    Err(_) => break,
                    Ok((found, live)) => (found.unwrap_or_default().bytes, live),
                };
                let (text, length) = text_of(&bytes, live || bytes.len() as u64 == CHUNK);
                // A character that is not whole waits for what comes.
                held = bytes.len().saturating_sub(usize::try_from(length).unwrap_or(bytes.len()));
                if text.is_empty() {
                    if live {
                        continue;
                    }
                    break;
                }
                offset += length;
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

/// Both streams of one attempt, or one of them, in lines.
pub(super) struct LogInLines {
    printed: Printed,
    only: Option<Stream>,
}

impl LogInLines {
    /// Lines from a place on, at most so many. If there is none yet, it waits for one of a live attempt.
    pub(super) async fn read(
        self,
        app: &App,
        from: Place,
        most: usize,
        wait: Duration,
    ) -> Result<LogLines, ApiError> {
        let (found, is_kept) = self.more(app, from, most, Some(wait)).await?;
        let Lines { lines, next, ended } = found;
        let (rows, last) = rows(&lines, usize::MAX, &mut Room::default());
        let is_all = rows.len() == lines.len();
        let next = last.filter(|_| !is_all).unwrap_or(next);
        Ok(LogLines {
            attempt: self.printed.attempt.number,
            lines: rows,
            next: next.to_string(),
            ended: ended && is_all,
            hits: None,
            incomplete: false,
            kept: is_kept,
        })
    }

    /// Lines from a place on that have a text in them, whatever its case: the first ones, at most so many, and how many there
    /// are. It ends at the end of what is there now, or when `time` is over.
    pub(super) async fn search(
        self,
        app: &App,
        from: Place,
        sought: &str,
        most: usize,
        time: Duration,
    ) -> Result<LogLines, ApiError> {
        let until = Instant::now() + time;
        let (only, sought) = (self.only, Arc::<str>::from(sought.to_lowercase()));
        let (mut place, mut hits, mut found, mut last) = (from, 0, Vec::new(), None);
        let (mut room, mut is_kept) = (Room::default(), true);
        let (ended, incomplete) = loop {
            let sought = Arc::clone(&sought);
            // Comparing takes longest, and so is for a thread that may take its time.
            let look = move |executor: &dyn Executor, name: &AttemptName, live| {
                let asked = Weave { from: place.0, only, most: LARGE_WINDOW, live };
                let woven = executor.woven(name, &asked)?;
                Ok(woven.map(|woven| lines(&woven, !live, PRINTED).having(&sought)))
            };
            let (part, live) = self.printed.until(app, Some(Duration::ZERO), look, |_| true).await?;
            is_kept &= part.is_some();
            let part = part.unwrap_or_else(|| Searched { next: place, ended: !live, ..Searched::default() });
            // What has no room is counted alone, and so is all that follows it.
            if found.len() as u64 == hits {
                let (rows, end) = rows(&part.lines, most - found.len(), &mut room);
                last = end.or(last);
                found.extend(rows);
            }
            hits += part.lines.len() as u64;
            place = part.next;
            if part.ended || !part.any || Instant::now() >= until {
                break (part.ended, !part.ended && part.any);
            }
        };
        // What was counted and is not told can still be asked for.
        let told = found.len() as u64 == hits;
        Ok(LogLines {
            attempt: self.printed.attempt.number,
            lines: found,
            next: last.filter(|_| !told).unwrap_or(place).to_string(),
            ended: ended && told,
            hits: Some(hits),
            incomplete,
            kept: is_kept,
        })
    }

    /// The same, written out one after the other. Headers tell where to go on, when the last line came, and whether nothing
    /// follows.
    pub(super) async fn print(
        self,
        app: &App,
        from: Place,
        most: usize,
        wait: Duration,
        form: Form,
    ) -> Result<Response, ApiError> {
        let only = self.only;
        let of = only.map_or("both", |stream| stream.name());
        let look = move |executor: &dyn Executor, name: &AttemptName, live| {
            let woven = executor.woven(name, &Weave { from: from.0, only, most: LARGE_WINDOW, live })?;
            Ok(woven.map(|woven| lines(&woven, !live, most).print(form)))
        };
        let is_enough = |found: &Printout| !found.bytes.is_empty();
        let (found, live) = self.printed.until(app, Some(wait), look, is_enough).await?;
        let is_kept = found.is_some();
        let gone = || Printout { next: from, ended: !live, ..Printout::default() };
        let Printout { bytes, at, next, ended } = found.unwrap_or_else(gone);
        let kind = match form {
            Form::Text => "text/plain; charset=utf-8",
            Form::Json => "application/x-ndjson",
        };
        let tag = self.printed.tag(app, &[&of, &format_args!("{form:?}"), &from, &next]);
        let headers = [("content-type", kind.to_owned()), ("etag", tag), ("x-log-next", next.to_string())];
        let state = [("x-log-ended", ended.to_string()), ("x-log-kept", is_kept.to_string())];
        let headers = headers.into_iter().chain(state);
        let mut answer = Body::from(bytes).into_response();
        for (name, value) in headers.chain(at.map(|at| ("x-log-at", at))) {
            if let Ok(value) = value.parse() {
                answer.headers_mut().insert(name, value);
            }
        }
        Ok(answer)
    }

    /// The same, in lines that were not told yet, and whether anything is kept of the attempt.
    pub(super) async fn more(
        &self,
        app: &App,
        from: Place,
        most: usize,
        wait: Option<Duration>,
    ) -> Result<(Lines, bool), ApiError> {
        let only = self.only;
        let look = move |executor: &dyn Executor, name: &AttemptName, live| {
            let woven = executor.woven(name, &Weave { from: from.0, only, most: WINDOW, live })?;
            Ok(woven.map(|woven| lines(&woven, !live, most)))
        };
        let (found, live) =
            self.printed.until(app, wait, look, |found: &Lines| !found.lines.is_empty()).await?;
        let is_kept = found.is_some();
        // Of an attempt of which nothing is kept nothing comes any more.
        let gone = || Lines { next: from, ended: !live, ..Lines::default() };
        Ok((found.unwrap_or_else(gone), is_kept))
    }

    /// Lines as they come; the event's id is the place after it, by which a client resumes.
    pub(super) fn follow(self, app: &App, from: Place) -> Response {
        let (send, receive) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(16);
        let app = app.clone();
        tokio::spawn(async move {
            let mut from = from;
            loop {
                let found = tokio::select! {
                    found = self.more(&app, from, LINES, None) => found,
                    () = send.closed() => return,
                };
                let found = match found {
                    Err(error) if error.is_busy() => continue,
                    Err(_) => break,
                    Ok((found, _)) => found,
                };
                for line in &found.lines {
                    let event = Event::default().event("line").id(line.next.to_string());
                    let Ok(event) = event.json_data(line.row()) else { continue };
                    if send.send(Ok(event)).await.is_err() {
                        return;
                    }
                }
                from = found.next;
                if found.ended {
                    break;
                }
            }
            let _ = send.send(Ok(Event::default().event("end").data("{}"))).await;
        });
        Sse::new(tokio_stream::wrappers::ReceiverStream::new(receive))
            .keep_alive(KeepAlive::default())
            .into_response()
    }
}

/// The first of some lines, at most so many and as many as there is room for, and the place after them.
fn rows(lines: &[Line], most: usize, room: &mut Room) -> (Vec<LogLine>, Option<Place>) {
    let (mut rows, mut last) = (Vec::new(), None);
    for line in lines.iter().take(most) {
        let row = line.row();
        if !room.has(&row) {
            break;
        }
        rows.push(row);
        last = Some(line.next);
    }
    (rows, last)
}

/// The text of some bytes, for a client that takes text alone, and how many of the bytes it is of. If `more` may come, a
/// character that is not whole yet is left for then.
fn text_of(bytes: &[u8], more: bool) -> (String, u64) {
    let open = bytes.utf8_chunks().last().map_or(&[][..], |last| last.invalid());
    let is_cut = std::str::from_utf8(open).is_err_and(|error| error.error_len().is_none());
    let whole = if more && is_cut { bytes.len() - open.len() } else { bytes.len() };
    (String::from_utf8_lossy(&bytes[..whole]).into_owned(), whole as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::ids::RunId;

    #[tokio::test]
    async fn a_search_tells_what_it_found_when_its_time_is_over() {
        use crate::executor::fake::Fake;
        let (app, _running) = super::super::fuzz::app();
        let (fake, attempt) = (Fake::default(), AttemptId { run: RunId(1), number: 1 });
        let name = AttemptName::new(attempt.to_string()).unwrap();
        let line = |n: usize| format!("Line {n} of many{}\n", " and".repeat(100));
        // More than is looked at in two goes.
        let text: String = (0..25_000).map(line).collect();
        fake.print(&name, Stream::Stdout, &text);
        let search = |from: String, most: usize, time: Duration| {
            let printed = Printed { executor: fake.shared(), attempt, name: name.clone(), ended: true };
            let (app, from) = (&app, from.parse().unwrap());
            async move { printed.lines(None).search(app, from, "LINE 2499", most, time).await.unwrap() }
        };
        let long = Duration::from_secs(3_600);
        let begin = || "0-0".to_owned();
        let all = search(begin(), 100, long).await;
        assert_eq!((all.hits, all.lines.len(), all.incomplete, all.ended), (Some(11), 11, false, true));
        let few = search(begin(), 1, long).await;
        assert_eq!((few.hits, few.lines.len(), few.incomplete, few.ended), (Some(11), 1, false, false));
        assert_eq!(few.next, format!("{}-0", (0..2_500).map(line).map(|line| line.len()).sum::<usize>()));
        // Without any time it looks at one part, and the next search at what follows.
        let (mut place, mut hits, mut rounds) = (begin(), 0, 0);
        loop {
            let part = search(place, 100, Duration::ZERO).await;
            (hits, rounds, place) = (hits + part.hits.unwrap(), rounds + 1, part.next);
            assert_eq!(part.incomplete, !part.ended);
            if part.ended {
                break;
            }
        }
        assert!(hits == 11 && rounds > 2, "{hits} in {rounds}");
    }

    #[tokio::test]
    async fn an_answer_has_so_many_bytes_of_a_log_and_says_where_it_goes_on() {
        use crate::executor::fake::Fake;
        let (app, _running) = super::super::fuzz::app();
        let (fake, attempt) = (Fake::default(), AttemptId { run: RunId(1), number: 1 });
        let name = AttemptName::new(attempt.to_string()).unwrap();
        // Each as long as a line can be, in characters that JSON writes in six.
        let text = format!("{}\n", "\u{1}".repeat(60_000)).repeat(20);
        fake.print(&name, Stream::Stdout, &text);
        let printed = || Printed { executor: fake.shared(), attempt, name: name.clone(), ended: true };
        for sought in [None, Some("\u{1}")] {
            let (mut place, mut told, mut answers) = (Place::default(), 0, 0);
            loop {
                let lines = printed().lines(None);
                let part = match sought {
                    None => lines.read(&app, place, LINES, Duration::ZERO).await.unwrap(),
                    Some(sought) => lines.search(&app, place, sought, LINES, SEARCH).await.unwrap(),
                };
                assert_eq!(part.hits, sought.map(|_| 20 - told as u64), "all are counted");
                assert!(serde_json::to_vec(&part).unwrap().len() < (1 << 20) + 1000);
                told += part.lines.len();
                answers += 1;
                if part.ended {
                    break;
                }
                assert!(!part.lines.is_empty() && part.kept);
                place = part.next.parse().unwrap();
            }
            assert!(told == 20 && answers > 4, "{told} in {answers}");
        }
    }

    #[tokio::test]
    async fn an_answer_says_that_nothing_is_kept_of_a_log() {
        use crate::executor::fake::Fake;
        let (app, _running) = super::super::fuzz::app();
        let (fake, attempt) = (Fake::default(), AttemptId { run: RunId(1), number: 1 });
        let name = AttemptName::new(attempt.to_string()).unwrap();
        let printed = || Printed { executor: fake.shared(), attempt, name: name.clone(), ended: true };
        let now = Duration::ZERO;
        let from = || Place([3, 4]);
        let read = printed().lines(None).read(&app, from(), LINES, now).await.unwrap();
        let found = printed().lines(None).search(&app, from(), "x", LINES, SEARCH).await.unwrap();
        for answer in [&read, &found] {
            assert!(
                !answer.kept && answer.ended && answer.lines.is_empty() && answer.next == "3-4",
                "{answer:?}"
            );
        }
        let whole = printed().log(Stream::Stdout).read(&app, LogFrom::Begin(0), CHUNK, now).await.unwrap();
        let woven = printed().lines(None).print(&app, from(), LINES, now, Form::Text).await.unwrap();
        for answer in [whole, woven] {
            let told = ["x-log-kept", "x-log-ended"].map(|name| answer.headers()[name].to_str().unwrap());
            assert_eq!(told, ["false", "true"]);
        }
        fake.print(&name, Stream::Stdout, "it is\n");
        assert!(printed().lines(None).read(&app, Place::default(), LINES, now).await.unwrap().kept);
    }

    #[test]
    fn characters_come_whole() {
        let text = "a\u{e9}\u{20ac}\u{1f600}z";
        let bytes = text.as_bytes();
        for cut in 0..=bytes.len() {
            let (first, length) = text_of(&bytes[..cut], true);
            let (rest, _) = text_of(&bytes[usize::try_from(length).unwrap()..], false);
            assert_eq!(format!("{first}{rest}"), text, "cut at {cut}");
        }
        // What is no text at all does not wait for ever.
        assert_eq!(text_of(b"a\xff\xffb", true), ("a\u{fffd}\u{fffd}b".to_owned(), 4));
        assert_eq!(text_of(b"\xff\xe2\x82", true), ("\u{fffd}".to_owned(), 1));
        assert_eq!(text_of(b"\xe2\x82", false), ("\u{fffd}".to_owned(), 2));
        assert_eq!(text_of(b"", true), (String::new(), 0));
    }
}
