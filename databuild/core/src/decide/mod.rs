//! What an input means, and what follows from it.
//!
//! The floors, from the lowest: [`messages`] in and out; `out`, a step while it is made; [`queries`], which only read; `changes`,
//! which several of those above share; `acts`, a file for each kind of request; `lives`, what happens to attempts;
//! `follow`, what follows by itself; [`core`], the door, and `impact`, which tries a graph out on a copy.

mod acts;
mod changes;
mod core;
mod follow;
mod impact;
mod lives;
mod messages;
mod out;
mod queries;

pub use self::core::Core;
pub use acts::accept::{acceptable, Acceptable};
pub use acts::invoke::job_called;
pub use acts::kept_plans::KeptPlans;
pub use acts::keys::{preview_added, preview_retired};
pub use acts::plan::{rows as plan_rows, DEFAULT_EXPIRY_SECONDS, MOST_PLANS};
pub use acts::trial::MOST_SAMPLES;
pub use impact::{built, impact, impact_since, left_under, under, Impact, Left};
pub use lives::suspend::MOST_DISCOVERED;
pub use messages::input::*;
pub use messages::refusal::{OnlyDeployed, Refusal};
pub use messages::report::{AttemptEnd, AttemptReport, Success};
pub use messages::sightings::{FoundFile, Sighting, Sightings};
pub use messages::step::{AttemptSpec, Effect, Reply, Step};
pub use queries::blocker::{self, Blocker};
pub use queries::limits::{self, Capacity};
pub use queries::queue;
pub use queries::sample::{made_otherwise, maker_of, repeatable, spread};
pub use queries::targets::repeated;
