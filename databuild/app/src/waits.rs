//! What a want or a run waits for, in words.

use super::audience::Audience;
use super::history;
use super::why::assigned;
use super::AppError;
use crate::api::{BlockReason, Blocker, Holder, WhyWork};
use crate::engine::Snapshot;
use crate::store::{History, StoreError};
use databuild_core::amounts::{are, clock, count};
use databuild_core::decide::blocker::{of_run, of_want, OtherValue, Unfit};
use databuild_core::decide::Blocker as Found;
use databuild_core::graph::Resource;
use databuild_core::ids::{RunId, WantId};
use databuild_core::state::Phase;
use databuild_core::text::{and_more, first_of};
use databuild_core::word::Word as _;
use databuild_core::words;
use jiff::Timestamp;

words! {
    /// What a want or a run waits for.
    pub enum Waiting: "what work waits for" {
        /// Nothing: a run of it is under way.
        Running => "running",
        /// Nothing: an attempt was handed out and begins.
        Starting => "starting",
        /// Nothing: outputs are being published.
        Publishing => "publishing",
        /// Nothing: it is about to start.
        Ready => "ready",
        /// All places for attempts are taken; `--jobs` says how many there are.
        Slots => "slots",
        /// A pool has too little free for it.
        Pool => "pool",
        /// Too little memory is free for it.
        Memory => "memory",
        /// So many runs of its job, or of all that make its dataset, are under way as `max_running` allows.
        Limit => "limit",
        /// Its job has started as often as its rate allows for now.
        Rate => "rate",
        /// Its last attempt failed, and the next one is not due yet.
        Backoff => "backoff",
        /// Somebody has paused the want.
        Paused => "paused",
        /// It found that it needs partitions that nobody declared, and another want builds them.
        Suspended => "suspended",
        /// It was told to stop, and has not ended yet.
        Canceling => "canceling",
        /// A run makes the same partition from older code or inputs; a new one follows it.
        Behind => "behind",
        /// Something that it is made from is not done.
        Upstream => "upstream",
        /// The server cannot write its log, because the disk is full, say; it tries again every second.
        Log => "log",
        /// The runner cannot be started; it is tried again every 10 s.
        NoRunner => "no_runner",
    }
}

impl Waiting {
    /// The same in a word of those that runs have.
    fn reason(self) -> Option<BlockReason> {
        Some(match self {
            Waiting::Ready => return None,
            Waiting::Running | Waiting::Publishing | Waiting::Canceling => BlockReason::Running,
            Waiting::Starting => BlockReason::Leased,
            Waiting::Backoff => BlockReason::RetryWait,
            Waiting::Suspended => BlockReason::Suspended,
            Waiting::Slots
            | Waiting::Pool
            | Waiting::Memory
            | Waiting::Limit
            | Waiting::Rate
            | Waiting::Paused
            | Waiting::Behind
            | Waiting::Upstream
            | Waiting::Log
            | Waiting::NoRunner => BlockReason::Scheduled,
        })
    }
}

/// What keeps from being done what waits for something, or is over as `kind` says.
fn block_reason(kind: &str) -> Option<BlockReason> {
    Waiting::of_word(kind).map_or(Some(BlockReason::Terminal), Waiting::reason)
}

/// Holders of places that an answer names.
const MOST_HOLDERS: usize = 20;
/// Holders that a message names.
const MOST_NAMED: usize = 5;
/// Holders of places that a message names, with what they make.
const MOST_PLACED: usize = 3;

/// What a want waits for.
///
/// # Errors
/// No such want, or the history cannot be read.
pub fn want(
    snapshot: &Snapshot,
    reader: &dyn History,
    audience: &Audience,
    id: WantId,
) -> Result<WhyWork, AppError> {
    if let Some(want) = snapshot.state.wants().get(&id) {
        let now = crate::os::now();
        let found =
            of_want(&snapshot.state, snapshot.capacity(), now, &audience.part_of(&snapshot.state, want));
        let blocker = match unrecorded(snapshot) {
            Some(blocker) => blocker,
            None => told(snapshot, reader, audience, now, &found)?,
        };
        return Ok(WhyWork {
            id: id.to_string(),
            state: "open".to_owned(),
            block_reason: block_reason(&blocker.kind),
            blocker,
            causes: want.causes.clone(),
            seq: snapshot.state.seq().0,
        });
    }
    let found = history::want(reader, id)?;
    let want = found.value;
    let state = want.state.word();
    Ok(WhyWork {
        id: id.to_string(),
        state: state.to_owned(),
        block_reason: Some(BlockReason::Terminal),
        blocker: over(state, want.ended_at, want.causes.first()),
        causes: want.causes,
        seq: found.seq.0,
    })
}

