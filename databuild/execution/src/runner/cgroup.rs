//! Control groups: where the runner can make them, each attempt whose job declares memory has one, and the kernel
//! holds it to that.
//!
//! Groups are made below a *base*, and carry the spool's identity in their names, so that runners never touch each
//! other's. Of version 1 the base is the runner's own group of the memory hierarchy. Of version 2 it is the group that
//! was delegated to the runner; since a group with members can have no limited groups below it, the runner and its
//! server, if nobody else is there, first move to a leaf of their own. A group that was not delegated is left as it
//! is, writable or not: it is managed by somebody else.
//!
//! A job that needs more than it has is killed by the kernel, and with it, whatever the version, the attempt has
//! failed: what a killed helper leaves unfinished is no output.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::os::ProcessId;

/// Where the system mounts control groups.
const ROOT: &str = "/sys/fs/cgroup";
/// What all names of ours begin with.
const OURS: &str = "databuild-";
/// What the name of a leaf for a runner and its server ends with; no attempt is called so.
const LEAF: &str = ".runner";
/// The members of a group; writing a process id there moves it in.
const MEMBERS: &str = "cgroup.procs";
/// Which controllers hold for the groups below.
const CHILDREN: &str = "cgroup.subtree_control";
/// Memory of the group that is made to see whether one can be.
const PROBE: u64 = 1 << 30;

/// How the kernel names what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// Where groups of attempts are made.
#[derive(Debug)]
pub(super) struct Cgroups {
    version: Version,
    base: PathBuf,
    prefix: String,
}

/// What is known of the runner's surroundings.
struct Surroundings<'a> {
    /// Where control groups are mounted.
    root: &'a Path,
    /// The text of `/proc/self/cgroup`.
    own: &'a str,
    /// Whether a group was given away to those in it.
    is_delegated: fn(&Path) -> bool,
    /// The runner, and the server that started it.
    supervisors: [u32; 2],
}

impl Cgroups {
    /// Finds out whether groups can be made here, by making one; the error says why not, in few words. `spool` tells
    /// spools apart, as [`super::spool::Spool::id`] has it.
    pub(super) fn detect(spool: (u64, u64)) -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup")
            .map_err(|e| format!("/proc/self/cgroup cannot be read: {e}"))?;
        Self::find(
            &Surroundings {
                root: Path::new(ROOT),
                own: &own,
                is_delegated,
                supervisors: [std::process::id(), std::os::unix::process::parent_id()],
            },
            spool,
        )
    }

    fn find(around: &Surroundings<'_>, spool: (u64, u64)) -> Result<Self, String> {
        let memory_of_v1 = |controllers: &str| controllers.split(',').any(|one| one == "memory");
        let prefix = prefix(spool);
        let (version, base) = if let Some(path) = group(around.own, memory_of_v1) {
            (Version::V1, around.home(&around.root.join("memory"), path)?)
        } else if let Some(path) = group(around.own, str::is_empty) {
            (Version::V2, around.base_of_v2(&around.home(around.root, path)?, &prefix)?)
        } else {
            return Err("this system has no control groups".to_owned());
        };
        let cgroups = Self { version, base, prefix };
        let [runner, _] = around.supervisors;
        let probe = cgroups.for_attempt(&format!("probe-{runner}"), PROBE);
        probe.map_err(|e| format!("no control group can be made: {e}"))?;
        Ok(cgroups)
    }

    /// The folder that has the groups.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// What the limits are kept by, for people.
    pub(super) fn describe(&self) -> &'static str {
        match self.version {
            Version::V1 => "cgroup v1",
            Version::V2 => "cgroup v2",
        }
    }

    /// Makes the group of an attempt that may take so many bytes.
    pub(super) fn for_attempt(&self, attempt: &str, bytes: u64) -> io::Result<Cgroup> {
        let folder = self.base.join(format!("{}{attempt}", self.prefix));
        fs::create_dir(&folder)?;
        // From here on it goes with the value.
        let group = Cgroup { version: self.version, folder, bytes, kills: 0 };
        group.limit()?;
        Ok(group)
    }
}

