// @generated

pub mod checkpoint;
pub mod events;
