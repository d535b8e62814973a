//! The server: what it is, what keeps it up, what it has of disk and memory, who may ask it, and what it was told.

use crate::api::{DiskKind, DiskReport, Idle, ReadLane, ServerStatus, Setting, TokenRow};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::bar::meter;
use crate::parts::reference::{digest, many};
use crate::parts::state::{chip, labeled, Look};
use crate::parts::table::{column, table};
use crate::parts::time::{ago, ago_if, length, since};
use databuild_core::amounts::{bytes, number, plural};
use jiff::Timestamp;
use maud::{html, Markup};

/// What the page shows.
#[derive(Debug)]
pub struct Server<'a> {
    /// What it is, has and does.
    pub status: &'a ServerStatus,
    /// What the state folder takes; none if that is not asked for.
    pub disk: Option<&'a DiskReport>,
    /// What it was told; none if who looks may not see that.
    pub settings: Option<&'a [Setting]>,
    /// Who may ask it; none if who looks may not see that.
    pub tokens: Option<&'a [TokenRow]>,
}

/// The page.
#[must_use]
pub fn page(shown: &Server<'_>, now: Timestamp) -> Page {
    let Server { status, disk, settings, tokens } = shown;
    let of = ["runs", "wants"];
    let mut page = Page::new("Server", Place::Server, &of, lead(status, now))
        .part(card("program", Width::Half, &of, &heading("Program", "", &[]), &program(status, now)))
        .part(card("load", Width::Half, &of, &heading("Work in hand", "", &[]), &load(status)));
    if let Some(disk) = disk {
        let all: u64 = disk.kinds.iter().filter(|row| row.kind != STORE).map(|row| row.bytes).sum();
        let more = disk.kinds.iter().any(|row| row.more);
        let much = format!("{}{} in the state folder", if more { "at least " } else { "" }, bytes(all));
        page = page.part(card("disk", Width::Half, &[], &heading("Disk", &much, &[]), &kinds(disk)));
        page = page.part(card("log", Width::Half, &[], &heading("Event log", "", &[]), &log(disk)));
    }
    if let Some(tokens) = tokens {
        let good = tokens.iter().filter(|token| token.state == "good").count() as u64;
        let heading = heading("Tokens", &format!("{} good", number(good)), &[]);
        page = page.part(card("tokens", Width::Full, &["tokens"], &heading, &token_list(tokens, now)));
    }
    if let Some(settings) = settings {
        let heading = heading("Settings", "as it was started", &[]);
        page = page.part(card("settings", Width::Full, &[], &heading, &setting_list(settings)));
    }
    page = page.command("status");
    if tokens.is_some() && settings.is_some() {
        page = page.command("config").command("gc --dry-run").command("token list").command("stop");
    }
    page
}

/// The kind that other workspaces share.
const STORE: &str = "code_store";

fn lead(status: &ServerStatus, now: Timestamp) -> Markup {
    html! {
        h1 { "Server" }
        p.say {
            "DataBuild " b { (status.version) } ", up for " b { (since(&status.started_at, now)) } ". "
            (stays(&status.idle, now))
            @if status.runner.is_none() { " " b { "There is no runner, so nothing begins" } "; the server tries again every 10 s." }
        }
    }
}

/// What keeps it up, or when it goes.
fn stays(idle: &Idle, now: Timestamp) -> Markup {
    let Some(after) = idle.after_seconds else {
        return html! { "It stays up until somebody stops it." };
    };
    let mut keepers = vec![
        (idle.runs as u64, "run", links::runs()),
        (idle.wants as u64, "open want", links::wants().with("state", "open")),
        (idle.schedules as u64, "schedule", links::automation()),
    ];
    keepers.retain(|(count, ..)| *count > 0);
    html! {
        @if !keepers.is_empty() {
            @for (at, (count, word, link)) in keepers.iter().enumerate() {
                @if at > 0 { (if at + 1 == keepers.len() { " and " } else { ", " }) }
                a href=(link) { (many(*count, word)) }
            }
            " " (plural(keepers.iter().map(|(count, ..)| count).sum(), "keeps", "keep")) " it up."
        } @else if let Some(end) = &idle.ends_at {
            "Nothing keeps it up: if nobody uses it, it ends " (ago(end, now)) ", " (length(after.saturating_mul(1000))) " after " (if idle.used_at.is_some() { "its last use" } else { "its start" }) "."
        }
    }
}

