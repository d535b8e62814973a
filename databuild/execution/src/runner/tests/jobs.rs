//! What happens to a job from its start to its end.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::super::spool::{read_record, PidRecord};
use super::super::{AttemptState, ExitRecord, Outcome, OutputTimes, Stream, TimedPiece};
use super::harness::{meet, read, release, wait_dead, Place};
use crate::os::stat;

#[test]
fn exit_code_records_and_modes() {
    let mut place = Place::new();
    let server = place.start();
    let mut spec = place.job("r1-1", "echo out; echo err >&2; cat \"$DATABUILD_REQUEST\"; exit 3");
    spec.request = "{\"format\":1}".to_owned();
    let exit = server.run(spec);
    assert_eq!(exit.outcome, Outcome::Code(3));
    assert!(!exit.timed_out && !exit.canceled && !exit.group_left);
    assert!(exit.started_at > 0 && exit.ended_at >= exit.started_at);
    assert!(exit.rusage.max_rss_kb > 0);

    let files = place.files("r1-1");
    assert_eq!(read(&files.stdout()), "out\n{\"format\":1}");
    assert_eq!(read(&files.stderr()), "err\n");
    assert_eq!(exit.stdout.bytes, 16);
    let kept: ExitRecord = read_record(&files.exit()).unwrap().unwrap();
    assert_eq!(kept, exit);
    let pid: PidRecord = read_record(&files.pid()).unwrap().unwrap();
    assert_eq!(pid.pgid, pid.process.pid);
    assert_eq!(pid.process.boot_id, server.client.hello().boot_id);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(files.dir().to_owned()), 0o700);
    assert_eq!(mode(files.stdout()), 0o600);
    assert_eq!(mode(files.pid()), 0o600);
}

#[test]
fn a_quiet_job_makes_no_log_files() {
    let mut place = Place::new();
    let server = place.start();
    assert!(server.run(place.job("r1-1", ":")).is_success());
    assert!(!place.files("r1-1").stdout().exists());
    assert!(!place.files("r1-1").stderr().exists());
    assert!(!place.files("r1-1").times().exists());
}

#[test]
fn killed_by_a_signal() {
    let mut place = Place::new();
    let server = place.start();
    let exit = server.run(place.job("r1-1", "kill -SEGV $$"));
    assert_eq!(exit.outcome, Outcome::Signal(libc::SIGSEGV));
}

#[test]
fn the_record_is_there_before_the_job() {
    let mut place = Place::new();
    let server = place.start();
    let exit = server.run(place.job("r1-1", "cat \"${DATABUILD_REQUEST%/*}/pid.json\"; echo $$"));
    assert!(exit.is_success());
    let out = place.stdout("r1-1");
    let (record, pid) = out.trim_end().rsplit_once('\n').unwrap();
    let record: PidRecord = serde_json::from_str(record).unwrap();
    assert_eq!(record.process.pid.to_string(), pid);
}

#[test]
fn nothing_is_inherited() {
    let mut place = Place::new();
    let server = place.start();
    let script = "env | cut -d= -f1 | sort; ls /proc/self/fd; readlink /proc/self/fd/0; \
                  grep -E '^Sig(Blk|Ign)' /proc/self/status; pwd; umask";
    let mut spec = place.job("r1-1", script);
    spec.umask = 0o027;
    spec.env.push(("DATABUILD_REPORT".to_owned(), "replaced".into()));
    assert!(server.run(spec).is_success());
    let folder = place.path("").canonicalize().unwrap();
    assert_eq!(
        place.stdout("r1-1"),
        format!(
            "DATABUILD_REPORT\nDATABUILD_REQUEST\nPATH\nPWD\n0\n1\n2\n3\n/dev/null\n\
             SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n{}\n0027\n",
            folder.display()
        )
    );
}

