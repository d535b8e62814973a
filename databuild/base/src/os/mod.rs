//! What DataBuild's processes need of the operating system, each thing once: telling processes and boots apart, their
//! environments, locks, bringing files to disk, reading what others left or hand over, talking where a disk may be full, having enough
//! descriptors, usual signals, deadlines, what is used of disk and memory, a clock and the user.

mod clock;
mod deadline;
mod env_value;
mod environment;
mod flush;
mod given;
mod left;
mod lock;
mod open_files;
mod process;
mod signals;
mod talk;
mod usage;
mod user;

pub use clock::now;
pub use deadline::Deadline;
pub use env_value::EnvValue;
pub use environment::{Environment, PROGRAM_CHANGE};
pub use flush::{replace_file, sync, write_new};
pub use given::{read_at_most, read_given};
pub use left::{create_left, open_left, read_left};
pub use lock::{lock_holder, LockFile};
pub use open_files::{raise_open_files, restore_open_files};
pub use process::{
    boot_id, group_exists, parse_stat, stat, to_pid, wait_readable, Liveness, ProcessId, ProcessRecord,
    ProcessStat,
};
pub use signals::{restore_signals, settle_signals};
pub use talk::{say, Stderr};
pub use usage::{free, resident, used, Used};
pub use user::user;
