//! What partitions held once: the last few materializations of each, as long as they are not archived.

use super::columns::{json, materialization_row, unsigned};
use crate::store::rows::{MadeBy, PastMaterialization};
use databuild_core::ids::{GraphId, Seq};
use rusqlite::{params, Connection, Row};

/// See [`crate::store::History::past_materializations`].
pub(super) fn list(
    connection: &Connection,
    texts: &[String],
    limit: usize,
) -> rusqlite::Result<Vec<PastMaterialization>> {
    // A batch may have had further attempts after the one that made this partition.
    let mut statement = connection.prepare_cached(
        "SELECT materializations.*, runs.job AS by_job, runs.graph AS by_graph, runs.params AS by_params,
                (SELECT max(lease_seq) FROM attempts
                 WHERE attempts.run = materializations.run AND lease_seq < materializations.seq) AS lease
         FROM materializations LEFT JOIN runs ON runs.id = materializations.run
         WHERE materializations.partition = ?1 ORDER BY materializations.seq DESC LIMIT ?2",
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
    let lease: Option<i64> = row.get("lease")?;
    let job: Option<String> = row.get("by_job")?;
    let by = match (job, lease) {
        (Some(job), Some(_)) => Some(MadeBy {
            job,
            graph: GraphId(row.get("by_graph")?),
            params: json(row, "by_params")?,
            lease_seq: Seq(unsigned(row, "lease")?),
        }),
        _ => None,
    };
    Ok(PastMaterialization { made: materialization_row(row)?, by })
}
