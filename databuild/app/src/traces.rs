//! What happened to wants, runs and attempts, as spans of OTLP.
//!
//! Each is told when it is over, from what the lists say of it by then. So nothing is remembered: a server that comes back tells
//! the rest of a trace that another one began.

use super::AppError;
use crate::engine::Trace;
use crate::store::{AttemptRow, History, RunRow, RunState, WantRow, WantState};
use databuild_core::event::{AttemptEnded, Cause, Event, Materialized, OutcomeKind, RunEnded, WantEnded};
use databuild_core::ids::{AttemptId, RunId, Seq, WantId};
use databuild_core::text::first_of;
use databuild_core::word::Word as _;
use jiff::Timestamp;
use serde_json::{json, Value};

/// Events that are looked at once.
const AT_ONCE: usize = 500;
/// Targets of a want that its span names.
const SHOWN: usize = 5;

/// The spans of what is over by events after one, up to `until`; and the last event that was looked at.
///
/// # Errors
/// The history cannot be read.
pub fn spans(reader: &dyn History, after: Seq, until: Seq) -> Result<(Vec<Value>, Seq), AppError> {
    let found = reader.events(Some(after), AT_ONCE)?.value.records;
    let (mut spans, mut last) = (Vec::new(), after);
    for (seq, record) in found.into_iter().take_while(|(seq, _)| *seq <= until) {
        last = seq;
        let span = match record.event {
            Event::WantEnded(WantEnded { want, .. }) => of_want(reader, want)?,
            Event::RunEnded(RunEnded { run, .. }) => of_run(reader, run)?,
            Event::Materialized(Materialized { attempt, goes_on: false, .. }) => of_run(reader, attempt.run)?,
            Event::AttemptEnded(AttemptEnded { attempt, .. }) => of_attempt(reader, attempt)?,
            _ => None,
        };
        spans.extend(span);
    }
    Ok((spans, last))
}

/// What is sent: spans of a workspace.
#[must_use]
pub fn document(workspace: &str, spans: &[Value]) -> Value {
    let resource = [text("service.name", "databuild"), text("databuild.workspace", workspace)];
    let scope = json!({"name": "databuild", "version": env!("CARGO_PKG_VERSION")});
    json!({
        "resourceSpans": [{
            "resource": {"attributes": resource},
            "scopeSpans": [{"scope": scope, "spans": spans}],
        }],
    })
}

fn of_want(reader: &dyn History, want: WantId) -> Result<Option<Value>, AppError> {
    let Some(row) = reader.want(want)?.value else { return Ok(None) };
    let WantRow { state, targets, comment, created_at, ended_at, causes, .. } = row;
    let Some(ended_at) = ended_at else { return Ok(None) };
    let attributes = vec![
        text("databuild.want", want),
        text("databuild.targets", first_of(targets, SHOWN)),
        text("databuild.state", state.word()),
        text("databuild.comment", comment),
    ];
    let fault = (state == WantState::Failed).then(|| causes.into_iter().next().unwrap_or_default());
    let trace = Trace::of(want, created_at);
    let span = Span { name: "want", id: trace.span(want), parent: None, from: created_at, to: ended_at };
    Ok(Some(span.told(&trace, attributes, fault)))
}

fn of_run(reader: &dyn History, run: RunId) -> Result<Option<Value>, AppError> {
    let Some(row) = reader.run(run)?.value else { return Ok(None) };
    let first = row.attempts.first().map(|attempt| attempt.lease_seq);
    let Some((want, trace)) = served(reader, first)? else { return Ok(None) };
    let RunRow { job, partition, state, created_at, ended_at, attempts, message, .. } = row.run;
    let Some(ended_at) = ended_at else { return Ok(None) };
    let attributes = vec![
        text("databuild.run", run),
        text("databuild.job", &job),
        text("databuild.partition", partition),
        text("databuild.state", state.word()),
        number("databuild.attempts", attempts.into()),
    ];
    let fault = (state == RunState::Failed).then_some(message);
    let parent = Some(trace.span(want));
    let span = Span { name: &job, id: trace.span(run), parent, from: created_at, to: ended_at };
    Ok(Some(span.told(&trace, attributes, fault)))
}

fn of_attempt(reader: &dyn History, id: AttemptId) -> Result<Option<Value>, AppError> {
    let Some(row) = reader.attempt(id)?.value else { return Ok(None) };
    let Some((_, trace)) = served(reader, Some(row.lease_seq))? else { return Ok(None) };
    let AttemptRow { outcome, leased_at, started_at, ended_at, exit_code, message, .. } = row;
    let Some(ended_at) = ended_at else { return Ok(None) };
    let mut attributes = vec![
        text("databuild.attempt", id),
        text("databuild.outcome", outcome.map_or("", OutcomeKind::word)),
        number("databuild.cpu_ms", row.cpu_ms.unwrap_or(0)),
        number("databuild.max_rss_kb", row.max_rss_kb.unwrap_or(0)),
    ];
    attributes.extend(exit_code.map(|code| text("databuild.exit_code", code)));
    let fault = (outcome != Some(OutcomeKind::Success)).then_some(message);
    let parent = Some(trace.span(id.run));
    let from = started_at.unwrap_or(leased_at);
    let span = Span { name: "attempt", id: trace.span(id), parent, from, to: ended_at };
    Ok(Some(span.told(&trace, attributes, fault)))
}

/// The want for which a lease was given, with its trace; none for an arm of a trial.
fn served(reader: &dyn History, lease: Option<Seq>) -> Result<Option<(WantId, Trace)>, AppError> {
    let Some(lease) = lease else { return Ok(None) };
    let cause = reader.event(lease)?.value.and_then(|record| record.origin.cause);
    let Some(Cause::Want(want)) = cause else { return Ok(None) };
    let row = reader.want(want)?.value;
    Ok(row.map(|row| (want, Trace::of(want, row.created_at))))
}

