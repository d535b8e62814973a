//! What comes after a job: its checks, in its place and its folder.

use std::fs;

use super::super::spool::{read_record, PidRecord};
use super::super::{AttemptState, ExitRecord, Found, Outcome, StartSpec};
use super::harness::{inspect_one, meet, name, read, release, wait_dead, Place};

/// A job with checks of these scripts, named `c0`, `c1` and so on.
fn checked(place: &Place, job: &str, checks: &[&str]) -> StartSpec {
    let mut spec = place.job("r1-1", job);
    spec.checks =
        checks.iter().enumerate().map(|(at, script)| place.check(&format!("c{at}"), script)).collect();
    spec
}

fn outcomes(exit: &ExitRecord) -> Vec<Outcome> {
    exit.checks.iter().map(|check| check.outcome.clone()).collect()
}

/// What a check said on stderr.
fn said(place: &Place, exit: &ExitRecord, at: usize) -> String {
    let (from, to) = exit.checks[at].stderr;
    read(&place.files("r1-1").stderr())[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()]
        .to_owned()
}

#[test]
fn checks_run_one_after_the_other_with_files_of_their_own() {
    let mut place = Place::new();
    let server = place.start();
    let first = "cat made; cat \"$DATABUILD_REQUEST\"; echo one > \"$DATABUILD_REPORT\"; echo a >> made";
    let second = "cat made >&2; echo two > \"$DATABUILD_REPORT\"; pwd";
    let mut spec =
        checked(&place, "echo x > made; echo job; echo mine > \"$DATABUILD_REPORT\"", &[first, second]);
    spec.checks[1].env.push(("DATABUILD_REQUEST".to_owned(), "replaced".into()));
    let exit = server.run(spec);
    assert!(exit.is_success() && !exit.canceled && !exit.timed_out);
    assert_eq!(outcomes(&exit), [Outcome::Code(0), Outcome::Code(0)]);
    assert!(exit.started_at <= exit.ended_at && exit.ended_at <= exit.checks[0].started_at);
    assert!(exit.checks[0].ended_at <= exit.checks[1].started_at && exit.checks[1].rusage.max_rss_kb > 0);

    let files = place.files("r1-1");
    let folder = place.path("").canonicalize().unwrap();
    let printed = format!(
        "job\n\n[databuild: check c0]\nx\n{{\"check\":\"c0\"}}\n[databuild: check c1]\n{}\n",
        folder.display()
    );
    assert_eq!(read(&files.stdout()), printed);
    assert_eq!(exit.stdout.bytes as usize, printed.len());
    assert_eq!(read(&files.stderr()), "[databuild: check c1]\nx\na\n");
    assert_eq!((said(&place, &exit, 0), said(&place, &exit, 1)), (String::new(), "x\na\n".to_owned()));
    assert_eq!(read(&files.report()), "mine\n");
    assert_eq!(
        (read(&files.check_report(0)), read(&files.check_report(1))),
        ("one\n".into(), "two\n".into())
    );
    assert_eq!(read(&files.check_request(1)), "{\"check\":\"c1\"}");
    let kept: ExitRecord = read_record(&files.exit()).unwrap().unwrap();
    assert_eq!(kept, exit);
}

#[test]
fn a_job_that_failed_is_checked_only_if_that_is_asked_for() {
    let mut place = Place::new();
    let server = place.start();
    let exit = server.run(checked(&place, "exit 3", &[":"]));
    assert_eq!((exit.outcome, exit.checks), (Outcome::Code(3), vec![]));
    let run = |attempt: &str, spec: StartSpec| server.run(StartSpec { attempt: name(attempt), ..spec });
    let late = |mut spec: StartSpec| {
        spec.timeout_ms = Some(20);
        spec
    };
    let graceful = "trap 'exit 0' TERM; while :; do sleep 0.01; done";
    let exit = run("r2-1", late(checked(&place, graceful, &[":"])));
    assert!(exit.timed_out && exit.checks.is_empty());

    let some = |spec: StartSpec| StartSpec { check_failures: true, ..spec };
    let exit = run("r3-1", some(checked(&place, "exit 3", &["exit 4"])));
    assert_eq!((exit.outcome.clone(), outcomes(&exit)), (Outcome::Code(3), vec![Outcome::Code(4)]));
    let exit = run("r4-1", some(late(checked(&place, graceful, &[":"]))));
    assert!(exit.timed_out && outcomes(&exit) == [Outcome::Code(0)]);
    let mut nothing = some(checked(&place, ":", &[":"]));
    nothing.argv = vec!["/no/such/program".to_owned()];
    let exit = run("r5-1", nothing);
    assert!(matches!(exit.outcome, Outcome::SpawnFailed { .. }) && exit.checks.is_empty());
}

