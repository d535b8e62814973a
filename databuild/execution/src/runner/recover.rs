//! What became of attempts whose runner is gone: read from the spool, and what
//! still runs of them is killed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{kill_process_group, Signal};

use super::error::RunnerError;
use super::orphans::{origin, processes, Origin};
use super::protocol::{AttemptName, ExitRecord};
use super::spool::{read_record, read_runner_record, AttemptFiles, PidRecord};
use crate::os::{boot_id, stat, to_pid, Deadline, ProcessId, PROGRAM_CHANGE};

/// Longest that is waited for processes that were killed. A process lets go of its files and locks a while after it was
/// killed: it first gives back its memory, and gets no sooner to a processor than others.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two looks at processes that go.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What the spool tells about one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It ended and its end was recorded.
    Ended(Box<ExitRecord>),
    /// It was started and its end is unknown: runner or machine went down.
    /// Nothing of it runs any more.
    Lost,
    /// Nothing of the job ever ran.
    NeverStarted,
    /// A living runner still has it; ask that runner instead.
    Running,
}

/// Whether the runner of the spool lives, as its record says. It may not answer.
pub fn is_alive(spool: &Path) -> bool {
    pid(spool).is_some()
}

/// The process of the spool's runner, if there is one.
pub fn pid(spool: &Path) -> Option<u32> {
    let record = read_runner_record(spool).ok().flatten()?;
    boot_id().is_ok_and(|boot| record.process.is_alive(&boot)).then_some(record.process.pid)
}

/// Waits until the runner of the spool has ended, if there is one; false if it has not by then. Of its jobs nothing goes on
/// when it has.
///
/// # Errors
/// Its record cannot be read, or it cannot be waited for.
pub fn wait_exit(spool: &Path, deadline: &Deadline) -> io::Result<bool> {
    let boot = boot_id()?;
    let runner = read_runner_record(spool)?.and_then(|record| record.process.in_boot(&boot));
    runner.map_or(Ok(true), |runner| runner.wait_exit(deadline))
}

/// How an attempt ended, if that was recorded.
///
/// # Errors
/// Its folder cannot be read.
pub fn end_of(spool: &Path, attempt: &AttemptName) -> Result<Option<Box<ExitRecord>>, RunnerError> {
    let files = AttemptFiles::new(spool, attempt);
    let read = |e| RunnerError::io("reading the spool folder", files.dir(), e);
    Ok(read_record(&files.exit()).map_err(read)?.map(Box::new))
}

/// Classifies attempts that no runner reports (any more), and kills what is left of those that are lost, or that cannot be looked at: of all of
/// them at once, since each may take a while to die. `boot_id` is the current boot, see [`crate::os::boot_id`].
pub fn inspect(spool: &Path, attempts: &[AttemptName], boot_id: &str) -> Vec<Result<Found, RunnerError>> {
    let found: Vec<_> = attempts.iter().map(|attempt| classify(spool, attempt, boot_id)).collect();
    let is_lost = |found: &Result<Found, RunnerError>| matches!(found, Ok(Found::Lost) | Err(_));
    let lost: Vec<AttemptName> = attempts
        .iter()
        .zip(&found)
        .filter(|(_, found)| is_lost(found))
        .map(|(attempt, _)| attempt.clone())
        .collect();
    kill_leftovers(spool, &lost);
    found
}

/// The newest process of an attempt that its runner noted.
fn newest_record(files: &AttemptFiles) -> io::Result<Option<PidRecord>> {
    let mut newest = None;
    for path in files.pids() {
        newest = read_record::<PidRecord>(&path)?.or(newest);
    }
    Ok(newest)
}

