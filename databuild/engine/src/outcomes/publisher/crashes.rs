//! Publications in a real process that is killed after each of its system calls which change a file system. What
//! comes up afterwards has to end with all new outputs or with all old ones, and with an empty staging folder.
//!
//! The test starts its own program again, where only this runs, so that it can fork. The parts of each such process
//! ("lives" below) are forked from it and traced by it.

use super::{sync, Published};
use crate::attempt::request::Request;
use crate::attempt::staging::Staging;
use crate::publish::{self, inspect, Output, Publication, Rename, Reserved};
use databuild_core::ids::AttemptId;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use tempfile::TempDir;

/// Processes that share the work, and the variable that tells each its share.
const SHARES: usize = 2;
const SHARE: &str = "DATABUILD_TEST_SHARE_OF_CRASHES";
const ATTEMPT: &str = "r1-1";

#[test]
fn a_publication_that_is_killed_at_any_point_ends_as_a_whole_or_not_at_all() {
    let module = module_path!().split_once("::").expect("a crate's name leads").1;
    let start = |share: usize| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::a_share_of_the_crashes"), "--nocapture"])
            .env(SHARE, share.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let shares: Vec<_> = (0..SHARES).map(start).collect();
    for share in shares {
        let output = share.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let kills = text.lines().find_map(|line| line.split_once("kills: ")?.1.parse::<usize>().ok());
        assert!(kills.unwrap() > 400, "{text}");
    }
}

/// Does nothing unless the test above starts it.
#[test]
fn a_share_of_the_crashes() {
    let Ok(share) = std::env::var(SHARE) else { return };
    let disks = Disks::new();
    let cases = cases().into_iter().skip(share.parse().unwrap()).step_by(SHARES);
    let kills: usize = cases.map(|case| case.run(&disks)).sum();
    println!("kills: {kills}");
}

/// What is at a place, or is to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    File,
    Directory,
    /// Nothing, and what is empty has nothing.
    Nothing,
}

const ALL: [What; 3] = [What::File, What::Directory, What::Nothing];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    None,
    /// The last output cannot be published.
    Stays,
    /// The same, but for servers that come after the first crash.
    Goes,
}

#[derive(Debug, Clone)]
struct Case {
    /// What each output replaces, and what it is.
    outputs: Vec<(What, What)>,
    other_file_system: bool,
    exchange: bool,
    obstacle: Obstacle,
    /// Servers that come after the first crash are killed at every point as well.
    deep: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let pairs: Vec<_> = ALL.into_iter().flat_map(|old| ALL.map(|new| (old, new))).collect();
    for (n, pair) in pairs.iter().enumerate() {
        for other_file_system in [false, true] {
            for exchange in [true, false] {
                let mut case = |outputs: Vec<(What, What)>, obstacle, deep| {
                    cases.push(Case { outputs, other_file_system, exchange, obstacle, deep });
                };
                let deep = !other_file_system;
                case(vec![*pair], Obstacle::None, deep);
                if n % 3 != 0 || (other_file_system && !exchange) {
                    continue;
                }
                // Each pair is in one of these.
                let three = vec![*pair, pairs[(n + 4) % 9], pairs[(n + 8) % 9]];
                case(three.clone(), Obstacle::None, deep);
                case(three.clone(), Obstacle::Stays, deep);
                case(three, Obstacle::Goes, deep);
            }
        }
    }
    cases
}

/// Folders on two file systems.
struct Disks {
    one: TempDir,
    other: TempDir,
}

impl Disks {
    fn new() -> Disks {
        let memory = Path::new("/dev/shm");
        let fast = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
        let others = [std::env::temp_dir(), PathBuf::from("/var/tmp"), std::env::current_dir().unwrap()];
        let other = others.into_iter().find(|path| device(path).is_some_and(|it| Some(it) != device(&fast)));
        let other = other.expect("/dev/shm and the temporary folder are on two file systems");
        Disks { one: TempDir::new_in(fast).unwrap(), other: TempDir::new_in(other).unwrap() }
    }
}

/// What servers have in common, and what they keep in the log.
struct World {
    staging: PathBuf,
    out: PathBuf,
    exchange: bool,
    outputs: Vec<Output>,
    /// 0: nothing is recorded; 1: published; 2: failed.
    record: &'static AtomicU8,
    /// What is at each output's place before and what is to be there afterwards, as trees.
    trees: Vec<[Tree; 2]>,
}

