//! Schedules of a graph, and what a new one may declare.

use super::file::{GraphFile, ScheduleEntry};
use super::limits::name_of;
use super::problem::{GraphProblem, ProblemCode as Code, Problems};
use super::schedule::{Missed, Schedule};
use super::{Dataset, DatasetIx, Graph};
use crate::amounts::as_declared;
use crate::priority::PriorityClass;
use crate::reference::{ReferenceError, ReferenceText};
use crate::schedule::Timing;
use crate::time::Zone;
use crate::word::Word as _;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// If nothing else is declared: ticks of the last day are made up for.
const MISSED_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// Longest time by which ticks are put off.
const LONGEST_JITTER: Duration = Duration::from_secs(24 * 3600);
/// Longest time for which ticks are made up for.
const LONGEST_WITHIN: Duration = Duration::from_secs(366 * 24 * 3600);

impl Graph {
    /// All schedules, by name.
    pub fn schedules(&self) -> impl ExactSizeIterator<Item = &Schedule> {
        self.schedules.values()
    }

    /// The schedule of this name.
    #[must_use]
    pub fn schedule(&self, name: &str) -> Option<&Schedule> {
        self.schedules.get(name)
    }
}

/// Schedules of the file, without those that cannot be.
pub(super) fn resolve_schedules(
    file: &GraphFile,
    datasets: &[Dataset],
    by_name: &HashMap<String, DatasetIx>,
    problems: &mut Problems,
) -> BTreeMap<Arc<str>, Schedule> {
    let mut schedules = BTreeMap::new();
    for entry in &file.schedules {
        if schedules.contains_key(name_of(&entry.label).as_str()) {
            let message = format!("schedule `{}` is listed twice", entry.label);
            problems.block(GraphProblem::new(
                Code::BadSchedule,
                &entry.label,
                message,
                "list it once in the graph",
            ));
            continue;
        }
        check_targets(entry, datasets, by_name, problems);
        let schedule = resolve(entry, problems);
        schedules.extend(schedule.map(|schedule| (Arc::clone(&schedule.name), schedule)));
    }
    schedules
}

fn resolve(entry: &ScheduleEntry, problems: &mut Problems) -> Option<Schedule> {
    let before = problems.len();
    let bad = |message: String, help: &str| GraphProblem::new(Code::BadSchedule, &entry.label, message, help);
    let zone_name = entry.time_zone.as_deref().unwrap_or("UTC");
    let zone = Zone::named(zone_name).unwrap_or_else(|| {
        problems.block(GraphProblem::new(
            Code::UnknownTimezone,
            &entry.label,
            format!("`{zone_name}` is no time zone"),
            "use a name of the IANA time zone database, such as `Europe/Berlin`",
        ));
        Zone::utc()
    });
    let until = entry.until.as_deref().and_then(|text| {
        let read = text.parse::<Timestamp>().ok();
        if read.is_none() {
            problems.block(bad(
                format!("until = \"{text}\" is no instant"),
                "write date, time and offset, such as \"2027-01-01T00:00:00Z\"",
            ));
        }
        read
    });
    let (timing, when) = match (&entry.cron, entry.every_ms) {
        (Some(cron), None) => {
            (Timing::cron(cron, zone.clone()), format!("cron \"{cron}\" in {}", zone.name()))
        }
        (None, Some(every)) => {
            (Timing::every(Duration::from_millis(every)), format!("every {}", as_declared(every)))
        }
        _ => {
            problems.block(bad("it has not one of `cron` and `every`".into(), "give it one of them"));
            return None;
        }
    };
    let timing = match timing {
        Ok(timing) => timing.until(until),
        Err(error) => {
            problems.block(bad(error.to_string(), "docs/rules.md says what a cron may have"));
            return None;
        }
    };
    let when = match until {
        Some(until) => format!("{when} until {until}"),
        None => when,
    };
    let class = PriorityClass::of_word(&entry.class);
    if class.is_none() {
        problems.block(bad(PriorityClass::unknown(&entry.class), "leave it out for `interactive`"));
    }
    let missed = Missed::of_word(&entry.missed);
    if missed.is_none() {
        problems.block(bad(Missed::unknown(&entry.missed), "leave it out for `all`"));
    }
    let jitter = Duration::from_millis(entry.jitter_ms);
    if jitter > LONGEST_JITTER {
        problems.rule(bad("its jitter is longer than a day".into(), "write at most \"24h\""));
    }
    let missed_within = entry.missed_within_ms.map_or(MISSED_WITHIN, Duration::from_millis);
    if missed_within > LONGEST_WITHIN {
        problems.rule(bad("missed_within is longer than 366 days".into(), "write at most \"366d\""));
    }
    if entry.times == Some(0) {
        problems.rule(bad("times = 0 never fires".into(), "write a number of at least 1, or leave it out"));
    }
    let (class, missed) = (class?, missed?);
    (problems.len() == before).then(|| Schedule {
        label: entry.label.clone(),
        name: name_of(&entry.label).into(),
        timing,
        when,
        zone,
        targets: entry.targets.clone(),
        class,
        jitter,
        missed,
        missed_within,
        times: entry.times,
    })
}

/// What can be said of targets while the clock is unknown: their datasets and dimensions.
fn check_targets(
    entry: &ScheduleEntry,
    datasets: &[Dataset],
    by_name: &HashMap<String, DatasetIx>,
    problems: &mut Problems,
) {
    let mut problem = |code, message: String, help: &str| {
        problems.rule(GraphProblem::new(code, &entry.label, message, help))
    };
    if entry.targets.is_empty() {
        problem(Code::BadSchedule, "it has no targets".into(), "name at least one dataset in `targets`");
    }
    for text in &entry.targets {
        let reference = match ReferenceText::parse(text) {
            Ok(reference) => reference,
            Err(error) => {
                let help = "write a reference as on the command line, such as \"report/date=latest\"";
                problem(Code::BadSchedule, format!("target `{text}`: {error}"), help);
                continue;
            }
        };
        let Some(ix) = by_name.get(&reference.dataset) else {
            let known = datasets.iter().map(|dataset| dataset.name.as_str());
            let error = ReferenceError::unknown_dataset(&reference.dataset, known);
            let help = "name a dataset that a job of this graph makes or reads";
            problem(Code::UnknownDataset, format!("target `{text}`: {error}"), help);
            continue;
        };
        let dims = &datasets[ix.0].dims;
        for (dim, _) in reference.dims.iter().filter(|(dim, _)| !dims.contains(dim)) {
            let message = format!("target `{text}`: `{}` has no dimension `{dim}`", reference.dataset);
            let help = match dims.as_slice() {
                [] => "it has no dimensions; name it alone".to_owned(),
                dims => format!("it has {}", dims.join(", ")),
            };
            problem(Code::UnknownDimension, message, &help);
        }
    }
}