struct Span<'s> {
    name: &'s str,
    id: String,
    parent: Option<String>,
    from: Timestamp,
    to: Timestamp,
}

impl Span<'_> {
    /// As OTLP says it in JSON; `fault` is why it did not end well.
    fn told(self, trace: &Trace, attributes: Vec<Value>, fault: Option<String>) -> Value {
        let nanos = |at: Timestamp| at.as_nanosecond().max(0).to_string();
        let status = match fault {
            Some(message) => json!({"code": 2, "message": message}),
            None => json!({"code": 1}),
        };
        json!({
            "traceId": trace.name(),
            "spanId": self.id,
            "parentSpanId": self.parent.unwrap_or_default(),
            "name": self.name,
            // Internal: nobody is called.
            "kind": 1,
            "startTimeUnixNano": nanos(self.from),
            // A clock may have been set back meanwhile.
            "endTimeUnixNano": nanos(self.to.max(self.from)),
            "attributes": attributes,
            "status": status,
        })
    }
}

fn text(key: &str, value: impl ToString) -> Value {
    json!({"key": key, "value": {"stringValue": value.to_string()}})
}

fn number(key: &str, value: u64) -> Value {
    // A number of 64 bits is a text in the JSON of protocol buffers.
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Batch, EventLog as _, Reader, SqliteLog};
    use databuild_core::event::{
        AttemptLeased, AttemptOutcome, AttemptStarted, Origin, Record, WantCreated, WantOutcome,
    };
    use jiff::ToSpan as _;

    /// The first example of a kind of event.
    macro_rules! example {
        ($kind:ident) => {
            Event::examples()
                .into_iter()
                .find_map(|event| match event {
                    Event::$kind(it) => Some(it),
                    _ => None,
                })
                .unwrap()
        };
    }

    /// The want w3, and two attempts of the run r12 for it, each event 1 s after the one before.
    fn story() -> Vec<Record> {
        let attempt = |number| AttemptId { run: RunId(12), number };
        let lease = |number| {
            Event::AttemptLeased(AttemptLeased {
                attempt: attempt(number),
                trial: None,
                ..example!(AttemptLeased)
            })
        };
        let started = |number| Event::AttemptStarted(AttemptStarted { attempt: attempt(number), pid: 1 });
        let ended = |number, outcome, message: &str| {
            let message = message.to_owned();
            Event::AttemptEnded(AttemptEnded {
                attempt: attempt(number),
                outcome,
                message,
                ..example!(AttemptEnded)
            })
        };
        let made = Materialized { attempt: attempt(2), outputs: Vec::new(), goes_on: false };
        let over =
            WantEnded { want: WantId(3), outcome: WantOutcome::Satisfied, causes: Vec::new(), counts: None };
        let created = WantCreated { plan: None, parent: None, request: None, ..example!(WantCreated) };
        let because = Some(Cause::Want(WantId(3)));
        let events = [
            (Event::WantCreated(created), None),
            (lease(1), because.clone()),
            (started(1), None),
            (ended(1, AttemptOutcome::Timeout, "too slow"), None),
            (lease(2), because),
            (started(2), None),
            (ended(2, AttemptOutcome::Success, ""), None),
            (Event::Materialized(made), None),
            (Event::WantEnded(over), None),
        ];
        let record = |(at, (event, cause)): (i64, (Event, Option<Cause>))| Record {
            at: Timestamp::UNIX_EPOCH + at.seconds(),
            origin: Origin { cause, ..Origin::default() },
            event,
        };
        (0_i64..).zip(events).map(record).collect()
    }

    #[test]
    fn a_want_is_one_trace_whoever_tells_which_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("log.db");
        let mut log = SqliteLog::open(&database).unwrap();
        log.append(&Batch { records: story(), ..Batch::default() }).unwrap();
        let reader = Reader::new(&database, 1);
        let all = spans(&reader, Seq(0), Seq(9)).unwrap();
        // Another server goes on.
        let (mut parts, last) = spans(&reader, Seq(0), Seq(5)).unwrap();
        assert_eq!(last, Seq(5));
        parts.extend(spans(&Reader::new(&database, 1), last, Seq(9)).unwrap().0);
        assert_eq!((&parts, Seq(9)), (&all.0, all.1));
        let field = |name: &str| parts.iter().map(|span| span[name].clone()).collect::<Vec<_>>();
        assert_eq!(field("name"), ["attempt", "attempt", "//weather:daily", "want"]);
        let expected = Trace::of(WantId(3), Timestamp::UNIX_EPOCH);
        assert!(field("traceId").iter().all(|trace| trace == expected.name()));
        let run = expected.span(RunId(12));
        assert_eq!(field("parentSpanId"), [run.as_str(), &run, &expected.span(WantId(3)), ""]);
        let seconds = |name| {
            let nanos = field(name).into_iter().map(|at| at.as_str().unwrap().parse::<u64>().unwrap());
            nanos.map(|nanos| nanos / 1_000_000_000).collect::<Vec<_>>()
        };
        assert_eq!(
            (seconds("startTimeUnixNano"), seconds("endTimeUnixNano")),
            (vec![2, 5, 1, 0], vec![3, 6, 7, 8])
        );
        let status = field("status");
        assert_eq!(status[0], json!({"code": 2, "message": "too slow"}));
        assert!(status[1..].iter().all(|status| *status == json!({"code": 1})), "{status:?}");
        let told = document("here", &parts);
        assert_eq!(told["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().map(Vec::len), Some(4));
    }
}