fn program(status: &ServerStatus, now: Timestamp) -> Markup {
    html! {
        dl.kv {
            dt { "version" } dd { (status.version) }
            dt { "process" } dd { (status.pid) ", started " (ago(&status.started_at, now)) }
            @if let Some(resident) = status.resident { dt { "memory" } dd { (bytes(resident)) } }
            dt { "last use" } dd { @match &status.idle.used_at { Some(used) => (ago(used, now)), None => "none yet" } }
            dt { "runner" } dd {
                @match &status.runner {
                    Some(runner) => { "process " (runner.pid) ", version " (runner.version) ", protocol " (runner.protocol) @if runner.version != status.version { " " (labeled(Look::Stale, "of another version")) } },
                    None => (labeled(Look::Bad, "none in sight")),
                }
            }
            dt { "memory limits" } dd { (status.memory_limits) ": " (status.memory_limits_reason) }
            dt { "graph" } dd {
                @match &status.graph {
                    Some(graph) => { (digest(&graph.id)) " of " span.m { (graph.label) } ", " a href=(Url::new("/datasets")) { (many(graph.jobs.len() as u64, "job")) } ", registered " (ago(&graph.registered_at, now)) },
                    None => "none yet",
                }
            }
            dt { "datasets" } dd { a href=(Url::new("/datasets")) { (number(status.datasets.len() as u64)) } }
            dt { "formats" } dd { "log " (status.formats.log) ", graph file " (status.formats.graph) }
            dt { "Bazel" } dd { @match &status.formats.bazel { Some(version) => { (version) ", as " span.m { ".bazelversion" } " says" }, None => span.soft { "whichever starts DataBuild" } } }
            dt { "workspace" } dd.m { (status.workspace) }
            dt { "sockets" } dd.m { (status.runtime_dir) }
            dt { "temporary" } dd.m { (status.temporary_dir.as_deref().unwrap_or("/tmp")) }
        }
    }
}

fn load(status: &ServerStatus) -> Markup {
    let columns =
        [column("What", ""), column("In use", "num"), column("Of", "num"), column("Waiting", "num")];
    let row = |name: &str, used: usize, size: usize, waiting: usize| {
        html! {
            tr {
                td { (name) }
                td.num { (number(used as u64)) }
                td.num { (number(size as u64)) }
                td.num { @if waiting > 0 && waiting >= size { (labeled(Look::Late, &number(waiting as u64))) } @else { (number(waiting as u64)) } }
            }
        }
    };
    let lane = |lane: &ReadLane| {
        let name = match lane.name.as_str() {
            "quick" => "Answers about one thing",
            "slow" => "Lists and counts",
            "looking" => "Looks at disks, logs and external data",
            other => other,
        };
        row(name, lane.in_use, lane.size, lane.waiting)
    };
    let commands = &status.commands;
    let rows = html! {
        @for read in &status.reads { (lane(read)) }
        (row("Commands", commands.waiting, commands.size, 0))
    };
    html! {
        (table(&columns, &rows))
        p.note.line { "A command that finds the queue full, and a read that waits for 20 s, is told to come again." }
    }
}

fn kinds(disk: &DiskReport) -> Markup {
    let most = disk.kinds.iter().map(|row| row.bytes).max().unwrap_or(0);
    let columns = [column("What", ""), column("On disk", "num"), column("Files", "num opt")];
    html! {
        (table(&columns, &html! { @for row in &disk.kinds { (kind(row, most)) } }))
        p.note.line {
            @match disk.free {
                Some(free) => { b { (bytes(free)) } " free. " },
                None => {},
            }
            "As of when the page was opened. " code { "databuild gc --dry-run" } " says what could go."
        }
    }
}