/// What a run waits for.
///
/// # Errors
/// No such run, or the history cannot be read.
pub fn run(
    snapshot: &Snapshot,
    reader: &dyn History,
    audience: &Audience,
    id: RunId,
) -> Result<WhyWork, AppError> {
    let found = history::run(reader, id)?;
    let row = found.value.0.run;
    let state = row.state.word();
    let causes = Some(row.message).filter(|message| !message.is_empty()).into_iter().collect::<Vec<_>>();
    let (blocker, seq) = match snapshot.state.runs().get(&id) {
        Some(run) => {
            let now = crate::os::now();
            let found = of_run(&snapshot.state, snapshot.capacity(), now, run);
            let blocker = match unrecorded(snapshot) {
                Some(blocker) => blocker,
                None => told(snapshot, reader, audience, now, &found)?,
            };
            (blocker, snapshot.state.seq())
        }
        None => (over(state, row.ended_at, causes.first()), found.seq),
    };
    let block_reason = block_reason(&blocker.kind);
    Ok(WhyWork { id: id.to_string(), state: state.to_owned(), block_reason, blocker, causes, seq: seq.0 })
}

/// Of all work, while the log takes no events: nothing that happens counts until it does.
pub fn unrecorded(snapshot: &Snapshot) -> Option<Blocker> {
    let why = snapshot.unrecorded.as_ref()?;
    let message = format!(
        "the server cannot record what happens, and tries again every second: {} [{}]",
        why.message, why.code
    );
    Some(Blocker { since: Some(why.since.to_string()), ..blocker(Waiting::Log, message) })
}

/// Of what has ended.
fn over(state: &str, at: Option<Timestamp>, cause: Option<&String>) -> Blocker {
    Blocker {
        kind: state.to_owned(),
        message: cause.cloned().unwrap_or_default(),
        since: at.map(|at| at.to_string()),
        ..Blocker::default()
    }
}

/// What something waits for, down to where whoever asks may not look: what that waits for is about others.
pub(super) fn told(
    snapshot: &Snapshot,
    reader: &dyn History,
    audience: &Audience,
    now: Timestamp,
    found: &Found,
) -> Result<Blocker, StoreError> {
    let mut blocker = all_of(snapshot, reader, now, found)?;
    let mut at = &mut blocker;
    loop {
        if at.partition.as_ref().is_some_and(|partition| !audience.sees_making(&snapshot.state, partition)) {
            at.because = None;
        }
        match &mut at.because {
            Some(because) => at = because,
            None => break,
        }
    }
    Ok(blocker)
}

fn all_of(
    snapshot: &Snapshot,
    reader: &dyn History,
    now: Timestamp,
    found: &Found,
) -> Result<Blocker, StoreError> {
    Ok(match found {
        Found::Ready if snapshot.held => blocker(
            Waiting::NoRunner,
            "the runner cannot be started; retrying every 10 s (see .databuild/server.log)".to_owned(),
        ),
        Found::UnderWay { run: id, more } => under_way(snapshot, reader, now, *id, *more)?,
        Found::Ready => blocker(Waiting::Ready, "about to start".to_owned()),
        Found::Slots { slots, ready, holders } => no_place(snapshot, *slots, *ready, holders),
        Found::Limit { resource, size, needs, ready, holders, set_aside } => {
            limit(snapshot, resource, (*size, *needs), *ready, holders, *set_aside)
        }
        Found::Rate { job, until, ready } => {
            let message = format!(
                "{job} has started as often as its rate allows; its next start is in {}; {}",
                span_until(*until, now),
                ready_text(*ready)
            );
            Blocker { until: Some(until.to_string()), ..blocker(Waiting::Rate, message) }
        }
        Found::Backoff { run, until } => {
            let made = reader.run(*run)?.value;
            let message = made.map(|found| found.run.message).filter(|message| !message.is_empty());
            let failed = message.map(|message| format!(": {message}")).unwrap_or_default();
            let message = |of: &str| {
                format!("{run} ({of}) failed{failed}; its next attempt is in {}", span_until(*until, now))
            };
            Blocker { until: Some(until.to_string()), ..by_run(snapshot, Waiting::Backoff, *run, message) }
        }
        Found::Paused { want } => {
            blocker(Waiting::Paused, format!("{want} is paused; to go on: databuild want resume {want}"))
        }
        Found::Suspended { run, want } => by_run(snapshot, Waiting::Suspended, *run, |of| {
            let targets = snapshot.state.wants().get(want).map(|want| want.targets.join(", "));
            let targets = targets.unwrap_or_default();
            format!("{run} ({of}) found that it needs {targets}, which {want} builds")
        }),
        Found::Canceling { run } => by_run(snapshot, Waiting::Canceling, *run, |of| {
            format!("{run} ({of}) was told to stop and is still running")
        }),
        Found::Behind { run, unfit: Unfit::Older } => by_run(snapshot, Waiting::Behind, *run, |of| {
            format!("{run} makes {of} from older code or inputs; when it has ended, a new run follows")
        }),
        Found::Behind { run, unfit: Unfit::Earlier } => {
            by_run(snapshot, Waiting::Behind, *run, |of| {
                format!("{run} began to make {of} before this was asked for; when it has ended, a new run follows")
            })
        }
        Found::Behind { run, unfit: Unfit::Params(values) } => other_params(snapshot, *run, values),
        Found::Upstream { waiting, partition, because } => {
            let because = all_of(snapshot, reader, now, because)?;
            let message = format!("{waiting} needs {partition}: {}", because.message);
            Blocker {
                partition: Some(partition.clone()),
                run: because.run.clone(),
                because: Some(Box::new(because)),
                ..blocker(Waiting::Upstream, message)
            }
        }
    })
}

