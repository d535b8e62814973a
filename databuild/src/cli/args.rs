//! The command line.

use super::paths;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use databuild_core::event::{PriorityClass, Refresh};
use databuild_core::word::Word;
use std::path::PathBuf;

/// Build data from jobs, and know exactly why
#[derive(Debug, Parser)]
#[command(name = "databuild", version, about, max_term_width = 100)]
pub struct Cli {
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Workspace folder (default: the one around the current folder)
    // The script of `shim` names one, which whoever calls it may overrule.
    #[arg(long, global = true, value_name = "DIR", overrides_with = "workspace", value_parser = paths::parser())]
    pub workspace: Option<PathBuf>,
    /// When to use colors and progress bars
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colors and progress bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build partitions and whatever they need, and wait
    Build(BuildArgs),
    /// Run one job by hand for partitions, whatever their state, and wait
    Invoke(InvokeArgs),
    /// Show what a build would run, and why; keep it, to be applied
    Plan(PlanArgs),
    /// List kept plans, or show one
    Plans(PlansArgs),
    /// Do exactly what a plan says, and wait
    Apply(ApplyArgs),
    /// Compare the graph just built with the one the server follows, or two graph files
    Diff(DiffArgs),
    /// Show what runs share and who has it, or change a pool's size
    Pools(PoolsArgs),
    /// Explain why a partition is as it is, or what a want or a run waits for
    Why(WhyArgs),
    /// Explain an error code, or list all
    Explain(ExplainArgs),
    /// Declare data bad: it and all that was made from it is stale
    Taint(TaintArgs),
    /// Take a taint back
    Untaint(UntaintArgs),
    /// Judge a change of a job's code harmless: what it made before stays current
    Accept(AcceptArgs),
    /// Rebuild a sample with the old and the new code of a job, and compare the outputs
    Compare(CompareArgs),
    /// Rebuild a sample of what a job makes twice, and compare the outputs
    Verify(VerifyArgs),
    /// Repeat a run as it was, and compare the outputs
    Rerun(RerunArgs),
    /// List trials (compare, verify, rerun), or show one
    Trials(TrialsArgs),
    /// Count files that exist already as built
    Adopt(AdoptArgs),
    /// Look at all files, and record those that are missing or altered
    Scan(ScanArgs),
    /// Create, list, show or cancel wants
    Want(WantArgs),
    /// List, add or retire dynamic keys
    Keys(KeysArgs),
    /// List datasets, or the partitions of one
    Partitions(PartitionsArgs),
    /// List what checks found in what was built
    Checks(ChecksArgs),
    /// List runs, or show one
    Runs(RunsArgs),
    /// Print the output of a run
    Logs(LogsArgs),
    /// Cancel a want, a run or a trial
    Cancel(CancelArgs),
    /// Show the server, its graph and what is built
    Status,
    /// Remove code snapshots and logs that nothing needs any more, and archive old events
    Gc(GcArgs),
    /// Run the server
    Serve(ServeArgs),
    /// Stop the server; running jobs go on
    Stop(StopArgs),
    /// Write a small script that runs databuild without Bazel
    Shim(ShimArgs),
    /// Print a completion script for a shell
    Completion(CompletionArgs),
    /// Supervise job processes (started by the server)
    #[command(hide = true)]
    Runner(RunnerArgs),
}

/// Arguments of `build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// References such as temps/city=seattle/date=2010-06-01..2010-06-30 (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// What to do with partitions that exist
    #[arg(long, value_parser = word::<Refresh>(), default_value = Refresh::Stale.word())]
    pub refresh: Refresh,
    /// Who goes first
    #[arg(long, value_parser = word::<PriorityClass>(), default_value = PriorityClass::Interactive.word())]
    pub class: PriorityClass,
    /// Attempts that may run at once, in this server from now on
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Read key spaces as of this instant
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub comment: String,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<u64>,
    /// Late after so many seconds: `want` says so, nothing stops
    #[arg(long, value_name = "SECONDS")]
    pub sla: Option<u64>,
    /// Do not wait for the end
    #[arg(long)]
    pub detach: bool,
    /// Print only the result, and what failed
    #[arg(long, short, conflicts_with = "detach")]
    pub quiet: bool,
    /// Do all in this process tree and leave nothing running
    #[arg(long, conflicts_with = "detach")]
    pub no_daemon: bool,
}

