//! Random requests to a server that has no runner: nothing is ever made, and no job runs.

use super::{router, App, Guard, Requests, Sessions, Shared, MOST_READERS};
use crate::app::{Backend, Place};
use crate::daemon::Token;
use crate::engine::{Engine, EngineConfig, Registration};
use crate::executor::fake::Fake;
use crate::snapshot;
use crate::store::{Archiver, Reader, SqliteLog};
use databuild_core::decide::Leave;
use databuild_core::ids::GraphId;
use jiff::Timestamp;
use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// After so many requests another server is begun: what they wanted piles up.
const REQUESTS: u32 = 1000;
/// No request takes so long, save those that say how long they wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that may be the beginning of a request get nothing until more comes.
const SHORT_PATIENCE: Duration = Duration::from_millis(100);

pub(super) const GRAPH: &str = r#"{"format":2,"label":"//:graph","datasets":[{"name":"daily","label":"//:daily","external":false,"dims":[{"name":"city","keys":{"kind":"static","keys":["oslo","rome"]}},{"name":"date","keys":{"kind":"time","granularity":"day","start":"2024-01-01","end":"2024-12-31","timezone":"UTC"}}],"path":"out/{city}/{date}"},{"name":"customer","label":"//:customer","external":false,"dims":[{"name":"customer","keys":{"kind":"dynamic","name":"customers"}}],"path":"out/customers/{customer}"}],"jobs":[{"label":"//:make","program":{"executable":"_main/make","args":["{date}"],"env":{},"env_inherit":[],"timeout_ms":null,"grace_ms":1,"manifest":"m","code":"c"},"params":{"full":"false"},"inputs":[],"outputs":["daily"],"retries":0,"backoff_ms":1,"backoff_max_ms":1,"on_code_change":"stale","sources":"s"},{"label":"//:open","program":{"executable":"_main/open","args":[],"env":{},"env_inherit":[],"timeout_ms":null,"grace_ms":1,"manifest":"m","code":"c"},"inputs":[],"outputs":["customer"],"retries":0,"backoff_ms":1,"backoff_max_ms":1,"on_code_change":"stale","sources":"s"}],"schedules":[{"label":"//:nightly","every_ms":31622400000,"targets":["daily/city=oslo/date=2024-01-01"],"class":"interactive","missed":"all"}]}"#;

pub(super) struct Server {
    engine: Option<Engine>,
    address: SocketAddr,
    token: Token,
    requests: u32,
    runtime: Option<Runtime>,
    folder: Option<TempDir>,
    has_runner: bool,
}

/// An engine with what handlers share. Without a runner nothing begins; with one everything fails, as no code is there.
fn parts(folder: &TempDir, has_runner: bool) -> (Engine, App) {
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("ws")).unwrap();
    let database = at("bel.sqlite");
    let snapshots = Arc::new(snapshot::Store::open(at("cache")).unwrap());
    let nobody = Fake::default();
    nobody.hide(!has_runner);
    let executor = nobody.shared();
    let engine = Engine::start(EngineConfig {
        workspace: at("ws"),
        state: at("state"),
        staging: at("staging"),
        observers: at("observers"),
        inherited: at("inherited.json"),
        snapshots: Arc::clone(&snapshots),
        log: Box::new(SqliteLog::open(&database).unwrap()),
        reader: Arc::new(Reader::new(&database, 2)),
        archiver: Arc::new(Archiver::new(&database)),
        base_env: Vec::new(),
        slots: 2,
        memory: None,
        traced: false,
        fires: true,
        close: Vec::new(),
        executor,
    })
    .unwrap();
    let token = Token::generate().unwrap();
    // It is told to stop, and does not.
    let (shutdown, told) = tokio::sync::mpsc::unbounded_channel();
    std::mem::forget(told);
    let place = Place {
        snapshots,
        binary: None,
        staging: at("staging"),
        started_at: Timestamp::now(),
        runtime_dir: at("runtime"),
        temporary_dir: None,
        home: at("ws"),
        keep_logs: None,
        watched: Arc::default(),
        setup: Arc::default(),
        registrations: Arc::default(),
        standings: Arc::default(),
        kept_plans: Arc::default(),
    };
    let shared = Shared {
        owner: "owner".into(),
        guard: Arc::new(Guard {
            sessions: Arc::new(Sessions::new(token.clone(), "state")),
            token: token.clone(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            allowed_origins: Vec::new(),
        }),
        last_request_ms: Arc::default(),
        draining: Arc::default(),
        shutdown,
        reader: Arc::new(Reader::new(&database, MOST_READERS)),
        lanes: Arc::new(super::Lanes::start().unwrap()),
        requests: Requests::default(),
        stream: Arc::default(),
        flights: Arc::default(),
    };
    let backend = Backend { engine: engine.handle(), audience: Default::default(), place: Arc::new(place) };
    let app = App { backend, shared: Arc::new(shared) };
    (engine, app)
}

