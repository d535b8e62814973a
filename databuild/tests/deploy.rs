//! Only somebody who means it changes the graph that new work follows.

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use support::{text, Workspace};

/// What a command that works with another graph than the one just built says.
const OTHER: &str = "using graph #";

/// What the server says of itself.
fn status(workspace: &Workspace) -> Value {
    serde_json::from_str(&workspace.done(&["status", "--json"])).unwrap()
}

/// The digest of the graph that is built.
fn built(workspace: &Workspace) -> String {
    databuild_core::digest::sha256_hex(&fs::read(workspace.at("bin/databuild.graph.json")).unwrap())
}

/// One in which only `deploy` changes the graph.
fn explicit() -> Workspace {
    let workspace = Workspace::new();
    fs::write(workspace.path().join("databuild.toml"), "deploy = \"explicit\"\n").unwrap();
    workspace
}

/// Another argument of the job that makes `quick`.
fn change(workspace: &Workspace, argument: &str) {
    workspace.change_graph(|graph| {
        let jobs = graph["jobs"].as_array_mut().unwrap();
        let job = jobs.iter_mut().find(|job| job["label"] == "//:make_quick").unwrap();
        job["args"] = serde_json::json!(["{path}", argument]);
    });
}

/// What a command does to the log.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    /// It reads it, and says that the graph just built is not the one that it works with.
    Reads,
    /// It asks no server, or says itself which graphs it is about.
    Asks,
    /// It records what it was called for, and works with the graph that was registered last.
    Acts,
    /// It registers the graph.
    Registers,
}

/// Each command, with an example of it.
const COMMANDS: &[(&str, Does)] = &[
    ("accept quick --reason harmless", Does::Acts),
    ("adopt quick --dry-run", Does::Reads),
    ("apply p1 --quiet", Does::Acts),
    ("build quick", Does::Registers),
    ("cancel w1", Does::Acts),
    ("checks", Does::Reads),
    ("compare quick", Does::Acts),
    ("completion bash", Does::Asks),
    ("config", Does::Asks),
    ("deploy --yes", Does::Registers),
    ("diff", Does::Asks),
    ("events", Does::Reads),
    ("explain no_graph", Does::Asks),
    ("gc --dry-run", Does::Reads),
    ("graph", Does::Reads),
    ("help", Does::Asks),
    ("invoke make_quick quick", Does::Registers),
    ("keys add names cleo", Does::Acts),
    ("keys list", Does::Reads),
    ("logs r1", Does::Reads),
    ("mcp", Does::Reads),
    ("partitions", Does::Reads),
    ("plan quick", Does::Registers),
    ("plans", Does::Reads),
    ("pools", Does::Reads),
    ("queue", Does::Reads),
    ("schedules", Does::Reads),
    ("rerun r1 --exact", Does::Acts),
    ("runs", Does::Reads),
    ("scan", Does::Acts),
    ("serve", Does::Asks),
    ("shell r1 --run-job", Does::Asks),
    ("shim", Does::Reads),
    ("status", Does::Reads),
    ("stop", Does::Asks),
    ("taint quick --reason bad", Does::Acts),
    ("timeline", Does::Reads),
    ("token list", Does::Reads),
    ("trials", Does::Reads),
    ("ui --no-open", Does::Reads),
    ("untaint quick", Does::Acts),
    ("verify quick", Does::Acts),
    ("want list", Does::Reads),
    ("why quick", Does::Reads),
];

