//! The duties of a history: what the events of a log say, as lists and rows to look up.

use super::error::StoreError;
use super::pieces;
use super::project::project;
use super::rows::{
    AttemptRow, CheckRow, GraphRow, MaterializationRow, PastMaterialization, RunRow, RunState,
    RunWithAttempts, TaintRow, WantRow, WantState,
};
use databuild_core::event::{CheckOutcome, Event, Record, SetText};
use databuild_core::ids::{AttemptId, GraphId, RunId, Seq, WantId};
use databuild_core::state::{Holding, Named};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// No answer has more rows than this, whatever limit was asked for.
pub const MAX_ROWS: usize = 1000;

/// What the events of a log say, for whoever asks while the log is being written.
///
/// What an implementation owes its caller:
///
/// 1. **One state.** An answer is of the log as it was right after its event `last_seq`: of a batch it knows all or nothing. No
///    answer is of an older state than one that was given before.
/// 2. **Newest first.** Lists of wants, runs and findings begin with the newest, those of wants and runs with the oldest if that is
///    asked for. A part of a list ([`Listed`]) says where the
///    list goes on; parts that are asked for one after the other have every row that was there at the first question exactly
///    once, whatever is added meanwhile.
/// 3. **Bounded.** No answer has more than [`MAX_ROWS`] rows. A part of a list may have fewer rows than were asked for, or none,
///    though there are more: who wants all asks until there is no `next`.
/// 4. **Archived in part.** What explains present data stays. Rows of wants and runs that are over, and data that other data took the
///    place of, may be gone from the lists once their events are archived; then `archived_want` and `archived_run` tell
///    them. Positions and ids stay what they were.
/// 5. **By texts.** Partitions, jobs and datasets are named as the events name them. Who knows several names asks with all of them.
///    A text may have been that of other partitions, so what one holds now is asked for by the event that the state knows of
///    ([`Holding`]), and not as the newest of its text.
///
/// Any question can fail with `log_io_error`, `corrupt_log`, `log_busy` and `query_too_slow`; what it can fail with besides
/// is said with it.
pub trait History: Send + Sync {
    /// Wants, newest first.
    fn wants(&self, filter: &WantFilter) -> Result<Answer<Listed<WantRow>>, StoreError> {
        self.wants_that(filter, &|_| true)
    }

    /// Wants, newest first: of those that the filter lets through, the ones that `fit`.
    fn wants_that(
        &self,
        filter: &WantFilter,
        fit: &dyn Fn(&WantRow) -> bool,
    ) -> Result<Answer<Listed<WantRow>>, StoreError>;

    /// One want.
    fn want(&self, id: WantId) -> Result<Answer<Option<WantRow>>, StoreError>;

    /// A want that is in an archive.
    ///
    /// Errors: `archive_missing` if none has it that is there, and one is not.
    fn archived_want(&self, id: WantId) -> Result<Option<Filed<WantRow>>, StoreError>;

    /// What the events of a want say about its work. `known` is an earlier answer, which is continued. Nothing is known
    /// about a want whose creation is archived: it has ended long ago.
    fn work_of_want(&self, want: WantId, known: Option<WantWork>) -> Result<Answer<WantWork>, StoreError>;

    /// Runs, newest first: of those that the filter lets through, the ones whose partitions, as a text, `fit`.
    fn runs(
        &self,
        filter: &RunFilter,
        fit: &dyn Fn(&str) -> bool,
    ) -> Result<Answer<Listed<RunRow>>, StoreError>;

    /// The newest of such runs, however long that takes to find.
    fn newest_run(
        &self,
        filter: &RunFilter,
        fit: &dyn Fn(&str) -> bool,
    ) -> Result<Option<RunRow>, StoreError> {
        let mut filter = RunFilter { limit: 1, ..filter.clone() };
        loop {
            let Listed { rows, next } = self.runs(&filter, fit)?.value;
            match (rows.into_iter().next(), next) {
                (None, Some(next)) => filter.before = Some(RunId(next)),
                (found, _) => return Ok(found),
            }
        }
    }

    /// One run with its attempts.
    fn run(&self, id: RunId) -> Result<Answer<Option<RunWithAttempts>>, StoreError>;

    /// The same, and what checks found in what it made, in the order in which they did.
    fn run_with_checks(&self, id: RunId) -> Result<Answer<Option<RunWithChecks>>, StoreError>;

    /// A run that is in an archive, and what checks found in what it made.
    ///
    /// Errors: `archive_missing` if none has it that is there, and one is not.
    fn archived_run(&self, id: RunId) -> Result<Option<Filed<RunWithChecks>>, StoreError>;

    /// One attempt.
    fn attempt(&self, id: AttemptId) -> Result<Answer<Option<AttemptRow>>, StoreError>;

    /// The attempts of some runs, by run and number: the first [`MAX_ROWS`].
    fn attempts_of(&self, runs: &[RunId]) -> Result<Answer<Vec<AttemptRow>>, StoreError>;

