//! What a request names, held against what whoever asks may see; and answers to them.

use super::audience::named;
use super::context::{Backend, Context};
use super::error::AppError;
use super::veil::veil;
use super::{drawing, events, history, plans, runs, schedules, trials, wants};
use crate::store::History;
use databuild_core::decide::{job_called, Refusal};
use databuild_core::graph::DatasetIx;
use databuild_core::ids::{PlanId, RunId, TrialId, WantId};
use databuild_core::reference::{ReferenceError, ReferenceText};
use databuild_core::text::shown;
use std::collections::BTreeMap;

/// Something that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Partitions.
    Reference(String),
    /// A dataset.
    Dataset(String),
    /// A job.
    Job(String),
    /// A dataset, a job or a package, as drawings have them.
    Node(String),
    /// A dynamic key space.
    Space(String),
    /// A schedule.
    Schedule(String),
    /// A want.
    Want(String),
    /// A run.
    Run(String),
    /// A plan.
    Plan(String),
    /// A trial.
    Trial(String),
    /// An event.
    Event(String),
}

impl Subject {
    /// What a cause of events names, if it is no request.
    #[must_use]
    pub fn of_cause(id: String) -> Option<Subject> {
        match id {
            _ if id.parse::<WantId>().is_ok() => Some(Subject::Want(id)),
            _ if id.parse::<RunId>().is_ok() => Some(Subject::Run(id)),
            _ => None,
        }
    }
}

/// Says of what is not seen that it is not there.
///
/// # Errors
/// As if it were not there.
pub async fn check(context: &impl Context, subjects: Vec<Subject>) -> Result<(), AppError> {
    if context.backend().audience.sees_all() {
        return Ok(());
    }
    for subject in subjects {
        check_one(context, subject).await?;
    }
    Ok(())
}

async fn check_one(context: &impl Context, subject: Subject) -> Result<(), AppError> {
    let audience = &context.backend().audience;
    let state = &context.backend().engine.snapshot().state;
    let none = |name: &str| -> AppError {
        let names = state.followed().into_iter().flat_map(|registered| audience.names(&registered.graph));
        ReferenceError::unknown_dataset(name, names).into()
    };
    let is_seen = match &subject {
        Subject::Reference(text) => match ReferenceText::parse(text) {
            // Whoever reads it says what is wrong.
            Err(_) => true,
            Ok(reference) => {
                let found = named(state, &reference.dataset);
                let is_seen = found.is_some_and(|(graph, ix)| audience.sees_dataset(graph, ix));
                return if is_seen { Ok(()) } else { Err(none(&reference.dataset)) };
            }
        },
        Subject::Dataset(name) => {
            let is_seen = named(state, name).is_some_and(|(graph, ix)| audience.sees_dataset(graph, ix));
            return if is_seen { Ok(()) } else { Err(none(name)) };
        }
        Subject::Node(name) => {
            let Some(registered) = state.followed() else { return Ok(()) };
            let graph = &registered.graph;
            let is_job = graph.job_labeled(name).is_some_and(|job| audience.sees_job(graph, job));
            let is_package = || audience.names(graph).any(|known| drawing::is_in(known, name));
            let is_seen = is_job || audience.names(graph).any(|known| known == name) || is_package();
            return if is_seen { Ok(()) } else { Err(none(name)) };
        }
        Subject::Job(text) => {
            let Some(registered) = state.followed() else { return Ok(()) };
            let graph = &registered.graph;
            let job = job_called(graph, text).ok().or_else(|| graph.job_once_labeled(text));
            if !job.is_some_and(|job| audience.sees_job(graph, job)) {
                return Err(Refusal::UnknownJob(shown(text)).into());
            }
            true
        }
        Subject::Space(name) => {
            let Some(registered) = state.followed() else { return Ok(()) };
            let graph = &registered.graph;
            let spaces = graph.dynamic_spaces();
            let is_seen = |holders: &Vec<(DatasetIx, usize)>| {
                holders.iter().any(|(ix, _)| audience.sees_dataset(graph, *ix))
            };
            if !spaces.get(name.as_str()).is_some_and(is_seen) {
                let (name, count, near, some) = (shown(name), 0, Vec::new(), Vec::new());
                return Err(Refusal::UnknownKeySpace { name, count, near, some }.into());
            }
            true
        }
        Subject::Schedule(name) => return schedules::check(context, name),
        Subject::Plan(id) => {
            let plan = plans::parse(id)?;
            state.plans().get(&plan).is_some_and(|saved| audience.sees_texts(state, &saved.plan.targets))
        }
        Subject::Trial(id) => {
            let trial = trials::parse(id)?;
            state.trials().get(&trial).is_some_and(|trial| audience.sees_label(state, &trial.spec.job))
        }
        Subject::Event(seq) => return events::get(context, seq).await.map(drop),
        Subject::Want(id) => {
            let want = wants::parse(id)?;
            context.quick(move |backend, reader| sees_want(backend, reader, want)).await?
        }
        Subject::Run(id) => {
            let run = runs::parse(id)?;
            context.quick(move |backend, reader| sees_run(backend, reader, run)).await?
        }
    };
    if is_seen {
        return Ok(());
    }
    Err(match &subject {
        Subject::Want(id) => AppError::not_found("want_not_found", "want", wants::parse(id)?),
        Subject::Run(id) => AppError::not_found("run_not_found", "run", runs::parse(id)?),
        Subject::Plan(id) => AppError::not_found("plan_not_found", "plan", plans::parse(id)?),
        Subject::Trial(id) => AppError::not_found("trial_not_found", "trial", trials::parse(id)?),
        other => AppError::new("not_found", format!("there is no {other:?}")),
    })
}

