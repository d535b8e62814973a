//! Schedules: each tick that comes due makes a want or is skipped for a reason, whatever happens meanwhile.
//! `SEEDS=10000` tries more histories.

mod support;

use databuild_core::decide::{Input, Refusal, Reply, Sightings};
use databuild_core::event::{Cause, Event, Skip};
use databuild_core::graph::file::ScheduleEntry;
use databuild_core::ids::WantId;
use databuild_core::state::State;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use support::graphs::{days, every_seconds, GraphSpec};
use support::rng::Rng;
use support::workspace::Workspace;

fn graph(schedules: Vec<ScheduleEntry>) -> GraphSpec {
    let mut graph = GraphSpec::new().job("make", &["daily"], &[days("date", "2010-01-01", "")], Vec::new());
    graph.file.schedules = schedules;
    graph
}

fn hourly() -> ScheduleEntry {
    every_seconds("hourly", 3600, &["daily/date=latest"])
}

fn workspace(schedule: ScheduleEntry) -> Workspace {
    let mut workspace = Workspace::new(&graph(vec![schedule]), 1);
    workspace.core.fires = true;
    workspace
}

/// Time goes by, and whatever is due by then is fired.
fn pass(workspace: &mut Workspace, time: &str) {
    workspace.now = time.parse().unwrap();
    workspace.step(Input::Tick);
    workspace.answer_fires();
}

/// What the log says of ticks: `12:00 w1`, `13:00..15:00 3 missed`.
fn told(workspace: &Workspace) -> Vec<String> {
    let clock = |at: &Timestamp| at.strftime("%d %H:%M").to_string();
    let text = |event: &Event| match event {
        Event::ScheduleFired(fired) => {
            Some(format!("{} {}", fired.tick.as_ref().map_or("now".to_owned(), clock), fired.want))
        }
        Event::TicksSkipped(skipped) => {
            use databuild_core::word::Word as _;
            let (first, last) = (clock(&skipped.first), clock(&skipped.last));
            Some(format!("{first}..{last} {} {}", skipped.count, skipped.reason.word()))
        }
        _ => None,
    };
    workspace.log.iter().filter_map(|record| text(&record.event)).collect()
}

#[test]
fn a_tick_makes_a_want_that_says_where_it_comes_from() {
    let mut workspace = workspace(hourly());
    assert_eq!(workspace.core.next_timer(), Some("2010-02-01T13:00:00Z".parse().unwrap()));
    pass(&mut workspace, "2010-02-01T12:59:59.999Z");
    assert_eq!(told(&workspace), [""; 0], "ticks before it was declared are none of its");
    pass(&mut workspace, "2010-02-01T13:00:00Z");
    assert_eq!(told(&workspace), ["01 13:00 w1"]);
    let created = workspace.log.iter().find(|record| matches!(record.event, Event::WantCreated(_))).unwrap();
    assert_eq!(created.origin.cause, Some(Cause::Schedule("hourly".into())));
    assert_eq!(
        (created.origin.source(), created.origin.to_string().as_str()),
        ("schedule", "schedule hourly")
    );
    let Event::WantCreated(want) = &created.event else { unreachable!() };
    assert_eq!(
        (&want.targets, &want.written),
        (&vec!["daily/date=2010-01-31".to_owned()], &vec!["daily/date=latest".to_owned()])
    );
}

#[test]
fn keys_are_read_as_of_the_tick_however_late_it_is_fired() {
    let mut workspace = workspace(every_seconds("daily", 86_400, &["daily/date=latest"]));
    pass(&mut workspace, "2010-02-03T18:00:00Z");
    assert_eq!(told(&workspace), ["02 00:00..02 00:00 1 too_old", "03 00:00 w1"]);
    let mut targets = workspace.log.iter().filter_map(|record| match &record.event {
        Event::WantCreated(want) => Some((want.as_of, want.targets.clone())),
        _ => None,
    });
    let (as_of, named) = targets.next().unwrap();
    assert_eq!(
        (as_of.to_string().as_str(), named),
        ("2010-02-03T00:00:00Z", vec!["daily/date=2010-02-02".to_owned()])
    );
}

