//! Tokens that others are given, and the door that needs none.

mod support;

use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::Output;
use support::{text, Workspace};

fn server(workspace: &Workspace) -> Value {
    workspace.done(&["status"]);
    serde_json::from_str(&fs::read_to_string(workspace.path().join(".databuild/server.json")).unwrap())
        .unwrap()
}

/// Runs a command for whoever has this token.
fn by(workspace: &Workspace, token: &str, args: &[&str]) -> Output {
    let url = format!("http://{}", server(workspace)["address"].as_str().unwrap());
    let mut command = workspace.command(args);
    command.env("DATABUILD_SERVER_URL", url).env("DATABUILD_SERVER_TOKEN", token).output().unwrap()
}

fn refused(output: &Output) -> String {
    let said = text(&output.stderr);
    let code =
        said.split_once("error[").and_then(|(_, rest)| rest.split_once(']')).map(|(code, _)| code.to_owned());
    code.unwrap_or_else(|| panic!("it was not refused: {said}"))
}

#[test]
fn a_token_is_for_its_scopes_until_it_is_revoked() {
    let workspace = Workspace::new();
    workspace.deploy();
    let reader = workspace.done(&["token", "create", "reader", "--scope", "read"]);
    let builder = workspace.done(&["token", "create", "builder", "--scope", "want", "--expires", "1d"]);
    let (reader, builder) = (reader.trim(), builder.trim());
    assert!(by(&workspace, reader, &["want", "list"]).status.success());
    assert_eq!(refused(&by(&workspace, reader, &["build", "quick"])), "scope_missing");
    assert!(by(&workspace, builder, &["build", "quick"]).status.success());
    assert_eq!(refused(&by(&workspace, builder, &["token", "list"])), "scope_missing");
    assert_eq!(refused(&by(&workspace, builder, &["stop"])), "scope_missing");
    // What was done by a token is told by its name, whoever the command says that it is.
    let wants: Value = serde_json::from_str(&workspace.done(&["want", "list", "--json"])).unwrap();
    assert_eq!(wants["data"][0]["by"], "builder");
    workspace.done(&["token", "revoke", "builder"]);
    assert_eq!(refused(&by(&workspace, builder, &["want", "list"])), "unauthorized");
    // It stays so, and tokens stay, when the server is another one.
    workspace.done(&["stop"]);
    assert_eq!(refused(&by(&workspace, builder, &["want", "list"])), "unauthorized");
    assert!(by(&workspace, reader, &["want", "list"]).status.success());
    assert_eq!(
        refused(&workspace.run(&["token", "create", "reader", "--scope", "read"])),
        "token_name_taken"
    );
    let listed: Value = serde_json::from_str(&workspace.done(&["token", "list", "--json"])).unwrap();
    let states: Vec<_> =
        listed["data"].as_array().unwrap().iter().map(|row| (&row["name"], &row["state"])).collect();
    assert_eq!(
        format!("{states:?}"),
        r#"[(String("builder"), String("revoked")), (String("reader"), String("good"))]"#
    );
    // Nothing but the owner's own files has a token.
    workspace.done(&["stop"]);
    for name in ["bel.sqlite", "bel.sqlite-wal", "server.log"] {
        let content = fs::read(workspace.path().join(".databuild").join(name)).unwrap_or_default();
        let has = |token: &str| content.windows(token.len()).any(|window| window == token.as_bytes());
        assert!(!has(reader) && !has(builder), "{name}");
    }
}

#[test]
fn a_token_for_some_datasets_reaches_no_others() {
    let workspace = Workspace::new();
    workspace.deploy();
    let token = workspace.done(&["token", "create", "q", "--scope", "want", "--dataset", "qui*"]);
    let token = token.trim();
    assert!(by(&workspace, token, &["build", "quick"]).status.success());
    // What it is not for is not there.
    for args in [&["build", "slow", "--detach"][..], &["partitions", "many"]] {
        assert_eq!(refused(&by(&workspace, token, args)), "unknown_dataset", "{args:?}");
    }
    workspace.done(&["build", "many/key=key-00001"]);
    for args in [&["want", "list"][..], &["runs"], &["status"]] {
        let said = by(&workspace, token, args);
        let told = text(&said.stdout);
        assert!(
            said.status.success() && !told.contains("many") && !told.contains("slow"),
            "{args:?}: {told}"
        );
    }
    assert_eq!(refused(&by(&workspace, token, &["gc"])), "scope_missing");
    workspace.done(&["stop", "--jobs"]);
}

#[test]
fn the_socket_needs_no_token() {
    let workspace = Workspace::new();
    workspace.deploy();
    let socket = server(&workspace)["socket"].as_str().unwrap().to_owned();
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(b"GET /api/v1/wants HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"data\":[]"), "{answer}");
    workspace.done(&["stop"]);
    assert!(!std::path::Path::new(&socket).exists());
}
