//! The load balancer's request guard: where heads and bodies end on a connection.

/// A connection must have the same requests whether it is read in one piece or byte by byte: a difference would allow request
/// smuggling.
pub(crate) fn check(bytes: &[u8]) {
    // The guard examines the whole head again with every piece, so tiny pieces of a long head would take quadratic time.
    const MOST_BYTES: usize = 4096;
    let whole = escale_httpguard::fuzzing::requests(bytes, bytes.len());
    let sizes = if bytes.len() <= MOST_BYTES { [1, 7] } else { [4000, 7001] };
    for piece in sizes {
        assert_eq!(escale_httpguard::fuzzing::requests(bytes, piece), whole, "in pieces of {piece} bytes");
    }
}
