//! What every executor has to do, whatever it is made of.
//!
//! To hold another executor to it, write a [`Site`] for it and call `suite!`.

use super::{
    AttemptName, Executor, ExitRecord, LogFrom, LogPart, News, Outcome, Standing, StartSpec, Stream, Text,
    Weave, Woven,
};
use std::sync::mpsc::{channel, Receiver};
use std::sync::Arc;
use std::time::Duration;

/// A loaded machine may be slow; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// An executor with what a test may do to it and its jobs.
pub(super) trait Site {
    /// The executor as a server that comes now sees it.
    fn executor(&self) -> Arc<dyn Executor>;
    /// A job that prints this and exits with this code.
    fn ends(&self, attempt: &str, code: i32, output: &str) -> StartSpec;
    /// A job that prints these words, one as soon as the one before has been kept, and exits with 0.
    fn prints(&self, attempt: &str, pieces: &[(Stream, &str)]) -> StartSpec;
    /// A job that runs until it is released, and then exits with 0.
    fn waits(&self, attempt: &str) -> StartSpec;
    /// Lets that job end.
    fn release(&self, attempt: &str);
    /// How often the attempt's job was begun.
    fn begun(&self, attempt: &str) -> usize;
    /// It lives from now on, and cannot be reached by whoever comes; or it can again.
    fn hide(&self, hidden: bool);
    /// It dies, and all that it runs with it.
    fn die(&self);
}

/// Whoever is connected, and what it is told.
struct Server {
    executor: Arc<dyn Executor>,
    held: Vec<(AttemptName, Standing)>,
    news: Receiver<News>,
}

pub(super) fn name(text: &str) -> AttemptName {
    AttemptName::new(text).unwrap()
}

impl Server {
    fn connect(site: &impl Site) -> Server {
        let executor = site.executor();
        let (tell, news) = channel();
        let told = executor.connect(Box::new(move |news| drop(tell.send(news)))).unwrap();
        assert!(!told.leaving);
        let held = told.attempts;
        Server { executor, held, news }
    }

    fn next(&self) -> News {
        self.news.recv_timeout(PATIENCE).expect("news")
    }

    fn submit(&self, specs: &[StartSpec]) {
        self.executor.submit(specs).unwrap();
    }

    fn started(&self, attempt: &str) {
        match self.next() {
            News::Started { attempt: started, .. } => assert_eq!(started, name(attempt)),
            other => panic!("{other:?}"),
        }
    }

    fn ended(&self, attempt: &str) -> ExitRecord {
        match self.next() {
            News::Ended { attempt: ended, exit } => {
                assert_eq!(ended, name(attempt));
                *exit
            }
            other => panic!("{other:?}"),
        }
    }