#[test]
fn commands_that_read_register_nothing_and_say_which_graph_they_read() {
    let workspace = Workspace::new();
    let help = workspace.done(&["--help"]);
    let commands = help.lines().filter_map(|line| line.strip_prefix("  "));
    let commands = commands.filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
    let names: BTreeSet<&str> = commands.filter_map(|line| line.split(' ').next()).collect();
    let known: BTreeSet<&str> = COMMANDS.iter().filter_map(|(line, _)| line.split(' ').next()).collect();
    assert_eq!(known, names, "each command is in the table");

    workspace.done(&["build", "quick"]);
    workspace.done(&["plan", "quick"]);
    for (number, (line, does)) in COMMANDS.iter().enumerate() {
        change(&workspace, &format!("--x={number}"));
        let before = status(&workspace);
        let args: Vec<&str> = line.split(' ').collect();
        let output = workspace.run(&args);
        let said = text(&output.stderr);
        let after = status(&workspace);
        assert_eq!(said.contains(OTHER), matches!(does, Does::Reads | Does::Acts), "{line}: {said}");
        let followed = after["graph"]["id"].as_str().unwrap();
        assert_eq!(followed == built(&workspace), *does == Does::Registers, "{line}: {said}");
        if matches!(does, Does::Reads | Does::Asks) {
            assert_eq!(after["seq"], before["seq"], "{line}: {said}");
        }
    }
}

#[test]
fn where_only_deploy_changes_the_graph_all_work_with_the_deployed_one() {
    let workspace = explicit();
    let refused = workspace.run(&["build", "quick"]);
    let said = text(&refused.stderr);
    assert!(said.contains("error[deploy_needed]") && said.contains("hint: deploy the graph"), "{said}");
    assert!(text(&workspace.run(&["partitions"]).stderr).contains("error[no_graph]"));

    let deployed = workspace.done(&["deploy", "--yes"]);
    assert!(deployed.starts_with("the first graph of this workspace: 4 jobs, 4 datasets\n"), "{deployed}");
    let first = built(&workspace);
    workspace.done(&["build", "quick"]);

    // The code that is built by now is not the deployed one.
    workspace.change_code("quick", "#!/bin/sh\necho edited > \"$1\"\n");
    for args in
        [&["plan", "quick"][..], &["invoke", "make_quick", "quick"], &["build", "quick", "--refresh", "all"]]
    {
        let output = workspace.run(args);
        let said = text(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        let line = said.lines().find(|line| line.starts_with(OTHER)).unwrap_or_default();
        assert!(
            line.contains(" by ada; the graph just built differs, and `databuild deploy` makes it current"),
            "{args:?}: {said}"
        );
        assert_eq!(status(&workspace)["graph"]["id"], first.as_str(), "{args:?}");
    }
    let made = || fs::read_to_string(workspace.path().join("out/quick")).unwrap();
    assert_eq!(made(), "for nobody\n", "a deployed graph runs its own code");

    // Nobody can be asked.
    let refused = workspace.run(&["deploy"]);
    let (shown, said) = (text(&refused.stdout), text(&refused.stderr));
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("error[deploy_unconfirmed]") && said.contains("--yes"), "{said}");
    assert!(shown.contains("changed  //:make_quick  code\n"), "{shown}");
    assert!(shown.contains("1 partition that is current would be stale"), "{shown}");
    assert_eq!(status(&workspace)["graph"]["id"], first.as_str());

    let told: Value = serde_json::from_str(&workspace.done(&["deploy", "--yes", "--json"])).unwrap();
    assert_eq!(
        (&told["changed"], &told["diff"]["jobs"][0]["what"][0]),
        (&true.into(), &"code".into()),
        "{told}"
    );
    assert_eq!(told["graph"], built(&workspace).as_str());
    let quiet = workspace.run(&["build", "quick"]);
    assert!(!text(&quiet.stderr).contains(OTHER), "{}", text(&quiet.stderr));
    assert_eq!(made(), "edited\n");

    let seq = status(&workspace)["seq"].clone();
    for args in [&["deploy"][..], &["deploy", "--yes"]] {
        let again = workspace.done(args);
        assert!(again.ends_with("is deployed already; nothing changes\n"), "{again}");
    }
    assert_eq!(status(&workspace)["seq"], seq);
}

