//! The words server and runner share: newline-delimited JSON-RPC 2.0 over a
//! Unix socket, and the records kept in the spool.
//!
//! Methods (server to runner): `hello`, `set_capacity`, `start`, `cancel`,
//! `withdraw`, `forget`, `list`, `shutdown`. Notifications (runner to server):
//! `started`, `ended`, `refused`, `superseded`. Names and fields are stable
//! within a [`PROTOCOL`] version; unknown fields are ignored by readers.

use std::fmt;

use crate::os::EnvValue;
use serde::{Deserialize, Serialize};

use super::error::RunnerError;

/// The protocol's version, compared in `hello`. 2 brought checks, 3 `withdraw`.
///
/// Each side speaks all versions down to 1 as well, and both speak the lower of the two: so jobs of a server that
/// was replaced go on, whichever of the two is newer. Nothing may be asked of a runner that its version lacks; it
/// would do the rest and not say so.
pub const PROTOCOL: u32 = 3;
/// The first version with [`StartSpec::checks`].
pub const FIRST_WITH_CHECKS: u32 = 2;
/// The first version that takes back what is queued.
pub(super) const FIRST_WITH_WITHDRAW: u32 = 3;

/// The longest line either side accepts, in bytes.
pub(super) const MAX_LINE: usize = 64 << 20;

/// The most bytes that the requests of an attempt, those of its checks included, may have together: written as JSON
/// within JSON they still fit in a line.
pub const MAX_REQUESTS: usize = 24 << 20;

/// The name of one attempt, such as `r12-1`; also its folder's name in the
/// spool, hence the small alphabet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttemptName(String);

impl AttemptName {
    /// Parses a name: 1 to 100 characters of `a-z`, `0-9`, `-`, not starting
    /// with `-`.
    pub fn new(name: impl Into<String>) -> Result<Self, RunnerError> {
        let name = name.into();
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=100).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('-') {
            Ok(Self(name))
        } else {
            Err(RunnerError::BadAttemptName(name))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AttemptName {
    type Error = RunnerError;

    fn try_from(name: String) -> Result<Self, RunnerError> {
        Self::new(name)
    }
}

impl From<AttemptName> for String {
    fn from(name: AttemptName) -> String {
        name.0
    }
}

impl fmt::Display for AttemptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All that is needed to run one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartSpec {
    /// The attempt's name.
    pub attempt: AttemptName,
    /// The executable's absolute path and its arguments.
    pub argv: Vec<String>,
    /// The whole environment. Nothing is inherited; `DATABUILD_REQUEST` and
    /// `DATABUILD_REPORT` are the runner's and replaced if given.
    pub env: Vec<(String, EnvValue)>,
    /// The working directory, absolute.
    pub cwd: String,
    /// The text of `request.json`, written as it is.
    pub request: String,
    /// Run time in milliseconds after which the job is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Milliseconds between SIGTERM and SIGKILL.
    #[serde(default = "default_grace_ms")]
    pub grace_ms: u64,
    /// Bytes kept of each of stdout and stderr.
    #[serde(default = "default_max_log_bytes")]
    pub max_log_bytes: u64,
    /// The job's file mode mask.
    #[serde(default = "default_umask")]
    pub umask: u32,
    /// Folders made, with their parents, before the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mkdirs: Vec<String>,
    /// What is run after the job, one after the other, in the job's place and working directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckSpec>,
    /// They run also if the job failed: it may have made some of what it was to make. They never do if it was
    /// cancelled or did not start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check_failures: bool,
    /// Bytes of memory that the job and its checks may take. A runner that cannot hold them to it, also an older one,
    /// lets them run: see [`Hello::memory_limits`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

impl StartSpec {
    /// Bytes of its requests, which are nearly all that a large attempt has.
    #[must_use]
    pub fn request_bytes(&self) -> usize {
        self.request.len() + self.checks.iter().map(|check| check.request.len()).sum::<usize>()
    }
}

/// All that is needed to run one check of what a job made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// What it is called, for the line in the log that its output begins with.
    pub name: String,
    /// As of a job.
    pub argv: Vec<String>,
    /// As of a job; the two variables name the check's own files.
    pub env: Vec<(String, EnvValue)>,
    /// The text of its request, written as it is.
    pub request: String,
    /// Run time in milliseconds after which it is stopped.
    pub timeout_ms: u64,
    /// Milliseconds between SIGTERM and SIGKILL.
    pub grace_ms: u64,
}

impl StartSpec {
    /// A spec with the default grace (10 s), log size (64 MiB), and mask (022).
    pub fn new(attempt: AttemptName, argv: Vec<String>, cwd: impl Into<String>) -> Self {
        Self {
            attempt,
            argv,
            env: Vec::new(),
            cwd: cwd.into(),
            request: "{}".to_owned(),
            timeout_ms: None,
            grace_ms: default_grace_ms(),
            max_log_bytes: default_max_log_bytes(),
            umask: default_umask(),
            mkdirs: Vec::new(),
            checks: Vec::new(),
            check_failures: false,
            memory: None,
        }
    }
}

fn default_grace_ms() -> u64 {
    10_000
}

fn default_max_log_bytes() -> u64 {
    64 << 20
}

fn default_umask() -> u32 {
    0o022
}

/// How an attempt's leading process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// It could not be started; nothing of the job ran.
    SpawnFailed {
        /// The system's error number.
        errno: i32,
        /// What could not be done, to what.
        message: String,
    },
    /// It was cancelled before it was started.
    NeverStarted {},
}

/// What the job and the processes it waited for used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceUse {
    /// CPU time in user mode, milliseconds.
    pub user_ms: u64,
    /// CPU time in the kernel, milliseconds.
    pub sys_ms: u64,
    /// The largest resident set of any single process, KiB.
    pub max_rss_kb: u64,
}

