//! The load balancer's request guard: where heads and bodies end on a connection.

/// A connection must have the same requests whether it is read in one piece or byte by byte: a difference would allow request
/// smuggling.
pub(crate) fn check(bytes: &[u8]) {
    // A head is examined with every piece: one that is long would take its time.
    const MOST_BYTES: usize = 4096;
    let whole = escale_httpguard::fuzzing::requests(bytes, bytes.len());
    let bytes_of = if bytes.len() <= MOST_BYTES { [1, 7] } else { [4000, 7001] };
    for piece in bytes_of {
        assert_eq!(escale_httpguard::fuzzing::requests(bytes, piece), whole, "in pieces of {piece} bytes");
    }
}
