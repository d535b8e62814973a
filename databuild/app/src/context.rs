//! What commands and answers are worked out with.

use super::audience::Audience;
use super::error::AppError;
use super::registrations::Registrations;
use super::scope::Watched;
use super::standings::Latest;
use crate::api::Setting;
use crate::engine::Handle;
use crate::snapshot;
use crate::store::History;
use databuild_core::decide::KeptPlans;
use jiff::Timestamp;
use std::future::Future;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What all commands and answers have at hand, save the history. Cheap to clone: each request has its own.
#[derive(Clone)]
pub struct Backend {
    /// The engine, which acts for whoever sent the request.
    pub engine: Handle,
    /// What they may see.
    pub audience: Audience,
    /// The same for all requests.
    pub place: Arc<Place>,
}

impl Deref for Backend {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

/// Where commands are carried out, and what they share.
pub struct Place {
    /// Code snapshots.
    pub snapshots: Arc<snapshot::Store>,
    /// The stored copy of the program that runs, if it runs from one.
    pub binary: Option<snapshot::FileDigest>,
    /// Where attempts stage their outputs.
    pub staging: PathBuf,
    /// Where sockets are.
    pub runtime_dir: PathBuf,
    /// Whose code the code store keeps: the workspace, or its state folder if that is elsewhere.
    pub home: PathBuf,
    /// Logs of younger attempts are kept, unless a request says otherwise; all, if none.
    pub keep_logs: Option<Duration>,
    /// What jobs get as `TMPDIR`.
    pub temporary_dir: Option<String>,
    /// When the server started.
    pub started_at: Timestamp,
    /// The work of wants that somebody watches.
    pub watched: Arc<Watched>,
    /// How the server was started.
    pub setup: Arc<Setup>,
    /// What is known of registered graphs.
    pub registrations: Arc<Registrations>,
    /// Where datasets stand.
    pub standings: Arc<Latest>,
    /// Which plans still hold.
    pub kept_plans: Arc<KeptPlans>,
}

/// How a server was started, for who looks at it.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Each setting, by name.
    pub settings: Vec<Setting>,
    /// Only a deployment changes the graph that new work follows.
    pub only_deploy: bool,
    /// It ends after so long without use; never, if none.
    pub idle_timeout: Option<Duration>,
    /// The state folder.
    pub state_dir: PathBuf,
    /// What files there are of each kind.
    pub kinds: Vec<(&'static str, Vec<PathBuf>)>,
    /// The folder of the log's archives.
    pub archives: PathBuf,
    /// The newest format of logs.
    pub log_format: u64,
}

/// Who carries out commands: the backend, and threads for what would block an async one.
///
/// A command is an async function over a context. It reads the history and looks at disks only in `by_id`, `quick`,
/// `slow` and `looking`, so whoever serves it says which threads do that, how many there are, and how long a command waits for one.
pub trait Context: Sync {
    /// What there is besides the history.
    fn backend(&self) -> &Backend;

    /// Looks up one thing by its id, and nothing that grows with the history.
    ///
    /// # Errors
    /// As [`Context::quick`].
    fn by_id<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Backend, &dyn History) -> Result<T, AppError> + Send + 'static,
    ) -> impl Future<Output = Result<T, AppError>> + Send;

    /// Works out something about one thing: some look-ups by id.
    ///
    /// # Errors
    /// What `work` says; or no thread was free in time.
    fn quick<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Backend, &dyn History) -> Result<T, AppError> + Send + 'static,
    ) -> impl Future<Output = Result<T, AppError>> + Send;

    /// Works out something that may take long, such as a list or a count.
    ///
    /// # Errors
    /// As [`Context::quick`].
    fn slow<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Backend, &dyn History) -> Result<T, AppError> + Send + 'static,
    ) -> impl Future<Output = Result<T, AppError>> + Send;

    /// Works out something for which others are asked, such as a server or a program that looks at external data, which may
    /// take up to an hour, or the executor for a log.
    ///
    /// # Errors
    /// As [`Context::quick`].
    fn looking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Backend, &dyn History) -> Result<T, AppError> + Send + 'static,
    ) -> impl Future<Output = Result<T, AppError>> + Send;
}
