//! The loop that takes connections.
//!
//! Loopback is open to every user of the machine, and half a request needs no token. So a connection must bring the head
//! of a request in time, there are fewer connections than descriptors, and when all places are taken, the oldest one that has
//! not shown the token gives way. Who has it is not turned away for those who have not. Who asks has to read the answer, whoever it is;
//! only who follows something may take any time, and there are places left for others.

use super::door::{Door, Stream};
use super::entrance::Entrance;
use super::progress::{Progressing, Unhurried};
use crate::server::{shutting_down, too_many_waiting, Encrypted, Private, Trusted};
use axum::body::{Body, Bytes};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{service_fn, Service as _};
use hyper::{header, Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{watch, OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// How long is waited for the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// To bring the head of a request, the first one and each after it.
    head: Duration,
    /// To read any of an answer, except one that follows something.
    read: Duration,
}

/// How long is waited in earnest.
pub(super) const PATIENCE: Patience =
    Patience { head: Duration::from_secs(10), read: Duration::from_secs(30) };
/// Connections at once, at most.
const MOST: u64 = 1_536;
/// Of the descriptors that the process may have, connections get this fraction at most; the log, runs and looks at files
/// have the rest.
const SHARE: u64 = 4;
/// Of the connections, all but this fraction may be held by requests that wait or follow, so that others are answered.
const RESERVE: usize = 8;
/// After an error of accept that lasts, such as a full table of files.
const PAUSE: Duration = Duration::from_millis(100);
/// After this many connections at once, the memory that they took is given back when few are left.
const MANY: usize = 64;
const FEW: usize = 8;

/// How many connections there may be for a process with so many descriptors.
pub(super) fn most_connections(descriptors: u64) -> usize {
    usize::try_from((descriptors / SHARE).clamp(8, MOST)).unwrap_or(8)
}

/// Connections that may be closed for others.
#[derive(Default)]
struct Open {
    last: u64,
    by_age: BTreeMap<u64, (AbortHandle, Trusted)>,
}

/// Serves until `stop` changes, then lets requests under way end.
pub(super) async fn serve(
    door: Door,
    entrance: Entrance,
    most: usize,
    patience: Patience,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(most));
    let waiting = Arc::new(Semaphore::new(most - (most / RESERVE).max(1)));
    let open = Arc::new(Mutex::new(Open::default()));
    let mut tasks = JoinSet::new();
    let mut peak = 0;
    loop {
        let stream = tokio::select! {
            _ = stop.changed() => break,
            // Those that have ended are not kept.
            Some(_) = tasks.join_next() => {
                if peak >= MANY && tasks.len() <= FEW {
                    peak = 0;
                    tokio::task::spawn_blocking(give_memory_back);
                }
                continue;
            }
            accepted = door.accept() => match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    if !is_of_one_connection(&error) {
                        tracing::warn!(%error, "no connection can be taken");
                        tokio::time::sleep(PAUSE).await;
                    }
                    continue;
                }
            },
        };
        let place = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                if !close_oldest(&open) {
                    // All places are taken by those who have the token: their own affair.
                    tracing::warn!(most, "too many connections; one is refused");
                    continue;
                }
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { continue };
                place
            }
        };
        let trusted = Trusted::default();
        if door.is_private() {
            trusted.set();
        }
        let number = {
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            open.last += 1;
            open.last
        };
        let ended = Ended { number, open: Arc::clone(&open), _place: place };
        let served = Served {
            entrance: entrance.clone(),
            trusted: trusted.clone(),
            private: door.is_private(),
            tls: door.tls(),
            waiting: Arc::clone(&waiting),
        };
        let connection = connection(stream, served, patience, stop.clone(), ended);
        let handle = tasks.spawn(connection);
        peak = peak.max(tasks.len());
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has ended already has taken itself out before, and is found to have.
        if !handle.is_finished() {
            open.by_age.insert(number, (handle, trusted));
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Goes with its connection, however that ends.
struct Ended {
    number: u64,
    open: Arc<Mutex<Open>>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).by_age.remove(&self.number);
    }
}