fn blocker(kind: Waiting, message: String) -> Blocker {
    Blocker { kind: kind.word().to_owned(), message, ..Blocker::default() }
}

/// Of a run that is alive; `message` is given its partition.
fn by_run(snapshot: &Snapshot, kind: Waiting, run: RunId, message: impl Fn(&str) -> String) -> Blocker {
    let of = snapshot.state.runs().get(&run).map(|run| run.partition.clone()).unwrap_or_default();
    let message = message(&of);
    Blocker { partition: Some(of), run: Some(run.to_string()), ..blocker(kind, message) }
}

/// A run with other values of parameters is in the way. It is nothing that the want waits to see through, so it is only
/// among those who hold the place.
fn other_params(snapshot: &Snapshot, run: RunId, values: &[OtherValue]) -> Blocker {
    let said = |of: fn(&OtherValue) -> &Option<String>| {
        let known = values.iter().filter_map(|value| Some((&value.name, of(value).as_ref()?)));
        first_of(known.map(|(name, value)| assigned(name, value)), MOST_NAMED)
    };
    let (has, wanted) = (said(|value| &value.has), said(|value| &value.wanted));
    let has = if has.is_empty() { "without these parameters".to_owned() } else { format!("with {has}") };
    let wanted = if wanted.is_empty() { String::new() } else { format!(", and {wanted} is asked for") };
    let found = by_run(snapshot, Waiting::Behind, run, |of| {
        format!("{of} is being made {has}{wanted}; when that has ended, a new run follows")
    });
    Blocker { run: None, holders: vec![holder(snapshot, run)], ..found }
}

fn span_until(until: Timestamp, now: Timestamp) -> String {
    span(u64::try_from(until.duration_since(now).as_millis()).unwrap_or(0))
}

/// Of places to run, none is free.
fn no_place(snapshot: &Snapshot, slots: usize, ready: u64, holders: &[RunId]) -> Blocker {
    let named: Vec<Holder> = holders.iter().take(MOST_HOLDERS).map(|id| holder(snapshot, *id)).collect();
    let who = named.iter().take(MOST_PLACED).map(|holder| {
        let wants = match holder.wants.as_slice() {
            [] => String::new(),
            wants => format!(", for {}", wants.join(" and ")),
        };
        format!("{} ({}{wants})", holder.run, holder.partition)
    });
    let who = who.collect::<Vec<_>>().join(", ");
    let more = and_more(holders.len().saturating_sub(MOST_PLACED));
    let by = if who.is_empty() { String::new() } else { format!(" by {who}{more}") };
    let places = if slots == 1 { "the only place is".to_owned() } else { format!("all {slots} places are") };
    Blocker {
        holders: named,
        ..blocker(Waiting::Slots, format!("{places} taken{by}; {}", ready_text(ready)))
    }
}

