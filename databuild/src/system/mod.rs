//! What long-lived processes of DataBuild need of the system so that nothing stops them: reading what others left, talking
//! where a disk may be full, having enough descriptors, usual signals, and a clock.

mod clock;
mod env_value;
mod left;
mod open_files;
mod signals;
mod talk;

pub use clock::now;
pub use env_value::EnvValue;
pub use left::{create_left, open_left, read_left};
pub use open_files::{raise_open_files, restore_open_files};
pub use signals::{restore_signals, settle_signals};
pub use talk::{say, Stderr};