fn kind(row: &DiskKind, most: u64) -> Markup {
    let (name, of) = match row.kind.as_str() {
        "log" => ("Event log", ""),
        "archives" => ("Archives", "events and lists that left the log"),
        "attempts" => ("Attempts", "their requests, logs and records"),
        "staging" => ("Staging", "outputs that are not published yet"),
        "observers" => ("Observers", "programs that look at external data"),
        "server_logs" => ("Logs of the server", ""),
        "code_store" => ("Code store", "shared by your workspaces"),
        other => (other, ""),
    };
    html! {
        tr {
            td { span title=(row.path) { (name) } @if !of.is_empty() { " " span.soft.opt { (of) } } (meter(row.bytes.min(most.saturating_sub(1)), most, &bytes(row.bytes))) }
            td.num { @if row.more { "at least " } (bytes(row.bytes)) }
            td.num.opt { @if row.more { "over " } (number(row.files)) }
        }
    }
}

fn log(disk: &DiskReport) -> Markup {
    let size = |kind: &str| disk.kinds.iter().find(|row| row.kind == kind).map_or(0, |row| row.bytes);
    let events = Url::new("/events");
    html! {
        dl.kv {
            dt { "events" } dd { a href=(events) { (number(disk.events)) } }
            dt { "in the log" } dd { (number(disk.events.saturating_sub(disk.archived))) ", " (bytes(size("log"))) }
            dt { "archived" } dd { @if disk.archived == 0 { "none" } @else { (number(disk.archived)) " in " (many(disk.archives, "archive")) ", " (bytes(size("archives"))) } }
            dt { "folder" } dd.m { (disk.state_dir) }
        }
        p.note.line { "All else can be made again from the log. " code { "databuild gc --events-older-than 90d --dry-run" } " says what could be archived." }
    }
}

fn token_list(tokens: &[TokenRow], now: Timestamp) -> Markup {
    if tokens.is_empty() {
        return html! { p.note { "Nobody was given a token; the owner has one of their own. " code { "databuild token create dashboard --scope read" } " makes one." } };
    }
    let columns = [
        column("Name", ""),
        column("State", "fit"),
        column("May", ""),
        column("Datasets", "opt"),
        column("Made", "num opt"),
        column("Ends", "num"),
    ];
    let rows = html! {
        @for token in tokens {
            tr {
                td.m { (token.name) }
                td.fit { (chip(&token.state)) }
                td { (token.scopes.join(", ")) }
                td.opt { @if token.datasets.is_empty() { span.soft { "all" } } @else { (token.datasets.join(", ")) } }
                td.num.opt { (ago(&token.created_at, now)) }
                td.num { @match (&token.revoked_at, &token.expires_at) { (Some(at), _) => (ago(at, now)), (None, Some(_)) => (ago_if(token.expires_at.as_deref(), now)), (None, None) => span.soft { "never" } } }
            }
        }
    };
    html! { (table(&columns, &rows)) p.note.line { "What makes a token is known to its holder alone. " code { "databuild token revoke NAME" } " makes one worth nothing." } }
}

