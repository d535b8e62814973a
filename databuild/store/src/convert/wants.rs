//! Events of wants and of their work, both ways.

use super::form::{read_all, read_some, store_all, store_some, value, Stored};
use super::parts::{read_instant, read_request_key, request_key, store_instant};
use super::ConvertError;
use databuild_core::event::{
    Blocked, WantCounts, WantCreated, WantEnded, WantPaused, WantReplanned, WantReprioritized, WantResumed,
    WorkAbandoned, WorkCutOff,
};
use databuild_core::ids::{PlanId, RunId, WantId};
use databuild_core::word::Numbered as _;
use databuild_proto::v1 as stored;

impl Stored for WantCreated {
    type Message = stored::WantCreated;
    const WHAT: &'static str = "a want";

    fn store(&self) -> stored::WantCreated {
        let WantCreated {
            want,
            targets,
            class,
            refresh,
            as_of,
            expires_at,
            due_at,
            comment,
            work,
            forced,
            successors,
            blocked,
            plan,
            parent,
            params,
            request,
            asked,
            written,
        } = self;
        let (request_key, request_digest) = request_key(request.as_ref());
        stored::WantCreated {
            want: want.0,
            targets: targets.clone(),
            class: class.number(),
            refresh: refresh.number(),
            as_of: store_instant(*as_of),
            expires_at: store_some(expires_at.as_ref()),
            due_at: store_some(due_at.as_ref()),
            comment: comment.clone(),
            work: work.clone(),
            forced: forced.clone(),
            successors: successors.clone(),
            blocked: store_all(blocked),
            plan: plan.map_or(0, |plan| plan.0),
            parent: parent.map_or(0, |run| run.0),
            params: params.clone(),
            request_key,
            request_digest,
            asked: asked.clone(),
            written: written.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::WantCreated) -> Result<WantCreated, ConvertError> {
        let stored::WantCreated {
            want,
            targets,
            class,
            refresh,
            as_of,
            expires_at,
            due_at,
            comment,
            source: _,
            work,
            forced,
            blocked,
            successors,
            plan,
            parent,
            params,
            request_key,
            request_digest,
            asked,
            written,
            special_fields: _,
        } = message;
        Ok(WantCreated {
            want: WantId(want),
            targets,
            class: value(class)?,
            refresh: value(refresh)?,
            as_of: read_instant(as_of)?,
            expires_at: read_some(expires_at)?,
            due_at: read_some(due_at)?,
            comment,
            work,
            forced,
            successors,
            blocked: read_all(blocked)?,
            plan: (plan != 0).then_some(PlanId(plan)),
            parent: (parent != 0).then_some(RunId(parent)),
            params,
            request: read_request_key(request_key, request_digest),
            asked,
            written,
        })
    }
}

impl Stored for Blocked {
    type Message = stored::Blocked;
    const WHAT: &'static str = "a blocked set";

    fn store(&self) -> stored::Blocked {
        let Blocked { partitions, reason } = self;
        stored::Blocked { partitions: partitions.clone(), reason: reason.clone(), ..Default::default() }
    }

    fn of_known(message: stored::Blocked) -> Result<Blocked, ConvertError> {
        let stored::Blocked { partitions, reason, special_fields: _ } = message;
        Ok(Blocked { partitions, reason })
    }
}

impl Stored for WantReplanned {
    type Message = stored::WantReplanned;
    const WHAT: &'static str = "a want's new plan";

    fn store(&self) -> stored::WantReplanned {
        let WantReplanned { want, work, successors, blocked, whole } = self;
        stored::WantReplanned {
            want: want.0,
            work: work.clone(),
            successors: successors.clone(),
            blocked: store_all(blocked),
            whole: *whole,
            ..Default::default()
        }
    }

    fn of_known(message: stored::WantReplanned) -> Result<WantReplanned, ConvertError> {
        let stored::WantReplanned { want, work, successors, blocked, whole, special_fields: _ } = message;
        Ok(WantReplanned { want: WantId(want), work, successors, blocked: read_all(blocked)?, whole })
    }
}

impl Stored for WantEnded {
    type Message = stored::WantEnded;
    const WHAT: &'static str = "a want's end";