#[test]
fn folders_are_made_with_the_jobs_mask() {
    let mut place = Place::new();
    let server = place.start();
    let mut spec = place.job("r1-1", "echo x > a/b/f; echo '{}' >> \"$DATABUILD_REPORT\"");
    spec.mkdirs = vec![place.path("a/b").to_str().unwrap().to_owned()];
    spec.umask = 0o002;
    assert!(server.run(spec).is_success());
    let mode = |path: &str| fs::metadata(place.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a"), mode("a/b"), mode("a/b/f")), (0o775, 0o775, 0o664));
    assert_eq!(read(&place.files("r1-1").report()), "{}\n");
}

#[test]
fn a_timeout_stops_the_job() {
    let mut place = Place::new();
    let server = place.start();
    let mut spec = place.job("r1-1", "exec sleep 1000");
    spec.timeout_ms = Some(20);
    let exit = server.run(spec);
    assert_eq!(exit.outcome, Outcome::Signal(libc::SIGTERM));
    assert!(exit.timed_out && !exit.canceled);
}

#[test]
fn a_job_deaf_to_term_is_killed_after_the_grace() {
    let mut place = Place::new();
    let server = place.start();
    let fifo = place.fifo("ready");
    let mut spec = place.job("r1-1", "trap '' TERM; echo ready > ready; sleep 1000");
    spec.grace_ms = 20;
    server.client.start(&[spec]).unwrap();
    meet(&fifo);
    server.client.cancel(&"r1-1".to_owned().try_into().unwrap(), "enough").unwrap();
    let exit = server.end_of("r1-1");
    assert_eq!(exit.outcome, Outcome::Signal(libc::SIGKILL));
    assert_eq!(exit.cancel_reason.as_deref(), Some("enough"));
    assert!(exit.canceled && !exit.timed_out);
}

#[test]
fn a_job_may_end_well_within_the_grace() {
    let mut place = Place::new();
    let server = place.start();
    let fifo = place.fifo("ready");
    let script = "trap 'echo bye; exit 7' TERM; echo ready > ready; while :; do sleep 0.01; done";
    server.client.start(&[place.job("r1-1", script)]).unwrap();
    meet(&fifo);
    server.client.cancel(&super::harness::name("r1-1"), "").unwrap();
    let exit = server.end_of("r1-1");
    assert_eq!(exit.outcome, Outcome::Code(7));
    assert!(exit.canceled);
    assert_eq!(place.stdout("r1-1"), "bye\n");
}

#[test]
fn a_stopped_job_can_be_cancelled() {
    let mut place = Place::new();
    let server = place.start();
    let fifo = place.fifo("ready");
    let script = "echo ready > ready; kill -STOP $$; exec sleep 1000";
    server.client.start(&[place.job("r1-1", script)]).unwrap();
    meet(&fifo);
    server.client.cancel(&super::harness::name("r1-1"), "").unwrap();
    assert_eq!(server.end_of("r1-1").outcome, Outcome::Signal(libc::SIGTERM));
}

#[test]
fn of_output_over_the_limit_the_beginning_and_the_end_are_kept_and_the_job_goes_on() {
    let mut place = Place::new();
    let server = place.start();
    let script = "head -c 1000000 /dev/zero; echo why it failed; echo fine >&2; exit 4";
    let mut spec = place.job("r1-1", script);
    spec.max_log_bytes = 1000;
    let exit = server.run(spec);
    assert_eq!(exit.outcome, Outcome::Code(4));
    let why = "why it failed\n";
    assert_eq!(exit.stdout.dropped, 999_000 + why.len() as u64);
    let log = fs::read(place.files("r1-1").stdout()).unwrap();
    assert_eq!(log[..750], [0; 750]);
    let gap = "\n[databuild: 999014 bytes of output are left out here]\n";
    assert_eq!(String::from_utf8_lossy(&log[750..750 + gap.len()]), gap);
    let tail = &log[750 + gap.len()..];
    assert_eq!(tail.len(), 250);
    assert!(tail.ends_with(why.as_bytes()), "the end is there");
    assert_eq!(exit.stdout.bytes, log.len() as u64);
    assert_eq!(place.files("r1-1").stderr().metadata().unwrap().len(), 5);
}

#[test]
fn output_has_the_times_at_which_it_came() {
    let mut place = Place::new();
    let server = place.start();
    let (first, second) = (place.fifo("first"), place.fifo("second"));
    let script = "echo 1 >&2; read x < first; echo 2; read x < second; echo 3 >&2";
    server.client.start(&[place.job("r1-1", script)]).unwrap();
    let files = place.files("r1-1");
    // As a reader has them while the job runs.
    while OutputTimes::open(&files).is_none() {}
    let pieces = |stream| OutputTimes::open(&files).unwrap().of(stream, 0, 99);
    let ends = |pieces: &[TimedPiece]| pieces.iter().map(|piece| piece.end).collect::<Vec<_>>();
    assert_eq!(ends(&pieces(Stream::Stderr)), [2]);
    release(&first);
    while read(&files.stdout()).is_empty() {}
    assert_eq!(ends(&pieces(Stream::Stdout)), [2]);
    release(&second);
    let exit = server.end_of("r1-1");
    let times = OutputTimes::open(&files).unwrap();
    assert_eq!(times.lengths(), [2, 4]);
    let (out, err) = (pieces(Stream::Stdout), pieces(Stream::Stderr));
    assert_eq!((ends(&out), ends(&err)), (vec![2], vec![2, 4]));
    let at = [err[0].at, out[0].at, err[1].at];
    assert!(at.is_sorted(), "{at:?}");
    assert!(exit.started_at * 1_000 <= at[0] && at[2] < (exit.ended_at + 1_000) * 1_000, "{exit:?} {at:?}");
    // From the middle, and only so far.
    assert_eq!(ends(&times.of(Stream::Stderr, 3, 99)), [4]);
    assert_eq!(ends(&times.of(Stream::Stderr, 0, 3)), [2, 3]);
    assert_eq!(times.of(Stream::Stderr, 4, 99), []);
}

#[test]
fn the_times_of_a_short_job_and_its_checks_are_in_the_end_record() {
    let mut place = Place::new();
    let server = place.start();
    let mut spec = place.job("r1-1", "echo 1 >&2");
    // A check that prints, and one that cannot be started.
    spec.checks = vec![place.check("//:sane", "echo 2; exit 1"), place.check("//:gone", "")];
    spec.checks[1].argv = vec!["/nothing".to_owned()];
    let exit = server.run(spec);
    let out = "[databuild: check //:sane]\n2\n".len() as u64;
    let lengths: Vec<_> = exit.log_times.iter().map(|[_, out, err]| (*out, *err)).collect();
    let files = place.files("r1-1");
    if lengths.is_empty() {
        // On a machine so busy that the job took long.
        assert!(files.times().exists());
    } else {
        assert_eq!(lengths, [(0, 2), (out, 2)]);
    }
    let times = OutputTimes::open(&files).unwrap();
    assert_eq!(times.lengths(), [out, 2]);
    assert_eq!(times.of(Stream::Stdout, 0, out).len(), 1);
}

#[test]
fn output_of_exactly_the_limit_is_whole() {
    let mut place = Place::new();
    let server = place.start();
    let mut spec = place.job("r1-1", "printf 12345");
    spec.max_log_bytes = 5;
    assert_eq!(server.run(spec).stdout.dropped, 0);
    assert_eq!(place.stdout("r1-1"), "12345");
}

#[test]
fn binary_output_is_kept_as_it_is() {
    let mut place = Place::new();
    let server = place.start();
    let bytes: Vec<u8> = (0..200_000u32).map(|n| (n % 509 * n % 251) as u8).collect();
    fs::write(place.path("garbage"), &bytes).unwrap();
    let exit = server.run(place.job("r1-1", "cat garbage; cat garbage >&2"));
    assert!(exit.is_success());
    assert!(fs::read(place.files("r1-1").stdout()).unwrap() == bytes);
    assert!(fs::read(place.files("r1-1").stderr()).unwrap() == bytes);
}

#[test]
fn reopening_stderr_by_its_path_empties_nothing() {
    let mut place = Place::new();
    let server = place.start();
    let exit = server.run(place.job("r1-1", "echo a >&2; echo b > /dev/stderr; echo c >&2"));
    assert!(exit.is_success());
    assert_eq!(read(&place.files("r1-1").stderr()), "a\nb\nc\n");
}

#[test]
fn stray_grandchildren_die_with_their_leader() {
    let mut place = Place::new();
    let server = place.start();
    let script = "sleep 1000 & echo $! > stray; (trap '' HUP TERM; sleep 1000) & echo $! > deaf";
    let exit = server.run(place.job("r1-1", script));
    assert_eq!(exit.outcome, Outcome::Code(0));
    assert!(!exit.group_left);
    for file in ["stray", "deaf"] {
        let pid: u32 = read(&place.path(file)).trim().parse().unwrap();
        // Dead before the end was reported, not some time after it.
        assert_eq!(crate::os::stat(pid).unwrap(), None);
    }
}

#[test]
fn one_that_left_the_group_dies_too() {
    let mut place = Place::new();
    let server = place.start();
    place.fifo("ready");
    // With and without the job's output held open.
    let script = "for to in /dev/null /dev/stdout; do \
                    setsid sh -c 'echo $$ > ready; exec sleep 1000' > $to 2> /dev/null & \
                    pid=; while [ -z \"$pid\" ]; do read pid < ready; done; \
                    echo $pid >> escaped; done";
    assert!(server.run(place.job("r1-1", script)).is_success());
    let escaped = read(&place.path("escaped"));
    assert_eq!(escaped.lines().count(), 2);
    for pid in escaped.lines() {
        wait_dead(pid.parse().unwrap());
    }
}

#[test]
fn an_orphan_of_a_running_job_is_left_alone() {
    let mut place = Place::new();
    let server = place.start();
    server.client.set_capacity(2).unwrap();
    let fifo = place.fifo("go");
    place.fifo("ready");
    // Its own parent is gone, so it is the runner's child when r2 ends.
    let script = "(setsid sh -c 'echo $$ > ready; exec sleep 1000' > /dev/null 2>&1 &); \
                  read pid < ready; echo $pid > escaped; echo > told; read x < go; \
                  kill -0 $pid && echo alive";
    let told = place.fifo("told");
    server.client.start(&[place.job("r1-1", script)]).unwrap();
    meet(&told);
    let escape = "setsid sleep 1000 & echo done";
    assert!(server.run(place.job("r2-1", escape)).is_success());
    release(&fifo);
    assert!(server.end_of("r1-1").is_success());
    assert_eq!(place.stdout("r1-1"), "alive\n");
    wait_dead(read(&place.path("escaped")).trim().parse().unwrap());
}

#[test]
fn an_orphan_that_hides_dies_when_all_attempts_are_over_that_may_have_made_it() {
    let mut place = Place::new();
    let server = place.start();
    server.client.set_capacity(2).unwrap();
    let (ready, go, later) = (place.fifo("ready"), place.fifo("go"), place.fifo("later"));
    let script =
        "env -i PATH=$PATH setsid sh -c 'echo $$ > pid; echo > ready; exec sleep 1000' & read x < go";
    server.client.start(&[place.job("r1-1", script)]).unwrap();
    meet(&ready);
    let pid: u32 = read(&place.path("pid")).trim().parse().unwrap();
    let born = stat(pid).unwrap().unwrap().start_time;
    // Start times are told in hundredths of a second.
    let now = || {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let started = stat(child.id()).unwrap().unwrap().start_time;
        child.wait().unwrap();
        started
    };
    while now() <= born {}
    server.client.start(&[place.job("r2-1", "read x < later")]).unwrap();
    place.until("r2-1", |state| matches!(state, AttemptState::Running { .. }));
    release(&go);
    assert!(server.end_of("r1-1").is_success());
    wait_dead(pid);
    place.until("r2-1", |state| matches!(state, AttemptState::Running { .. }));
    release(&later);
    assert!(server.end_of("r2-1").is_success());
}

#[test]
fn a_value_that_is_not_utf8_reaches_the_job() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut place = Place::new();
    let server = place.start();
    let mut spec = place.job("r1-1", "printf %s \"$ODD\"");
    spec.env.push(("ODD".to_owned(), std::ffi::OsString::from_vec(b"a\xff\xc3b".to_vec()).into()));
    assert!(server.run(spec).is_success());
    assert_eq!(fs::read(place.files("r1-1").stdout()).unwrap(), b"a\xff\xc3b");
}