#[test]
fn whatever_happens_to_a_check_the_next_one_runs() {
    let mut place = Place::new();
    let server = place.start();
    let mut spec = checked(
        &place,
        "echo made",
        &["echo gone >&2; kill -9 $$", "echo late >&2; exec sleep 1000", ":", "exit 1"],
    );
    (spec.checks[1].timeout_ms, spec.checks[1].grace_ms) = (50, 20);
    spec.checks[2].argv = vec!["/no/such/program".to_owned()];
    let exit = server.run(spec);
    assert!(exit.is_success() && !exit.timed_out && !exit.canceled);
    let spawn_failed = matches!(&exit.checks[2].outcome, Outcome::SpawnFailed { errno: libc::ENOENT, message }
        if message.contains("/no/such/program"));
    assert!(spawn_failed, "{exit:?}");
    assert_eq!(exit.checks[0].outcome, Outcome::Signal(libc::SIGKILL));
    assert_eq!(exit.checks[1].outcome, Outcome::Signal(libc::SIGTERM));
    assert_eq!(exit.checks[3].outcome, Outcome::Code(1));
    assert_eq!(
        exit.checks.iter().map(|check| check.timed_out).collect::<Vec<_>>(),
        [false, true, false, false]
    );
    assert_eq!([0, 1, 2, 3].map(|at| said(&place, &exit, at)), ["gone\n", "late\n", "", ""]);
}

#[test]
fn a_check_has_a_log_limit_of_its_own() {
    let mut place = Place::new();
    let server = place.start();
    let mut spec = checked(&place, "echo 0123456789 >&2", &["echo why >&2"]);
    spec.max_log_bytes = 4;
    let exit = server.run(spec);
    assert_eq!(said(&place, &exit, 0), "why\n");
    let log = read(&place.files("r1-1").stderr());
    assert!(log.starts_with("012\n[databuild: 7 bytes of output are left out here]\n\n"), "{log}");
    assert_eq!(exit.stderr.dropped, 7);
}

#[test]
fn a_cancel_stops_the_check_under_way_and_those_after_it() {
    let mut place = Place::new();
    let server = place.start();
    let ready = place.fifo("ready");
    let spec = checked(&place, ":", &["echo > ready; exec sleep 1000", "echo ran > ran"]);
    server.client.start(&[spec]).unwrap();
    meet(&ready);
    server.client.cancel(&name("r1-1"), "enough").unwrap();
    let exit = server.end_of("r1-1");
    assert_eq!((exit.canceled, exit.cancel_reason.as_deref()), (true, Some("enough")));
    assert!(exit.is_success(), "the job itself had come to its end");
    assert_eq!(outcomes(&exit), [Outcome::Signal(libc::SIGTERM)]);
    assert!(!place.path("ran").exists());
}

#[test]
fn a_shutdown_during_a_check_is_recorded() {
    let mut place = Place::new();
    let server = place.start();
    let ready = place.fifo("ready");
    let mut attempt = checked(&place, ":", &["trap '' TERM; echo > ready; sleep 1000", ":"]);
    attempt.checks[0].grace_ms = 50;
    server.client.start(&[attempt]).unwrap();
    meet(&ready);
    server.client.shutdown().unwrap();
    let exit = server.end_of("r1-1");
    assert!(exit.canceled);
    assert_eq!(outcomes(&exit), [Outcome::Signal(libc::SIGKILL)]);
    let found = inspect_one(&place.spool(), "r1-1", "any boot").unwrap();
    assert_eq!(found, Found::Ended(Box::new(exit)));
}

