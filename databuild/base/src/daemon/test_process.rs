//! A tiny server and its clients for the tests: real processes, made by running
//! this test program again with `helper_process` as its only test and a role in
//! the environment.

use super::*;
use crate::os::{Deadline, ProcessId};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Long enough for any machine; no test waits for it unless it fails.
pub(super) const LONG: Duration = Duration::from_secs(60);

const ROLE: &str = "DATABUILD_TEST_ROLE";
const WORKSPACE: &str = "DATABUILD_TEST_WORKSPACE";
/// The version the server claims and the client demands.
pub(super) const VERSION: &str = "DATABUILD_TEST_VERSION";
/// What the server says instead of becoming ready; empty: it just ends.
pub(super) const FAIL: &str = "DATABUILD_TEST_FAIL";
/// When the first server of a state folder dies: `before` or `after` it is ready.
pub(super) const DIE: &str = "DATABUILD_TEST_DIE";
/// The server does not mind losing its state folder.
pub(super) const STAY: &str = "DATABUILD_TEST_STAY";
/// How long the server waits for its lock, in milliseconds.
pub(super) const LOCK_WAIT_MS: &str = "DATABUILD_TEST_LOCK_WAIT_MS";

#[test]
fn helper_process() {
    match std::env::var(ROLE).as_deref() {
        Ok("server") => serve(),
        Ok("client") => client(),
        Ok("echo") => println!("\nRESULT echo"),
        Ok(other) => panic!("unknown role {other}"),
        // Run as an ordinary test: does running ourselves work at all?
        Err(_) => assert_eq!(result_of(&mut helper("echo")), "echo"),
    }
}

/// This test program as a helper with a role.
pub(super) fn helper(role: &str) -> Command {
    let mut command = Command::new(program());
    command.args(arguments()).env(ROLE, role);
    command
}

pub(super) fn program() -> PathBuf {
    std::env::current_exe().expect("test program")
}

pub(super) fn arguments() -> Vec<OsString> {
    // The test's name does not begin with the crate's.
    let (_, module) = module_path!().split_once("::").expect("inside a crate");
    ["--exact", &format!("{module}::helper_process"), "--nocapture"].map(OsString::from).to_vec()
}

