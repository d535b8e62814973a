//! The yardstick of `tools/bench` for requests: an axum server that answers each with nothing. It prints its port and serves
//! until it is killed, with as many threads as the server has.

use axum::Router;
use std::process::ExitCode;

/// Threads for requests.
const THREADS: usize = databuild_server::THREADS;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("empty_http: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        axum::serve(listener, Router::new().fallback(|| async {})).await
    })
}