/// The size of one log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSize {
    /// Bytes in the file, the marker line of a cut log included.
    pub bytes: u64,
    /// Bytes the job wrote that were not kept.
    pub dropped: u64,
}

/// The end of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckExit {
    /// As in its [`CheckSpec`].
    pub name: String,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The timeout passed and it was stopped for it.
    pub timed_out: bool,
    /// Unix milliseconds of the start, 0 if it never started.
    pub started_at: u64,
    /// Unix milliseconds of the end.
    pub ended_at: u64,
    /// What it used.
    pub rusage: ResourceUse,
    /// Where its part of the attempt's stderr begins and ends, in bytes; the line that names it is not in it.
    pub stderr: (u64, u64),
    /// As in [`ExitRecord`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_exceeded: Option<u64>,
}

/// Why attempts are cancelled when the server tells the runner to stop with its jobs, as `databuild stop --jobs` does:
/// [`ExitRecord::cancel_reason`]. Never changed, since records with it are read by later versions.
pub const STOPPED: &str = "stopped together with the server";

/// The end of an attempt, as kept in `exit.json`: that of the job, and those of checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The timeout passed and the job was stopped for it.
    pub timed_out: bool,
    /// A cancel (or the runner's shutdown) came before the end, also of a check.
    pub canceled: bool,
    /// Why it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_reason: Option<String>,
    /// Unix milliseconds of the start, 0 if it never started.
    pub started_at: u64,
    /// Unix milliseconds of the end.
    pub ended_at: u64,
    /// What it used.
    pub rusage: ResourceUse,
    /// Its standard output, with that of checks.
    pub stdout: LogSize,
    /// Its standard error, with that of checks.
    pub stderr: LogSize,
    /// Members of the job's process group could not be killed in time and may
    /// still run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub group_left: bool,
    /// [`StartSpec::memory`], if something of the job was killed for taking more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_exceeded: Option<u64>,
    /// When the output came, if there was so little of it that this is in no file of its own: the time in microseconds since
    /// the Unix epoch, and how long stdout and stderr were then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_times: Vec<[u64; 3]>,
    /// In the order of [`StartSpec::checks`]. All of them, unless the job was not to be checked, or the attempt
    /// was cancelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckExit>,
}

