//! What people ask for: one file for each kind of request, which grants or refuses it.

pub(crate) mod accept;
pub(crate) mod adopt;
pub(crate) mod garbage;
pub(crate) mod invoke;
pub(crate) mod kept_plans;
pub(crate) mod keys;
pub(crate) mod plan;
pub(crate) mod pool;
pub(crate) mod register;
pub(crate) mod request;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod taint;
pub(crate) mod token;
pub(crate) mod trial;
pub(crate) mod want;