/// A file's content, or none of a folder, by relative path. Empty if nothing is there.
type Tree = BTreeMap<PathBuf, Option<String>>;

impl Case {
    /// Kills the first server at every point. Returns how often one was killed.
    fn run(&self, disks: &Disks) -> usize {
        let mut kills = 0;
        for n in 1.. {
            let world = self.set_up(disks);
            if let Some(calls) = world.live(false, Some(n)) {
                assert!(calls < n, "{self:?}");
                world.check_end(self, &format!("{n}: nobody was killed"));
                break;
            }
            kills += 1;
            kills += self.after_a_crash(disks, world, n);
        }
        kills
    }

    fn after_a_crash(&self, disks: &Disks, world: World, n: usize) -> usize {
        world.check_crash(self, n);
        let recorded = world.recorded() != 0;
        self.remove_obstacle(&world);
        world.live(true, None);
        world.check_end(self, &format!("killed after {n}"));
        if recorded || !self.deep {
            return 0;
        }
        let mut kills = 0;
        for m in 1.. {
            let world = self.set_up(disks);
            assert_eq!(world.live(false, Some(n)), None);
            self.remove_obstacle(&world);
            world.live(true, Some(m));
            kills += 1;
            // What comes after the record is the same as in a first life.
            let recorded = world.recorded() != 0;
            world.check_crash(self, n);
            world.live(true, None);
            world.check_end(self, &format!("killed after {n}, and then after {m}"));
            if recorded {
                break;
            }
        }
        kills
    }

    fn set_up(&self, disks: &Disks) -> World {
        let staging = if self.other_file_system { &disks.other } else { &disks.one }.path().join("staging");
        let out = disks.one.path().join("out");
        publish::remove(&staging).unwrap();
        publish::remove(&out).unwrap();
        fs::create_dir(&staging).unwrap();
        fs::create_dir(&out).unwrap();
        let stage = Staging::new(staging.clone());
        let mut outputs = Vec::new();
        let mut trees = Vec::new();
        let mut request = Vec::new();
        let mut add = |n: usize, place: PathBuf, old: What, new: What| {
            let staging = stage.path(ATTEMPT, &n.to_string(), &place);
            fs::create_dir_all(staging.parent().unwrap()).unwrap();
            request.push(serde_json::json!({
                "dataset": "d", "partition": n.to_string(), "keys": {}, "path": staging, "final_path": place,
            }));
            make(&place, old, "old");
            make(&staging, new, "new");
            let content = inspect(&staging).ok().map(|found| found.hash);
            trees.push([tree(&place), tree(&staging)]);
            outputs.push(Output { staging, place, content, body: 0 });
        };
        for (n, (old, new)) in self.outputs.iter().enumerate() {
            // No name could be longer.
            add(n, out.join(format!("folder {n}")).join("k".repeat(255)), *old, *new);
        }
        if self.obstacle != Obstacle::None {
            // It can be put nowhere; or, since it would be staged there, it is not to be found.
            add(self.outputs.len(), out.join("no folder/file"), What::Nothing, What::File);
            let last = outputs.last().unwrap();
            if self.other_file_system {
                fs::remove_file(&last.staging).unwrap();
            } else {
                fs::write(out.join("no folder"), "").unwrap();
            }
        }
        let request: Request = serde_json::from_value(serde_json::json!({
            "format": 1, "run": "r1", "attempt": 1, "job": "//:j", "as_of": "2010-02-01T00:00:00Z",
            "inputs": {}, "wants": [], "outputs": request,
        }))
        .unwrap();
        stage.note(ATTEMPT, &request).unwrap();
        let record = shared();
        record.store(0, Ordering::SeqCst);
        World { staging, out, exchange: self.exchange, outputs, record, trees }
    }

    fn remove_obstacle(&self, world: &World) {
        if self.obstacle == Obstacle::Goes && world.recorded() == 0 {
            if self.other_file_system {
                fs::write(&world.outputs.last().unwrap().staging, "new").unwrap();
            } else {
                fs::remove_file(world.out.join("no folder")).unwrap();
            }
        }
    }
}

impl World {
    fn recorded(&self) -> u8 {
        self.record.load(Ordering::SeqCst)
    }