impl Surroundings<'_> {
    /// The folder of the runner's own group. A container may see its group at the top, and be told the path that it
    /// has outside.
    fn home(&self, mounted: &Path, path: &str) -> Result<PathBuf, String> {
        let [runner, _] = self.supervisors;
        let mut seen = [mounted.join(path.trim_start_matches('/')), mounted.to_owned()].into_iter();
        seen.find(|folder| members(folder).contains(&runner))
            .ok_or_else(|| "the runner's control group cannot be seen".to_owned())
    }

    /// The base for a runner in this group, made ready for limits.
    fn base_of_v2(&self, own: &Path, prefix: &str) -> Result<PathBuf, String> {
        if let Some(base) = own.parent().filter(|base| is_leaf(own) && has_word(base, CHILDREN, "memory")) {
            if (self.is_delegated)(base) {
                return Ok(base.to_owned());
            }
        }
        if !(self.is_delegated)(own) {
            return Err("the runner's control group is not delegated to it".to_owned());
        }
        if !has_word(own, "cgroup.controllers", "memory") {
            return Err("the runner's control group has no memory controller".to_owned());
        }
        let (movable, others): (Vec<u32>, Vec<u32>) =
            members(own).into_iter().partition(|pid| self.supervisors.contains(pid));
        if let Some(other) = others.first() {
            return Err(format!("the runner's control group is not its own: process {other} is in it too"));
        }
        let leaf = own.join(format!("{}{LEAF}", prefix.trim_end_matches('-')));
        let moved = make_room(own, &leaf, &movable);
        moved.map_err(|e| format!("the runner's control group cannot be divided: {e}"))?;
        Ok(own.to_owned())
    }
}

/// Moves all members of a group to a leaf, so that groups beside that can have limits; or changes nothing.
fn make_room(own: &Path, leaf: &Path, movable: &[u32]) -> io::Result<()> {
    match fs::create_dir(leaf) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    let moved = movable
        .iter()
        .try_for_each(|pid| fs::write(leaf.join(MEMBERS), pid.to_string()))
        .and_then(|()| fs::write(own.join(CHILDREN), "+memory"));
    if moved.is_err() {
        for pid in movable {
            // It may not have moved at all.
            let _ = fs::write(own.join(MEMBERS), pid.to_string());
        }
        let _ = fs::remove_dir(leaf);
    }
    moved
}

/// The group of one attempt. With the value, what is left in it is killed and the group removed.
#[derive(Debug)]
pub(super) struct Cgroup {
    version: Version,
    folder: PathBuf,
    bytes: u64,
    /// Members that the kernel had killed for want of memory, when that was last asked.
    kills: u64,
}

impl Cgroup {
    fn limit(&self) -> io::Result<()> {
        match self.version {
            Version::V1 => {
                self.set("memory.limit_in_bytes", self.bytes)?;
                // Memory and swap together, where the kernel counts that; it is never below the first.
                self.set_if_there("memory.memsw.limit_in_bytes", self.bytes)
            }
            Version::V2 => {
                self.set("memory.max", self.bytes)?;
                self.set_if_there("memory.swap.max", 0)?;
                // All of it is killed, or nothing.
                self.set_if_there("memory.oom.group", 1)
            }
        }
    }

