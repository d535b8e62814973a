//! In which order work begins, as it is told before it does.

mod support;

use databuild_core::decide::blocker::under_way;
use databuild_core::decide::queue::{could_begin, upcoming, Counted, Next};
use databuild_core::decide::Input;
use databuild_core::event::{AttemptOutcome, PriorityClass, Refresh};
use std::time::Duration;
use support::graphs::{days, listed, reads, GraphSpec};
use support::workspace::{request, Workspace};

/// `raw` by day, `sum` made from it, `side` on its own.
fn graph() -> GraphSpec {
    let days = [days("day", "2010-01-01", "2010-01-05")];
    GraphSpec::new()
        .job("make_raw", &["raw"], &days, vec![])
        .job("make_sum", &["sum"], &days, vec![reads("raw")])
        .job("make_side", &["side"], &[listed("n", &["1", "2", "3"])], vec![])
}

fn want(workspace: &mut Workspace, target: &str, class: PriorityClass) {
    let mut asked = request(&[target], Refresh::Stale);
    asked.class = class;
    workspace.try_want(asked).unwrap();
}

/// The partitions that each place of the queue names.
fn queue(workspace: &Workspace) -> Vec<String> {
    let state = &workspace.core.state;
    let said = |next: &Next| match next {
        Next::HandedOut(run) => format!("handed out {}", state.runs()[run].partition),
        Next::Retry(run) => format!("again {}", state.runs()[run].partition),
        Next::Work { job, want, first, all, .. } => {
            let first: Vec<String> =
                first.iter().map(|set| state.graph().home(*job).batch_text(set, state.symbols())).collect();
            format!("{want} {} of {}", first.join(" "), all.len())
        }
        Next::Arm(arm) => format!("{}", arm.trial),
    };
    upcoming(state, workspace.core.slots, workspace.now, 20).iter().map(said).collect()
}

#[test]
fn wants_stand_by_class_and_age_and_backfills_begin_with_the_newest() {
    let mut workspace = Workspace::new(&graph(), 1);
    want(&mut workspace, "raw", PriorityClass::Backfill);
    want(&mut workspace, "side", PriorityClass::Interactive);
    want(&mut workspace, "raw/day=2010-01-02", PriorityClass::Interactive);
    assert_eq!(workspace.running(), ["raw/day=2010-01-05"]);
    let expected = [
        "w2 side/n=1 side/n=2 side/n=3 of 3",
        "w3 raw/day=2010-01-02 of 1",
        "w1 raw/day=2010-01-04 raw/day=2010-01-03 raw/day=2010-01-01 of 3",
    ];
    assert_eq!(queue(&workspace), expected);
    assert_eq!(could_begin(&workspace.core.state, 1, workspace.now, Counted::ALL), 7, "each partition once");
}

#[test]
fn what_was_told_to_be_next_begins_next() {
    let retries = |job: &mut databuild_core::graph::file::JobEntry| {
        job.policy.retries = 1;
        (job.policy.backoff, job.policy.backoff_max) = (Duration::from_secs(5), Duration::from_secs(5));
    };
    let mut workspace = Workspace::new(&graph().change("make_side", retries), 1);
    want(&mut workspace, "side", PriorityClass::Interactive);
    want(&mut workspace, "sum", PriorityClass::Backfill);
    want(&mut workspace, "sum/day=2010-01-02", PriorityClass::Interactive);
    workspace.end("side/n=1", AttemptOutcome::Failure { permanent: false });
    assert!(!queue(&workspace)[0].contains("side/n=1"), "it is not due yet");
    workspace.later(60);
    assert_eq!(queue(&workspace)[0], "again side/n=1");
    let mut begun = 0;
    while let Some(running) = workspace.running().first().map(|text| (*text).to_owned()) {
        // The first that is named of the first place; what its end makes ready may come before it.
        let told = queue(&workspace).first().map(|place| place.split(' ').nth(1).unwrap().to_owned());
        let ready = could_begin(&workspace.core.state, 1, workspace.now, Counted::ALL);
        workspace.finish(&running, "v1");
        if could_begin(&workspace.core.state, 1, workspace.now, Counted::ALL) + 1 == ready {
            assert_eq!(workspace.running().first().copied(), told.as_deref(), "after {running}");
            begun += 1;
        }
    }
    assert!(begun > 3, "{begun} were told");
}

#[test]
fn paused_work_is_not_in_the_queue_and_what_runs_is_not_either() {
    let mut workspace = Workspace::new(&graph(), 1);
    want(&mut workspace, "side", PriorityClass::Interactive);
    workspace.step(Input::PauseWant(databuild_core::ids::WantId(1))).reply.unwrap();
    assert!(queue(&workspace).is_empty());
    assert_eq!(could_begin(&workspace.core.state, 1, workspace.now, Counted::ALL), 0);
    assert_eq!(under_way(&workspace.core.state, 1).len(), 1);
}