/// Of something that runs share, too little is free.
fn limit(
    snapshot: &Snapshot,
    resource: &Resource,
    (size, needs): (u64, u64),
    ready: u64,
    holders: &[(RunId, u64)],
    set_aside: bool,
) -> Blocker {
    let graph = snapshot.state.graph();
    let pool =
        |label: &str| graph.pool_labeled(label).map_or_else(|| label.to_owned(), |pool| pool.name.clone());
    let (kind, what) = match resource {
        Resource::Places => (Waiting::Slots, "places".to_owned()),
        Resource::Memory => (Waiting::Memory, "memory".to_owned()),
        Resource::Pool(label) => (Waiting::Pool, format!("pool {}", pool(label))),
        Resource::Job(label) => {
            let label = graph.job_first_labeled(label).map_or(label, |job| &job.label);
            (Waiting::Limit, format!("max_running of {label}"))
        }
        Resource::Dataset(name) => {
            let name = graph.dataset_first_named(name).map_or(name, |dataset| &dataset.name);
            (Waiting::Limit, format!("max_running of {name}"))
        }
    };
    let amount = |amount: u64| match resource {
        Resource::Memory => format!("{} MiB", amount.div_ceil(1 << 20)),
        _ => amount.to_string(),
    };
    let who = first_of(holders.iter().map(|(run, has)| format!("{run} ({})", amount(*has))), MOST_NAMED);
    let used: u64 = holders.iter().map(|(_, has)| has).sum();
    let state = match (used, set_aside) {
        _ if needs > size => "is too small; to make it larger: databuild pools set".to_owned(),
        (_, true) => format!("is kept for a run that has waited longer: {who}"),
        (used, _) if used >= size => format!("is full: {who}"),
        (used, _) => format!("has {} free: {who}", amount(size - used)),
    };
    let state = state.strip_suffix(": ").unwrap_or(&state).to_owned();
    let named =
        holders.iter().take(MOST_HOLDERS).map(|(run, has)| Holder { amount: *has, ..holder(snapshot, *run) });
    Blocker {
        kind: kind.word().to_owned(),
        message: format!(
            "{what} {state}; its size is {}, a run takes {}; {}",
            amount(size),
            amount(needs),
            ready_text(ready)
        ),
        holders: named.collect(),
        ..Blocker::default()
    }
}

fn under_way(
    snapshot: &Snapshot,
    reader: &dyn History,
    now: Timestamp,
    id: RunId,
    more: u64,
) -> Result<Blocker, StoreError> {
    let Some(run) = snapshot.state.runs().get(&id) else { return Ok(Blocker::default()) };
    let attempt = reader.attempt(run.attempt_id())?.value;
    let started = attempt.as_ref().and_then(|attempt| attempt.started_at);
    let since = started.or_else(|| attempt.map(|attempt| attempt.leased_at));
    let kind = match run.phase {
        Phase::Leased => Waiting::Starting,
        Phase::Publishing => Waiting::Publishing,
        Phase::Running | Phase::RetryWait(_) => Waiting::Running,
    };
    let took = since.map(|at| u64::try_from(now.duration_since(at).as_millis()).unwrap_or(0));
    let took = took.map(|ms| format!(", {}", span(ms))).unwrap_or_default();
    let more = match more {
        0 => String::new(),
        1 => " and 1 other run".to_owned(),
        more => format!(" and {more} other runs"),
    };
    Ok(Blocker {
        kind: kind.word().to_owned(),
        message: format!("{id} ({}{took}){more}", run.partition),
        partition: Some(run.partition.clone()),
        run: Some(id.to_string()),
        since: since.map(|at| at.to_string()),
        ..Blocker::default()
    })
}

fn holder(snapshot: &Snapshot, id: RunId) -> Holder {
    let state = &snapshot.state;
    let run = state.runs().get(&id);
    let wants = run.map(|run| state.served_by(run).map(|want| want.id.to_string()).collect());
    Holder {
        run: id.to_string(),
        partition: run.map(|run| run.partition.clone()).unwrap_or_default(),
        wants: wants.unwrap_or_default(),
        amount: 1,
    }
}

/// `2 partitions are ready`.
fn ready_text(ready: u64) -> String {
    format!("{} {} ready", count(ready, "partition"), are(ready))
}

