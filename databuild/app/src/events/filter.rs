//! Which events somebody asks for.

use super::about::{about, About, Subjects, Targets};
use crate::api::EventsQuery;
use crate::audience::Audience;
use crate::context::Backend;
use crate::store::History;
use crate::{filters, one_of, runs, wants, AppError};
use databuild_core::event::{Actor, Cause, Event, Record};
use databuild_core::graph::DatasetIx;
use databuild_core::ids::{RunId, Seq, WantId};
use databuild_core::partition_set::PartitionSet;
use databuild_core::reference::dataset_of;
use databuild_core::state::State;

macro_rules! kinds {
    ($($(#[doc = $meaning:literal])+ $variant:ident = $number:literal => $kind:literal,)+) => {
        /// Names of all kinds of events.
        pub const KINDS: &[&str] = &[$($kind),+];
    };
}

databuild_core::each_event!(kinds);

/// By what name people ask for what DataBuild did by itself.
const SYSTEM: &str = "system";

/// Which events somebody asks for: those that fit all of it. Without any part it lets all through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    want: Option<WantId>,
    run: Option<RunId>,
    /// Labels of a job, of now and before.
    jobs: Option<Vec<String>>,
    dataset: Option<String>,
    reference: Option<String>,
    kinds: Option<Vec<&'static str>>,
    actor: Option<String>,
    cause: Option<String>,
    /// Only what they may see.
    audience: Audience,
}

impl Filter {
    /// All that somebody may see.
    pub(super) fn for_audience(audience: &Audience) -> Filter {
        Filter { audience: audience.clone(), ..Filter::default() }
    }

    /// Whose events these are.
    #[must_use]
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// What a query asks for.
    ///
    /// # Errors
    /// An id that is none or that nothing has, a name that nothing has or had, an unknown kind, or relative keys that mean none.
    pub(super) fn parse(
        query: &EventsQuery,
        backend: &Backend,
        reader: &dyn History,
    ) -> Result<Filter, AppError> {
        let job = query.job.as_deref();
        // What is asked for while events come, too, are the keys of now.
        let state = &backend.engine.snapshot().state;
        let exact = |text: &str| state.in_exact_keys(text, crate::os::now());
        let kinds = query
            .kind
            .as_deref()
            .map(|kinds| kinds.split(',').map(|kind| one_of("kind", kind, KINDS)).collect());
        let want = query.want.as_deref().map(wants::parse).transpose()?;
        let run = query.run.as_deref().map(runs::parse).transpose()?;
        want.map_or(Ok(()), |want| filters::want(reader, want))?;
        run.map_or(Ok(()), |run| filters::run(reader, run))?;
        query.dataset.iter().try_for_each(|name| filters::dataset(state, reader, name))?;
        let reference = query.reference.as_deref().map(exact).transpose()?;
        reference.iter().try_for_each(|text| filters::reference(backend, reader, text))?;
        Ok(Filter {
            want,
            run,
            jobs: job.map(|job| runs::labels(backend, reader, job)).transpose()?,
            dataset: query.dataset.clone(),
            reference,
            kinds: kinds.transpose()?,
            actor: query.actor.clone(),
            cause: query.cause.clone(),
            audience: backend.audience.clone(),
        })
    }

    /// Whether it lets all through.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Filter::default()
    }

    /// The event before the first one that may fit, if the lists know.
    pub(super) fn before_first(&self, reader: &dyn History) -> Result<Seq, AppError> {
        let mut before = Seq(0);
        if let Some(run) = self.run.map(|run| reader.run(run)).transpose()?.and_then(|run| run.value) {
            before =
                run.attempts.first().map_or(before, |attempt| Seq(attempt.lease_seq.0.saturating_sub(1)));
        }
        if let Some(want) = self.want {
            let work = reader.work_of_want(want, None)?.value;
            before = before.max(work.said.first().map_or(before, |(seq, _)| Seq(seq.0.saturating_sub(1))));
        }
        Ok(before)
    }

    /// The same, with what references mean now.
    #[must_use]
    pub fn at<'a>(&'a self, state: &'a State) -> Matcher<'a> {
        let dataset = self.dataset.as_deref().map(|name| Wanted::dataset(state, name));
        let reference = self.reference.as_deref().map(|text| Wanted::reference(state, text));
        Matcher { filter: self, state, wanted: dataset.into_iter().chain(reference).collect() }
    }
}

/// A filter under a state.
pub struct Matcher<'a> {
    filter: &'a Filter,
    state: &'a State,
    wanted: Vec<Wanted>,
}

