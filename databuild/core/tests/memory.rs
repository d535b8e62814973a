//! Planning ten million partitions with windows stays small: sets are kept as ranges, never listed.

mod support;

use databuild_core::decide::{Core, Input};
use databuild_core::event::Refresh;
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
