//! Servers that belong to one command, as `build --no-daemon` has one.
//!
//! Such a server, and its runner, hold the read end of a pipe as their standard input; only the command holds the other
//! end. However the command ends, the pipe ends with it, and server, runner and jobs go. The command's want is closed
//! by the server if that is still there, else by the next one.

use crate::engine::Handle;
use crate::store::{History, Listed, StoreError, WantFilter, WantState};
use databuild_core::decide::Input;
use databuild_core::ids::WantId;
use std::io::Read as _;
use tokio::sync::mpsc::UnboundedSender;

/// What the log calls a program whose wants end with it.
pub const CLIENT: &str = "cli --no-daemon";

/// Asks the server to stop with its jobs once standard input ends.
///
/// # Errors
/// No thread can be started.
pub(super) fn watch(stop: UnboundedSender<bool>) -> std::io::Result<()> {
    let watch = move || {
        let mut byte = [0];
        // Nobody writes to it.
        while matches!(std::io::stdin().lock().read(&mut byte), Ok(1)) {}
        // A server that is going already needs no telling.
        let _ = stop.send(true);
    };
    std::thread::Builder::new().name("lifeline".to_owned()).spawn(watch).map(drop)
}

/// Open wants whose command has ended, given that no server of such a command lives.
///
/// # Errors
/// The history cannot be read.
pub(super) fn left_over(reader: &dyn History) -> Result<Vec<WantId>, StoreError> {
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let page = WantFilter { state: Some(WantState::Open), before, limit: PAGE, ..WantFilter::default() };
        let Listed { rows, next } = reader.wants(&page)?.value;
        found.extend(rows.iter().filter(|want| want.source == CLIENT).map(|want| want.id));
        match next {
            Some(next) => before = Some(WantId(next)),
            None => return Ok(found),
        }
    }
}

/// Cancels the want of the command if it is not over.
pub(super) async fn close_wants(handle: &Handle, reader: &dyn History) {
    let wants = match left_over(reader) {
        Ok(wants) => wants,
        Err(error) => {
            tracing::warn!(%error, "the command's want cannot be looked up; the next server closes it");
            return;
        }
    };
    for want in wants {
        if let Err(error) = handle.submit(Input::CancelWant(want)).await {
            tracing::warn!(%error, %want, "the command's want cannot be canceled; the next server closes it");
        }
    }
}

/// Wants that are looked at together.
const PAGE: usize = 1000;
