//! CloudFront's signed URLs and cookies: the policies that they carry.

pub(crate) fn check(bytes: &[u8]) {
    escale_cdn::fuzzing::signed_policy(bytes);
}