/// Arguments of `invoke`.
#[derive(Debug, Args)]
pub struct InvokeArgs {
    /// The job: its label, or a name that only one has, such as ingest
    pub job: String,
    /// References of partitions that it makes (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// Value of a parameter that the job declares (can be repeated)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub params: Vec<(String, String)>,
    /// Who goes first
    #[arg(long, value_parser = word::<PriorityClass>(), default_value = PriorityClass::Interactive.word())]
    pub class: PriorityClass,
    /// Read key spaces as of this instant
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub comment: String,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<u64>,
    /// Late after so many seconds: `want` says so, nothing stops
    #[arg(long, value_name = "SECONDS")]
    pub sla: Option<u64>,
    /// Do not wait for the end
    #[arg(long)]
    pub detach: bool,
    /// Print only the result, and what failed
    #[arg(long, short, conflicts_with = "detach")]
    pub quiet: bool,
}

/// A parameter with its value; the value may have further `=`.
fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Parses a word, and says in the help which there are.
fn word<W: Word + Send + Sync>() -> impl TypedValueParser<Value = W> {
    let words = W::ALL
        .iter()
        .map(|value| PossibleValue::new(value.word()).help(value.meaning().trim_end_matches('.')));
    // Others were refused before.
    PossibleValuesParser::new(words).try_map(|word| W::of_word(&word).ok_or_else(|| W::unknown(&word)))
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Such as graph_invalid; all are listed if it is left out
    pub code: Option<String>,
    /// Print the page docs/errors.md
    #[arg(long, hide = true)]
    pub markdown: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// References (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// What to do with partitions that exist
    #[arg(long, value_parser = word::<Refresh>(), default_value = Refresh::Stale.word())]
    pub refresh: Refresh,
    /// Read key spaces as of this instant
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// It cannot be applied after so long: 90s, 30m, 2h, 3d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = seconds)]
    pub expires: u64,
    /// Only show it; nothing is recorded, and it cannot be applied
    #[arg(long, conflicts_with = "expires")]
    pub no_save: bool,
}

/// A length of time with its unit, in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    match age(text)? {
        0 => Err(format!("`{text}` is no time at all")),
        seconds => Ok(seconds),
    }
}

/// The same, of which none is enough.
fn age(text: &str) -> Result<u64, String> {
    let bad = || format!("`{text}` is no length of time such as 90s, 30m, 2h or 3d");
    let unit = text.chars().last().ok_or_else(bad)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(bad()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| bad())?;
    count.checked_mul(factor).ok_or_else(bad)
}

/// Arguments of `plans`.
#[derive(Debug, Args)]
pub struct PlansArgs {
    /// Show this plan, such as p7
    pub id: Option<String>,
}

/// Arguments of `pools`.
#[derive(Debug, Args)]
pub struct PoolsArgs {
    /// What to do (default: list)
    #[command(subcommand)]
    pub command: Option<PoolsCommand>,
}

/// What to do with pools.
#[derive(Debug, Subcommand)]
pub enum PoolsCommand {
    /// Give a pool another size than it is declared to have
    Set {
        /// Name or label, such as db
        pool: String,
        /// Slots from now on; 0 lets nothing of it run
        slots: u32,
    },
    /// Give it the declared size again
    Reset {
        /// Name or label
        pool: String,
    },
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Such as p7
    pub plan: String,
    /// Who goes first
    #[arg(long, value_parser = word::<PriorityClass>(), default_value = PriorityClass::Interactive.word())]
    pub class: PriorityClass,
    /// Attempts that may run at once, in this server from now on
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub comment: String,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<u64>,
    /// Late after so many seconds: `want` says so, nothing stops
    #[arg(long, value_name = "SECONDS")]
    pub sla: Option<u64>,
    /// Do not wait for the end
    #[arg(long)]
    pub detach: bool,
    /// Print only the result, and what failed
    #[arg(long, short, conflicts_with = "detach")]
    pub quiet: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Graph file, or the id of a graph that was registered (default: the one the server follows)
    #[arg(long, value_name = "FILE|ID")]
    pub base: Option<String>,
    /// Graph file (default: the one this program was built with)
    #[arg(long, value_name = "FILE", value_parser = paths::parser())]
    pub head: Option<PathBuf>,
    /// Exit with 1 if there are differences
    #[arg(long)]
    pub exit_code: bool,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// Reference of one partition; or a want or a run, such as w3 or r12
    #[arg(value_name = "REF|ID")]
    pub what: String,
}

