//! Servers come and go, the runner comes and goes; attempts run once.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::Duration;

use super::super::event_loop::READY;
use super::super::{
    wait_exit, AttemptState, Found, Outcome, RunnerClient, RunnerEvent, StartSpec, MAX_REQUESTS, PROTOCOL,
    STOPPED,
};
use super::harness::{ask, inspect_all, inspect_one, meet, name, read, release, wait_dead, Place};
use crate::os::{boot_id, stat, Deadline};

#[test]
fn a_server_that_comes_back_finds_the_same_process() {
    let mut place = Place::new();
    let server = place.start();
    let (ready, go) = (place.fifo("ready"), place.fifo("go"));
    let script = "echo one; echo > ready; read x < go; echo two";
    server.client.start(&[place.job("r1-1", script)]).unwrap();
    let pid = server.started("r1-1");
    meet(&ready);
    let runner = server.client.hello().pid;
    drop(server);

    let server = place.reconnect();
    let hello = server.client.hello();
    assert_eq!(hello.pid, runner);
    assert_eq!(hello.attempts.len(), 1);
    assert!(matches!(hello.attempts[0].state, AttemptState::Running { pid: same, .. } if same == pid));
    assert_eq!(inspect_one(&place.spool(), "r1-1", &hello.boot_id).unwrap(), Found::Running);
    release(&go);
    assert!(server.end_of("r1-1").is_success());
    assert_eq!(place.stdout("r1-1"), "one\ntwo\n");
}

