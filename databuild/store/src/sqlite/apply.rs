//! Changes of rows as SQL.

use super::super::project::RowChange;
use super::super::rows::{AttemptState, MaterializationRow, RunState, WantState};
use super::super::time::micros;
use databuild_core::event::{AttemptEnded, AttemptLeased, CheckFindings, Origin, WantCreated};
use databuild_core::ids::{AttemptId, RunId, Seq, WantId};
use databuild_core::reference::dataset_of;
use databuild_core::word::Word as _;
use rusqlite::{params, Connection};
use serde::Serialize;

/// Makes one change.
///
/// Nothing here fails because of what a history says: a change of a row that is not there changes
/// nothing, and a second version of a partition in one event replaces the first.
pub(super) fn apply(connection: &Connection, change: &RowChange<'_>) -> rusqlite::Result<()> {
    match change {
        RowChange::WantOpened { at, want, origin } => open_want(connection, *at, want, origin)?,
        RowChange::WantWork { seq, want } => connection
            .prepare_cached("INSERT INTO want_work (want, seq) SELECT id, ?2 FROM wants WHERE id = ?1")?
            .execute([want.0 as i64, seq.0 as i64])?,
        RowChange::WantClosed { at, seq, want, state, causes } => {
            close_want(connection, (*at, *seq), *want, *state, causes)?
        }
        RowChange::WantPaused { want, paused } => connection
            .prepare_cached("UPDATE wants SET paused = ?2 WHERE id = ?1")?
            .execute(params![want.0 as i64, paused])?,
        RowChange::WantClass { want, class } => connection
            .prepare_cached("UPDATE wants SET class = ?2 WHERE id = ?1")?
            .execute(params![want.0 as i64, class.word()])?,
        RowChange::RunLeased { at, lease } => lease_run(connection, *at, lease)?,
        RowChange::RunMoved { run, state, ended, message } => {
            move_run(connection, *run, *state, *ended, *message)?
        }
        RowChange::RunMessage { run, message } => connection
            .prepare_cached("UPDATE runs SET message = ?2 WHERE id = ?1")?
            .execute(params![run.0 as i64, message])?,
        RowChange::AttemptLeased { at, seq, lease } => lease_attempt(connection, *at, *seq, lease)?,
        RowChange::AttemptStarted { at, attempt, pid, state } => connection
            .prepare_cached(
                "UPDATE attempts SET state = ?3, started_at = ?4, pid = ?5
                 WHERE run = ?1 AND number = ?2",
            )?
            .execute(params![attempt.run.0 as i64, attempt.number, state.word(), at, pid])?,
        RowChange::AttemptEnded { at, end } => end_attempt(connection, *at, end)?,
        RowChange::Materialized { .. } | RowChange::Seen { .. } | RowChange::Adopted { .. } => {
            change.materialization().map_or(Ok(0), |row| put_data(connection, &row))?
        }
        RowChange::Checked { at, attempt, findings } => put_findings(connection, *at, *attempt, findings)?,
        RowChange::GraphRegistered { at, seq, graph } => connection
            .prepare_cached(
                "INSERT INTO graphs (seq, id, at, sources, inherited) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                seq.0 as i64,
                graph.graph.0,
                at,
                json(&graph.sources),
                json(&graph.inherited),
            ])?,
        RowChange::TrialGraph { seq, graph } => connection
            .prepare_cached("INSERT INTO trial_graphs (seq, id) VALUES (?1, ?2)")?
            .execute(params![seq.0 as i64, graph.0])?,
        RowChange::KeysChanged { seq, space } => connection
            .prepare_cached("INSERT INTO key_changes (seq, space) VALUES (?1, ?2)")?
            .execute(params![seq.0 as i64, space])?,
        RowChange::Tainted { at, seq, taint, origin } => connection
            .prepare_cached(
                "INSERT INTO taints (seq, at, partitions, reason, by) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![seq.0 as i64, at, json(&taint.partitions), taint.reason, origin.to_string()])?,
    };
    Ok(())
}

/// A want is new.
fn open_want(
    connection: &Connection,
    at: i64,
    want: &WantCreated,
    origin: &Origin,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO wants (id, state, class, refresh, targets, comment, source, by,
                 as_of, expires_at, due_at, created_at, ended_at, ended_seq, causes, plan, paused, params)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?14, ?8, ?9, ?10, ?11, NULL, NULL, '[]', ?12, 0, ?13)",
        )?
        .execute(params![
            want.want.0 as i64,
            WantState::Open.word(),
            want.class.word(),
            want.refresh.word(),
            json(want.shown_targets()),
            want.comment,
            origin.source(),
            micros(want.as_of),
            want.expires_at.map(micros),
            want.due_at.map(micros),
            at,
            want.plan.map(|plan| plan.0 as i64),
            json(&want.params),
            origin.to_string(),
        ])
}

/// A want is over, and counts among those that ended so.
fn close_want(
    connection: &Connection,
    (at, seq): (i64, Seq),
    want: WantId,
    state: WantState,
    causes: &[String],
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT INTO want_ends (state, count) SELECT ?2, 1 FROM wants WHERE id = ?1 AND ended_seq IS NULL
             ON CONFLICT DO UPDATE SET count = count + 1",
        )?
        .execute(params![want.0 as i64, state.word()])?;
    connection
        .prepare_cached(
            "UPDATE wants SET state = ?2, ended_at = ?3, ended_seq = ?4, causes = ?5 WHERE id = ?1",
        )?
        .execute(params![want.0 as i64, state.word(), at, seq.0 as i64, json(&causes)])
}

