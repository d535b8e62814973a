//! Events of plans that are kept, both ways.

use super::form::{read_all, store_all, value, Stored};
use super::parts::{read_instant, read_request_key, request_key, store_instant};
use super::ConvertError;
use databuild_core::event::{DatasetGround, Grounds, JobGround, PlanCreated, PlanRow, PlansDropped};
use databuild_core::ids::{GraphId, PlanId};
use databuild_core::word::Numbered as _;
use databuild_proto::v1 as stored;

impl Stored for PlanCreated {
    type Message = stored::PlanCreated;
    const WHAT: &'static str = "a plan";

    fn store(&self) -> stored::PlanCreated {
        let PlanCreated { plan, graph, targets, refresh, as_of, expires_at, rows, current, grounds, request } =
            self;
        let (request_key, request_digest) = request_key(request.as_ref());
        let Grounds { jobs, datasets } = grounds;
        stored::PlanCreated {
            plan: plan.0,
            graph: graph.0.clone(),
            targets: targets.clone(),
            refresh: refresh.number(),
            as_of: store_instant(*as_of),
            expires_at: store_instant(*expires_at),
            rows: store_all(rows),
            current: *current,
            jobs: store_all(jobs),
            datasets: store_all(datasets),
            request_key,
            request_digest,
            ..Default::default()
        }
    }

    fn of_known(message: stored::PlanCreated) -> Result<PlanCreated, ConvertError> {
        let stored::PlanCreated {
            plan,
            graph,
            targets,
            refresh,
            as_of,
            expires_at,
            rows,
            current,
            jobs,
            datasets,
            request_key,
            request_digest,
            special_fields: _,
        } = message;
        Ok(PlanCreated {
            plan: PlanId(plan),
            graph: GraphId(graph),
            targets,
            refresh: value(refresh)?,
            as_of: read_instant(as_of)?,
            expires_at: read_instant(expires_at)?,
            rows: read_all(rows)?,
            current,
            grounds: Grounds { jobs: read_all(jobs)?, datasets: read_all(datasets)? },
            request: read_request_key(request_key, request_digest),
        })
    }
}

impl Stored for PlanRow {
    type Message = stored::PlanRow;
    const WHAT: &'static str = "a row of a plan";

    fn store(&self) -> stored::PlanRow {
        let PlanRow { job, kind, reason, message, count, partitions } = self;
        stored::PlanRow {
            job: job.clone(),
            kind: kind.number(),
            reason: reason.clone(),
            message: message.clone(),
            count: *count,
            partitions: partitions.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::PlanRow) -> Result<PlanRow, ConvertError> {
        let stored::PlanRow { job, kind, reason, message, count, partitions, special_fields: _ } = message;
        Ok(PlanRow { job, kind: value(kind)?, reason, message, count, partitions })
    }
}

impl Stored for JobGround {
    type Message = stored::JobGround;
    const WHAT: &'static str = "a job of a plan";

    fn store(&self) -> stored::JobGround {
        let JobGround { job, digest } = self;
        stored::JobGround { job: job.clone(), digest: *digest, ..Default::default() }
    }

    fn of_known(message: stored::JobGround) -> Result<JobGround, ConvertError> {
        let stored::JobGround { job, digest, special_fields: _ } = message;
        Ok(JobGround { job, digest })
    }
}

impl Stored for DatasetGround {
    type Message = stored::DatasetGround;
    const WHAT: &'static str = "a dataset of a plan";

    fn store(&self) -> stored::DatasetGround {
        let DatasetGround { dataset, partitions, digests } = self;
        stored::DatasetGround {
            dataset: dataset.clone(),
            partitions: *partitions,
            digests: digests.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::DatasetGround) -> Result<DatasetGround, ConvertError> {
        let stored::DatasetGround { dataset, partitions, digests, special_fields: _ } = message;
        Ok(DatasetGround { dataset, partitions, digests })
    }
}

impl Stored for PlansDropped {
    type Message = stored::PlansDropped;
    const WHAT: &'static str = "dropped plans";

    fn store(&self) -> stored::PlansDropped {
        let PlansDropped { plans } = self;
        stored::PlansDropped { plans: plans.iter().map(|plan| plan.0).collect(), ..Default::default() }
    }

    fn of_known(message: stored::PlansDropped) -> Result<PlansDropped, ConvertError> {
        let stored::PlansDropped { plans, special_fields: _ } = message;
        Ok(PlansDropped { plans: plans.into_iter().map(PlanId).collect() })
    }
}
