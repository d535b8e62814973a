//! The life cycle with real processes: see `test_process` for the server.

use super::find::Origin;
use super::test_process::*;
use super::*;
use crate::os::{Deadline, Liveness, ProcessId};
use rustix::process::{Pid, Signal};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// A folder with a workspace `ws`. Dropping it ends every server started in it.
struct Fixture {
    root: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(root.path().join("ws")).expect("mkdir");
        Fixture { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn state_of(&self, name: &str) -> StateDir {
        let workspace = Workspace::at(&self.path(name)).expect("workspace");
        StateDir::create(&workspace).expect("state folder")
    }

    fn state(&self) -> StateDir {
        self.state_of("ws")
    }

    /// Every server ever started in the workspace `name`.
    fn servers_of(&self, name: &str) -> Vec<ProcessId> {
        let text = self.path(name).join(STATE_DIR_NAME).join("starts");
        std::fs::read_to_string(text)
            .unwrap_or_default()
            .lines()
            .map(|line| {
                let (pid, start_time) = line.split_once(' ').expect("two fields");
                ProcessId {
                    pid: pid.parse().expect("pid"),
                    start_time: start_time.parse().expect("start time"),
                }
            })
            .collect()
    }

    fn servers(&self) -> Vec<ProcessId> {
        self.servers_of("ws")
    }

    fn client(&self) -> std::process::Command {
        client_of(&self.path("ws"))
    }

    /// Runs clients at the same time; their results, sorted.
    fn clients(&self, count: usize, version: &str) -> Vec<String> {
        let children: Vec<_> = (0..count)
            .map(|_| self.client().env(VERSION, version).stdout(Stdio::piped()).spawn().expect("client"))
            .collect();
        let mut results: Vec<String> = children
            .into_iter()
            .map(|child| {
                let output = child.wait_with_output().expect("output");
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let result = text.lines().find_map(|l| l.strip_prefix("RESULT "));
                result.unwrap_or_else(|| panic!("no result: {text}")).to_owned()
            })
            .collect();
        results.sort();
        results
    }

    fn connect(&self) -> Started {
        connect(&self.state(), "1", Vec::new(), LONG).expect("server")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let entries = std::fs::read_dir(self.root.path()).into_iter().flatten();
        let servers: Vec<_> =
            entries.flatten().flat_map(|e| self.servers_of(&e.file_name().to_string_lossy())).collect();
        for server in servers {
            kill(&server);
        }
    }
}

/// Kills a test server and waits for its end.
fn kill(server: &ProcessId) {
    if server.liveness().expect("liveness") == Liveness::Alive {
        let pid = Pid::from_raw(server.pid as i32).expect("pid");
        let _ = rustix::process::kill_process(pid, Signal::KILL);
        assert!(server.wait_exit(&Deadline::after(LONG)).expect("wait"));
    }
}

/// What a server that is this test's process would announce.
fn own_info(state: &StateDir) -> ServerInfo {
    let (me, here) = (ProcessId::current().expect("own identity"), Machine::this().expect("machine"));
    ServerInfo {
        pid: me.pid,
        start_time: me.start_time,
        boot_id: here.boot_id,
        host: here.host,
        address: loopback(1),
        socket: None,
        token: Token::generate().expect("token"),
        version: "1".to_owned(),
        binary_sha256: "none".to_owned(),
        protocol: 1,
        workspace: state.workspace().path().to_owned(),
        state_dir: state.id(),
        started_at_ms: 0,
        started_at: "1970-01-01T00:00:00Z".to_owned(),
        port: 0,
        workspace_root: PathBuf::new(),
        code_store: None,
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn publication() -> Publication {
    Publication {
        address: loopback(1),
        socket: None,
        token: Token::generate().expect("token"),
        version: "1".to_owned(),
        binary_sha256: "none".to_owned(),
        protocol: 1,
        code_store: "/code".into(),
    }
}

/// An instant deadline, for locks that are free.
fn now() -> Deadline {
    Deadline::after(Duration::ZERO)
}

/// `find`, where no process may be asked.
fn find_unasked(state: &StateDir) -> Found {
    find(state, |info| panic!("process {} was asked", info.pid)).expect("find")
}

/// A process that has ended and is collected, or stays a zombie until the
/// returned child is waited for.
fn ended_process(collected: bool) -> (ProcessId, std::process::Child) {
    // Its input is held open, so that it surely runs while it is looked at.
    let mut child =
        std::process::Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat");
    let id = ProcessId::of(child.id()).expect("proc").expect("runs");
    drop(child.stdin.take());
    if collected {
        child.wait().expect("wait");
    } else {
        assert!(id.wait_exit(&Deadline::after(LONG)).expect("wait"));
    }
    (id, child)
}

// --- Starting ---------------------------------------------------------------

#[test]
fn thirty_first_starts_at_once_end_with_one_server() {
    let fixture = Fixture::new();
    let results = fixture.clients(30, "1");
    let servers = fixture.servers();
    assert_eq!(servers.len(), 1, "{results:?}");
    let pid = servers[0].pid;
    let mut expected = vec![format!("found {pid}"); 29];
    expected.push(format!("started {pid}"));
    assert_eq!(results, expected);
}

#[test]
fn another_version_restarts_once_for_ten_clients() {
    let fixture = Fixture::new();
    let old = fixture.connect().info;
    let results = fixture.clients(10, "2");
    let servers = fixture.servers();
    assert_eq!(servers.len(), 2, "{results:?}");
    let pid = servers[1].pid;
    let mut expected = vec![format!("found {pid}"); 9];
    expected.push(format!("restarted {pid}"));
    assert_eq!(results, expected);
    assert_ne!(old.process().liveness().expect("liveness"), Liveness::Alive);
}

#[test]
fn a_restart_names_its_reason() {
    let fixture = Fixture::new();
    fixture.connect();
    let again = connect(&fixture.state(), "2", Vec::new(), LONG).expect("server");
    assert_eq!(again.how.to_string(), "restarted the server: it was version 1, this is version 2");
}

#[test]
fn a_server_killed_without_warning_is_replaced() {
    let fixture = Fixture::new();
    let first = fixture.connect();
    assert_eq!(first.how, How::Started(NotRunning::Absent));
    kill(&first.info.process());
    let second = fixture.connect();
    // A zombie, where nobody collects orphans.
    assert!(matches!(second.how, How::Started(NotRunning::StalePid | NotRunning::Zombie)));
    assert_ne!(first.info.token, second.info.token);
    assert!(fixture.state().previous_log(1).exists());
}

#[test]
fn a_caller_that_collects_output_is_not_held_up() {
    let fixture = Fixture::new();
    // `output` returns when every holder of the pipe has closed it. If the
    // server held it, that would be at the server's end.
    let result = result_of(fixture.client().stderr(Stdio::piped()));
    let server = fixture.servers()[0];
    assert_eq!(result, format!("started {}", server.pid));
    assert_eq!(server.liveness().expect("liveness"), Liveness::Alive);
}

#[test]
fn the_server_inherits_nothing() {
    let fixture = Fixture::new();
    // Closed on exec, so that the helpers of other tests do not get it.
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
    let stray = writer.as_raw_fd();
    let mut client = fixture.client();
    client.env("SECRET_TOKEN", "hunter2").env("DATABUILD_REQUEST", "of a job").env("LC_TIME", "C");
    // SAFETY: system calls only, on values that live for the calls.
    unsafe {
        client.pre_exec(move || {
            assert_ne!(libc::dup2(stray, 251), -1);
            libc::umask(0o002);
            for signal in [libc::SIGINT, libc::SIGTERM] {
                libc::signal(signal, libc::SIG_IGN);
            }
            let mut blocked: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut blocked);
            libc::sigaddset(&mut blocked, libc::SIGUSR1);
            libc::sigprocmask(libc::SIG_BLOCK, &blocked, std::ptr::null_mut());
            Ok(())
        });
    }
    assert!(result_of(&mut client).starts_with("started"));
    drop(writer);
    let info = ServerInfo::read(&fixture.state()).expect("io").expect("running");
    let report = ask(&info, "report").expect("report");
    let has = |line: &str| report.lines().any(|l| l == line);

    // The pipe comes to its end while the server lives: it holds no copy.
    let deadline = Deadline::after(LONG);
    crate::os::wait_readable(&reader, &deadline).expect("poll");
    rustix::io::ioctl_fionbio(reader.as_fd(), true).expect("non-blocking");
    assert_eq!(rustix::io::read(&reader, &mut [0u8; 1]), Ok(0), "{report}");
    assert!(!report.contains("fd 251 ") && !report.contains("start.lock"), "{report}");
    assert!(!report.contains(" pipe:"), "the ready pipe is closed: {report}");
    let log = fixture.state().server_log();
    assert!(has("fd 0 /dev/null"), "{report}");
    for fd in [1, 2] {
        assert!(has(&format!("fd {fd} {}", log.display())), "{report}");
    }
    for absent in ["SECRET_TOKEN", "hunter2", "DATABUILD_REQUEST", READY_FD_ENV] {
        assert!(!report.contains(absent), "{absent}: {report}");
    }
    assert!(has("env LC_TIME=C"), "{report}");

    assert!(has(&format!("cwd {}", fixture.state().workspace().path().display())));
    assert!(has("status Umask: 0077"), "{report}");
    assert!(has("status SigBlk: 0000000000000000"), "{report}");
    // SIGHUP is signal 1; Rust's runtime ignores SIGPIPE, signal 13. The C
    // library keeps signals 32 and 33 to itself.
    let ignored = report
        .lines()
        .find_map(|l| l.strip_prefix("status SigIgn: "))
        .and_then(|l| u64::from_str_radix(l, 16).ok());
    let classic = (1 << 31) - 1;
    assert_eq!(ignored.map(|set| set & classic), Some(0x1001), "{report}");
    let session = rustix::process::getsid(None).expect("session");
    assert!(!has(&format!("session {}", session.as_raw_nonzero())), "{report}");
    assert!(!has(&format!("session {}", info.pid)), "it leads its session");
}

#[test]
fn a_start_that_fails_shows_the_reason_and_the_end_of_the_log() {
    for (said, shown) in [("no room", "no room"), ("", "ended before it was ready")] {
        let fixture = Fixture::new();
        let env = vec![(OsString::from(FAIL), OsString::from(said))];
        let error = connect(&fixture.state(), "1", env, LONG).expect_err("fails");
        assert_eq!(error.code(), "server_start_failed");
        let text = error.to_string();
        assert!(text.contains(shown), "{text}");
        assert!(text.contains("details of the failure"), "{text}");
        assert!(text.contains("server.log"), "{text}");
    }
}

#[test]
fn a_server_that_is_killed_while_it_starts_is_followed_by_another() {
    for when in ["before", "after"] {
        let fixture = Fixture::new();
        let state = fixture.state();
        let env = vec![(OsString::from(DIE), OsString::from(when))];
        let started = connect(&state, "1", env, LONG).expect(when);
        let starts = std::fs::read_to_string(starts_file(&state)).expect("starts");
        let pids: Vec<_> = starts.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(pids.len(), 2, "{when}: {starts}");
        assert_eq!(pids[1], started.info.pid.to_string(), "{when}");
        ask(&started.info, "shutdown").expect("stops");
    }
}

#[test]
fn a_program_that_cannot_be_run_is_named() {
    let fixture = Fixture::new();
    let program = fixture.path("absent");
    let error = connect_or_start(&StartOptions {
        state: &fixture.state(),
        program: &program,
        args: &[],
        env: Vec::new(),
        constraints: &constraints("1"),
        deadline: Deadline::after(LONG),
        probe: &|_| Ok(()),
        ask_shutdown: &|_| Ok(()),
    })
    .expect_err("fails");
    assert!(error.to_string().contains(&*program.to_string_lossy()), "{error}");
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn a_server_outside_the_start_lock_wins() {
    let fixture = Fixture::new();
    let state = fixture.state();
    let foreground = ServerGuard::acquire(&state, &now()).expect("guard");
    let env = vec![(OsString::from(LOCK_WAIT_MS), OsString::from("20"))];
    let error = connect(&state, "1", env, LONG).expect_err("held");
    assert_eq!(error.code(), "server_start_failed");
    let owner = format!("another server (process {}) owns", std::process::id());
    assert!(error.to_string().contains(&owner), "{error}");
    assert_eq!(fixture.servers(), []);
    drop(foreground);
    fixture.connect();
}

#[test]
fn a_server_that_has_not_published_itself_is_found_by_its_lock() {
    let fixture = Fixture::new();
    let state = fixture.state();
    assert_eq!(owner(&state).expect("io"), None);
    let starting = ServerGuard::acquire(&state, &now()).expect("guard");
    assert_eq!(owner(&state).expect("io"), Some(ProcessId::current().expect("own identity")));
    drop(starting);
    let until = Deadline::after(LONG);
    // Another test's child may hold the descriptor until its exec.
    while owner(&state).expect("io").is_some() && !until.expired() {}
    assert_eq!(owner(&state).expect("io"), None);
}

#[test]
fn only_the_very_process_is_told_to_end() {
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep");
    let process = ProcessId::of(child.id()).expect("io").expect("there");
    let other = ProcessId { start_time: process.start_time + 1, ..process };
    assert!(!other.terminate().expect("io"));
    assert_eq!(process.liveness().expect("liveness"), Liveness::Alive);
    assert!(process.terminate().expect("io"));
    assert!(process.wait_exit(&Deadline::after(LONG)).expect("wait"));
    assert!(!process.terminate().expect("io"), "it has ended");
    child.wait().expect("collected");
}

// --- Copies and moves -------------------------------------------------------

#[test]
fn a_copied_workspace_gets_a_server_of_its_own() {
    let fixture = Fixture::new();
    let original = fixture.connect().info;
    let copied =
        std::process::Command::new("cp").args(["-r", "ws", "copy"]).current_dir(fixture.root.path()).status();
    assert!(copied.expect("cp").success());
    std::fs::remove_file(starts_file(&fixture.state_of("copy"))).expect("remove");
    let state = fixture.state_of("copy");
    let started = connect(&state, "1", Vec::new(), LONG).expect("server");
    assert_eq!(started.how, How::Started(NotRunning::CopiedState));
    assert_ne!(started.info.pid, original.pid);
    let again = fixture.connect();
    assert_eq!((again.how, again.info), (How::AlreadyRunning, original));
}

#[test]
fn a_moved_workspace_replaces_the_server_that_believes_in_the_old_place() {
    let fixture = Fixture::new();
    let stay = vec![(OsString::from(STAY), OsString::from("1"))];
    let old = connect(&fixture.state(), "1", stay, LONG).expect("server").info;
    std::fs::rename(fixture.path("ws"), fixture.path("moved")).expect("rename");
    let state = fixture.state_of("moved");
    let started = connect(&state, "1", Vec::new(), LONG).expect("server");
    assert!(
        matches!(&started.how, How::Restarted(RestartReason::WorkspaceMoved { from, to })
            if from.ends_with("ws") && to.ends_with("moved")),
        "{:?}",
        started.how
    );
    assert_ne!(old.process().liveness().expect("liveness"), Liveness::Alive);
}

#[test]
fn a_server_whose_folder_is_removed_ends_by_itself() {
    let fixture = Fixture::new();
    let server = fixture.connect().info.process();
    std::fs::remove_dir_all(fixture.state().path()).expect("remove");
    assert!(server.wait_exit(&Deadline::after(LONG)).expect("wait"));
    assert!(!fixture.path("ws").join(STATE_DIR_NAME).exists());
}

// --- What is believed -------------------------------------------------------

#[test]
fn dead_processes_and_reused_ids_are_not_believed() {
    let (gone, _) = ended_process(true);
    let (zombie, mut child) = ended_process(false);
    let me = ProcessId::current().expect("own identity");
    let reused = ProcessId { start_time: me.start_time + 1, ..me };
    for (id, expected) in
        [(gone, NotRunning::StalePid), (zombie, NotRunning::Zombie), (reused, NotRunning::ReusedPid)]
    {
        let fixture = Fixture::new();
        let state = fixture.state();
        let info = ServerInfo { pid: id.pid, start_time: id.start_time, ..own_info(&state) };
        info.write(&state).expect("write");
        assert!(matches!(find_unasked(&state), Found::None(reason) if reason == expected), "{expected:?}");
        assert_eq!(fixture.connect().how, How::Started(expected));
    }
    child.wait().expect("collected");
}

#[test]
fn a_file_that_no_server_wrote_is_not_believed() {
    let fixture = Fixture::new();
    std::fs::write(fixture.state().server_json(), "{\"pid\": ").expect("write");
    let found = find_unasked(&fixture.state());
    assert!(matches!(found, Found::None(NotRunning::Malformed(_))), "{found:?}");
    let how = fixture.connect().how;
    assert!(matches!(how, How::Started(NotRunning::Malformed(_))), "{how:?}");
}

#[test]
fn where_a_server_json_comes_from() {
    let fixture = Fixture::new();
    let base = own_info(&fixture.state());
    let here = Machine::this().expect("machine");
    let id = base.state_dir;
    let other_dev = DirId { dev: id.dev + 1, ..id };
    let other_ino = DirId { ino: id.ino + 1, ..id };
    let boot = here.boot_id.as_str();
    let host = here.host.as_str();
    for (boot_id, host, state_dir, expected) in [
        (boot, host, id, Origin::ThisBoot),
        (boot, "container", id, Origin::ThisBoot),
        (boot, host, other_ino, Origin::Copied),
        ("other", host, id, Origin::OtherBoot),
        ("other", host, other_dev, Origin::OtherBoot),
        ("other", "elsewhere", id, Origin::OtherHost),
        ("other", "elsewhere", other_dev, Origin::OtherHost),
        ("other", "elsewhere", other_ino, Origin::Copied),
    ] {
        let info =
            ServerInfo { boot_id: boot_id.to_owned(), host: host.to_owned(), state_dir, ..base.clone() };
        let judged = super::find::origin(&info, id, &here);
        assert_eq!(judged, expected, "{boot_id} {host} {state_dir}");
    }
}

#[test]
fn the_server_of_another_host_is_not_replaced() {
    let fixture = Fixture::new();
    let state = fixture.state();
    let info = ServerInfo { boot_id: "other".to_owned(), host: "elsewhere".to_owned(), ..own_info(&state) };
    info.write(&state).expect("write");
    let error = connect(&state, "1", Vec::new(), LONG).expect_err("refused");
    assert_eq!(error.code(), "server_on_other_host");
    assert!(error.to_string().contains("\"elsewhere\""), "{error}");
    let error = ServerGuard::acquire(&state, &now()).expect_err("refused");
    assert_eq!(error.code(), "server_on_other_host");
    let kept = ServerInfo::read(&state).expect("io").expect("there");
    assert_eq!(kept, info);
}

#[test]
fn a_server_in_another_container_counts_while_it_holds_its_lock() {
    let fixture = Fixture::new();
    let state = fixture.state();
    let (gone, _) = ended_process(true);
    let holder = ServerGuard::acquire(&state, &now()).expect("guard");
    let info = ServerInfo {
        pid: gone.pid,
        start_time: gone.start_time,
        host: "container".to_owned(),
        ..own_info(&state)
    };
    info.write(&state).expect("write");
    assert!(matches!(find_unasked(&state), Found::OtherHost(_)));
    drop(holder);
    // A process that another test is just forking may hold the lock's
    // descriptor until its exec.
    let deadline = Deadline::after(LONG);
    loop {
        match find_unasked(&state) {
            Found::OtherHost(_) if !deadline.expired() => std::thread::yield_now(),
            found => {
                assert!(matches!(found, Found::None(NotRunning::StalePid)), "{found:?}");
                break;
            }
        }
    }
}

#[test]
fn a_server_whose_process_cannot_be_seen_counts_while_it_holds_its_lock() {
    let fixture = Fixture::new();
    let state = fixture.state();
    let (gone, _) = ended_process(true);
    let _guard = ServerGuard::acquire(&state, &now()).expect("guard");
    let info = ServerInfo { pid: gone.pid, start_time: gone.start_time, ..own_info(&state) };
    info.write(&state).expect("write");
    // Signed by the next server, which is about to publish itself.
    assert!(matches!(find_unasked(&state), Found::None(NotRunning::StalePid)));
    let holder = format!(
        r#"{{"pid": {}, "start_time": {}, "boot_id": "{}"}}"#,
        gone.pid, gone.start_time, info.boot_id
    );
    std::fs::write(state.server_lock(), holder).expect("write");
    assert!(matches!(find_unasked(&state), Found::OtherHost(_)));
    let error = connect(&state, "1", Vec::new(), LONG).expect_err("refused");
    assert_eq!(error.code(), "server_on_other_host");
}

#[test]
fn a_state_folder_whose_log_could_not_be_opened_is_refused() {
    let fixture = Fixture::new();
    let base = fixture.path("").as_os_str().len();
    let rest = 512 - "/bel.sqlite.new-journal".len() - "/.databuild".len() - base;
    let longest = format!("{}/{}/{}", "a".repeat(200), "b".repeat(150), "c".repeat(rest - 352));
    std::fs::create_dir_all(fixture.path(&longest)).expect("mkdir");
    fixture.state_of(&longest);
    let long = format!("{longest}c");
    std::fs::create_dir_all(fixture.path(&long)).expect("mkdir");
    let workspace = Workspace::at(&fixture.path(&long)).expect("workspace");
    let error = StateDir::create(&workspace).expect_err("refused");
    assert_eq!(error.code(), "state_dir_path_too_long");
    assert!(error.to_string().contains("shorter path"), "{error}");
}

#[test]
fn a_second_path_to_the_workspace_is_no_move() {
    let fixture = Fixture::new();
    let state = fixture.state();
    let other_name = fixture.path("other-name");
    std::os::unix::fs::symlink(state.workspace().path(), &other_name).expect("symlink");
    let moved_away = fixture.path("absent");
    for (workspace, is_running) in [(other_name, true), (moved_away, false)] {
        let info = ServerInfo { workspace, ..own_info(&state) };
        info.write(&state).expect("write");
        let found = find(&state, |_| Ok(())).expect("find");
        assert_eq!(matches!(found, Found::Running(_)), is_running, "{found:?}");
        assert_eq!(matches!(found, Found::Moved(_)), !is_running, "{found:?}");
    }
}

#[test]
fn a_living_process_that_does_not_answer_is_reported_not_replaced() {
    let fixture = Fixture::new();
    let state = fixture.state();
    let deaf = own_info(&state);
    deaf.write(&state).expect("write");
    let options = |probe| StartOptions {
        state: &state,
        program: Path::new("/dev/null"),
        args: &[],
        env: Vec::new(),
        constraints: const { &CONSTRAINTS_NONE },
        deadline: Deadline::after(Duration::from_millis(60)),
        probe,
        ask_shutdown: &|_| Err("refused".to_owned()),
    };
    let error = connect_or_start(&options(&|_| Err("timed out".to_owned()))).expect_err("deaf");
    assert_eq!(error.code(), "server_not_answering");
    assert!(error.to_string().contains("timed out"), "{error}");
    // One that answers, is of another version and will not go.
    let error = connect_or_start(&options(&|_| Ok(()))).expect_err("stays");
    assert_eq!(error.code(), "server_hand_over_timeout");
    assert!(error.to_string().contains("refused"), "{error}");
}

/// Demands that no server meets.
const CONSTRAINTS_NONE: Constraints =
    Constraints { version: String::new(), protocol: 0, binary_sha256: None };

#[test]
fn what_a_client_demands() {
    let fixture = Fixture::new();
    let info = own_info(&fixture.state());
    let demand = |version: &str, protocol, binary: Option<&str>| {
        let constraints =
            Constraints { version: version.to_owned(), protocol, binary_sha256: binary.map(str::to_owned) };
        constraints.mismatch(&info)
    };
    assert_eq!(demand("1", 1, None), None);
    assert_eq!(demand("1", 1, Some("none")), None);
    assert_eq!(demand("1", 1, Some("other")), Some(RestartReason::Binary));
    assert!(matches!(demand("1", 2, None), Some(RestartReason::Protocol { .. })));
    assert!(matches!(demand("2", 2, None), Some(RestartReason::Version { .. })));
}

// --- Being the server -------------------------------------------------------

#[test]
fn a_new_server_waits_for_one_that_is_going_down() {
    let fixture = Fixture::new();
    let state = fixture.state();
    let old = ServerGuard::acquire(&state, &now()).expect("guard");
    let refused = ServerGuard::acquire(&state, &now()).expect_err("held");
    assert_eq!(refused.code(), "server_lock_held");
    std::thread::scope(|scope| {
        let new = scope.spawn(|| ServerGuard::acquire(&state, &Deadline::after(LONG)));
        drop(old);
        new.join().expect("thread").expect("guard");
    });
}

#[test]
fn the_announcement_is_private_and_goes_with_the_server() {
    use std::os::unix::fs::MetadataExt;
    let fixture = Fixture::new();
    let state = fixture.state();
    let mut guard = ServerGuard::acquire(&state, &now()).expect("guard");
    assert!(matches!(guard.still_mine(), Ownership::Mine));
    let info = guard.publish_info(publication()).expect("published");
    assert_eq!(ServerInfo::read(&state).expect("io"), Some(info));
    let mode = state.server_json().metadata().expect("metadata").mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(guard.still_mine(), Ownership::Mine));
    drop(guard);
    assert!(!state.server_json().exists());
}

/// Lets a server announce itself, then `change` things; what it then sees.
fn lost_after(change: impl FnOnce(&Fixture, &StateDir)) -> (Fixture, LostReason) {
    let fixture = Fixture::new();
    let state = fixture.state();
    let mut guard = ServerGuard::acquire(&state, &now()).expect("guard");
    guard.publish_info(publication()).expect("published");
    change(&fixture, &state);
    let Ownership::Lost(reason) = guard.still_mine() else {
        panic!("still the server");
    };
    drop(guard);
    (fixture, reason)
}

#[test]
fn a_server_sees_that_its_folder_is_gone() {
    let (_, reason) = lost_after(|_, state| {
        std::fs::remove_dir_all(state.path()).expect("remove");
    });
    assert_eq!(reason, LostReason::StateDirRemoved);
    let (_, reason) = lost_after(|fixture, state| {
        std::fs::remove_dir_all(state.path()).expect("remove");
        fixture.state();
    });
    assert_eq!(reason, LostReason::StateDirRemoved);
}

#[test]
fn a_server_sees_that_its_folder_has_moved_and_takes_its_announcement_back() {
    let (fixture, reason) = lost_after(|fixture, _| {
        std::fs::rename(fixture.path("ws"), fixture.path("moved")).expect("rename");
    });
    let LostReason::StateDirMoved { to } = reason else {
        panic!("{reason:?}");
    };
    assert!(to.ends_with("moved/.databuild"), "{to:?}");
    assert!(!fixture.state_of("moved").server_json().exists());
}

#[test]
fn a_server_sees_that_its_announcement_is_gone_or_anothers_and_leaves_that_alone() {
    let (_, reason) = lost_after(|_, state| {
        std::fs::remove_file(state.server_json()).expect("remove");
    });
    assert_eq!(reason, LostReason::InfoRemoved);
    for text in [None, Some("x")] {
        let (fixture, reason) = lost_after(|_, state| match text {
            Some(text) => std::fs::write(state.server_json(), text).expect("write"),
            None => {
                let other = ServerInfo { start_time: 1, ..own_info(state) };
                other.write(state).expect("write");
            }
        });
        assert_eq!(reason, LostReason::InfoReplaced);
        assert!(fixture.state().server_json().exists());
    }
}

#[test]
fn a_server_sees_that_a_file_that_it_has_open_is_gone_or_another() {
    for change in ["removed", "replaced", "its second file removed"] {
        let fixture = Fixture::new();
        let state = fixture.state();
        let mut guard = ServerGuard::acquire(&state, &now()).expect("guard");
        let (main, second) = (state.database(), state.path().join("bel.sqlite-wal"));
        std::fs::write(&main, "events").expect("write");
        std::fs::write(&second, "more").expect("write");
        guard.watch([main.clone(), second.clone()]);
        assert!(matches!(guard.still_mine(), Ownership::Mine));
        let gone = match change {
            "removed" => std::fs::remove_file(&main).map(|()| main),
            "replaced" => {
                std::fs::copy(&main, state.path().join("copy")).expect("copy");
                std::fs::rename(state.path().join("copy"), &main).map(|()| main)
            }
            _ => std::fs::remove_file(&second).map(|()| second),
        };
        let path = gone.expect(change);
        let Ownership::Lost(reason) = guard.still_mine() else { panic!("{change}: still the server") };
        assert_eq!(reason, LostReason::FileGone { path });
    }
}
