//! Checks of data: what a graph may say of them, and what their findings lead to.

mod support;

use databuild_core::decide::{AttemptEnd, AttemptReport, Effect, Input, Success};
use databuild_core::event::{
    AttemptOutcome, CheckFindings, CheckOutcome, CheckResult, Event, Refresh, WantOutcome,
};
use databuild_core::graph::{Graph, ProblemCode as Code};
use databuild_core::state::Verdict;
use databuild_core::symbols::Symbols;
use support::graphs::{days, listed, reads, GraphSpec};
use support::workspace::{end_of, output, Workspace};

/// `out` and `log` are made from `raw`, for each city and day; `sane` looks at `out`.
fn graph() -> GraphSpec {
    let dims = [listed("city", &["oslo"]), days("date", "2010-01-01", "2010-01-10")];
    GraphSpec::new()
        .external("raw", &[])
        .job("make", &["out", "log"], &dims, vec![reads("raw")])
        .job("sum", &["total"], &dims, vec![reads("out")])
        .dataset("out", |dataset| dataset.path = Some("out/{city}/{date}".into()))
        .check("sane", "out")
}

#[test]
fn a_check_belongs_to_the_job_that_makes_its_dataset() {
    let graph = graph().check("other", "log").check("sum_check", "total").parse().unwrap();
    let of = |job: &str| -> Vec<_> {
        let job = graph.job_labeled(job).unwrap();
        graph.checks_of(job).map(|check| check.label.as_str()).collect()
    };
    assert_eq!(of("//:make"), ["//:sane", "//:other"]);
    assert_eq!(of("//:sum"), ["//:sum_check"]);
    assert_eq!(graph.checks().len(), 3);
}

#[test]
fn what_cannot_be_checked_is_named() {
    let codes = |spec: GraphSpec| match Graph::parse_new(&spec.json(), &mut Symbols::new()) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            assert!(problems.iter().all(|problem| !problem.help.is_empty() && problem.label == "//:bad"));
            problems.into_iter().map(|problem| problem.code).collect()
        }
    };
    let args = |dataset: &str, arg: &str| {
        let arg = arg.to_owned();
        codes(graph().check_with("bad", dataset, |check| check.program.args = vec![arg]))
    };
    assert_eq!(codes(graph().check("bad", "nothing")), [Code::UnknownDataset]);
    assert_eq!(codes(graph().check("bad", "raw")), [Code::ExternalChecked]);
    assert_eq!(codes(graph().check("bad", "out").check("bad", "log")), [Code::DuplicateCheck]);
    assert_eq!(
        codes(graph().check_with("bad", "out", |check| check.program.timeout_ms = Some(0))),
        [Code::BadTimeout]
    );
    let env =
        |check: &mut databuild_core::graph::file::CheckEntry| check.program.env_inherit = vec!["A=B".into()];
    assert_eq!(codes(graph().check_with("bad", "out", env)), [Code::BadEnvName]);
    assert_eq!(args("out", "--{city}={path} {{x}}"), []);
    for arg in ["{path", "{nothing}", "{input:raw}", "{path:out}"] {
        assert_eq!(args("out", arg), [Code::BadTemplate], "{arg}");
    }
    assert_eq!(args("log", "{path}"), [Code::BadTemplate], "it has no path");
}

#[test]
fn a_check_of_a_batch_reads_what_differs_from_its_request() {
    let codes = |arg: &str| {
        let arg = arg.to_owned();
        let graph = graph()
            .change("make", |job| {
                let dim = "date".to_owned();
                job.batch = Some(databuild_core::graph::file::BatchEntry { dim, max: 5 });
            })
            .check_with("bad", "out", |check| check.program.args = vec![arg]);
        graph.parse().map(drop).map_err(|problems| problems[0].code)
    };
    assert_eq!(codes("{path}"), Err(Code::BadBatch));
    assert_eq!(codes("{date}"), Err(Code::BadBatch));
    assert_eq!(codes("{city}"), Ok(()));
}

fn workspace() -> Workspace {
    let mut workspace = Workspace::new(&graph(), 100);
    workspace.observe("raw", "r1");
    workspace
}

const OUT: &str = "out/city=oslo/date=2010-01-01";

fn found(outcome: CheckOutcome) -> Vec<CheckFindings> {
    let result = CheckResult {
        partition: OUT.to_owned(),
        outcome,
        message: "no rows".to_owned(),
        metadata: "{}".to_owned(),
    };
    vec![CheckFindings { check: "//:sane".to_owned(), blocking: true, results: vec![result] }]
}

#[test]
fn another_check_makes_nothing_stale() {
    let mut workspace = workspace();
    workspace.want(&[OUT], Refresh::Stale);
    workspace.finish(OUT, "v1");
    let other = graph().check_with("new", "out", |check| check.blocking = false).check_with(
        "third",
        "log",
        |check| check.program.code = Some("x".into()),
    );
    workspace.register(&other);
    let state = &workspace.core.state;
    let (ix, key) = state.resolve_one(OUT).unwrap();
    let job = state.graph().dataset(ix).producer.unwrap();
    assert_eq!(state.verdict(job, &key), Verdict::Current);
}

#[test]
fn findings_are_recorded_before_the_end_whatever_it_is() {
    let mut workspace = workspace();
    workspace.want(&[OUT], Refresh::Stale);
    let attempt = workspace.attempt(OUT).attempt;
    let from = workspace.log.len();
    let outputs = vec![output(OUT, "v1"), output("log/city=oslo/date=2010-01-01", "v1")];
    let end = end_of(Ok(Success { outputs, ..Success::default() }));
    let end = AttemptEnd { checks: found(CheckOutcome::Passed), ..end };
    let step = workspace.step(Input::AttemptEnded { attempt, end });
    assert_eq!(workspace.kinds_since(from), ["checked", "attempt_ended", "publish_intended"]);
    assert!(matches!(&workspace.log[from].event, Event::Checked(checked)
        if checked.attempt == attempt && checked.checks == found(CheckOutcome::Passed)));
    workspace.publish(&step);
}

#[test]
fn what_a_check_refuses_is_not_published_and_what_was_there_stays() {
    let mut workspace = workspace();
    workspace.want(&[OUT], Refresh::Stale);
    workspace.finish(OUT, "v1");
    workspace.observe("raw", "r2");
    let total = "total/city=oslo/date=2010-01-01";
    let want = workspace.want(&[total], Refresh::Stale);
    let attempt = workspace.attempt(OUT).attempt;
    let report = AttemptReport::new(AttemptOutcome::Failure { permanent: true }, "check //:sane refuses");
    let end = AttemptEnd { checks: found(CheckOutcome::Failed), ..end_of(Err(report)) };
    let step = workspace.step(Input::AttemptEnded { attempt, end });
    assert!(!step.effects.iter().any(|effect| matches!(effect, Effect::Publish { .. })));
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert_eq!(workspace.causes(want), [format!("{OUT} failed: check //:sane refuses")]);
    let state = &workspace.core.state;
    let (ix, key) = state.resolve_one(OUT).unwrap();
    let job = state.graph().dataset(ix).producer.unwrap();
    assert_eq!(state.verdict(job, &key), Verdict::InputsChanged, "the data of before");
}
