//! The life cycle of the per-workspace server, for both sides of it: the
//! command line that finds or starts the server, and the server itself.
//!
//! Invariants kept here:
//! - The process that holds `.databuild/server.lock` is the server, and no other process is, no matter what
//!   `server.json` says.
//! - A process that starts a server holds `.databuild/start.lock` from the look at `server.json` until the new server
//!   answers, so any number of simultaneous first starts end with one server.
//! - `server.json` is believed only if its boot, state folder, process id *and*
//!   process start time fit and the process answers. A process is told to end
//!   only by a descriptor, after its start time was compared.
//! - A server inherits three descriptors (`/dev/null`, its log, its log) plus
//!   the ready pipe, and only the variables named in [`environment`].
//! - One type, [`StateDir`], knows the names of the files in `.databuild/`.
//!
//! There is no HTTP here: asking a server whether it is well, and asking it to
//! go, are closures of the caller. Linux only (`/proc`, `pidfd`).

mod connect;
mod constraints;
mod detach;
pub mod environment;
mod error;
mod filesystem;
mod find;
mod guard;
mod identity;
mod idle;
mod info;
mod runtime_dir;
mod server_log;
mod state_dir;
mod token;
mod workspace;

#[cfg(test)]
mod test_process;
#[cfg(test)]
mod tests;

pub use connect::{connect_or_start, Ask, How, StartOptions, Started};
pub use constraints::{Constraints, RestartReason};
pub use detach::ReadyPipe;
pub use environment::READY_FD_ENV;
pub use error::DaemonError;
pub use filesystem::network_filesystem;
pub use find::{find, owner, Found, NotRunning};
pub use guard::{LostReason, Ownership, Publication, ServerGuard, PREDECESSOR_WAIT};
pub use identity::{DirId, Machine};
pub use idle::{IdleClock, IdleDecision, Work};
pub use info::ServerInfo;
pub use runtime_dir::{RuntimeDir, RuntimeDirError, MAX_SOCKET_PATH};
pub use server_log::ServerLog;
pub use state_dir::{StateDir, StateDirError, NO_PACKAGE};
pub use token::Token;
pub use workspace::{Workspace, WorkspaceError, SETTINGS_FILE_NAME, STATE_DIR_NAME};