    /// Milliseconds and partitions of the last successful attempts of each of `jobs`, newest first, at most `each`; a history may
    /// look at ten times as many of the job's last runs and no more. A job has all its labels, that of now first,
    /// under which it is in the answer.
    fn last_durations(&self, jobs: &[Vec<&str>], each: usize) -> Result<Answer<Durations>, StoreError>;

    /// What a partition held, newest first.
    fn materializations(
        &self,
        partition: &str,
        limit: usize,
    ) -> Result<Answer<Vec<MaterializationRow>>, StoreError>;

    /// What a run made, by partition.
    fn materializations_of_run(&self, run: RunId) -> Result<Answer<Vec<MaterializationRow>>, StoreError>;

    /// What a partition held at a position of the log: its newest materialization up to `seq`, under any of
    /// its texts.
    fn materialization_at(
        &self,
        texts: &[String],
        seq: Seq,
    ) -> Result<Answer<Option<MaterializationRow>>, StoreError>;

    /// What the history has of the data that a partition holds by the state. Where the lists have it no more, its event is
    /// read, which may be archived.
    ///
    /// Errors: `archive_missing`.
    fn held(&self, holding: &Holding) -> Result<Option<MaterializationRow>, StoreError> {
        let seq = holding.entry.seq;
        for text in &holding.texts {
            let row = self.materialization_at(std::slice::from_ref(text), seq)?.value;
            if let Some(row) = row.filter(|row| holding.is(row.seq, &row.version)) {
                return Ok(Some(row));
            }
        }
        let Some(record) = self.event(seq)?.value else { return Ok(None) };
        let mut rows = project(seq, &record).into_iter().filter_map(|change| change.materialization());
        Ok(rows.find(|row| holding.texts.contains(&row.partition) && holding.is(seq, &row.version)))
    }

    /// The last `limit` materializations of a partition, newest first, which may be known by several texts.
    fn past_materializations(
        &self,
        texts: &[String],
        limit: usize,
    ) -> Result<Answer<Vec<PastMaterialization>>, StoreError>;

    /// The newest partition of which a run made this version, except archived ones. Looks at all materializations if
    /// there is none.
    fn published_as(&self, version: &str) -> Result<Answer<Option<String>>, StoreError>;

    /// The newest registration of a graph.
    fn graph(&self, id: &GraphId) -> Result<Answer<Option<GraphRow>>, StoreError>;

    /// The newest registration of a graph before an event.
    fn graph_before(&self, id: &GraphId, seq: Seq) -> Result<Answer<Option<GraphRow>>, StoreError>;

    /// The newest registration of a graph whose id begins so.
    fn graph_beginning(&self, id: &str) -> Result<Answer<Option<GraphRow>>, StoreError>;

    /// Registrations of graphs before an event, or all, newest first.
    fn graphs(&self, before: Option<Seq>, limit: usize) -> Result<Answer<Vec<GraphRow>>, StoreError>;

    /// A content by its digest, such as a graph's or a source manifest.
    fn content(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// A content that may be kept in pieces ([`pieces`]), whole.
    fn text(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(content) = self.content(digest)? else { return Ok(None) };
        let Some(pieces) = pieces::listed(&content) else { return Ok(Some(content)) };
        let mut whole = Vec::new();
        for piece in pieces {
            // Without one of its pieces there is no text.
            let Some(bytes) = self.content(&piece)? else { return Ok(None) };
            whole.extend(bytes);
        }
        Ok(Some(whole))
    }

    /// Those of some contents that are not there, in the order in which they are named.
    fn missing(&self, digests: &[String]) -> Result<Vec<String>, StoreError>;

    /// How many wants and runs there are; what is archived is counted, too.
    fn counts(&self) -> Result<Answer<Counts>, StoreError>;

    /// The taint that an event put.
    fn taint(&self, seq: Seq) -> Result<Answer<Option<TaintRow>>, StoreError>;

    /// Events from the one after `after` on; without it, from the first that is not archived. Where history begins is told
    /// without any event, by a limit of 0: the first one may be a large graph.
    ///
    /// Errors: `events_archived` if some of them are archived.
    fn events(&self, after: Option<Seq>, limit: usize) -> Result<Answer<Events>, StoreError> {
        self.events_within(after, limit, usize::MAX)
    }

    /// The same, up to the event with which they have so many bytes together, as they are stored: what one who reads them has to
    /// hold.
    ///
    /// Errors: `events_archived` if some of them are archived.
    fn events_within(
        &self,
        after: Option<Seq>,
        limit: usize,
        bytes: usize,
    ) -> Result<Answer<Events>, StoreError>;

    /// The event at `seq`, be it in the log or in an archive; none if there is none yet.
    ///
    /// Errors: `archive_missing`.
    fn event(&self, seq: Seq) -> Result<Answer<Option<Record>>, StoreError>;

    /// How dynamic keys came and went after `after`, oldest first, be it in the log or in archives; none if that is
    /// more than [`MAX_ROWS`] events.
    ///
    /// Errors: `archive_missing`.
    fn key_changes(&self, after: Seq) -> Result<Answer<Option<Vec<Event>>>, StoreError>;

    /// The newest finding of each check for each partition, newest first: of those that the filter lets through, the ones
    /// whose partition, as a text, `fits`.
    fn checks(
        &self,
        filter: &CheckFilter,
        fits: &dyn Fn(&str) -> bool,
    ) -> Result<Answer<Listed<CheckRow>>, StoreError>;

    /// What each check of each dataset found last, in how many partitions. Of checks, as of jobs, there are as many as graphs had.
    fn check_counts(&self) -> Result<Answer<CheckCounts>, StoreError>;

    /// For each partition that holds this: how many checks did not pass it. Since it is there, those only warn.
    fn warnings(&self, held: &[Holding]) -> Result<Answer<Vec<u64>>, StoreError>;
}

/// An answer and the state of the log it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// Position of the newest event the answer knows of.
    pub last_seq: Seq,
    /// The answer.
    pub value: T,
}

