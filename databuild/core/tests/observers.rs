//! Observed external data: what graphs may say of it, and what becomes of what rests on data that could not
//! be observed.

mod support;

use databuild_core::decide::{AdoptRequest, FoundFile, Input, Refusal, Reply, Sighting, Sightings};
use databuild_core::event::{PlanRowKind, Refresh, WantOutcome};
use databuild_core::graph::file::{DatasetEntry, ObserveEntry, ObserverEntry, ProgramEntry};
use databuild_core::graph::Graph;
use databuild_core::ids::{PlanId, WantId};
use databuild_core::observation::Blindness;
use databuild_core::partition_set::PartitionSet;
use databuild_core::planner::Unseen;
use databuild_core::symbols::Symbols;
use support::graphs::{listed, reads, GraphSpec};
use support::workspace::{applying, planning, request, Workspace};

const REASON: &str = "//:probe gave no answer within 30 s";

/// `mid` is made from `raw` for each city, `top` from all of it, `other` from `rates`.
fn graph() -> GraphSpec {
    let cities = [listed("city", &["oslo", "rome"])];
    GraphSpec::new()
        .external("raw", &cities)
        .external("rates", &[])
        .job("make_mid", &["mid"], &cities, vec![reads("raw")])
        .job("make_top", &["top"], &[], vec![reads("mid").all("city")])
        .job("make_other", &["other"], &[], vec![reads("rates")])
        .files()
}