    fn store(&self) -> stored::WantEnded {
        let WantEnded { want, outcome, causes, counts } = self;
        stored::WantEnded {
            want: want.0,
            outcome: outcome.number(),
            causes: causes.clone(),
            counts: store_some(counts.as_ref()),
            ..Default::default()
        }
    }

    fn of_known(message: stored::WantEnded) -> Result<WantEnded, ConvertError> {
        let stored::WantEnded { want, outcome, causes, counts, special_fields: _ } = message;
        let counts = read_some(counts)?;
        Ok(WantEnded { want: WantId(want), outcome: value(outcome)?, causes, counts })
    }
}

impl Stored for WantCounts {
    type Message = stored::WantCounts;
    const WHAT: &'static str = "how the partitions of a want ended";

    fn store(&self) -> stored::WantCounts {
        let WantCounts { built, unchanged, failed, skipped, canceled, impossible } = *self;
        let special_fields = Default::default();
        stored::WantCounts { built, unchanged, failed, skipped, canceled, impossible, special_fields }
    }

    fn of_known(message: stored::WantCounts) -> Result<WantCounts, ConvertError> {
        let stored::WantCounts { built, unchanged, failed, skipped, canceled, impossible, special_fields: _ } =
            message;
        Ok(WantCounts { built, unchanged, failed, skipped, canceled, impossible })
    }
}

impl Stored for WantPaused {
    type Message = stored::WantPaused;
    const WHAT: &'static str = "a want's pause";

    fn store(&self) -> stored::WantPaused {
        let WantPaused { want } = self;
        stored::WantPaused { want: want.0, ..Default::default() }
    }

    fn of_known(message: stored::WantPaused) -> Result<WantPaused, ConvertError> {
        let stored::WantPaused { want, special_fields: _ } = message;
        Ok(WantPaused { want: WantId(want) })
    }
}

impl Stored for WantResumed {
    type Message = stored::WantResumed;
    const WHAT: &'static str = "a want's resumption";

    fn store(&self) -> stored::WantResumed {
        let WantResumed { want } = self;
        stored::WantResumed { want: want.0, ..Default::default() }
    }

    fn of_known(message: stored::WantResumed) -> Result<WantResumed, ConvertError> {
        let stored::WantResumed { want, special_fields: _ } = message;
        Ok(WantResumed { want: WantId(want) })
    }
}

impl Stored for WantReprioritized {
    type Message = stored::WantReprioritized;
    const WHAT: &'static str = "a want's new class";

    fn store(&self) -> stored::WantReprioritized {
        let WantReprioritized { want, class } = self;
        stored::WantReprioritized { want: want.0, class: class.number(), ..Default::default() }
    }

    fn of_known(message: stored::WantReprioritized) -> Result<WantReprioritized, ConvertError> {
        let stored::WantReprioritized { want, class, special_fields: _ } = message;
        Ok(WantReprioritized { want: WantId(want), class: value(class)? })
    }
}

impl Stored for WorkCutOff {
    type Message = stored::WorkCutOff;
    const WHAT: &'static str = "work cut off";

    fn store(&self) -> stored::WorkCutOff {
        let WorkCutOff { partitions } = self;
        stored::WorkCutOff { partitions: partitions.clone(), ..Default::default() }
    }

    fn of_known(message: stored::WorkCutOff) -> Result<WorkCutOff, ConvertError> {
        let stored::WorkCutOff { partitions, special_fields: _ } = message;
        Ok(WorkCutOff { partitions })
    }
}

impl Stored for WorkAbandoned {
    type Message = stored::WorkAbandoned;
    const WHAT: &'static str = "abandoned work";

    fn store(&self) -> stored::WorkAbandoned {
        let WorkAbandoned { partitions, cause } = self;
        stored::WorkAbandoned { partitions: partitions.clone(), cause: cause.0, ..Default::default() }
    }

    fn of_known(message: stored::WorkAbandoned) -> Result<WorkAbandoned, ConvertError> {
        let stored::WorkAbandoned { partitions, cause, special_fields: _ } = message;
        Ok(WorkAbandoned { partitions, cause: RunId(cause) })
    }
}