impl ExitRecord {
    /// Whether the leading process exited with code 0.
    pub fn is_success(&self) -> bool {
        self.outcome == Outcome::Code(0)
    }
}

/// Where an attempt is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AttemptState {
    /// Accepted, waiting for capacity.
    Queued,
    /// Its process is there.
    Running {
        /// The leading process, also the number of its group and session.
        pid: u32,
        /// Its start time, see [`crate::os::ProcessId`].
        start_time: u64,
        /// Unix milliseconds of the start.
        started_at: u64,
    },
    /// It ended and was not forgotten yet.
    Ended {
        /// How.
        exit: Box<ExitRecord>,
    },
}

/// One attempt in `hello` and `list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// Which.
    pub attempt: AttemptName,
    /// Where it is.
    #[serde(flatten)]
    pub state: AttemptState,
}

/// Who holds attempts to the memory that their jobs declare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum MemoryLimits {
    /// The kernel.
    Enforced {
        /// By what.
        by: String,
    },
    /// Nobody: it is only counted.
    Accounting {
        /// Why, in few words.
        why: String,
    },
}

/// The runner's answer to `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The runner's [`PROTOCOL`].
    pub protocol: u32,
    /// The runner's program version.
    pub version: String,
    /// The runner's process number.
    pub pid: u32,
    /// The boot it runs in.
    pub boot_id: String,
    /// Its start time, see [`crate::os::ProcessId`].
    pub start_time: u64,
    /// How many attempts it runs at once.
    pub capacity: u32,
    /// It takes no new attempts and leaves when the running ones have ended.
    pub draining: bool,
    /// All attempts it knows: queued, running, and ended but not forgotten.
    pub attempts: Vec<AttemptReport>,
    /// Absent if it is too old to hold anybody to anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limits: Option<MemoryLimits>,
}

/// What the runner tells the server on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunnerEvent {
    /// The attempt's process runs.
    Started {
        /// Which.
        attempt: AttemptName,
        /// Its leading process.
        pid: u32,
    },
    /// The attempt ended; its whole process group is gone.
    Ended {
        /// Which.
        attempt: AttemptName,
        /// How.
        exit: Box<ExitRecord>,
    },
    /// The attempt was not accepted, or was given back unstarted by a runner that leaves.
    /// It says nothing about another start of the same name.
    Refused {
        /// Which.
        attempt: AttemptName,
        /// `attempt_exists`, `bad_spec`, or `draining`.
        code: String,
        /// In words.
        message: String,
    },
    /// The connection ended; nothing follows.
    Disconnected {
        /// Why, as far as known.
        reason: String,
    },
}

/// The parts of an incoming line that decide where it goes; its parameters are
/// read in a second pass, by type.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    #[serde(default)]
    pub(super) id: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) method: Option<String>,
}

/// The second pass.
#[derive(Debug, Deserialize)]
pub(super) struct WithParams<P> {
    pub(super) params: P,
}

/// A call or notification as sent.
#[derive(Debug, Serialize)]
pub(super) struct Call<'a, P> {
    pub(super) jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<u64>,
    pub(super) method: &'a str,
    pub(super) params: P,
}

impl<'a, P> Call<'a, P> {
    pub(super) fn notification(method: &'a str, params: P) -> Self {
        Self { jsonrpc: "2.0", id: None, method, params }
    }
}

/// An answer as sent or received.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer<R> {
    pub(super) jsonrpc: String,
    pub(super) id: serde_json::Value,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<R>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Fault>,
}

/// A JSON-RPC error.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Fault {
    pub(super) code: i64,
    pub(super) message: String,
}

impl Fault {
    pub(super) const PARSE: i64 = -32_700;
    pub(super) const METHOD: i64 = -32_601;
    pub(super) const PARAMS: i64 = -32_602;
    pub(super) const NOT_OWNER: i64 = -32_001;
}

/// Parameters of `hello`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HelloParams {
    pub(super) protocol: u32,
    pub(super) server: String,
}

/// Parameters of `set_capacity`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CapacityParams {
    pub(super) jobs: u32,
}

