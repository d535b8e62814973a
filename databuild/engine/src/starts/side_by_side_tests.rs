//! What others are asked about one attempt holds up no other.

use super::*;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender};

/// Answers a request.
fn answer(mut stream: &TcpStream) {
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.take_while(|line| !line.is_empty()).count() > 0);
    let answer = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.write_all(answer.as_bytes()).unwrap();
}

/// A server that answers at once, but for requests that somebody takes, and its URL.
fn web() -> (String, Sender<Sender<TcpStream>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/raw", listener.local_addr().unwrap());
    let (take, takers) = mpsc::channel::<Sender<TcpStream>>();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            match takers.try_recv() {
                Ok(taker) => taker.send(stream.unwrap()).unwrap(),
                Err(_) => answer(&stream.unwrap()),
            }
        }
    });
    (url, take)
}

fn prepared(inbox: &Receiver<Message>) -> u64 {
    loop {
        match inbox.recv_timeout(Duration::from_secs(60)).unwrap() {
            Message::Prepared(prepared) => return prepared[0].turn,
            Message::Input(_) => {}
            _ => unreachable!(),
        }
    }
}

#[test]
fn a_server_that_answers_late_holds_up_only_who_asks_it() {
    let (url, take) = web();
    let observe = json!({"kind": "http", "url": url, "timeout_ms": 60_000, "every_ms": 0});
    let mut bench = Bench::new(dataset("raw", true, None, observe));
    bench.want("out");
    let Some(Effect::Start(spec)) = bench.effects.pop_front() else { panic!("nothing is leased") };
    let (give, orders) = mpsc::channel();
    let (to_loop, inbox) = mpsc::channel();
    let (examine, _ended) = mpsc::channel();
    let lease = |turn| {
        let state = Arc::clone(&bench.starter.shared.snapshot.load_full().state);
        LookOrder::Start(Lease { spec: spec.clone(), turn, state, told: Arc::default() })
    };
    let (starter, orders) = (&bench.starter, Orders::of(orders));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (orders, to_loop, examine) = (orders.clone(), to_loop.clone(), examine.clone());
            scope.spawn(move || super::starter(starter, &orders, &to_loop, None, &examine));
        }
        let (taker, taken) = mpsc::channel();
        take.send(taker).unwrap();
        give.send(lease(1)).unwrap();
        let late = taken.recv_timeout(Duration::from_secs(60)).unwrap();
        give.send(lease(2)).unwrap();
        assert_eq!(prepared(&inbox), 2);
        answer(&late);
        assert_eq!(prepared(&inbox), 1);
        drop(give);
    });
}
