//! What is done once for a request that has a name, and what it is told of that.

use super::AppError;
use crate::engine::{CommandError, Handle};
use databuild_core::decide::{Input, Reply};
use databuild_core::event::KeptAnswer;
use databuild_core::ids::Seq;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};

/// What a request is told. Under a name it is recorded together with what is done, so that it is told again word for word.
pub(super) struct Told<T> {
    of: Arc<Of<T>>,
    /// What was recorded.
    said: Arc<Mutex<Option<T>>>,
}

type Of<T> = dyn Fn(&Reply, Seq) -> Result<T, CommandError> + Send + Sync;

impl<T: Serialize + Send + 'static> Told<T> {
    /// By what it says of the core's reply, with the last event by then.
    pub(super) fn by(of: impl Fn(&Reply, Seq) -> Result<T, CommandError> + Send + Sync + 'static) -> Told<T> {
        Told { of: Arc::new(of), said: Arc::default() }
    }

    /// Makes what is recorded.
    pub(super) fn kept(&self) -> impl Fn(&Reply, Seq) -> Option<KeptAnswer> + Clone + Send + 'static {
        let (of, said) = (Arc::clone(&self.of), Arc::clone(&self.said));
        move |reply, seq| {
            let answer = of(reply, seq).ok()?;
            let kept = kept(200, &answer);
            *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            kept
        }
    }

    /// What this request is told.
    pub(super) fn answer(self, engine: &Handle, reply: &Reply) -> Result<T, AppError> {
        if let Reply::Repeated(_) = reply {
            return Err(AppError::new(
                "idempotency_key_in_flight",
                "a request with this Idempotency-Key was being carried out; ask again",
            ));
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(said.map_or_else(|| (self.of)(reply, engine.snapshot().state.seq()), Ok)?)
    }

    /// Has something done once.
    pub(super) async fn submit(self, engine: &Handle, input: Input) -> Result<T, AppError> {
        let reply = engine.submit_once(input, self.kept()).await?;
        self.answer(engine, &reply)
    }
}

/// An answer in JSON, to be told again.
pub fn kept(status: u16, answer: &impl Serialize) -> Option<KeptAnswer> {
    let body = serde_json::to_string(answer).ok()?;
    Some(KeptAnswer { status, content_type: "application/json".to_owned(), location: String::new(), body })
}
