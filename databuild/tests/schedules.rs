//! A schedule of a real server: its ticks build data while nobody asks.

mod support;

use serde_json::{json, Value};
use support::{text, wait_until, Workspace};

/// With a schedule that fires each second and ends after two ticks.
fn scheduled() -> Workspace {
    let workspace = Workspace::new();
    workspace.change_graph(|graph| {
        graph["schedules"] = json!([{
            "label": "//:often", "every_ms": 1000, "targets": ["quick"], "class": "backfill", "missed": "all", "times": 2,
        }]);
    });
    workspace.done(&["deploy", "--yes"]);
    workspace
}

fn parsed(workspace: &Workspace, args: &[&str]) -> Value {
    serde_json::from_str(&workspace.done(args)).unwrap()
}

fn wants(workspace: &Workspace) -> Vec<Value> {
    let list = parsed(workspace, &["want", "list", "--source", "schedule", "--json"]);
    list["data"].as_array().unwrap().clone()
}

#[test]
fn ticks_build_data_while_nobody_asks_and_survive_a_killed_server() {
    let workspace = scheduled();
    let first = wait_until("the first tick", || wants(&workspace).pop());
    assert_eq!((&first["by"], &first["class"]), (&json!("schedule often"), &json!("backfill")));
    let server = parsed(&workspace, &["status", "--json"])["pid"].as_u64().unwrap();
    let killed = std::process::Command::new("kill").args(["-9", &server.to_string()]).status().unwrap();
    assert!(killed.success());
    // The next command starts another server, which makes up for what was missed.
    let both = wait_until("both ticks", || Some(wants(&workspace)).filter(|wants| wants.len() == 2));
    wait_until("both are satisfied", || {
        wants(&workspace).iter().all(|want| want["state"] == "satisfied").then_some(())
    });
    assert!(workspace.path().join("out/quick").is_file(), "{both:?}");
    let one = parsed(&workspace, &["schedules", "show", "often", "--json"]);
    assert_eq!((&one["state"], &one["fired"], &one["ticks"]), (&json!("ended"), &json!(2), &json!([])));
    let events = parsed(&workspace, &["events", "--kind", "schedule_fired", "--json"]);
    let ticks: Vec<&str> = events["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["data"]["tick"].as_str().unwrap())
        .collect();
    assert!(ticks.len() == 2 && ticks[0] > ticks[1], "each fired once: {ticks:?}");
}

#[test]
fn a_schedule_is_paused_resumed_and_run_by_hand() {
    let workspace = Workspace::new();
    workspace.change_graph(|graph| {
        graph["schedules"] = json!([{
            "label": "//sales:nightly", "cron": "0 6 1 1 *", "time_zone": "Europe/Zurich", "targets": ["quick"],
            "class": "interactive", "missed": "last",
        }]);
    });
    let deployed = workspace.done(&["deploy", "--yes"]);
    assert!(deployed.contains("schedule //sales:nightly"), "{deployed}");
    // Only who deploys replaces it.
    workspace.change_graph(|graph| graph["schedules"][0]["missed"] = json!("none"));
    let output = workspace.run(&["build", "quick"]);
    assert!(text(&output.stderr).contains("using graph #"), "{}", text(&output.stderr));
    let listed = workspace.done(&["schedules"]);
    assert!(listed.contains("sales/nightly") && listed.contains("in Europe/Zurich"), "{listed}");
    let paused = text(&workspace.run(&["schedules", "pause", "sales/nightly"]).stderr);
    assert!(paused.contains("schedule sales/nightly is paused"), "{paused}");
    workspace.done(&["stop"]);
    let shown = workspace.done(&["schedules", "show", "sales/nightly"]);
    assert!(shown.contains("paused since") && shown.contains("next, if it were resumed:"), "{shown}");
    let ran = text(&workspace.run(&["schedules", "run-now", "sales/nightly"]).stderr);
    assert!(ran.contains("schedule sales/nightly made w"), "{ran}");
    let resumed = text(&workspace.run(&["schedules", "resume", "sales/nightly"]).stderr);
    assert!(resumed.contains("is on; next: "), "{resumed}");
    let unknown = workspace.run(&["schedules", "show", "nightly"]);
    let said = text(&unknown.stderr);
    assert!(unknown.status.code() == Some(2) && said.contains("schedule_not_found"), "{said}");
    assert!(said.contains("it has sales/nightly"), "{said}");
}
