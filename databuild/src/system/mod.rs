//! What long-lived processes of DataBuild need of the system so that nothing stops them: reading what others left, talking
//! where a disk may be full, and having enough descriptors.

mod env_value;
mod left;
mod open_files;
mod talk;

pub use env_value::EnvValue;
pub use left::{open_left, read_left};
pub use open_files::{raise_open_files, restore_open_files};
pub use talk::{say, Stderr};
