//! Servers that go and come, and commands that ask one elsewhere.

mod support;

use rustix::process::{kill_process, Pid, Signal};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use support::{is_alive, text, wait_until, Workspace};

/// What `server.json` says once a command has found the server.
fn server(workspace: &Workspace) -> Value {
    workspace.done(&["status"]);
    serde_json::from_str(&fs::read_to_string(workspace.path().join(".databuild/server.json")).unwrap())
        .unwrap()
}

#[test]
fn token_and_port_survive_a_stop_and_a_kill() {
    let workspace = Workspace::new();
    let first = server(&workspace);
    let port = u16::try_from(first["port"].as_u64().unwrap()).unwrap();
    assert_eq!(first["address"], format!("127.0.0.1:{port}"));
    assert_eq!(first["workspace_root"], workspace.path().canonicalize().unwrap().display().to_string());
    assert!(first["started_at"].as_str().unwrap().ends_with('Z'), "{first}");
    let token = fs::read_to_string(workspace.path().join(".databuild/token")).unwrap();
    assert_eq!(first["token"], token.trim_end());
    workspace.done(&["stop"]);
    let second = server(&workspace);
    let pid = u32::try_from(second["pid"].as_u64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    wait_until("it is gone", || (!is_alive(pid)).then_some(()));
    let third = server(&workspace);
    for next in [&second, &third] {
        assert_eq!((&next["port"], &next["token"]), (&first["port"], &first["token"]));
        assert_ne!(next["pid"], first["pid"]);
    }
    workspace.done(&["stop"]);
    // Whoever has the port meanwhile keeps it.
    let other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let fourth = server(&workspace);
    assert_ne!(fourth["port"], first["port"]);
    drop(other);
    workspace.done(&["stop"]);
}

#[test]
fn commands_ask_the_server_that_they_are_told() {
    let workspace = Workspace::new();
    workspace.deploy();
    let url = format!("http://{}", server(&workspace)["address"].as_str().unwrap());
    let token = workspace.path().join(".databuild/token");
    let nowhere = tempfile::tempdir().unwrap();
    let command = |args: &[&str]| {
        let mut command = Command::new(workspace.at("bin/databuild"));
        command
            .args(args)
            .current_dir(nowhere.path())
            .env_clear()
            .env("HOME", nowhere.path())
            .stdin(Stdio::null());
        command
    };
    let built =
        command(&["--server-url", &url, "--token-file", token.to_str().unwrap(), "build", "quick"]).output();
    let built = built.unwrap();
    assert!(built.status.success(), "{}", text(&built.stderr));
    assert!(workspace.path().join("out/quick").is_file());
    let mut listed = command(&["want", "list", "--json"]);
    listed
        .env("DATABUILD_SERVER_URL", &url)
        .env("DATABUILD_SERVER_TOKEN", fs::read_to_string(&token).unwrap().trim());
    let listed: Value = serde_json::from_slice(&listed.output().unwrap().stdout).unwrap();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
    for (args, code, exit) in [
        (vec!["--server-url", &url, "status"], "no_token", 4),
        (
            vec!["--server-url", "ftp://x", "--token-file", token.to_str().unwrap(), "status"],
            "bad_server_url",
            2,
        ),
        (vec!["--server-url", &url, "serve"], "usage", 2),
    ] {
        let refused = command(&args).output().unwrap();
        let said = text(&refused.stderr);
        assert!(
            said.contains(&format!("error[{code}]")) && refused.status.code() == Some(exit),
            "{args:?}: {said}"
        );
    }
    assert_eq!(fs::read_dir(nowhere.path()).unwrap().count(), 0, "nothing was made where the commands ran");
    let stopped =
        command(&["--server-url", &url, "--token-file", token.to_str().unwrap(), "stop"]).output().unwrap();
    assert!(stopped.status.success(), "{}", text(&stopped.stderr));
    wait_until("it is gone", || (!workspace.path().join(".databuild/server.json").exists()).then_some(()));
}
