//! Programs that answer, fail, talk and hang.

use super::*;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

struct Place {
    dir: tempfile::TempDir,
    stop: Stop,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap(), stop: Stop::new().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, script: &str, limit: Duration) -> Result<String, ProcessError> {
        let shell = PathBuf::from("/bin/sh");
        let args = ["-c".to_owned(), script.to_owned()];
        let env = [("PATH".to_owned(), "/usr/bin:/bin".into()), ("GIVEN".to_owned(), "1".into())];
        let folder = self.at("folder");
        let order = Order {
            program: &shell,
            args: &args,
            env: &env,
            cwd: self.dir.path(),
            request: "asked",
            folder: &folder,
            limit,
            stop: &self.stop,
        };
        let answer = run(&order).map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(!folder.exists(), "its folder stays behind");
        answer
    }

    /// Waits until a process whose number a script wrote down is no more: a signal takes a moment to arrive.
    fn wait_gone(&self, file: &str) {
        let pid = std::fs::read_to_string(self.at(file)).unwrap();
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        let until = Instant::now() + LONG / 2;
        while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < until, "{file} still runs");
            std::thread::yield_now();
        }
    }
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn it_sees_its_request_its_folder_and_nothing_else() {
    let place = Place::new();
    let said =
        place.run("cat \"$DATABUILD_REQUEST\"; pwd; cat; env | cut -d= -f1 | sort | tr '\\n' ' '", LONG);
    let workspace = place.dir.path().canonicalize().unwrap().display().to_string();
    let said = said.unwrap();
    assert!(said.starts_with(&format!("asked{workspace}\n")), "{said}");
    let names: Vec<_> = said
        .lines()
        .last()
        .unwrap()
        .split(' ')
        .filter(|name| !["", "_", "OLDPWD", "SHLVL"].contains(name))
        .collect();
    assert_eq!(names, ["DATABUILD_REPORT", "DATABUILD_REQUEST", "GIVEN", "PATH", "PWD"]);
}

#[test]
fn a_report_goes_before_what_is_printed() {
    let place = Place::new();
    assert_eq!(place.run("echo talk; echo answer > \"$DATABUILD_REPORT\"", LONG).unwrap(), "answer\n");
    assert_eq!(place.run("echo answer; : > \"$DATABUILD_REPORT\"", LONG).unwrap(), "answer\n");
}

#[test]
fn a_report_that_is_no_file_is_not_waited_for() {
    let place = Place::new();
    for (script, what) in [
        ("mkfifo \"$DATABUILD_REPORT\"", "a pipe"),
        ("mkdir \"$DATABUILD_REPORT\"", "a folder"),
        ("ln -s /dev/zero \"$DATABUILD_REPORT\"", "a symbolic link"),
    ] {
        let error = place.run(script, LONG).unwrap_err().to_string();
        assert_eq!(error, format!("its report cannot be read: it is {what}, not a regular file"));
    }
}

#[test]
fn what_an_observer_before_left_is_nobodys_answer() {
    let place = Place::new();
    let folder = place.at("folder");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("report.jsonl"), "old").unwrap();
    assert_eq!(place.run("echo new", LONG).unwrap(), "new\n");
}

#[test]
fn a_failure_tells_the_last_line_of_stderr() {
    let place = Place::new();
    let error = place.run("echo first >&2; echo 'no such table' >&2; echo; exit 3", LONG).unwrap_err();
    assert_eq!(error.to_string(), "it ended with exit code 3: no such table");
    let error = place.run("kill -9 $$", LONG).unwrap_err();
    assert_eq!(error.to_string(), "it ended with signal 9; it printed nothing to stderr");
    let error =
        place.run("yes nonsense | head -c 100000 >&2; printf '%0500d' 7 >&2; exit 1", LONG).unwrap_err();
    assert!(error.to_string().len() < 400, "{error}");
}