/// A length of time for people, to the second.
fn span(ms: u64) -> String {
    match ms / 1000 {
        0 => "<1 s".to_owned(),
        seconds @ 1..=59 => format!("{seconds} s"),
        seconds => clock(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::super::why::tests::{chain, Workspace};
    use super::*;
    use databuild_core::decide::Input;
    use databuild_core::event::{AttemptOutcome, Refresh};
    use std::sync::Arc;

    /// Kind and message of what a want waits for, in a workspace of one place.
    fn waits(workspace: &Workspace, want: u64) -> (String, String) {
        let state = Arc::new(workspace.core.state.clone());
        let snapshot =
            Snapshot { state, slots: 1, memory: None, held: workspace.core.held, unrecorded: None };
        let want = &snapshot.state.wants()[&WantId(want)];
        // As of when the log says.
        let now = "2024-12-31T00:02:05Z".parse().unwrap();
        let found = of_want(&snapshot.state, snapshot.capacity(), now, want);
        let told = told(&snapshot, &workspace.reader(), &Audience::default(), now, &found).unwrap();
        (told.kind, told.message)
    }

    #[test]
    fn values_of_parameters_that_differ_are_named_and_no_run_of_others_is() {
        let mut graph = chain("code");
        graph["jobs"][0]["params"] = serde_json::json!({"rows": "3"});
        let mut workspace = Workspace::new(&graph);
        workspace.observe("raw/name=a", "r1");
        workspace.want("text/name=a", Refresh::Stale);
        workspace.invoke("write", "text/name=a", "rows", "5");
        let said = "text/name=a is being made with rows=3, and rows=5 is asked for; when that has ended, a new run follows";
        assert_eq!(waits(&workspace, 2), ("behind".to_owned(), said.to_owned()));
    }

    #[test]
    fn what_is_waited_for_is_said_in_plain_words() {
        let mut workspace = Workspace::new(&chain("code"));
        for name in ["a", "b", "c"] {
            workspace.observe(&format!("raw/name={name}"), "r1");
        }
        workspace.step(Input::SetSlots(1));
        workspace.want("text/name=a", Refresh::Stale);
        workspace.want("text/name=b+c", Refresh::Stale);
        let said = |kind: &str, message: &str| (kind.to_owned(), message.to_owned());
        assert_eq!(waits(&workspace, 1), said("starting", "r1 (text/name=a, 2m 05s)"));
        let attempt = workspace.ordered[0].attempt;
        workspace.step(Input::AttemptStarted { attempt, pid: 7 });
        assert_eq!(waits(&workspace, 1), said("running", "r1 (text/name=a, 2m 05s)"));
        let taken = "the only place is taken by r1 (text/name=a, for w1); 2 partitions are ready";
        assert_eq!(waits(&workspace, 2), said("slots", taken));
        workspace.step(Input::PauseWant(WantId(2)));
        assert_eq!(waits(&workspace, 2), said("paused", "w2 is paused; to go on: databuild want resume w2"));
        workspace.step(Input::ResumeWant(WantId(2)));
        workspace.step(Input::CancelRun(RunId(1)));
        let end = databuild_core::decide::AttemptReport::new(AttemptOutcome::Canceled, "canceled");
        workspace.end("text/name=a", Err(end));
        assert_eq!(waits(&workspace, 2).0, "starting");
    }

    #[test]
    fn while_nothing_can_be_recorded_all_work_waits_for_that() {
        let workspace = Workspace::new(&chain("code"));
        let why = crate::engine::Unrecorded {
            code: "disk_full",
            message: "there is no space for the log".to_owned(),
            since: "2024-12-31T00:00:00Z".parse().unwrap(),
        };
        let snapshot = Snapshot {
            state: Arc::new(workspace.core.state.clone()),
            slots: 1,
            memory: None,
            held: false,
            unrecorded: Some(Arc::new(why)),
        };
        let told = unrecorded(&snapshot).unwrap();
        let message = "the server cannot record what happens, and tries again every second: there is no space for the log \
                       [disk_full]";
        assert_eq!((told.kind.as_str(), told.message.as_str()), ("log", message));
        assert_eq!(told.since.as_deref(), Some("2024-12-31T00:00:00Z"));
        assert_eq!(unrecorded(&Snapshot { unrecorded: None, ..snapshot }), None);
    }

    #[test]
    fn each_reason_is_that_of_something_and_what_is_over_is_terminal() {
        let reasons: Vec<_> = Waiting::ALL.iter().filter_map(|waiting| waiting.reason()).collect();
        for reason in BlockReason::ALL.iter().filter(|reason| **reason != BlockReason::Terminal) {
            assert!(reasons.contains(reason), "{reason:?}");
        }
        assert_eq!(block_reason("ready"), None);
        for ended in ["completed", "failed", "canceled", "satisfied", "expired"] {
            assert_eq!(block_reason(ended), Some(BlockReason::Terminal));
        }
    }

    #[test]
    fn times_are_short() {
        let cases = [(0, "<1 s"), (59_999, "59 s"), (125_000, "2m 05s"), (3_720_000, "1h 02m")];
        for (ms, text) in cases {
            assert_eq!(span(ms), text);
        }
    }
}
