//! Puts staged outputs in their places. Runs on a thread of its own, a batch at a time, so that names
//! are synced once for many outputs.

use crate::attempt::staging::Staging;
use crate::looks::ownership::Claim;
use crate::message::{Message, PublishOrder};
use crate::pace::Pace;
use crate::publish::{self, Output, Publication, PublishError, Reserved};
use databuild_core::decide::Input;
use databuild_core::ids::AttemptId;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};

/// What must not be replaced by the outputs of an attempt: refuses claims to it.
pub(crate) type Guard<'g> = &'g dyn Fn(AttemptId, Vec<Claim<'_>>) -> Result<(), PublishError>;

/// Carries out orders until the channel closes.
pub(crate) fn publisher(
    staging: &Staging,
    reserved: &Reserved,
    guard: Guard<'_>,
    orders: &Receiver<PublishOrder>,
    to_loop: &Sender<Message>,
    pace: &Pace,
) {
    // The answer to an order may be under way while the order comes once more, after the runner was connected anew.
    let mut answered: BTreeSet<AttemptId> = BTreeSet::new();
    let mut kept: BTreeSet<AttemptId> = BTreeSet::new();
    while let Ok(first) = orders.recv() {
        let mut published = Vec::new();
        let mut over = Vec::new();
        for order in pace.gather(first, orders) {
            match order {
                PublishOrder::Clear { attempt } => over.push(attempt),
                PublishOrder::Publish { attempt, outputs, again } => {
                    if answered.insert(attempt) {
                        // Nothing has a mark but files.
                        let place =
                            |output: &Output| output.content.map(|_| (output.place.clone(), output.body));
                        let places =
                            outputs.iter().map(|(_, output)| output.as_ref().and_then(place)).collect();
                        let (partitions, outputs): (Vec<String>, _) =
                            outputs.into_iter().filter_map(|(text, output)| Some((text, output?))).unzip();
                        let publication =
                            if again { Publication::again(outputs) } else { Publication::first(outputs) };
                        let claims =
                            publication.staged().map(|(n, output)| Claim::of_staged(&partitions[n], output));
                        let guarded = guard(attempt, claims.collect());
                        published.push(match guarded {
                            Ok(()) => Published::new(attempt, publication, places, reserved),
                            Err(error) => Published::refused(attempt, publication, places, error),
                        });
                    }
                }
            }
        }
        sync(&mut published);
        for one in published {
            if matches!(one.result, Err(PublishError::NotPutBack { .. })) {
                kept.insert(one.attempt);
            }
            if to_loop.send(Message::Input(Box::new(one.told()))).is_err() {
                return;
            }
        }
        // Nobody waits for this.
        for attempt in over {
            answered.remove(&attempt);
            clear(staging, attempt, kept.remove(&attempt));
        }
    }
}

fn clear(staging: &Staging, attempt: AttemptId, keep: bool) {
    if !keep {
        return staging.clear(&attempt.to_string());
    }
    match staging.keep(&attempt.to_string()) {
        Ok(path) => {
            tracing::error!(%attempt, path = %path.display(), "outputs that could not be put back are kept")
        }
        Err(error) => tracing::error!(%attempt, %error, "outputs that could not be put back are in staging"),
    }
}

/// What came of an order, as far as it is not on disk yet.
struct Published {
    attempt: AttemptId,
    publication: Publication,
    /// The places of outputs that are files and not empty, with [`Output::body`].
    places: Vec<Option<(PathBuf, u64)>>,
    result: Result<(), PublishError>,
}

impl Published {
    fn new(
        attempt: AttemptId,
        mut publication: Publication,
        places: Vec<Option<(PathBuf, u64)>>,
        reserved: &Reserved,
    ) -> Published {
        let result = publication.forward(reserved);
        Published { attempt, publication, places, result }
    }

    /// Takes back what a server before this one may have published of it.
    fn refused(
        attempt: AttemptId,
        mut publication: Publication,
        places: Vec<Option<(PathBuf, u64)>>,
        error: PublishError,
    ) -> Published {
        let result = Err(publication.back_after(error));
        Published { attempt, publication, places, result }
    }

    fn told(self) -> Input {
        let attempt = self.attempt;
        match self.result {
            Ok(()) => {
                // Without a mark the file is read when it is looked at next. It has none if somebody wrote to it after it
                // was hashed.
                let mark = |(place, body): &(PathBuf, u64)| {
                    let mark = match *body {
                        0 => publish::stat_mark(place).ok().flatten(),
                        body => publish::mark_of_placed(place, body),
                    };
                    mark.map_or(0, |mark| mark.0)
                };
                let marks = self.places.iter().map(|place| place.as_ref().map_or(0, mark)).collect();
                Input::Published { attempt, marks }
            }
            Err(error) => Input::PublishFailed { attempt, message: error.to_string() },
        }
    }
}

/// Brings names to disk, those of all attempts together. An attempt whose names cannot be brought to disk has failed.
fn sync(published: &mut [Published]) {
    let dirs: BTreeSet<PathBuf> =
        published.iter().flat_map(|one| one.publication.changed_dirs().iter().cloned()).collect();
    let failed = publish::sync_dirs(&dirs);
    for one in published.iter_mut().filter(|one| one.result.is_ok()) {
        let own = one.publication.changed_dirs().iter().find_map(|dir| failed.get_key_value(dir));
        if let Some((dir, error)) = own {
            one.result = Err(one.publication.back_after(PublishError::io("flush", dir, *error)));
            // What can be brought to disk of that, should be.
            publish::sync_dirs(one.publication.changed_dirs());
        }
    }
}

#[cfg(test)]
mod crashes;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// What is answered to orders that come together.
    fn answers(staging: &Staging, guard: Guard<'_>, orders: Vec<PublishOrder>) -> Vec<Input> {
        let (send, receive) = mpsc::channel();
        let (to_loop, answers) = mpsc::channel();
        orders.into_iter().for_each(|order| send.send(order).unwrap());
        drop(send);
        let reserved =
            Reserved::new(std::path::Path::new("/no workspace"), std::path::Path::new("/no state"));
        publisher(staging, &reserved, guard, &receive, &to_loop, &Pace::default());
        drop(to_loop);
        let input = |message| match message {
            Message::Input(input) => *input,
            _ => panic!("not an input"),
        };
        answers.into_iter().map(input).collect()
    }

    #[test]
    fn what_somebody_writes_to_after_it_was_hashed_has_no_mark() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("staging");
        std::fs::create_dir_all(root.join("r1-1/1")).unwrap();
        let attempt: AttemptId = "r1-1".parse().unwrap();
        let output = |name: &str| {
            let staged = root.join("r1-1/1").join(name);
            if name == "d" {
                std::fs::create_dir(&staged).unwrap();
                std::fs::write(staged.join("f"), "made").unwrap();
            } else {
                std::fs::write(&staged, "made").unwrap();
            }
            let found = publish::inspect(&staged).unwrap();
            publish::make_ready(&staged, false).unwrap();
            let place = folder.path().join(name);
            let content = Some(found.hash);
            (name.to_owned(), Some(Output { staging: staged, place, content, body: found.body }))
        };
        let outputs = ["a", "b", "d"].map(output).to_vec();
        // As somebody does who has the file open, or sees it come.
        std::fs::write(root.join("r1-1/1/b"), "done").unwrap();
        let order = PublishOrder::Publish { attempt, outputs, again: false };
        let answers = answers(&Staging::new(root.clone()), &|_, _| Ok(()), vec![order]);
        let [Input::Published { marks, .. }] = &answers[..] else { panic!("{answers:?}") };
        let mark = |name: &str| publish::stat_mark(&folder.path().join(name)).unwrap().unwrap().0;
        assert_eq!(marks[..], [mark("a"), 0, mark("d")]);
    }

    #[test]
    fn an_order_that_comes_again_before_its_answer_is_decided_is_carried_out_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("staging");
        let attempt: AttemptId = "r1-1".parse().unwrap();
        std::fs::create_dir_all(root.join("r1-1/1")).unwrap();
        let output = |name: &str| {
            let output = Output {
                staging: root.join("r1-1/1").join(name),
                place: folder.path().join(name),
                content: Some(publish::ContentHash::from_sha256([0; 32])),
                body: 0,
            };
            std::fs::write(&output.place, "old").unwrap();
            output
        };
        let outputs =
            ["a", "-", "b"].map(|name| (name.to_owned(), (name != "-").then(|| output(name)))).to_vec();
        std::fs::write(root.join("r1-1/1/a"), "new").unwrap();
        let order = |again| PublishOrder::Publish { attempt, outputs: outputs.clone(), again };
        let staging = Staging::new(root.clone());
        let orders = vec![order(false), order(true), PublishOrder::Clear { attempt }];
        let answers = answers(&staging, &|_, _| Ok(()), orders);
        let [Input::PublishFailed { attempt: failed, message }] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(*failed, attempt);
        assert!(message.contains("was not written"), "{message}");
        assert_eq!(std::fs::read_to_string(folder.path().join("a")).unwrap(), "old");
        assert!(!root.join("r1-1").exists());
    }

    #[test]
    fn what_is_refused_when_it_is_staged_replaces_nothing_and_what_was_in_place_goes_back() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("staging");
        let attempt: AttemptId = "r1-1".parse().unwrap();
        std::fs::create_dir_all(root.join("r1-1/1")).unwrap();
        let output = |name: &str| {
            let staging = root.join("r1-1/1").join(name);
            std::fs::write(&staging, "new").unwrap();
            let content = Some(publish::inspect(&staging).unwrap().hash);
            let place = folder.path().join(name);
            std::fs::write(&place, "old").unwrap();
            (name.to_owned(), Some(Output { staging, place, content, body: 0 }))
        };
        let outputs = vec![output("a"), output("b")];
        // A server before this one came so far.
        let [a, a_staged] = [folder.path().join("a"), root.join("r1-1/1/a")];
        std::fs::write(&a, "new").unwrap();
        std::fs::write(&a_staged, "old").unwrap();
        let guard = |_, claims: Vec<Claim<'_>>| {
            let partitions: Vec<_> = claims.iter().map(|claim| claim.partition).collect();
            assert_eq!(partitions, ["b"], "the other one is in its place");
            Err(PublishError::GivenUp { path: "no".into() })
        };
        let orders = vec![PublishOrder::Publish { attempt, outputs, again: true }];
        let answers = answers(&Staging::new(root.clone()), &guard, orders);
        assert!(matches!(&answers[..], [Input::PublishFailed { .. }]), "{answers:?}");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!((read("a").as_str(), read("b").as_str()), ("old", "old"));
    }
}