/// What handlers share, for their tests; as long as the second part lives.
pub(super) fn app() -> (App, (Engine, TempDir)) {
    let folder = tempfile::tempdir().unwrap();
    let (engine, app) = parts(&folder, false);
    (app, (engine, folder))
}

/// The same with the graph registered.
pub(super) async fn app_with_graph() -> (App, (Engine, TempDir)) {
    app_with(GRAPH).await
}

/// The same with any graph.
pub(super) async fn app_with(graph: &str) -> (App, (Engine, TempDir)) {
    let (app, running) = app();
    let registration = Registration {
        content: graph.to_owned(),
        sources: Default::default(),
        inherited: Default::default(),
        leave: Default::default(),
    };
    app.backend.engine.register(registration).await.unwrap();
    (app, running)
}

impl Server {
    pub(super) fn start() -> Server {
        Server::waiting(GRAPH)
    }

    /// One that has work begun, all of which fails.
    pub(super) fn running(graph: &str) -> Server {
        Server::over(tempfile::tempdir().unwrap(), true).registered(graph)
    }

    /// One that has no work begun.
    pub(super) fn waiting(graph: &str) -> Server {
        Server::over(tempfile::tempdir().unwrap(), false).registered(graph)
    }

    /// Whether work is begun.
    pub(super) fn has_runner(&self) -> bool {
        self.has_runner
    }

    fn registered(self, graph: &str) -> Server {
        let registered = self.send(&self.request("POST", "/api/v1/graphs", &body(graph)), true);
        assert!(registered.starts_with("HTTP/1.1 200"), "{registered}");
        self
    }

    /// Another one with what this one has left.
    pub(super) fn restarted(mut self) -> Server {
        self.end();
        let folder = self.folder.take().unwrap();
        drop(self);
        Server::over(folder, false)
    }

