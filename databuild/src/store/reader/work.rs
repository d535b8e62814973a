//! What a want waits for, as its events say.

use super::columns::seqs;
use super::{Answer, Reader};
use crate::store::error::StoreError;
use crate::store::sqlite::{failure, position, read, ARCHIVED};
use databuild_core::event::{Event, SetText};
use databuild_core::ids::{Seq, WantId};
use rusqlite::{params, OptionalExtension};

/// What the events of a want say about its work, up to some event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantWork {
    /// All work that it waits for from an event on, as sets of jobs' first outputs. The first entry is its creation.
    pub said: Vec<(Seq, SetText)>,
    /// The event that ended it.
    pub ended: Option<Seq>,
    /// The last event that was looked at.
    pub until: Seq,
}

impl Reader {
    /// What the events of a want say about its work. `known` is an earlier answer, which is continued. Nothing is known
    /// about a want whose creation is archived: it has ended long ago.
    pub fn work_of_want(
        &self,
        want: WantId,
        known: Option<WantWork>,
    ) -> Result<Answer<WantWork>, StoreError> {
        let mut work = known.unwrap_or_default();
        self.checked_answer(|connection| {
            let archived = position(connection, &self.log, ARCHIVED)?;
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
            let (saying, ended) = look_up().map_err(|e| failure(&self.log, &e))?;
            if saying.first().is_some_and(|first| *first <= archived) {
                return Ok(WantWork::default());
            }
            for (seq, record) in read::records_at(connection, &self.log, &saying)? {
                match record.event {
                    Event::WantCreated(created) if created.want == want => {
                        work.said.push((seq, created.work))
                    }
                    Event::WantReplanned(event) if event.want == want => work.said.push((seq, event.work)),
                    _ => {}
                }
            }
            work.ended = work.ended.or(ended);
            work.until = read::last_seq(connection, &self.log)?;
            Ok(work)
        })
    }
}
