//! The request: what a job is told, and what the server reads back after a restart to find its outputs.

use crate::publish::{self, Imprint, StatMark};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Version of the request format, told to jobs.
pub const FORMAT: u32 = 1;

/// Data version of a partition that is empty by the job's word.
pub(crate) const EMPTY_VERSION: &str = "empty";

/// The content of `request.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Always [`FORMAT`].
    pub format: u32,
    /// The run.
    pub run: String,
    /// The attempt's number.
    pub attempt: u32,
    /// The job's label.
    pub job: String,
    /// For which instant key spaces were read.
    pub as_of: String,
    /// All parameters of the job with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// The job makes batches: what it says is done counts even if it fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub batch: bool,
    /// What is to be made: for each partition, one entry for each output of the job.
    pub outputs: Vec<OutputFile>,
    /// What is read, by the job's names for its inputs.
    pub inputs: BTreeMap<String, Vec<InputFile>>,
    /// What attempts before found that they need beside `inputs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discovered: Vec<InputFile>,
    /// Wants that wait for it.
    pub wants: Vec<String>,
    /// Dynamic key spaces that it may add keys to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adds_keys: Vec<String>,
    /// The latest time at which a file of an input was changed, in nanoseconds since 1970. Absent if there is none, and
    /// in requests of versions that did not look at that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<i64>,
}

/// One partition to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Its dataset.
    pub dataset: String,
    /// Its reference.
    pub partition: String,
    /// Its keys by dimension.
    pub keys: BTreeMap<String, String>,
    /// Where to write it; none for what is not a file.
    pub path: Option<PathBuf>,
    /// Where it will be found.
    pub final_path: Option<PathBuf>,
}

/// One partition to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputFile {
    /// Its dataset.
    pub dataset: String,
    /// Its reference.
    pub partition: String,
    /// Its keys by dimension.
    pub keys: BTreeMap<String, String>,
    /// Where it is; none for what is not a file.
    pub path: Option<PathBuf>,
    /// The files that match its pattern; absent unless it is observed by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<PathBuf>>,
    /// The folder to which their names in the data version are relative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<PathBuf>,
    /// Where it is on the web; absent unless it is observed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its data version.
    pub version: Option<String>,
    /// What the job that made it said of it.
    pub metadata: serde_json::Value,
    /// The job that made it had nothing to produce.
    pub empty: bool,
    /// Of its files, when the attempt started, without their times of change; in hexadecimal digits. Absent for what is
    /// not a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// The same with their times of change. By both the server tells whether they are as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_mark: Option<String>,
}

impl InputFile {
    /// Whether it should be a file and is not there.
    pub(crate) fn vanished(&self) -> bool {
        let gone = |path: &PathBuf| !path.exists();
        let all_gone = |paths: &Vec<PathBuf>| paths.is_empty() || paths.iter().any(gone);
        !self.empty && (self.path.as_ref().is_some_and(gone) || self.paths.as_ref().is_some_and(all_gone))
    }

    /// What inodes said of its files but for the times of change.
    pub(crate) fn body(&self) -> Option<u64> {
        u64::from_str_radix(self.mark.as_ref()?, 16).ok()
    }

    /// What inodes said of its files when the attempt started; none if a version wrote the request that looked at less.
    pub(crate) fn imprint(&self, changed_at: Option<i64>) -> Option<Imprint> {
        let mark = StatMark(u64::from_str_radix(self.change_mark.as_ref()?, 16).ok()?);
        Some(Imprint { mark, body: self.body()?, changed_at: changed_at? })
    }

    /// Whether its files hold what the request says.
    pub(crate) fn holds_its_version(&self) -> bool {
        let found = match (&self.path, &self.paths, &self.base) {
            (Some(path), ..) => version_at(path),
            (None, Some(paths), Some(base)) => publish::version_of_files(base, paths).ok(),
            _ => None,
        };
        found.is_some() && found == self.version
    }

    /// Its file, if it is exactly one.
    pub(crate) fn only_path(&self) -> Option<&PathBuf> {
        match self.paths.as_deref() {
            None => self.path.as_ref(),
            Some([only]) => Some(only),
            Some(_) => None,
        }
    }
}

/// Parses a request that this server or one before it wrote.
///
/// # Errors
/// As serde says.
pub fn parse_request(text: &[u8]) -> Result<Request, serde_json::Error> {
    serde_json::from_slice(text)
}

/// The version of the data at `path`; none if there is none, or if it cannot be read.
pub(crate) fn version_at(path: &Path) -> Option<String> {
    publish::observe(path).ok().flatten().map(|found| found.hash.to_string())
}
