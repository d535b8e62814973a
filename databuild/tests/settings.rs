//! What settings say holds for the servers that commands start.

mod support;

use serde_json::Value;
use std::fs;
use support::{text, Workspace};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn slots(workspace: &Workspace, args: &[&str]) -> Value {
    json(&workspace.done(&[args, &["status", "--json"]].concat()))["slots"].clone()
}

#[test]
fn a_server_that_a_command_starts_has_the_settings_of_the_workspace() {
    let workspace = Workspace::new();
    fs::write(workspace.path().join("databuild.toml"), "places = 3\n").unwrap();
    assert_eq!(slots(&workspace, &[]), 3);
    workspace.done(&["stop"]);
    // Another file, from another folder, by a relative path.
    fs::write(workspace.at("ci.toml"), "places = 5\n").unwrap();
    assert_eq!(slots(&workspace, &["--config", "../ci.toml"]), 5);
    workspace.done(&["stop"]);
    let mut command = workspace.command(&["status", "--json"]);
    let output = command.env("DATABUILD_PLACES", "7").output().unwrap();
    assert_eq!(json(&text(&output.stdout))["slots"], 7);
    workspace.done(&["stop"]);
}

#[test]
fn the_state_may_be_elsewhere() {
    let workspace = Workspace::new();
    fs::write(workspace.path().join("databuild.toml"), "state_dir = \"../state/here\"\n").unwrap();
    workspace.done(&["build", "quick"]);
    assert!(workspace.path().join("out/quick").is_file());
    assert!(workspace.at("state/here/bel.sqlite").is_file());
    assert!(!workspace.path().join(".databuild").exists());
    workspace.done(&["stop"]);
    // Another state folder knows nothing of it.
    let wants = workspace.done(&["--state-dir", "../other", "want", "list", "--json"]);
    assert_eq!(json(&wants)["data"], serde_json::json!([]));
    workspace.done(&["--state-dir", "../other", "stop"]);
    let wants = workspace.done(&["want", "list", "--json"]);
    assert_eq!(json(&wants)["data"].as_array().map(Vec::len), Some(1));
    workspace.done(&["stop"]);
}

#[test]
fn config_shows_each_setting_and_where_it_comes_from() {
    let workspace = Workspace::new();
    fs::write(workspace.path().join("databuild.toml"), "idle_timeout = \"90s\"\nport = 1\n").unwrap();
    let mut command = workspace.command(&["config", "--json"]);
    let config = json(&text(&command.env("DATABUILD_PORT", "2").output().unwrap().stdout));
    let of = |name: &str| {
        let rows = config["data"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        (row["value"].as_str().unwrap().to_owned(), row["from"].as_str().unwrap().to_owned())
    };
    let file = workspace.path().canonicalize().unwrap().join("databuild.toml").display().to_string();
    assert_eq!(of("idle_timeout"), ("90s".to_owned(), file));
    assert_eq!(of("port"), ("2".to_owned(), "DATABUILD_PORT".to_owned()));
    assert_eq!(of("keep_logs"), ("30d".to_owned(), "default".to_owned()));
    assert_eq!(workspace.done(&["config", "idle_timeout"]), "90s\n");
    assert!(!workspace.path().join(".databuild").exists(), "looking at settings makes nothing");
}

#[test]
fn a_wrong_setting_stops_commands_and_says_what_was_meant() {
    let workspace = Workspace::new();
    fs::write(workspace.path().join("databuild.toml"), "prot = 8080\n").unwrap();
    let output = workspace.run(&["status"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("error[unknown_setting]") && said.contains("`port`"), "{said}");
    fs::write(workspace.path().join("databuild.toml"), "log = \"=nonsense=\"\n").unwrap();
    let output = workspace.run(&["status"]);
    let said = text(&output.stderr);
    assert!(said.contains("error[bad_setting]") && said.contains("databuild.toml"), "{said}");
}
