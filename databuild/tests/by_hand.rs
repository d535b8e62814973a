//! Attempts that are repeated by hand, with the real program and server.

mod support;

use serde_json::{json, Value};
use std::io::Write as _;
use std::process::Stdio;
use support::{text, Workspace};

/// What the program prints as JSON.
fn json_of(workspace: &Workspace, args: &[&str]) -> Value {
    serde_json::from_str(&workspace.done(args)).unwrap()
}

#[test]
fn an_attempt_is_repeated_and_compared_and_nothing_is_published() {
    let workspace = Workspace::new();
    workspace.change_graph(|graph| {
        let jobs = graph["jobs"].as_array_mut().unwrap();
        let job = jobs.iter_mut().find(|job| job["label"] == "//:make_quick").unwrap();
        job["env_inherit"] = json!(["WHO"]);
    });
    let built = workspace.command(&["build", "quick", "--quiet"]).env("WHO", "ada").output().unwrap();
    assert!(built.status.success(), "{}", text(&built.stderr));
    let published = workspace.path().join("out/quick");
    assert_eq!(std::fs::read_to_string(&published).unwrap(), "for ada\n");
    let seq =
        || serde_json::from_str::<Value>(&workspace.done(&["status", "--json"])).unwrap()["seq"].clone();
    let before = seq();

    // With another environment than that of the shell that asks, and the value that the graph was registered with.
    let again = json_of(&workspace, &["shell", "r1", "--run-job", "--json"]);
    assert_eq!((&again["exit_code"], &again["changed"]), (&json!(0), &json!([])), "{again}");
    assert_eq!(again["changed_env"], json!([]), "{again}");
    assert_eq!(again["outputs"][0]["verdict"], "equal", "{again}");
    let folder = workspace.path().join(".databuild/shell/r1-1");
    assert_eq!(again["folder"], folder.to_str().unwrap());

    std::fs::write(&published, "by hand\n").unwrap();
    let folder = workspace.at("mine");
    let again =
        json_of(&workspace, &["shell", "r1", "--run-job", "--json", "--folder", folder.to_str().unwrap()]);
    assert_eq!(again["outputs"][0]["verdict"], "differs", "{again}");
    assert_eq!(std::fs::read_to_string(&published).unwrap(), "by hand\n", "nothing is published");
    assert_eq!(std::fs::read_to_string(folder.join("outputs/0/quick")).unwrap(), "for ada\n");
    assert_eq!(seq(), before, "nothing is recorded");

    // Without the variable.
    workspace.deploy();
    let again = json_of(&workspace, &["shell", "r1", "--run-job", "--json"]);
    assert_eq!(again["changed_env"], json!(["WHO"]), "{again}");
}

#[test]
fn in_the_shell_the_script_runs_the_job() {
    let workspace = Workspace::new();
    workspace.done(&["build", "quick", "--quiet"]);
    let mut command = workspace.command(&["shell", "r1"]);
    let shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let typed = "test \"$DATABUILD_RUN_ID\" = r1 && .databuild/shell/r1-1/run\nexit\n";
    shell.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    let told = text(&output.stdout);
    assert!(output.status.success() && told.contains("equal"), "{told}{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("nothing is published"), "{}", text(&output.stderr));
}

#[test]
fn a_run_that_is_not_there_or_left_nothing_is_told() {
    let workspace = Workspace::new();
    workspace.done(&["build", "quick", "--quiet"]);
    for (args, code) in [
        (["shell", "r9"].as_slice(), "run_not_found"),
        (&["shell", "r1", "--attempt", "2"], "attempt_not_found"),
    ] {
        let refused = workspace.run(args);
        assert!(text(&refused.stderr).contains(code), "{args:?}: {}", text(&refused.stderr));
    }
    workspace.done(&["gc", "--keep-days", "0"]);
    let gone = workspace.run(&["shell", "r1", "--run-job"]);
    assert!(text(&gone.stderr).contains("not_reproducible"), "{}", text(&gone.stderr));
}
