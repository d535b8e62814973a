//! What a want waits for, as its events say.

use super::{Answer, Reader};
use crate::store::convert::{WANT_CREATED, WANT_ENDED, WANT_REPLANNED};
use crate::store::error::StoreError;
use crate::store::sqlite::{position, read, ARCHIVED};
use databuild_core::event::{Event, Record, SetText};
use databuild_core::ids::{Seq, WantId};
use std::ops::ControlFlow;

/// Events read at once.
const PIECE: usize = 1000;

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
        self.checked_answer(|connection| {
            let mut work = match known {
                Some(known) => known,
                None => {
                    let newest = |record: &Record| match &record.event {
                        Event::WantCreated(created) if created.want < want => ControlFlow::Break(()),
                        Event::WantCreated(created) => ControlFlow::Continue(created.want == want),
                        _ => ControlFlow::Continue(false),
                    };
                    let created = read::newest_of_kind(connection, &self.log, WANT_CREATED, newest)?;
                    match created.map(|(seq, record)| (seq, record.event)) {
                        Some((seq, Event::WantCreated(created))) => {
                            WantWork { said: vec![(seq, created.work)], ended: None, until: seq }
                        }
                        _ => return Ok(WantWork::default()),
                    }
                }
            };
            let archived = position(connection, &self.log, ARCHIVED)?;
            let last = read::last_seq(connection, &self.log)?;
            let mut after = work.until.max(archived);
            while work.ended.is_none() {
                let found = read::records_of_kinds(
                    connection,
                    &self.log,
                    after,
                    [WANT_REPLANNED, WANT_ENDED],
                    PIECE,
                )?;
                for (seq, record) in &found {
                    after = *seq;
                    match &record.event {
                        Event::WantReplanned(event) if event.want == want => {
                            work.said.push((*seq, event.work.clone()));
                        }
                        Event::WantEnded(event) if event.want == want => work.ended = Some(*seq),
                        _ => {}
                    }
                }
                if found.len() < PIECE {
                    break;
                }
            }
            work.until = last;
            Ok(work)
        })
    }
}
