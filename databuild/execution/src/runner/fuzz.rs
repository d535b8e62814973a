//! Random changes of what server and runner say to each other, and of what the runner keeps.

use super::client::read_message;
use super::connection::{parse, Connection};
use super::protocol::{
    CancelParams, CapacityParams, ExitRecord, ForgetParams, Head, HelloParams, StartParams, WithParams,
};
use serde::de::DeserializeOwned;
use std::io::Write as _;
use std::os::unix::net::UnixStream;

const START: &str = r#"{"jsonrpc":"2.0","id":7,"method":"start","params":{"attempts":[{"attempt":"r12-1","argv":["/bin/sh","-c","x"],"env":[["A","b"]],"cwd":"/","request":"{\"format\":1}","timeout_ms":5,"grace_ms":10,"max_log_bytes":99,"umask":18,"mkdirs":["/tmp/x"],"checks":[{"name":"//:sane","argv":["/bin/true"],"env":[],"request":"{}","timeout_ms":1,"grace_ms":1}],"check_failures":true,"memory":1048576}]}}"#;
const EXIT: &str = r#"{"code":3,"timed_out":false,"canceled":true,"cancel_reason":"why","started_at":1,"ended_at":2,"rusage":{"user_ms":3,"sys_ms":4,"max_rss_kb":5},"stdout":{"bytes":0,"dropped":0},"stderr":{"bytes":6,"dropped":7},"memory_exceeded":9,"log_times":[[8,0,6]],"checks":[{"name":"//:sane","signal":9,"timed_out":true,"started_at":2,"ended_at":8,"rusage":{"user_ms":0,"sys_ms":0,"max_rss_kb":0},"stderr":[6,9]}]}"#;

const WORDS: [&str; 34] = [
    "\n",
    "\n\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "\"",
    "\\u0000",
    "\\ud800",
    "\"id\":",
    "\"method\":",
    "\"params\":",
    "\"hello\"",
    "\"start\"",
    "\"started\"",
    "\"ended\"",
    "\"refused\"",
    "\"superseded\"",
    "\"cancel\"",
    "\"withdraw\"",
    "\"forget\"",
    "\"attempt\":",
    "\"r1-1\"",
    "\"../x\"",
    "\"code\":",
    "\"signal\":",
    "\"never_started\":{}",
    "\"spawn_failed\":",
    "\"result\":",
    "\"error\":",
];

/// A line that says something of a type says the same once it is written again.
fn reads_back<P: DeserializeOwned + serde::Serialize>(line: &[u8]) {
    match parse::<WithParams<P>>(line) {
        Ok(said) => {
            let written = serde_json::to_value(&said.params).unwrap();
            let again: P = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(&again).unwrap(), written);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[test]
fn lines_are_taken_apart_and_refused_or_read() {
    let ended =
        format!(r#"{{"jsonrpc":"2.0","method":"ended","params":{{"attempt":"r12-1","exit":{EXIT}}}}}"#);
    let short = r#"{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":2,"server":"databuild 0.1.0 (pid 7)"}}
{"jsonrpc":"2.0","id":2,"method":"set_capacity","params":{"jobs":4}}
{"jsonrpc":"2.0","id":3,"method":"cancel","params":{"attempt":"r12-1","reason":"told to"}}
{"jsonrpc":"2.0","method":"forget","params":{"attempts":["r12-1","r13-1"],"keep":true}}
{"jsonrpc":"2.0","method":"started","params":{"attempt":"r12-1","pid":77,"start_time":5}}
{"jsonrpc":"2.0","method":"refused","params":{"attempt":"r12-1","code":"bad_spec","message":"no"}}
{"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"there is no method `x`"}}
"#;
    let seeds = [START.as_bytes(), ended.as_bytes(), short.as_bytes()];
    databuild_fuzz::fuzz(&seeds, &WORDS, |input| {
        let (mut peer, own) = UnixStream::pair().unwrap();
        let mut connection = Connection::new(own);
        let mut lines = Vec::new();
        // Pieces end anywhere, also within a character.
        for piece in input.chunks(input.len() / 3 + 1) {
            peer.write_all(piece).unwrap();
            lines.extend(connection.receive());
        }
        drop(peer);
        while connection.is_open() {
            lines.extend(connection.receive());
        }
        let mut expected: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
        // What has no end is no line.
        expected.pop();
        assert_eq!(lines, expected, "lines of what was sent");
        for line in &lines {
            let Ok(head) = parse::<Head>(line) else { continue };
            match head.method.as_deref() {
                Some("hello") => reads_back::<HelloParams>(line),
                Some("set_capacity") => reads_back::<CapacityParams>(line),
                Some("cancel" | "withdraw") => reads_back::<CancelParams>(line),
                Some("forget") => reads_back::<ForgetParams>(line),
                Some("start") => {
                    if let Ok(said) = parse::<WithParams<StartParams>>(line) {
                        for spec in said.params.attempts {
                            let text = serde_json::to_vec(&spec).unwrap();
                            assert!(
                                !spec.attempt.as_str().contains(['/', '.']),
                                "a name is that of a folder"
                            );
                            assert_eq!(parse::<super::StartSpec>(&text).unwrap(), spec);
                        }
                    }
                }
                _ => {}
            }
            if let Err(error) = read_message(line) {
                assert!(!error.to_string().is_empty() && !error.code().is_empty());
            }
        }
    });
}

#[test]
fn exit_records_are_refused_or_read() {
    databuild_fuzz::fuzz(&[EXIT.as_bytes()], &WORDS, |input| {
        if let Ok(exit) = parse::<ExitRecord>(input) {
            let text = serde_json::to_vec(&exit).unwrap();
            assert_eq!(parse::<ExitRecord>(&text).unwrap(), exit);
        }
    });
}
