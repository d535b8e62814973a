//! The web UI's pages: from what the server knows, as plain data of its API, to HTML and SVG.
//!
//! A page is a function from an answer of the API to a [`layout::Page`]: a title, one or two sentences that say what
//! matters, parts, and the commands that say the same. The server asks for the answer, calls the function, and sends the page,
//! or some of its parts when a page that is open asks for what has moved.
//!
//! Invariants:
//! - Pure: no I/O, no clock. The instant that "6 min ago" counts from is an argument.
//! - Everything that a page says is in its HTML. The script only follows what moves, and adds keys and a brush.
//! - Nothing is inline: no script, no style, no handler. The server forbids them by its content security policy, so whatever
//!   has a size or a place has it by attributes of SVG.
//! - A state is a colour and a shape, the same on all pages ([`parts::state`]).
//! - All that others said goes through `maud`, which escapes it.

use databuild_base::api;

pub mod assets;
pub mod layout;
pub mod links;
pub mod pages;
pub mod parts;