#[test]
fn an_end_while_nobody_listens_is_told_later() {
    let mut place = Place::new();
    let server = place.start();
    server.client.set_capacity(1).unwrap();
    let (ready, go) = (place.fifo("ready"), place.fifo("go"));
    let first = place.job("r1-1", "echo > ready; read x < go; exit 5");
    let second = place.job("r2-1", "exit 6");
    server.client.start(&[first, second]).unwrap();
    meet(&ready);
    drop(server);
    release(&go);
    // The queue goes on too.
    place.until("r2-1", |state| matches!(state, AttemptState::Ended { .. }));

    let server = place.reconnect();
    let codes: Vec<_> = server
        .client
        .hello()
        .attempts
        .iter()
        .map(|report| match &report.state {
            AttemptState::Ended { exit } => (report.attempt.as_str(), exit.outcome.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(codes, [("r1-1", Outcome::Code(5)), ("r2-1", Outcome::Code(6))]);
    server.client.forget(&[name("r1-1"), name("r2-1")], true).unwrap();
    assert_eq!(server.client.list().unwrap(), []);
}

#[test]
fn a_killed_runner_takes_its_jobs_along() {
    let mut place = Place::new();
    let server = place.start();
    server.client.set_capacity(1).unwrap();
    let ready = place.fifo("ready");
    // A grandchild is not covered by the parent-death signal, nor is one that
    // left the session; recovery sees to them.
    let script = "sleep 1000 & echo $! >> left; setsid sleep 1000 & echo $! >> left; \
                  echo > ready; wait";
    let ended = place.job("r0-1", "exit 2");
    let running = place.job("r1-1", script);
    let queued = place.job("r2-1", ":");
    assert_eq!(server.run(ended).outcome, Outcome::Code(2));
    server.client.start(&[running, queued]).unwrap();
    let pid = server.started("r1-1");
    meet(&ready);
    place.kill_runner();
    server.disconnected();
    wait_dead(pid);
    assert!(server.client.start(&[place.job("r3-1", ":")]).is_err());

    let boot = boot_id().unwrap();
    let found = inspect_all(&place.spool(), &["r0-1", "r1-1"], &boot);
    assert!(matches!(&found[0], Found::Ended(exit) if exit.outcome == Outcome::Code(2)));
    assert_eq!(found[1], Found::Lost);
    let left = read(&place.path("left"));
    assert_eq!(left.lines().count(), 2);
    for pid in left.lines() {
        wait_dead(pid.parse().unwrap());
    }
    let found = inspect_one(&place.spool(), "r2-1", &boot).unwrap();
    assert_eq!(found, Found::NeverStarted);

    // The next runner takes the spool over and refuses the lost attempt.
    let server = place.start();
    assert_eq!(server.client.hello().attempts, []);
    server.client.start(&[place.job("r1-1", ":")]).unwrap();
    assert_eq!(server.refused("r1-1").0, "attempt_exists");
    assert!(server.run(place.job("r1-2", ":")).is_success());
}

#[test]
fn an_attempt_is_started_once() {
    let mut place = Place::new();
    let server = place.start();
    let go = place.fifo("go");
    let job = || place.job("r1-1", "echo ran >> ran; echo told; read x < go");
    server.client.start(&[job(), job()]).unwrap();
    // While queued or running, when ended, and when forgotten.
    let refused = |event| matches!(event, RunnerEvent::Refused { code, .. } if code == "attempt_exists");
    let (first, second) = (server.next(), server.next());
    assert!(refused(first.clone()) ^ refused(second.clone()), "{first:?} {second:?}");
    release(&go);
    assert!(server.end_of("r1-1").is_success());
    server.client.start(&[job()]).unwrap();
    assert_eq!(server.refused("r1-1").0, "attempt_exists");
    server.client.forget(&[name("r1-1")], true).unwrap();
    server.client.start(&[job()]).unwrap();
    assert_eq!(server.refused("r1-1").0, "attempt_exists");
    assert_eq!(read(&place.path("ran")), "ran\n");
}

#[test]
fn the_folder_of_an_attempt_that_left_nothing_serves_the_next_one() {
    let mut place = Place::new();
    let server = place.start();
    assert!(server.run(place.job("r1-1", "echo '{}' > $DATABUILD_REPORT")).is_success());
    server.client.forget(&[name("r1-1")], true).unwrap();
    assert_eq!(server.client.list().unwrap(), []);
    // The folder is looked after once the answer is out, and before the next.
    assert_eq!(server.client.list().unwrap(), []);
    let folder = |name: &str| fs::metadata(place.spool().join(name)).map(|meta| meta.ino());
    let spare = folder(".spare-0").unwrap();
    assert!(!place.files("r1-1").dir().exists());
    // What the first one left is not the second one's.
    let again = place.job("r2-1", "test ! -e $DATABUILD_REPORT && echo told");
    assert!(server.run(again).is_success());
    assert_eq!(folder("r2-1").unwrap(), spare);
    // What was printed is kept, and so is what failed.
    assert_eq!(server.run(place.job("r3-1", "exit 3")).outcome, Outcome::Code(3));
    server.client.forget(&[name("r2-1"), name("r3-1")], true).unwrap();
    assert_eq!(server.client.list().unwrap(), []);
    assert_eq!(read(&place.files("r2-1").stdout()), "told\n");
    assert!(place.files("r3-1").request().exists());
}

#[test]
fn a_cancelled_queued_attempt_never_starts() {
    let mut place = Place::new();
    let server = place.start();
    server.client.set_capacity(1).unwrap();
    let go = place.fifo("go");
    let first = place.job("r1-1", "read x < go");
    let second = place.job("r2-1", "echo ran > ran");
    server.client.start(&[first, second]).unwrap();
    server.client.cancel(&name("r2-1"), "changed my mind").unwrap();
    let exit = server.end_of("r2-1");
    assert_eq!(exit.outcome, Outcome::NeverStarted {});
    assert!(exit.canceled);
    release(&go);
    assert!(server.end_of("r1-1").is_success());
    assert!(!place.files("r2-1").dir().exists());
    assert!(!place.path("ran").exists());
}

#[test]
fn capacity_zero_holds_the_queue_and_more_frees_it() {
    let mut place = Place::new();
    let server = place.start();
    server.client.set_capacity(0).unwrap();
    server.client.start(&[place.job("r1-1", ":"), place.job("r2-1", ":")]).unwrap();
    let states: Vec<_> = server.client.list().unwrap().into_iter().map(|report| report.state).collect();
    assert_eq!(states, [AttemptState::Queued, AttemptState::Queued]);
    server.client.set_capacity(2).unwrap();
    assert!(server.end_of("r2-1").is_success());
}

#[test]
fn a_new_server_takes_over_from_the_old() {
    let mut place = Place::new();
    let old = place.start();
    let new = place.reconnect();
    assert_eq!(old.disconnected(), "another server has taken over");
    assert!(old.client.list().is_err());
    assert!(new.run(place.job("r1-1", ":")).is_success());
}

#[test]
fn strangers_to_the_protocol_are_answered() {
    let mut place = Place::new();
    let server = place.start();
    let mut stream = UnixStream::connect(place.path("run/s")).unwrap();
    let mut code = |line: &str| ask(&mut stream, line)["error"]["code"].as_i64();
    assert_eq!(code("\u{1}binary"), Some(-32_700));
    assert_eq!(code(r#"{"id":1,"method":"start","params":{"attempts":[]}}"#), Some(-32_001));
    assert_eq!(code(r#"{"method":"shutdown","params":{}}"#), Some(-32_001));
    assert_eq!(code(r#"{"id":1,"method":"hello","params":{}}"#), Some(-32_602));
    // A newer protocol learns ours, and takes nothing over.
    let hello = r#"{"id":1,"method":"hello","params":{"protocol":99,"server":"x"}}"#;
    assert_eq!(ask(&mut stream, hello)["result"]["protocol"], PROTOCOL);
    assert!(server.run(place.job("r1-1", ":")).is_success());
}

#[test]
fn a_server_of_an_older_protocol_is_served_in_that() {
    let mut place = Place::new();
    let server = place.start();
    let mut stream = UnixStream::connect(place.path("run/s")).unwrap();
    let hello = r#"{"id":1,"method":"hello","params":{"protocol":1,"server":"older"}}"#;
    assert_eq!(ask(&mut stream, hello)["result"]["protocol"], 1);
    assert_eq!(server.disconnected(), "another server has taken over");
    assert_eq!(ask(&mut stream, r#"{"id":2,"method":"set_capacity","params":{"jobs":3}}"#)["result"], true);
}

#[test]
fn a_runner_of_an_older_protocol_is_spoken_to_in_that() {
    let place = Place::new();
    fs::create_dir_all(place.path("run")).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(place.path("run/s")).unwrap();
    let runner = std::thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut asked = Vec::new();
        for _ in 0..2 {
            let hello: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            asked.push(hello["params"]["protocol"].as_u64().unwrap());
            let answer = r#"{"jsonrpc":"2.0","id":0,"result":{"protocol":1,"version":"0","pid":1,"boot_id":"b","start_time":1,"capacity":1,"draining":false,"attempts":[]}}"#;
            writeln!(stream, "{answer}").unwrap();
        }
        (asked, lines.next().unwrap().unwrap())
    });
    let server = place.reconnect();
    assert!(!server.client.runs_checks());
    // It does not know how to take anything back, so it is not asked to.
    server.client.withdraw(&name("r1-1"), "nobody wants it now").unwrap();
    server.client.cancel(&name("r2-1"), "nobody wants it").unwrap();
    let (asked, next) = runner.join().unwrap();
    assert_eq!(asked, [u64::from(PROTOCOL), 1]);
    assert!(next.contains("r2-1") && next.contains("cancel"), "{next}");
}

#[test]
fn a_runner_that_leaves_gives_back_what_waits_and_takes_nothing_new() {
    let mut place = Place::new();
    let server = place.start();
    server.client.set_capacity(1).unwrap();
    let (ready, go) = (place.fifo("ready"), place.fifo("go"));
    assert!(server.run(place.job("r0-1", ":")).is_success());
    let script = "trap 'read x < go; exit 0' TERM; echo > ready; sleep 1000 & wait";
    let first = StartSpec { grace_ms: 1_000_000, ..place.job("r1-1", script) };
    server.client.start(&[first, place.job("r2-1", ":")]).unwrap();
    meet(&ready);
    server.started("r1-1");
    server.client.forget(&[name("r0-1")], false).unwrap();
    server.client.shutdown().unwrap();
    // Whoever reads its record sees that nobody can say that it has begun, and why.
    let exit = server.end_of("r2-1");
    assert_eq!((&exit.outcome, exit.cancel_reason.as_deref()), (&Outcome::NeverStarted {}, Some(STOPPED)));
    assert_eq!(inspect_one(&place.spool(), "r2-1", "any boot").unwrap(), Found::Ended(Box::new(exit)));
    server.client.start(&[place.job("r3-1", ":")]).unwrap();
    assert_eq!(server.refused("r3-1").0, "draining");
    release(&go);
    assert!(server.end_of("r1-1").is_success());
    server.disconnected();
    wait_dead(server.client.hello().pid);
    // It leaves the lock and its records in order behind.
    assert!(!place.path("run/s").exists());
    assert!(!place.files("r0-1").dir().exists());
    let found = inspect_one(&place.spool(), "r1-1", "any boot").unwrap();
    assert!(matches!(found, Found::Ended(exit) if exit.is_success()));
}

#[test]
fn a_runner_that_is_ready_and_ends_is_not_waited_for() {
    let place = Place::new();
    let ready = || {
        let mut command = Command::new("/bin/echo");
        command.arg(READY);
        command
    };
    let error = RunnerClient::connect_or_start(&place.options(), Box::new(|_| {}), ready).unwrap_err();
    assert_eq!(error.code(), "runner_did_not_start");
    assert!(error.to_string().contains("as soon as it was ready"), "{error}");
}

#[test]
fn a_copied_spool_gets_a_runner_of_its_own() {
    let mut original = Place::new();
    let server = original.start();
    let mut copy = Place::new();
    let copied = Command::new("cp").arg("-r").args([original.spool(), copy.spool()]).status();
    assert!(copied.unwrap().success());
    // The copied record names the socket of the original's runner, which lives and answers.
    let own = copy.start();
    assert_ne!(own.client.hello().pid, server.client.hello().pid);
    own.client.start(&[copy.job("r1-1", "pwd")]).unwrap();
    assert!(own.end_of("r1-1").is_success());
    assert!(copy.files("r1-1").dir().exists() && !original.files("r1-1").dir().exists());
}

#[test]
fn a_shutdown_kills_and_records() {
    let mut place = Place::new();
    let server = place.start();
    let ready = place.fifo("ready");
    let mut job = place.job("r1-1", "trap '' TERM; echo > ready; sleep 1000");
    job.grace_ms = 50;
    server.client.start(&[job]).unwrap();
    meet(&ready);
    server.client.shutdown().unwrap();
    let exit = server.end_of("r1-1");
    assert_eq!(exit.outcome, Outcome::Signal(libc::SIGKILL));
    assert!(exit.canceled);
    wait_dead(server.client.hello().pid);
    let found = inspect_one(&place.spool(), "r1-1", "any boot").unwrap();
    assert_eq!(found, Found::Ended(Box::new(exit)));
}

#[test]
fn a_term_signal_is_a_shutdown() {
    let mut place = Place::new();
    let server = place.start();
    let ready = place.fifo("ready");
    server.client.start(&[place.job("r1-1", "echo > ready; exec sleep 1000")]).unwrap();
    meet(&ready);
    let pid = crate::os::to_pid(server.client.hello().pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(server.end_of("r1-1").outcome, Outcome::Signal(libc::SIGTERM));
    server.disconnected();
}

#[test]
fn a_shutdown_gives_jobs_their_grace_and_a_second_one_none() {
    let mut place = Place::new();
    let server = place.start();
    server.client.set_capacity(2).unwrap();
    let (ready, told) = (place.fifo("ready"), place.fifo("told"));
    let polite = "trap 'echo bye; exit 3' TERM; echo > ready; sleep 1000 & wait";
    let deaf = "trap 'echo > told' TERM; echo > ready; while :; do sleep 1000 & wait; done";
    for (attempt, script) in [("r1-1", polite), ("r2-1", deaf)] {
        let mut job = place.job(attempt, script);
        job.grace_ms = 1_000_000;
        server.client.start(&[job]).unwrap();
        meet(&ready);
    }
    server.client.shutdown().unwrap();
    let exit = server.end_of("r1-1");
    assert_eq!((exit.outcome, exit.canceled), (Outcome::Code(3), true));
    assert_eq!(place.stdout("r1-1"), "bye\n");
    meet(&told);
    assert!(place.reconnect().client.hello().draining);
    let server = place.reconnect();
    server.client.shutdown().unwrap();
    assert_eq!(server.end_of("r2-1").outcome, Outcome::Signal(libc::SIGKILL));
    wait_dead(server.client.hello().pid);
}

#[test]
fn a_private_runner_that_is_told_twice_of_one_end_gives_jobs_their_grace() {
    let mut place = Place::new();
    let (server, lifeline) = place.start_private();
    let ready = place.fifo("ready");
    let script = "trap 'sleep 0.2; echo bye; exit 3' TERM; echo > ready; sleep 1000 & wait";
    server.client.start(&[StartSpec { grace_ms: 1_000_000, ..place.job("r1-1", script) }]).unwrap();
    meet(&ready);
    // The command is gone, of which its server hears too.
    drop(lifeline);
    server.client.shutdown().unwrap();
    let exit = server.end_of("r1-1");
    assert_eq!((exit.outcome, exit.canceled), (Outcome::Code(3), true));
    assert_eq!(place.stdout("r1-1"), "bye\n");
    wait_dead(server.client.hello().pid);
}

#[test]
fn a_command_that_does_not_wait_for_the_jobs_that_it_had_stopped_has_them_killed() {
    let mut place = Place::new();
    let (server, lifeline) = place.start_private();
    let ready = place.fifo("ready");
    let script = "trap '' TERM; echo > ready; sleep 1000 & wait";
    server.client.start(&[StartSpec { grace_ms: 1_000_000, ..place.job("r1-1", script) }]).unwrap();
    meet(&ready);
    server.client.shutdown().unwrap();
    // Answered after what was said before.
    server.client.list().unwrap();
    drop(lifeline);
    assert_eq!(server.end_of("r1-1").outcome, Outcome::Signal(libc::SIGKILL));
    wait_dead(server.client.hello().pid);
}

#[test]
fn nothing_of_its_jobs_goes_on_when_a_runner_has_ended() {
    let mut place = Place::new();
    let server = place.start();
    let ready = place.fifo("ready");
    // What has a session of its own has a child that has another one.
    let inner = "setsid sleep 1000 & echo $! >> left; echo $$ >> left; echo > ready; wait";
    server.client.start(&[place.job("r1-1", &format!("setsid sh -c '{inner}' & wait"))]).unwrap();
    meet(&ready);
    server.client.shutdown().unwrap();
    assert!(wait_exit(&place.spool(), &Deadline::after(Duration::from_secs(60))).unwrap());
    let left = read(&place.path("left"));
    let pids: Vec<u32> = left.lines().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    for pid in pids {
        assert!(stat(pid).unwrap().is_none_or(|stat| !stat.is_alive()), "{pid} goes on");
    }
}

#[test]
fn a_runner_whose_socket_folder_is_gone_for_good_listens_in_its_spool() {
    let mut place = Place::new();
    let server = place.start();
    let (ready, go) = (place.fifo("ready"), place.fifo("go"));
    server.client.start(&[place.job("r1-1", "echo > ready; read x < go")]).unwrap();
    let pid = server.started("r1-1");
    meet(&ready);
    drop(server);
    fs::remove_dir_all(place.path("run")).unwrap();
    // Nobody can make the folder again.
    fs::write(place.path("run"), "").unwrap();
    // The client outlasts that the runner has not noticed yet.
    let server = place.reconnect();
    assert!(place.spool().join("runner.sock").exists());
    let state = &server.client.hello().attempts[0].state;
    assert!(matches!(state, AttemptState::Running { pid: same, .. } if *same == pid));
    release(&go);
    assert!(server.end_of("r1-1").is_success());
}

#[test]
fn pipes_in_the_place_of_its_files_stop_no_runner() {
    let mut place = Place::new();
    let server = place.start();
    // The end cannot be recorded then, and saying so fails too.
    let script = "cd $(dirname $DATABUILD_REPORT); rm -f pid.json; mkfifo exit.json stdout stderr; echo hi; echo ho >&2";
    let exit = server.run(place.job("r1-1", script));
    assert_eq!(exit.outcome, Outcome::Code(0));
    assert_eq!((exit.stdout.dropped, exit.stderr.dropped), (3, 3));
    assert!(server.run(place.job("r2-1", "echo hi")).is_success());
    assert_eq!(place.stdout("r2-1"), "hi\n");
    // Whoever looks at it without the runner is not held up either.
    assert!(inspect_one(&place.spool(), "r1-1", "any boot").is_err());
}

#[test]
fn a_runner_without_a_spool_ends_with_its_jobs() {
    let mut place = Place::new();
    let server = place.start();
    let ready = place.fifo("ready");
    server.client.start(&[place.job("r1-1", "echo > ready; exec sleep 1000")]).unwrap();
    let pid = server.started("r1-1");
    meet(&ready);
    fs::remove_dir_all(place.spool()).unwrap();
    wait_dead(pid);
    wait_dead(server.client.hello().pid);
    server.disconnected();
}

#[test]
fn an_attempt_of_a_runner_without_a_spool_does_not_fail() {
    let mut place = Place::new();
    let server = place.start();
    assert!(server.run(place.job("r1-1", ":")).is_success());
    fs::remove_dir_all(place.spool()).unwrap();
    // If it has noticed already, it is gone. In no case does it say that the attempt ended.
    if server.client.start(&[place.job("r2-1", ":")]).is_ok() {
        loop {
            match server.next() {
                RunnerEvent::Refused { code, .. } => assert_eq!(code, "draining"),
                RunnerEvent::Disconnected { .. } => break,
                other => panic!("{other:?}"),
            }
        }
    }
    let server = place.start();
    assert!(server.run(place.job("r2-1", ":")).is_success());
}

#[test]
fn a_runner_nobody_needs_ends() {
    let mut place = Place::new();
    place.idle_ms = 2000;
    let server = place.start();
    assert!(server.run(place.job("r1-1", ":")).is_success());
    let runner = server.client.hello().pid;
    drop(server);
    wait_dead(runner);
    assert!(!place.path("run/s").exists());
}

#[test]
fn a_socket_taken_away_is_made_again() {
    let mut place = Place::new();
    let runner = place.start().client.hello().pid;
    fs::remove_dir_all(place.path("run")).unwrap();
    assert_eq!(place.reconnect().client.hello().pid, runner);
}

#[test]
fn the_runner_leaves_its_starter_behind() {
    let mut place = Place::new();
    let lock = fs::File::create(place.path("lock")).unwrap();
    rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty()).unwrap();
    let server = place.start();
    let runner = server.client.hello().pid;
    let open: BTreeSet<_> = fs::read_dir(format!("/proc/{runner}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .collect();
    assert!(!open.contains(&place.path("lock").canonicalize().unwrap()), "{open:?}");
    assert_eq!(stat(runner).unwrap().unwrap().group, runner);
    assert_eq!(fs::read_link(format!("/proc/{runner}/cwd")).unwrap().to_str(), Some("/"));
    let environ = read(format!("/proc/{runner}/environ").as_ref());
    assert!(!environ.contains("PATH="), "{environ}");
}

#[test]
fn a_runner_that_dies_when_it_is_greeted_is_followed_by_another() {
    let mut place = Place::new();
    let socket = place.options().socket;
    fs::DirBuilder::new().mode(0o700).create(socket.parent().unwrap()).unwrap();
    let dying = UnixListener::bind(&socket).unwrap();
    let death = std::thread::spawn(move || drop(dying.accept().unwrap()));
    let server = place.start();
    death.join().unwrap();
    server.client.start(&[place.job("r1-1", "exit 7")]).unwrap();
    assert_eq!(server.end_of("r1-1").outcome, Outcome::Code(7));
}

#[test]
fn a_start_that_fails_says_why() {
    let place = Place::new();
    let start = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args);
        RunnerClient::connect_or_start(&place.options(), Box::new(|_| ()), || command).unwrap_err()
    };
    assert_eq!(start("/no/such/program", &[]).code(), "runner_io");
    let error = start("/bin/sh", &["-c", "echo some words >&2; exit 9"]);
    assert_eq!(error.code(), "runner_did_not_start");
    let text = error.to_string();
    assert!(text.contains("exit status: 9") && text.contains("some words"), "{text}");

    let mut long = place.options();
    long.socket = place.path(&"a".repeat(108));
    let error = RunnerClient::connect_or_start(&long, Box::new(|_| ()), || Command::new("/bin/true"));
    assert_eq!(error.unwrap_err().code(), "runner_socket_path_too_long");
}

#[test]
fn attempts_whose_requests_are_together_longer_than_a_line_all_start() {
    let mut place = Place::new();
    let server = place.start();
    server.client.set_capacity(1).unwrap();
    let request = "\"".repeat(MAX_REQUESTS);
    let specs: Vec<_> = (0..4)
        .map(|at| StartSpec {
            request: request.clone(),
            ..place.job(&format!("r{at}-1"), &format!("test $(wc -c < $DATABUILD_REQUEST) = {MAX_REQUESTS}"))
        })
        .collect();
    server.client.start(&specs).unwrap();
    for spec in &specs {
        assert!(server.end_of(spec.attempt.as_str()).is_success());
    }
}

#[test]
fn many_attempts_end_once_each_and_start_in_order() {
    let mut place = Place::new();
    let server = place.start();
    server.client.set_capacity(2).unwrap();
    let specs: Vec<_> = (0..200)
        .map(|at| place.job(&format!("r{at}-1"), &format!("echo x > f{at}; exit {}", at % 7)))
        .collect();
    server.client.start(&specs).unwrap();
    let (mut started, mut ended) = (Vec::new(), BTreeSet::new());
    while ended.len() < specs.len() {
        match server.next() {
            RunnerEvent::Started { attempt, .. } => started.push(attempt),
            RunnerEvent::Ended { attempt, exit } => {
                let at: i32 = attempt.as_str()[1..attempt.as_str().len() - 2].parse().unwrap();
                assert_eq!(exit.outcome, Outcome::Code(at % 7));
                assert!(ended.insert(attempt), "an end told twice");
            }
            other => panic!("{other:?}"),
        }
    }
    let asked: Vec<_> = specs.iter().map(|spec| spec.attempt.clone()).collect();
    assert_eq!(started, asked);
    assert!((0..200).all(|at| place.path(&format!("f{at}")).exists()));
    let open = fs::read_dir(format!("/proc/{}/fd", server.client.hello().pid)).unwrap().count();
    assert!(open < 20, "{open} descriptors are open");
}