/// Runs a helper to its end and gives what it printed as its result.
pub(super) fn result_of(command: &mut Command) -> String {
    let output = command.output().expect("helper runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    stdout
        .lines()
        .find_map(|l| l.strip_prefix("RESULT "))
        .unwrap_or_else(|| panic!("no result: {output:?}"))
        .to_owned()
}

/// A client of the workspace, not yet started.
pub(super) fn client_of(workspace: &Path) -> Command {
    let mut command = helper("client");
    command.env(WORKSPACE, workspace);
    command
}

fn client() {
    let path = std::env::var_os(WORKSPACE).expect("workspace given");
    let workspace = Workspace::at(Path::new(&path)).expect("workspace");
    let state = StateDir::create(&workspace).expect("state folder");
    let version = std::env::var(VERSION).unwrap_or_else(|_| "1".to_owned());
    match connect(&state, &version, std::env::vars_os().collect(), LONG) {
        Ok(started) => {
            let how = match started.how {
                How::AlreadyRunning => "found",
                How::Started(_) => "started",
                How::Restarted(_) => "restarted",
            };
            println!("\nRESULT {how} {}", started.info.pid);
        }
        Err(error) => println!("\nRESULT error {}", error.code()),
    }
}

/// `connect_or_start` with the test server as the server.
pub(super) fn connect(
    state: &StateDir,
    version: &str,
    mut env: Vec<(OsString, OsString)>,
    within: Duration,
) -> Result<Started, DaemonError> {
    env.retain(|(name, _)| name != ROLE && name != VERSION);
    env.push((ROLE.into(), "server".into()));
    env.push((VERSION.into(), version.into()));
    connect_or_start(&StartOptions {
        state,
        program: &program(),
        args: &arguments(),
        env,
        constraints: &constraints(version),
        deadline: Deadline::after(within),
        probe: &|info| ask(info, "hello").map(drop),
        ask_shutdown: &|info| ask(info, "shutdown").map(drop),
    })
}

pub(super) fn constraints(version: &str) -> Constraints {
    Constraints { version: version.to_owned(), protocol: 1, binary_sha256: None }
}

/// Sends one request to the test server.
pub(super) fn ask(info: &ServerInfo, verb: &str) -> Result<String, String> {
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(info.address)?;
        stream.set_read_timeout(Some(LONG))?;
        writeln!(stream, "{} {verb}", info.token.expose())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    match exchange() {
        Ok(answer) if answer.is_empty() => Err("no answer".to_owned()),
        Ok(answer) => Ok(answer),
        Err(e) => Err(e.to_string()),
    }
}

/// The list of all servers ever started for a state folder.
pub(super) fn starts_file(state: &StateDir) -> PathBuf {
    state.path().join("starts")
}

fn serve() {
    let ready = ReadyPipe::take().expect("ready pipe");
    if let Ok(message) = std::env::var(FAIL) {
        fail(ready, &message);
    }
    // The launcher has put us into the workspace.
    let workspace = Workspace::at(Path::new(".")).expect("workspace");
    let state = StateDir::create(&workspace).expect("state folder");
    let wait = match std::env::var(LOCK_WAIT_MS) {
        Ok(ms) => Duration::from_millis(ms.parse().expect("milliseconds")),
        Err(_) => PREDECESSOR_WAIT,
    };
    let mut guard = match ServerGuard::acquire(&state, &Deadline::after(wait)) {
        Ok(guard) => guard,
        Err(error) => fail(ready, &error.to_string()),
    };
    let me = ProcessId::current().expect("own identity");
    let mut starts =
        std::fs::OpenOptions::new().append(true).create(true).open(starts_file(&state)).expect("starts");
    writeln!(starts, "{} {}", me.pid, me.start_time).expect("write");
    drop(starts);
    let started = std::fs::read_to_string(starts_file(&state)).expect("starts").lines().count();
    let dies = |when: &str| started == 1 && std::env::var(DIE).is_ok_and(|at| at == when);
    if dies("before") {
        std::process::abort();
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let token = Token::generate().expect("token");
    guard
        .publish_info(Publication {
            address: listener.local_addr().expect("address"),
            socket: None,
            token: token.clone(),
            version: std::env::var(VERSION).expect("version"),
            binary_sha256: "none".to_owned(),
            protocol: 1,
            code_store: "/code".into(),
        })
        .expect("published");
    ready.ready();
    if dies("after") {
        std::process::abort();
    }
    listener.set_nonblocking(true).expect("non-blocking");
    let stay = std::env::var_os(STAY).is_some();
    // A server whose test was killed must not stay for ever.
    let life = Deadline::after(2 * LONG);
    while !life.expired() {
        if !stay && matches!(guard.still_mine(), Ownership::Lost(_)) {
            break;
        }
        let soon = Deadline::after(Duration::from_millis(50));
        crate::os::wait_readable(&listener, &soon).expect("poll");
        let Ok((mut stream, _)) = listener.accept() else {
            continue;
        };
        let mut request = String::new();
        if stream.read_to_string(&mut request).is_err() {
            continue;
        }
        let (given, verb) = request.trim().split_once(' ').unwrap_or_default();
        if !token.matches(given) {
            continue;
        }
        let answer = match verb {
            "report" => report(),
            _ => "ok".to_owned(),
        };
        // The client may have gone.
        let _ = stream.write_all(answer.as_bytes());
        if verb == "shutdown" {
            break;
        }
    }
    drop(guard);
    std::process::exit(0);
}

fn fail(ready: ReadyPipe, message: &str) -> ! {
    eprintln!("details of the failure");
    if !message.is_empty() {
        ready.failed(message);
    }
    std::process::exit(3)
}

/// What the server has inherited, one fact a line.
fn report() -> String {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").expect("descriptors") {
        let entry = entry.expect("entry");
        if let Ok(to) = std::fs::read_link(entry.path()) {
            let fd = entry.file_name();
            lines.push(format!("fd {} {}", fd.to_string_lossy(), to.display()));
        }
    }
    for (name, value) in std::env::vars_os() {
        lines.push(format!("env {}={}", name.display(), value.display()));
    }
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    lines.extend(status.lines().map(|l| format!("status {}", l.replace('\t', " "))));
    let cwd = std::env::current_dir().expect("cwd");
    lines.push(format!("cwd {}", cwd.display()));
    let session = rustix::process::getsid(None).expect("session");
    lines.push(format!("session {}", session.as_raw_nonzero()));
    lines.join("\n")
}
