//! What people read, held by files in `tests/texts`: help, words with their meanings, messages of errors with sample values, and what
//! commands say in a workspace. `UPDATE=1 cargo test -p databuild --test texts` writes the files anew; read the difference
//! before you commit it.

mod support;

use databuild_app::vocabulary;
use databuild_base::errors::all;
use databuild_core::decide::{OnlyDeployed, Refusal};
use databuild_core::ids::{AttemptId, PlanId, RunId, TrialId, WantId};
use databuild_core::state::Made;
use databuild_execution::publish::PublishError;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;
use support::{golden, text, Workspace};

/// Runs the program where there is no workspace; returns what it prints.
fn printed(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_databuild")).args(args).env_clear().output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Words at the beginning of the lines of a section of a help text.
fn section(help: &str, title: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != title).skip(1);
    let lines = lines.take_while(|line| line.starts_with("  "));
    let names =
        lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn help_is_as_its_files_say() {
    let help = printed(&["--help"]);
    golden::check("databuild/tests/texts/help.txt", &help);
    let groups = [
        ("Build:", "build"),
        ("Look:", "look"),
        ("Judge changes of code and data:", "judge"),
        ("Operate:", "operate"),
    ];
    for (title, file) in groups {
        let commands = section(&help, title);
        assert!(!commands.is_empty(), "{title}");
        let mut all = String::new();
        for command in commands {
            let help = printed(&[&command, "--help"]);
            let _ = writeln!(all, "$ databuild {command} --help\n{help}");
            for below in section(&help, "Commands:") {
                let _ = writeln!(
                    all,
                    "$ databuild {command} {below} --help\n{}",
                    printed(&[&command, &below, "--help"])
                );
            }
        }
        golden::check(&format!("databuild/tests/texts/help-{file}.txt"), &all);
    }
}

#[test]
fn the_page_of_error_codes_is_as_the_catalog_says() {
    golden::check("docs/errors.md", &printed(&["explain", "--markdown"]));
}

#[test]
fn words_mean_what_their_file_says() {
    let (mut all, mut kind) = (String::new(), "");
    for said in vocabulary::all() {
        if said.kind != kind {
            kind = said.kind;
            let _ = writeln!(all, "{kind}");
        }
        let _ = writeln!(all, "  {}: {}", said.word, said.meaning);
    }
    let _ = writeln!(all, "short reasons in `plan`");
    for reason in vocabulary::REASONS {
        let _ = writeln!(all, "  {}: {}", reason.code(), reason.phrase());
    }
    golden::check("databuild/tests/texts/words.txt", &all);
}

#[test]
fn explain_says_what_a_word_means_wherever_it_is_said() {
    let said = printed(&["explain", "code_changed"]);
    assert_eq!(said, "code_changed (reason of `plan` and `why`): The partition: its job's code changed.\n");
    let said = printed(&["explain", "blocked"]);
    assert_eq!(said.lines().filter(|line| line.starts_with("blocked (")).count(), 2, "{said}");
    let said: serde_json::Value =
        serde_json::from_str(&printed(&["explain", "out_of_memory", "--json"])).unwrap();
    assert_eq!(said["meanings"][0]["kind"], "outcome of an attempt");
    let all: Vec<serde_json::Value> =
        serde_json::from_str(&printed(&["explain", "--words", "--json"])).unwrap();
    assert_eq!(all.len(), vocabulary::all().len());
    assert_eq!(printed(&["explain", "--words"]).lines().count(), all.len() + 1);
}

/// A refusal of every kind that no command of the session below meets.
fn refusals() -> Vec<Refusal> {
    let text = |text: &str| text.to_owned();
    vec![
        Refusal::NoGraph,
        Refusal::BadGraph(text("REASON")),
        Refusal::OtherGraph(text("a1b2c3d4")),
        Refusal::NotDeployed(OnlyDeployed::ActiveGraph),
        Refusal::NotDeployed(OnlyDeployed::Setting),
        Refusal::GraphReplaced(text("a1b2c3d4")),
        Refusal::UnknownWant(WantId(3)),
        Refusal::UnknownRun(RunId(12)),
        Refusal::UnknownAttempt(AttemptId { run: RunId(12), number: 1 }),
        Refusal::UnknownPlan(PlanId(7)),
        Refusal::UnknownTrial(TrialId(3)),
        Refusal::TrialEnded(TrialId(3)),
        Refusal::NotRepeatable(text("raw")),
        Refusal::NoEvidence { trial: TrialId(3), reason: text("REASON") },
        Refusal::PlanExpired(PlanId(7)),
        Refusal::PlanOutdated { plan: PlanId(7), changes: ["A", "B", "C", "D", "E"].map(text).to_vec() },
        Refusal::KeyReused { key: text("KEY"), made: Made::Want(WantId(3)) },
        Refusal::NoTargets,
        Refusal::NoReason,
        Refusal::NothingToTaint,
        Refusal::NothingToUntaint,
        Refusal::UnknownJob(text("//:job")),
        Refusal::JobMoved { from: text("//:old"), to: text("//:new") },
        Refusal::AmbiguousJob { text: text("job"), jobs: vec![text("//a:job"), text("//b:job")] },
        Refusal::UnknownParam { job: text("//:job"), name: text("x"), known: vec![text("y"), text("z")] },
        Refusal::UnknownParam { job: text("//:job"), name: text("x"), known: vec![] },
        Refusal::BadParam { name: text("x"), fault: text("FAULT") },
        Refusal::NotOfJob { job: text("//:job"), dataset: text("raw") },
        Refusal::NothingToAccept,
        Refusal::NotAdoptable(text("raw")),
        Refusal::UnknownPool { name: text("db"), known: vec![text("cpu")] },
        Refusal::UnknownPool { name: text("db"), known: vec![] },
    ]
}

fn publications() -> Vec<PublishError> {
    let place = || "/ws/out/a".into();
    let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
    vec![
        PublishError::OutputMissing { path: "/ws/.databuild/staging/.../r1-1/0/a".into() },
        PublishError::LinkOutside { path: place(), target: "/etc".into() },
        PublishError::SpecialFile { path: place() },
        PublishError::StillChanging { path: place() },
        PublishError::GivenUp { path: place() },
        PublishError::OtherFileSystem {
            staging: "/ws/.databuild/staging/.../r1-1/0/a".into(),
            path: place(),
        },
        PublishError::OutputLost { place: place() },
        PublishError::NotPutBack {
            place: place(),
            cause: Box::new(PublishError::SpecialFile { path: "/ws/out/b".into() }),
            error: Box::new(PublishError::DiskFull { path: place(), source: full() }),
        },
        PublishError::Reserved { path: "/ws/.git/x".into(), reserved: "/ws/.git".into() },
        PublishError::FolderNotPublished {
            path: place(),
            file: "/ws/out/a/note".into(),
            partition: "a".to_owned(),
        },
        PublishError::FileInTheWay {
            file: "/ws/out".into(),
            place: place(),
            published: Some("b".to_owned()),
        },
        PublishError::FileInTheWay { file: "/ws/out".into(), place: place(), published: None },
        PublishError::DiskFull { path: place(), source: full() },
        PublishError::NotText { path: place() },
        PublishError::TooManyMatches { path: place(), most: 10_000 },
        PublishError::BadPattern { pattern: "[".to_owned(), problem: "PROBLEM" },
        PublishError::Io { action: "read", path: place(), source: full() },
    ]
}

/// Commands that are refused, in a workspace without runs.
const REFUSED: [&[&str]; 47] = [
    &["build", "quik"],
    &["build", "many/kei=key-00001"],
    &["build", "many/key=key-1"],
    &["build", "many/key=key-00001..key-00002"],
    &["build", "many/key=key-00001/key=key-00002"],
    &["build", "quick/"],
    &["build", "quick", "--as-of", "yesterday"],
    &["build", "quick", "--ttl", "soon"],
    &["build", "quick", "--jobs", "0"],
    &["build", "quick", "--refresh", "some"],
    &["build"],
    &["bild", "quick"],
    &["why", "many"],
    &["why", "w9"],
    &["why", "r9"],
    &["why", "p9"],
    &["invoke", "make", "quick"],
    &["invoke", "make_quick", "slow"],
    &["invoke", "make_quick", "quick", "--param", "x=1"],
    &["invoke", "make_quick", "quick", "--param", "x"],
    &["apply", "p9"],
    &["plan", "quick", "--expires", "0s"],
    &["plan", "quick", "--expires", "soon"],
    &["plans", "p9"],
    &["want", "get", "w9"],
    &["want", "list", "--state", "done"],
    &["cancel", "x"],
    &["cancel", "t9"],
    &["runs", "r9"],
    &["runs", "--job", "make"],
    &["runs", "--partition", "quik"],
    &["runs", "compare", "r9"],
    &["runs", "compare", "quick"],
    &["timeline", "--job", "make"],
    &["events", "--dataset", "quik"],
    &["events", "--ref", "many/key=key-1"],
    &["checks", "--check", "//:check"],
    &["logs", "r9"],
    &["partitions", "quick", "--state", "old"],
    &["keys", "list", "namess"],
    &["keys", "add", "names", "a b", "c d"],
    &["keys", "retire", "names", "bob"],
    &["pools", "set", "db", "3"],
    &["untaint", "quick"],
    &["taint", "quick", "--reason", "bad"],
    &["compare", "make_quick", "--sample", "1000"],
    &["explain", "bad_referense"],
];

#[test]
fn errors_say_what_their_file_says() {
    let mut all_texts = String::from("# Refusals\n\n");
    let mut shown = BTreeSet::new();
    for refusal in refusals() {
        let _ = writeln!(all_texts, "{}: {refusal}", refusal.code());
        shown.insert(refusal.code().to_owned());
    }
    all_texts.push_str("\n# Publication\n\n");
    for error in publications() {
        let _ = writeln!(all_texts, "{}: {error}", error.code());
        shown.insert(error.code().to_owned());
    }
    all_texts.push_str("\n# Commands\n");
    let workspace = Workspace::new();
    workspace.deploy();
    for args in REFUSED {
        let output = workspace.run(args);
        let said = redacted(&workspace, &text(&output.stderr));
        assert!(!output.status.success(), "{args:?}: {said}");
        let _ = write!(all_texts, "\n$ databuild {}\n{said}", args.join(" "));
        let code = said.split("error[").nth(1).and_then(|rest| rest.split(']').next());
        shown.extend(code.map(str::to_owned));
    }
    let missing: Vec<&str> =
        all().iter().map(|entry| entry.code).filter(|code| !shown.contains(*code)).collect();
    let _ = write!(all_texts, "\n# Codes without a sample here\n\n{}\n", missing.join("\n"));
    golden::check("databuild/tests/texts/errors.txt", &all_texts);
}

/// What a person does in a workspace, one command after the other, and what comes of it.
struct Session {
    workspace: Workspace,
    told: String,
}

impl Session {
    fn run(&mut self, line: &str) {
        let args: Vec<&str> = line.split(' ').collect();
        let output = self.workspace.run(&args);
        let said = text(&output.stderr) + &text(&output.stdout);
        let code = match output.status.code() {
            Some(0) => String::new(),
            code => format!("(exit code {})\n", code.unwrap_or_default()),
        };
        let _ = write!(self.told, "\n$ databuild {line}\n{}{code}", redacted(&self.workspace, &said));
    }

    fn note(&mut self, what: &str) {
        let _ = write!(self.told, "\n# {what}\n");
    }
}

#[test]
fn commands_say_what_their_file_says() {
    let mut session = Session { workspace: Workspace::new(), told: String::new() };
    session.workspace.deploy();
    let out = session.workspace.path().join("out/quick");
    session.note("Nothing is built yet.");
    let looks = [
        "plan quick many/key=key-00001+key-00002",
        "why quick",
        "plan --no-save slow",
        "partitions",
        "graph",
        "graph --around quick --format mermaid",
    ];
    for line in looks {
        session.run(line);
    }
    session.note("Build, and ask again.");
    for line in
        ["apply p1 --quiet", "build quick --quiet", "build quick", "why quick", "runs r1", "plan quick"]
    {
        session.run(line);
    }
    session.note("What happened to runs.");
    for line in [
        "timeline",
        "timeline --job make_quick",
        "runs compare r1",
        "logs r1 --search MADE",
        "logs r1 --search nothing",
    ] {
        session.run(line);
    }
    session.note("Another argument.");
    session.workspace.change_graph(|graph| {
        let jobs = graph["jobs"].as_array_mut().unwrap();
        let job = jobs.iter_mut().find(|job| job["label"] == "//:make_quick").unwrap();
        job["args"] = serde_json::json!(["{path}", "--x=2"]);
    });
    let accept = "accept quick --reason harmless";
    session.run("diff");
    session.run("diff --markdown");
    session.run("deploy");
    // Whoever only looks registers nothing.
    for line in ["why quick", "plan quick", "why quick", "runs compare quick", accept, "why quick"] {
        session.run(line);
    }
    session.note("Bad data.");
    for line in ["taint quick --reason broken", "why quick", "plan quick", "untaint quick", "untaint quick"] {
        session.run(line);
    }
    session.note("Files that somebody changed.");
    std::fs::write(&out, "by hand").unwrap();
    session.run("why quick");
    std::fs::remove_file(&out).unwrap();
    for line in ["why quick", "plan quick", "scan quick", "adopt quick"] {
        session.run(line);
    }
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("note"), "by hand").unwrap();
    // Whether `build` tells of the run before it tells of the want depends on how fast the run fails.
    assert!(!session.workspace.run(&["build", "quick"]).status.success());
    session.run("why quick");
    session.note("Work that waits.");
    session.workspace.done(&["build", "--detach", "--jobs", "1", "slow"]);
    session.workspace.slow_processes();
    let waiting = session.workspace.done(&["build", "--detach", "--json", "many/key=key-00003"]);
    let waiting = serde_json::from_str::<serde_json::Value>(&waiting).unwrap();
    let waiting = waiting["id"].as_str().unwrap().to_owned();
    let why = format!("why {waiting}");
    for line in [why.as_str(), "want list", "why slow", "plan slow", "queue", "stop --jobs"] {
        session.run(line);
    }
    golden::check("databuild/tests/texts/session.txt", &session.told);
}