/// Arguments of `taint`.
#[derive(Debug, Args)]
pub struct TaintArgs {
    /// References (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// Why; kept, and shown by `why`
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Arguments of `untaint`.
#[derive(Debug, Args)]
pub struct UntaintArgs {
    /// References (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// Why; kept
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
}

/// Arguments of `accept`.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// References (can be repeated); all that the job made, if only --job is given
    #[arg(value_name = "REF", required_unless_present = "job")]
    pub targets: Vec<String>,
    /// Only what this job makes
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Why; kept
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    pub reason: Option<String>,
    /// What shows it: a trial such as t3, which is looked at, or words; kept
    #[arg(long, value_name = "TEXT")]
    pub evidence: Option<String>,
    /// Only show what would be accepted
    #[arg(long)]
    pub dry_run: bool,
}

/// How much a trial repeats.
#[derive(Debug, Args)]
pub struct SampleArgs {
    /// How many partitions, spread evenly; at most 100
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub sample: usize,
    /// Do not wait for the end
    #[arg(long)]
    pub detach: bool,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The job: its label, or a name that only one has
    pub job: String,
    /// Choose only among these references (can be repeated)
    #[arg(value_name = "REF")]
    pub targets: Vec<String>,
    /// How much
    #[command(flatten)]
    pub sample: SampleArgs,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// References of what one job makes (can be repeated); or the label of a job, such as //:ingest
    #[arg(required = true, value_name = "REF|JOB")]
    pub what: Vec<String>,
    /// How much
    #[command(flatten)]
    pub sample: SampleArgs,
}

/// Arguments of `rerun`.
#[derive(Debug, Args)]
pub struct RerunArgs {
    /// Such as r12
    pub run: String,
    /// With its own code, arguments and parameters, publishing nothing
    #[arg(long)]
    pub exact: bool,
    /// Copy what it makes to this folder, to look at
    #[arg(long, value_name = "FOLDER", value_parser = paths::parser())]
    pub keep: Option<PathBuf>,
    /// Do not wait for the end
    #[arg(long)]
    pub detach: bool,
}

/// Arguments of `trials`.
#[derive(Debug, Args)]
pub struct TrialsArgs {
    /// Show this trial, such as t3
    pub id: Option<String>,
}

/// Arguments of `keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// What to do
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What to do with dynamic keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List key spaces, or the keys of one
    List {
        /// A key space, such as customers
        space: Option<String>,
        /// Retired keys as well
        #[arg(long, requires = "space")]
        retired: bool,
        /// Most rows; 0 for all
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Add keys; those that were retired come back
    Add(ChangeKeysArgs),
    /// Retire keys; what was made for them stays, and nothing is made any more
    Retire(ChangeKeysArgs),
}

/// Arguments of `keys add` and `keys retire`.
#[derive(Debug, Args)]
pub struct ChangeKeysArgs {
    /// The key space, such as customers
    pub space: String,
    /// Keys (can be repeated)
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// Read keys from a file, one a line; `-` is standard input
    #[arg(long, value_name = "FILE", value_parser = paths::parser())]
    pub file: Option<PathBuf>,
    /// Only count
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `adopt`.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// References (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// Only show what would be adopted
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `scan`.
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// References (can be repeated); everything, if left out
    #[arg(value_name = "REF")]
    pub targets: Vec<String>,
    /// Read the content of each file, whatever its size and time say
    #[arg(long)]
    pub deep: bool,
}

/// Arguments of `want`.
#[derive(Debug, Args)]
pub struct WantArgs {
    /// What to do
    #[command(subcommand)]
    pub command: WantCommand,
}

