//! Trials of a checkpoint, both ways.

use crate::store::read::{self, known, malformed};
use crate::store::{write, ConvertError};
use databuild_core::ids::RunId;
use databuild_core::state::checkpoint::TrialDump;
use databuild_core::state::Arm;
use databuild_proto::protobuf::MessageField;
use databuild_proto::v1 as stored;

pub(super) fn trial_message(dump: TrialDump) -> stored::CheckpointTrial {
    let TrialDump { spec, created_at, graphs, arms, ended } = dump;
    let (ended_at, ended) = ended.map_or((None, None), |(at, ended)| (Some(at), Some(ended)));
    stored::CheckpointTrial {
        created_at: write::instant(created_at),
        spec: MessageField::some(write::trial_created(&spec)),
        graphs,
        arms: arms.into_iter().map(arm_message).collect(),
        ended_at: write::optional_instant(ended_at),
        ended: ended.map(|ended| write::trial_ended(&ended)).into(),
        special_fields: Default::default(),
    }
}

pub(super) fn trial_dump(message: stored::CheckpointTrial) -> Result<TrialDump, ConvertError> {
    known(&message, "a trial")?;
    let stored::CheckpointTrial { created_at, spec, graphs, arms, ended_at, ended, special_fields: _ } =
        message;
    let spec = spec.into_option().ok_or_else(|| malformed("has an empty trial"))?;
    let spec = read::trial_created(spec, |graph| {
        Err(malformed(format!("has a trial with a graph of its own ({})", graph.short())))
    })?;
    let ended = match (read::optional_instant(ended_at)?, ended.into_option()) {
        (None, None) => None,
        (Some(at), Some(ended)) => Some((at, read::trial_ended(ended)?)),
        _ => return Err(malformed("has a trial that is half over")),
    };
    let arms = arms.into_iter().map(arm_dump).collect::<Result<_, _>>()?;
    Ok(TrialDump { spec, created_at: read::instant(created_at)?, graphs, arms, ended })
}

fn arm_message(((sample, arm), what): ((u32, u32), Arm)) -> stored::CheckpointArm {
    let run = what.run().0;
    let (made, failed) = match what {
        Arm::Live { .. } => (None, None),
        Arm::Made { outputs, inputs, .. } => {
            let outputs = outputs.iter().map(write::output).collect();
            (Some(stored::CheckpointMade { outputs, inputs, special_fields: Default::default() }), None)
        }
        Arm::Failed { message, .. } => (None, Some(message)),
    };
    stored::CheckpointArm { sample, arm, run, made: made.into(), failed, special_fields: Default::default() }
}

fn arm_dump(message: stored::CheckpointArm) -> Result<((u32, u32), Arm), ConvertError> {
    known(&message, "an arm")?;
    let stored::CheckpointArm { sample, arm, run, made, failed, special_fields: _ } = message;
    let run = RunId(run);
    let what = match (made.into_option(), failed) {
        (None, None) => Arm::Live { run },
        (None, Some(message)) => Arm::Failed { run, message },
        (Some(made), None) => {
            known(&made, "what an arm made")?;
            let stored::CheckpointMade { outputs, inputs, special_fields: _ } = made;
            let outputs = outputs.into_iter().map(read::output).collect::<Result<_, _>>()?;
            Arm::Made { run, outputs, inputs }
        }
        (Some(_), Some(_)) => return Err(malformed("has an arm that made something and failed")),
    };
    Ok(((sample, arm), what))
}
