//! Who goes first.

use crate::words;

words! {
    /// Who goes first when not all can run.
    #[derive(PartialOrd, Ord)]
    pub enum PriorityClass: "class" {
        /// Somebody waits for it.
        Interactive = 1 => "interactive",
        /// Work on history; goes when nothing interactive can.
        Backfill = 2 => "backfill",
    }
}