/// Closes the oldest connection that has not shown the token; false if there is none.
fn close_oldest(open: &Mutex<Open>) -> bool {
    let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
    open.by_age.retain(|_, (handle, _)| !handle.is_finished());
    let oldest = open.by_age.iter().find(|(_, (_, trusted))| !trusted.is_set()).map(|(number, _)| *number);
    match oldest.and_then(|number| open.by_age.remove(&number)) {
        Some((handle, _)) => {
            handle.abort();
            true
        }
        None => false,
    }
}

/// Who answers a connection.
struct Served {
    entrance: Entrance,
    trusted: Trusted,
    /// The connection came in by a door that is the owner's alone.
    private: bool,
    /// Who shakes hands first.
    tls: Option<TlsAcceptor>,
    /// Places for requests that wait.
    waiting: Arc<Semaphore>,
}

/// Whether a request may take as long as somebody likes: it waits for something to happen, or follows a log.
fn waits<B>(request: &Request<B>) -> bool {
    is_stream(request) || has_any(request, &[b"wait_ms", b"follow"])
}

/// Whether an answer goes on while something happens.
fn follows<B>(request: &Request<B>) -> bool {
    is_stream(request) || has_any(request, &[b"follow"])
}

fn is_stream<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET && request.uri().path().ends_with("/stream")
}

/// Whether a request that reads has any of these parameters.
fn has_any<B>(request: &Request<B>, names: &[&[u8]]) -> bool {
    let parameters = request.uri().query().unwrap_or_default().split('&');
    // As handlers read them, who know a name by whatever bytes it is written with.
    let given = parameters.map(|one| percent_decode_str(one.split('=').next().unwrap_or_default()));
    let mut given = given.map(|name| name.collect::<Vec<u8>>());
    request.method() == Method::GET && given.any(|name| names.contains(&&*name))
}

/// Ready when the server goes.
type Goes = Pin<Box<dyn Future<Output = ()> + Send>>;

fn goes(mut stop: watch::Receiver<bool>) -> Goes {
    Box::pin(async move {
        // A sender that is gone has nothing more to say.
        let _ = stop.wait_for(|stop| *stop).await;
    })
}

/// What a stream of events says last when the server goes. Whoever follows may ask the next server for the rest.
const LAST_EVENT: &str = "event: end\ndata: {\"reason\":\"shutting_down\"}\n\n";

/// An answer that ends when there is nothing more of it and the server goes.
struct UntilItGoes {
    body: Body,
    goes: Goes,
    has_gone: bool,
    /// What is said then.
    last: Option<Bytes>,
}

impl UntilItGoes {
    fn of(answer: Response<Body>, stop: watch::Receiver<bool>) -> Response<Body> {
        let kind = answer.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes().to_owned());
        let is_events = kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"));
        let last = is_events.then(|| Bytes::from_static(LAST_EVENT.as_bytes()));
        answer.map(|body| Body::new(UntilItGoes { body, goes: goes(stop), has_gone: false, last }))
    }
}

impl hyper::body::Body for UntilItGoes {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Pending if this.has_gone || this.goes.as_mut().poll(context).is_ready() => {
                this.has_gone = true;
                Poll::Ready(this.last.take().map(|last| Ok(Frame::data(last))))
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

async fn connection(
    stream: Box<dyn Stream>,
    served: Served,
    patience: Patience,
    mut stop: watch::Receiver<bool>,
    _ended: Ended,
) {
    let Served { entrance, trusted, private, tls, waiting } = served;
    let encrypted = tls.is_some();
    let stream: Box<dyn Stream> = match tls {
        None => stream,
        Some(tls) => match tokio::time::timeout(patience.head, tls.accept(stream)).await {
            Ok(Ok(stream)) => Box::new(stream),
            // Whoever it was speaks no TLS, or trusts somebody else.
            Ok(Err(error)) => return tracing::debug!(%error, "a handshake failed"),
            Err(_) => return,
        },
    };
    // The place of the last request, which is over when the next one comes or the connection goes.
    let held: Mutex<Option<OwnedSemaphorePermit>> = Mutex::new(None);
    let stopping = stop.clone();
    let unhurried = Unhurried::default();
    let stream = Progressing::new(stream, patience.read, unhurried.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(trusted.clone());
        if private {
            request.extensions_mut().insert(Private);
        }
        if encrypted {
            request.extensions_mut().insert(Encrypted);
        }
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = None;
        let waits = waits(&request);
        unhurried.set(follows(&request));
        if waits {
            *held = Arc::clone(&waiting).try_acquire_owned().ok();
        }
        let answer =
            (held.is_some() || !waits).then(|| TowerToHyperService::new(entrance.router()).call(request));
        let stop = stopping.clone();
        async move {
            let Some(answer) = answer else { return Ok(too_many_waiting()) };
            if !waits {
                return answer.await;
            }
            tokio::select! {
                answer = answer => answer.map(|answer| UntilItGoes::of(answer, stop)),
                () = goes(stop.clone()) => Ok(shutting_down()),
            }
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience.head);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        _ = stop.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        // Clients come and go.
        tracing::debug!(%error, "a connection ended");
    }
}

/// Whether an error of accept says nothing of the next connection.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The allocator keeps what it freed, which after many connections is a lot.
fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only returns free pages.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use axum::Router;
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpStream as Client};
    use tokio::net::TcpListener;

