//! `build --no-daemon` leaves nothing, however it ends.

mod support;

use rustix::process::{kill_process, Pid, Signal};
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use support::{is_alive, text, wait_until, Workspace};

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed()).unwrap()
}

fn build(workspace: &Workspace) -> Child {
    let mut command = workspace.command(&["build", "slow", "--no-daemon"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Nothing runs any more, and the next server neither goes on with the want nor keeps it open.
fn nothing_is_left(workspace: &Workspace, job: &[u32]) {
    wait_until("all is gone", || workspace.processes().is_empty().then_some(()));
    assert!(!job.iter().any(|pid| is_alive(*pid)));
    std::fs::remove_file(workspace.path().join("pids")).unwrap();
    let wants = workspace.done(&["want", "list", "--json"]);
    let wants: serde_json::Value = serde_json::from_str(&wants).unwrap();
    let states: Vec<_> = wants["data"].as_array().unwrap().iter().map(|want| want["state"].clone()).collect();
    assert_eq!(states, ["canceled"]);
    // What follows is decided when the answer is there.
    assert_eq!(workspace.done(&["runs", "--state", "leased"]).lines().count(), 1);
    assert!(!workspace.path().join("pids").exists(), "the job was not started again");
}

#[test]
fn signals_leave_nothing() {
    let ends_by = |signal: Signal| {
        let workspace = Workspace::new();
        let mut child = build(&workspace);
        let job = workspace.slow_processes();
        kill_process(pid(child.id()), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
        nothing_is_left(&workspace, &job);
    };
    std::thread::scope(|scope| {
        for signal in [Signal::TERM, Signal::HUP, Signal::KILL] {
            scope.spawn(move || ends_by(signal));
        }
    });
}

#[test]
fn ctrl_c_leaves_nothing_at_once_or_twice() {
    let workspace = Workspace::new();
    let mut child = build(&workspace);
    let job = workspace.slow_processes();
    kill_process(pid(child.id()), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    nothing_is_left(&workspace, &job);

    let workspace = Workspace::new();
    let mut child = build(&workspace);
    let job = workspace.slow_processes();
    // The server stands still, so that the first one cannot be answered.
    let server: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string(workspace.path().join(".databuild/server.json")).unwrap(),
    )
    .unwrap();
    let server = pid(u32::try_from(server["pid"].as_u64().unwrap()).unwrap());
    kill_process(server, Signal::STOP).unwrap();
    kill_process(pid(child.id()), Signal::INT).unwrap();
    wait_until("it is over", || {
        let _ = kill_process(pid(child.id()), Signal::INT);
        child.try_wait().unwrap()
    });
    // On a slow machine it may be gone by now, since its command is.
    let _ = kill_process(server, Signal::CONT);
    nothing_is_left(&workspace, &job);
}

#[test]
fn the_death_of_command_and_server_leaves_nothing() {
    let workspace = Workspace::new();
    let mut child = build(&workspace);
    let job = workspace.slow_processes();
    let server: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string(workspace.path().join(".databuild/server.json")).unwrap(),
    )
    .unwrap();
    let server = u32::try_from(server["pid"].as_u64().unwrap()).unwrap();
    kill_process(pid(server), Signal::STOP).unwrap();
    kill_process(pid(child.id()), Signal::KILL).unwrap();
    kill_process(pid(server), Signal::KILL).unwrap();
    child.wait().unwrap();
    nothing_is_left(&workspace, &job);
}

#[test]
fn a_reader_that_leaves_ends_all() {
    let workspace = Workspace::new();
    let mut command = workspace.command(&["build", "slow", "--no-daemon", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let job = workspace.slow_processes();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 10];
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    // The next event is one too many.
    kill_process(pid(job[0]), Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(141));
    let mut said = Vec::new();
    child.stderr.take().unwrap().read_to_end(&mut said).unwrap();
    assert!(!text(&said).contains("panicked"), "{}", text(&said));
    wait_until("all is gone", || workspace.processes().is_empty().then_some(()));
    let wants = workspace.done(&["want", "list", "--state", "open"]);
    assert_eq!(wants.lines().count(), 1, "{wants}");
}