/// A run is in another state. One that is over counts among those of its job that ended so.
fn move_run(
    connection: &Connection,
    run: RunId,
    state: RunState,
    ended: Option<(i64, Seq)>,
    message: Option<&str>,
) -> rusqlite::Result<usize> {
    if ended.is_some() {
        connection
            .prepare_cached(
                "INSERT INTO run_ends (job, state, count)
                 SELECT job, ?2, 1 FROM runs WHERE id = ?1 AND ended_seq IS NULL
                 ON CONFLICT DO UPDATE SET count = count + 1",
            )?
            .execute(params![run.0 as i64, state.word()])?;
    }
    connection
        .prepare_cached(
            "UPDATE runs SET state = ?2, ended_at = ?3, ended_seq = ?4, message = ifnull(?5, message)
             WHERE id = ?1",
        )?
        .execute(params![
            run.0 as i64,
            state.word(),
            ended.map(|(at, _)| at),
            ended.map(|(_, seq)| seq.0 as i64),
            message
        ])
}

/// A run has a further attempt; the first one makes the run.
fn lease_run(connection: &Connection, at: i64, lease: &AttemptLeased) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT INTO runs (id, job, partition, dataset, partitions, graph, state, attempts, created_at,
                 ended_at, ended_seq, message, params, trial)
             VALUES (?1, ?2, ?3, ?11, ?8, ?4, ?5, ?6, ?7, NULL, NULL, '', ?9, ?10)
             ON CONFLICT (id) DO UPDATE SET graph = excluded.graph, state = excluded.state,
                 attempts = excluded.attempts, ended_at = NULL, ended_seq = NULL",
        )?
        .execute(params![
            lease.attempt.run.0 as i64,
            lease.job,
            lease.partition,
            lease.graph.0,
            RunState::Leased.word(),
            lease.attempt.number,
            at,
            lease.inputs.len() as i64,
            json(&lease.params),
            lease.trial.map(|arm| arm.trial.0 as i64),
            dataset_of(&lease.partition),
        ])
}

/// An attempt is new.
fn lease_attempt(
    connection: &Connection,
    at: i64,
    seq: Seq,
    lease: &AttemptLeased,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO attempts (run, number, state, leased_at, message, inputs,
                 lease_seq)
             VALUES (?1, ?2, ?3, ?4, '', ?5, ?6)",
        )?
        .execute(params![
            lease.attempt.run.0 as i64,
            lease.attempt.number,
            AttemptState::Leased.word(),
            at,
            lease.inputs.iter().fold(0, |sum: u64, inputs| sum.wrapping_add(*inputs)) as i64,
            seq.0 as i64,
        ])
}

/// An attempt's process is over.
fn end_attempt(connection: &Connection, at: i64, end: &AttemptEnded) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "UPDATE attempts SET state = ?3, outcome = ?4, ended_at = ?5, exit_code = ?6,
                 wall_ms = ?7, cpu_ms = ?8, max_rss_kb = ?9, message = ?10, returned = ?11
             WHERE run = ?1 AND number = ?2",
        )?
        .execute(params![
            end.attempt.run.0 as i64,
            end.attempt.number,
            AttemptState::Ended.word(),
            end.outcome.kind().word(),
            at,
            end.exit_code,
            end.wall_ms as i64,
            end.cpu_ms as i64,
            end.max_rss_kb as i64,
            end.message,
            Some(&end.returned).filter(|returned| !returned.is_empty()),
        ])
}

/// A partition holds this from now on.
fn put_data(connection: &Connection, row: &MaterializationRow) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO materializations (partition, seq, run, version, empty, bytes, mark,
                 metadata, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            row.partition,
            row.seq.0 as i64,
            row.run.map(|run| run.0 as i64),
            row.version,
            row.empty,
            row.bytes as i64,
            row.mark as i64,
            row.metadata,
            micros(row.at),
        ])
}

/// A check looked at what an attempt made.
fn put_findings(
    connection: &Connection,
    at: i64,
    attempt: AttemptId,
    findings: &CheckFindings,
) -> rusqlite::Result<usize> {
    let mut earlier = connection
        .prepare_cached("UPDATE checks SET newest = 0 WHERE partition = ?1 AND name = ?2 AND newest = 1")?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO checks (partition, name, run, attempt, outcome, blocking, message, metadata, at,
             dataset, newest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1)",
    )?;
    for result in &findings.results {
        earlier.execute([&result.partition, &findings.check])?;
        statement.execute(params![
            result.partition,
            findings.check,
            attempt.run.0 as i64,
            attempt.number,
            result.outcome.word(),
            findings.blocking,
            result.message,
            result.metadata,
            at,
            dataset_of(&result.partition),
        ])?;
    }
    Ok(findings.results.len())
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    // Lists and maps of texts have a JSON form, all of them.
    serde_json::to_string(value).unwrap_or_else(|e| unreachable!("texts have a JSON form: {e}"))
}
