//! What partitions held once: the last few materializations of each, as long as they are not archived.

use super::columns::{materialization_row, Cells, OF_MATERIALIZATION};
use crate::rows::{MadeBy, PastMaterialization};
use databuild_core::ids::{GraphId, Seq};
use rusqlite::{params, Connection, Row};

/// See [`crate::History::past_materializations`].
pub(super) fn list(
    connection: &Connection,
    texts: &[String],
    limit: usize,
) -> rusqlite::Result<Vec<PastMaterialization>> {
    // A batch may have had further attempts after the one that made this partition.
    let mut statement = connection.prepare_cached(
        "SELECT made.partition, made.seq, made.run, made.version, made.empty, made.bytes, made.mark, made.metadata, made.at,
                (SELECT max(lease_seq) FROM attempts WHERE attempts.run = made.run AND lease_seq < made.seq),
                runs.job, runs.graph, runs.params
         FROM materializations AS made LEFT JOIN runs ON runs.id = made.run
         WHERE made.partition = ?1 ORDER BY made.seq DESC LIMIT ?2",
    )?;
    let mut found = Vec::new();
    for text in texts {
        let rows = statement.query_map(params![text, limit as i64], past)?;
        found.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    found.sort_by_key(|past| std::cmp::Reverse(past.made.seq));
    found.truncate(limit);
    Ok(found)
}

fn past(row: &Row<'_>) -> rusqlite::Result<PastMaterialization> {
    let mut cells = Cells::from(row, OF_MATERIALIZATION);
    let (lease, job): (Option<i64>, Option<String>) = (cells.get()?, cells.get()?);
    let by = match (lease, job) {
        (Some(lease), Some(job)) => Some(MadeBy {
            job,
            graph: GraphId(cells.get()?),
            params: cells.json()?,
            lease_seq: Seq(lease as u64),
        }),
        _ => None,
    };
    Ok(PastMaterialization { made: materialization_row(row)?, by })
}