    /// A server on a runtime of its own; the tests are its clients, with sockets that wait.
    struct Bench {
        address: SocketAddr,
        stop: watch::Sender<bool>,
        /// A request for `/slow` is under way.
        slow: std::sync::mpsc::Receiver<()>,
        /// An answer to a request for `/large` is over, by the number that it had in its path.
        large: std::sync::mpsc::Receiver<u32>,
        serving: Option<tokio::task::JoinHandle<()>>,
        runtime: tokio::runtime::Runtime,
    }

    impl Bench {
        fn new(most: usize, head: Duration) -> Bench {
            Bench::with(most, Patience { head, read: LONG })
        }

        fn with(most: usize, patience: Patience) -> Bench {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
            let address = listener.local_addr().unwrap();
            let trust = |axum::Extension(trusted): axum::Extension<Trusted>| async move {
                trusted.set();
                "trusted"
            };
            let (stop, stopped) = watch::channel(false);
            let (begun, slow) = std::sync::mpsc::channel();
            let silent = begun.clone();
            // It answers once the server is told to stop.
            let told = stopped.clone();
            let answer_slowly = move || {
                let mut told = told.clone();
                begun.send(()).unwrap();
                async move {
                    let _ = told.changed().await;
                    "slow"
                }
            };
            let endless = || async {
                let first = tokio_stream::once(Ok::<_, io::Error>("first"));
                Body::from_stream(tokio_stream::StreamExt::chain(first, tokio_stream::pending()))
            };
            let (ends, large) = std::sync::mpsc::channel();
            let answer_without_end = move |axum::extract::Path(number): axum::extract::Path<u32>| {
                let over = Over(number, ends.clone());
                let chunk = move || {
                    let _ = &over;
                    Ok::<_, io::Error>(Bytes::from_static(&[0; 1 << 16]))
                };
                async move { Body::from_stream(tokio_stream::iter(std::iter::repeat_with(chunk))) }
            };
            let never = move || {
                silent.send(()).unwrap();
                std::future::pending::<&str>()
            };
            let router =
                Router::new()
                    .route("/", get(|| async { "fine" }))
                    .route("/trusted", get(trust))
                    .route("/endless", get(endless))
                    .route("/large/{number}", get(answer_without_end))
                    .route(
                        "/stream",
                        get(move || async move {
                            ([(header::CONTENT_TYPE, "text/event-stream")], endless().await)
                        }),
                    )
                    .route("/never", get(never))
                    .route("/slow", get(answer_slowly));
            let serving = Some(runtime.spawn(serve(
                Door::Port(listener),
                Entrance::open(router),
                most,
                patience,
                stopped,
            )));
            Bench { address, stop, slow, large, serving, runtime }
        }

        fn connect(&self) -> Client {
            Client::connect(self.address).unwrap()
        }
    }

    /// Tells its number when it is dropped.
    struct Over(u32, std::sync::mpsc::Sender<u32>);

    impl Drop for Over {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }

    fn send(client: &mut Client, path: &str) {
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    }

