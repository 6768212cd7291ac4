//! The stream between the socket and the HTTP/1 server.

use crate::{
    Meter,
    chunked::Chunks,
    head::{self, Framing},
    idle::IdleTimer,
};
use bytes::{Buf, BytesMut};
use std::{
    io,
    pin::Pin,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The path of the request that replaces a refused one.
static REFUSED_PATH: LazyLock<String> =
    LazyLock::new(|| format!("/{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()));
const READ_BYTES: usize = 16 * 1024;
/// After a refusal this much is still read and discarded, so that the client reads the page instead of getting a reset.
const LINGER_BYTES: usize = 1024 * 1024;
const LINGER: Duration = Duration::from_secs(2);

/// State of one connection that the guard and the server share.
#[derive(Default)]
pub struct Link {
    refused: AtomicU16,
    /// Requests that wait for a server's answer: meanwhile silence is the server's, not the client's.
    awaiting: AtomicUsize,
    upgrade: AtomicU8,
    /// The last released head has a body of which nothing has arrived, and its client may be waiting for `100 Continue`.
    withheld: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

const UPGRADE_OPEN: u8 = 0;
const UPGRADE_TUNNEL: u8 = 1;
const UPGRADE_REFUSED: u8 = 2;

impl Link {
    /// The status to refuse with, when `path` is that of a refused request.
    pub fn refusal(&self, path: &str) -> Option<u16> {
        let refused = self.refused.load(SeqCst);
        (refused != 0 && path == *REFUSED_PATH).then_some(refused)
    }

    pub fn await_answer(self: &Arc<Link>) -> Awaiting {
        self.awaiting.fetch_add(1, SeqCst);
        Awaiting(self.clone())
    }

    /// Whether the client may never send the body of the request that is being answered: it waits for `100 Continue`, and gets an
    /// answer instead. The next bytes may then be the body or the next request, so the connection
    /// must end with this answer (RFC 9110, 10.1.1).
    pub fn is_body_withheld(&self) -> bool {
        self.withheld.load(SeqCst)
    }

    /// Reports the result of a request to upgrade. Until then nothing more is read.
    pub fn upgraded(&self, tunnel: bool) {
        self.upgrade.store(if tunnel { UPGRADE_TUNNEL } else { UPGRADE_REFUSED }, SeqCst);
        if let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }
}

/// While it exists, the client's silence is no reason to close the connection.
pub struct Awaiting(Arc<Link>);

impl Drop for Awaiting {
    fn drop(&mut self) {
        self.0.awaiting.fetch_sub(1, SeqCst);
    }
}

/// Whether the server behind the guard allows a client to leave HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrades {
    /// The server decides on each request, and reports it by [`Link::upgraded`].
    Decided,
    /// Never: a request to upgrade is treated like any other.
    Never,
}

/// Releases to its reader only complete, unambiguous heads, and the bodies that belong to them.
pub struct Guard<S> {
    inner: S,
    link: Arc<Link>,
    meter: Arc<dyn Meter>,
    upgrades: Upgrades,
    /// Bytes read from the socket; the first `released` bytes may be passed on.
    buf: BytesMut,
    released: usize,
    /// So many bytes of `buf` were examined and are not a complete head.
    examined: usize,
    state: State,
    idle: IdleTimer,
    linger: Option<(Pin<Box<tokio::time::Sleep>>, usize)>,
}

#[derive(Debug)]
enum State {
    Head,
    Sized(u64),
    Chunked(Chunks),
    /// A head that asks for an upgrade was released.
    Undecided,
    Tunnel,
    Refused,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    pub fn new(
        inner: S,
        link: Arc<Link>,
        meter: Arc<dyn Meter>,
        upgrades: Upgrades,
        idle: Duration,
    ) -> Guard<S> {
        let idle = IdleTimer::new(idle);
        let buf = BytesMut::new();
        let (state, linger) = (State::Head, None);
        Guard { inner, link, meter, upgrades, buf, released: 0, examined: 0, state, idle, linger }
    }

    /// Whether the client starts with HTTP/2's preface. Reads, but releases nothing.
    pub async fn is_http2(&mut self) -> io::Result<bool> {
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        loop {
            let known = self.buf.len().min(PREFACE.len());
            if self.buf[..known] != PREFACE[..known] {
                return Ok(false);
            }
            if known == PREFACE.len() {
                self.state = State::Tunnel;
                return Ok(true);
            }
            if std::future::poll_fn(|cx| self.fill(cx)).await? == 0 {
                return Ok(false);
            }
        }
    }

    /// Reads more into `buf`.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [std::mem::MaybeUninit::uninit(); READ_BYTES];
        let mut read = ReadBuf::uninit(&mut space);
        match Pin::new(&mut self.inner).poll_read(cx, &mut read) {
            Poll::Pending => self.check_idle(cx),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Ready(Ok(())) => {
                let got = read.filled();
                self.buf.extend_from_slice(got);
                self.idle.moved();
                self.meter.received(got.len() as u64);
                Poll::Ready(Ok(got.len()))
            }
        }
    }

    /// Pending, or the error that closes an idle connection.
    fn check_idle<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        while self.idle.poll(cx).is_ready() {
            if self.link.awaiting.load(SeqCst) == 0 {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            // The wait for the answer has a timer of its own; check again later.
            self.idle.moved();
        }
        Poll::Pending
    }

    fn refuse(&mut self, status: u16) {
        self.link.refused.store(status, SeqCst);
        let stand_in = format!("GET {} HTTP/1.1\r\nHost: -\r\nConnection: close\r\n\r\n", *REFUSED_PATH);
        self.buf.clear();
        self.buf.extend_from_slice(stand_in.as_bytes());
        self.released = self.buf.len();
        self.state = State::Refused;
    }

    /// One step towards released bytes; `Ready(Ok(false))` is the end of the stream.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match &mut self.state {
            State::Head if self.examined > 0 && !head::has_news(&self.buf, self.examined) => {
                self.examined = self.buf.len();
                return Poll::Ready(Ok(ready!(self.fill(cx))? > 0));
            }
            State::Head => match head::examine(&self.buf) {
                Ok(None) => {
                    self.examined = self.buf.len();
                    // An end within a head: the server sees the end, and no client waits for an answer.
                    return Poll::Ready(Ok(ready!(self.fill(cx))? > 0));
                }
                Ok(Some(head)) => {
                    (self.released, self.examined) = (head.len, 0);
                    self.link.withheld.store(head.waits_to_continue, SeqCst);
                    self.state = match head.framing {
                        Framing::Sized(0) => State::Head,
                        Framing::Sized(n) => State::Sized(n),
                        Framing::Chunked => State::Chunked(Chunks::default()),
                        Framing::Upgrade if self.upgrades == Upgrades::Never => State::Head,
                        Framing::Upgrade => {
                            self.link.upgrade.store(UPGRADE_OPEN, SeqCst);
                            State::Undecided
                        }
                    };
                }
                Err(status) => self.refuse(status),
            },
            State::Undecided => {
                *self.link.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
                match self.link.upgrade.load(SeqCst) {
                    UPGRADE_TUNNEL => self.state = State::Tunnel,
                    UPGRADE_REFUSED => self.state = State::Head,
                    _ => return Poll::Pending,
                }
            }
            // Reporting the end here would make the server drop the page; the server closes after the page by itself.
            State::Refused => return Poll::Pending,
            _ if self.buf.is_empty() => return Poll::Ready(Ok(ready!(self.fill(cx))? > 0)),
            State::Tunnel => self.released = self.buf.len(),
            State::Sized(left) => {
                self.link.withheld.store(false, SeqCst);
                let part = usize::try_from(*left).map_or(self.buf.len(), |n| n.min(self.buf.len()));
                self.released = part;
                *left -= part as u64;
                if *left == 0 {
                    self.state = State::Head;
                }
            }
            State::Chunked(chunks) => {
                self.link.withheld.store(false, SeqCst);
                let (part, end) = chunks.advance(&self.buf).map_err(io::Error::other)?;
                self.released = part;
                if end {
                    self.state = State::Head;
                }
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.released == 0 {
            if !ready!(this.advance(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
        let part = this.released.min(out.remaining());
        out.put_slice(&this.buf[..part]);
        this.buf.advance(part);
        this.released -= part;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write(cx, data);
        this.wrote(cx, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write_vectored(cx, data);
        this.wrote(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            if !matches!(this.state, State::Refused) {
                return Poll::Ready(Ok(()));
            }
        }
        this.linger(cx).map(Ok)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    fn wrote(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Pending => return self.check_idle(cx),
            Poll::Ready(Ok(n)) => {
                self.idle.moved();
                self.meter.sent(*n as u64);
            }
            Poll::Ready(Err(_)) => {}
        }
        polled
    }

    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (timer, left) =
            self.linger.get_or_insert_with(|| (Box::pin(tokio::time::sleep(LINGER)), LINGER_BYTES));
        let mut space = [std::mem::MaybeUninit::uninit(); READ_BYTES];
        loop {
            let mut read = ReadBuf::uninit(&mut space);
            match Pin::new(&mut self.inner).poll_read(cx, &mut read) {
                Poll::Pending => return Future::poll(timer.as_mut(), cx),
                Poll::Ready(Ok(())) if !read.filled().is_empty() && *left > 0 => {
                    *left = left.saturating_sub(read.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
    }
}
