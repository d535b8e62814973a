//! How requests read the history and work out long answers: off the threads that serve requests, few at a time, but for look-ups
//! by id ([`super::at_once`]).
//!
//! Invariants:
//! - A command reaches the history only through its [`Context`], so nothing but look-ups by id runs on the threads that serve requests.
//! - However many ask for long lists, answers about one thing have threads of their own. However long others take to say what
//!   external data there is, lists have.
//! - Nothing is begun for a client that has left.
//! - Whoever waited for `Lanes::patience` is told to come again: clients that give up leave no queue behind.

use super::lanes::{Lane, NoAnswer};
use super::state::App;
use crate::app::{AppError, Backend, Context};
use crate::engine::CommandError;
use crate::store::History;
use std::sync::Arc;

impl Context for App {
    fn backend(&self) -> &Backend {
        &self.backend
    }

    async fn by_id<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Backend, &dyn History) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        match self.lanes.at_once.enter() {
            Some(turn) => {
                let answer = turn.answer(|| work(&self.backend, &*self.reader));
                answer.unwrap_or_else(|| not_answered(NoAnswer::Panicked))
            }
            None => self.in_lane(&self.lanes.quick, work).await,
        }
    }

    async fn quick<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Backend, &dyn History) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        self.in_lane(&self.lanes.quick, work).await
    }

    async fn slow<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Backend, &dyn History) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        self.in_lane(&self.lanes.slow, work).await
    }

    async fn looking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Backend, &dyn History) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        self.in_lane(&self.lanes.looking, work).await
    }
}

impl App {
    async fn in_lane<T: Send + 'static>(
        &self,
        lane: &Lane,
        work: impl FnOnce(&Backend, &dyn History) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        let (backend, reader) = (self.backend.clone(), Arc::clone(&self.reader));
        let work = move || work(&backend, &*reader);
        lane.answer(self.lanes.patience, work).await.unwrap_or_else(not_answered)
    }
}

fn not_answered<T>(why: NoAnswer) -> Result<T, AppError> {
    Err(match why {
        NoAnswer::Busy => {
            AppError::new("server_busy", "the server answers as many requests as it can; ask again")
        }
        NoAnswer::Panicked => CommandError::Internal("the request's work panicked").into(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::lanes::{Lanes, LOOKING, SLOW};
    use super::super::logs::Printed;
    use super::*;
    use crate::executor::{LogFrom, Stream};
    use databuild_core::ids::{AttemptId, RunId};
    use std::future::Future as _;
    use std::task::Poll;
    use std::time::Duration;

    /// Threads that were taken, and how they are told to go on.
    type Held = (std::sync::mpsc::Sender<()>, Vec<tokio::task::JoinHandle<()>>);

    /// Takes so many threads of a lane, until each was told to go on.
    async fn take(app: &App, lane: fn(&Lanes) -> &Lane, threads: usize) -> Held {
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let gate = Arc::new(std::sync::Mutex::new(gate));
        let mut held = Vec::new();
        for _ in 0..threads {
            let (app, gate) = (app.clone(), Arc::clone(&gate));
            let (entered, begun) = tokio::sync::oneshot::channel();
            held.push(tokio::spawn(async move {
                let work = move |_: &Backend, _: &dyn History| {
                    let _ = entered.send(());
                    gate.lock().unwrap().recv().map_err(|_| AppError::new("internal", "the test is over"))
                };
                app.in_lane(lane(&app.lanes), work).await.unwrap();
            }));
            begun.await.unwrap();
        }
        (go, held)
    }

    /// Takes all threads for lists.
    async fn take_all(app: &App) -> Held {
        take(app, |lanes| &lanes.slow, SLOW).await
    }

    async fn release((go, held): Held) {
        for _ in &held {
            go.send(()).unwrap();
        }
        for held in held {
            held.await.unwrap();
        }
    }

    /// With all threads for lists taken, others are told to come again, and requests about one thing are answered.
    #[tokio::test]
    async fn lists_hold_up_nothing_but_lists() {
        let (mut app, _folder) = super::super::fuzz::app();
        Arc::make_mut(&mut app.shared).lanes =
            Arc::new(Lanes { patience: Duration::from_secs(1), ..Lanes::start().unwrap() });
        let held = take_all(&app).await;
        let busy = app.lanes.loads()[1].1;
        assert_eq!((busy.size, busy.in_use, busy.waiting), (SLOW, SLOW, 0));
        let refused = app.slow(|_, _| Ok(())).await.unwrap_err();
        assert_eq!(refused.code(), "server_busy");
        assert_eq!(app.quick(|_, _| Ok(7)).await.ok(), Some(7));
        release(held).await;
        assert_eq!(app.slow(|_, _| Ok(8)).await.ok(), Some(8));
    }

    /// With all threads taken by those who ask others, lists and answers about one thing are as quick as ever, and a log is
    /// not asked for, as its executor may be who keeps them.
    #[tokio::test]
    async fn whoever_is_asked_and_does_not_answer_holds_up_no_lists() {
        let (mut app, _folder) = super::super::fuzz::app();
        Arc::make_mut(&mut app.shared).lanes =
            Arc::new(Lanes { patience: Duration::from_secs(1), ..Lanes::start().unwrap() });
        let held = take(&app, |lanes| &lanes.looking, LOOKING).await;
        assert_eq!(app.looking(|_, _| Ok(())).await.unwrap_err().code(), "server_busy");
        let attempt = AttemptId { run: RunId(1), number: 1 };
        let log = Printed::by(&app, attempt, true).unwrap().log(Stream::Stdout);
        let log = log.read(&app, LogFrom::Begin(0), 1, Duration::ZERO).await;
        assert!(log.unwrap_err().is_busy());
        assert_eq!(app.slow(|_, _| Ok(6)).await.ok(), Some(6));
        assert_eq!(app.quick(|_, _| Ok(7)).await.ok(), Some(7));
        release(held).await;
        assert_eq!(app.looking(|_, _| Ok(8)).await.ok(), Some(8));
    }

    #[tokio::test]
    async fn nothing_is_begun_for_whoever_has_left() {
        let (app, _folder) = super::super::fuzz::app();
        let held = take_all(&app).await;
        let (begins, mut begun) = tokio::sync::mpsc::unbounded_channel();
        let work = move |_: &Backend, _: &dyn History| {
            begins.send(()).map_err(|_| AppError::new("internal", "the test is over"))
        };
        let mut asked = Box::pin(app.slow(work));
        // It is in the queue, and waits for a thread.
        let once = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context)));
        assert!(once.await.is_pending());
        drop(asked);
        release(held).await;
        app.slow(|_, _| Ok(())).await.unwrap();
        assert_eq!(begun.recv().await, None);
    }

    #[tokio::test]
    async fn work_that_panics_gets_an_error_and_leaves_its_thread() {
        let (app, _folder) = super::super::fuzz::app();
        for _ in 0..2 * SLOW {
            let error = app.slow::<()>(|_, _| panic!("as it must")).await.unwrap_err();
            assert_eq!(error.code(), "internal");
        }
        assert_eq!(app.slow(|_, _| Ok(8)).await.ok(), Some(8));
    }
}