    /// Where its workspace and its log are.
    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.as_ref().unwrap().path()
    }

    fn over(folder: TempDir, has_runner: bool) -> Server {
        let (engine, mut app) = parts(&folder, has_runner);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let token = app.guard.token.clone();
        let guard = Guard { address, ..Guard::clone(&app.guard) };
        Arc::make_mut(&mut app.shared).guard = Arc::new(guard);
        runtime.spawn(async move { axum::serve(listener, router(app)).await });
        let (engine, runtime, folder) = (Some(engine), Some(runtime), Some(folder));
        Server { engine, address, token, requests: 0, runtime, folder, has_runner }
    }

    pub(super) fn request(&self, method: &str, target: &str, body: &str) -> Vec<u8> {
        self.request_with(method, target, "", body)
    }

    /// With further headers, of which each ends with a line break.
    pub(super) fn request_with(&self, method: &str, target: &str, headers: &str, body: &str) -> Vec<u8> {
        Server::request_as(self.token(), method, target, headers, body)
    }

    /// By whoever has that token.
    pub(super) fn request_as(token: &str, method: &str, target: &str, headers: &str, body: &str) -> Vec<u8> {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             {headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        head.into_bytes()
    }

    /// The owner's.
    pub(super) fn token(&self) -> &str {
        self.token.expose()
    }

    /// Status and JSON that the server answers.
    pub(super) fn json(&self, method: &str, target: &str, body: &str) -> (u16, serde_json::Value) {
        self.json_with(method, target, "", body)
    }

    /// The same with further headers.
    pub(super) fn json_with(
        &self,
        method: &str,
        target: &str,
        headers: &str,
        body: &str,
    ) -> (u16, serde_json::Value) {
        self.json_as(self.token(), method, target, headers, body)
    }

    /// The same, asked by whoever has that token.
    pub(super) fn json_as(
        &self,
        token: &str,
        method: &str,
        target: &str,
        headers: &str,
        body: &str,
    ) -> (u16, serde_json::Value) {
        let answer = self.send(&Server::request_as(token, method, target, headers, body), true);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    /// What the server answers until it says this, or to the end.
    pub(super) fn send_until(&self, bytes: &[u8], until: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&answer).contains(until) {
            match stream.read(&mut part).unwrap() {
                0 => break,
                read => answer.extend_from_slice(&part[..read]),
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What the server answers.
    pub(super) fn send(&self, bytes: &[u8], whole: bool) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(if whole { PATIENCE } else { SHORT_PATIENCE })).unwrap();
        // A server that refuses early does not read to the end.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            let cut = error.kind() == std::io::ErrorKind::ConnectionReset;
            assert!(cut || !whole, "{error} after {:?}", String::from_utf8_lossy(&answer));
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

impl Server {
    fn end(&mut self) {
        if let Some(engine) = self.engine.take() {
            let stopped = engine.stop(false);
            assert!(stopped.is_ok() || std::thread::panicking(), "{stopped:?}");
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

/// The body that registers a graph.
pub(super) fn body(graph: &str) -> String {
    serde_json::json!({"content": graph}).to_string()
}

/// A request to deploy a graph in the place of [`GRAPH`], which has a schedule.
pub(super) fn deployment(graph: &str) -> String {
    let deploy = serde_json::json!({"instead_of": GraphId::of(GRAPH)});
    serde_json::json!({"content": graph, "deploy": deploy}).to_string()
}

/// The leave that such a request has.
pub(super) fn leave() -> Leave {
    Leave::Deployment { instead_of: Some(GraphId::of(GRAPH)) }
}

/// A refusal has the one shape. Of several answers the first is looked at.
fn is_fair(answer: &str) {
    let (head, rest) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse().ok());
    let body = length.map_or(rest, |length| rest.get(..length).unwrap_or(rest));
    let status: u32 =
        head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("an answer has a status");
    assert!(status < 500, "{answer}");
    // What is no HTTP is refused below the routes.
    if status >= 400 && !body.is_empty() {
        let said: serde_json::Value =
            serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        for field in ["error", "message"] {
            let text = said[field].as_str().unwrap_or_default();
            assert!(!text.trim().is_empty(), "`{field}` is missing: {answer}");
        }
    }
}

/// An input is a method and a target, then a line break, then a body. What begins with `RAW` is sent as it is.
#[test]
fn no_request_is_answered_by_a_fault_of_the_server() {
    let register = format!("POST /api/v1/graphs\n{}", body(GRAPH));
    let impact = format!("POST /api/v1/graphs/impact\n{}", body(GRAPH));
    let mut seeds: Vec<&[u8]> = vec![register.as_bytes(), impact.as_bytes()];
    let others = [
        r#"POST /api/v1/wants
{"targets":["daily/city=oslo/date=2024-01-01..2024-01-31"],"class":"backfill","refresh":"all","ttl_seconds":60,"comment":"c"}"#,
        r#"POST /api/v1/jobs/invoke
{"job":"//:make","targets":["daily/city=oslo/date=2024-01-01"],"params":{"full":"true"}}"#,
        r#"POST /api/v1/plans
{"targets":["daily"],"refresh":"stale","as_of":"2024-03-01T00:00:00Z"}"#,
        "POST /api/v1/wants/w1/pause\n",
        "POST /api/v1/wants/w1/priority\n{\"class\":\"interactive\"}",
        "DELETE /api/v1/wants/w1\n",
        "GET /api/v1/wants?state=open&limit=5&cursor=w3\n",
        "GET /api/v1/wants/w1/why\n",
        "GET /api/v1/partitions?ref=daily/city=oslo&state=missing&limit=3\n",
        "GET /api/v1/why?ref=daily/city=oslo/date=2024-01-01\n",
        "GET /api/v1/runs?job=make&partition=daily&state=failed&limit=0\n",
        "GET /api/v1/runs/r1/logs/stdout?attempt=1&offset=0&limit=10\n",
        "GET /api/v1/runs/%ff/logs/stdout\n",
        "GET /api/v1/runs/r1/logs?attempt=1&stream=stderr&cursor=0-0&limit=10\n",
        "GET /api/v1/events?after=0&limit=1000\n",
        "GET /api/v1/events?want=w1&run=r1&job=make&dataset=daily&ref=daily/city=oslo&kind=want_created&actor=system\n",
        "GET /api/v1/events/1\n",
        "GET /api/v1/graphs/0123\n",
        "POST /api/v1/keys/customers\n{\"keys\":[\"acme\",\"b\"]}",
        "POST /api/v1/keys/customers/retire\n{\"keys\":[\"acme\"]}",
        "GET /api/v1/keys/customers?limit=1\n",
        "GET /api/v1/schedules/nightly?ticks=3\n",
        "POST /api/v1/schedules/nightly/run\n{}",
        "POST /api/v1/taint\n{\"targets\":[\"daily\"],\"reason\":\"bad\"}",
        "POST /api/v1/accept\n{\"targets\":[\"daily\"],\"job\":\"make\",\"reason\":\"same\",\"dry_run\":true}",
        "POST /api/v1/scan\n{\"targets\":[\"daily\"],\"deep\":true,\"limit\":10}",
        "POST /api/v1/adopt\n{\"targets\":[\"daily\"],\"dry_run\":true}",
        "POST /api/v1/trials\n{\"kind\":\"verify\",\"targets\":[\"daily\"],\"sample\":3}",
        "PUT /api/v1/pools\n{\"pool\":\"//:db\",\"slots\":3}",
        "PUT /api/v1/server/slots\n{\"slots\":3}",
        "GET /metrics\n",
        "RAW\nGET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        "RAW\nPOST /api/v1/wants HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ];
    seeds.extend(others.iter().map(|seed| seed.as_bytes()));
    let words = [
        "?",
        "&",
        "=",
        "/",
        "%00",
        "%2F",
        "%ff",
        "+",
        "..",
        "\n",
        "\r\n",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "null",
        "limit=",
        "cursor=",
        "after=",
        "targets",
        "daily",
        "customer",
        "city=oslo",
        "date=2024-02-30",
        "2024-01-01..2024-12-31",
        "w1",
        "r1",
        "p1",
        "t1",
        "//:make",
        "9999-12-31T23:59:59Z",
        "-009999-01-01T00:00:00Z",
        "\"ttl_seconds\":",
        "\"sla_seconds\":",
        "\"expires_seconds\":",
        "Host: example.com",
    ];
    let server = RefCell::new(Server::start());
    databuild_fuzz::fuzz(&seeds, &words, |input| {
        // Waiting is what was asked for, not what is held here.
        let waits = |word: &[u8]| input.windows(word.len()).any(|window| window == word);
        if waits(b"wait_ms") || waits(b"events/stream") {
            return;
        }
        if server.borrow().requests >= REQUESTS {
            server.replace(Server::start());
        }
        let mut server = server.borrow_mut();
        server.requests += 1;
        let answer = match input.strip_prefix(b"RAW\n") {
            Some(raw) => server.send(raw, false),
            None => {
                let text = String::from_utf8_lossy(input);
                let (line, body) = text.split_once('\n').unwrap_or((&text, ""));
                let (method, target) = line.split_once(' ').unwrap_or((line, "/"));
                // A space or a line break makes it another request.
                let whole = method.bytes().chain(target.bytes()).all(|byte| byte.is_ascii_graphic());
                server.send(&server.request(method, target, body), whole)
            }
        };
        // Nothing is answered to what is no request at all.
        if !answer.is_empty() {
            is_fair(&answer);
        }
        assert!(!server.engine.as_ref().unwrap().has_failed(), "the loop has ended");
    });
}
