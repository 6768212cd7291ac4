//! One connection to whichever of several addresses answers first.

use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{future::Future, io, time::Duration};

/// The pause before the next address is tried, too: the "connection attempt delay" of RFC 8305 (section 5).
const PAUSE: Duration = Duration::from_millis(250);

/// Connects to the first address that answers. The next one is tried as soon as one fails, or does not answer in time; so a dead
/// node of a load balancer costs a moment only, until its address leaves DNS. The error is that of the last one.
pub async fn first_answer<A, T, F>(
    addresses: impl IntoIterator<Item = A>,
    connect: impl Fn(A) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut addresses = addresses.into_iter().peekable();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    loop {
        if attempts.is_empty() {
            let Some(address) = addresses.next() else { return Err(last) };
            attempts.push(connect(address));
        }
        let pause = async {
            match addresses.peek() {
                Some(_) => tokio::time::sleep(PAUSE).await,
                None => std::future::pending().await,
            }
        };
        let answer = tokio::select! {
            answer = attempts.next() => answer,
            () = pause => None,
        };
        match answer {
            Some(Ok(connection)) => return Ok(connection),
            Some(Err(error)) => last = error,
            None => attempts.extend(addresses.next().map(&connect)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_answer;
    use std::{io, time::Duration};
    use tokio::time::Instant;

    /// 0 hangs, an odd number fails, another one answers.
    async fn try_all(addresses: &[u32]) -> (Result<u32, String>, Duration) {
        let begun = Instant::now();
        let connect = |address: u32| async move {
            match address {
                0 => std::future::pending().await,
                n if n % 2 == 1 => Err(io::Error::other(format!("{n} failed"))),
                n => Ok(n),
            }
        };
        let attempt = first_answer(addresses.iter().copied(), connect);
        let within = tokio::time::timeout(Duration::from_secs(60), attempt).await;
        let result = within.map_or_else(|_| Err("no end".to_owned()), |r| r.map_err(|e| e.to_string()));
        (result, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_a_moment_and_a_failed_one_nothing() {
        let ms = |n| Duration::from_millis(n);
        assert_eq!(try_all(&[2, 0]).await, (Ok(2), ms(0)));
        assert_eq!(try_all(&[1, 3, 4]).await, (Ok(4), ms(0)));
        assert_eq!(try_all(&[0, 2]).await, (Ok(2), ms(250)));
        assert_eq!(try_all(&[0, 0, 1, 2]).await, (Ok(2), ms(750)));
        assert_eq!(try_all(&[1, 3]).await, (Err("3 failed".into()), ms(0)));
        assert_eq!(try_all(&[]).await, (Err("it has no address".into()), ms(0)));
        assert_eq!(try_all(&[0, 1]).await.0, Err("no end".into()));
    }
}
