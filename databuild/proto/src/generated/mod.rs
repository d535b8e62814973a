// @generated

pub mod events;