    /// The file by which a process enters: whoever writes 0 to it is in.
    pub(super) fn entrance(&self) -> io::Result<OwnedFd> {
        let path = self.folder.join(MEMBERS);
        Ok(rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Kills all that is in it, also what has left its process group.
    pub(super) fn kill(&self) {
        kill(&self.folder);
    }

    /// Whether no process is in it.
    pub(super) fn is_empty(&self) -> bool {
        members(&self.folder).is_empty()
    }

    /// The limit in bytes, if it was exceeded since this was last asked: something in the group was killed for that,
    /// not because the whole machine had no memory left.
    pub(super) fn exceeded(&mut self) -> Option<u64> {
        let (kills, at_limit) = match self.version {
            Version::V1 => {
                let peak = number(&self.folder, "memory.max_usage_in_bytes", "");
                // Version 1 has no count of its own for the limit. When it kills, what is in use comes close to it.
                let at_limit = peak >= self.bytes - self.bytes / 16;
                (number(&self.folder, "memory.oom_control", "oom_kill"), at_limit)
            }
            Version::V2 => {
                let events = |name| number(&self.folder, "memory.events", name);
                (events("oom_kill"), events("oom") > 0)
            }
        };
        let more = kills > self.kills;
        self.kills = kills;
        (more && at_limit).then_some(self.bytes)
    }

    fn set(&self, file: &str, value: u64) -> io::Result<()> {
        fs::write(self.folder.join(file), value.to_string())
    }

    fn set_if_there(&self, file: &str, value: u64) -> io::Result<()> {
        if self.folder.join(file).exists() {
            self.set(file, value)?;
        }
        Ok(())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.kill();
        // While something of it is on its way out this fails; then `remove_groups` does it.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Kills what is in groups below `base` that a runner of this spool made for attempts which are not live, and removes
/// those that have become empty.
pub(super) fn remove_groups(base: &Path, spool: (u64, u64), is_live: impl Fn(&str) -> bool) {
    let prefix = prefix(spool);
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let attempt = name.to_str().and_then(|name| name.strip_prefix(&prefix));
        if attempt.is_some_and(|attempt| !is_live(attempt)) {
            kill(&entry.path());
            // What was killed just now may still be there at this look; there is another.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn prefix((device, inode): (u64, u64)) -> String {
    format!("{OURS}{device:x}.{inode:x}-")
}

/// The path of the group in the hierarchy with these controllers, as `/proc/self/cgroup` has it.
fn group(own: &str, is_it: impl Fn(&str) -> bool) -> Option<&str> {
    own.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        is_it(controllers).then_some(path)
    })
}

fn is_leaf(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(OURS) && name.ends_with(LEAF))
}

/// The mark that systemd leaves on what it will not touch again; older versions leave only the one that root can read.
fn is_delegated(folder: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].into_iter().any(|name| {
        let mut value = [0u8; 8];
        let length = rustix::fs::getxattr(folder, name, &mut value);
        length.is_ok_and(|length| value.get(..length) == Some(b"1".as_slice()))
    })
}

fn has_word(folder: &Path, file: &str, word: &str) -> bool {
    fs::read_to_string(folder.join(file))
        .is_ok_and(|text| text.split_ascii_whitespace().any(|one| one == word))
}

/// A number of a file with lines of a name and a number, or of one with a number only; 0 if it is not there.
fn number(folder: &Path, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    let value = text.lines().find_map(|line| match line.split_once(' ') {
        Some((of, value)) => (of == name).then_some(value),
        None => Some(line),
    });
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// The processes in a group; none if there is no such group.
fn members(folder: &Path) -> Vec<u32> {
    let text = fs::read_to_string(folder.join(MEMBERS)).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn kill(folder: &Path) {
    let at_once = folder.join("cgroup.kill");
    if at_once.exists() && fs::write(&at_once, "1").is_ok() {
        return;
    }
    let seen: Vec<ProcessId> =
        members(folder).into_iter().filter_map(|pid| ProcessId::of(pid).ok().flatten()).collect();
    // A number that was given to somebody else between the two looks is not in the group now, or is its member.
    let still = members(folder);
    for process in seen.into_iter().filter(|process| still.contains(&process.pid)) {
        // It may have ended meanwhile.
        let _ = process.kill();
    }
}

/// A tree of folders stands for the kernel's here; in `super::tests::memory` it is the kernel.
#[cfg(test)]
mod tests {
    use super::*;

    const SPOOL: (u64, u64) = (1, 0x2a);

    /// A folder with these files.
    fn folder(path: &Path, files: &[(&str, &str)]) -> PathBuf {
        fs::create_dir_all(path).unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        path.to_owned()
    }

    fn read(path: &Path, name: &str) -> String {
        fs::read_to_string(path.join(name)).unwrap_or_default()
    }

    /// The group `/scope` of version 2 with these members and controllers.
    fn scope(root: &Path, members: &str, controllers: &str) -> PathBuf {
        let files = [(MEMBERS, members), ("cgroup.controllers", controllers), (CHILDREN, "")];
        folder(&root.join("scope"), &files)
    }

    fn find(root: &Path, own: &str, delegated: bool) -> Result<Cgroups, String> {
        let is_delegated = if delegated { |_: &Path| true } else { |_: &Path| false };
        let around = Surroundings { root, own, is_delegated, supervisors: [10, 11] };
        let cgroups = Cgroups::find(&around, SPOOL)?;
        // The kernel's folders go with what is in them.
        fs::remove_dir_all(cgroups.base().join("databuild-1.2a-probe-10")).unwrap();
        Ok(cgroups)
    }

    #[test]
    fn a_delegated_group_is_divided() {
        let root = tempfile::tempdir().unwrap();
        let scope = scope(root.path(), "10\n11\n", "cpu memory pids\n");
        let cgroups = find(root.path(), "0::/scope\n", true).unwrap();
        assert_eq!((cgroups.base(), cgroups.describe()), (scope.as_path(), "cgroup v2"));
        assert_eq!(read(&scope, CHILDREN), "+memory");
        let leaf = scope.join("databuild-1.2a.runner");
        assert_eq!(read(&leaf, MEMBERS), "11", "the last that moved");

        // The runner after it is in the leaf from its start, and changes nothing.
        folder(&scope, &[(CHILDREN, "memory\n"), (MEMBERS, "")]);
        folder(&leaf, &[(MEMBERS, "10\n")]);
        let cgroups = find(root.path(), "0::/scope/databuild-1.2a.runner\n", true).unwrap();
        assert_eq!((cgroups.base(), read(&leaf, MEMBERS).as_str()), (scope.as_path(), "10\n"));
        let group = cgroups.for_attempt("r1-1", 1 << 20).unwrap();
        assert_eq!(read(&scope.join("databuild-1.2a-r1-1"), "memory.max"), "1048576");
        assert!(group.is_empty());
    }

    #[test]
    fn a_group_of_others_is_left_as_it_is() {
        let untouched = |members: &str, controllers: &str, delegated: bool| {
            let root = tempfile::tempdir().unwrap();
            let scope = scope(root.path(), members, controllers);
            let why = find(root.path(), "0::/scope\n", delegated).unwrap_err();
            assert_eq!((read(&scope, CHILDREN), read(&scope, MEMBERS)), (String::new(), members.to_owned()));
            assert_eq!(fs::read_dir(&scope).unwrap().count(), 3);
            why
        };
        assert_eq!(untouched("10\n", "memory\n", false), "the runner's control group is not delegated to it");
        assert_eq!(untouched("10\n", "cpu\n", true), "the runner's control group has no memory controller");
        let crowded = untouched("10\n12\n", "memory\n", true);
        assert_eq!(crowded, "the runner's control group is not its own: process 12 is in it too");
        assert_eq!(untouched("12\n", "memory\n", true), "the runner's control group cannot be seen");
        let root = tempfile::tempdir().unwrap();
        assert_eq!(find(root.path(), "3:cpu:/\n", true).unwrap_err(), "this system has no control groups");
    }

    #[test]
    fn a_group_that_cannot_be_divided_is_as_before() {
        let root = tempfile::tempdir().unwrap();
        let scope = scope(root.path(), "10\n", "memory\n");
        fs::remove_file(scope.join(CHILDREN)).unwrap();
        fs::create_dir(scope.join(CHILDREN)).unwrap();
        let why = find(root.path(), "0::/scope\n", true).unwrap_err();
        assert!(why.starts_with("the runner's control group cannot be divided: "), "{why}");
        assert_eq!(read(&scope, MEMBERS), "10", "it went back");
    }

    #[test]
    fn version_1_needs_no_room() {
        let root = tempfile::tempdir().unwrap();
        let own = folder(&root.path().join("memory/a"), &[(MEMBERS, "7\n10\n")]);
        let cgroups = find(root.path(), "4:cpu,memory:/a\n0::/\n", false).unwrap();
        assert_eq!((cgroups.base(), cgroups.describe()), (own.as_path(), "cgroup v1"));
        drop(cgroups.for_attempt("r1-1", 4096).unwrap());
        assert_eq!(read(&own.join("databuild-1.2a-r1-1"), "memory.limit_in_bytes"), "4096");
        // A container is told the path of outside, and sees its group at the top.
        folder(&root.path().join("memory"), &[(MEMBERS, "10\n")]);
        let top = find(root.path(), "4:memory:/outside\n", false).unwrap();
        assert_eq!(top.base(), root.path().join("memory"));
    }

    #[test]
    fn delegation_is_read_from_its_mark() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_delegated(folder.path()));
        let mark = |value: &[u8]| {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(folder.path(), "user.delegate", value, flags).is_ok()
        };
        mark(b"0");
        assert!(!is_delegated(folder.path()));
        // Not every file system takes such marks.
        assert_eq!(mark(b"1"), is_delegated(folder.path()));
    }

    fn cgroup(version: Version, path: &Path, files: &[(&str, &str)]) -> Cgroup {
        Cgroup { version, folder: folder(path, files), bytes: 1600, kills: 0 }
    }

    #[test]
    fn swap_is_no_way_out() {
        let root = tempfile::tempdir().unwrap();
        let files = [("memory.swap.max", "max\n"), ("memory.oom.group", "0\n"), ("cgroup.kill", "")];
        let group = cgroup(Version::V2, root.path(), &files);
        group.limit().unwrap();
        group.kill();
        let written = ["memory.max", "memory.swap.max", "memory.oom.group", "cgroup.kill"];
        assert_eq!(written.map(|name| read(root.path(), name)), ["1600", "0", "1", "1"]);
        let root = tempfile::tempdir().unwrap();
        let group =
            cgroup(Version::V1, root.path(), &[("memory.memsw.limit_in_bytes", "9223372036854771712\n")]);
        group.limit().unwrap();
        let written = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.swap.max"];
        assert_eq!(written.map(|name| read(root.path(), name)), ["1600", "1600", ""]);
    }

    #[test]
    fn a_kill_counts_once_and_only_at_the_limit() {
        let root = tempfile::tempdir().unwrap();
        let mut group = cgroup(Version::V2, root.path(), &[]);
        let mut at = |events: &str| {
            folder(root.path(), &[("memory.events", events)]);
            group.exceeded()
        };
        assert_eq!(at("low 0\nmax 9\noom 0\noom_kill 0\noom_group_kill 0\n"), None);
        assert_eq!(
            at("low 0\nmax 9\noom 0\noom_kill 1\noom_group_kill 0\n"),
            None,
            "the machine had no more"
        );
        assert_eq!(at("low 0\nmax 9\noom 1\noom_kill 2\noom_group_kill 1\n"), Some(1600));
        assert_eq!(at("low 0\nmax 9\noom 1\noom_kill 2\noom_group_kill 1\n"), None);
        let root = tempfile::tempdir().unwrap();
        let mut group = cgroup(Version::V1, root.path(), &[]);
        let mut at = |peak: &str, control: &str| {
            folder(root.path(), &[("memory.max_usage_in_bytes", peak), ("memory.oom_control", control)]);
            group.exceeded()
        };
        assert_eq!(at("1600\n", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"), None);
        assert_eq!(at("800\n", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), None);
        assert_eq!(at("1580\n", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), Some(1600));
    }

    #[test]
    fn only_groups_of_this_spool_that_are_not_live_are_removed() {
        let base = tempfile::tempdir().unwrap();
        for name in ["1.2a-r1-1", "1.2a-r2-1", "1.2a.runner", "1.2-r1-1", "1.2ab-r1-1", "2.2a-r1-1"] {
            fs::create_dir(base.path().join(format!("databuild-{name}"))).unwrap();
        }
        remove_groups(base.path(), SPOOL, |attempt| attempt == "r2-1");
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 5);
        assert!(!base.path().join("databuild-1.2a-r1-1").exists());
    }
}
