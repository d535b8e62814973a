//! What is said of cleaning up.

use super::examples::time;
use super::fact::Fact;
use super::origin::Origin;
use crate::amounts::{bytes, count};
use jiff::Timestamp;

/// See [`super::Event::GarbageCollected`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GarbageCollected {
    /// Attempts whose logs are not kept any more, nor what they were asked.
    pub attempts: u64,
    /// Nothing was written to these logs since then; none, if no logs went.
    pub older_than: Option<Timestamp>,
    /// Attempts that had left outputs in staging.
    pub staged: u64,
    /// Code snapshots.
    pub snapshots: u64,
    /// Bytes of snapshots that no other needs.
    pub bytes: u64,
    /// The last event that went to an archive; 0, if none went.
    pub archived_until: u64,
}

impl Fact for GarbageCollected {
    fn text(&self, who: &Origin) -> String {
        let GarbageCollected { attempts, older_than, staged, snapshots, bytes: freed, archived_until } = self;
        let mut gone = Vec::new();
        if *attempts > 0 {
            let age = older_than.map(|end| format!(", none younger than {end}")).unwrap_or_default();
            gone.push(format!("logs of {}{age}", count(*attempts, "attempt")));
        }
        if *staged > 0 {
            gone.push(format!("staged outputs of {}", count(*staged, "attempt")));
        }
        if *snapshots > 0 || *freed > 0 {
            gone.push(format!("{} ({})", count(*snapshots, "code snapshot"), bytes(*freed)));
        }
        if *archived_until > 0 {
            gone.push(format!("events up to {archived_until}, which are in an archive"));
        }
        format!("{who} cleaned up: {}", gone.join("; "))
    }

    fn example() -> GarbageCollected {
        GarbageCollected {
            attempts: 12,
            older_than: Some(time("2024-03-01T00:00:00Z")),
            staged: 2,
            snapshots: 3,
            bytes: 1 << 20,
            archived_until: 9,
        }
    }
}
