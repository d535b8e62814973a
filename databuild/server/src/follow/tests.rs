use super::super::fuzz::app_with_graph;
use super::super::stream::Stream;
use super::*;
use crate::api::EventsQuery;
use crate::app::events;
use crate::app::wants;
use databuild_core::ids::WantId;
use std::sync::Arc;
use tokio_stream::StreamExt as _;

/// What one event of a stream says: its id, its name and its data.
type Said = (u64, String, serde_json::Value);

/// Somebody who reads a stream.
struct Client {
    body: axum::body::BodyDataStream,
    text: String,
    /// The last id that it was told.
    last: u64,
}

impl Client {
    fn new(app: &App, after: Option<u64>, filter: Filter) -> Client {
        let body = follow(app, after, filter).into_body().into_data_stream();
        Client { body, text: String::new(), last: 0 }
    }

    /// The next event, with those before it that tell nothing.
    async fn next(&mut self) -> Said {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
                };
                let (name, data) = (field("event"), field("data"));
                self.last = field("id").unwrap().parse().unwrap();
                self.text = rest.to_owned();
                if let Some(name) = name {
                    return (self.last, name, serde_json::from_str(&data.unwrap()).unwrap());
                }
            } else {
                let bytes = self.body.next().await.expect("a stream goes on").unwrap();
                self.text.push_str(std::str::from_utf8(&bytes).unwrap());
            }
        }
    }

    /// Numbers of events up to one, of which none is lost.
    async fn until(&mut self, last: u64) -> Vec<u64> {
        let mut seen = Vec::new();
        while seen.last() != Some(&last) {
            let (id, name, data) = self.next().await;
            assert_eq!((name.as_str(), data["seq"].as_u64()), ("event", Some(id)));
            seen.push(id);
        }
        seen
    }
}

async fn want(app: &App, target: &str) -> WantId {
    let body = serde_json::from_value(serde_json::json!({ "targets": [target] })).unwrap();
    let made = wants::create(app, body, None).await.unwrap();
    made.made.want.id.parse().unwrap()
}

/// Makes so many events.
async fn toggle(app: &App, want: WantId, times: u64) {
    for time in 0..times {
        let done = if time % 2 == 0 { wants::pause(app, want).await } else { wants::resume(app, want).await };
        done.unwrap();
    }
}

const DAY: &str = "daily/city=oslo/date=2024-01-05";

/// Followers leave at any point, and come again after what they were told last. Meanwhile the log grows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_follower_is_told_over_all_its_connections_is_the_log() {
    let (app, _running) = app_with_graph().await;
    let want = want(&app, DAY).await;
    let followers: Vec<_> = (0..8_usize)
        .map(|number| {
            let app = app.clone();
            tokio::spawn(async move {
                let (mut seen, mut last) = (Vec::new(), 0);
                for round in 0..12 {
                    let mut client = Client::new(&app, Some(last), Filter::default());
                    for _ in 0..(number * 7 + round * 5) % 11 {
                        seen.push(client.next().await.0);
                    }
                    last = client.last.max(last);
                }
                let mut client = Client::new(&app, Some(last), Filter::default());
                while seen.last() != Some(&302) {
                    seen.push(client.next().await.0);
                }
                seen
            })
        })
        .collect();
    toggle(&app, want, 300).await;
    assert_eq!(committed(&app), 302);
    for follower in followers {
        assert_eq!(follower.await.unwrap(), (1..=302).collect::<Vec<u64>>());
    }
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_told_what_it_lost() {
    let (mut app, _running) = app_with_graph().await;
    Arc::make_mut(&mut app.shared).stream = Arc::new(Stream::keeping(4_000));
    let want = want(&app, DAY).await;
    let mut slow = Client::new(&app, Some(0), Filter::default());
    let mut fast = Client::new(&app, Some(0), Filter::default());
    assert_eq!(slow.next().await.0, 1);
    for _ in 0..40 {
        toggle(&app, want, 10).await;
        let last = committed(&app);
        fast.until(last).await;
    }
    let (mut next, mut lost) = (2, 0);
    while next <= committed(&app) {
        let (id, name, data) = slow.next().await;
        if name == "lost" {
            assert_eq!((data["from"].as_u64(), data["to"].as_u64()), (Some(next), Some(id)));
            lost += id - next + 1;
        } else {
            assert_eq!((id, name.as_str()), (next, "event"));
        }
        next = id + 1;
    }
    assert!(lost > 100, "{lost}");
    // Each of them is to be had by its number.
    assert_eq!(events::get(&app, "100").await.unwrap().seq, 100);
    assert_eq!(events::get(&app, "1000").await.unwrap_err().code(), "event_not_found");
}

