//! Records for tests: an example of each event, and random histories that could have happened.

pub(super) use databuild_core::event::examples::{attempt, texts, time};
pub(super) use databuild_core::event::{
    example_findings as findings, example_graph as graph, example_output as output,
};

use databuild_core::digest::hash64;
use databuild_core::event::*;
use databuild_core::ids::{AttemptId, GraphId, RunId, Seq, WantId};
use databuild_core::state::{Entry, Holding};
use jiff::Timestamp;

/// An example of each origin.
pub(super) fn origins() -> Vec<Origin> {
    let ada = || Actor::Person("ada".into());
    let asked = Cause::Request { id: "4f-1".into(), client: "cli".into() };
    vec![
        Origin { actor: ada(), cause: Some(asked.clone()) },
        Origin { actor: Actor::Token("dashboard".into()), cause: Some(asked.clone()) },
        Origin::default(),
        Origin::because(asked),
        Origin::because(Cause::Run(RunId(12))),
        Origin::because(Cause::Want(WantId(3))),
        Origin { actor: ada(), cause: None },
    ]
}

/// An example of each event, a second apart.
pub(super) fn example_records() -> Vec<Record> {
    let start = time("2024-03-14T00:00:00.000000999Z").as_second();
    (start..)
        .zip(Event::examples())
        .zip(origins().into_iter().cycle())
        .map(|((second, event), origin)| Record { at: Timestamp::new(second, 999).unwrap(), origin, event })
        .collect()
}

/// A record at a second of 2024-03-14.
pub(super) fn at(second: i64, event: Event) -> Record {
    Record { at: Timestamp::new(1_710_374_400 + second, 0).unwrap(), origin: Origin::default(), event }
}

/// A history that an orchestrator could have written: runs are leased before they start, end once,
/// retry after a failure, and so on. Each of `choices` makes one step, so that a shorter list is a
/// simpler history.
pub(super) fn history(choices: &[u32]) -> Vec<Record> {
    let mut model = History::default();
    for (second, &choice) in (0_i64..).zip(choices) {
        let events = model.step(choice);
        model.records.extend(events.into_iter().map(|event| at(second, event)));
    }
    model.records
}

#[derive(Default)]
struct History {
    records: Vec<Record>,
    wants: Vec<WantId>,
    runs: Vec<ModelRun>,
    next_want: u64,
    next_run: u64,
}

#[derive(Clone, Copy)]
struct ModelRun {
    attempt: AttemptId,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Leased,
    Running,
    RetryWait,
    Succeeded,
}

impl History {
    fn step(&mut self, choice: u32) -> Vec<Event> {
        let (what, detail) = (choice % 10, choice / 10);
        match what {
            0 => self.open_want(detail),
            1 => self.close_want(detail),
            2 | 3 => self.lease(detail),
            4 => vec![Event::GraphRegistered(graph(&format!("graph {}", detail % 3)))],
            5 => vec![Event::Observed(Observed {
                partitions: (0..detail % 3)
                    .map(|n| SeenPartition {
                        partition: format!("raw/n={n}"),
                        version: format!("sha256:{detail}"),
                        mark: u64::from(detail),
                    })
                    .collect(),
            })],
            _ => self.advance(detail),
        }
    }

    fn open_want(&mut self, detail: u32) -> Vec<Event> {
        self.next_want += 1;
        let want = WantId(self.next_want);
        self.wants.push(want);
        vec![Event::WantCreated(WantCreated {
            want,
            targets: texts(["daily/date=2024-01-01"]),
            class: [PriorityClass::Interactive, PriorityClass::Backfill][detail as usize % 2],
            refresh: [Refresh::Missing, Refresh::Stale, Refresh::All][detail as usize % 3],
            as_of: time("2024-03-14T00:00:00Z"),
            expires_at: detail.is_multiple_of(2).then(|| time("2024-03-15T00:00:00Z")),
            due_at: None,
            comment: format!("comment {detail}"),
            work: vec![],
            forced: vec![],
            successors: vec![],
            blocked: vec![],
            plan: None,
            parent: None,
            params: Default::default(),
            request: None,
            asked: vec![],
            written: vec![],
        })]
    }

    fn close_want(&mut self, detail: u32) -> Vec<Event> {
        if self.wants.is_empty() {
            return vec![];
        }
        let want = self.wants.swap_remove(detail as usize % self.wants.len());
        let outcomes =
            [WantOutcome::Satisfied, WantOutcome::Failed, WantOutcome::Canceled, WantOutcome::Expired];
        let outcome = outcomes[detail as usize % 4];
        vec![Event::WantEnded(WantEnded { want, outcome, causes: texts(["because"]), counts: None })]
    }