/// A part of a list that begins with the newest.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed<T> {
    /// Its rows: as many as were asked for, or fewer though there are more.
    pub rows: Vec<T>,
    /// The list goes on with what is before this number; none if there is no more.
    pub next: Option<u64>,
}

/// Something that is in an archive.
#[derive(Debug, Clone, PartialEq)]
pub struct Filed<T> {
    /// It.
    pub value: T,
    /// The archive.
    pub file: PathBuf,
}

/// A run, and what checks found in what it made.
pub type RunWithChecks = (RunWithAttempts, Vec<CheckRow>);

/// Milliseconds and partitions of attempts, by job.
pub type Durations = BTreeMap<String, Vec<(f64, u64)>>;

/// Which wants, newest first unless it says otherwise.
#[derive(Debug, Clone, Default)]
pub struct WantFilter {
    /// Only those in this state.
    pub state: Option<WantState>,
    /// Only those that this program asked for.
    pub source: Option<String>,
    /// Only those before this one, in the order of the list: how it goes on.
    pub before: Option<WantId>,
    /// The oldest first.
    pub oldest_first: bool,
    /// At most so many, up to [`MAX_ROWS`].
    pub limit: usize,
}

/// Which runs, newest first unless it says otherwise.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only those of the job with any of these labels; of any job if there are none.
    pub jobs: Vec<String>,
    /// Only those in this state.
    pub state: Option<RunState>,
    /// Only those whose partitions are named so; whatever they are without it.
    pub of: Option<Named>,
    /// Only those before this one, in the order of the list: how it goes on.
    pub before: Option<RunId>,
    /// The oldest first.
    pub oldest_first: bool,
    /// At most so many, up to [`MAX_ROWS`].
    pub limit: usize,
}

/// In how many partitions a check found what, by its last look at each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// The data is as it should be.
    pub passed: u64,
    /// It is not.
    pub failed: u64,
    /// The check did not come to a result.
    pub error: u64,
}

impl Outcomes {
    /// Counts partitions of which the check said this.
    pub fn add(&mut self, outcome: CheckOutcome, partitions: u64) {
        match outcome {
            CheckOutcome::Passed => self.passed += partitions,
            CheckOutcome::Failed => self.failed += partitions,
            CheckOutcome::Error => self.error += partitions,
        }
    }
}

/// By the label of the check and the name of the dataset.
pub type CheckCounts = BTreeMap<(String, String), Outcomes>;

/// Which findings, newest first: of each check of each partition the newest.
#[derive(Debug, Clone, Default)]
pub struct CheckFilter {
    /// Only those of these partitions.
    pub of: CheckedSet,
    /// Only those of the check of this label.
    pub check: Option<String>,
    /// Only those that are not passed.
    pub failed: bool,
    /// Only those that came to this.
    pub outcome: Option<CheckOutcome>,
    /// Only those before this one: how a list goes on.
    pub before: Option<u64>,
    /// At most so many, up to [`MAX_ROWS`].
    pub limit: usize,
}

/// The partitions that findings are asked for.
#[derive(Debug, Clone, Default)]
pub enum CheckedSet {
    /// All.
    #[default]
    All,
    /// Those of the dataset of this name.
    Dataset(String),
    /// Those with these texts.
    Partitions(Vec<String>),
}

/// Counts for metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Wants by state.
    pub wants: BTreeMap<WantState, u64>,
    /// Runs by label of the job and state.
    pub runs: BTreeMap<(String, RunState), u64>,
}

/// Events of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Events {
    /// The last one that is archived; zero if none is.
    pub archived: Seq,
    /// They, in order.
    pub records: Vec<(Seq, Record)>,
}

/// What the events of a want say about its work, up to some event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantWork {
    /// All work that it waits for from an event on, as sets of jobs' first outputs. The first entry is its creation.
    pub said: Vec<(Seq, SetText)>,
    /// The event that ended it.
    pub ended: Option<Seq>,
    /// The last event that was looked at.
    pub until: Seq,
}