    /// The end of what is not alone: others may begin in its place, and be told of before.
    fn ended_beside_others(&self, attempt: &str) {
        loop {
            match self.next() {
                News::Ended { attempt: ended, .. } if ended == name(attempt) => return,
                News::Started { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn gone(&self) {
        assert!(matches!(self.next(), News::Gone { .. }));
        assert!(self.news.recv_timeout(Duration::ZERO).is_err(), "nothing follows");
    }

    fn find(&self, attempt: &str) -> Standing {
        self.executor.find(&[name(attempt)]).remove(0)
    }

    fn stdout(&self, attempt: &str, from: LogFrom, most: u64) -> Option<LogPart> {
        self.executor.log(&name(attempt), Stream::Stdout, from, most).unwrap()
    }
}

pub(super) fn what_is_submitted_starts_and_ends(site: &impl Site) {
    let server = Server::connect(site);
    assert_eq!(server.held, []);
    server.executor.set_slots(2).unwrap();
    let mut spec = site.ends("r1-1", 7, "");
    spec.request = "{\"asked\": 1}".to_owned();
    server.submit(&[spec]);
    server.started("r1-1");
    let exit = server.ended("r1-1");
    assert_eq!((exit.outcome.clone(), exit.canceled, exit.timed_out), (Outcome::Code(7), false, false));
    assert_eq!(server.find("r1-1"), Standing::Ended(Box::new(exit)));
    let request = server.executor.read(&name("r1-1"), Text::Request, 99).unwrap();
    assert_eq!(request.as_deref(), Some(&b"{\"asked\": 1}"[..]));
    assert_eq!(server.executor.read(&name("r1-1"), Text::Report, 99).unwrap(), None);
}

pub(super) fn one_token_is_one_run(site: &impl Site) {
    let server = Server::connect(site);
    server.executor.set_slots(2).unwrap();
    let spec = site.waits("r1-1");
    server.submit(std::slice::from_ref(&spec));
    server.started("r1-1");
    server.submit(std::slice::from_ref(&spec));
    assert!(matches!(server.next(), News::Refused { attempt, .. } if attempt == name("r1-1")));
    site.release("r1-1");
    assert_eq!(server.ended("r1-1").outcome, Outcome::Code(0));
    // Neither by another server, nor by another executor.
    site.die();
    let server = Server::connect(site);
    server.executor.set_slots(2).unwrap();
    server.submit(&[spec]);
    assert!(matches!(server.next(), News::Refused { attempt, .. } if attempt == name("r1-1")));
    assert_eq!(site.begun("r1-1"), 1);
}

pub(super) fn a_server_that_comes_back_finds_what_goes_on(site: &impl Site) {
    let first = Server::connect(site);
    first.executor.set_slots(2).unwrap();
    first.submit(&[site.waits("r1-1"), site.ends("r2-1", 0, "")]);
    first.started("r1-1");
    first.started("r2-1");
    let end = first.ended("r2-1");
    let second = Server::connect(site);
    first.gone();
    let of = |attempt: &str| second.held.iter().find(|(held, _)| *held == name(attempt)).unwrap().1.clone();
    assert!(matches!(of("r1-1"), Standing::Running { .. }));
    assert_eq!(of("r2-1"), Standing::Ended(Box::new(end)));
    assert!(matches!(second.find("r1-1"), Standing::Running { .. }));
    site.release("r1-1");
    second.ended("r1-1");
    assert_eq!((site.begun("r1-1"), site.begun("r2-1")), (1, 1));
}

pub(super) fn the_queue_waits_for_a_place(site: &impl Site) {
    let server = Server::connect(site);
    server.executor.set_slots(1).unwrap();
    server.submit(&[site.waits("r1-1"), site.ends("r2-1", 0, ""), site.ends("r3-1", 0, "")]);
    server.started("r1-1");
    assert_eq!(server.executor.find(&[name("r2-1"), name("r3-1")]), [Standing::Queued, Standing::Queued]);
    // What is canceled before it begins never does.
    server.executor.cancel(&name("r2-1"), "nobody wants it").unwrap();
    let exit = server.ended("r2-1");
    assert_eq!((exit.outcome, exit.canceled), (Outcome::NeverStarted {}, true));
    server.submit(&[site.ends("r4-1", 0, "")]);
    site.release("r1-1");
    server.ended_beside_others("r1-1");
    server.ended_beside_others("r3-1");
    assert_eq!((site.begun("r2-1"), site.begun("r3-1")), (0, 1));
}

pub(super) fn what_is_canceled_ends_with_the_reason(site: &impl Site) {
    let server = Server::connect(site);
    server.executor.set_slots(1).unwrap();
    server.submit(&[site.waits("r1-1")]);
    server.started("r1-1");
    server.executor.cancel(&name("r1-1"), "nobody wants it").unwrap();
    let exit = server.ended("r1-1");
    assert!(exit.canceled && !exit.is_success());
    assert_eq!(exit.cancel_reason.as_deref(), Some("nobody wants it"));
    // It comes too late for what has ended or never was.
    server.executor.cancel(&name("r1-1"), "again").unwrap();
    server.executor.cancel(&name("r9-1"), "what?").unwrap();
    server.submit(&[site.ends("r2-1", 0, "")]);
    server.started("r2-1");
}

pub(super) fn what_is_withdrawn_ends_if_it_has_not_begun(site: &impl Site) {
    let server = Server::connect(site);
    server.executor.set_slots(1).unwrap();
    server.submit(&[site.waits("r1-1"), site.ends("r2-1", 0, ""), site.ends("r3-1", 0, "")]);
    server.started("r1-1");
    for attempt in ["r1-1", "r2-1", "r9-1"] {
        server.executor.withdraw(&name(attempt), "nobody wants it now").unwrap();
    }
    let exit = server.ended("r2-1");
    assert_eq!((&exit.outcome, exit.canceled), (&Outcome::NeverStarted {}, true));
    assert_eq!(exit.cancel_reason.as_deref(), Some("nobody wants it now"));
    site.release("r1-1");
    server.ended_beside_others("r1-1");
    server.ended_beside_others("r3-1");
    let first = server.find("r1-1");
    assert!(matches!(first, Standing::Ended(exit) if exit.outcome == Outcome::Code(0)), "it had begun");
    assert_eq!((site.begun("r1-1"), site.begun("r2-1")), (1, 0));
}

pub(super) fn what_never_began_and_what_is_lost_are_told_apart(site: &impl Site) {
    let server = Server::connect(site);
    assert_eq!(server.find("r9-1"), Standing::NeverBegan);
    server.executor.set_slots(2).unwrap();
    server.submit(&[site.ends("r1-1", 3, ""), site.waits("r2-1")]);
    server.started("r1-1");
    let mut told = vec![server.next(), server.next()];
    told.sort_by_key(|news| matches!(news, News::Ended { .. }));
    assert!(matches!(told.as_slice(), [News::Started { .. }, News::Ended { .. }]));
    site.die();
    server.gone();
    // Nobody has to connect to be told.
    let standings = site.executor().find(&["r1-1", "r2-1", "r9-1"].map(name));
    let [Standing::Ended(exit), Standing::Lost, Standing::NeverBegan] = standings.as_slice() else {
        panic!("{standings:?}")
    };
    assert_eq!(exit.outcome, Outcome::Code(3));
    let server = Server::connect(site);
    assert_eq!(server.held, []);
}

pub(super) fn what_cannot_be_reached_is_unknown_and_not_lost(site: &impl Site) {
    let server = Server::connect(site);
    server.executor.set_slots(2).unwrap();
    server.submit(&[site.ends("r1-1", 0, "")]);
    server.started("r1-1");
    server.ended("r1-1");
    server.executor.set_slots(1).unwrap();
    server.submit(&[site.waits("r2-1"), site.ends("r3-1", 0, "")]);
    server.started("r2-1");
    site.hide(true);
    let other = site.executor();
    assert!(other.connect(Box::new(|_| {})).is_err());
    let standings = other.find(&["r1-1", "r2-1", "r3-1"].map(name));
    assert!(matches!(standings.as_slice(), [Standing::Ended(_), Standing::Unknown, Standing::Unknown]));
    assert!(other.submit(&[site.ends("r4-1", 0, "")]).is_err());
    assert!(other.cancel(&name("r2-1"), "why not").is_err());
    site.hide(false);
    let server = Server::connect(site);
    assert!(matches!(server.find("r2-1"), Standing::Running { .. }));
    assert_eq!((server.find("r3-1"), server.find("r4-1")), (Standing::Queued, Standing::NeverBegan));
    site.release("r2-1");
    server.ended_beside_others("r2-1");
}

pub(super) fn what_is_forgotten_is_not_reported_any_more(site: &impl Site) {
    let server = Server::connect(site);
    server.executor.set_slots(2).unwrap();
    server.submit(&[site.ends("r1-1", 0, "kept for people")]);
    server.started("r1-1");
    server.ended("r1-1");
    server.executor.forget(&[name("r1-1")]).unwrap();
    // It comes after what was said before.
    assert!(matches!(server.find("r1-1"), Standing::Ended(_)));
    let server = Server::connect(site);
    assert_eq!(server.held, []);
    let kept = |server: &Server| server.stdout("r1-1", LogFrom::Begin(0), 99).map(|log| log.bytes);
    assert_eq!(kept(&server).as_deref(), Some(&b"kept for people"[..]));
    let sweep = |over: bool, dry_run| {
        let swept = server.executor.sweep(&|_| over, Duration::ZERO, dry_run);
        assert_eq!(swept.failed, [""; 0]);
        swept.removed
    };
    assert_eq!((sweep(false, false), sweep(true, true)), (0, 1));
    assert!(kept(&server).is_some());
    assert_eq!((sweep(true, false), sweep(true, false)), (1, 0));
    assert_eq!(kept(&server), None);
}

pub(super) fn logs_are_read_by_their_offsets(site: &impl Site) {
    let server = Server::connect(site);
    server.executor.set_slots(2).unwrap();
    assert_eq!(server.stdout("r1-1", LogFrom::Begin(0), 99), None);
    server.submit(&[site.ends("r1-1", 0, "0123456789")]);
    server.started("r1-1");
    server.ended("r1-1");
    for (from, most, bytes, offset) in [
        (LogFrom::Begin(0), 99, "0123456789", 0),
        (LogFrom::Begin(0), 3, "012", 0),
        (LogFrom::Begin(4), 3, "456", 4),
        (LogFrom::Begin(12), 3, "", 10),
        (LogFrom::End(3), 99, "789", 7),
        (LogFrom::End(30), 2, "01", 0),
    ] {
        let expected = LogPart { bytes: bytes.into(), offset, size: 10 };
        assert_eq!(server.stdout("r1-1", from, most), Some(expected), "{from:?} {most}");
    }
    let stderr = server.executor.log(&name("r1-1"), Stream::Stderr, LogFrom::Begin(0), 99).unwrap();
    assert_eq!(stderr, Some(LogPart::default()));
}

pub(super) fn output_is_read_in_the_order_in_which_it_came(site: &impl Site) {
    use Stream::{Stderr, Stdout};
    let server = Server::connect(site);
    server.executor.set_slots(2).unwrap();
    let all = Weave { from: [0, 0], only: None, most: 99, live: false };
    let woven = |asked: &Weave| server.executor.woven(&name("r1-1"), asked).unwrap();
    assert_eq!(woven(&all), None);
    server.submit(&[site.prints("r1-1", &[(Stderr, "one"), (Stdout, "two"), (Stderr, "three")])]);
    server.started("r1-1");
    assert_eq!(server.ended("r1-1").outcome, Outcome::Code(0));
    // Of the words that are asked for: the streams, lengths, and whether more follows.
    let told = |asked: Weave| {
        let Woven { parts, pieces, more } = woven(&asked).unwrap();
        let times: Vec<u64> = pieces.iter().map(|piece| piece.at.expect("a time")).collect();
        assert!(times.is_sorted());
        let texts = parts.map(|part| String::from_utf8(part.bytes).unwrap());
        (texts, pieces.iter().map(|piece| (piece.stream, piece.length)).collect::<Vec<_>>(), more)
    };
    let texts = |out: &str, err: &str| [out.to_owned(), err.to_owned()];
    let whole = vec![(Stderr, 3), (Stdout, 3), (Stderr, 5)];
    assert_eq!(told(all), (texts("two", "onethree"), whole.clone(), false));
    // What has ended is the same for who believes that it goes on.
    assert_eq!(told(Weave { live: true, ..all }), (texts("two", "onethree"), whole, false));
    let rest = vec![(Stdout, 1), (Stderr, 4)];
    assert_eq!(told(Weave { from: [2, 4], ..all }), (texts("o", "hree"), rest, false));
    let stderr = vec![(Stderr, 3), (Stderr, 5)];
    assert_eq!(told(Weave { only: Some(Stderr), ..all }), (texts("", "onethree"), stderr, false));
    // Stdout follows what is cut off here.
    let cut = vec![(Stderr, 2)];
    assert_eq!(told(Weave { most: 2, ..all }), (texts("tw", "on"), cut, true));
    assert_eq!(told(Weave { from: [9, 99], ..all }), (texts("", ""), vec![], false));
}

pub(super) fn an_executor_that_is_stopped_takes_its_attempts_along(site: &impl Site) {
    let server = Server::connect(site);
    server.executor.set_slots(2).unwrap();
    server.submit(&[site.waits("r1-1")]);
    server.started("r1-1");
    server.executor.stop().unwrap();
    while !matches!(server.next(), News::Gone { .. }) {}
    let standing = site.executor().find(&[name("r1-1")]).remove(0);
    assert!(matches!(standing, Standing::Ended(_) | Standing::Lost), "{standing:?}");
}

/// All of it, as tests of what `$site` makes.
macro_rules! suite {
    ($site:expr) => {
        $crate::executor::contract::suite!($site;
            what_is_submitted_starts_and_ends
            one_token_is_one_run
            a_server_that_comes_back_finds_what_goes_on
            the_queue_waits_for_a_place
            what_is_canceled_ends_with_the_reason
            what_is_withdrawn_ends_if_it_has_not_begun
            what_never_began_and_what_is_lost_are_told_apart
            what_cannot_be_reached_is_unknown_and_not_lost
            what_is_forgotten_is_not_reported_any_more
            logs_are_read_by_their_offsets
            output_is_read_in_the_order_in_which_it_came
            an_executor_that_is_stopped_takes_its_attempts_along
        );
    };
    ($site:expr; $($test:ident)*) => {$(
        #[test]
        fn $test() {
            crate::executor::contract::$test(&$site);
        }
    )*};
}
pub(super) use suite;