/// Times, lengths of time, process ids, digests and places as letters, so that only words are compared.
fn redacted(workspace: &Workspace, said: &str) -> String {
    let folder = workspace.at("").to_string_lossy().trim_end_matches('/').to_owned();
    let mut rest = said.replace(&folder, "/FOLDER");
    let mut told = String::new();
    while let Some(first) = rest.chars().next() {
        let inside =
            told.chars().next_back().is_some_and(|last| last.is_alphanumeric() || "-_/".contains(last));
        let found = if inside { None } else { volatile(&rest) };
        let (length, word) = found.unwrap_or((first.len_utf8(), ""));
        told.push_str(if word.is_empty() { &rest[..length] } else { word });
        rest.drain(..length);
    }
    told.lines().map(|line| narrowed(line) + "\n").collect()
}

/// A line without the width of its columns, which is that of what was left out.
fn narrowed(line: &str) -> String {
    let words = line.trim_start();
    let mut told = " ".repeat(line.len() - words.len());
    told.extend(
        words.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).flat_map(|cell| [cell, "  "]),
    );
    told.trim_end().to_owned()
}

/// How long the text at the beginning is that differs each time, and what stands for it.
fn volatile(text: &str) -> Option<(usize, &'static str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let matches = |pattern: &str| {
        let mut bytes = text.bytes();
        pattern.bytes().all(|pattern| {
            bytes
                .next()
                .is_some_and(|byte| if pattern == b'0' { byte.is_ascii_digit() } else { byte == pattern })
        })
    };
    for pattern in ["0000-00-00 00:00:00", "0000-00-00T00:00:00"] {
        if matches(pattern) {
            let end = text.find('Z').map_or(pattern.len(), |end| end + 1);
            return Some((end, "TIME"));
        }
    }
    if let Some(rest) = text.strip_prefix("pid ") {
        return Some((4 + digits(rest), "pid N"));
    }
    if let Some(rest) = text.strip_prefix("127.0.0.1:") {
        return Some((10 + digits(rest), "127.0.0.1:PORT"));
    }
    if text.starts_with("<1 s") {
        return Some((4, "SPAN"));
    }
    let hex = text.bytes().take_while(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)).count();
    if hex >= 8 && text[..hex].bytes().any(|byte| byte.is_ascii_digit()) {
        return Some((hex, "HEX"));
    }
    let whole = digits(text);
    let number = match text[whole..].strip_prefix('.') {
        Some(rest) if whole > 0 && digits(rest) > 0 => whole + 1 + digits(rest),
        _ => whole,
    };
    if number == 0 {
        return None;
    }
    for unit in [" ms", " s", " MiB", " GiB", " KiB"] {
        let ends = |rest: &str| rest.chars().next().is_none_or(|next| !next.is_alphanumeric());
        if text[number..].strip_prefix(unit).is_some_and(ends) {
            let word = if unit.ends_with('B') { "SIZE" } else { "SPAN" };
            return Some((number + unit.len(), word));
        }
    }
    None
}

#[test]
fn what_differs_each_time_is_left_out() {
    let workspace = Workspace::new();
    let said = "r12 (many/key=key-00001, 2.5 s) at 2026-11-21 00:47:35Z, sha256:0123456789ab, 3 MiB, pid 17, 12 runs";
    let expected = "r12 (many/key=key-00001, SPAN) at TIME, sha256:HEX, SIZE, pid N, 12 runs";
    assert_eq!(redacted(&workspace, said), format!("{expected}\n"));
}
