//! What every process of DataBuild needs: the operating system, the words of HTTP, the catalog of errors, the state folder.

pub mod api;
pub mod config;
pub mod daemon;
pub mod errors;
pub mod os;