/// Parameters of `start` as read.
#[derive(Debug, Deserialize)]
pub(super) struct StartParams {
    pub(super) attempts: Vec<StartSpec>,
}

/// Parameters of `start` as sent.
#[derive(Debug, Serialize)]
pub(super) struct StartParamsRef<'a> {
    pub(super) attempts: &'a [StartSpec],
}

/// Parameters of `cancel` and `withdraw`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CancelParams {
    pub(super) attempt: AttemptName,
    pub(super) reason: String,
}

/// Parameters of `forget`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ForgetParams {
    pub(super) attempts: Vec<AttemptName>,
    #[serde(default)]
    pub(super) keep: bool,
}

/// Parameters of `started`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StartedParams {
    pub(super) attempt: AttemptName,
    pub(super) pid: u32,
    pub(super) start_time: u64,
}

/// Parameters of `ended`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EndedParams {
    pub(super) attempt: AttemptName,
    pub(super) exit: Box<ExitRecord>,
}

/// Parameters of `refused`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RefusedParams {
    pub(super) attempt: AttemptName,
    pub(super) code: String,
    pub(super) message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempt_names_are_safe_folder_names() {
        for good in ["r12-1", "a", "0"] {
            assert_eq!(AttemptName::new(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(101);
        for bad in ["", "-r", ".", "..", "a/b", "A", "r 1", "r\n", "é", &long] {
            let error = AttemptName::new(bad).unwrap_err();
            assert_eq!(error.code(), "runner_bad_attempt_name");
        }
        assert!(serde_json::from_str::<AttemptName>("\"../x\"").is_err());
    }

    #[test]
    fn exit_records_keep_their_form() {
        let mut exit = ExitRecord {
            outcome: Outcome::Code(3),
            timed_out: false,
            canceled: false,
            cancel_reason: None,
            started_at: 1,
            ended_at: 2,
            rusage: ResourceUse { user_ms: 3, sys_ms: 4, max_rss_kb: 5 },
            stdout: LogSize::default(),
            stderr: LogSize { bytes: 6, dropped: 7 },
            group_left: false,
            memory_exceeded: None,
            log_times: Vec::new(),
            checks: Vec::new(),
        };
        assert_eq!(
            serde_json::to_string(&exit).unwrap(),
            r#"{"code":3,"timed_out":false,"canceled":false,"started_at":1,"ended_at":2,"rusage":{"user_ms":3,"sys_ms":4,"max_rss_kb":5},"stdout":{"bytes":0,"dropped":0},"stderr":{"bytes":6,"dropped":7}}"#
        );
        for outcome in [
            Outcome::Code(0),
            Outcome::Signal(9),
            Outcome::NeverStarted {},
            Outcome::SpawnFailed { errno: 2, message: "no".to_owned() },
        ] {
            exit.outcome = outcome;
            let text = serde_json::to_string(&exit).unwrap();
            assert_eq!(serde_json::from_str::<ExitRecord>(&text).unwrap(), exit);
        }
        exit.checks.push(CheckExit {
            name: "//:sane".to_owned(),
            outcome: Outcome::Signal(9),
            timed_out: true,
            started_at: 2,
            ended_at: 8,
            rusage: ResourceUse::default(),
            stderr: (6, 9),
            memory_exceeded: None,
        });
        let text = serde_json::to_string(&exit).unwrap();
        assert!(text.ends_with(r#","checks":[{"name":"//:sane","signal":9,"timed_out":true,"started_at":2,"ended_at":8,"rusage":{"user_ms":0,"sys_ms":0,"max_rss_kb":0},"stderr":[6,9]}]}"#), "{text}");
        assert_eq!(serde_json::from_str::<ExitRecord>(&text).unwrap(), exit);
        (exit.memory_exceeded, exit.checks[0].memory_exceeded) = (Some(1 << 20), Some(1 << 20));
        let text = serde_json::to_string(&exit).unwrap();
        assert_eq!(text.matches(r#","memory_exceeded":1048576"#).count(), 2);
        assert_eq!(serde_json::from_str::<ExitRecord>(&text).unwrap(), exit);
    }
}
