//! The part of a checkpoint that grows with the data: datasets, their entries, and sets.

use crate::store::read::{known, known_value};
use crate::store::ConvertError;
use databuild_core::ids::Seq;
use databuild_core::partition_set::Axis;
use databuild_core::state::checkpoint::{DatasetDump, EntryColumns, SetColumns};
use databuild_core::state::Alias;
use databuild_core::time::{Granularity, Zone};
use databuild_proto::protobuf::{EnumOrUnknown, MessageField};
use databuild_proto::v1 as stored;
use databuild_proto::v1::CheckpointGranularity as StoredGranularity;

pub(super) fn set_message(columns: SetColumns) -> MessageField<stored::CheckpointSet> {
    let SetColumns { tuples, counts, runs } = columns;
    if counts.is_empty() {
        return MessageField::none();
    }
    MessageField::some(stored::CheckpointSet { tuples, counts, runs, special_fields: Default::default() })
}

pub(super) fn set_dump(field: MessageField<stored::CheckpointSet>) -> Result<SetColumns, ConvertError> {
    let Some(message) = field.into_option() else {
        return Ok(SetColumns::default());
    };
    known(&message, "a set")?;
    let stored::CheckpointSet { tuples, counts, runs, special_fields: _ } = message;
    Ok(SetColumns { tuples, counts, runs })
}

pub(super) fn indexed_message((index, set): (u32, SetColumns)) -> stored::CheckpointIndexedSet {
    stored::CheckpointIndexedSet { index, set: set_message(set), special_fields: Default::default() }
}

pub(super) fn indexed_dump(message: stored::CheckpointIndexedSet) -> Result<(u32, SetColumns), ConvertError> {
    known(&message, "an indexed set")?;
    let stored::CheckpointIndexedSet { index, set, special_fields: _ } = message;
    Ok((index, set_dump(set)?))
}

pub(super) fn marked_message((seq, set): (Seq, SetColumns)) -> stored::CheckpointMarkedSet {
    stored::CheckpointMarkedSet { seq: seq.0, set: set_message(set), special_fields: Default::default() }
}

pub(super) fn marked_dump(message: stored::CheckpointMarkedSet) -> Result<(Seq, SetColumns), ConvertError> {
    known(&message, "a marked set")?;
    let stored::CheckpointMarkedSet { seq, set, special_fields: _ } = message;
    Ok((Seq(seq), set_dump(set)?))
}

fn accepted_message((seq, index, set): (Seq, u32, SetColumns)) -> stored::CheckpointAccepted {
    stored::CheckpointAccepted {
        seq: seq.0,
        index,
        set: set_message(set),
        special_fields: Default::default(),
    }
}

fn accepted_dump(message: stored::CheckpointAccepted) -> Result<(Seq, u32, SetColumns), ConvertError> {
    known(&message, "an accepted set")?;
    let stored::CheckpointAccepted { seq, index, set, special_fields: _ } = message;
    Ok((Seq(seq), index, set_dump(set)?))
}

fn discovered_message((keys, inputs): (Vec<u32>, Vec<String>)) -> stored::CheckpointDiscovered {
    stored::CheckpointDiscovered { keys, inputs, special_fields: Default::default() }
}

fn discovered_dump(message: stored::CheckpointDiscovered) -> Result<(Vec<u32>, Vec<String>), ConvertError> {
    known(&message, "discovered inputs")?;
    let stored::CheckpointDiscovered { keys, inputs, special_fields: _ } = message;
    Ok((keys, inputs))
}

fn alias_message(alias: Alias) -> stored::CheckpointAlias {
    let Alias { dataset, dims } = alias;
    stored::CheckpointAlias { dataset, dims, special_fields: Default::default() }
}

fn alias_dump(message: stored::CheckpointAlias) -> Result<Alias, ConvertError> {
    known(&message, "an earlier name")?;
    let stored::CheckpointAlias { dataset, dims, special_fields: _ } = message;
    Ok(Alias { dataset, dims })
}

fn entries_message(columns: EntryColumns) -> MessageField<stored::CheckpointEntries> {
    let EntryColumns { keys, versions, inputs, marks } = columns;
    if versions.is_empty() {
        return MessageField::none();
    }
    MessageField::some(stored::CheckpointEntries {
        keys: set_message(keys),
        versions,
        inputs,
        marks,
        special_fields: Default::default(),
    })
}

fn entries_dump(field: MessageField<stored::CheckpointEntries>) -> Result<EntryColumns, ConvertError> {
    let Some(message) = field.into_option() else {
        return Ok(EntryColumns::default());
    };
    known(&message, "entries")?;
    let stored::CheckpointEntries { keys, versions, inputs, marks, special_fields: _ } = message;
    Ok(EntryColumns { keys: set_dump(keys)?, versions, inputs, marks })
}

fn axis_message(axis: Axis) -> stored::CheckpointAxis {
    let Axis { name, calendar } = axis;
    let (granularity, timezone) = match calendar {
        None => (StoredGranularity::CHECKPOINT_GRANULARITY_UNSPECIFIED, String::new()),
        Some((granularity, zone)) => (granularity_message(granularity), zone.name().to_owned()),
    };
    stored::CheckpointAxis {
        name,
        granularity: EnumOrUnknown::new(granularity),
        timezone,
        special_fields: Default::default(),
    }
}

