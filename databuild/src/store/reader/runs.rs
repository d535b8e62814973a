//! Runs, in lists.

use super::columns::run_row;
use super::newest::{newest, Listed, Part, Walk};
use super::{Answer, Reader};
use crate::store::error::StoreError;
use crate::store::rows::{RunRow, RunState};
use databuild_core::ids::RunId;
use databuild_core::state::Named;
use databuild_core::word::Word as _;
use rusqlite::Row;

/// Which runs, newest first.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only those of the job with any of these labels; of any job if there are none.
    pub jobs: Vec<String>,
    /// Only those in this state.
    pub state: Option<RunState>,
    /// Only those whose partitions are named so; whatever they are without it.
    pub of: Option<Named>,
    /// Only those before this one: how a list goes on.
    pub before: Option<RunId>,
    /// At most so many, up to [`super::MAX_ROWS`].
    pub limit: usize,
}

impl RunFilter {
    /// Along which indexes these runs are found.
    fn walks(&self) -> Vec<Walk> {
        let one = |condition, key: &str| Walk::of("runs", condition, [key.to_owned().into()]);
        let all_of = |dataset: &String| {
            [0, 1].map(|batch| {
                let keys = [dataset.clone().into(), batch.into()];
                Walk::of("runs", "dataset = ?2 AND (partitions > 1) = ?3", keys)
            })
        };
        match (&self.of, self.state) {
            (Some(Named::Partitions { texts, datasets }), _) => {
                let alone = texts.iter().map(|text| one("partition = ?2", text));
                let batches = datasets.iter().map(|name| one("dataset = ?2 AND (partitions > 1) = 1", name));
                alone.chain(batches).collect()
            }
            (Some(Named::Datasets(names)), _) => names.iter().flat_map(all_of).collect(),
            // Few runs are live.
            (_, Some(state)) if self.jobs.is_empty() || !state.is_over() => {
                vec![one("state = ?2", state.word())]
            }
            _ if !self.jobs.is_empty() => self.jobs.iter().map(|job| one("job = ?2", job)).collect(),
            _ => vec![Walk::of("runs", "true", [])],
        }
    }

    /// Whether a row that was found is one of these, so far as the columns tell.
    fn has(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        if let Some(state) = self.state {
            if text("state")? != state.word() {
                return Ok(false);
            }
        }
        if !self.jobs.is_empty() {
            let job = text("job")?;
            if !self.jobs.iter().any(|asked| asked == job) {
                return Ok(false);
            }
        }
        if let Some(Named::Beginnings(beginnings)) = &self.of {
            let partition = text("partition")?;
            return Ok(beginnings.iter().any(|begin| partition.starts_with(begin)));
        }
        Ok(true)
    }
}

impl Reader {
    /// Runs, newest first: of those that the filter lets through, the ones whose partitions, as a text, `fit`.
    pub fn runs(
        &self,
        filter: &RunFilter,
        fit: &dyn Fn(&str) -> bool,
    ) -> Result<Answer<Listed<RunRow>>, StoreError> {
        let part = Part { before: filter.before.map(|run| run.0), limit: filter.limit };
        self.answer(|connection| {
            newest(connection, &filter.walks(), part, |row| {
                if !filter.has(row)? || !fit(row.get_ref("partition")?.as_str()?) {
                    return Ok(None);
                }
                run_row(row).map(Some)
            })
        })
    }

    /// The newest of such runs, however long that takes to find.
    pub fn newest_run(
        &self,
        filter: &RunFilter,
        fit: &dyn Fn(&str) -> bool,
    ) -> Result<Option<RunRow>, StoreError> {
        let mut filter = RunFilter { limit: 1, ..filter.clone() };
        loop {
            let Listed { rows, next } = self.runs(&filter, fit)?.value;
            match (rows.into_iter().next(), next) {
                (None, Some(next)) => filter.before = Some(RunId(next)),
                (found, _) => return Ok(found),
            }
        }
    }
}
