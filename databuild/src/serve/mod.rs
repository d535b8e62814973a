//! The server process: takes the workspace's lock, starts engine and HTTP, watches over its own right to
//! live, and goes down in order.

mod door;
mod entrance;
mod http;
mod memory;
mod options;
mod private;
mod progress;
mod retention;
mod run;
mod tls;
mod traces;

pub use memory::memory;
pub use options::{job_environment, store_root, Beyond, ServeOptions};
pub use private::CLIENT as PRIVATE_CLIENT;
pub use run::{serve, ServeError, PROTOCOL};