fn sees_want(backend: &Backend, reader: &dyn History, id: WantId) -> Result<bool, AppError> {
    let want = history::want(reader, id)?.value;
    Ok(backend.audience.sees_texts(&backend.engine.snapshot().state, &want.targets))
}

fn sees_run(backend: &Backend, reader: &dyn History, id: RunId) -> Result<bool, AppError> {
    // What checks found is not needed, and a page of a list has many ids.
    let run = match reader.run(id)?.value {
        Some(found) => found.run,
        None => history::run(reader, id)?.value.0.run,
    };
    Ok(backend.audience.sees_making(&backend.engine.snapshot().state, &run.partition))
}

/// An answer as whoever asks may read it. Blocking: looks ids up.
#[must_use]
pub fn veiled(backend: &Backend, reader: &dyn History, answer: serde_json::Value) -> serde_json::Value {
    let state = &backend.engine.snapshot().state;
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    let mut ids = |id: &str| *known.entry(id.to_owned()).or_insert_with(|| sees_id(backend, reader, id));
    veil(&backend.audience, state, &mut ids, answer)
}

/// Whether the want, run, attempt, plan or trial of an id is seen. What cannot be looked up is not.
fn sees_id(backend: &Backend, reader: &dyn History, id: &str) -> bool {
    let (audience, state) = (&backend.audience, &backend.engine.snapshot().state);
    let (id, _) = id.split_once('-').unwrap_or((id, ""));
    if let Ok(want) = id.parse() {
        return sees_want(backend, reader, want).unwrap_or(false);
    }
    if let Ok(run) = id.parse() {
        return sees_run(backend, reader, run).unwrap_or(false);
    }
    if let Some(plan) = id.parse::<PlanId>().ok().and_then(|plan| state.plans().get(&plan)) {
        return audience.sees_texts(state, &plan.plan.targets);
    }
    let trial = id.parse::<TrialId>().ok().and_then(|trial| state.trials().get(&trial));
    trial.is_some_and(|trial| audience.sees_label(state, &trial.spec.job))
}

#[cfg(test)]
mod tests {
    use super::super::audience::Audience;
    use super::super::why::tests::{chain, Workspace};

    #[test]
    fn what_is_made_is_seen_with_all_that_its_job_makes() {
        let workspace = Workspace::new(&chain("code"));
        let state = &workspace.core.state;
        let audience = Audience::of(&["text".to_owned()]);
        assert!(audience.sees_text(state, "text/name=a") && audience.sees_making(state, "text/name=a"));
        assert!(!audience.sees_text(state, "raw/name=a") && !audience.sees_making(state, "book"));
        let texts = |texts: &[&str]| {
            audience.sees_texts(state, &texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        };
        assert!(texts(&["text/name=a", "text"]) && !texts(&["text", "raw"]) && !texts(&[]));
    }
}
