//! How requests read the history and work out long answers: off the async threads, few at a time.
//!
//! Invariants:
//! - A handler reaches the history only through [`App::quick`] and [`App::slow`], so SQLite never runs on an async thread.
//! - However many ask for long lists, answers about one thing have turns of their own.
//! - Nothing is begun for a client that has left.
//! - Whoever waited for a turn for `Turns::patience` is told to come again: clients that give up leave no queue behind.

use super::app::App;
use super::error::ApiError;
use crate::engine::CommandError;
use crate::store::History;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

impl App {
    /// Works out an answer about one thing: some look-ups by id.
    pub(super) async fn quick<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App, &dyn History) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.in_turn(&self.turns.quick, work).await
    }

    /// Works out an answer that may take long, such as a list, a count or a plan.
    pub(super) async fn slow<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App, &dyn History) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.in_turn(&self.turns.slow, work).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        turns: &Arc<Semaphore>,
        work: impl FnOnce(&App, &dyn History) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = tokio::time::timeout(self.turns.patience, Arc::clone(turns).acquire_owned());
        let Ok(Ok(turn)) = turn.await else {
            return Err(ApiError::new(
                "server_busy",
                "the server answers as many requests as it can; ask again",
            ));
        };
        let app = self.clone();
        let work = move || {
            let answer = work(&app, &*app.reader);
            drop(turn);
            answer
        };
        let mut begun = Begun(tokio::task::spawn_blocking(work));
        (&mut begun.0).await.map_err(CommandError::from)?
    }
}

/// Work that does not start any more if nobody waits for it.
struct Begun<T>(JoinHandle<T>);

impl<T> Drop for Begun<T> {
    fn drop(&mut self) {
        // What runs already goes on: its queries have their own limit.
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::super::turns::{Turns, SLOW};
    use super::*;
    use std::future::Future as _;
    use std::task::Poll;
    use std::time::Duration;

    /// With all turns for lists taken, others are told to come again, and requests about one thing are answered.
    #[tokio::test]
    async fn lists_hold_up_nothing_but_lists() {
        let (mut app, _folder) = super::super::fuzz::app();
        app.turns = Arc::new(Turns { patience: Duration::from_millis(50), ..Turns::default() });
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let gate = Arc::new(std::sync::Mutex::new(gate));
        let mut held = Vec::new();
        for _ in 0..SLOW {
            let (app, gate) = (app.clone(), Arc::clone(&gate));
            let (entered, begun) = tokio::sync::oneshot::channel();
            held.push(tokio::spawn(async move {
                let work = move |_: &App, _: &dyn History| {
                    let _ = entered.send(());
                    gate.lock().unwrap().recv().map_err(|_| ApiError::new("internal", "the test is over"))
                };
                app.slow(work).await
            }));
            begun.await.unwrap();
        }
        let refused = app.slow(|_, _| Ok(())).await.unwrap_err();
        assert_eq!(refused.body.error, "server_busy");
        assert_eq!(app.quick(|_, _| Ok(7)).await.ok(), Some(7));
        for _ in 0..SLOW {
            go.send(()).unwrap();
        }
        for held in held {
            held.await.unwrap().unwrap();
        }
        assert_eq!(app.slow(|_, _| Ok(8)).await.ok(), Some(8));
    }

    #[test]
    fn nothing_is_begun_for_whoever_has_left() {
        let mut one_thread = tokio::runtime::Builder::new_current_thread();
        let runtime = one_thread.max_blocking_threads(1).enable_all().build().unwrap();
        let (go, gate) = std::sync::mpsc::channel::<()>();
        runtime.block_on(async {
            let (app, _folder) = super::super::fuzz::app();
            // All threads for work are taken.
            let held = tokio::task::spawn_blocking(move || gate.recv());
            let (begins, mut begun) = tokio::sync::mpsc::unbounded_channel();
            let work = move |_: &App, _: &dyn History| {
                begins.send(()).map_err(|_| ApiError::new("internal", "the test is over"))
            };
            let mut asked = Box::pin(app.quick(work));
            // Its turn has come, and it waits for a thread.
            let once = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context)));
            assert!(once.await.is_pending());
            drop(asked);
            go.send(()).unwrap();
            held.await.unwrap().unwrap();
            app.quick(|_, _| Ok(())).await.unwrap();
            assert_eq!(begun.recv().await, None);
        });
    }
}
