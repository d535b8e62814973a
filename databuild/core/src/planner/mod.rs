//! What has to be built for a want, and why: a walk over datasets, each step a set operation.
//!
//! Cost grows with datasets and with runs of keys, not with partitions or edges. Two walks:
//! [`closure`] goes upstream and says which partitions matter at all, so that their files can be looked
//! at; [`walk`] then comes back downstream and says which of them are to be built. What a kept plan rests
//! on is in digests ([`crate::event::Grounds`]), so that it can be told whether it still holds.

mod closure;
mod ground;
mod lack;
mod make;
mod plan;
mod unseen;
mod walk;

pub use closure::{closure, closure_with_gone, Closure, Unreadable};
pub(crate) use ground::{changes, grounds};
pub(crate) use make::plan_rest;
pub use make::{plan, plan_despite};
pub use plan::{Fault, JobPlan, Plan, Reason};
pub use unseen::Unseen;
