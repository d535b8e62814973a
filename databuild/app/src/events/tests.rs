use super::*;
use crate::store::{Batch, EventLog as _, Reader, SqliteLog};
use databuild_core::event::{
    Actor, AttemptStarted, Cause, GraphRegistered, Materialized, Origin, RunEnded, WantEnded, WantOutcome,
};
use databuild_core::ids::{AttemptId, GraphId, WantId};
use databuild_core::state::State;
use jiff::Timestamp;
use serde_json::{json, Value};
use std::collections::BTreeMap;

/// Each kind of event with what it says, as programs get it. `UPDATE=1` writes the file anew.
#[test]
fn what_events_say_is_as_the_file_says() {
    let examples: serde_json::Map<String, Value> = Event::examples()
        .iter()
        .map(|event| {
            let about = serde_json::to_value(about(event).subjects(&[])).unwrap();
            let data = data::data(event);
            assert!(data.as_object().is_some_and(|data| !data.is_empty()), "{event:?}");
            (event.kind().to_owned(), json!({"about": about, "data": data}))
        })
        .collect();
    let told = format!("{:#}\n", Value::Object(examples));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/events/examples.json"), &told).unwrap();
    } else {
        assert_eq!(told, include_str!("examples.json"), "UPDATE=1 writes it");
    }
}

