//! What stays on a terminal when a build ends.

mod support;

use rustix::process::{kill_process, Pid, Signal};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use support::{text, wait_until, Workspace};

/// Columns of the terminal.
const COLUMNS: usize = 100;

/// A terminal of 24 lines: its own end, and the one for a program.
fn terminal() -> (File, OwnedFd) {
    let (mut own, mut other) = (0, 0);
    let size = libc::winsize { ws_row: 24, ws_col: COLUMNS as u16, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: both descriptors are written before they are read, and belong to nobody else.
    unsafe {
        let done = libc::openpty(&mut own, &mut other, std::ptr::null_mut(), std::ptr::null(), &size);
        assert_eq!(done, 0);
        (File::from_raw_fd(own), OwnedFd::from_raw_fd(other))
    }
}

/// The lines that are on a terminal after it was sent `bytes`.
fn screen(bytes: &str) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut chars = bytes.chars();
    while let Some(c) = chars.next() {
        match c {
            '\r' => column = 0,
            '\n' => row += 1,
            '\u{1b}' => {
                assert_eq!(chars.next(), Some('['), "only such sequences are known");
                let rest: String = chars.as_str().chars().take_while(|c| !c.is_ascii_alphabetic()).collect();
                let number = rest.parse().unwrap_or(1);
                let kind = chars.nth(rest.chars().count());
                match kind {
                    Some('A') => row = row.saturating_sub(number),
                    Some('B') => row += number,
                    Some('K') if rest == "2" => lines[row].clear(),
                    Some('K') => lines[row].truncate(column),
                    Some('J') => {
                        lines[row].truncate(column);
                        lines.truncate(row + 1);
                    }
                    // Colors, and whether the cursor is shown.
                    Some('m' | 'h' | 'l') => {}
                    other => panic!("{other:?} is not known"),
                }
            }
            c => {
                // A full line goes on in the next one, once there is more of it.
                if column == COLUMNS {
                    (row, column) = (row + 1, 0);
                    lines.resize(lines.len().max(row + 1), Vec::new());
                }
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
    }
    lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned()).collect()
}

#[test]
fn messages_stay_and_bars_go_when_the_server_is_killed() {
    let workspace = Workspace::new();
    let (mut own, other) = terminal();
    let mut command = workspace.command(&["build", "slow"]);
    command.env("TERM", "xterm").stdout(Stdio::null()).stderr(other);
    let mut child = command.spawn().unwrap();
    drop(command);
    let said = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&said);
    let reader = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        // At its end the program's side is closed, which a terminal tells as an error.
        while let Ok(length @ 1..) = own.read(&mut piece) {
            all.lock().unwrap().extend_from_slice(&piece[..length]);
        }
    });
    let has = |what: &str| text(&said.lock().unwrap()).contains(what).then_some(());
    workspace.slow_processes();
    wait_until("there are bars", || has("0/1"));
    let server = std::fs::read_to_string(workspace.path().join(".databuild/server.json")).unwrap();
    let server: serde_json::Value = serde_json::from_str(&server).unwrap();
    let server = i32::try_from(server["pid"].as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(server).unwrap(), Signal::KILL).unwrap();
    wait_until("it goes on", || has("goes on with another one"));
    let started = || text(&said.lock().unwrap()).matches("started the server").count();
    wait_until("there is another server", || (started() == 2).then_some(()));
    workspace.done(&["stop", "--jobs"]);
    assert_eq!(child.wait().unwrap().code(), Some(4));
    reader.join().unwrap();
    let shown = screen(&text(&said.lock().unwrap()));
    let lines: Vec<&str> = shown.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    let gone =
        lines.iter().filter(|line| line.contains("the server is gone; w1 goes on with another one")).count();
    assert_eq!(gone, 1, "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("error[server_stopped]")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("0/1")), "no bar is left: {lines:#?}");
}

/// Runs `deploy` on a terminal on which somebody types `answer`; its exit code, and what it said there.
fn deployed(workspace: &Workspace, answer: &str) -> (Option<i32>, String) {
    let (mut own, other) = terminal();
    own.write_all(answer.as_bytes()).unwrap();
    let mut command = workspace.command(&["deploy"]);
    command.stdin(other.try_clone().unwrap()).stdout(Stdio::null()).stderr(other);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut said = Vec::new();
    // At its end the program's side is closed, which a terminal tells as an error.
    let _ = own.read_to_end(&mut said);
    (child.wait().unwrap().code(), text(&said))
}

#[test]
fn deploy_asks_and_takes_nothing_but_yes_for_yes() {
    let workspace = Workspace::new();
    let registered = || {
        let events = workspace.done(&["events", "--kind", "graph_registered", "--json"]);
        let events: serde_json::Value = serde_json::from_str(&events).unwrap();
        events["data"].as_array().unwrap().len()
    };
    for answer in ["n\n", "\n", "later\n", "\u{4}"] {
        let (code, said) = deployed(&workspace, answer);
        assert!(said.contains("? [y/N] ") && said.contains("nothing was deployed"), "{answer:?}: {said}");
        assert_eq!((code, registered()), (Some(1), 0), "{answer:?}: {said}");
    }
    let (code, said) = deployed(&workspace, "yes\n");
    assert_eq!((code, registered()), (Some(0), 1), "{said}");
    workspace.change_code("quick", "#!/bin/sh\n");
    let (code, said) = deployed(&workspace, "Y\n");
    assert!(code == Some(0) && said.contains(" in the place of "), "{said}");
    // Nothing is asked where nothing changes.
    let (code, said) = deployed(&workspace, "");
    assert!(code == Some(0) && !said.contains("[y/N]"), "{said}");
}