#[test]
fn what_was_missed_is_made_up_for_as_declared() {
    let of = |missed: &str, within: Option<u64>| ScheduleEntry {
        missed: missed.to_owned(),
        missed_within_ms: within.map(|hours| hours * 3_600_000),
        ..hourly()
    };
    let cases: [(ScheduleEntry, &[&str]); 5] = [
        (of("all", None), &["01 13:00 w1", "01 14:00 w2", "01 15:00 w3", "01 16:00 w4"]),
        (of("last", None), &["01 13:00..01 15:00 3 missed", "01 16:00 w1"]),
        (of("none", None), &["01 13:00..01 16:00 4 missed"]),
        (of("all", Some(2)), &["01 13:00..01 14:00 2 too_old", "01 15:00 w1", "01 16:00 w2"]),
        (of("last", Some(0)), &["01 13:00..01 16:00 4 too_old"]),
    ];
    for (schedule, expected) in cases {
        let mut workspace = workspace(schedule.clone());
        workspace.restart(&[]);
        pass(&mut workspace, "2010-02-01T16:30:00Z");
        assert_eq!(told(&workspace), expected, "{schedule:?}");
        // A minute late is not missed.
        let before = told(&workspace).len();
        pass(&mut workspace, "2010-02-01T17:00:59Z");
        assert_eq!(told(&workspace)[before..].len(), 1);
        assert!(told(&workspace)[before].starts_with("01 17:00 w"), "{schedule:?}");
    }
}

#[test]
fn of_a_flood_the_newest_thousand_are_made_up_for() {
    let mut workspace = workspace(every_seconds("often", 1, &["daily/date=latest"]));
    pass(&mut workspace, "2010-02-01T18:00:00Z");
    let told = told(&workspace);
    assert!(told[0].ends_with("too_many"), "{}", told[0]);
    let fired = told.len() - 1;
    assert!((1000..=1060).contains(&fired), "{fired}");
}

#[test]
fn a_paused_schedule_stays_paused_and_goes_on_with_its_next_tick() {
    let mut workspace = workspace(hourly());
    let pause = || Input::PauseSchedule("hourly".to_owned());
    let resume = || Input::ResumeSchedule("hourly".to_owned());
    workspace.step(pause()).reply.unwrap();
    assert_eq!(workspace.step(pause()).records.len(), 0, "once is enough");
    assert_eq!(workspace.core.next_timer(), None);
    pass(&mut workspace, "2010-02-01T14:30:00Z");
    workspace.register(&graph(Vec::new()));
    workspace.register(&graph(vec![hourly()]));
    workspace.restart(&[]);
    pass(&mut workspace, "2010-02-01T16:30:00Z");
    workspace.step(resume()).reply.unwrap();
    assert_eq!(workspace.step(resume()).records.len(), 0, "once is enough");
    pass(&mut workspace, "2010-02-01T17:00:00Z");
    assert_eq!(
        told(&workspace),
        ["01 13:00..01 14:00 2 paused", "01 15:00..01 16:00 2 paused", "01 17:00 w1"]
    );
    let unknown = workspace.step(Input::PauseSchedule("nightly".to_owned())).reply.unwrap_err();
    assert_eq!(unknown, Refusal::UnknownSchedule { name: "nightly".into(), known: vec!["hourly".into()] });
    assert_eq!(unknown.to_string(), "the graph has no schedule `nightly`; it has hourly");
}

#[test]
fn an_edited_schedule_runs_no_old_tick_again() {
    let mut workspace = workspace(hourly());
    pass(&mut workspace, "2010-02-01T13:00:00Z");
    // Nobody was there at 14:00; then somebody edits it.
    workspace.core.fires = false;
    workspace.now = "2010-02-01T14:40:00Z".parse().unwrap();
    workspace.register(&graph(vec![ScheduleEntry { every_ms: Some(1_800_000), ..hourly() }]));
    workspace.core.fires = true;
    pass(&mut workspace, "2010-02-01T15:00:00Z");
    assert_eq!(told(&workspace), ["01 13:00 w1", "01 14:00..01 14:00 1 replaced", "01 15:00 w2"]);
    // Other targets are no other times.
    let targets = vec!["daily/date=latest-1..latest".to_owned()];
    workspace.core.fires = false;
    workspace.now = "2010-02-01T15:40:00Z".parse().unwrap();
    workspace.register(&graph(vec![ScheduleEntry { every_ms: Some(1_800_000), targets, ..hourly() }]));
    workspace.core.fires = true;
    pass(&mut workspace, "2010-02-01T15:41:00Z");
    assert_eq!(told(&workspace)[3..], ["01 15:30 w3"]);
}

