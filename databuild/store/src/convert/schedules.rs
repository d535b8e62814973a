//! Events of schedules, both ways.

use super::form::{malformed, read, read_some, store_some, value, Stored};
use super::ConvertError;
use databuild_core::event::{ScheduleFired, SchedulePaused, ScheduleResumed, TicksSkipped};
use databuild_core::ids::WantId;
use databuild_core::word::Numbered as _;
use databuild_proto::protobuf::MessageField;
use databuild_proto::v1 as stored;
use jiff::Timestamp;

impl Stored for ScheduleFired {
    type Message = stored::ScheduleFired;
    const WHAT: &'static str = "a tick";

    fn store(&self) -> stored::ScheduleFired {
        let ScheduleFired { schedule, tick, want } = self;
        stored::ScheduleFired {
            schedule: schedule.clone(),
            tick: store_some(tick.as_ref()),
            want: want.0,
            ..Default::default()
        }
    }

    fn of_known(message: stored::ScheduleFired) -> Result<ScheduleFired, ConvertError> {
        let stored::ScheduleFired { schedule, tick, want, special_fields: _ } = message;
        Ok(ScheduleFired { schedule, tick: read_some(tick)?, want: WantId(want) })
    }
}

impl Stored for TicksSkipped {
    type Message = stored::TicksSkipped;
    const WHAT: &'static str = "skipped ticks";

    fn store(&self) -> stored::TicksSkipped {
        let TicksSkipped { schedule, first, last, count, reason, message } = self;
        stored::TicksSkipped {
            schedule: schedule.clone(),
            first: MessageField::some(first.store()),
            last: MessageField::some(last.store()),
            count: *count,
            reason: reason.number(),
            message: message.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::TicksSkipped) -> Result<TicksSkipped, ConvertError> {
        let stored::TicksSkipped { schedule, first, last, count, reason, message, special_fields: _ } =
            message;
        let (first, last) = (instant(first)?, instant(last)?);
        Ok(TicksSkipped { schedule, first, last, count, reason: value(reason)?, message })
    }
}

fn instant(field: MessageField<stored::Instant>) -> Result<Timestamp, ConvertError> {
    field.into_option().map(read).transpose()?.ok_or_else(|| malformed("has no tick"))
}

impl Stored for SchedulePaused {
    type Message = stored::SchedulePaused;
    const WHAT: &'static str = "the pause of a schedule";

    fn store(&self) -> stored::SchedulePaused {
        let SchedulePaused { schedule } = self;
        stored::SchedulePaused { schedule: schedule.clone(), ..Default::default() }
    }

    fn of_known(message: stored::SchedulePaused) -> Result<SchedulePaused, ConvertError> {
        let stored::SchedulePaused { schedule, special_fields: _ } = message;
        Ok(SchedulePaused { schedule })
    }
}

impl Stored for ScheduleResumed {
    type Message = stored::ScheduleResumed;
    const WHAT: &'static str = "the end of a schedule's pause";

    fn store(&self) -> stored::ScheduleResumed {
        let ScheduleResumed { schedule } = self;
        stored::ScheduleResumed { schedule: schedule.clone(), ..Default::default() }
    }

    fn of_known(message: stored::ScheduleResumed) -> Result<ScheduleResumed, ConvertError> {
        let stored::ScheduleResumed { schedule, special_fields: _ } = message;
        Ok(ScheduleResumed { schedule })
    }
}