#[tokio::test]
async fn who_asks_for_nothing_begins_now_and_who_asks_for_the_future_too() {
    let (app, _running) = app_with_graph().await;
    let want = want(&app, DAY).await;
    let mut clients =
        [Client::new(&app, None, Filter::default()), Client::new(&app, Some(999), Filter::default())];
    toggle(&app, want, 1).await;
    for client in &mut clients {
        let (id, name, data) = client.next().await;
        assert_eq!((id, name.as_str(), data["kind"].as_str()), (3, "event", Some("want_paused")));
        assert_eq!(data["data"], serde_json::json!({"want": want.to_string()}));
        assert_eq!(data["about"], serde_json::json!({"wants": [want.to_string()]}));
    }
}

#[tokio::test]
async fn events_are_written_once_for_all_followers_and_read_only_as_long_as_there_are_any() {
    let (app, _running) = app_with_graph().await;
    let want = want(&app, DAY).await;
    let begin = || follow(&app, None, Filter::default()).into_body().into_data_stream();
    let mut followers: Vec<_> = (0..20).map(|_| begin()).collect();
    for follower in &mut followers {
        follower.next().await.unwrap().unwrap();
    }
    toggle(&app, want, 1).await;
    let mut told = Vec::new();
    for follower in &mut followers {
        told.push(follower.next().await.unwrap().unwrap());
    }
    assert!(told.iter().all(|bytes| bytes.as_ptr() == told[0].as_ptr()), "they share the bytes");
    drop(followers);
    toggle(&app, want, 2).await;
    while app.stream.recent().is_read {
        toggle(&app, want, 2).await;
    }
    assert_eq!(app.stream.recent().chunks.len(), 0);
    assert_eq!(Client::new(&app, Some(1), Filter::default()).next().await.0, 2);
}

/// Pages follow what other followers do, so the log is read once for all of them.
#[tokio::test]
async fn pages_learn_what_moved_from_the_same_events() {
    let (mut app, _running) = app_with_graph().await;
    Arc::make_mut(&mut app.shared).stream = Arc::new(Stream::keeping(4_000));
    let want = want(&app, DAY).await;
    let mut client = Client::new(&app, None, Filter::default());
    let (mut page, begin) = join(&app);
    assert_eq!((begin, app.stream.followers()), (2, 2));
    toggle(&app, want, 2).await;
    client.until(4).await;
    page.newest.wait_for(|newest| *newest == 4).await.unwrap();
    let (moved, until) = page.moved(begin, None);
    assert_eq!(
        (moved.into_iter().collect::<Vec<_>>(), until),
        (vec!["want:w1".to_owned(), "wants".to_owned()], 4)
    );
    assert_eq!(page.moved(until, None), (Default::default(), until));
    // Who is told nothing for long enough looks at everything.
    for _ in 0..40 {
        toggle(&app, want, 10).await;
        client.until(committed(&app)).await;
    }
    let (moved, to) = page.moved(until, None);
    assert!(moved.contains("*") && moved.len() == 1 && to > until, "{moved:?}");
    assert_eq!(page.moved(committed(&app), None).0.len(), 0);
}

async fn filter(app: &App, query: serde_json::Value) -> Filter {
    events::filter(app, serde_json::from_value(query).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_follower_is_told_what_it_asks_for() {
    let (app, _running) = app_with_graph().await;
    let (one, other) =
        (want(&app, DAY).await, want(&app, "daily/city=rome/date=2024-01-01..2024-01-31").await);
    toggle(&app, one, 2).await;
    toggle(&app, other, 1).await;
    wants::cancel(&app, other).await.unwrap();
    let last = committed(&app);
    let cases = [
        (serde_json::json!({}), (1..=last).collect::<Vec<u64>>()),
        (serde_json::json!({"want": one.to_string()}), vec![2, 4, 5]),
        (serde_json::json!({"ref": "daily/city=oslo/date=2024-01-01..2024-02-01"}), vec![2]),
        (serde_json::json!({"ref": "daily/date=2024-01-07"}), vec![3]),
        (serde_json::json!({"ref": "daily/date=2024-02-07"}), vec![]),
        (serde_json::json!({"dataset": "daily"}), vec![2, 3]),
        (serde_json::json!({"dataset": "customer"}), vec![]),
        (serde_json::json!({"kind": "want_paused,want_resumed", "want": other.to_string()}), vec![6]),
        (serde_json::json!({"actor": "system"}), (1..=last).collect()),
        (serde_json::json!({"actor": "ada"}), vec![]),
    ];
    for (query, expected) in cases {
        let asked: EventsQuery = serde_json::from_value(query.clone()).unwrap();
        let listed: Vec<u64> =
            events::list(&app, asked).await.unwrap().data.iter().map(|row| row.seq).collect();
        assert_eq!(listed, expected, "{query}");
        let mut client = Client::new(&app, Some(0), filter(&app, query.clone()).await);
        for expected in expected {
            assert_eq!(client.next().await.0, expected, "{query}");
        }
    }
    let bad = [
        (serde_json::json!({"kind": "want_pause"}), "unknown_word"),
        (serde_json::json!({"want": "x"}), "want_not_found"),
        (serde_json::json!({"dataset": "dail"}), "unknown_dataset"),
    ];
    for (query, code) in bad {
        let refused = events::filter(&app, serde_json::from_value(query).unwrap()).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
    }
}
