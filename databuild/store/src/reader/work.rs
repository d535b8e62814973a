//! What a want waits for, as its events say.

use super::columns::seqs;
use crate::error::StoreError;
use crate::history::WantWork;
use crate::sqlite::{failure, position, read, ARCHIVED};
use databuild_core::event::Event;
use databuild_core::ids::{Seq, WantId};
use rusqlite::{params, Connection, OptionalExtension};

/// See [`crate::History::work_of_want`].
pub(super) fn of_want(
    connection: &Connection,
    log: &str,
    want: WantId,
    known: Option<WantWork>,
) -> Result<WantWork, StoreError> {
    let mut work = known.unwrap_or_default();
    let archived = position(connection, log, ARCHIVED)?;
    let look_up = || {
        let saying = connection
            .prepare_cached("SELECT seq FROM want_work WHERE want = ?1 AND seq > ?2 ORDER BY seq")?
            .query_map(params![want.0 as i64, work.until.0 as i64], seqs)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let ended: Option<Option<i64>> = connection
            .prepare_cached("SELECT ended_seq FROM wants WHERE id = ?1")?
            .query_row([want.0 as i64], |row| row.get(0))
            .optional()?;
        Ok((saying, ended.flatten().map(|seq| Seq(seq as u64))))
    };
    let (saying, ended) = look_up().map_err(|e| failure(log, &e))?;
    if saying.first().is_some_and(|first| *first <= archived) {
        return Ok(WantWork::default());
    }
    for (seq, record) in read::records_at(connection, log, &saying)? {
        match record.event {
            Event::WantCreated(created) if created.want == want => work.said.push((seq, created.work)),
            Event::WantReplanned(event) if event.want == want => work.said.push((seq, event.work)),
            _ => {}
        }
    }
    work.ended = work.ended.or(ended);
    work.until = read::last_seq(connection, log)?;
    Ok(work)
}