    fn lease(&mut self, detail: u32) -> Vec<Event> {
        let waiting = self.runs.iter_mut().find(|run| run.phase == Phase::RetryWait);
        let attempt = match waiting {
            Some(run) => {
                run.attempt.number += 1;
                run.phase = Phase::Leased;
                run.attempt
            }
            None => {
                self.next_run += 1;
                let attempt = attempt(self.next_run, 1);
                self.runs.push(ModelRun { attempt, phase: Phase::Leased });
                attempt
            }
        };
        vec![Event::AttemptLeased(AttemptLeased {
            attempt,
            job: format!("//weather:job{}", detail % 2),
            partition: format!("daily/n={}", attempt.run.0 % 5),
            graph: GraphId::of("graph 0"),
            as_of: time("2024-03-14T00:00:00Z"),
            inputs: vec![u64::from(detail)],
            params: Default::default(),
            trial: None,
        })]
    }

    fn advance(&mut self, detail: u32) -> Vec<Event> {
        if self.runs.is_empty() {
            return vec![];
        }
        let index = detail as usize % self.runs.len();
        let ModelRun { attempt, phase } = self.runs[index];
        let detail = detail / 7;
        match phase {
            Phase::Leased if detail.is_multiple_of(5) => self.end_attempt(index, AttemptOutcome::Lost, true),
            Phase::Leased => {
                self.runs[index].phase = Phase::Running;
                vec![Event::AttemptStarted(AttemptStarted { attempt, pid: detail })]
            }
            Phase::Running => match detail % 6 {
                0 => self.end_attempt(index, AttemptOutcome::Failure { permanent: true }, false),
                1 => self.end_attempt(index, AttemptOutcome::Timeout, true),
                2 => {
                    let mut events = vec![Event::RunCancelRequested(RunCancelRequested { run: attempt.run })];
                    events.extend(self.end_attempt(index, AttemptOutcome::Canceled, false));
                    events
                }
                _ => {
                    let outcome = [CheckOutcome::Passed, CheckOutcome::Failed, CheckOutcome::Error]
                        [detail as usize / 6 % 3];
                    let checks = vec![findings("//weather:usual", false, [outcome, CheckOutcome::Passed])];
                    let mut events = vec![Event::Checked(Checked { attempt, checks })];
                    events.extend(self.end_attempt(index, AttemptOutcome::Success, true));
                    events
                }
            },
            Phase::RetryWait => {
                self.runs.swap_remove(index);
                let run = attempt.run;
                vec![Event::RunEnded(RunEnded { run, canceled: true, message: "gone".into() })]
            }
            Phase::Succeeded => {
                self.runs.swap_remove(index);
                let outputs = vec![
                    output(&format!("daily/n={}", attempt.run.0 % 5), u64::from(detail)),
                    output(&format!("extra/n={}", attempt.run.0 % 5), u64::from(detail)),
                ];
                vec![
                    Event::PublishIntended(PublishIntended { attempt, outputs: outputs.clone() }),
                    Event::Materialized(Materialized { attempt, outputs, goes_on: false }),
                ]
            }
        }
    }

    /// Ends the attempt; a failed one is tried again if `again`, else its run ends too.
    fn end_attempt(&mut self, index: usize, outcome: AttemptOutcome, again: bool) -> Vec<Event> {
        let attempt = self.runs[index].attempt;
        let success = outcome == AttemptOutcome::Success;
        let canceled = outcome == AttemptOutcome::Canceled;
        let mut events = vec![Event::AttemptEnded(AttemptEnded {
            attempt,
            outcome,
            message: if success { String::new() } else { format!("{attempt} failed") },
            exit_code: success.then_some(0),
            wall_ms: 10,
            cpu_ms: 5,
            max_rss_kb: 1000,
            retry_at: (!success && again).then(|| time("2024-03-14T00:10:00Z")),
            done: 0,
            returned: Vec::new(),
        })];
        if success {
            self.runs[index].phase = Phase::Succeeded;
        } else if again {
            self.runs[index].phase = Phase::RetryWait;
        } else {
            self.runs.swap_remove(index);
            let message = "no more".to_owned();
            events.push(Event::RunEnded(RunEnded { run: attempt.run, canceled, message }));
        }
        events
    }
}

/// What the state knows of a partition with these texts, after the event at `seq`.
pub(super) fn holding(texts: &[&str], seq: u64, version: &str) -> Holding {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    Holding { texts, entry: Entry { version: hash64(version), inputs: 0, mark: 0, seq: Seq(seq) } }
}
