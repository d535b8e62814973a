//! A connection whose other end has to read.
//!
//! A client that asks and does not read what it is answered would hold its connection, and the answer, for ever. So a write
//! that makes no progress for a while is an error, which ends the connection. That nothing is to be written is none.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Whether a connection is written to for as long as it takes; all parts that know of it share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Unhurried(Arc<AtomicBool>);

impl Unhurried {
    /// Sets it for what is written from now on.
    pub(super) fn set(&self, unhurried: bool) {
        self.0.store(unhurried, Ordering::Relaxed);
    }
}

/// A stream whose writes make progress or fail.
pub(super) struct Progressing<S> {
    stream: S,
    patience: Duration,
    unhurried: Unhurried,
    /// Until when the write that is under way may make no progress.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Progressing<S> {
    pub(super) fn new(stream: S, patience: Duration, unhurried: Unhurried) -> Progressing<S> {
        Progressing { stream, patience, unhurried, until: None }
    }

    /// What came of a write, or that it has taken too long.
    fn timed<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() || self.unhurried.0.load(Ordering::Relaxed) {
            self.until = None;
            return written;
        }
        let begin = || Box::pin(tokio::time::sleep_until(Instant::now() + self.patience));
        match self.until.get_or_insert_with(begin).as_mut().poll(context) {
            Poll::Ready(()) => {
                let seconds = self.patience.as_secs();
                let error = format!("the other end has read nothing for {seconds} s");
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, error)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Progressing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Progressing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.timed(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.timed(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    /// What is written to has room for so many bytes.
    struct Pipe(usize);

    impl AsyncWrite for Pipe {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let written = bytes.len().min(self.0);
            self.0 -= written;
            if written == 0 {
                Poll::Pending
            } else {
                Poll::Ready(Ok(written))
            }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Writes a byte as soon as there is room.
    async fn write(stream: &mut Progressing<Pipe>) -> io::Result<usize> {
        std::future::poll_fn(|context| Pin::new(&mut *stream).poll_write(context, &[7])).await
    }

    /// Whether a byte can be written now, and whether the time of a write runs then.
    async fn tried(stream: &mut Progressing<Pipe>) -> (bool, bool) {
        let once = |context: &mut Context<'_>| Poll::Ready(Pin::new(&mut *stream).poll_write(context, &[7]));
        let done = std::future::poll_fn(once).await.is_ready();
        (done, stream.until.is_some())
    }

    #[tokio::test]
    async fn a_write_fails_when_nothing_is_read_for_a_while() {
        let mut stream = Progressing::new(Pipe(1), Duration::from_millis(20), Unhurried::default());
        assert_eq!(write(&mut stream).await.unwrap(), 1);
        assert_eq!(write(&mut stream).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    /// How long it has taken until then does not count.
    #[tokio::test]
    async fn any_progress_begins_the_time_anew() {
        let unhurried = Unhurried::default();
        let mut stream = Progressing::new(Pipe(1), Duration::from_secs(1_000), unhurried.clone());
        assert_eq!(tried(&mut stream).await, (true, false));
        assert_eq!(tried(&mut stream).await, (false, true));
        stream.stream.0 = 1;
        assert_eq!(tried(&mut stream).await, (true, false));
        assert_eq!(tried(&mut stream).await, (false, true));
        // Whoever follows something may take any time.
        unhurried.set(true);
        assert_eq!(tried(&mut stream).await, (false, false));
    }
}
