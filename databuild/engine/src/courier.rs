//! Carries the loop's orders to the executor, on a thread of its own: an executor may take its time, and the loop waits
//! for nobody.
//!
//! Orders are carried out in the order in which they were given. So what is handed over while the executor is looked for
//! goes to the one that was found.

use super::attempt::request::parse_request;
use super::attempt::staging::Staging;
use super::message::{attempt_id, Message};
use super::orders::{Access, Order, Reached, Search, CANCELED, PAUSED};
use crate::executor::{AttemptName, Executor, Holdings, Kept, News, Standing, StartSpec, Text, Unreachable};
use databuild_core::decide::{AttemptEnd, AttemptReport, Input};
use databuild_core::event::AttemptOutcome;
use databuild_core::ids::AttemptId;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::Arc;

/// What carrying needs.
pub(super) struct Courier {
    pub(super) executor: Arc<dyn Executor>,
    pub(super) staging: Arc<Staging>,
    pub(super) inbox: Sender<Message>,
}

impl Courier {
    /// Carries out orders until nobody can give any.
    pub(super) fn run(&self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Connect(search) => self.tell(Message::Reached(self.connect(&search))),
                Order::Submit(specs) => self.submit(specs),
                Order::Cancel(attempt) => self.cancel(&names(&[attempt])),
                Order::Withdraw(attempt) => self.withdraw(&names(&[attempt])),
                Order::Forget(attempts) => report(self.executor.forget(&names(&attempts))),
                Order::SetSlots(slots) => report(self.executor.set_slots(slots)),
                Order::Stop => report(self.executor.stop()),
            }
        }
    }

    /// A closed inbox means that the engine is going down; the next one asks what became of all.
    fn tell(&self, message: Message) {
        let _ = self.inbox.send(message);
    }

    fn submit(&self, specs: Vec<StartSpec>) {
        let checks = self.executor.capabilities().checks;
        let (specs, unchecked): (Vec<_>, Vec<_>) =
            specs.into_iter().partition(|spec| checks || spec.checks.is_empty());
        for attempt in unchecked.iter().filter_map(|spec| attempt_id(&spec.attempt)) {
            // It would make the outputs and leave them unchecked.
            let message = "the runner that still runs is of an older version and runs no checks; \
                           when its jobs are done, end it by `databuild stop --jobs`";
            let failed = AttemptReport::new(AttemptOutcome::Failure { permanent: true }, message);
            let end = AttemptEnd::without_process(failed);
            self.tell(Message::Input(Box::new(Input::AttemptEnded { attempt, end })));
        }
        if !specs.is_empty() {
            report(self.executor.submit(&specs));
        }
    }

    fn cancel(&self, attempts: &[AttemptName]) {
        for attempt in attempts {
            report(self.executor.cancel(attempt, CANCELED));
        }
    }

    fn withdraw(&self, attempts: &[AttemptName]) {
        for attempt in attempts {
            report(self.executor.withdraw(attempt, PAUSED));
        }
    }

    /// Gets in touch with the executor, or with another one, and finds out what became of its attempts.
    pub(super) fn connect(&self, search: &Search) -> Reached {
        let (inbox, connection) = (self.inbox.clone(), search.connection);
        let news = move |news| drop(inbox.send(Message::News { connection, news }));
        let mut found = Findings::default();
        let access = match self.executor.connect(Box::new(news)) {
            Ok(Holdings { attempts, leaving }) => {
                for (attempt, standing) in attempts {
                    self.take_over(attempt, standing, &search.live, &mut found);
                }
                if leaving {
                    Access::Leaving
                } else {
                    Access::Open
                }
            }
            Err(error) => {
                tracing::error!(%error, code = error.code, "the executor cannot be reached");
                Access::None
            }
        };
        let missing = search.submitted.iter().filter(|attempt| !found.known.contains(attempt));
        let missing: Vec<AttemptId> = missing.copied().collect();
        let named = names(&missing);
        if !named.is_empty() {
            let standings = self.executor.find(&named);
            missing.into_iter().zip(named).zip(standings).for_each(|((id, name), standing)| {
                found.add(id, name, standing);
            });
        }
        Reached { connection, access, lost: found.lost, news: found.news }
    }

    /// Takes over an attempt that the executor has.
    fn take_over(&self, attempt: AttemptName, standing: Standing, live: &[AttemptId], found: &mut Findings) {
        let request = Kept::of(&self.executor, attempt.clone()).request(Text::Request).ok().flatten();
        if let Some(request) = request.and_then(|text| parse_request(&text).ok()) {
            if let Err(error) = self.staging.note(attempt.as_str(), &request) {
                tracing::warn!(%error, attempt = attempt.as_str(), "where it stages outputs cannot be noted");
            }
        }
        let id = attempt_id(&attempt);
        let is_over = matches!(standing, Standing::Ended(_));
        match id {
            Some(id) if is_over || live.contains(&id) => found.add(id, attempt, standing),
            // It was given up when the executor could not be reached, and may be under way again.
            _ => self.cancel(&[attempt]),
        }
    }
}

/// What is found out about attempts.
#[derive(Default)]
struct Findings {
    known: BTreeSet<AttemptId>,
    lost: Vec<AttemptId>,
    news: Vec<News>,
}