/// All is seen and built.
fn built() -> Workspace {
    let mut workspace = Workspace::new(&graph(), 4);
    for raw in ["raw/city=oslo", "raw/city=rome", "rates"] {
        workspace.observe(raw, "1");
    }
    workspace.want(&["top", "other"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace
}

/// A look that could not see these partitions.
fn blind(workspace: &Workspace, partitions: &[&str]) -> Sightings {
    let state = &workspace.core.state;
    let one = |text: &&str| {
        let (dataset, key) = state.resolve_one(text).unwrap();
        let set = PartitionSet::single(state.graph().dataset(dataset).shape, &key);
        Unseen { dataset, set, kind: Blindness::Unreadable, message: REASON.to_owned() }
    };
    let unseen = partitions.iter().map(one).collect();
    Sightings { graph: Some(state.registered().id.clone()), seen: Vec::new(), unseen }
}

fn want(workspace: &mut Workspace, targets: &[&str], refresh: Refresh, seen: Sightings) -> WantId {
    match workspace.step(Input::CreateWant(request(targets, refresh), seen)).reply {
        Ok(Reply::Want(want)) => want,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_rests_on_unseen_data_fails_with_the_reason_and_the_rest_is_built() {
    let mut workspace = Workspace::new(&graph(), 4);
    workspace.observe("rates", "1");
    workspace.observe("raw/city=rome", "1");
    let seen = blind(&workspace, &["raw/city=oslo"]);
    let from = workspace.log.len();
    let want = want(&mut workspace, &["top", "mid", "other"], Refresh::Stale, seen);
    assert_eq!(workspace.finish_all("v1"), ["other", "mid/city=rome"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert_eq!(
        workspace.causes(want),
        [
            format!("input `raw/city=oslo` could not be observed: {REASON}"),
            format!("input `mid/city=oslo` rests on `raw/city=oslo`, which could not be observed: {REASON}"),
        ]
    );
    let kinds = workspace.kinds_since(from);
    assert!(!kinds.contains(&"observed") && !kinds.contains(&"files_vanished"), "{kinds:?}");
}

#[test]
fn what_was_current_is_not_said_to_be_and_stays_as_recorded() {
    let mut workspace = built();
    let seen = blind(&workspace, &["raw/city=oslo"]);
    let failed = want(&mut workspace, &["top"], Refresh::Stale, seen);
    assert!(workspace.ordered.is_empty());
    assert_eq!(workspace.outcome(failed), Some(WantOutcome::Failed));
    // What is there is good enough for whoever wants only what is missing.
    let seen = blind(&workspace, &["raw/city=oslo"]);
    let fine = want(&mut workspace, &["top"], Refresh::Missing, seen);
    assert_eq!(workspace.outcome(fine), Some(WantOutcome::Satisfied));
    // As soon as it answers again all is as it was.
    let fine = workspace.want(&["top"], Refresh::Stale);
    assert_eq!(workspace.outcome(fine), Some(WantOutcome::Satisfied));
    assert!(workspace.ordered.is_empty());
}

#[test]
fn external_data_that_is_wanted_itself_and_unseen_is_failed_once() {
    let mut workspace = built();
    let seen = blind(&workspace, &["raw/city=oslo"]);
    let failed = want(&mut workspace, &["raw"], Refresh::Stale, seen);
    assert_eq!(
        workspace.causes(failed),
        [format!("`raw/city=oslo` is external and could not be observed: {REASON}")]
    );
}

#[test]
fn a_plan_shows_what_could_not_be_observed() {
    let mut workspace = built();
    workspace.observe("rates", "2");
    let seen = blind(&workspace, &["raw/city=oslo"]);
    let plan = planning(&["top", "other", "raw/city=oslo"], Refresh::Stale);
    let Ok(Reply::Planned { plan, kept: true }) = workspace.step(Input::CreatePlan(plan, seen)).reply else {
        panic!("no plan")
    };
    let blocked: Vec<_> = plan
        .rows
        .iter()
        .filter(|row| row.kind == PlanRowKind::Blocked)
        .map(|row| (row.job.as_str(), row.reason.as_str(), row.partitions.join(" "), row.message.clone()))
        .collect();
    let top =
        format!("input `mid/city=oslo` rests on `raw/city=oslo`, which could not be observed: {REASON}");
    assert_eq!(
        blocked,
        [
            (
                "//:make_mid",
                "blocked",
                "mid/city=oslo".to_owned(),
                format!("input `raw/city=oslo` could not be observed: {REASON}")
            ),
            ("//:make_top", "blocked", "top".to_owned(), top),
            (
                "",
                "not_observed",
                "raw/city=oslo".to_owned(),
                format!("external and could not be observed: {REASON}")
            ),
        ]
    );
    assert_eq!((plan.current, plan.rows.len()), (1, 4));
}

#[test]
fn a_plan_is_carried_out_as_far_as_its_data_can_be_observed() {
    let mut workspace = built();
    workspace.observe("rates", "2");
    workspace.observe("raw/city=rome", "2");
    let plan = workspace.plan(&["other", "mid"], Refresh::Stale);
    let apply = |workspace: &mut Workspace, plan: PlanId, seen| match workspace
        .step(Input::ApplyPlan(applying(plan), seen))
        .reply
    {
        Ok(Reply::Want(want)) => want,
        other => panic!("{other:?}"),
    };
    let seen = blind(&workspace, &["raw/city=rome"]);
    let want = apply(&mut workspace, plan.plan, seen);
    assert_eq!(workspace.finish_all("v2"), ["other"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
}

#[test]
fn what_was_blocked_when_it_was_planned_is_not_built_by_the_plan() {
    let mut workspace = built();
    workspace.observe("rates", "2");
    workspace.observe("raw/city=rome", "2");
    let seen = blind(&workspace, &["raw/city=rome"]);
    let request = planning(&["other", "mid"], Refresh::Stale);
    let Ok(Reply::Planned { plan, .. }) = workspace.step(Input::CreatePlan(request, seen)).reply else {
        panic!("no plan")
    };
    let refused = workspace.apply(plan.plan).unwrap_err();
    let added = "`mid/city=rome` would be built, which was not shown".to_owned();
    assert_eq!(refused, Refusal::PlanOutdated { plan: plan.plan, changes: vec![added] });
}

#[test]
fn nothing_is_adopted_whose_inputs_are_not_known() {
    let mut workspace = Workspace::new(&graph(), 4);
    workspace.observe("raw/city=oslo", "1");
    workspace.observe("raw/city=rome", "1");
    let adopt = |workspace: &mut Workspace, text: &str| {
        let (dataset, key) = workspace.core.state.resolve_one(text).unwrap();
        let files = vec![FoundFile { dataset, key, version: "v".to_owned(), mark: 7, bytes: 1 }];
        let seen = blind(workspace, &["raw/city=oslo"]);
        workspace.step(Input::Adopt(AdoptRequest { files }, seen)).reply
    };
    let from = workspace.log.len();
    let refused = adopt(&mut workspace, "mid/city=oslo").unwrap_err();
    assert_eq!(refused.code(), "not_observed");
    assert!(refused.to_string().contains(REASON), "{refused}");
    assert_eq!(workspace.kinds_since(from), [""; 0]);
    assert!(adopt(&mut workspace, "mid/city=rome").is_ok());
}

#[test]
fn a_version_that_an_observer_says_again_is_no_event() {
    let mut workspace = built();
    let from = workspace.log.len();
    workspace.observe("rates", "1");
    assert_eq!(workspace.kinds_since(from), [""; 0]);
    let (dataset, key) = workspace.core.state.resolve_one("rates").unwrap();
    workspace.see(vec![Sighting::Gone(dataset, key)]);
    assert_eq!(workspace.kinds_since(from), ["files_vanished"]);
}

fn glob(pattern: &str) -> ObserveEntry {
    ObserveEntry::Glob { pattern: pattern.to_owned() }
}

fn http(url: &str) -> ObserveEntry {
    ObserveEntry::Http { url: url.to_owned(), timeout_ms: 1_000, every_ms: 0 }
}

fn program() -> ObserverEntry {
    ObserverEntry {
        label: "//:probe".to_owned(),
        program: ProgramEntry {
            args: vec!["{literal}".to_owned()],
            env_inherit: vec!["TOKEN".to_owned()],
            ..support::graphs::program("probe", Some(1_000))
        },
        every_ms: 60_000,
    }
}

fn observed(change: impl FnOnce(&mut DatasetEntry)) -> GraphSpec {
    graph().dataset("raw", |dataset| {
        dataset.path = None;
        change(dataset);
    })
}

#[test]
fn each_way_to_observe_is_read_and_written() {
    for observe in
        [glob("data/{city}/**/*.csv"), http("https://x.org/{city}?v=1"), ObserveEntry::Program(program())]
    {
        let spec = observed(|dataset| dataset.observe = Some(observe.clone()));
        let file = databuild_core::graph::parse_file(&spec.json()).unwrap();
        assert_eq!(file.datasets[0].observe, Some(observe));
        spec.parse().unwrap();
    }
    let spec = observed(|dataset| dataset.observe = Some(ObserveEntry::Program(program())));
    let graph = spec.parse().unwrap();
    assert!(graph.codes().any(|code| code == "code of probe"));
    assert_eq!(graph.inherited_names().into_iter().collect::<Vec<_>>(), ["TOKEN"]);
    let labels: Vec<_> = spec.file.programs().map(|(label, _)| label).collect();
    assert_eq!(labels.last(), Some(&"//:probe"));
}

#[test]
fn keys_are_literal_in_patterns_and_encoded_in_urls() {
    let keys = [listed("city", &["a*[b]", "å&?"])];
    let place = |observe: ObserveEntry| {
        let spec = GraphSpec::new().external("raw", &keys).dataset("raw", |raw| raw.observe = Some(observe));
        let mut symbols = Symbols::new();
        let graph = Graph::parse(&spec.json(), &mut symbols).unwrap();
        let ix = graph.dataset_named("raw").unwrap();
        let (_, set) = graph.locate_set("raw", &symbols).unwrap();
        let dataset = graph.dataset(ix);
        set.iter()
            .filter_map(|key| {
                dataset.partition_pattern(&key, &symbols).or_else(|| dataset.partition_url(&key, &symbols))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(place(glob("in/{city}/*")), ["in/a[*][[]b[]]/*", "in/å&[?]/*"]);
    assert_eq!(place(http("http://h/{city}.csv")), ["http://h/a%2A%5Bb%5D.csv", "http://h/%C3%A5%26%3F.csv"]);
}

#[test]
fn observations_that_make_no_sense_are_refused() {
    let problem = |change: &dyn Fn(&mut DatasetEntry)| {
        let problems = observed(change).parse().expect_err("it makes no sense");
        assert!(problems.iter().all(|problem| !problem.help.is_empty()));
        let text = |problem: &databuild_core::graph::GraphProblem| format!("{}: {problem}", problem.code);
        problems.iter().map(text).collect::<Vec<_>>().join("\n")
    };
    for (observe, part) in [
        (glob("data/*.csv"), "bad_template: pattern `data/*.csv` does not name dimension `city`"),
        (
            glob("data/{town}/{city}"),
            "bad_template: pattern `data/{town}/{city}`: `town` is no dimension of `raw`",
        ),
        (glob("data/{city"), "is never closed"),
        (glob("../{city}"), "the pattern is not plain"),
        (glob("a//{city}"), "the pattern is not plain"),
        (glob(""), "the pattern is not plain"),
        (glob("data/**.csv/{city}"), "`**` stands for folders"),
        (glob("data/{city}/**"), "the pattern matches no files"),
        (glob("data/[a/{city}"), "a `[` is never closed"),
        (glob("data/[]/{city}"), "a `[` is never closed"),
        (http("ftp://x/{city}"), "the URL is not one of HTTP"),
        (http("https:///{city}"), "the URL names no host"),
        (http("https://:80/{city}"), "the URL names no host"),
        (http("https://ada:secret@x/{city}"), "the URL holds a user's name or password"),
        (http("https://{city}@x/"), "the URL holds a user's name or password"),
        (http("https://x/{city}#top"), "or a fragment"),
        (http("https://x/ {city}"), "a character that no URL has"),
        (http("https://x/"), "bad_template: URL `https://x/` does not name dimension `city`"),
    ] {
        let found = problem(&|dataset| dataset.observe = Some(observe.clone()));
        assert!(found.contains(part), "{part:?} is not in {found:?}");
        assert!(!found.contains("secret"), "{found}");
    }
    for timeout_ms in [0, 3_600_001] {
        let mut entry = program();
        entry.program.timeout_ms = Some(timeout_ms);
        let found = problem(&|dataset| dataset.observe = Some(ObserveEntry::Program(entry.clone())));
        assert!(found.contains("the timeout is no time to wait"), "{found}");
    }
    let mut entry = program();
    entry.program.env_inherit = vec!["1X".to_owned()];
    let found = problem(&|dataset| dataset.observe = Some(ObserveEntry::Program(entry.clone())));
    assert!(found.contains("no name of an environment variable"), "{found}");
    let found = problem(&|dataset| {
        dataset.path = Some("x/{city}".to_owned());
        dataset.observe = Some(glob("data/{city}/*"));
    });
    assert!(found.contains("a partition's files are what the pattern matches"), "{found}");
    let mid = |dataset: &mut DatasetEntry| dataset.observe = Some(http("https://x/{city}"));
    let problems = graph().dataset("mid", mid).parse().unwrap_err();
    assert!(problems[0].message.contains("only external data is observed"), "{problems:?}");
}

#[test]
fn a_built_file_that_cannot_be_read_is_neither_current_nor_gone() {
    let mut workspace = built();
    let seen = blind(&workspace, &["mid/city=oslo"]);
    let blocked = |workspace: &Workspace, want| {
        let created = workspace.log.iter().rev().find_map(|record| match &record.event {
            databuild_core::event::Event::WantCreated(created) if created.want == want => {
                Some(created.clone())
            }
            _ => None,
        });
        created.unwrap().blocked.into_iter().map(|blocked| blocked.reason).collect::<Vec<_>>()
    };
    let id = want(&mut workspace, &["top"], Refresh::Stale, seen.clone());
    let told = format!("`mid/city=oslo` could not be observed: {REASON}");
    assert_eq!(blocked(&workspace, id), [told.clone(), format!("input {told}")]);
    assert_eq!(workspace.outcome(id), Some(WantOutcome::Failed));
    // What is there is good enough for who only wants what is missing.
    let id = want(&mut workspace, &["top"], Refresh::Missing, seen.clone());
    assert_eq!(workspace.outcome(id), Some(WantOutcome::Satisfied));
    // What is built anyway is known then.
    workspace.observe("raw/city=oslo", "2");
    let id = want(&mut workspace, &["top"], Refresh::Stale, seen);
    assert_eq!(blocked(&workspace, id), Vec::<String>::new());
    workspace.finish_all("v2");
    assert_eq!(workspace.outcome(id), Some(WantOutcome::Satisfied));
}
