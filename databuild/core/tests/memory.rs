//! Planning ten million partitions with windows stays small: sets are kept as ranges, never listed.

mod support;

use databuild_core::decide::{Core, Input};
use databuild_core::event::Refresh;
use databuild_core::partition_set::PartitionSet;
use databuild_core::planner;
use jiff::Timestamp;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
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
    core.step(Input::RegisterGraph(graph.registration()), now).reply.unwrap();
    let mut state = core.state;
    state.advance(now);
    let target = state.resolve("mean").unwrap();

    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let plan = planner::plan(&mut state, &[target], Refresh::Stale);
    let (certain, maybe) = plan.counts();
    let texts: usize = plan.jobs.iter().map(|entry| state.work_text(entry.job, &entry.work()).len()).sum();
    let used = PEAK.load(Ordering::Relaxed) - before;

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
    core.step(Input::RegisterGraph(graph.registration()), now).reply.unwrap();
    let mut state = core.state;
    state.advance(now);

    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    for name in ["raw", "clean"] {
        let ix = state.graph().dataset_named(name).unwrap();
        let keys = state.extents().of(ix).to_vec();
        let counts = state.counts()[ix.0];
        assert_eq!((counts.total, counts.missing, counts.current), (8_760_u64.pow(3), 8_760_u64.pow(3), 0));
        let part = PartitionSet::part_of_full(state.graph().dataset(ix).shape, &keys, 1 << 38, 20_000);
        assert_eq!(part.len(), 20_000);
        let error = state.resolve(name).unwrap_err();
        assert_eq!(error.code(), "too_many_partitions");
    }
    let used = PEAK.load(Ordering::Relaxed) - before;
    assert!(used < 1 << 20, "{used} bytes");
    assert_eq!(state.resolve("raw/made=2009-01-01T00/read=2009-03-01T00").unwrap().1.len(), 8_760);
}
