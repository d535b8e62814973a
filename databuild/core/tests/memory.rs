//! Planning ten million partitions with windows stays small: sets are kept as ranges, never listed.

mod support;

use databuild_core::decide::{AdoptRequest, Core, FoundFile, Input, Sighting, Sightings};
use databuild_core::event::Refresh;
use databuild_core::partition_set::PartitionSet;
use databuild_core::planner;
use databuild_core::state::Standings;
use jiff::Timestamp;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use support::graphs::{listed, reads, time, GraphSpec};

/// Counts what is allocated, now and at most.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the pointer came from `alloc` above, hence from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is allocated from its start on, by one test at a time.
struct Measure {
    before: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Measure {
    fn start() -> Measure {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        Measure { before, _alone: alone }
    }

    fn peak(&self) -> usize {
        PEAK.load(Ordering::Relaxed) - self.before
    }
}

#[test]
fn ten_million_partitions_are_planned_in_less_than_64_megabytes() {
    use databuild_core::graph::file::GranularityName::Hour;
    // 3 layers x 40 cities x ten years of hours: 10.5 million partitions.
    let cities: Vec<String> = (0..40).map(|n| format!("city-{n}")).collect();
    let cities: Vec<&str> = cities.iter().map(String::as_str).collect();
    let dims =
        [listed("city", &cities), time("hour", Hour, "2000-01-01T00", "2009-12-31T23", "Europe/Berlin")];
    let graph = GraphSpec::new()
        .job("raw", &["raw"], &dims, vec![])
        .job("clean", &["clean"], &dims, vec![reads("raw")])
        .job("mean", &["mean"], &dims, vec![reads("clean").window("hour", 24).clip()]);
    let mut core = Core::new(1);
    let now: Timestamp = "2010-02-01T12:00:00Z".parse().unwrap();
    core.step(Input::RegisterGraph(graph.registration().into()), now).reply.unwrap();
    let mut state = core.state;
    state.advance(now);
    let target = state.resolve("mean").unwrap();

    let measure = Measure::start();
    let plan = planner::plan(&mut state, &[target], Refresh::Stale);
    let (certain, maybe) = plan.counts();
    let texts: usize = plan.jobs.iter().map(|entry| state.work_text(entry.job, &entry.work()).len()).sum();
    let used = measure.peak();

    assert!(certain > 10_000_000, "{certain} partitions");
    assert_eq!((maybe, plan.jobs.len(), texts), (0, 3, 3));
    assert!(used < 64 << 20, "{used} bytes for {certain} partitions");
}

#[test]
fn counting_all_combinations_makes_none_of_them() {
    use databuild_core::graph::file::GranularityName::Hour;
    // 8,760 hours in each of three dimensions: 672 billion partitions.
    let year = |name| time(name, Hour, "2009-01-01T00", "2009-12-31T23", "UTC");
    let dims = [year("made"), year("read"), year("sold")];
    let graph = GraphSpec::new().external("raw", &dims).job("clean", &["clean"], &dims, vec![reads("raw")]);
    let mut core = Core::new(1);
    let now: Timestamp = "2010-02-01T12:00:00Z".parse().unwrap();
    core.step(Input::RegisterGraph(graph.registration().into()), now).reply.unwrap();
    let mut state = core.state;
    state.advance(now);

    let measure = Measure::start();
    for name in ["raw", "clean"] {
        let ix = state.graph().dataset_named(name).unwrap();
        let keys = state.extents().of(ix).to_vec();
        let counts = Standings::new(&Arc::new(state.clone()), now).counts()[ix.0];
        assert_eq!((counts.total, counts.missing, counts.current), (8_760_u64.pow(3), 8_760_u64.pow(3), 0));
        let part = PartitionSet::part_of_full(state.graph().dataset(ix).shape, &keys, 1 << 38, 20_000);
        assert_eq!(part.len(), 20_000);
        let error = state.resolve(name).unwrap_err();
        assert_eq!(error.code(), "too_many_partitions");
    }
    let used = measure.peak();
    assert!(used < 1 << 20, "{used} bytes");
    assert_eq!(state.resolve("raw/made=2009-01-01T00/read=2009-03-01T00").unwrap().1.len(), 8_760);
}

/// 672 billion partitions, of which ten are there; one job reads all of them, one makes as many from one table, and one reads
/// only the newest combination.
fn readers_of_everything() -> Core {
    use databuild_core::graph::file::GranularityName::Hour;
    let year = |name| time(name, Hour, "2009-01-01T00", "2009-12-31T23", "UTC");
    let dims = [year("made"), year("read"), year("sold")];
    let everything = || reads("raw").all("made").all("read").all("sold");
    let newest = || reads("raw").latest("made", 1).latest("read", 1).latest("sold", 1);
    let graph = GraphSpec::new()
        .external("raw", &dims)
        .external("table", &[])
        .job("total", &["total"], &[], vec![everything()])
        .job("clean", &["clean"], &dims, vec![reads("table")])
        .job("last", &["last"], &[], vec![newest()]);
    let mut core = Core::new(1);
    core.step(Input::RegisterGraph(graph.registration().into()), now()).reply.unwrap();
    core.state.advance(now());
    core
}

fn now() -> Timestamp {
    "2010-02-01T12:00:00Z".parse().unwrap()
}

fn observe(core: &mut Core, name: &str, number: u64) {
    let (dataset, key) = core.state.resolve_one(name).unwrap();
    let seen = vec![Sighting::Content { dataset, key, version: format!("v{number}"), mark: number }];
    let graph = Some(core.state.registered().id.clone());
    core.step(Input::Sightings(Sightings { graph, seen, unseen: Vec::new() }), now()).reply.unwrap();
}

fn adopt(core: &mut Core, name: &str) {
    let (dataset, key) = core.state.resolve_one(name).unwrap();
    let files = vec![FoundFile { dataset, key, version: "made elsewhere".to_owned(), mark: 7, bytes: 1 }];
    let request = AdoptRequest { files };
    core.step(Input::Adopt(request, Sightings::default()), now()).reply.unwrap();
}

#[test]
fn who_reads_all_combinations_lists_none_of_them() {
    let mut core = readers_of_everything();
    let measure = Measure::start();

    // What is seen makes suspect whatever was made from it, of all that could have been.
    observe(&mut core, "table", 1);
    for hour in 0..10 {
        observe(&mut core, &format!("raw/made=2009-01-01T0{hour}/read=2009-12-31T23/sold=2009-12-31T23"), 1);
    }
    let total = core.state.resolve("total").unwrap();
    let job = core.state.graph().dataset(total.0).producer.unwrap();
    let key = total.1.first().unwrap();
    let digest = core.state.inputs_digest(job, &key);
    observe(&mut core, "raw/made=2009-01-01T00/read=2009-12-31T23/sold=2009-12-31T23", 2);
    assert_ne!(core.state.inputs_digest(job, &key), digest, "what is there counts");

    // It cannot be planned, which its plan says.
    let plan = planner::plan(&mut core.state, std::slice::from_ref(&total), Refresh::Stale);
    assert!(plan.jobs.is_empty());
    let (_, set, reason) = &plan.blocked[0];
    assert_eq!(set, &total.1);
    assert!(
        reason.starts_with("total reads more partitions of `raw` than DataBuild can plan at once"),
        "{reason}"
    );

    // All else can.
    observe(&mut core, "raw/made=2009-12-31T23/read=2009-12-31T23/sold=2009-12-31T23", 1);
    let last = core.state.resolve("last").unwrap();
    let plan = planner::plan(&mut core.state, std::slice::from_ref(&last), Refresh::Stale);
    assert_eq!((plan.counts(), plan.blocked.len()), ((1, 0), 0));

    // Somebody adopts a total that was made elsewhere: it has a state, and lacks nearly all that it is made from.
    adopt(&mut core, "total");
    adopt(&mut core, "last");
    let counts = Standings::new(&Arc::new(core.state.clone()), core.state.as_of()).counts();
    assert_eq!((counts[total.0 .0].total, counts[total.0 .0].missing), (1, 0));
    assert_eq!((counts[total.0 .0].current, counts[last.0 .0].current), (0, 1));
    observe(&mut core, "raw/made=2009-01-01T00/read=2009-12-31T23/sold=2009-12-31T23", 3);
    core.state.settle(job, &total.1);
    assert_eq!(core.state.verdict(job, &key).code(), "inputs_changed");

    let used = measure.peak();
    assert!(used < 4 << 20, "{used} bytes");
}