fn classify(spool: &Path, attempt: &AttemptName, boot_id: &str) -> Result<Found, RunnerError> {
    let files = AttemptFiles::new(spool, attempt);
    let read = |e| RunnerError::io("reading the spool folder", files.dir(), e);
    if let Some(exit) = end_of(spool, attempt)? {
        return Ok(Found::Ended(exit));
    }
    let newest = newest_record(&files).map_err(read)?;
    let Some(record) = newest else {
        return Ok(Found::NeverStarted);
    };
    if !record.process.is_alive(boot_id) {
        return Ok(Found::Lost);
    }
    let pid = record.process.pid;
    if is_owned(spool, pid, boot_id) {
        return Ok(Found::Running);
    }
    // The leader is who the record says, so its group is the record's too. But the record may be a copy:
    // in a copied workspace it names a process of the original, which lives on with its own runner.
    let ours = matches!(origin(pid, spool), Origin::Attempt(of) if of == *attempt);
    if let Some(group) = to_pid(record.pgid).filter(|_| ours) {
        // ESRCH: it ended by itself just now.
        let _ = kill_process_group(group, Signal::KILL);
    }
    Ok(Found::Lost)
}

/// Whether the process is the child of the living runner of this spool.
fn is_owned(spool: &Path, pid: u32, boot_id: &str) -> bool {
    let Ok(Some(runner)) = read_runner_record(spool) else {
        return false;
    };
    let runner = runner.process;
    runner.is_alive(boot_id) && matches!(stat(pid), Ok(Some(stat)) if stat.parent == runner.pid)
}

