//! Schemas of what other layers declare, for the API's description of itself.

use super::{
    BlockReason, Cancel, DatasetOrder, ListOrder, LogFormat, NodeKind, PartitionOrder, PartitionState,
    PlanOrder, Turn,
};
use crate::errors::Kind;
use crate::os::EnvValue;
use databuild_core::word::Word;
use std::borrow::Cow;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A field with one of some words.
pub(super) fn word<W: Word>() -> ObjectBuilder {
    let words: Vec<&str> = W::ALL.iter().map(|value| value.word()).collect();
    let told = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
    told.description(Some(meanings::<W>()))
}

/// The same where it may be left out. A null is as good as nothing.
pub(super) fn word_or_none<W: Word>() -> ObjectBuilder {
    let words = W::ALL.iter().map(|value| Some(value.word())).chain([None]);
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    let told = ObjectBuilder::new().schema_type(types).enum_values(Some(words));
    told.description(Some(meanings::<W>()))
}

/// What a word means, as a list.
fn meanings<W: Word>() -> String {
    let lines: Vec<String> =
        W::ALL.iter().map(|value| format!("- `{}`: {}", value.word(), value.meaning())).collect();
    lines.join("\n")
}

/// Schemas of enums that are words.
macro_rules! word_schemas {
    ($($words:ty => $name:literal,)+) => {$(
        impl PartialSchema for $words {
            fn schema() -> RefOr<Schema> {
                word::<$words>().into()
            }
        }

        impl ToSchema for $words {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    )+};
}

word_schemas! {
    BlockReason => "BlockReason",
    Cancel => "Cancel",
    DatasetOrder => "DatasetOrder",
    Kind => "ErrorKind",
    ListOrder => "ListOrder",
    NodeKind => "NodeKind",
    PartitionOrder => "PartitionOrder",
    PartitionState => "PartitionState",
    Turn => "Turn",
    PlanOrder => "PlanOrder",
    LogFormat => "LogFormat",
}

impl PartialSchema for EnvValue {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let bytes = ObjectBuilder::new()
            .property("hex", ObjectBuilder::new().schema_type(Type::String).pattern(Some("^([0-9a-f]{2})*$")))
            .required("hex")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        let either = OneOfBuilder::new().item(text).item(bytes);
        either.description(Some("A text, or the bytes of what is no UTF-8.")).into()
    }
}

impl ToSchema for EnvValue {
    fn name() -> Cow<'static, str> {
        "EnvValue".into()
    }
}