#[test]
fn one_that_hangs_is_stopped_with_all_that_it_started() {
    let place = Place::new();
    let script = "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > child; while :; do sleep 1; done' & echo $$ > parent; wait";
    let began = Instant::now();
    let error = place.run(script, Duration::from_millis(500)).unwrap_err();
    assert!(matches!(error, ProcessError::Timeout(_)), "{error}");
    assert!(error.to_string().contains("gave no answer within 500 ms"), "{error}");
    assert!(began.elapsed() < LONG / 2);
    place.wait_gone("parent");
    place.wait_gone("child");
}

#[test]
fn one_that_ends_when_it_is_asked_to_is_too_late_all_the_same() {
    let place = Place::new();
    let error = place.run("trap 'echo late; exit 0' TERM; while :; do sleep 0.05; done", SHORT).unwrap_err();
    assert!(matches!(error, ProcessError::Timeout(_)), "{error}");
}

#[test]
fn a_child_that_holds_the_pipe_keeps_nobody_waiting() {
    let place = Place::new();
    let began = Instant::now();
    assert_eq!(place.run("sleep 100 & echo $! > child; echo answer", LONG).unwrap(), "answer\n");
    assert!(began.elapsed() < LONG / 2);
    place.wait_gone("child");
}

#[test]
fn one_that_talks_without_end_is_stopped() {
    let place = Place::new();
    assert!(matches!(place.run("yes", LONG).unwrap_err(), ProcessError::TooLong));
    let error = place.run("yes | head -c 17000000 > \"$DATABUILD_REPORT\"", LONG).unwrap_err();
    assert!(matches!(error, ProcessError::TooLong));
}

#[test]
fn all_end_with_the_server() {
    let place = Place::new();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| place.run("echo $$ > parent; exec sleep 100", LONG));
        while !place.at("parent").exists() {
            std::thread::yield_now();
        }
        place.stop.stop();
        assert!(matches!(running.join().unwrap().unwrap_err(), ProcessError::Stopped));
    });
    // And for good.
    assert!(matches!(place.run("exec sleep 100", LONG).unwrap_err(), ProcessError::Stopped));
}

#[test]
fn what_cannot_be_run_says_so() {
    let place = Place::new();
    let program = place.at("program");
    std::fs::write(&program, "no program").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o644)).unwrap();
    let folder = place.at("folder");
    let order = Order {
        program: &program,
        args: &[],
        env: &[],
        cwd: place.dir.path(),
        request: "",
        folder: &folder,
        limit: LONG,
        stop: &place.stop,
    };
    assert!(run(&order).unwrap_err().to_string().starts_with("it cannot be run: Permission denied"));
}

/// While a process is given another program, nothing tells whose it is.
#[test]
fn what_left_its_group_goes_too_whatever_it_is_turning_into() {
    let place = Place::new();
    std::fs::write(place.at("again"), "exec /bin/sh ./again\n").unwrap();
    let script = "mkfifo pipe\n\
                  setsid sh -c 'echo $$ > first; echo > pipe; exec /bin/sh ./again' </dev/null >/dev/null 2>&1 &\n\
                  read line < pipe; rm pipe; echo answer";
    for _ in 0..20 {
        assert_eq!(place.run(script, LONG).unwrap(), "answer\n");
        place.wait_gone("first");
    }
}

#[test]
fn what_left_its_group_goes_too_when_it_has_answered_and_when_it_fails() {
    let place = Place::new();
    // Two generations, each in a session of its own; the script goes on when both are there.
    let script = "mkfifo pipe\n\
                  setsid sh -c 'echo $$ > first; setsid sh -c \"echo \\$\\$ > second; echo > pipe; exec sleep 1000\"; sleep 1000' \
                  </dev/null >/dev/null 2>&1 &\n\
                  read line < pipe\n";
    assert_eq!(place.run(&format!("{script}echo answer"), LONG).unwrap(), "answer\n");
    place.wait_gone("first");
    place.wait_gone("second");
    std::fs::remove_file(place.at("pipe")).unwrap();
    let error = place.run(&format!("{script}exit 3"), LONG).unwrap_err();
    assert!(matches!(error, ProcessError::Failed { .. }), "{error}");
    place.wait_gone("first");
    place.wait_gone("second");
}