fn setting_list(settings: &[Setting]) -> Markup {
    let columns =
        [column("Setting", ""), column("Value", ""), column("From", "opt"), column("Meaning", "opt")];
    let rows = html! {
        @for setting in settings {
            tr {
                td.m { (setting.name) }
                td.m { @if setting.value.is_empty() { span.soft { "\u{2013}" } } @else { (setting.value) } }
                td.opt { @if setting.from == "default" { span.soft { "default" } } @else { span.m { (setting.from) } } }
                td.opt.soft { @for (at, part) in setting.meaning.split('`').enumerate() { @if at % 2 == 1 { code { (part) } } @else { (part) } } }
            }
        }
    };
    table(&columns, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{CommandQueue, Formats, RunnerInfo};

    fn status() -> ServerStatus {
        ServerStatus {
            version: "1.2.3".to_owned(),
            pid: 42,
            workspace: "/srv/ws".to_owned(),
            started_at: "2026-11-30T09:00:00Z".to_owned(),
            code_store: String::new(),
            runtime_dir: "/run/x".to_owned(),
            temporary_dir: None,
            slots: 2,
            memory: None,
            memory_limits: "enforced".to_owned(),
            memory_limits_reason: "by control groups".to_owned(),
            open_wants: 3,
            live_runs: 1,
            graph: None,
            datasets: Vec::new(),
            seq: 9,
            reads: vec![ReadLane { name: "slow".to_owned(), size: 3, in_use: 3, waiting: 4 }],
            commands: CommandQueue { waiting: 1, size: 100 },
            resident: Some(64 << 20),
            idle: Idle { after_seconds: Some(10_800), runs: 1, wants: 2, ..Idle::default() },
            runner: Some(RunnerInfo { pid: 43, version: "1.2.2".to_owned(), protocol: 3 }),
            formats: Formats { bazel: Some("8.2.1".to_owned()), log: 4, graph: 2 },
        }
    }

    fn shown(status: &ServerStatus) -> String {
        let row = |kind: &str, bytes, more| DiskKind {
            kind: kind.to_owned(),
            path: "/srv/x".to_owned(),
            bytes,
            files: 7,
            more,
        };
        let disk = DiskReport {
            state_dir: "/srv/ws/.databuild".to_owned(),
            kinds: vec![
                row("code_store", 1 << 30, false),
                row("attempts", 3 << 20, true),
                row("log", 1 << 20, false),
            ],
            free: Some(5 << 30),
            events: 1_234_567,
            archived: 1_000_000,
            archives: 2,
            seq: 1_234_567,
        };
        let token = TokenRow {
            name: "dashboard".to_owned(),
            state: "revoked".to_owned(),
            scopes: vec!["read".to_owned()],
            datasets: Vec::new(),
            created_at: "2026-11-29T12:00:00Z".to_owned(),
            expires_at: None,
            revoked_at: Some("2026-11-30T11:00:00Z".to_owned()),
        };
        let setting = |name: &str, from: &str| Setting {
            name: name.to_owned(),
            value: "7".to_owned(),
            from: from.to_owned(),
            meaning: "what it means".to_owned(),
        };
        let settings = [setting("places", "/srv/ws/databuild.toml"), setting("port", "default")];
        let server = Server { status, disk: Some(&disk), settings: Some(&settings), tokens: Some(&[token]) };
        let page = page(&server, "2026-11-30T12:00:00Z".parse().unwrap());
        page.whole(&crate::layout::Site::default()).into_string()
    }

    #[test]
    fn it_says_what_keeps_it_up_and_what_it_has() {
        let shown = shown(&status());
        for part in [
            "up for <b><time",
            "1 run</a> and <a href=\"/wants?state=open\">2 open wants</a> keep it up.",
            "of another version",
            "8.2.1, as",
            "Lists and counts",
            "at least 4 MiB in the state folder",
            "<a href=\"/events\">1,234,567</a>",
            "1,000,000 in 2 archives",
            "/srv/ws/databuild.toml",
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
    }

    #[test]
    fn it_says_when_it_ends_if_nothing_keeps_it_up() {
        let idle = Idle {
            after_seconds: Some(10_800),
            ends_at: Some("2026-11-30T14:00:00Z".to_owned()),
            ..Idle::default()
        };
        let text = shown(&ServerStatus { idle, runner: None, ..status() });
        assert!(text.contains("Nothing keeps it up: if nobody uses it, it ends <time"), "{text}");
        assert!(text.contains("in 2 h 00 min</time>, 3 h 00 min after its start."), "{text}");
        assert!(text.contains("There is no runner, so nothing begins"), "{text}");
        let text = shown(&ServerStatus { idle: Idle::default(), ..status() });
        assert!(text.contains("It stays up until somebody stops it."), "{text}");
    }
}
