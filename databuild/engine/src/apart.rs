//! Work on a thread of its own, which the thread that has it done does not wait for.

use std::sync::mpsc;

/// Does `work` on a thread of its own. Without one it is done here, and others wait meanwhile.
pub(super) fn apart(name: &str, work: impl FnOnce() + Send + 'static) {
    // It is handed over when the thread is there, and stays here if none can be started.
    let (send, receive) = mpsc::sync_channel::<Box<dyn FnOnce() + Send>>(1);
    let begin = move || {
        if let Ok(work) = receive.recv() {
            work();
        }
    };
    let left = match std::thread::Builder::new().name(name.to_owned()).spawn(begin) {
        Ok(_) => send.send(Box::new(work)).err().map(|unsent| unsent.0),
        Err(error) => {
            tracing::warn!(%error, name, "no thread can be started; others wait meanwhile");
            return work();
        }
    };
    if let Some(work) = left {
        work();
    }
}