/// Kills every process that carries one of these attempts in its environment, and waits until all of them are gone.
/// The environment is the sure sign for those whose leader is dead: a group's number alone may have come to somebody else
/// meanwhile. One that is dying has no environment any more, and may still hold files and locks: it is known by its group.
fn kill_leftovers(spool: &Path, attempts: &[AttemptName]) {
    if attempts.is_empty() {
        return;
    }
    let record = |attempt| newest_record(&AttemptFiles::new(spool, attempt)).ok().flatten();
    let records: Vec<PidRecord> = attempts.iter().filter_map(record).collect();
    let groups: BTreeSet<u32> = records.iter().map(|record| record.pgid).collect();
    // What began before all of them is of none of them.
    let since = records.iter().map(|record| record.process.start_time).min();
    let deadline = Instant::now() + PATIENCE;
    let unsure_until = Instant::now() + PROGRAM_CHANGE;
    loop {
        let (mut going, mut unsure) = (false, false);
        for (pid, stat) in processes().filter(|(_, stat)| stat.is_alive()) {
            match origin(pid, spool) {
                Origin::Attempt(of) if attempts.contains(&of) => {
                    // It may have ended meanwhile.
                    let _ = ProcessId { pid, start_time: stat.start_time }.kill();
                    going = true;
                }
                _ if groups.contains(&stat.group) && is_dying(pid) => going = true,
                Origin::Unsure => unsure |= since.is_some_and(|since| since <= stat.start_time),
                Origin::Attempt(_) | Origin::Other => {}
            }
        }
        let now = Instant::now();
        let wait = going && now < deadline || unsure && now < unsure_until;
        if !wait {
            return;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Whether a process has given back its memory already, which is the first that it does when it ends.
fn is_dying(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/statm")).is_ok_and(|sizes| sizes.starts_with(b"0 "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::ProcessRecord;
    use std::io::BufRead as _;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    fn name(text: &str) -> AttemptName {
        AttemptName::new(text).unwrap()
    }

    fn inspect_one(spool: &Path, attempt: &str, boot_id: &str) -> Result<Found, RunnerError> {
        inspect(spool, &[name(attempt)], boot_id).remove(0)
    }

    fn folder(spool: &Path, attempt: &str, pid: &str, exit: &str) {
        let dir = spool.join(attempt);
        fs::create_dir(&dir).unwrap();
        if !pid.is_empty() {
            fs::write(dir.join("pid.json"), pid).unwrap();
        }
        if !exit.is_empty() {
            fs::write(dir.join("exit.json"), exit).unwrap();
        }
    }

    #[test]
    fn torn_records_count_as_absent() {
        let spool = tempfile::tempdir().unwrap();
        folder(spool.path(), "a", "", "");
        folder(spool.path(), "b", "{\"pid\":1", "");
        let gone = r#"{"pid":1,"start_time":0,"pgid":1,"boot_id":"x"}"#;
        folder(spool.path(), "c", gone, "{\"code\"");
        let boot = boot_id().unwrap();
        let names = ["a", "b", "c"].map(name);
        let found: Vec<_> =
            inspect(spool.path(), &names, &boot).into_iter().map(|found| found.unwrap()).collect();
        assert_eq!(found, [Found::NeverStarted, Found::NeverStarted, Found::Lost]);
        assert!(inspect(spool.path(), &[], &boot).is_empty());
    }

    /// Not a test of its own: a process with much memory, which takes a while to die, and with a lock.
    #[test]
    fn dies_slowly() {
        let Some(lock) = std::env::var_os("DATABUILD_TEST_LOCK") else { return };
        let file = fs::File::create(lock).unwrap();
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let memory = vec![1_u8; 1 << 30];
        println!("ready");
        std::thread::sleep(Duration::from_secs(600));
        drop(memory);
    }

    #[test]
    fn an_attempt_is_lost_when_all_of_it_is_gone_and_holds_nothing_any_more() {
        let spool = tempfile::tempdir().unwrap();
        let boot = boot_id().unwrap();
        let lock = spool.path().join("lock");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "runner::recover::tests::dies_slowly", "--nocapture"])
            .env("DATABUILD_TEST_LOCK", &lock)
            .env("DATABUILD_REQUEST", spool.path().join("r1-1/request.json"))
            .process_group(0)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let out = std::io::BufReader::new(child.stdout.take().unwrap());
        assert!(out.lines().any(|line| line.unwrap().ends_with("ready")));
        let start_time = stat(child.id()).unwrap().unwrap().start_time;
        let process = ProcessRecord { pid: child.id(), start_time, boot_id: boot.clone() };
        let record = PidRecord { process, pgid: child.id() };
        folder(spool.path(), "r1-1", &serde_json::to_string(&record).unwrap(), "");
        // As the kernel does when its runner dies.
        child.kill().unwrap();
        assert_eq!(inspect_one(spool.path(), "r1-1", &boot).unwrap(), Found::Lost);
        let file = fs::File::open(&lock).unwrap();
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_took_over_the_number_is_spared() {
        let spool = tempfile::tempdir().unwrap();
        let boot = boot_id().unwrap();
        let mut stranger =
            Command::new("/bin/cat").stdin(std::process::Stdio::piped()).process_group(0).spawn().unwrap();
        let pid = stranger.id();
        let start_time = stat(pid).unwrap().unwrap().start_time;
        let record = |start_time: u64, boot: &str| {
            format!(r#"{{"pid":{pid},"start_time":{start_time},"pgid":{pid},"boot_id":"{boot}"}}"#)
        };
        folder(spool.path(), "reused", &record(start_time - 1, &boot), "");
        folder(spool.path(), "rebooted", &record(start_time, "earlier"), "");
        for attempt in ["reused", "rebooted"] {
            let found = inspect_one(spool.path(), attempt, &boot).unwrap();
            assert_eq!(found, Found::Lost);
        }
        assert!(stat(pid).unwrap().unwrap().is_alive());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    /// A process that an attempt's record names, working for the attempt of that name in `of`.
    fn attempts_process(spool: &Path, of: &Path) -> std::process::Child {
        let child = Command::new("/bin/cat")
            .stdin(std::process::Stdio::piped())
            .env("DATABUILD_REQUEST", of.join("r1-1/request.json"))
            .process_group(0)
            .spawn()
            .unwrap();
        let pid = child.id();
        let start_time = stat(pid).unwrap().unwrap().start_time;
        let boot = boot_id().unwrap();
        let record = format!(r#"{{"pid":{pid},"start_time":{start_time},"pgid":{pid},"boot_id":"{boot}"}}"#);
        folder(spool, "r1-1", &record, "");
        child
    }

    #[test]
    fn what_is_left_of_an_attempt_is_killed() {
        let spool = tempfile::tempdir().unwrap();
        let mut child = attempts_process(spool.path(), spool.path());
        let found = inspect_one(spool.path(), "r1-1", &boot_id().unwrap()).unwrap();
        assert_eq!(found, Found::Lost);
        let status = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    }

    #[test]
    fn a_copied_spool_does_not_kill_the_originals_jobs() {
        let (original, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut child = attempts_process(copy.path(), original.path());
        let found = inspect_one(copy.path(), "r1-1", &boot_id().unwrap()).unwrap();
        assert_eq!(found, Found::Lost);
        assert!(stat(child.id()).unwrap().unwrap().is_alive());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
