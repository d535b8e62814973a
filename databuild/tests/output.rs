//! Every command with a reader that leaves, one that is slow, and a device that is full; and what one that waits says of the
//! others.

mod support;

use rustix::fs::{fcntl_setfl, OFlags};
use rustix::pipe::{pipe_with, PipeFlags};
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use support::{text, Workspace};

const READER_LEFT: i32 = 141;
const UNWRITABLE: i32 = 3;

/// Commands that print data. Those with many lines fill a pipe.
fn commands() -> Vec<Vec<&'static str>> {
    [
        "--help",
        "--version",
        "build --help",
        "completion bash",
        "build quick",
        "build quick --json",
        "invoke make_quick quick",
        "plan many --no-save",
        "plan many --no-save --json",
        "plans",
        "pools",
        "pools --json",
        "why quick",
        "why quick --json",
        "taint quick --reason test",
        "untaint quick",
        "accept --job make_quick --dry-run --json",
        "verify quick",
        "trials",
        "adopt quick",
        "scan quick",
        "scan quick --json",
        "want list",
        "want create quick",
        "keys list",
        "keys list names",
        "keys add names again",
        "partitions",
        "partitions many --limit 0",
        "partitions many --limit 0 --json",
        "checks",
        "runs",
        "runs r1",
        "runs compare r1",
        "runs compare r1 r1 --json",
        "queue",
        "queue --json",
        "timeline",
        "timeline --json",
        "logs r1",
        "logs r1 --json",
        "logs r1 --search MADE",
        "logs r1 --search MADE --json",
        "logs r1 --follow --stdout",
        "logs r1 --follow --json",
        "status",
        "status --json",
        "gc --dry-run",
        "shim",
        "build nothing --json",
    ]
    .iter()
    .map(|line| line.split(' ').collect())
    .collect()
}

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.done(&["build", "quick"]);
    workspace.done(&["keys", "add", "names", "ada", "bob"]);
    workspace
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let workspace = workspace();
    for args in commands() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = workspace.command(&args).stdout(full).output().unwrap();
        let said = text(&output.stderr);
        // Some say beforehand, in JSON, that nothing is to be done; they cannot write that either.
        assert_eq!(output.status.code(), Some(UNWRITABLE), "{args:?}: {said}");
        let line = said.lines().last().unwrap_or_default();
        assert!(
            line.starts_with("error[output_unwritable]: standard output cannot be written: "),
            "{args:?}: {said}"
        );
    }
}

#[test]
fn a_reader_that_left_ends_every_command_quietly() {
    let workspace = workspace();
    for args in commands() {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        drop(reader);
        let output = workspace.command(&args).stdout(writer).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(READER_LEFT), "{args:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("error["), "{args:?}: {said}");
    }
}

#[test]
fn a_full_pipe_that_does_not_block_is_waited_for() {
    let workspace = workspace();
    let all = workspace.done(&["partitions", "many", "--limit", "0"]);
    assert!(all.len() > 64 << 10, "more than a pipe holds");
    for args in
        [&["partitions", "many", "--limit", "0"][..], &["partitions", "many", "--limit", "0", "--json"]]
    {
        let whole = workspace.done(args);
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        let mut child = workspace.command(args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = std::fs::File::from(reader);
        let mut first = [0; 100];
        reader.read_exact(&mut first).unwrap();
        // It has filled the pipe, or will, before the rest is read.
        support::wait_until("it waits", || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
            state.rsplit_once(") ")?.1.starts_with('S').then_some(())
        });
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!((text(&first) + &rest).len(), whole.len(), "{args:?}");
    }
}

#[test]
fn who_waits_is_told_that_another_graph_was_registered() {
    let workspace = Workspace::new();
    let mut build = workspace.command(&["build", "slow", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    workspace.slow_processes();
    let file = workspace.at("bin/databuild.graph.json");
    let graph = std::fs::read_to_string(&file).unwrap();
    let other = graph.replace(r#""grace_ms":500"#, r#""grace_ms":501"#);
    assert_ne!(graph, other);
    std::fs::write(&file, &other).unwrap();
    workspace.deploy();
    let mut lines = BufReader::new(build.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap();
    let id = databuild_core::digest::sha256_hex(other.as_bytes());
    while next()["graph"].as_str() != Some(&id) {}
    workspace.done(&["cancel", "w1"]);
    let last = loop {
        let line = next();
        if line.get("want").is_some() {
            break line;
        }
    };
    assert_eq!(last["graph"].as_str(), Some(&*id));
    assert!(!build.wait().unwrap().success());
}