    /// Asks on a connection that stays open; the answer's body, if there is one.
    fn ask(client: &mut Client, path: &str) -> String {
        send(client, path);
        let mut bytes = vec![0; 4096];
        let read = client.read(&mut bytes).unwrap_or(0);
        let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
        text.rsplit("\r\n").next().unwrap_or_default().to_owned()
    }

    /// Reads until the other end has closed.
    fn closed(mut client: Client) {
        // A reset is an end, too.
        let _ = client.read_to_end(&mut Vec::new());
    }

    const LONG: Duration = Duration::from_secs(1_000);

    #[test]
    fn what_brings_no_request_in_time_is_closed() {
        let bench = Bench::new(8, Duration::from_millis(50));
        let silent = bench.connect();
        let mut half = bench.connect();
        half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nA").unwrap();
        closed(silent);
        closed(half);
        let mut idle = bench.connect();
        assert_eq!(ask(&mut idle, "/"), "fine");
        closed(idle);
    }

    #[test]
    fn who_does_not_read_an_answer_is_not_waited_for_unless_it_follows_something() {
        let bench = Bench::with(4, Patience { head: LONG, read: Duration::from_millis(50) });
        let mut clients: Vec<Client> = (0..4).map(|_| bench.connect()).collect();
        for client in &mut clients {
            assert_eq!(ask(client, "/trusted"), "trusted");
        }
        send(&mut clients[0], "/large/0?follow=true");
        for number in [1, 2, 3] {
            send(&mut clients[number], &format!("/large/{number}?wait=1"));
        }
        let mut over: Vec<u32> = (0..3).map(|_| bench.large.recv().unwrap()).collect();
        over.sort_unstable();
        assert_eq!(over, [1, 2, 3], "the first one began before them");
        assert!(bench.large.try_recv().is_err());
        drop(clients);
        assert_eq!(bench.large.recv(), Ok(0));
    }

