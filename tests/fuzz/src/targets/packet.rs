//! DNS messages, as received over UDP and TCP.

pub(crate) fn check(bytes: &[u8]) {
    if let Some(answer) = escale_dns::fuzzing::answer(bytes) {
        assert!(answer.len() >= 12, "an answer has a header");
        assert_eq!(answer[..2], bytes[..2], "an answer has its question's id");
        assert!(answer[2] & 0x80 != 0, "an answer has the response bit");
    }
}
