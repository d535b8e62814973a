//! Graph files: what the rules write is read, and what is wrong is named.

mod support;

use databuild_core::decide::{Core, Input, Sightings};
use databuild_core::event::{Event, GraphRegistered, Origin, Record, Refresh};
use databuild_core::graph::file::{BatchEntry, EdgeName, GranularityName, RuleEntry};
use databuild_core::graph::{parse_file, Graph, Params, ProblemCode as Code};
use databuild_core::ids::GraphId;
use databuild_core::symbols::Symbols;
use serde_json::Value;
use std::collections::BTreeMap;
use support::graphs::{days, listed, months, reads, time, GraphSpec};
use support::workspace::request;

fn codes(content: &str) -> Vec<Code> {
    match Graph::parse_new(content, &mut Symbols::new()) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            for problem in &problems {
                assert!(!problem.message.is_empty() && !problem.help.is_empty(), "{problem:?}");
            }
            problems.into_iter().map(|problem| problem.code).collect()
        }
    }
}

/// `out` is made from `raw`, both by day and city.
fn sound() -> GraphSpec {
    let dims = [listed("city", &["oslo", "rome"]), days("date", "2010-01-01", "2010-01-31")];
    GraphSpec::new().external("raw", &dims).job("make", &["out"], &dims, vec![reads("raw")]).files()
}

#[test]
fn the_golden_graph_of_the_rules_is_sound() {
    let path = support::repository_file("rules/tests/golden/graph.json");
    let content = std::fs::read_to_string(path).unwrap();
    let graph = match Graph::parse_new(&content, &mut Symbols::new()) {
        Ok(graph) => graph,
        Err(problems) => panic!("{problems:?}"),
    };
    assert_eq!(graph.label, "//rules/tests/golden:graph");
    let ingest =
        graph.job_labeled("//rules/tests/golden:ingest").map(|ix| graph.job(ix)).expect("it has that job");
    assert_eq!(ingest.outputs.len(), 2);
    assert_eq!((ingest.policy.retries, ingest.policy.backoff.as_millis()), (3, 500));
    assert_eq!(graph.keep_events, Some(std::time::Duration::from_secs(90 * 24 * 3600)));
    // Written out again it is the same to the byte: no field is lost on the way, and its digest stays.
    let file = parse_file(&content).unwrap();
    assert_eq!(serde_json::to_string_pretty(&file).unwrap() + "\n", content);
}

/// Whether one file says all that another one says, and perhaps what could not be said then.
fn says(now: &Value, before: &Value) -> bool {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => {
            before.iter().all(|(name, before)| now.get(name).is_some_and(|now| says(now, before)))
        }
        (Value::Array(now), Value::Array(before)) => {
            now.len() == before.len() && now.iter().zip(before).all(|(now, before)| says(now, before))
        }
        _ => now == before,
    }
}

/// Pointers to all objects of a document whose fields have a meaning.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            // Names of variables, parameters and pools are the user's.
            let open = ["/env", "/params", "/pools"].iter().any(|name| at.ends_with(name));
            found.extend((!open).then(|| at.to_owned()));
            fields.iter().for_each(|(name, field)| objects(field, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| objects(item, &format!("{at}/{i}"), found));
        }
        _ => {}
    }
}

