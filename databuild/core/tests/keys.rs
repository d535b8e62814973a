//! Dynamic keys: they come, they go, they come back.

mod support;

use databuild_core::decide::{
    preview_added, Input, InvokeRequest, KeyCounts, KeyRequest, Leave, Refusal, Registration, Reply,
    Sighting, Sightings, Success, WantRequest,
};
use databuild_core::event::{
    AttemptOutcome, Cause, Event, GraphRegistered, Origin, Refresh, SetText, WantOutcome,
};
use databuild_core::graph::file::{EdgeName, GranularityName::*};
use databuild_core::graph::CheckedGraph;
use databuild_core::ids::WantId;
use databuild_core::state::{State, Verdict};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use support::graphs::{days, dynamic, listed, months, reads, time, GraphSpec};
use support::rng::{seeds, Rng};
use support::workspace::{end_of, output, planning, request, Workspace};

/// `raw` for each customer, `clean` from it, `report` from all of `clean`.
fn customers() -> GraphSpec {
    let customer = [dynamic("customer", "customers")];
    GraphSpec::new().external("raw", &customer).job("wash", &["clean"], &customer, vec![reads("raw")]).job(
        "sum",
        &["report"],
        &[],
        vec![reads("clean").all("customer")],
    )
}

fn keys(names: &[&str]) -> KeyRequest {
    let keys = names.iter().map(|name| (*name).to_owned()).collect();
    KeyRequest { space: "customers".to_owned(), keys }
}

trait Keys {
    fn add(&mut self, names: &[&str]) -> Result<KeyCounts, Refusal>;
    fn retire(&mut self, names: &[&str]) -> Result<KeyCounts, Refusal>;
    /// A customer comes, with data.
    fn observe_later(&mut self, name: &str);
}

impl Keys for Workspace {
    fn add(&mut self, names: &[&str]) -> Result<KeyCounts, Refusal> {
        match self.step(Input::AddKeys(keys(names))).reply? {
            Reply::Keys(counts) => Ok(counts),
            other => panic!("keys are answered with counts, not {other:?}"),
        }
    }

    fn observe_later(&mut self, name: &str) {
        self.add(&[name]).unwrap();
        // It was not looked at yet, so nobody says that it is not there.
        assert_eq!(self.core.state.wants().values().map(|want| want.counts.not_done()).sum::<u64>(), 0);
        let (dataset, key) = self.core.state.resolve_one(&format!("raw/customer={name}")).unwrap();
        let seen = vec![Sighting::Content { dataset, key, version: "r1".to_owned(), mark: 0 }];
        let graph = Some(self.core.state.registered().id.clone());
        for want in std::mem::take(&mut self.looks) {
            let sightings = Sightings { graph: graph.clone(), seen: seen.clone(), unseen: Vec::new() };
            self.step(Input::Looked { want, sightings }).reply.unwrap();
        }
    }

    fn retire(&mut self, names: &[&str]) -> Result<KeyCounts, Refusal> {
        match self.step(Input::RetireKeys(keys(names))).reply? {
            Reply::Keys(counts) => Ok(counts),
            other => panic!("keys are answered with counts, not {other:?}"),
        }
    }
}