#[test]
fn a_schedule_ends_after_so_many_times_or_at_an_instant() {
    let mut workspace = workspace(ScheduleEntry { times: Some(2), ..hourly() });
    for time in ["2010-02-01T13:00:00Z", "2010-02-01T14:00:00Z", "2010-02-01T15:00:00Z"] {
        pass(&mut workspace, time);
    }
    assert_eq!(told(&workspace), ["01 13:00 w1", "01 14:00 w2"]);
    assert_eq!(workspace.core.state.schedules().due().count(), 0);

    let until = Some("2010-02-01T13:30:00Z".to_owned());
    let mut workspace = self::workspace(ScheduleEntry { until, ..hourly() });
    pass(&mut workspace, "2010-02-01T15:00:00Z");
    assert_eq!(told(&workspace), ["01 13:00 w1"]);
}

#[test]
fn a_refused_want_is_a_skipped_tick_with_the_reason() {
    let mut workspace = workspace(every_seconds("bad", 3600, &["daily/date=2031-01-01"]));
    pass(&mut workspace, "2010-02-01T13:00:00Z");
    assert_eq!(told(&workspace), ["01 13:00..01 13:00 1 refused"]);
    let state = workspace.core.state.schedules().get("bad").unwrap();
    let skipped = state.last_skipped("bad").unwrap();
    assert_eq!(skipped.reason, Skip::Refused);
    assert!(skipped.message.contains("2031-01-01"), "{}", skipped.message);
}

#[test]
fn a_schedule_fires_by_hand_beside_its_ticks() {
    let mut workspace = workspace(hourly());
    let run = Input::RunSchedule("hourly".to_owned(), None, Sightings::default());
    assert_eq!(workspace.step(run).reply, Ok(Reply::Want(WantId(1))));
    pass(&mut workspace, "2010-02-01T13:00:00Z");
    assert_eq!(told(&workspace), ["now w1", "01 13:00 w2"]);
}

#[test]
fn nothing_fires_without_a_server_or_twice_while_files_are_looked_at() {
    let mut workspace = workspace(hourly());
    workspace.core.fires = false;
    pass(&mut workspace, "2010-02-01T13:00:00Z");
    assert_eq!((told(&workspace).len(), workspace.core.next_timer()), (0, None));
    workspace.core.fires = true;
    workspace.step(Input::Tick);
    workspace.step(Input::Tick);
    assert_eq!(workspace.fires.len(), 1);
    assert_eq!(workspace.core.next_timer(), None, "the look will come back");
    // What is told twice is fired once.
    let twice = workspace.fires[0].clone();
    workspace.fires.push(twice);
    workspace.answer_fires();
    assert_eq!(told(&workspace), ["01 13:00 w1"]);
}

#[test]
fn ten_thousand_schedules_that_are_due_at_once_take_their_turns() {
    let all = (0..10_000).map(|ix| every_seconds(&format!("s{ix}"), 3600, &["daily/date=latest"])).collect();
    let mut workspace = Workspace::new(&graph(all), 1);
    workspace.core.fires = true;
    workspace.now = "2010-02-01T13:00:00Z".parse().unwrap();
    let step = workspace.step(Input::Tick);
    assert_eq!(step.effects.len(), 100);
    assert_eq!(workspace.core.next_timer(), Some(workspace.now), "the others are due too");
}

/// What is expected of each tick of a schedule, worked out by going through all of them.
#[derive(Default)]
struct Ledger {
    /// By schedule: spans in which its ticks count, each with the distance between two.
    lives: BTreeMap<String, Vec<(Timestamp, Option<Timestamp>, i64)>>,
}

impl Ledger {
    /// The graph has these from now on.
    fn follow(&mut self, now: Timestamp, graph: &GraphSpec) {
        let find = |name: &str| {
            let all = graph.file.schedules.iter();
            all.filter(|entry| entry.label == format!("//:{name}")).find_map(|entry| entry.every_ms)
        };
        for name in ["a", "b"] {
            let every = find(name).map(|ms| (ms / 1000) as i64);
            let lives = self.lives.entry(name.to_owned()).or_default();
            let open = lives.last_mut().filter(|(_, end, _)| end.is_none());
            if open.as_ref().map(|(.., every)| *every) == every {
                continue;
            }
            open.into_iter().for_each(|(_, end, _)| *end = Some(now));
            lives.extend(every.map(|every| (now, None, every)));
        }
    }

