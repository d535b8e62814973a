//! Parts that several pages use.

pub mod attempts;
pub mod bar;
pub mod burnup;
pub mod drawing;
pub mod form;
pub mod heatmap;
pub mod json;
pub mod log;
pub mod reference;
pub mod state;
pub mod table;
pub mod time;
pub mod timeline;