    /// One life of a server: it publishes unless the log says what came of that, and clears. If it is to be killed after
    /// so many calls and comes to its end before, the number of its calls is returned.
    fn live(&self, again: bool, kill_after: Option<usize>) -> Option<usize> {
        let no_flags: Rename = |from, to, flags| match flags.is_empty() {
            true => rustix::fs::rename(from, to),
            false => Err(Errno::INVAL),
        };
        let life = || {
            let staging = Staging::new(self.staging.clone());
            if self.recorded() == 0 {
                let outputs = self.outputs.clone();
                let mut publication =
                    if again { Publication::again(outputs) } else { Publication::first(outputs) };
                if !self.exchange {
                    publication = publication.with_rename(no_flags);
                }
                let reserved = Reserved::new(Path::new("/no workspace"), Path::new("/no workspace/state"));
                let attempt: AttemptId = ATTEMPT.parse().unwrap();
                let mut one = [Published::new(attempt, publication, Vec::new(), &reserved)];
                sync(&mut one);
                self.record.store(if one[0].result.is_ok() { 1 } else { 2 }, Ordering::SeqCst);
            }
            staging.clear(ATTEMPT);
        };
        match kill_after {
            Some(calls) => killed(calls, life),
            None => {
                life();
                None
            }
        }
    }

    /// After a crash nothing is lost, and readers see whole outputs.
    fn check_crash(&self, case: &Case, n: usize) {
        let record = self.recorded();
        // Without the obstacle.
        let outputs = self.outputs.iter().take(case.outputs.len());
        for (output, [old, new]) in outputs.zip(&self.trees) {
            let about = || format!("{case:?} killed after {n}: {}", output.place.display());
            let there = tree(&output.place);
            let staged = [tree(&output.staging), tree(&output.staging.with_file_name(".databuild-replaced"))];
            let somewhere = |tree: &Tree| tree.is_empty() || there == *tree || staged.contains(tree);
            assert!(record == 1 || somewhere(old), "{}: the old one is lost", about());
            assert!(record == 2 || somewhere(new), "{}: the new one is lost", about());
            let files = [old, new].map(|tree| tree.len() == 1);
            let swapped_in_one = self.exchange || files == [true, true];
            let whole = there == *old || there == *new || (there.is_empty() && !swapped_in_one);
            assert!(whole, "{}: {there:?}", about());
        }
    }

    /// In the end all places hold what was recorded, and nothing is left beside them.
    fn check_end(&self, case: &Case, when: &str) {
        let record = self.recorded();
        let right = match case.obstacle {
            Obstacle::None => record == 1,
            Obstacle::Stays => record == 2,
            Obstacle::Goes => record == 1 || record == 2,
        };
        assert!(right, "{case:?} {when}: {record} is recorded");
        for (n, (output, trees)) in self.outputs.iter().zip(&self.trees).enumerate() {
            let expected = &trees[if record == 1 { 1 } else { 0 }];
            let place = &output.place;
            assert_eq!(tree(place), *expected, "{case:?} {when}: output {n}");
            let beside = fs::read_dir(place.parent().unwrap()).into_iter().flatten().flatten();
            let beside: Vec<_> = beside.map(|entry| entry.path()).filter(|path| path != place).collect();
            assert!(beside.is_empty(), "{case:?} {when}: {beside:?}");
        }
        let left: Vec<_> = fs::read_dir(&self.staging)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let spare = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("spare-"));
                !spare || fs::read_dir(path).unwrap().next().is_some()
            })
            .collect();
        assert!(left.is_empty(), "{case:?} {when}: {left:?}");
    }
}

fn make(path: &Path, what: What, content: &str) {
    match what {
        What::Nothing => return,
        What::File => fs::create_dir_all(path.parent().unwrap()).unwrap(),
        What::Directory => fs::create_dir_all(path.join("sub")).unwrap(),
    }
    if what == What::File {
        fs::write(path, content).unwrap();
    } else {
        fs::write(path.join("a"), content).unwrap();
        fs::write(path.join("sub/b"), content).unwrap();
        fs::set_permissions(path.join("sub"), fs::Permissions::from_mode(0o555)).unwrap();
    }
}

fn tree(path: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(relative) = pending.pop() {
        let at = if relative.as_os_str().is_empty() { path.to_owned() } else { path.join(&relative) };
        match fs::symlink_metadata(&at) {
            Err(_) => {}
            Ok(meta) if meta.is_dir() => {
                let entries = fs::read_dir(&at).unwrap();
                pending.extend(entries.map(|entry| relative.join(entry.unwrap().file_name())));
                tree.insert(relative, None);
            }
            Ok(_) => drop(tree.insert(relative, Some(fs::read_to_string(&at).unwrap()))),
        }
    }
    tree
}