/// What to do with wants.
#[derive(Debug, Subcommand)]
pub enum WantCommand {
    /// Ask for partitions and do not wait
    Create(BuildArgs),
    /// List wants, newest first
    List {
        /// Only wants in this state: open, satisfied, failed, canceled, expired
        #[arg(long)]
        state: Option<String>,
        /// Most rows
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Show one want
    Get {
        /// Such as w3
        id: String,
    },
    /// Cancel one want; runs that nobody else wants stop
    Cancel {
        /// Such as w3
        id: String,
    },
    /// Begin nothing more for one want; what runs goes on
    Pause {
        /// Such as w3
        id: String,
    },
    /// Go on with a paused want
    Resume {
        /// Such as w3
        id: String,
    },
    /// Let one want go before or after others
    Priority {
        /// Such as w3
        id: String,
        /// Its class from now on
        #[arg(value_parser = word::<PriorityClass>())]
        class: PriorityClass,
    },
}

/// Arguments of `partitions`.
#[derive(Debug, Args)]
pub struct PartitionsArgs {
    /// Reference; all datasets are counted if it is left out
    #[arg(value_name = "REF")]
    pub reference: Option<String>,
    /// Only partitions in this state: current, empty, missing, building, stale, failed
    #[arg(long)]
    pub state: Option<String>,
    /// Most rows; 0 for all
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
}

/// Arguments of `checks`.
#[derive(Debug, Args)]
pub struct ChecksArgs {
    /// References (can be repeated); everything, if left out
    #[arg(value_name = "REF")]
    pub targets: Vec<String>,
    /// Only what did not pass
    #[arg(long)]
    pub failed: bool,
    /// Most rows for each reference; 0 for all
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Show this run, such as r12
    pub id: Option<String>,
    /// Only runs of this job
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Only runs in this state: leased, running, retry_wait, suspended, completed, failed, canceled
    #[arg(long)]
    pub state: Option<String>,
    /// Only runs that make any of these partitions
    #[arg(long, value_name = "REF")]
    pub partition: Option<String>,
    /// Most rows
    #[arg(long, default_value_t = 20)]
    pub limit: usize,
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Such as r12
    pub run: String,
    /// Go on until the attempt is over
    #[arg(long, short)]
    pub follow: bool,
    /// Only standard output
    #[arg(long, conflicts_with = "stderr")]
    pub stdout: bool,
    /// Only standard error
    #[arg(long)]
    pub stderr: bool,
    /// Which attempt (default: the last)
    #[arg(long, value_name = "N")]
    pub attempt: Option<u32>,
}

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// Such as w3, r12 or t3
    pub id: String,
}

/// Arguments of `gc`.
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Only count
    #[arg(long)]
    pub dry_run: bool,
    /// Keep logs of attempts younger than this
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub keep_days: u32,
    /// Also move events older than this (such as 90d) from the log to an archive
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub events_older_than: Option<u64>,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Stay in the foreground and log to the terminal
    #[arg(long)]
    pub foreground: bool,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Go away after so many seconds without use; 0 for never
    #[arg(long, value_name = "SECONDS", default_value_t = 3 * 3600)]
    pub idle_timeout: u64,
    /// Attempts that may run at once (default: the cores)
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Stop, with the jobs, when standard input ends: whoever holds it has ended (used by `build --no-daemon`)
    #[arg(long, hide = true)]
    pub private: bool,
    /// Let pages of this origin call the API (can be repeated)
    #[arg(long, value_name = "ORIGIN", default_value = "http://localhost:3000")]
    pub allow_origin: Vec<String>,
}

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Stop running jobs as well
    #[arg(long)]
    pub jobs: bool,
}

/// Arguments of `shim`.
#[derive(Debug, Args)]
pub struct ShimArgs {
    /// Where to write it (default: databuild in the workspace)
    #[arg(value_parser = paths::parser())]
    pub path: Option<PathBuf>,
    /// Replace a file that `shim` did not write
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Arguments of `runner`.
#[derive(Debug, Args)]
pub struct RunnerArgs {
    /// Spool folder
    #[arg(long)]
    pub spool: PathBuf,
    /// Socket to listen on
    #[arg(long)]
    pub socket: PathBuf,
    /// End, with the jobs, when standard input ends
    #[arg(long)]
    pub private: bool,
}
