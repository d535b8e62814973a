//! Settings: what a workspace, a user, an environment and a command line say of the server and of where it keeps its state.
//!
//! Four layers, each stronger than those before it: `databuild.toml` at the root of the workspace, the user's file, variables
//! `DATABUILD_*`, and flags. One parser reads a setting, wherever it stands, so a value means the same in each layer.
//!
//! Invariants:
//! - What no setting is called is refused, with what was probably meant. Nothing is passed over.
//! - Each value knows where it comes from.

mod error;
mod file;
mod given;
mod keys;
mod settings;

pub use error::ConfigError;
pub use file::user_file;
pub use given::Source;
pub use keys::{Key, KEYS};
pub use settings::{Deploying, Flags, Place, Row, Settings};
