//! How many wants and runs there are: only what is not over is counted one by one.

use super::columns::Cells;
use crate::history::Counts;
use crate::rows::RunState;
use databuild_core::word::Word as _;
use rusqlite::Connection;

/// See [`crate::History::counts`].
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Counts> {
    let wants = connection
        .prepare_cached(
            "SELECT state, count(*) AS count FROM wants WHERE state = 'open' GROUP BY state
             UNION ALL SELECT state, count FROM want_ends",
        )?
        .query_map([], |row| {
            let mut cells = Cells::from(row, 0);
            Ok((cells.word()?, cells.unsigned()?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let live = RunState::ALL.iter().filter(|state| !state.is_over());
    let live: Vec<_> = live.map(|state| format!("'{}'", state.word())).collect();
    let runs = connection
        .prepare_cached(&format!(
            "SELECT job, state, count(*) AS count FROM runs WHERE state IN ({}) GROUP BY job, state
             UNION ALL SELECT job, state, count FROM run_ends",
            live.join(", ")
        ))?
        .query_map([], |row| {
            let mut cells = Cells::from(row, 0);
            Ok(((cells.get()?, cells.word()?), cells.unsigned()?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Counts { wants, runs })
}
