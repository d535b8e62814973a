//! Jobs get the variables that they inherit as the last command had them.

mod support;

use std::fs;
use support::{text, Workspace};

/// What a command that had this `WHO` printed.
fn done(workspace: &Workspace, who: Option<&str>, args: &[&str]) -> String {
    let mut command = workspace.command(args);
    if let Some(who) = who {
        command.env("WHO", who);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_variable_that_is_not_set_any_more_is_another_value() {
    let workspace = Workspace::new();
    workspace.change_graph(|graph| {
        graph["jobs"].as_array_mut().unwrap().iter_mut().for_each(|job| job["env_inherit"] = ["WHO"].into());
    });
    let reason = |who| {
        let plan: serde_json::Value =
            serde_json::from_str(&done(&workspace, who, &["plan", "quick", "--no-save", "--json"])).unwrap();
        plan["groups"][0]["reason"].as_str().map(str::to_owned)
    };
    let made = || fs::read_to_string(workspace.path().join("out/quick")).unwrap();

    done(&workspace, Some("ada"), &["build", "quick"]);
    assert_eq!((made().as_str(), reason(Some("ada"))), ("for ada\n", None));
    assert_eq!(reason(None).as_deref(), Some("args_changed"));
    done(&workspace, None, &["build", "quick"]);
    assert_eq!((made().as_str(), reason(None)), ("for nobody\n", None));
    assert_eq!(reason(Some("")).as_deref(), Some("args_changed"), "an empty value is a value");
}
