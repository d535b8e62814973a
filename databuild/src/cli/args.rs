//! The command line as a whole: its commands, each of which has its arguments beside it.

use super::commands::{
    accept, adopt, apply, build, cancel, checks, completion, config, deploy, diff, events, explain, gc,
    graph, invoke, keys, logs, mcp, partitions, plan, plans, pools, runs, scan, schedules, serve, shell,
    shim, stop, taint, timeline, token, trials, ui, want, why,
};
use super::shared_args::GlobalArgs;
use clap::{Parser, Subcommand};

/// Build data from jobs, and know exactly why
#[derive(Debug, Parser)]
#[command(name = "databuild", version, max_term_width = 100)]
pub struct Cli {
    /// What every command can be told.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build partitions and whatever they need, and wait
    Build(build::BuildArgs),
    /// Run one job by hand for partitions, whatever their state, and wait
    Invoke(invoke::InvokeArgs),
    /// Show what a build would run, and why; keep the plan for `apply`
    Plan(plan::PlanArgs),
    /// List kept plans, or show one
    Plans(plans::PlansArgs),
    /// Do exactly what a plan says, and wait
    Apply(apply::ApplyArgs),
    /// Show what the graph just built changes, ask, and let new work follow it
    Deploy(deploy::DeployArgs),
    /// Compare the graph just built with the one the server follows, or two graph files
    Diff(diff::DiffArgs),
    /// List schedules and their next ticks, show, pause, resume or run one
    Schedules(schedules::SchedulesArgs),
    /// Show what runs share and who has it, or change a pool's size
    Pools(pools::PoolsArgs),
    /// Explain why a partition is as it is, or what a want or a run waits for
    Why(why::WhyArgs),
    /// Explain an error code, or list all
    Explain(explain::ExplainArgs),
    /// Declare data bad: it becomes stale, and so does all that was made from it
    Taint(taint::TaintArgs),
    /// Take a taint back
    Untaint(taint::UntaintArgs),
    /// Declare a change of a job harmless: partitions that it made before stay current
    Accept(accept::AcceptArgs),
    /// Rebuild a sample with the old and the new code of a job, and compare the outputs
    Compare(trials::CompareArgs),
    /// Rebuild a sample of a job's partitions twice, and compare the outputs
    Verify(trials::VerifyArgs),
    /// Repeat a run as it was, and compare the outputs
    Rerun(trials::RerunArgs),
    /// List trials (compare, verify, rerun), or show one
    Trials(trials::TrialsArgs),
    /// Count files that exist already as built
    Adopt(adopt::AdoptArgs),
    /// Look at all files, and record those that are missing or altered
    Scan(scan::ScanArgs),
    /// Create, list, show or cancel wants
    Want(want::WantArgs),
    /// List, add or retire dynamic keys
    Keys(keys::KeysArgs),
    /// List datasets, or the partitions of one
    Partitions(partitions::PartitionsArgs),
    /// Show which datasets are made from which
    Graph(graph::GraphArgs),
    /// List what checks found in built partitions
    Checks(checks::ChecksArgs),
    /// List runs, show one, or compare two
    Runs(runs::RunsArgs),
    /// Show what runs, what begins next and why, and what waits for what
    Queue,
    /// Show when attempts waited, were on their way, and ran
    Timeline(timeline::TimelineArgs),
    /// List what happened, newest first, or show one event
    Events(events::EventsArgs),
    /// Repeat an attempt by hand, in a shell with its code, inputs and environment
    Shell(shell::ShellArgs),
    /// Print the output of a run, or search it
    Logs(logs::LogsArgs),
    /// Cancel a want, a run or a trial
    Cancel(cancel::CancelArgs),
    /// Show the server, its graph and what is built
    Status,
    /// Remove code snapshots and logs that nothing needs any more, and archive old events
    Gc(gc::GcArgs),
    /// Show each setting, and where its value comes from
    Config(config::ConfigArgs),
    /// Create, list or revoke tokens for the API
    Token(token::TokenArgs),
    /// Run the server
    Serve(serve::ServeArgs),
    /// Stop the server; running jobs go on
    Stop(stop::StopArgs),
    /// Let an assistant ask, by the Model Context Protocol on standard input and output
    Mcp(mcp::McpArgs),
    /// Open the web pages in a browser, signed in
    Ui(ui::UiArgs),
    /// Write a small script that runs databuild without Bazel
    Shim(shim::ShimArgs),
    /// Print a completion script for a shell
    Completion(completion::CompletionArgs),
    /// Supervise job processes (started by the server)
    #[command(hide = true)]
    Runner(serve::RunnerArgs),
}