#[test]
fn an_unknown_field_is_refused_at_each_level() {
    let path = support::repository_file("rules/tests/golden/graph.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut levels = Vec::new();
    objects(&golden, "", &mut levels);
    assert!(levels.contains(&"/jobs/0".to_owned()) && levels.contains(&"/datasets/0".to_owned()));
    for level in levels {
        let mut file = golden.clone();
        file.pointer_mut(&level).unwrap()["news"] = 1.into();
        assert_eq!(codes(&file.to_string()), [Code::Malformed], "{level}");
    }
}

#[test]
fn files_of_earlier_formats_say_what_they_said() {
    let file = |path: &str| std::fs::read_to_string(support::repository_file(path)).unwrap();
    let read = |path: &str| serde_json::to_value(parse_file(&file(path)).unwrap()).unwrap();
    let now = read("rules/tests/golden/graph.json");
    let before = read("databuild/core/tests/fixtures/graph-format-1.json");
    assert!(says(&now, &before), "{before:#}");
    // Also of these nobody knows what a further field means.
    let more = file("databuild/core/tests/fixtures/graph-format-1.json")
        .replace("\"retries\"", "\"news\": 1, \"retries\"");
    assert_eq!(codes(&more), [Code::Malformed]);
}

#[test]
fn jobs_stand_in_dependency_order_whatever_their_names() {
    let graph = GraphSpec::new()
        .job("z", &["first"], &[], vec![])
        .job("m", &["second"], &[], vec![reads("first")])
        .job("a", &["third"], &[], vec![reads("second"), reads("first")])
        .parse()
        .unwrap();
    let labels: Vec<_> = graph.jobs().map(|(_, job)| job.label.as_str()).collect();
    assert_eq!(labels, ["//:z", "//:m", "//:a"]);
    let first = graph.dataset_named("first").unwrap();
    assert_eq!(graph.dataset(first).consumers.len(), 2);
}

#[test]
fn every_problem_has_a_graph_that_shows_it() {
    let day = |name| days(name, "2010-01-01", "2010-01-31");
    let job_of = |graph: GraphSpec, change: fn(&mut databuild_core::graph::file::JobEntry)| {
        graph.change("make", change)
    };
    let dims_of = |dims| sound().dataset("raw", move |d| d.dims = dims).dataset("out", |d| d.path = None);
    let cases: Vec<(Code, String)> = vec![
        (Code::Malformed, "{\"format\": 2".to_owned()),
        (Code::Malformed, sound().json().replace("\"retries\"", "\"tries\"")),
        (Code::UnsupportedFormat, sound().json().replace("\"format\":2", "\"format\":3")),
        (Code::UnsupportedFormat, "{\"format\": 3, \"news\": []}".to_owned()),
        (Code::DuplicateDataset, sound().external("raw", &[]).json()),
        (Code::DuplicateJob, sound().job_alone("make", &["out"], vec![]).json()),
        (
            Code::DuplicateDimension,
            dims_of(vec![day("date"), day("date")]).dataset("raw", |d| d.path = None).json(),
        ),
        (Code::DuplicateInput, sound().change("make", |job| job.inputs.push(job.inputs[0].clone())).json()),
        (Code::BadName, sound().external("a=b", &[]).json()),
        (Code::BadName, sound().external("a//b", &[]).json()),
        (Code::BadName, sound().external("../b", &[]).json()),
        (Code::BadKey, GraphSpec::new().external("raw", &[listed("city", &["-x"])]).json()),
        (Code::BadKey, GraphSpec::new().external("raw", &[listed("city", &["a b"])]).json()),
        (Code::BadKey, GraphSpec::new().external("raw", &[listed("city", &["a..b"])]).json()),
        (Code::BadKey, GraphSpec::new().external("raw", &[listed("city", &[""])]).json()),
        (Code::BadKey, GraphSpec::new().external("raw", &[listed("city", &["a", "a"])]).json()),
        (Code::BadTimeKey, GraphSpec::new().external("raw", &[days("date", "2010-02-30", "")]).json()),
        (Code::BadTimeKey, GraphSpec::new().external("raw", &[days("date", "January", "")]).json()),
        (
            Code::EmptyKeySpace,
            GraphSpec::new().external("raw", &[days("date", "2010-02-02", "2010-02-01")]).json(),
        ),
        (Code::EmptyKeySpace, GraphSpec::new().external("raw", &[listed("city", &[])]).json()),
        (
            Code::UnknownTimezone,
            GraphSpec::new()
                .external("raw", &[time("d", GranularityName::Day, "2010-01-01", "", "Mars/Base")])
                .json(),
        ),
        (
            Code::TimezoneMismatch,
            GraphSpec::new()
                .external("raw", &[time("date", GranularityName::Day, "2010-01-01", "", "Europe/Oslo")])
                .job("make", &["out"], &[days("date", "2010-01-01", "")], vec![reads("raw")])
                .json(),
        ),
        (
            Code::GranularityMismatch,
            GraphSpec::new()
                .external("raw", &[day("date")])
                .job("make", &["out"], &[months("date", "2010-01", "")], vec![reads("raw")])
                .json(),
        ),
        (
            Code::GranularityMismatch,
            GraphSpec::new()
                .external("raw", &[listed("city", &["oslo"])])
                .job("make", &["out"], &[listed("city", &["oslo"])], vec![reads("raw").window("city", 2)])
                .json(),
        ),
        (
            Code::GranularityMismatch,
            GraphSpec::new()
                .external("raw", &[listed("date", &["oslo"])])
                .job("make", &["out"], &[day("date")], vec![reads("raw")])
                .json(),
        ),
        (
            Code::UnknownDimension,
            GraphSpec::new()
                .external("raw", &[day("date")])
                .job("make", &["out"], &[], vec![reads("raw")])
                .json(),
        ),
        (
            Code::UnknownDimension,
            GraphSpec::new()
                .external("raw", &[])
                .job("make", &["out"], &[day("date")], vec![reads("raw").all("town")])
                .json(),
        ),
        (
            Code::UnknownKey,
            GraphSpec::new()
                .external("raw", &[listed("city", &["oslo"])])
                .job("make", &["out"], &[], vec![reads("raw").only("city", &["rome"])])
                .json(),
        ),
        (
            Code::UnknownKey,
            GraphSpec::new()
                .external("raw", &[listed("city", &["oslo"])])
                .job("make", &["out"], &[], vec![reads("raw").only("city", &[])])
                .json(),
        ),
        (Code::UnknownDataset, sound().job_alone("other", &["nowhere"], vec![]).json()),
        (Code::UnknownDataset, GraphSpec::new().job("make", &["out"], &[], vec![reads("nowhere")]).json()),
        (Code::UnmappedDimension, sound().change("make", |job| job.inputs[0].dims.truncate(1)).json()),
        (Code::TwoProducers, sound().job_alone("other", &["out"], vec![]).json()),
        (Code::TwoProducers, sound().change("make", |job| job.outputs.push("out".to_owned())).json()),
        (Code::NoProducer, sound().dataset("raw", |d| d.external = false).json()),
        (Code::ExternalProduced, sound().job_alone("other", &["raw"], vec![]).json()),
        (Code::Cycle, {
            let graph =
                GraphSpec::new().job("a", &["x"], &[], vec![]).job("b", &["y"], &[], vec![reads("x")]);
            let back = graph.input(reads("y"));
            graph.change("a", |job| job.inputs.push(back)).json()
        }),
        (Code::Cycle, {
            let graph = GraphSpec::new().job("a", &["x"], &[day("date")], vec![]);
            let back = graph.input(reads("x").offset("date", -1).clip());
            graph.change("a", |job| job.inputs.push(back)).json()
        }),
        (Code::OutputDimsDiffer, {
            let graph = GraphSpec::new().job("a", &["x", "y"], &[day("date")], vec![]);
            graph.dataset("y", |d| d.dims = vec![]).json()
        }),
        (Code::OutputDimsDiffer, {
            let graph = GraphSpec::new().job("a", &["x", "y"], &[day("date")], vec![]);
            graph.dataset("y", |d| d.dims = vec![days("date", "2010-01-02", "2010-01-31")]).json()
        }),
        (Code::NoOutputs, sound().job_alone("other", &[], vec![]).json()),
        (Code::BadTemplate, sound().dataset("raw", |d| d.path = Some("raw/{city}.csv".into())).json()),
        (Code::BadTemplate, sound().dataset("raw", |d| d.path = Some("{city}/{date}/{x}".into())).json()),
        (Code::BadTemplate, sound().dataset("raw", |d| d.path = Some("../{city}/{date}".into())).json()),
        (Code::BadTemplate, sound().dataset("raw", |d| d.path = Some("{city}/{date".into())).json()),
        (Code::BadTemplate, job_of(sound(), |job| job.program.args = vec!["{town}".into()]).json()),
        (Code::BadTemplate, job_of(sound(), |job| job.program.args = vec!["{path:raw}".into()]).json()),
        (Code::BadTemplate, job_of(sound(), |job| job.program.args = vec!["{input:other}".into()]).json()),
        (Code::BadTemplate, job_of(sound(), |job| job.program.args = vec!["{}".into()]).json()),
        (Code::BadTemplate, {
            let graph = GraphSpec::new().job("make", &["out"], &[], vec![]);
            graph.change("make", |job| job.program.args = vec!["{path}".into()]).json()
        }),
        (Code::BadOwner, sound().dataset("raw", |d| d.policy.owner = Some("sales\nteam".into())).json()),
        (Code::BadOwner, sound().dataset("raw", |d| d.policy.owner = Some("sales ".into())).json()),
        (Code::BadOwner, sound().dataset("raw", |d| d.policy.owner = Some(String::new())).json()),
        (Code::BadOwner, sound().dataset("raw", |d| d.policy.owner = Some("a".repeat(101))).json()),
        (Code::UnknownDimension, sound().batch("town", 2).json()),
        (Code::BadBatch, sound().batch("date", 1).json()),
        (Code::BadBatch, sound().batch("date", 10_001).json()),
        (
            Code::BadBatch,
            job_of(sound().batch("date", 2), |job| job.program.args = vec!["{date}".into()]).json(),
        ),
        (
            Code::BadBatch,
            job_of(sound().batch("date", 2), |job| job.program.args = vec!["{path}".into()]).json(),
        ),
        (
            Code::BadBatch,
            job_of(sound().batch("date", 2), |job| job.program.args = vec!["{path:out}".into()]).json(),
        ),
        (
            Code::BadBatch,
            job_of(sound().batch("date", 2), |job| job.program.args = vec!["{input:raw}".into()]).json(),
        ),
        (
            Code::PathClash,
            sound().dataset("raw", |d| d.path = Some("out/out/{city}/{date}.csv".into())).json(),
        ),
        (
            Code::MappingHole,
            GraphSpec::new()
                .external("raw", &[day("date")])
                .job("make", &["out"], &[day("date")], vec![reads("raw").window("date", 7)])
                .json(),
        ),
        (
            Code::MappingHole,
            GraphSpec::new()
                .external("raw", &[listed("city", &["oslo"])])
                .job("make", &["out"], &[listed("city", &["oslo", "rome"])], vec![reads("raw")])
                .json(),
        ),
        (
            Code::BadRule,
            GraphSpec::new()
                .external("raw", &[day("date")])
                .job("make", &["out"], &[day("date")], vec![reads("raw").window("date", 0).clip()])
                .json(),
        ),
        (
            Code::BadRule,
            GraphSpec::new()
                .external("raw", &[day("date")])
                .job("make", &["out"], &[], vec![reads("raw").latest("date", 0)])
                .json(),
        ),
        (
            Code::BadRule,
            GraphSpec::new()
                .external("raw", &[day("date")])
                .job("make", &["out"], &[day("date")], vec![reads("raw").offset("date", 0)])
                .json(),
        ),
        (
            Code::BadEnvName,
            sound().change("make", |job| drop(job.program.env.insert("A B".into(), "1".into()))).json(),
        ),
        (Code::BadEnvName, sound().change("make", |job| job.program.env_inherit.push("1A".into())).json()),
        (Code::BadTimeout, sound().change("make", |job| job.program.timeout_ms = Some(0)).json()),
    ];
    assert_eq!(codes(&sound().json()), []);
    let batch = job_of(sound().batch("date", 2), |job| job.program.args = vec!["{city}{{date}}".into()]);
    assert_eq!(codes(&batch.json()), []);
    let mut wrong = Vec::new();
    for (code, content) in &cases {
        let found = codes(content);
        if found.is_empty() || found.iter().any(|other| other != code) {
            wrong.push(format!("{code} expected, {found:?} found: {content}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let shown: std::collections::BTreeSet<String> = cases.iter().map(|(code, _)| code.to_string()).collect();
    assert_eq!(shown.len(), 31, "a code without a case? {shown:?}");

    // Whatever later versions think of a graph, a log that has it is read, unless there is nothing to read.
    let mut blocking = std::collections::BTreeSet::new();
    for (code, content) in &cases {
        let mut core = Core::new(1);
        match Graph::parse(content, &mut Symbols::new()) {
            Err(_) => drop(blocking.insert(*code)),
            Ok(_) => fold_and_want_all(&mut core, content),
        }
    }
    let expected = [
        Code::Malformed,
        Code::UnsupportedFormat,
        Code::DuplicateDataset,
        Code::DuplicateJob,
        Code::DuplicateDimension,
        Code::DuplicateInput,
        Code::BadKey,
        Code::BadTimeKey,
        Code::EmptyKeySpace,
        Code::UnknownTimezone,
        Code::TimezoneMismatch,
        Code::GranularityMismatch,
        Code::UnknownDimension,
        Code::UnknownDataset,
        Code::UnmappedDimension,
        Code::TwoProducers,
        Code::NoProducer,
        Code::Cycle,
        Code::OutputDimsDiffer,
        Code::NoOutputs,
        Code::BadTemplate,
        Code::BadRule,
    ];
    assert_eq!(blocking, std::collections::BTreeSet::from(expected), "a new rule must not be among these");
}

/// Goes on with a log that has this graph, and wants all that it makes.
fn fold_and_want_all(core: &mut Core, content: &str) {
    let content: std::sync::Arc<str> = content.into();
    let (inherited, sources) = Default::default();
    let graph = GraphRegistered { graph: GraphId::of(&content), content, inherited, sources };
    let now = "2010-02-01T00:00:00Z".parse().unwrap();
    core.replay(&Record { at: now, origin: Origin::default(), event: Event::GraphRegistered(graph) })
        .unwrap();
    let graph = std::sync::Arc::clone(core.state.registered());
    let made = graph.graph.datasets().filter(|(_, dataset)| dataset.producer.is_some());
    let targets: Vec<&str> = made.map(|(_, dataset)| dataset.name.as_str()).collect();
    // It may be refused, as nothing comes of some of these; that it is decided counts.
    let want = Input::CreateWant(request(&targets, Refresh::Stale), Sightings::default());
    drop(core.step(want, now));
}

#[test]
fn all_problems_are_told_at_once_and_a_circle_is_named() {
    let graph = sound()
        .change("make", |job| {
            job.program.timeout_ms = Some(0);
            job.program.args = vec!["{town}".into()];
        })
        .job_alone("other", &["nowhere"], vec![]);
    assert_eq!(codes(&graph.json()), [Code::BadTimeout, Code::BadTemplate, Code::UnknownDataset]);

    let graph = GraphSpec::new().job("a", &["x"], &[], vec![]).job("b", &["y"], &[], vec![reads("x")]).job(
        "c",
        &["z"],
        &[],
        vec![reads("y")],
    );
    let back = graph.input(reads("z"));
    let problems = graph.change("a", |job| job.inputs.push(back)).parse().unwrap_err();
    assert_eq!(
        problems[0].message,
        "jobs wait for each other: //:a reads z, made by //:c reads y, made by //:b reads x, made by //:a"
    );
}

#[test]
fn digests_change_with_what_they_speak_of() {
    let digests = |graph: &GraphSpec| {
        let graph = graph.parse().unwrap();
        let job = graph.job_labeled("//:make").unwrap();
        graph.job(job).digests(&[("TZ".to_owned(), "1".to_owned())].into(), &Default::default())
    };
    let base = digests(&sound());
    let same = digests(&sound().change("make", |job| {
        job.policy.retries = 7;
        job.program.timeout_ms = Some(5);
        job.program.grace_ms = Some(1);
        job.batch = Some(BatchEntry { dim: "date".into(), max: 9 });
    }));
    assert_eq!(same, base, "retries and time limits are no part of what is made");
    let code = digests(&sound().code("make", "other"));
    assert!(code.code != base.code && code.args == base.args && code.template == base.template);
    for change in [
        |job: &mut databuild_core::graph::file::JobEntry| job.program.args = vec!["x".into()],
        |job: &mut databuild_core::graph::file::JobEntry| {
            drop(job.program.env.insert("x".into(), "y".into()))
        },
        |job: &mut databuild_core::graph::file::JobEntry| job.program.env_inherit = vec!["TZ".into()],
    ] {
        let args = digests(&sound().change("make", change));
        assert!(args.args != base.args && args.code == base.code && args.template == base.template);
    }
    let moved = digests(&sound().dataset("out", |d| d.path = Some("other/{city}/{date}".into())));
    assert!(moved.template != base.template && moved.code == base.code && moved.args == base.args);
}

#[test]
fn rules_of_an_input_find_their_dimension_by_name() {
    // `day` of the input follows from `date` of the output.
    let same = RuleEntry::Same { of: "date".to_owned() };
    let graph = GraphSpec::new()
        .external("raw", &[days("day", "2010-01-01", "")])
        .job(
            "make",
            &["out"],
            &[listed("city", &["oslo"]), days("date", "2010-01-01", "")],
            vec![reads("raw").rule("day", same).edges(EdgeName::Fail, EdgeName::Skip)],
        )
        .parse()
        .unwrap();
    let out = graph.dataset_named("out").unwrap();
    assert!(graph.may_omit(out));
    assert!(!graph.may_omit(graph.dataset_named("raw").unwrap()));
}

#[test]
fn events_are_kept_for_an_hour_at_least() {
    let mut spec = sound();
    spec.file.keep_events_ms = Some(3_600_000);
    assert_eq!(spec.parse().unwrap().keep_events, Some(std::time::Duration::from_secs(3600)));
    spec.file.keep_events_ms = Some(3_599_999);
    assert_eq!(codes(&spec.json()), [Code::BadLimit]);
}

#[test]
fn an_owner_is_told_and_is_no_reason_to_build_anything() {
    let owned = sound().dataset("out", |d| d.policy.owner = Some("Überblick <team@example.com>".into()));
    let (before, after) = (sound().parse().unwrap(), owned.parse().unwrap());
    let out = after.dataset(after.dataset_named("out").unwrap());
    assert_eq!(out.policy.owner.as_deref(), Some("Überblick <team@example.com>"));
    let digests = |graph: &databuild_core::graph::Graph| {
        let jobs = graph.jobs().map(|(_, job)| job.digests(&BTreeMap::new(), &Params::new()));
        jobs.collect::<Vec<_>>()
    };
    assert_eq!(digests(&before), digests(&after));
}
