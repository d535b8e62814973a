//! The job graph: datasets, the jobs that make them, and how their partitions depend on each other.
//!
//! [`file`] is the stored form, [`Graph`] the checked one that all other code uses: names are resolved
//! to indices, key spaces and mappings are parsed, jobs stand in dependency order. A [`Graph`] that
//! exists is sound: no cycles, one producer for each dataset, every mapping total.

mod check;
mod checked;
mod checks;
mod clash;
pub mod diff;
pub mod file;
mod limits;
mod model;
mod moved;
mod observe;
mod omission;
mod params;
mod parse;
mod policy;
mod problem;
mod program;
mod renames;
mod resolve;
mod schedule;
mod schedules;
mod upgrade;

pub use checked::CheckedGraph;
pub use limits::{Pool, Resource};
pub use model::{
    BatchPolicy, Check, Dataset, DatasetIx, Extents, Graph, Input, Job, JobDigests, JobIx, Observe, Observer,
    Params, Registered,
};
pub use observe::MOST_OBSERVE_MS;
pub use omission::{Lack, Lacking, Omissions, TooManyInputs};
pub use params::{value_fault, LONGEST_VALUE, MOST_PARAMS};
pub use policy::{DatasetPolicy, JobPolicy, OnCodeChange, Rate};
pub use problem::{GraphProblem, ProblemCode};
pub use program::Program;
pub use renames::Renames;
pub use resolve::parse_file;
pub use schedule::{Missed, Schedule};