impl Matcher<'_> {
    /// Whether an event fits; `of` are the runs that it speaks of, as far as they are known.
    pub(super) fn fits(&self, record: &Record, subjects: &Subjects) -> bool {
        let Filter { want, run, jobs, dataset: _, reference: _, kinds, actor, cause: from, audience } =
            self.filter;
        let of = subjects.runs.as_slice();
        if kinds.as_ref().is_some_and(|kinds| !kinds.contains(&record.event.kind())) {
            return false;
        }
        let is_by = |name: &str| match &record.origin.actor {
            // As pages call it, too.
            Actor::System => name == SYSTEM || name.eq_ignore_ascii_case("databuild"),
            Actor::Person(by) | Actor::Token(by) => name == &**by,
        };
        if !actor.as_deref().is_none_or(is_by) {
            return false;
        }
        let cause = record.origin.cause.as_ref();
        if from.as_ref().is_some_and(|from| cause.is_none_or(|cause| cause.id() != *from)) {
            return false;
        }
        let about = about(&record.event);
        let has_want = |want: &WantId| about.wants.contains(want) || cause == Some(&Cause::Want(*want));
        let has_run = |run: &RunId| about.runs.contains(run) || cause == Some(&Cause::Run(*run));
        let has_job = |jobs: &Vec<String>| {
            let mut named = about.jobs.iter().copied().chain(of.iter().map(|run| &*run.job));
            named.any(|job| jobs.iter().any(|label| label == job))
        };
        let by_first_output =
            !of.is_empty() || matches!(record.event, Event::WorkCutOff(_) | Event::CodeAccepted(_));
        let has_data = |wanted: &Wanted| {
            let mut named = about.partitions.iter().copied().chain(of.iter().map(|run| &*run.partition));
            named.any(|text| wanted.fits(self.state, text, by_first_output))
        };
        want.as_ref().is_none_or(has_want)
            && run.as_ref().is_none_or(has_run)
            && jobs.as_ref().is_none_or(has_job)
            && self.wanted.iter().all(has_data)
            && (audience.sees_all() || is_seen(audience, self.state, &about, subjects))
    }
}

/// Whether an event is seen: it speaks of data, and of nothing that is not seen.
fn is_seen(audience: &Audience, state: &State, about: &About<'_>, subjects: &Subjects) -> bool {
    let Subjects { runs, wants } = subjects;
    let speaks = !about.partitions.is_empty() || !about.runs.is_empty() || !about.wants.is_empty();
    let sees_want = |targets: &Option<Targets>| {
        targets.as_ref().is_some_and(|targets| audience.sees_texts(state, targets.iter()))
    };
    speaks
        && runs.len() == about.runs.len()
        && about.partitions.iter().all(|text| audience.sees_text(state, text))
        && about.jobs.iter().all(|label| audience.sees_label(state, label))
        && runs.iter().all(|run| audience.sees_making(state, &run.partition))
        && wants.iter().all(sees_want)
}

/// Partitions that somebody asks for.
struct Wanted {
    own: Target,
    /// The same partitions of the first output of the job that makes them, which its runs are named after.
    home: Option<Target>,
}

/// Partitions of a dataset, under all names that it had.
struct Target {
    names: Vec<String>,
    /// Not all of them.
    some: Option<Part>,
}

/// Some of the partitions of a dataset.
enum Part {
    Of(DatasetIx, PartitionSet),
    /// The graph does not know them; their texts begin so.
    Begin(String),
}

impl Wanted {
    fn dataset(state: &State, name: &str) -> Wanted {
        let graph = state.followed().map(|registered| &registered.graph);
        let found =
            graph.and_then(|graph| graph.dataset_named(name).or_else(|| graph.dataset_once_named(name)));
        let Some((graph, ix)) = graph.zip(found) else {
            return Wanted { own: Target { names: vec![name.to_owned()], some: None }, home: None };
        };
        let home = graph.dataset(ix).producer.map(|job| graph.job(job).outputs[0]).filter(|home| *home != ix);
        let target = |ix| Target { names: state.names(ix), some: None };
        Wanted { own: target(ix), home: home.map(target) }
    }

    fn reference(state: &State, text: &str) -> Wanted {
        let graph = state.followed().map(|registered| &registered.graph);
        let located = graph.and_then(|graph| Some((graph, graph.locate_set(text, state.symbols())?)));
        let Some((graph, (ix, set))) = located else {
            let some = Some(Part::Begin(text.to_owned()));
            return Wanted { own: Target { names: vec![dataset_of(text).to_owned()], some }, home: None };
        };
        let home = graph.dataset(ix).producer.map(|job| graph.job(job).outputs[0]).filter(|home| *home != ix);
        let target =
            |ix, set: &PartitionSet| Target { names: state.names(ix), some: Some(Part::Of(ix, set.clone())) };
        Wanted { own: target(ix, &set), home: home.map(|home| target(home, &set)) }
    }

    fn fits(&self, state: &State, text: &str, by_first_output: bool) -> bool {
        let home = self.home.as_ref().filter(|_| by_first_output);
        self.own.fits(state, text) || home.is_some_and(|home| home.fits(state, text))
    }
}

impl Target {
    fn fits(&self, state: &State, text: &str) -> bool {
        let dataset = dataset_of(text);
        if !self.names.iter().any(|name| name == dataset) {
            return false;
        }
        match &self.some {
            None => true,
            Some(Part::Begin(beginning)) => text.starts_with(beginning.as_str()),
            Some(Part::Of(ix, wanted)) => {
                let graph = state.followed().map(|registered| &registered.graph);
                let located = graph.and_then(|graph| graph.locate_set(text, state.symbols()));
                located.is_some_and(|(of, set)| {
                    of == *ix && set.shape() == wanted.shape() && !set.intersect(wanted).is_empty()
                })
            }
        }
    }
}

#[cfg(test)]
impl Filter {
    pub(super) fn of_run(run: RunId) -> Filter {
        Filter { run: Some(run), ..Filter::default() }
    }

    pub(super) fn of_want(want: WantId) -> Filter {
        Filter { want: Some(want), ..Filter::default() }
    }

    pub(super) fn of_job(label: &str) -> Filter {
        Filter { jobs: Some(vec![label.to_owned()]), ..Filter::default() }
    }

    pub(super) fn of_cause(id: &str) -> Filter {
        Filter { cause: Some(id.to_owned()), ..Filter::default() }
    }

    pub(super) fn of_dataset(name: &str) -> Filter {
        Filter { dataset: Some(name.to_owned()), ..Filter::default() }
    }
}