    /// hyper answers these itself, and takes no body from us; docs/api.md says so.
    #[test]
    fn what_cannot_be_read_as_a_request_is_refused_without_a_body() {
        let bench = Bench::new(8, LONG);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
        let large = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(1 << 20));
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 16));
        for (request, status) in [
            ("no request\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\n: b\r\n\r\n", "400"),
            (&*many, "431"),
            (&*large, "431"),
            (&*long, "414"),
        ] {
            let mut client = bench.connect();
            // It may refuse before all has been written.
            let _ = client.write_all(request.as_bytes());
            let mut answer = Vec::new();
            let _ = client.read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert!(answer.contains("content-length: 0\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
        }
    }

    #[test]
    fn whoever_comes_while_the_log_is_replayed_is_told_so_and_let_in_afterwards() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let mut client = Client::connect(listener.local_addr().unwrap()).unwrap();
        let (entrance, (stop, stopped)) = (Entrance::new(), watch::channel(false));
        let serving = runtime.spawn(serve(
            Door::Port(listener),
            entrance.clone(),
            8,
            Patience { head: LONG, read: LONG },
            stopped,
        ));
        assert_eq!(ask(&mut client, "/health"), "OK");
        for path in ["/ready", "/api/v1/wants"] {
            assert!(ask(&mut client, path).contains("\"error\":\"replaying\""), "{path}");
        }
        entrance.let_in(Router::new().route("/ready", get(|| async { "all of it" })));
        assert_eq!(ask(&mut client, "/ready"), "all of it");
        stop.send(true).unwrap();
        runtime.block_on(serving).unwrap();
    }

    #[test]
    fn half_open_connections_keep_nobody_out() {
        let bench = Bench::new(8, LONG);
        let mut first = bench.connect();
        assert_eq!(ask(&mut first, "/trusted"), "trusted");
        let mut held = Vec::new();
        for _ in 0..100 {
            let mut half = bench.connect();
            half.write_all(b"GET / HTTP/1.1\r\n").unwrap();
            held.push(half);
            assert_eq!(ask(&mut bench.connect(), "/"), "fine");
        }
        // The oldest one has shown the token, and is still served.
        assert_eq!(ask(&mut first, "/"), "fine");
        closed(held.swap_remove(0));
    }

    #[test]
    fn when_all_places_are_trusted_one_more_is_refused_and_none_is_closed() {
        let bench = Bench::new(8, LONG);
        let mut all: Vec<Client> = (0..8).map(|_| bench.connect()).collect();
        for client in &mut all {
            assert_eq!(ask(client, "/trusted"), "trusted");
        }
        closed(bench.connect());
        for client in &mut all {
            assert_eq!(ask(client, "/"), "fine");
        }
    }

    #[test]
    fn those_who_wait_leave_places_for_others() {
        let bench = Bench::new(16, LONG);
        let mut waiting: Vec<Client> = Vec::new();
        for query in ["wait_ms=30000", "after=1&follow=true"].iter().cycle().take(14) {
            let mut client = bench.connect();
            send(&mut client, &format!("/slow?{query}"));
            bench.slow.recv().unwrap();
            waiting.push(client);
        }
        let (mut next, mut other) = (bench.connect(), bench.connect());
        for _ in 0..20 {
            assert!(ask(&mut next, "/slow?wait_ms=1").contains("too_many_waiting"));
            assert_eq!(ask(&mut other, "/trusted?wait=1"), "trusted");
        }
        // One who goes makes room; when that is, only the other end knows.
        drop(waiting.pop());
        next.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let mut begun = false;
        while !begun {
            send(&mut next, "/slow?wait_ms=1");
            let mut refused = false;
            while !begun && !refused {
                begun = bench.slow.try_recv().is_ok();
                refused = next.read(&mut [0; 4096]).is_ok_and(|read| read > 0);
            }
        }
    }

    #[test]
    fn a_stop_lets_requests_end_and_closes_the_rest() {
        let mut bench = Bench::new(8, LONG);
        let mut idle = bench.connect();
        assert_eq!(ask(&mut idle, "/"), "fine");
        let mut busy = bench.connect();
        send(&mut busy, "/slow");
        bench.slow.recv().unwrap();
        bench.stop.send(true).unwrap();
        let mut answer = String::new();
        busy.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("slow"), "{answer}");
        closed(idle);
        bench.runtime.block_on(bench.serving.take().unwrap()).unwrap();
        assert!(Client::connect(bench.address).is_err());
    }

    #[test]
    fn whoever_waits_is_told_at_once_that_the_server_goes() {
        let mut bench = Bench::new(8, LONG);
        let mut waiting = bench.connect();
        send(&mut waiting, "/never?wait_ms=30000");
        bench.slow.recv().unwrap();
        let mut follower = bench.connect();
        send(&mut follower, "/endless?follow=true");
        let mut events = bench.connect();
        send(&mut events, "/stream");
        let until_first = |client: &mut Client| {
            let mut text = String::new();
            while !text.contains("first") {
                let mut bytes = [0; 4096];
                let read = client.read(&mut bytes).unwrap();
                text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            }
            text
        };
        let (mut text, mut told) = (until_first(&mut follower), until_first(&mut events));
        bench.stop.send(true).unwrap();
        let mut answer = String::new();
        waiting.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("shutting_down"), "{answer}");
        // It ends as a stream does that is over, and is not cut off.
        follower.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("0\r\n\r\n"), "{text}");
        events.read_to_string(&mut told).unwrap();
        assert!(told.contains(LAST_EVENT) && told.ends_with("0\r\n\r\n"), "{told}");
        bench.runtime.block_on(bench.serving.take().unwrap()).unwrap();
    }

    #[test]
    fn who_waits_is_known_by_its_request() {
        let cases = [
            ("/api/v1/wants", false),
            ("/api/v1/events?after=1", false),
            ("/api/v1/events/stream", true),
            ("/api/v1/events/stream?want=w3", true),
            ("/api/v1/runs/r1/logs?%66ollow=true", true),
            ("/api/v1/wants/w1/progress?wait_ms=1", true),
        ];
        for (uri, expected) in cases {
            assert_eq!(waits(&Request::get(uri).body(()).unwrap()), expected, "{uri}");
        }
        assert!(!waits(&Request::post("/api/v1/events/stream").body(()).unwrap()));
    }

    #[test]
    fn connections_leave_most_descriptors_to_runs() {
        assert_eq!([16, 256, 1_024, 1 << 20].map(most_connections), [8, 64, 256, 1_536]);
    }
}