fn granularity_message(granularity: Granularity) -> StoredGranularity {
    match granularity {
        Granularity::Hour => StoredGranularity::CHECKPOINT_GRANULARITY_HOUR,
        Granularity::Day => StoredGranularity::CHECKPOINT_GRANULARITY_DAY,
        Granularity::Week => StoredGranularity::CHECKPOINT_GRANULARITY_WEEK,
        Granularity::Month => StoredGranularity::CHECKPOINT_GRANULARITY_MONTH,
        Granularity::Year => StoredGranularity::CHECKPOINT_GRANULARITY_YEAR,
    }
}

fn axis_dump(message: stored::CheckpointAxis) -> Result<Axis, ConvertError> {
    known(&message, "an axis")?;
    let stored::CheckpointAxis { name, granularity, timezone, special_fields: _ } = message;
    let granularity = match known_value(granularity, "granularity")? {
        StoredGranularity::CHECKPOINT_GRANULARITY_UNSPECIFIED => return Ok(Axis { name, calendar: None }),
        StoredGranularity::CHECKPOINT_GRANULARITY_HOUR => Granularity::Hour,
        StoredGranularity::CHECKPOINT_GRANULARITY_DAY => Granularity::Day,
        StoredGranularity::CHECKPOINT_GRANULARITY_WEEK => Granularity::Week,
        StoredGranularity::CHECKPOINT_GRANULARITY_MONTH => Granularity::Month,
        StoredGranularity::CHECKPOINT_GRANULARITY_YEAR => Granularity::Year,
    };
    let zone = Zone::named(&timezone)
        .ok_or_else(|| ConvertError::NewerFormat { what: format!("the time zone `{timezone}`") })?;
    Ok(Axis { name, calendar: Some((granularity, zone)) })
}

pub(super) fn dataset_message(dump: DatasetDump) -> stored::CheckpointDataset {
    let DatasetDump {
        name,
        axes,
        entries,
        present,
        empty,
        made_by,
        suspect,
        inputs_changed,
        altered,
        vanished,
        failed,
        failed_by,
        tainted,
        follows,
        spoiled,
        adopted,
        accepted,
        discovered,
        aliases,
    } = dump;
    stored::CheckpointDataset {
        name,
        axes: axes.into_iter().map(axis_message).collect(),
        entries: entries_message(entries),
        present: set_message(present),
        empty: set_message(empty),
        made_by: made_by.into_iter().map(indexed_message).collect(),
        suspect: set_message(suspect),
        inputs_changed: set_message(inputs_changed),
        altered: set_message(altered),
        vanished: set_message(vanished),
        failed: set_message(failed),
        failed_by: failed_by.into_iter().map(indexed_message).collect(),
        tainted: tainted.into_iter().map(marked_message).collect(),
        follows: follows.into_iter().map(marked_message).collect(),
        spoiled: set_message(spoiled),
        discovered: discovered.into_iter().map(discovered_message).collect(),
        aliases: aliases.into_iter().map(alias_message).collect(),
        adopted: set_message(adopted),
        accepted: accepted.into_iter().map(accepted_message).collect(),
        special_fields: Default::default(),
    }
}

pub(super) fn dataset_dump(message: stored::CheckpointDataset) -> Result<DatasetDump, ConvertError> {
    known(&message, "a dataset")?;
    let stored::CheckpointDataset {
        name,
        axes,
        entries,
        present,
        empty,
        made_by,
        suspect,
        inputs_changed,
        altered,
        vanished,
        failed,
        failed_by,
        tainted,
        follows,
        spoiled,
        adopted,
        accepted,
        discovered,
        aliases,
        special_fields: _,
    } = message;
    Ok(DatasetDump {
        name,
        axes: axes.into_iter().map(axis_dump).collect::<Result<_, _>>()?,
        entries: entries_dump(entries)?,
        present: set_dump(present)?,
        empty: set_dump(empty)?,
        made_by: made_by.into_iter().map(indexed_dump).collect::<Result<_, _>>()?,
        suspect: set_dump(suspect)?,
        inputs_changed: set_dump(inputs_changed)?,
        altered: set_dump(altered)?,
        vanished: set_dump(vanished)?,
        failed: set_dump(failed)?,
        failed_by: failed_by.into_iter().map(indexed_dump).collect::<Result<_, _>>()?,
        tainted: tainted.into_iter().map(marked_dump).collect::<Result<_, _>>()?,
        follows: follows.into_iter().map(marked_dump).collect::<Result<_, _>>()?,
        spoiled: set_dump(spoiled)?,
        discovered: discovered.into_iter().map(discovered_dump).collect::<Result<_, _>>()?,
        aliases: aliases.into_iter().map(alias_dump).collect::<Result<_, _>>()?,
        adopted: set_dump(adopted)?,
        accepted: accepted.into_iter().map(accepted_dump).collect::<Result<_, _>>()?,
    })
}
