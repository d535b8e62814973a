//! Tables and numbers of the file format.

/// Stands in the file's header and says that it is a build event log ("DBEL").
pub(super) const APPLICATION_ID: i64 = 0x4442_454c;

/// The newest format this program reads and writes; `user_version` in the file's header. Raised by any
/// change to [`LOG`] or to the events (rules in `proto/events.proto`).
///
/// A program that raises the number of an existing log copies the write-ahead log into the main file
/// right after it (`wal_checkpoint(TRUNCATE)`), so that an older program finds the number in the header
/// without touching anything.
pub(super) const FORMAT: i64 = 4;

/// The version of [`PROJECTIONS`] and of what is projected into them. Another number in the file only
/// means that they are made again.
pub(super) const PROJECTIONS_VERSION: i64 = 10;

/// The oldest version of lists that archives are read with: rows that moved there have been the same since.
pub(super) const OLDEST_ARCHIVED: i64 = 10;

/// Name in `meta` of the position up to which events are in archives; absent = none are.
pub(in super::super) const ARCHIVED: &str = "archived_until";
/// Name in `meta` of the position up to which nothing of what is in archives is left here.
pub(super) const PURGED: &str = "purged_until";

/// What must survive. [`super::sums`] says what the sum of an event is.
pub(super) const LOG: &str = "
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoints (
    seq INTEGER PRIMARY KEY,
    format INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Names of the tables in [`PROJECTIONS`], in an order in which they can be dropped.
pub(super) const PROJECTED_TABLES: [&str; 13] = [
    "attempts",
    "checks",
    "check_counts",
    "runs",
    "want_work",
    "wants",
    "materializations",
    "graphs",
    "trial_graphs",
    "taints",
    "key_changes",
    "run_ends",
    "want_ends",
];

/// The tables from which rows move to archives, with their keys. Attempts and checks go with their runs, the work of wants
/// with its want; what a person said of data is little, and stays.
pub(super) const MOVING_TABLES: [(&str, &[&str]); 5] = [
    ("runs", &["id"]),
    ("wants", &["id"]),
    ("materializations", &["partition", "seq"]),
    ("graphs", &["seq"]),
    ("trial_graphs", &["seq", "id"]),
];

/// The history lists. Times are microseconds since 1970. Numbers of 64 bits without sign are stored as
/// the signed number of the same bits.
///
/// `attempts` and `checks` refer to `runs`, as they go together when history is archived; `materializations` does
/// not, as it outlives the runs it came from. `ended_seq` is the event that ended a want or a run. `checks`
/// are numbered in the order of their findings; `newest` are those after which the check has not looked at the
/// partition again, of what is not archived.
/// `dataset` is what the text of the partitions begins with. `want_work` has the events that say what a want waits for, and
/// `key_changes` those by which dynamic keys come and go.
///
/// `run_ends` and `want_ends` count what is over, with all that is archived. `check_counts` counts the newest findings.
pub(super) const PROJECTIONS: &str = "
CREATE TABLE wants (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    class TEXT NOT NULL,
    refresh TEXT NOT NULL,
    targets TEXT NOT NULL,
    comment TEXT NOT NULL,
    source TEXT NOT NULL,
    by TEXT NOT NULL,
    as_of INTEGER NOT NULL,
    expires_at INTEGER,
    due_at INTEGER,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended_seq INTEGER,
    causes TEXT NOT NULL,
    plan INTEGER,
    paused INTEGER NOT NULL,
    params TEXT NOT NULL
) STRICT;
CREATE INDEX wants_by_state ON wants (state);
CREATE TABLE want_work (
    want INTEGER NOT NULL REFERENCES wants (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    PRIMARY KEY (want, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE want_ends (
    state TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    partition TEXT NOT NULL,
    dataset TEXT NOT NULL,
    partitions INTEGER NOT NULL,
    graph TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended_seq INTEGER,
    message TEXT NOT NULL,
    params TEXT NOT NULL,
    trial INTEGER
) STRICT;
CREATE INDEX runs_by_job ON runs (job);
CREATE INDEX runs_by_partition ON runs (partition);
CREATE INDEX runs_by_state ON runs (state);
CREATE INDEX runs_by_dataset ON runs (dataset, partitions > 1);
CREATE TABLE run_ends (
    job TEXT NOT NULL,
    state TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (job, state)
) STRICT, WITHOUT ROWID;
CREATE TABLE attempts (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    pid INTEGER,
    leased_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    exit_code INTEGER,
    wall_ms INTEGER,
    cpu_ms INTEGER,
    max_rss_kb INTEGER,
    message TEXT NOT NULL,
    inputs INTEGER NOT NULL,
    lease_seq INTEGER NOT NULL,
    returned BLOB,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE materializations (
    partition TEXT NOT NULL,
    seq INTEGER NOT NULL,
    run INTEGER,
    version TEXT NOT NULL,
    empty INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (partition, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX materializations_by_run ON materializations (run) WHERE run IS NOT NULL;
CREATE TABLE graphs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    sources TEXT NOT NULL,
    inherited TEXT NOT NULL
) STRICT;
CREATE INDEX graphs_by_id ON graphs (id);
CREATE TABLE checks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    partition TEXT NOT NULL,
    dataset TEXT NOT NULL,
    name TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    blocking INTEGER NOT NULL,
    message TEXT NOT NULL,
    metadata TEXT NOT NULL,
    at INTEGER NOT NULL,
    newest INTEGER NOT NULL
) STRICT;
CREATE INDEX checks_by_partition ON checks (partition, name);
CREATE INDEX checks_newest ON checks (dataset) WHERE newest = 1;
CREATE INDEX checks_not_passed ON checks (newest) WHERE newest = 1 AND outcome <> 'passed';
CREATE INDEX checks_not_passed_of ON checks (dataset) WHERE newest = 1 AND outcome <> 'passed';
CREATE INDEX checks_by_run ON checks (run);
CREATE TABLE check_counts (
    name TEXT NOT NULL,
    dataset TEXT NOT NULL,
    outcome TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (name, dataset, outcome)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER checks_added AFTER INSERT ON checks WHEN new.newest = 1 BEGIN
    INSERT INTO check_counts (name, dataset, outcome, count) VALUES (new.name, new.dataset, new.outcome, 1)
    ON CONFLICT (name, dataset, outcome) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER checks_replaced AFTER UPDATE OF newest ON checks WHEN old.newest <> new.newest BEGIN
    INSERT INTO check_counts (name, dataset, outcome, count)
    VALUES (new.name, new.dataset, new.outcome, new.newest - old.newest)
    ON CONFLICT (name, dataset, outcome) DO UPDATE SET count = count + excluded.count;
    DELETE FROM check_counts
    WHERE name = new.name AND dataset = new.dataset AND outcome = new.outcome AND count = 0;
END;
CREATE TRIGGER checks_removed AFTER DELETE ON checks WHEN old.newest = 1 BEGIN
    UPDATE check_counts SET count = count - 1
    WHERE name = old.name AND dataset = old.dataset AND outcome = old.outcome;
    DELETE FROM check_counts
    WHERE name = old.name AND dataset = old.dataset AND outcome = old.outcome AND count = 0;
    UPDATE checks SET newest = 1
    WHERE id = (SELECT max(id) FROM checks WHERE partition = old.partition AND name = old.name);
END;
CREATE TABLE trial_graphs (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (seq, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE key_changes (
    seq INTEGER PRIMARY KEY,
    space TEXT NOT NULL
) STRICT;
CREATE TABLE taints (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    partitions TEXT NOT NULL,
    reason TEXT NOT NULL,
    by TEXT NOT NULL
) STRICT;
";