#[test]
fn checks_go_on_while_no_server_listens() {
    let mut place = Place::new();
    let server = place.start();
    let (ready, go) = (place.fifo("ready"), place.fifo("go"));
    let first = "echo > ready; read x < go; echo first >> ran";
    server.client.start(&[checked(&place, ":", &[first, "echo second >> ran; exit 1"])]).unwrap();
    meet(&ready);
    drop(server);
    release(&go);
    place.until("r1-1", |state| matches!(state, AttemptState::Ended { .. }));
    let server = place.reconnect();
    let [report] = server.client.hello().attempts.as_slice() else { panic!("one attempt") };
    let AttemptState::Ended { exit } = &report.state else { panic!("it has ended") };
    assert_eq!(outcomes(exit), [Outcome::Code(0), Outcome::Code(1)]);
    assert_eq!(read(&place.path("ran")), "first\nsecond\n");
}

#[test]
fn an_attempt_whose_runner_is_killed_during_a_check_is_lost_with_it() {
    let mut place = Place::new();
    let server = place.start();
    let ready = place.fifo("ready");
    server.client.start(&[checked(&place, ":", &["echo $$ > pid; echo > ready; exec sleep 1000"])]).unwrap();
    meet(&ready);
    place.kill_runner();
    let pid: u32 = read(&place.path("pid")).trim().parse().unwrap();
    wait_dead(pid);
    let boot = crate::os::boot_id().unwrap();
    assert_eq!(inspect_one(&place.spool(), "r1-1", &boot).unwrap(), Found::Lost);
    let kept: PidRecord =
        read_record(&place.files("r1-1").pids().last().unwrap()).unwrap().expect("the check's record");
    assert_eq!(kept.process.pid, pid);
}

#[test]
fn what_a_job_left_behind_is_killed_before_its_checks_look() {
    let mut place = Place::new();
    let server = place.start();
    place.fifo("left");
    // In a session of its own, so that the kill of the job's group does not reach it.
    let job = "setsid sh -c 'echo $$ > pid; echo > left; exec sleep 1000' & read x < left";
    let exit = server.run(checked(&place, job, &["while kill -0 $(cat pid); do sleep 0.01; done"]));
    assert_eq!(outcomes(&exit), [Outcome::Code(0)], "{}", read(&place.files("r1-1").stderr()));
}

#[test]
fn the_folder_of_a_silent_attempt_with_checks_serves_the_next_one() {
    let mut place = Place::new();
    let server = place.start();
    assert!(server.run(checked(&place, ":", &["echo '{}' > $DATABUILD_REPORT"])).is_success());
    server.client.forget(&[name("r1-1")], true).unwrap();
    assert_eq!(server.client.list().unwrap(), []);
    // The folder is looked after once the answer is out, and before the next.
    assert_eq!(server.client.list().unwrap(), []);
    assert!(!place.files("r1-1").dir().exists());
    let spare: Vec<_> = fs::read_dir(place.spool().join(".spare-0"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(spare.iter().all(|file| !file.to_string_lossy().starts_with("check-")), "{spare:?}");
    // What did not pass is kept.
    let failing = StartSpec { attempt: name("r2-1"), ..checked(&place, ":", &["exit 1"]) };
    server.run(failing);
    server.client.forget(&[name("r2-1")], true).unwrap();
    assert_eq!(server.client.list().unwrap(), []);
    assert!(place.files("r2-1").check_request(0).exists());
}

#[test]
fn a_check_that_makes_no_sense_refuses_the_attempt() {
    let mut place = Place::new();
    let server = place.start();
    let mut spec = checked(&place, "echo ran > ran", &[":"]);
    spec.checks[0].argv = vec!["check".to_owned()];
    server.client.start(&[spec]).unwrap();
    let (code, message) = server.refused("r1-1");
    assert_eq!(code, "bad_spec");
    assert_eq!(message, "check c0: the executable is not an absolute path: \"check\"");
    assert!(!place.path("ran").exists());
}