#[test]
fn failed_starts_say_what_is_wrong() {
    let mut place = Place::new();
    let server = place.start();
    let write = |name: &str, text: &str, mode: u32| {
        let path = place.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("plain", "x", 0o644);
    write("nonsense", "neither\n", 0o755);
    write("script", "#!/no/such/python -u\nx\n", 0o755);
    write("dos", "#!/bin/sh\r\nx\n", 0o755);
    let cases = [
        ("missing", libc::ENOENT, "missing does not exist"),
        ("plain", libc::EACCES, "plain is not executable; chmod +x it"),
        ("run", libc::EACCES, "run is a folder, not an executable"),
        ("nonsense", libc::ENOEXEC, "nonsense is neither a program of this machine nor"),
        ("script", libc::ENOENT, "the interpreter \"/no/such/python\" named in the first line"),
        ("dos", libc::ENOENT, "the interpreter \"/bin/sh\\r\" named in the first line"),
    ];
    for (at, (program, expected, words)) in cases.into_iter().enumerate() {
        let mut spec = place.job(&format!("r{at}-1"), "");
        spec.argv = vec![place.path(program).to_str().unwrap().to_owned()];
        match server.run(spec).outcome {
            Outcome::SpawnFailed { errno, message } => {
                assert_eq!(errno, expected, "{message}");
                assert!(message.contains(words), "{message}");
            }
            other => panic!("{program}: {other:?}"),
        }
    }
    let mut spec = place.job("cwd", ":");
    spec.cwd = "/no/such/folder".to_owned();
    let exit = server.run(spec);
    match &exit.outcome {
        Outcome::SpawnFailed { message, .. } => {
            assert!(message.starts_with("the working directory /no/such/folder"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let kept: ExitRecord = read_record(&place.files("cwd").exit()).unwrap().unwrap();
    assert_eq!(kept, exit);
}

#[test]
fn an_executable_still_being_written_is_tried_again() {
    let mut place = Place::new();
    let server = place.start();
    let program = place.path("program");
    fs::copy("/bin/sh", &program).unwrap();
    let writer = fs::OpenOptions::new().append(true).open(&program).unwrap();
    let mut spec = place.job("r1-1", "echo ran");
    spec.argv[0] = program.to_str().unwrap().to_owned();
    server.client.start(&[spec]).unwrap();
    // Its folder is there while it counts as queued: a try has failed.
    place.until("r1-1", |state| *state == AttemptState::Queued && place.files("r1-1").pid().exists());
    drop(writer);
    assert_eq!(server.end_of("r1-1").outcome, Outcome::Code(0));
    assert_eq!(place.stdout("r1-1"), "ran\n");
}

#[test]
fn specs_that_cannot_be_are_refused() {
    let mut place = Place::new();
    let server = place.start();
    let good = || place.job("r1-1", ":");
    let mut bad = vec![good(), good(), good(), good(), good(), good()];
    bad[0].argv.clear();
    bad[1].argv[0] = "sh".to_owned();
    bad[2].argv[1].push('\0');
    bad[3].cwd = "here".to_owned();
    bad[4].env.push(("A=B".to_owned(), "".into()));
    bad[5].mkdirs.push("a".to_owned());
    for spec in bad {
        server.client.start(&[spec]).unwrap();
        assert_eq!(server.refused("r1-1").0, "bad_spec");
    }
    assert!(server.run(good()).is_success());
}