/// A byte that forked processes share.
fn shared() -> &'static AtomicU8 {
    use rustix::mm::{mmap_anonymous, MapFlags, ProtFlags};
    static PAGE: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let page = PAGE.get_or_init(|| {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at a place that the system chooses.
        let page = unsafe { mmap_anonymous(std::ptr::null_mut(), 4096, access, MapFlags::SHARED) };
        page.unwrap() as usize
    });
    // SAFETY: the page is never unmapped, is filled with zeros, and is used as this type only.
    unsafe { &*(*page as *const AtomicU8) }
}

/// Does `work` in a forked process. Kills it when so many calls have changed a file system, and returns none; or returns
/// the number of those calls.
fn killed(after: usize, work: impl FnOnce()) -> Option<usize> {
    // SAFETY: the only other thread of this process waits for the one that forks, so nobody holds a lock.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // SAFETY: plain calls; the process ends without running anything of its parent's.
        unsafe {
            libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
            libc::raise(libc::SIGSTOP);
            let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_ok();
            libc::_exit(i32::from(!ok));
        }
    }
    let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
    let mut calls = 0;
    let mut entered = None;
    let mut signal = 0;
    let status = wait(pid);
    assert!(libc::WIFSTOPPED(status), "{status}");
    // SAFETY: the child is stopped and ours.
    unsafe { assert_eq!(libc::ptrace(libc::PTRACE_SETOPTIONS, pid, 0, options), 0) };
    loop {
        // SAFETY: as above.
        unsafe { assert_eq!(libc::ptrace(libc::PTRACE_SYSCALL, pid, 0, signal), 0) };
        signal = 0;
        let status = wait(pid);
        if libc::WIFEXITED(status) {
            assert_eq!(libc::WEXITSTATUS(status), 0, "the server panicked");
            return Some(calls);
        }
        assert!(libc::WIFSTOPPED(status), "{status}");
        if libc::WSTOPSIG(status) != libc::SIGTRAP | 0x80 {
            signal = libc::WSTOPSIG(status);
            continue;
        }
        // SAFETY: the structure is plain data, and the system tells which part of it is in use.
        let (op, entry, failed) = unsafe {
            let mut info: libc::ptrace_syscall_info = std::mem::zeroed();
            let size = std::mem::size_of_val(&info);
            let got = libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid, size, &raw mut info);
            assert!(got > 0);
            (info.op, info.u.entry, info.u.exit.is_error != 0)
        };
        if op == libc::PTRACE_SYSCALL_INFO_ENTRY {
            entered = Some(changes(entry.nr, &entry.args));
        } else if op == libc::PTRACE_SYSCALL_INFO_EXIT && entered.take() == Some(true) && !failed {
            calls += 1;
            if after == calls {
                // SAFETY: the child is stopped and ours.
                unsafe { libc::kill(pid, libc::SIGKILL) };
                assert!(libc::WIFSIGNALED(wait(pid)));
                return None;
            }
        }
    }
}

fn wait(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: the status is ours to be written.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    status
}

/// Whether a call changes a file system.
fn changes(number: u64, args: &[u64; 6]) -> bool {
    let writes = |flags: u64| flags & (libc::O_CREAT | libc::O_TRUNC) as u64 != 0;
    #[cfg(target_arch = "x86_64")]
    match number.cast_signed() {
        libc::SYS_open => return writes(args[1]),
        libc::SYS_rename | libc::SYS_unlink | libc::SYS_rmdir | libc::SYS_mkdir | libc::SYS_link => {
            return true
        }
        libc::SYS_symlink | libc::SYS_chmod | libc::SYS_creat => return true,
        _ => {}
    }
    match number.cast_signed() {
        libc::SYS_openat => writes(args[2]),
        libc::SYS_renameat | libc::SYS_renameat2 | libc::SYS_unlinkat | libc::SYS_mkdirat => true,
        libc::SYS_linkat | libc::SYS_symlinkat | libc::SYS_fchmod | libc::SYS_fchmodat => true,
        libc::SYS_fsync | libc::SYS_fdatasync | libc::SYS_syncfs | libc::SYS_ftruncate => true,
        libc::SYS_write | libc::SYS_pwrite64 => true,
        _ => false,
    }
}