    /// Ticks that are accounted for by `now`.
    fn expected(&self, name: &str, now: Timestamp) -> Vec<i64> {
        let mut ticks = Vec::new();
        for (from, end, every) in &self.lives[name] {
            let until = end.unwrap_or(now).as_second();
            let after = ticks.last().copied().unwrap_or(i64::MIN).max(from.as_second());
            ticks.extend((after + 1..=until).filter(|second| second % every == 0));
        }
        ticks
    }
}

#[test]
fn every_tick_is_accounted_for_once_whatever_happens() {
    for seed in support::rng::seeds(300) {
        history(seed);
    }
}

fn history(seed: u64) {
    let mut rng = Rng::new(seed);
    let declare = |rng: &mut Rng| {
        let one = |rng: &mut Rng, name: &str| {
            let mut entry = every_seconds(name, [60, 300, 3600][rng.below(3)], &["daily/date=latest"]);
            entry.missed = (*rng.pick(&["all", "last", "none"])).to_owned();
            entry.missed_within_ms = *rng.pick(&[None, Some(0), Some(600_000)]);
            entry
        };
        let some: [&[&str]; 4] = [&["a"], &["a", "b"], &["b"], &[]];
        let names = some[rng.below(some.len())];
        names.iter().map(|name| one(rng, name)).collect::<Vec<_>>()
    };
    let first = graph(declare(&mut rng));
    let mut workspace = Workspace::new(&first, 1);
    workspace.core.fires = true;
    let mut ledger = Ledger::default();
    ledger.follow(workspace.now, &first);
    for _ in 0..support::rng::steps(60) {
        match rng.below(10) {
            0..=3 => {
                workspace.now += SignedDuration::from_secs(*rng.pick(&[1, 40, 61, 600, 4000]));
                workspace.step(Input::Tick);
            }
            4 | 5 => workspace.answer_fires(),
            6 => {
                workspace.restart(&[]);
            }
            7 => {
                let next = graph(declare(&mut rng));
                workspace.register(&next);
                ledger.follow(workspace.now, &next);
            }
            8 => {
                let name = (*rng.pick(&["a", "b"])).to_owned();
                // It may not be there.
                drop(workspace.step(Input::PauseSchedule(name)));
            }
            _ => {
                let name = (*rng.pick(&["a", "b"])).to_owned();
                drop(workspace.step(Input::ResumeSchedule(name)));
            }
        }
    }
    for name in ["a", "b"] {
        drop(workspace.step(Input::ResumeSchedule(name.to_owned())));
    }
    workspace.fires.clear();
    workspace.restart(&[]);
    workspace.step(Input::Tick);
    workspace.answer_fires();
    for name in ["a", "b"] {
        assert_eq!(accounted(&workspace, name), ledger.expected(name, workspace.now), "seed {seed}, {name}");
    }
    // A log says all of it.
    let mut replayed = State::default();
    workspace.log.iter().for_each(|record| replayed.apply(record).unwrap());
    assert_eq!(replayed.schedules(), workspace.core.state.schedules(), "seed {seed}");
    let dump = workspace.core.state.dump();
    let texts: BTreeMap<_, Arc<str>> = workspace
        .log
        .iter()
        .filter_map(|record| match &record.event {
            Event::GraphRegistered(event) => Some((event.graph.clone(), Arc::clone(&event.content))),
            _ => None,
        })
        .collect();
    let restored = State::restore(dump, |id| texts.get(id).cloned()).unwrap();
    assert_eq!(restored.schedules(), workspace.core.state.schedules(), "seed {seed}");
}

/// Ticks of a schedule that the log accounts for, in seconds, in the order of the log.
fn accounted(workspace: &Workspace, name: &str) -> Vec<i64> {
    let mut ticks = Vec::new();
    for record in &workspace.log {
        match &record.event {
            Event::ScheduleFired(fired) if fired.schedule == name => {
                ticks.extend(fired.tick.map(|tick| tick.as_second()));
            }
            Event::TicksSkipped(skipped) if skipped.schedule == name => {
                let (first, last) = (skipped.first.as_second(), skipped.last.as_second());
                // Their distance follows from what is said.
                let step = if skipped.count == 1 { 1 } else { (last - first) / (skipped.count as i64 - 1) };
                assert_eq!((skipped.count as i64 - 1) * step, last - first, "{skipped:?}");
                ticks.extend((0..skipped.count as i64).map(|at| first + at * step));
            }
            _ => {}
        }
    }
    ticks
}