#[test]
fn events_are_found_by_what_they_speak_of_and_follow_from() {
    let attempt = |run| AttemptId { run: RunId(run), number: 1 };
    let lease = |run, job: &str, partition: &str| {
        let example = Event::examples().into_iter().find_map(|event| match event {
            Event::AttemptLeased(lease) => Some(lease),
            _ => None,
        });
        let (job, partition) = (job.to_owned(), partition.to_owned());
        Event::AttemptLeased(AttemptLeased {
            attempt: attempt(run),
            job,
            partition,
            trial: None,
            ..example.unwrap()
        })
    };
    let started = |run| Event::AttemptStarted(AttemptStarted { attempt: attempt(run), pid: 1 });
    let ended = |run| Event::RunEnded(RunEnded { run: RunId(run), canceled: false, message: "no".into() });
    let made = |run| {
        Event::Materialized(Materialized { attempt: attempt(run), outputs: Vec::new(), goes_on: false })
    };
    let over = WantEnded { want: WantId(3), outcome: WantOutcome::Failed, causes: Vec::new(), counts: None };
    let events = [
        (lease(12, "//:daily", "daily/date=2024-01-01"), None),
        (lease(13, "//:report", "report/month=2024-01"), Some(Cause::Want(WantId(4)))),
        (started(12), None),
        (started(13), None),
        (ended(12), None),
        (Event::WantEnded(over), Some(Cause::Run(RunId(12)))),
        (made(13), None),
    ];
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("log.db");
    let mut log = SqliteLog::open(&database).unwrap();
    let records = events.map(|(event, cause)| Record {
        at: Timestamp::UNIX_EPOCH,
        origin: Origin { actor: Actor::default(), cause },
        event,
    });
    log.append(&Batch { records: records.to_vec(), ..Batch::default() }).unwrap();
    let reader = Reader::new(&database, 1);
    let state = State::default();
    let found = |filter: &Filter, after, limit| {
        let part = Part { after, before: None, limit };
        let page = page(&reader, part, filter, &filter.at(&state)).unwrap();
        (page.data.iter().map(|row| row.seq).collect::<Vec<_>>(), page.next)
    };
    let all = |filter: &Filter| found(filter, None, 100).0;
    assert_eq!(all(&Filter::default()), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(all(&Filter::of_run(RunId(12))), [1, 3, 5, 6]);
    assert_eq!(all(&Filter::of_run(RunId(13))), [2, 4, 7]);
    assert_eq!(all(&Filter::of_want(WantId(3))), [6]);
    assert_eq!(all(&Filter::of_want(WantId(4))), [2]);
    assert_eq!(all(&Filter::of_job("//:report")), [2, 4, 7]);
    assert_eq!(all(&Filter::of_dataset("daily")), [1, 3, 5]);
    assert_eq!((all(&Filter::of_cause("w4")), all(&Filter::of_cause("r12"))), (vec![2], vec![6]));
    // A part of it goes on where it ends.
    let filter = Filter::of_run(RunId(12));
    assert_eq!(found(&filter, None, 2), (vec![1, 3], Some("3".to_owned())));
    assert_eq!(found(&filter, Some(Seq(3)), 2), (vec![5, 6], Some("6".to_owned())));
    assert_eq!(found(&filter, Some(Seq(6)), 2), (vec![], None));
    // The other way round, and between two events.
    let newest = |filter: &Filter, before: Option<u64>, limit| {
        let part = Part { after: None, before: before.map(Seq), limit };
        let page = newest(&reader, part, filter, &filter.at(&state)).unwrap();
        (page.data.iter().map(|row| row.seq).collect::<Vec<_>>(), page.next)
    };
    let everything = Filter::default();
    assert_eq!(newest(&everything, None, 100), (vec![7, 6, 5, 4, 3, 2, 1], None));
    assert_eq!(newest(&everything, None, 3), (vec![7, 6, 5], Some("5".to_owned())));
    assert_eq!(newest(&everything, Some(5), 4), (vec![4, 3, 2, 1], None));
    assert_eq!(newest(&everything, Some(1), 4), (vec![], None));
    assert_eq!(newest(&filter, None, 2), (vec![6, 5], Some("5".to_owned())));
    // Nothing of a run is before its first event, so nobody looks there.
    assert_eq!(newest(&Filter::of_run(RunId(13)), Some(7), 2), (vec![4, 2], None));
    let between = Part { after: Some(Seq(2)), before: Some(Seq(6)), limit: 100 };
    let seqs = |page: EventPage| (page.data.iter().map(|row| row.seq).collect::<Vec<_>>(), page.next);
    assert_eq!(
        seqs(page(&reader, between, &everything, &everything.at(&state)).unwrap()),
        (vec![3, 4, 5], None)
    );
    let back = super::newest(&reader, between, &everything, &everything.at(&state)).unwrap();
    assert_eq!(seqs(back), (vec![5, 4, 3], None));
    // Runs are told with what they are of.
    let part = Part { after: Some(Seq(2)), before: None, limit: 1 };
    let row = page(&reader, part, &everything, &everything.at(&state)).unwrap().data;
    assert_eq!(
        serde_json::to_value(&row[0].about).unwrap(),
        json!({"runs": ["r12"], "jobs": ["//:daily"], "datasets": ["daily"]})
    );
}

/// A graph may be large, and it is the first event of most logs.
#[test]
fn no_event_is_read_but_those_that_are_told() {
    let content = "the content of a graph";
    let graph = GraphRegistered {
        graph: GraphId::of(content),
        content: content.into(),
        inherited: BTreeMap::new(),
        sources: BTreeMap::new(),
    };
    let over = WantEnded { want: WantId(3), outcome: WantOutcome::Failed, causes: Vec::new(), counts: None };
    let events = [Event::GraphRegistered(graph), Event::WantEnded(over.clone()), Event::WantEnded(over)];
    let records = events.map(|event| Record { at: Timestamp::UNIX_EPOCH, origin: Origin::default(), event });
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("log.db");
    let mut log = SqliteLog::open(&database).unwrap();
    log.append(&Batch { records: records.to_vec(), ..Batch::default() }).unwrap();
    // Whoever reads the graph from now on fails.
    drop(log);
    let mut bytes = std::fs::read(&database).unwrap();
    let at = bytes.windows(content.len()).position(|found| found == content.as_bytes()).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&database, bytes).unwrap();
    let _log = SqliteLog::open(&database).unwrap();
    let reader = Reader::new(&database, 1);
    assert_eq!(reader.event(Seq(1)).unwrap_err().code(), "corrupt_log");

    let (state, filter) = (State::default(), Filter::default());
    let part = |after| Part { after, before: None, limit: 1 };
    let seqs = |page: EventPage| page.data.iter().map(|row| row.seq).collect::<Vec<_>>();
    assert_eq!(seqs(newest(&reader, part(None), &filter, &filter.at(&state)).unwrap()), [3]);
    assert_eq!(seqs(page(&reader, part(Some(Seq(1))), &filter, &filter.at(&state)).unwrap()), [2]);
    let (archived, told) = told(&reader, &mut Runs::default(), Seq(1), Seq(3), 10).unwrap();
    assert_eq!((archived, told.len()), (Seq(0), 2));
}