#[test]
fn a_server_of_one_command_changes_no_graph_either() {
    let workspace = explicit();
    workspace.deploy();
    workspace.done(&["stop"]);
    change(&workspace, "--x=2");
    let output = workspace.run(&["build", "quick", "--no-daemon"]);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains(OTHER), "{said}");
    assert_ne!(status(&workspace)["graph"]["id"], built(&workspace).as_str());
    workspace.done(&["stop"]);
    // Who builds where nothing was deployed says so.
    let elsewhere = ["--state-dir", "../other", "build", "quick", "--no-daemon"];
    let output = workspace.command(&elsewhere).env("DATABUILD_DEPLOY", "automatic").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn values_of_inherited_variables_are_deployed_with_the_graph() {
    let workspace = explicit();
    workspace.change_graph(|graph| {
        graph["jobs"].as_array_mut().unwrap().iter_mut().for_each(|job| job["env_inherit"] = ["WHO"].into());
    });
    let run = |who: &str, args: &[&str]| {
        let output = workspace.command(args).env("WHO", who).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let made = || fs::read_to_string(workspace.path().join("out/quick")).unwrap();
    run("ada", &["deploy", "--yes"]);
    let (_, said) = run("bob", &["build", "quick"]);
    assert!(said.contains("variables that it inherits have other values now"), "{said}");
    assert_eq!(made(), "for ada\n");
    // A server that starts anew knows them still.
    workspace.done(&["stop"]);
    let (_, said) = run("ada", &["build", "quick", "--refresh", "all"]);
    assert!(!said.contains(OTHER) && made() == "for ada\n", "{said}");

    let (told, _) = run("ada", &["deploy"]);
    assert!(told.contains("is deployed already"), "{told}");
    let (told, _) = run("bob", &["deploy", "--yes"]);
    assert!(told.contains("changed  variable WHO  value\n") && told.contains("is deployed\n"), "{told}");
    run("bob", &["build", "quick"]);
    assert_eq!(made(), "for bob\n");
}

#[test]
fn a_program_without_a_graph_deploys_the_one_that_it_is_told() {
    let workspace = Workspace::new();
    fs::create_dir(workspace.at("alone")).unwrap();
    std::os::unix::fs::symlink(
        workspace.at("bin/databuild").canonicalize().unwrap(),
        workspace.at("alone/databuild"),
    )
    .unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(workspace.at("alone/databuild"));
        command.args(args).current_dir(workspace.path()).stdin(Stdio::null());
        command.env("XDG_CACHE_HOME", workspace.at("cache")).output().unwrap()
    };
    let refused = text(&run(&["deploy", "--yes"]).stderr);
    assert!(refused.contains("error[no_head]") && refused.contains("--head FILE"), "{refused}");
    let deployed = run(&["deploy", "--yes", "--head", "../bin/databuild.graph.json"]);
    assert!(deployed.status.success(), "{}", text(&deployed.stderr));
    let made = run(&["build", "quick"]);
    assert!(made.status.success() && workspace.path().join("out/quick").is_file(), "{}", text(&made.stderr));
}

#[test]
fn deploy_names_wants_that_the_graph_would_make_late() {
    let workspace = Workspace::new();
    let many = "many/key=key-00000+key-00001+key-00002+key-00003";
    workspace.done(&["build", many]);
    workspace.done(&["want", "create", "slow", many, "--sla", "3600"]);
    workspace.done(&["want", "create", "slow", "quick"]);
    let change = |count: u32| {
        workspace.change_graph(|graph| {
            let jobs = graph["jobs"].as_array_mut().unwrap();
            let job = jobs.iter_mut().find(|job| job["label"] == "//:make_many").unwrap();
            job["args"] = serde_json::json!(["{path}", "--x=2"]);
            job["rate"] = serde_json::json!({"count": count, "period_ms": 3_600_000});
        });
    };
    change(100);
    assert!(!workspace.done(&["diff"]).contains("late"), "four more partitions take no time");
    change(1);
    let differs: Value = serde_json::from_str(&workspace.done(&["diff", "--json"])).unwrap();
    let deadlines = differs["stale"]["deadlines"].as_array().unwrap();
    assert_eq!(deadlines.iter().map(|risk| risk["want"].as_str().unwrap()).collect::<Vec<_>>(), ["w2"]);
    let deployed = workspace.done(&["deploy", "--yes"]);
    assert!(deployed.contains("w2 would be late: it is due at "), "{deployed}");
}
