//! What an attempt and its processes are told, and where it works: requests, environments, and staging folders.

pub(super) mod check_request;
pub(super) mod environment;
pub(super) mod inherited;
pub(super) mod request;
pub(super) mod staging;
pub(super) mod wording;
