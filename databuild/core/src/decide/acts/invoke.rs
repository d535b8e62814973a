//! A job that is invoked by hand: a want for partitions of that one job, whatever their state, that may say with
//! which values of parameters they are made.

use crate::decide::acts::want::create_with;
use crate::decide::messages::input::{InvokeRequest, WantRequest};
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::sightings::Sightings;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::decide::queries::targets::{instant, repeated, resolve_targets};
use crate::event::Refresh;
use crate::graph::{value_fault, Graph, JobIx, Params};

/// The job that a text means.
///
/// # Errors
/// There is none, or several, or that was its label once.
pub fn job_called(graph: &Graph, text: &str) -> Result<JobIx, Refusal> {
    match graph.jobs_called(text).as_slice() {
        [one] => Ok(*one),
        [] => Err(match graph.job_once_labeled(text) {
            Some(job) => Refusal::JobMoved { from: text.to_owned(), to: graph.job(job).label.clone() },
            None => Refusal::UnknownJob(crate::text::shown(text)),
        }),
        several => {
            let mut jobs: Vec<_> = several.iter().map(|job| graph.job(*job).label.clone()).collect();
            jobs.sort_unstable();
            Err(Refusal::AmbiguousJob { text: text.to_owned(), jobs })
        }
    }
}

pub(crate) fn invoke(out: &mut Out, request: InvokeRequest, sightings: &Sightings) -> Result<Reply, Refusal> {
    if let Some(made) = repeated(out.state, request.want.key.as_ref(), out.now)? {
        return Ok(Reply::Repeated(made));
    }
    let registered = out.state.followed().cloned().ok_or(Refusal::NoGraph)?;
    let graph = &registered.graph;
    let job = job_called(graph, &request.job)?;
    check(graph, job, &request.params)?;
    let as_of = instant(out.now, request.want.as_of);
    for (dataset, _) in resolve_targets(out.state, &request.want.targets, as_of)? {
        if graph.dataset(dataset).producer != Some(job) {
            let (job, dataset) = (graph.job(job).label.clone(), graph.dataset(dataset).name.clone());
            return Err(Refusal::NotOfJob { job, dataset });
        }
    }
    let request_of_want = WantRequest { refresh: Refresh::All, ..request.want };
    create_with(out, request_of_want, request.params, sightings)
}

fn check(graph: &Graph, job: JobIx, params: &Params) -> Result<(), Refusal> {
    let job = graph.job(job);
    for (name, value) in params {
        if !job.params.contains_key(name) {
            let known = job.params.keys().cloned().collect();
            return Err(Refusal::UnknownParam { job: job.label.clone(), name: name.clone(), known });
        }
        if let Some(fault) = value_fault(value) {
            return Err(Refusal::BadParam { name: name.clone(), fault });
        }
    }
    Ok(())
}