/// Two customers with their data, and a report of them.
fn with_report() -> Workspace {
    let mut workspace = Workspace::new(&customers(), 4);
    workspace.add(&["acme", "bolt"]).unwrap();
    workspace.observe("raw/customer=acme", "a1");
    workspace.observe("raw/customer=bolt", "b1");
    workspace.want(&["report"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace
}

#[test]
fn key_spaces_are_those_of_the_instant_however_it_was_come_to() {
    let customer = dynamic("customer", "customers");
    let time =
        |name, granularity, start, end, zone| [time(name, granularity, start, end, zone), customer.clone()];
    let graph = customers()
        .external("hours", &time("hour", Hour, "2010-03-27T00", "", "Europe/Berlin"))
        .external("same_hours", &time("hour", Hour, "2010-03-27T00", "", "Europe/Berlin"))
        .external("few_hours", &time("hour", Hour, "2010-03-28T01", "2010-03-28T05", "Australia/Lord_Howe"))
        .external("days", &time("day", Day, "2010-02-27", "", "America/New_York"))
        .external("weeks", &time("week", Week, "2010-W05", "2010-W14", "UTC"))
        .external("months", &time("month", Month, "2010-02", "", "Asia/Kolkata"));
    let mut workspace = Workspace::new(&graph, 1);
    let begin: Timestamp = "2010-03-01T00:00:00Z".parse().unwrap();
    for seed in seeds(20) {
        let mut rng = Rng::new(seed);
        // Whole hours, and what is just before and after them.
        let mut later = |from: Timestamp, hours: usize| {
            let whole = SignedDuration::from_hours(rng.below(hours) as i64);
            from + whole + SignedDuration::from_secs(*rng.pick(&[-1, 0, 1, 1_800]))
        };
        let mut state = workspace.core.state.clone();
        for step in 0..100 {
            match step % 4 {
                0 => state.advance(later(state.as_of(), 3)),
                1 => state.advance(later(state.as_of(), 40)),
                2 => state.read_as_of(later(begin, 24 * 60)),
                _ => state.at(later(begin, 24 * 60), |state| assert_extents(state)),
            }
            assert_extents(&state);
        }
        if seed % 2 == 0 {
            workspace.add(&[&format!("c{seed}")]).unwrap();
        } else {
            workspace.retire(&[&format!("c{}", seed - 1)]).unwrap();
        }
    }
}

/// Holds the key spaces of all datasets against those that each has by itself.
fn assert_extents(state: &State) {
    for (ix, dataset) in state.graph().datasets() {
        let own = dataset.spaces.iter().map(|space| space.extent(state.as_of(), state.symbols()));
        assert_eq!(state.extents().of(ix), own.collect::<Vec<_>>(), "{} at {}", dataset.name, state.as_of());
    }
}

#[test]
fn key_spaces_are_read_again_only_when_one_of_them_has_grown() {
    let days = [days("day", "2010-01-01", "")];
    let months = [months("month", "2010-01", "2010-02")];
    let mut state =
        Workspace::new(&GraphSpec::new().external("d", &days).external("m", &months), 1).core.state;
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    state.advance(at("2010-02-02T00:00:00Z"));
    let first = state.extents_at(state.as_of());
    let is_first = |state: &State, text| Arc::ptr_eq(&first, &state.extents_at(at(text)));
    assert!(is_first(&state, "2010-02-02T23:59:59.999999999Z"));
    assert!(!is_first(&state, "2010-02-03T00:00:00Z"));
    assert!(!is_first(&state, "2010-02-01T00:00:00Z"));
    state.advance(at("2010-02-02T12:00:00Z"));
    assert!(is_first(&state, "2010-02-02T00:00:00Z"));
}

#[test]
fn a_want_that_names_no_partition_fails_and_keeps_what_was_asked_for() {
    let mut workspace = Workspace::new(&customers(), 1);
    let want = workspace.want(&["clean"], Refresh::Stale);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    let [cause] = &workspace.causes(want)[..] else { panic!("one cause") };
    assert!(cause.starts_with("nothing is selected: `clean` names no partition as of 20"), "{cause}");
    let created = workspace.log.iter().find_map(|record| match &record.event {
        Event::WantCreated(created) => Some(created.shown_targets().clone()),
        _ => None,
    });
    assert_eq!(created, Some(vec!["clean".to_owned()]));

    // Of several references some may name nothing yet.
    let want = workspace.want(&["clean", "report"], Refresh::Stale);
    workspace.finish("report", "v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));

    // It is about the keys of the instant that was asked about.
    workspace.add(&["acme"]).unwrap();
    let open = workspace.want(&["clean"], Refresh::Missing);
    workspace.retire(&["acme"]).unwrap();
    assert_ne!(workspace.outcome(open), Some(WantOutcome::Satisfied));
}

/// Targets of a want's event, the references that it keeps, and those that it tells as they were written.
fn kept(workspace: &Workspace, want: WantId) -> [SetText; 3] {
    let created = workspace.log.iter().find_map(|record| match &record.event {
        Event::WantCreated(created) if created.want == want => Some(created),
        _ => None,
    });
    let created = created.expect("it was created").clone();
    [created.targets, created.asked, created.written]
}

/// What a want waits for.
fn awaited(workspace: &Workspace, want: WantId) -> SetText {
    let state = &workspace.core.state;
    state.wants()[&want].remaining.iter().flat_map(|(job, set)| state.work_text(*job, set)).collect()
}

#[test]
fn a_want_for_the_latest_keys_means_those_of_its_instant_for_ever() {
    let dims = [dynamic("customer", "customers"), days("date", "2010-01-01", "")];
    let graph = GraphSpec::new().job("wash", &["clean"], &dims, vec![]);
    let mut workspace = Workspace::new(&graph, 0);
    workspace.add(&["acme"]).unwrap();
    let asked = ["clean/date=latest-6..latest", "clean/date=2010-01-25"];
    let want = workspace.want(&asked, Refresh::Stale);
    let [targets, open, written] = kept(&workspace, want);
    assert_eq!(targets, ["clean/customer=acme/date=2010-01-25..2010-01-31"]);
    assert_eq!(open, ["clean/date=2010-01-25..2010-01-31", "clean/date=2010-01-25"]);
    assert_eq!(written, asked[..1]);
    let plan = workspace.plan(&["clean/customer=acme/date=latest"], Refresh::Stale);
    assert_eq!(plan.targets, ["clean/customer=acme/date=2010-01-31"]);

    // A key that comes days later is covered on the days of then.
    workspace.later(3 * 86_400);
    workspace.register(&graph);
    workspace.add(&["bolt"]).unwrap();
    let both = ["clean/customer=acme+bolt/date=2010-01-25..2010-01-31"];
    assert_eq!(awaited(&workspace, want), both);
    workspace.restart(&[]);
    assert_eq!(awaited(&workspace, want), both);

    // The latest keys as of an instant of the past are those of then.
    let then = Some("2010-01-05T00:00Z".parse().unwrap());
    let want = WantRequest { as_of: then, ..request(&["clean/date=latest"], Refresh::Stale) };
    let want = workspace.try_want(want).unwrap();
    assert_eq!(kept(&workspace, want)[1], ["clean/date=2010-01-04"]);
    for (text, code) in [
        ("clean/date=latest-34", "before_first_key"),
        ("clean/date=latest+1", "after_latest_key"),
        ("clean/customer=latest", "relative_key_of_list"),
    ] {
        let refusal = workspace.try_want(request(&[text], Refresh::Stale)).unwrap_err();
        assert_eq!(refusal.code(), code, "{text}");
    }
}

#[test]
fn no_event_is_read_as_if_it_had_relative_keys() {
    let dims = [days("date", "2010-01-01", "")];
    let workspace = Workspace::new(&GraphSpec::new().job("wash", &["clean"], &dims, vec![]), 0);
    let state = &workspace.core.state;
    assert_eq!(state.graph().locate_set("clean/date=latest", state.symbols()), None);
    assert!(state.graph().locate_set("clean/date=2010-01-01", state.symbols()).is_some());
}

#[test]
fn keys_are_counted_before_and_after() {
    let mut workspace = Workspace::new(&customers(), 4);
    let first = workspace.add(&["acme", "bolt", "acme"]).unwrap();
    assert_eq!(first, KeyCounts { new: 2, ..KeyCounts::default() });
    assert_eq!(workspace.retire(&["bolt"]).unwrap(), KeyCounts { retired: 1, ..KeyCounts::default() });
    let asked = keys(&["acme", "bolt", "core"]);
    let (preview, _) = preview_added(&workspace.core.state, &asked).unwrap();
    let expected = KeyCounts { new: 1, back: 1, retired: 0, unchanged: 1 };
    assert_eq!(preview, expected);
    let held = workspace.log.len();
    assert_eq!(workspace.add(&["acme", "bolt", "core"]).unwrap(), expected);
    assert_eq!(workspace.kinds_since(held), ["keys_added"]);
    // What is there already is no event.
    workspace.add(&["acme"]).unwrap();
    assert_eq!(workspace.log.len(), held + 1);
    assert_eq!(workspace.retire(&["bolt"]).unwrap().retired, 1);
    assert_eq!(workspace.retire(&["bolt"]).unwrap().unchanged, 1);
}

#[test]
fn a_report_over_all_keys_is_stale_when_one_comes_or_goes() {
    let mut workspace = with_report();
    let stale = |workspace: &mut Workspace| {
        let mut state = workspace.core.state.clone();
        let target = state.resolve("report").unwrap();
        let plan = databuild_core::planner::plan(&mut state, &[target], Refresh::Stale);
        plan.jobs.iter().map(|job| job.certain.len() + job.if_changed.len()).sum::<u64>()
    };
    assert_eq!(stale(&mut workspace), 0);

    workspace.add(&["core"]).unwrap();
    workspace.observe("raw/customer=core", "c1");
    assert_eq!(stale(&mut workspace), 2, "the new customer's own partition and the report");
    workspace.want(&["report"], Refresh::Stale);
    workspace.finish_all("v1");
    assert_eq!(stale(&mut workspace), 0);

    workspace.retire(&["acme"]).unwrap();
    assert_eq!(stale(&mut workspace), 1);
    // It comes back with what was made of it.
    workspace.add(&["acme"]).unwrap();
    assert_eq!(stale(&mut workspace), 0);
}

#[test]
fn what_changed_while_a_key_was_gone_is_found_when_it_is_back() {
    let mut workspace = with_report();
    let (ix, key) = workspace.core.state.resolve_one("raw/customer=acme").unwrap();
    workspace.retire(&["acme"]).unwrap();
    workspace.see(vec![databuild_core::decide::Sighting::Content {
        dataset: ix,
        key: key.clone(),
        version: "a2".to_owned(),
        mark: 0,
    }]);
    workspace.add(&["acme"]).unwrap();
    let mut state = workspace.core.state.clone();
    let (_, set) = state.resolve("clean/customer=acme").unwrap();
    let job = state.graph().job_labeled("//:wash").unwrap();
    state.settle(job, &set);
    assert_eq!(state.verdict(job, &key), Verdict::InputsChanged);
}

#[test]
fn a_retired_key_is_wanted_by_nobody_and_can_be_read() {
    let mut workspace = with_report();
    workspace.retire(&["acme"]).unwrap();
    let refusal = workspace.try_want(request(&["clean/customer=acme"], Refresh::Stale)).unwrap_err();
    assert_eq!(refusal.code(), "retired_key");
    assert!(refusal.to_string().contains("`acme` is retired in the key space `customers`"), "{refusal}");
    let state = &workspace.core.state;
    assert_eq!(state.resolve("clean").unwrap().1.len(), 1, "a dimension that is left out means what exists");
    let (ix, set) = state.resolve_readable("clean/customer=acme").unwrap();
    assert!(set.is_subset(&state.dataset(ix).present));
    // A key that never was is another matter.
    let refusal = workspace.try_want(request(&["clean/customer=amce"], Refresh::Stale)).unwrap_err();
    assert_eq!(refusal.code(), "unknown_key");
}

#[test]
fn work_for_a_retired_key_ends_and_says_why() {
    let mut workspace = Workspace::new(&customers(), 1);
    workspace.add(&["acme", "bolt"]).unwrap();
    workspace.observe("raw/customer=acme", "a1");
    workspace.observe("raw/customer=bolt", "b1");
    let want = workspace.want(&["clean"], Refresh::Stale);
    assert_eq!(workspace.running(), ["clean/customer=acme"]);
    workspace.retire(&["bolt"]).unwrap();
    workspace.finish("clean/customer=acme", "v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert_eq!(workspace.causes(want), ["`clean/customer=bolt` has a key that is retired"]);
}

#[test]
fn a_run_for_a_key_that_goes_is_stopped() {
    let mut workspace = Workspace::new(&customers(), 1);
    workspace.add(&["acme"]).unwrap();
    workspace.observe("raw/customer=acme", "a1");
    workspace.want(&["clean"], Refresh::Stale);
    let held = workspace.log.len();
    workspace.retire(&["acme"]).unwrap();
    assert!(workspace.kinds_since(held).contains(&"run_cancel_requested"));
}

#[test]
fn a_plan_does_not_survive_a_key_that_it_is_about() {
    let mut workspace = with_report();
    workspace.add(&["core"]).unwrap();
    workspace.observe("raw/customer=core", "c1");
    let of_report = workspace.plan(&["report"], Refresh::Stale);
    let of_core = workspace.plan(&["clean/customer=core"], Refresh::Stale);
    workspace.add(&["dune"]).unwrap();
    assert_eq!(workspace.apply(of_report.plan).unwrap_err().code(), "plan_outdated");
    workspace.retire(&["core"]).unwrap();
    let refusal = workspace.apply(of_core.plan).unwrap_err();
    assert!(refusal.to_string().contains("`core` is retired"), "{refusal}");
}

#[test]
fn runs_add_the_keys_that_they_find() {
    let mut workspace = Workspace::new(&customers().job("list", &["index"], &[], vec![]), 4);
    workspace.want(&["index"], Refresh::Stale);
    let attempt = workspace.attempt("index").attempt;
    let found = ["acme", "bolt"].map(str::to_owned).to_vec();
    let success =
        Success { outputs: vec![output("index", "v1")], keys: [("customers".to_owned(), found)].into() };
    workspace.step(Input::AttemptEnded { attempt, end: end_of(Ok(success)) }).reply.unwrap();
    let added = workspace.log.iter().find_map(|record| match &record.event {
        Event::KeysAdded(_) => Some(record.origin.clone()),
        _ => None,
    });
    assert_eq!(added, Some(Origin::because(Cause::Run(attempt.run))));
    assert_eq!(workspace.core.state.resolve("clean").unwrap().1.len(), 2);
}

#[test]
fn keys_that_come_back_are_told_apart_from_new_ones() {
    let mut workspace = Workspace::new(&customers().job("list", &["index"], &[], vec![]), 4);
    workspace.add(&["acme", "bolt"]).unwrap();
    workspace.retire(&["bolt"]).unwrap();
    workspace.want(&["index"], Refresh::Stale);
    let attempt = workspace.attempt("index").attempt;
    let found = ["acme", "bolt", "core"].map(str::to_owned).to_vec();
    let success =
        Success { outputs: vec![output("index", "v1")], keys: [("customers".to_owned(), found)].into() };
    workspace.step(Input::AttemptEnded { attempt, end: end_of(Ok(success)) }).reply.unwrap();
    let last = workspace.log.iter().rev().find(|record| matches!(record.event, Event::KeysAdded(_))).unwrap();
    let Event::KeysAdded(added) = &last.event else { panic!("{last:?}") };
    assert_eq!((added.keys.join(" "), added.back.join(" ")), ("bolt core".to_owned(), "bolt".to_owned()));
    let text = last.text();
    assert!(
        text.ends_with("added keys to customers: bolt, core; back after they were retired: bolt"),
        "{text}"
    );
}

/// `index`, the run of which finds `bolt`; `clean` for each customer, where that of `bolt` finds `core`; `report`.
fn finding(order: &[usize]) -> (Workspace, usize) {
    let customer = [dynamic("customer", "customers")];
    let graph = GraphSpec::new()
        .job("list", &["index"], &[], vec![])
        .job("wash", &["clean"], &customer, vec![])
        .job("sum", &["report"], &[], vec![reads("clean").all("customer")]);
    let mut workspace = Workspace::new(&graph, 4);
    workspace.add(&["acme"]).unwrap();
    // Once built, so that there is something that looks current.
    workspace.want(&["report"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.register(&graph.code("wash", "newer"));
    let want = workspace.want(&["index", "report"], Refresh::Stale);
    for (step, choice) in order.iter().enumerate() {
        let spec = workspace.ordered[*choice].clone();
        let found: &[&str] = match spec.partition.as_str() {
            "index" => &["bolt"],
            "clean/customer=bolt" => &["core"],
            _ => &[],
        };
        let keys = found.iter().map(|key| (*key).to_owned()).collect();
        // Early cut-off may end it, too: some come out as they were.
        let version = if step % 2 == 0 { "v1" } else { "v2" };
        let end = end_of(Ok(Success {
            outputs: vec![output(&spec.partition, version)],
            keys: [("customers".to_owned(), keys)].into(),
        }));
        workspace.step(Input::AttemptEnded { attempt: spec.attempt, end }).reply.unwrap();
    }
    if workspace.ordered.is_empty() {
        assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied), "{order:?}");
    }
    let under_way = workspace.ordered.len();
    (workspace, under_way)
}

#[test]
fn keys_that_runs_find_are_followed_to_their_readers_whatever_ends_first() {
    let mut orders = vec![vec![]];
    let mut ends = 0;
    while let Some(order) = orders.pop() {
        let (mut workspace, under_way) = finding(&order);
        orders.extend((0..under_way).map(|next| [order.clone(), vec![next]].concat()));
        if under_way == 0 {
            ends += 1;
            for key in ["acme", "bolt", "core"] {
                let (ix, key) = workspace.core.state.resolve_one(&format!("clean/customer={key}")).unwrap();
                assert!(workspace.core.state.dataset(ix).present.contains(&key), "{order:?}");
            }
            workspace.want(&["index", "report", "clean"], Refresh::Stale);
            assert!(workspace.ordered.is_empty(), "{order:?} leaves {:?}", workspace.running());
        }
    }
    assert!(ends > 3, "{ends} orders");
}

#[test]
fn all_keys_are_those_that_come_while_a_want_is_open_too() {
    let mut workspace = Workspace::new(&customers(), 4);
    workspace.add(&["acme"]).unwrap();
    workspace.observe("raw/customer=acme", "a1");
    let want = workspace.want(&["clean"], Refresh::Stale);
    workspace.observe_later("bolt");
    assert_eq!(workspace.finish_all("v1"), ["clean/customer=acme", "clean/customer=bolt"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    // What is not there when it is looked at is not there.
    let want = workspace.want(&["clean"], Refresh::All);
    workspace.add(&["none"]).unwrap();
    workspace.finish_all("v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    workspace.retire(&["none"]).unwrap();
    // Whoever names keys means those.
    let want = workspace.want(&["clean/customer=acme"], Refresh::All);
    workspace.observe_later("core");
    assert_eq!(workspace.finish_all("v2"), ["clean/customer=acme"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn found_keys_that_cannot_be_added_fail_the_run_and_say_so() {
    let mut workspace = Workspace::new(&customers().job("list", &["index"], &[], vec![]), 4);
    let want = workspace.want(&["index"], Refresh::Stale);
    let attempt = workspace.attempt("index").attempt;
    let keys = ["customers", "gone"].map(|space| (space.to_owned(), vec!["acme".to_owned()])).into();
    let success = Success { outputs: vec![output("index", "v1")], keys };
    workspace.step(Input::AttemptEnded { attempt, end: end_of(Ok(success)) }).reply.unwrap();
    assert_eq!(workspace.outcome(want), Some(databuild_core::event::WantOutcome::Failed));
    let told = workspace.log.iter().find_map(|record| match &record.event {
        Event::RunEnded(ended) => Some(ended.message.clone()),
        _ => None,
    });
    assert!(told.unwrap().starts_with("it found keys that cannot be added: "));
    assert!(!workspace.log.iter().any(|record| matches!(record.event, Event::KeysAdded(_))), "all or none");
}

#[test]
fn hostile_texts_are_refused_and_shown_escaped() {
    let mut workspace = Workspace::new(&customers(), 1);
    let long = "k".repeat(10 << 10);
    for (key, told) in [
        ("", "`` cannot be a key: it is empty"),
        ("a/b", "`a/b` cannot be a key: it has `/`"),
        ("..", "`..` cannot be a key: it begins with"),
        ("a..b", "`a..b` cannot be a key: it has `..`"),
        ("a\nb", "`a\\nb` cannot be a key: it has a space or a control"),
        ("\u{1b}[31m", "`\\u{1b}[31m` cannot be a key"),
        ("a+b", "cannot be a key: it has `/`, `=`, `+`"),
        ("a=b", "cannot be a key: it has `/`, `=`, `+`"),
        ("a b", "cannot be a key: it has a space"),
        ("--dry-run", "cannot be a key: it begins with"),
        ("\u{feff}a", "`\\u{feff}a` cannot be a key: it has an invisible character"),
        (long.as_str(), "… (10240 bytes)` cannot be a key: it is longer than 255 bytes"),
    ] {
        let refusal = workspace.add(&["good", key]).unwrap_err();
        assert_eq!(refusal.code(), "bad_key");
        assert!(refusal.to_string().contains(told), "{refusal}");
        assert!(refusal.to_string().len() < 300);
    }
    assert!(workspace.core.state.symbols().dynamic("customers").current.is_empty(), "all or none");
    let mut elsewhere = keys(&["a"]);
    elsewhere.space = "costumers".to_owned();
    let refusal = workspace.step(Input::AddKeys(elsewhere)).reply.unwrap_err();
    let told = "there is no dynamic key space `costumers`; did you mean `customers`?";
    assert_eq!(refusal.to_string(), told);
    let refusal = workspace.retire(&["nobody"]).unwrap_err();
    assert!(refusal.to_string().starts_with("`nobody` was never a key of `customers`"), "{refusal}");
}

#[test]
fn a_million_keys_are_one_event_and_one_range() {
    let mut workspace = Workspace::new(&customers(), 1);
    let names: Vec<String> = (0..1_000_000).map(|number| format!("k{number}")).collect();
    let request = KeyRequest { space: "customers".to_owned(), keys: names };
    let held = workspace.log.len();
    workspace.step(Input::AddKeys(request)).reply.unwrap();
    assert_eq!(workspace.kinds_since(held), ["keys_added"]);
    let (_, set) = workspace.core.state.resolve("clean").unwrap();
    assert_eq!((set.len(), set.keys_of(0).runs()), (1_000_000, 1));
}

#[test]
fn keys_survive_a_restart_and_another_graph() {
    let mut workspace = with_report();
    workspace.retire(&["bolt"]).unwrap();
    workspace.restart(&[]);
    let without = GraphSpec::new().external("raw", &[listed("customer", &["acme"])]);
    workspace.register(&without);
    workspace.register(&customers());
    let own = workspace.core.state.symbols().dynamic("customers");
    assert_eq!((own.current.len(), own.retired.len()), (1, 1));
    assert_eq!(workspace.add(&["bolt"]).unwrap().back, 1);
    assert!(workspace.core.state.resolve("clean/customer=bolt").is_ok());
}

#[test]
fn a_graph_that_was_read_beforehand_is_not_read_again_unless_keys_have_come_since() {
    let wide = || customers().job("sort", &["sorted"], &[listed("size", &["small", "large"])], vec![]);
    let registration = |workspace: &Workspace, content: &str| {
        let event = wide().registration();
        let checked = CheckedGraph::new(&event.content, workspace.core.state.symbols()).unwrap();
        let event = GraphRegistered { content: content.into(), ..event };
        Box::new(Registration { event, checked: Some(checked), leave: Leave::default() })
    };
    let sorted = |workspace: &Workspace| {
        let state = &workspace.core.state;
        let (ix, set) = state.resolve("sorted/size=small+large").unwrap();
        state.in_order(ix, &set).iter().map(|key| state.partition_text(ix, key)).collect::<Vec<_>>().join(" ")
    };
    let expected = "sorted/size=small sorted/size=large";
    let mut workspace = Workspace::new(&customers(), 4);
    // Nobody could read this.
    let read = registration(&workspace, "");
    workspace.step(Input::RegisterGraph(read)).reply.unwrap();
    assert_eq!(sorted(&workspace), expected);

    let mut workspace = Workspace::new(&customers(), 4);
    let read = registration(&workspace, &wide().registration().content);
    workspace.add(&["large", "acme"]).unwrap();
    workspace.step(Input::RegisterGraph(read)).reply.unwrap();
    assert_eq!(sorted(&workspace), expected);
    assert_eq!(workspace.core.state.resolve("clean").unwrap().1.len(), 2);
    // The log gives the same numbers.
    let before = workspace.core.state.symbols().clone();
    workspace.restart(&[]);
    assert_eq!(*workspace.core.state.symbols(), before);
}

#[test]
fn the_graph_checks_what_can_be_known_without_keys() {
    let customer = [dynamic("customer", "customers")];
    let fails = |spec: GraphSpec, code: &str, says: &str| {
        let problems = spec.parse().expect_err("it is not sound");
        assert_eq!(problems[0].code.to_string(), code);
        assert!(problems[0].message.contains(says), "{}", problems[0].message);
    };
    // Dynamic and listed keys may follow from each other; whether they do shows when they are there.
    let mixed = GraphSpec::new().external("raw", &[listed("customer", &["acme"])]).job(
        "wash",
        &["clean"],
        &customer,
        vec![reads("raw").edges(EdgeName::Fail, EdgeName::Clip)],
    );
    mixed.parse().expect("it is sound");
    GraphSpec::new()
        .external("raw", &customer)
        .job("pick", &["one"], &[], vec![reads("raw").only("customer", &["later"])])
        .parse()
        .expect("the key may come");
    fails(
        GraphSpec::new().external("raw", &customer).job(
            "pick",
            &["one"],
            &[],
            vec![reads("raw").only("customer", &["a b"])],
        ),
        "bad_key",
        "`a b` cannot be a key",
    );
    fails(
        GraphSpec::new().external("raw", &customer).job(
            "w",
            &["o"],
            &customer,
            vec![reads("raw").window("customer", 2)],
        ),
        "granularity_mismatch",
        "needs time keys",
    );
    fails(customers().with(|job| job.adds_keys = vec!["nobody".to_owned()]), "unknown_key_space", "nobody");
    fails(GraphSpec::new().external("raw", &[dynamic("customer", "a/b")]), "bad_name", "`a/b`");
    let mut own = customers();
    for dataset in &mut own.file.datasets {
        for dim in &mut dataset.dims {
            dim.keys = databuild_core::graph::file::KeysEntry::Dynamic { name: None };
        }
    }
    let graph = own.parse().expect("it is sound");
    assert_eq!(graph.dynamic_spaces().into_keys().collect::<Vec<_>>(), ["clean:customer", "raw:customer"]);
}

/// `wash` makes several customers in one run.
fn washed_together() -> Workspace {
    let customer = [dynamic("customer", "customers")];
    let graph = GraphSpec::new()
        .external("raw", &customer)
        .job("wash", &["clean"], &customer, vec![reads("raw")])
        .batch("customer", 4);
    let mut workspace = Workspace::new(&graph, 1);
    workspace.add(&["acme", "bolt"]).unwrap();
    workspace.observe("raw/customer=acme", "a1");
    workspace.observe("raw/customer=bolt", "b1");
    workspace
}

#[test]
fn a_batch_records_what_it_made_for_a_key_that_went_meanwhile() {
    let mut workspace = washed_together();
    workspace.want(&["clean"], Refresh::Stale);
    assert_eq!(workspace.running(), ["clean/customer=acme+bolt"]);
    workspace.retire(&["bolt"]).unwrap();
    workspace.finish("clean/customer=acme+bolt", "v1");
    let (ix, both) = workspace.core.state.resolve_readable("clean/customer=acme+bolt").unwrap();
    assert_eq!(workspace.core.state.dataset(ix).present, both);
}

#[test]
fn a_retry_leaves_out_what_a_new_key_made_impossible() {
    let customer = [dynamic("customer", "customers")];
    let home = [listed("customer", &["acme", "bolt"])];
    let graph = GraphSpec::new()
        .external("raw", &customer)
        .job("wash", &["clean"], &home, vec![reads("raw").edges(EdgeName::Clip, EdgeName::Clip)])
        .batch("customer", 4)
        .with(|job| job.policy.retries = 1);
    let mut workspace = Workspace::new(&graph, 1);
    let want = workspace.want(&["clean"], Refresh::Stale);
    workspace.add(&["bolt"]).unwrap();
    workspace.end("clean/customer=acme+bolt", AttemptOutcome::Failure { permanent: false });
    workspace.later(120);
    assert_eq!(workspace.running(), ["clean/customer=acme"]);
    workspace.finish("clean/customer=acme", "v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    let state = &workspace.core.state;
    let (ix, made) = state.resolve("clean/customer=acme").unwrap();
    assert_eq!(state.dataset(ix).present, made);
}

#[test]
fn what_is_invoked_for_a_key_goes_with_it() {
    let customer = [dynamic("customer", "customers")];
    let graph = GraphSpec::new()
        .external("raw", &[])
        .job("wash", &["clean"], &customer, vec![reads("raw")])
        .with(|job| job.params = [("full".to_owned(), "false".to_owned())].into());
    // There is no place, so all stays queued.
    let mut workspace = Workspace::new(&graph, 0);
    workspace.observe("raw", "r1");
    workspace.add(&["acme", "bolt"]).unwrap();
    let params = [("full".to_owned(), "true".to_owned())].into();
    let want = request(&["clean"], Refresh::Stale);
    let invoked = InvokeRequest { job: "wash".to_owned(), params, want };
    workspace.step(Input::Invoke(invoked, Sightings::default())).reply.unwrap();
    workspace.retire(&["acme"]).unwrap();
    let work = &workspace.core.state.dump().work[0];
    assert_eq!(work.by_hand, work.todo, "nothing is queued by hand that is not queued");
}

#[test]
fn another_order_of_listed_keys_is_another_input_of_what_reads_several() {
    let sizes = |keys: &[&str]| {
        let size = [listed("size", keys)];
        GraphSpec::new()
            .job("make", &["part"], &size, vec![])
            .job("each", &["copy"], &size, vec![reads("part")])
            .job("join", &["whole"], &[], vec![reads("part").all("size")])
            .job("pick", &["two"], &[], vec![reads("part").only("size", &["M", "S"])])
    };
    let undone = |workspace: &mut Workspace| {
        let (plan, _) = workspace.try_plan(planning(&["copy", "whole", "two"], Refresh::Stale));
        plan.rows.iter().flat_map(|row| row.partitions.clone()).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    let mut workspace = Workspace::new(&sizes(&["S", "M", "L"]), 4);
    workspace.want(&["copy", "whole", "two"], Refresh::Stale);
    workspace.finish_all("v1");
    // `two` gets M and S in their old order.
    workspace.register(&sizes(&["S", "L", "M"]));
    assert_eq!(undone(&mut workspace), ["whole"]);
    workspace.register(&sizes(&["L", "M", "S"]));
    assert_eq!(undone(&mut workspace), ["whole", "two"]);
    workspace.register(&sizes(&["S", "M", "L"]));
    assert_eq!(undone(&mut workspace), none);
    workspace.register(&sizes(&["L", "M", "S"]));
    workspace.want(&["whole", "two"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v2"), ["two", "whole"]);
    assert_eq!(undone(&mut workspace), none);
}
