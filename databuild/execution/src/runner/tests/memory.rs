//! What becomes of jobs that take more memory than they declare: where control groups can be made they are stopped,
//! elsewhere they go on, and each test says both.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::super::spool::read_runner_record;
use super::super::{MemoryLimits, Outcome, StartSpec};
use super::harness::{meet, release, wait_dead, Place, Server};
use crate::os::stat;

const LIMIT: u64 = 64 << 20;
/// Takes some 200 MiB: without a newline all of it may be the last line.
const GREEDY: &str = "head -c 209715200 /dev/zero | tail -n 1 > /dev/null";

/// A job that declares 64 MiB.
fn declaring(place: &Place, attempt: &str, script: &str) -> StartSpec {
    StartSpec { memory: Some(LIMIT), ..place.job(attempt, script) }
}

/// Whether the runner says that it holds jobs to their memory. It must where a group can be made without any
/// preparation, which is the case with version 1 for whoever owns the group.
fn is_enforced(server: &Server) -> bool {
    let limits = server.client.hello().memory_limits.clone().unwrap();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let of_memory = own.lines().find_map(|line| line.split_once(":memory:"));
    let group = of_memory.map(|(_, path)| PathBuf::from(format!("/sys/fs/cgroup/memory{path}")));
    if let Some(group) = group.filter(|group| group.exists()) {
        let probe = group.join(format!("test-{}", server.client.hello().pid));
        let can = fs::create_dir(&probe).is_ok();
        if can {
            fs::remove_dir(&probe).unwrap();
        }
        assert_eq!(matches!(limits, MemoryLimits::Enforced { .. }), can, "{limits:?}");
    }
    match limits {
        MemoryLimits::Enforced { by } => {
            assert!(by.starts_with("cgroup v"), "{by}");
            true
        }
        MemoryLimits::Accounting { why } => {
            assert!(!why.is_empty());
            false
        }
    }
}

/// The control groups there are of this runner's attempts.
fn groups(place: &Place) -> Vec<PathBuf> {
    let spool = place.spool();
    let Some(base) = read_runner_record(&spool).unwrap().unwrap().cgroups else { return Vec::new() };
    let lock = fs::metadata(spool.join("runner.lock")).unwrap();
    let prefix = format!("databuild-{:x}.{:x}-", lock.dev(), lock.ino());
    let entries = fs::read_dir(base).unwrap().map(|entry| entry.unwrap());
    let ours = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with(&prefix));
    ours.map(|entry| entry.path()).collect()
}

#[test]
fn a_job_is_held_to_its_memory_where_that_can_be() {
    let mut place = Place::new();
    let server = place.start();
    let enforced = is_enforced(&server);
    let exit = server.run(declaring(&place, "r1-1", GREEDY));
    assert_eq!(exit.memory_exceeded, enforced.then_some(LIMIT));
    assert_eq!(exit.is_success(), !enforced, "{exit:?}");
    assert!(!exit.timed_out && !exit.canceled && !exit.group_left);

    // What it declares is enough, and what it does not declare nobody counts.
    let modest = server.run(declaring(&place, "r2-1", "head -c 209715200 /dev/zero > /dev/null"));
    assert_eq!((modest.is_success(), modest.memory_exceeded), (true, None));
    let free = server.run(place.job("r3-1", GREEDY));
    assert_eq!((free.is_success(), free.memory_exceeded), (true, None));
    assert_eq!(groups(&place), Vec::<PathBuf>::new());
}

#[test]
fn a_helper_that_is_killed_is_the_attempts_failure_whatever_the_job_says() {
    let mut place = Place::new();
    let server = place.start();
    let enforced = is_enforced(&server);
    let mut spec = declaring(&place, "r1-1", &format!("{GREEDY}; exit 0"));
    spec.checks = vec![place.check("c0", ":")];
    let exit = server.run(spec);
    assert_eq!(exit.memory_exceeded, enforced.then_some(LIMIT));
    assert_eq!(exit.checks.is_empty(), enforced, "what failed is not checked");
}

#[test]
fn checks_are_held_to_the_memory_of_their_job() {
    let mut place = Place::new();
    let server = place.start();
    let enforced = is_enforced(&server);
    let mut spec = declaring(&place, "r1-1", ":");
    spec.checks = vec![place.check("c0", GREEDY), place.check("c1", ":")];
    let exit = server.run(spec);
    assert_eq!((exit.is_success(), exit.memory_exceeded), (true, None));
    let exceeded: Vec<Option<u64>> = exit.checks.iter().map(|check| check.memory_exceeded).collect();
    assert_eq!(exceeded, [enforced.then_some(LIMIT), None]);
    assert_eq!(exit.checks[1].outcome, Outcome::Code(0));
}

#[test]
fn what_left_its_process_group_ends_with_its_control_group() {
    let mut place = Place::new();
    let server = place.start();
    let enforced = is_enforced(&server);
    let (ready, go) = (place.fifo("ready"), place.fifo("go"));
    // Also on a machine with one core.
    server.client.set_capacity(2).unwrap();
    server.client.start(&[place.job("r1-1", "echo > ready; read -r _ < go")]).unwrap();
    meet(&ready);
    server.started("r1-1");
    // It hides which attempt it is of, so it is known by its control group only.
    let fugitive = "echo $$ > pid; exec sleep 1000";
    let script = format!("env -i PATH=$PATH setsid sh -c '{fugitive}' & until [ -s pid ]; do :; done");
    let exit = server.run(declaring(&place, "r2-1", &script));
    assert!(exit.is_success(), "{exit:?}");
    let pid: u32 = fs::read_to_string(place.path("pid")).unwrap().trim().parse().unwrap();
    let lives = stat(pid).unwrap().is_some_and(|stat| stat.is_alive());
    assert_eq!(lives, !enforced);
    release(&go);
    server.end_of("r1-1");
    wait_dead(pid);
}

#[test]
fn the_next_runner_removes_what_a_killed_one_left() {
    let mut place = Place::new();
    let server = place.start();
    let enforced = is_enforced(&server);
    let ready = place.fifo("ready");
    let hidden = "env -i PATH=$PATH setsid sh -c 'echo $$ > pid; echo > ready; exec sleep 1000' & wait";
    server.client.start(&[declaring(&place, "r1-1", hidden)]).unwrap();
    meet(&ready);
    assert_eq!(groups(&place).len(), usize::from(enforced));
    let pid: u32 = fs::read_to_string(place.path("pid")).unwrap().trim().parse().unwrap();
    place.kill_runner();
    let server = place.start();
    if enforced {
        wait_dead(pid);
        // A group goes a moment after its last member, at one of the next looks.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !groups(&place).is_empty() && std::time::Instant::now() < until {}
    } else {
        crate::os::ProcessId::of(pid).unwrap().unwrap().kill().unwrap();
    }
    assert_eq!(groups(&place), Vec::<PathBuf>::new());
    assert!(server.run(declaring(&place, "r2-1", ":")).is_success());
}
