//! What people run: the command line, and one life of a server process. All else is in crates of its own, each importing only
//! those below it (a test holds that):
//!
//! ```text
//! databuild            cli: what people type; serve: one life of a server process
//! databuild_server     HTTP
//! databuild_app        commands and answers
//! databuild_engine     the loop that owns the truth, and its hands
//! databuild_execution  code, attempts, outputs: snapshot, runner, executor, publish, observe
//! databuild_store      the event log
//! databuild_base       errors, os, api: the words of HTTP; daemon: life cycle
//! databuild_core       decisions
//! ```

use databuild_app as app;
use databuild_base::{api, config, daemon, errors, os};
use databuild_engine as engine;
use databuild_execution::{executor, observe, publish, runner, snapshot};
use databuild_server as server;
use databuild_store as store;

pub mod cli;
pub mod serve;