impl Findings {
    fn add(&mut self, id: AttemptId, attempt: AttemptName, standing: Standing) {
        match standing {
            Standing::Lost | Standing::NeverBegan => return self.lost.push(id),
            Standing::Running { process } => self.news.push(News::Started { attempt, process }),
            Standing::Ended(exit) => self.news.push(News::Ended { attempt, exit }),
            Standing::Queued | Standing::Unknown => {}
        }
        self.known.insert(id);
    }
}

/// The names of attempts. Those of the core are always valid.
fn names(attempts: &[AttemptId]) -> Vec<AttemptName> {
    attempts.iter().filter_map(|attempt| AttemptName::new(attempt.to_string()).ok()).collect()
}

/// An executor that cannot be told anything also tells that it is gone, which is where it is dealt with.
fn report(result: Result<(), Unreachable>) {
    if let Err(error) = result {
        tracing::warn!(%error, "the executor could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::fake::Fake;
    use std::sync::mpsc::{channel, sync_channel};

    fn spec(attempt: &str, words: &[&str]) -> StartSpec {
        let argv = words.iter().map(|word| (*word).to_owned()).collect();
        StartSpec::new(AttemptName::new(attempt).unwrap(), argv, "/")
    }

    fn ids(texts: &[&str]) -> Vec<AttemptId> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// An executor that ended `r1-1` and runs `r2-1` and `r3-1`, and who asks it then.
    fn courier() -> (Fake, Courier, Receiver<Message>, tempfile::TempDir) {
        let (fake, folder) = (Fake::default(), tempfile::tempdir().unwrap());
        fake.connect(Box::new(|_| {})).unwrap();
        fake.set_slots(9).unwrap();
        let waits = |attempt: &str| spec(attempt, &["wait"]);
        fake.submit(&[spec("r1-1", &["end", "0", ""]), waits("r2-1"), waits("r3-1")]).unwrap();
        let (inbox, messages) = channel();
        let staging = Arc::new(Staging::new(folder.path().join("staging")));
        let courier = Courier { executor: Arc::new(fake.clone()), staging, inbox };
        (fake, courier, messages, folder)
    }

    fn search(live: &[&str], submitted: &[&str]) -> Search {
        Search { connection: 1, live: ids(live), submitted: ids(submitted) }
    }

    fn told(news: &[News]) -> Vec<String> {
        let tell = |news: &News| match news {
            News::Started { attempt, .. } => format!("{attempt} started"),
            News::Ended { attempt, exit } => format!("{attempt} ended {:?}", exit.outcome),
            other => format!("{other:?}"),
        };
        news.iter().map(tell).collect()
    }

    #[test]
    fn what_goes_on_is_taken_over_and_only_what_nobody_has_is_lost() {
        let (fake, courier, messages, _folder) = courier();
        let live = ["r1-1", "r2-1", "r4-1", "r5-1"];
        // `r5-1` is still being prepared.
        let reached = courier.connect(&search(&live, &["r1-1", "r2-1", "r4-1"]));
        assert_eq!((reached.access, reached.lost), (Access::Open, ids(&["r4-1"])));
        assert_eq!(told(&reached.news), ["r1-1 ended Code(0)", "r2-1 started"]);
        // What nobody knows of is canceled.
        match messages.recv().unwrap() {
            Message::News { connection: 1, news: News::Ended { attempt, exit } } => {
                assert!(attempt.as_str() == "r3-1" && exit.canceled);
            }
            _ => panic!("another message"),
        }
        assert_eq!(fake.begun(&AttemptName::new("r2-1").unwrap()), 1);
    }

    #[test]
    fn what_an_executor_has_that_lives_and_cannot_be_reached_is_not_lost() {
        let (fake, courier, _messages, _folder) = courier();
        let live = ["r1-1", "r2-1", "r4-1"];
        fake.hide(true);
        let reached = courier.connect(&search(&live, &live));
        assert_eq!((reached.access, reached.lost), (Access::None, vec![]));
        assert_eq!(told(&reached.news), ["r1-1 ended Code(0)"]);
        fake.hide(false);
        fake.die();
        let reached = courier.connect(&search(&live, &live));
        assert_eq!((reached.access, reached.lost), (Access::Open, ids(&["r2-1", "r4-1"])));
    }

    #[test]
    fn what_is_handed_over_while_the_executor_is_looked_for_goes_to_the_one_that_is_found() {
        let (fake, courier, messages, _folder) = courier();
        let (open, gate) = sync_channel(1);
        fake.wait_at(gate);
        let (give, orders) = channel();
        give.send(Order::Connect(search(&["r2-1", "r3-1", "r4-1"], &["r2-1", "r3-1"]))).unwrap();
        give.send(Order::Submit(vec![spec("r4-1", &["end", "3", ""])])).unwrap();
        open.send(()).unwrap();
        drop(give);
        courier.run(&orders);
        drop(courier);
        let told: Vec<_> = messages
            .iter()
            .flat_map(|message| match message {
                Message::Reached(reached) => {
                    assert_eq!(reached.lost, []);
                    told(&reached.news)
                }
                Message::News { news, .. } => told(&[news]),
                _ => panic!("another message"),
            })
            .take(5)
            .collect();
        let expected =
            ["r1-1 ended Code(0)", "r2-1 started", "r3-1 started", "r4-1 started", "r4-1 ended Code(3)"];
        assert_eq!(told, expected);
    }
}
