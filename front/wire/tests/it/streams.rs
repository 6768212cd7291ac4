//! Bodies in `aws-chunked` framing: AWS's documented examples, cut into pieces in random ways.

use bytes::Bytes;
use escale_base::{AwsError, Secret, Timestamp};
use escale_wire::checksum::Algorithm;
use escale_wire::identify;
use escale_wire::sigv4::{BodyEnd, BodyReader, Payload, Verifier};
use http::{HeaderMap, request::Parts};
use proptest::prelude::*;

/// From <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>, "Signature calculations: example".
const SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
const CHUNKS: [(usize, &str); 3] = [
    (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
];

/// From <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.
const TRAILER_SEED: &str = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
const TRAILER_CHUNKS: [(usize, &str); 3] = [
    (65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
    (1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
    (0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"),
];
const TRAILER: &str = "x-amz-checksum-crc32c:sOO8/Q==\r\n\
                       x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n";

fn framed(chunks: &[(usize, &str)], trailer: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (size, signature) in chunks {
        body.extend(format!("{size:x};chunk-signature={signature}\r\n").bytes());
        if *size > 0 {
            body.extend(std::iter::repeat_n(b'a', *size));
            body.extend(b"\r\n");
        }
    }
    body.extend(trailer.bytes());
    body.extend(b"\r\n");
    body
}

fn example() -> (Parts, Vec<u8>) {
    let names = "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
                 x-amz-storage-class";
    let request = base(names, SEED, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD").header("content-length", "66824");
    (request.body(()).unwrap().into_parts().0, framed(&CHUNKS, ""))
}

fn example_with_trailer() -> (Parts, Vec<u8>) {
    let names = "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
                 x-amz-storage-class;x-amz-trailer";
    let request = base(names, TRAILER_SEED, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
        .header("x-amz-trailer", "x-amz-checksum-crc32c");
    (request.body(()).unwrap().into_parts().0, framed(&TRAILER_CHUNKS, TRAILER))
}

fn base(names: &str, seed: &str, hash: &str) -> http::request::Builder {
    let line = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders={names},Signature={seed}"
    );
    http::Request::put("/examplebucket/chunkObject.txt")
        .header("host", "s3.amazonaws.com")
        .header("x-amz-date", "20130524T000000Z")
        .header("x-amz-storage-class", "REDUCED_REDUNDANCY")
        .header("authorization", line)
        .header("x-amz-content-sha256", hash)
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", "66560")
}

fn payload(parts: &Parts) -> Result<Payload, AwsError> {
    let target = identify(parts, b"")?;
    let now = Timestamp::parse_iso8601("2013-05-24T00:00:00Z").unwrap();
    let secret = |_: &_| Ok(Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()));
    Ok(Verifier::new().authenticate(&target, parts, None, now, secret)?.expect("it is signed").payload)
}

fn read(payload: &Payload, headers: &HeaderMap, pieces: &[&[u8]]) -> Result<(Vec<u8>, BodyEnd), AwsError> {
    let mut reader = BodyReader::new(payload, headers)?;
    let mut out = Vec::new();
    for piece in pieces {
        reader.feed(Bytes::copy_from_slice(piece), &mut out)?;
    }
    let end = reader.finish()?;
    Ok((out.concat(), end))
}

#[test]
fn reads_the_documented_example() {
    let (parts, body) = example();
    let payload = payload(&parts).unwrap();
    let (data, end) = read(&payload, &parts.headers, &[&body]).unwrap();
    assert_eq!(data, vec![b'a'; 66560]);
    assert_eq!(end, BodyEnd { size_bytes: 66560, checksums: vec![] });
}

#[test]
fn reads_the_documented_example_with_a_trailer() {
    let (parts, body) = example_with_trailer();
    let payload = payload(&parts).unwrap();
    let (data, end) = read(&payload, &parts.headers, &[&body]).unwrap();
    assert_eq!(data.len(), 66560);
    assert_eq!(end.checksums, [(Algorithm::Crc32c, "sOO8/Q==".to_owned())]);
}

#[test]
fn detects_every_flipped_byte() {
    let (parts, body) = example_with_trailer();
    let payload = payload(&parts).unwrap();
    // All of the framing, and some of the data.
    let places = (0..100).chain(65_600..65_800).chain(body.len() - 400..body.len());
    for at in places {
        let mut body = body.clone();
        body[at] ^= 2;
        let found = read(&payload, &parts.headers, &[&body]);
        assert!(found.is_err(), "byte {at} of {}", body.len());
    }
}

#[test]
fn detects_a_body_that_ends_early() {
    let (parts, body) = example();
    let payload = payload(&parts).unwrap();
    for end in [0, 1, 80, 87, 200, 65_623, 65_625, body.len() - 2, body.len() - 1] {
        let error = read(&payload, &parts.headers, &[&body[..end]]).expect_err("cut");
        assert_eq!(error.code, "IncompleteBody", "at {end}");
    }
}

#[test]
fn refuses_an_unsigned_trailer_after_signed_chunks() {
    let (parts, body) = example_with_trailer();
    let payload = payload(&parts).unwrap();
    let text = String::from_utf8(body).unwrap();
    let at = text.find("x-amz-trailer-signature").unwrap();
    let unsigned = format!("{}\r\n", &text[..at]);
    let error = read(&payload, &parts.headers, &[unsigned.as_bytes()]).unwrap_err();
    assert_eq!(error.code, "SignatureDoesNotMatch");
}

fn unsigned(headers: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    map
}

#[test]
fn checks_unsigned_trailers() {
    let headers = unsigned(&[
        ("content-encoding", "aws-chunked"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("x-amz-decoded-content-length", "5"),
    ]);
    let payload = Payload::anonymous(&headers);
    let check = |body: &str, expected: &str| {
        let found = read(&payload, &headers, &[body.as_bytes()]);
        let found = found.map_or_else(|e| e.code, |(data, _)| String::from_utf8(data).unwrap());
        assert_eq!(found, expected, "{body:?}");
    };
    check("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "hello");
    check("2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "hello");
    check("5\r\nhellO\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "BadDigest");
    check("5\r\nhello\r\n0\r\n\r\n", "MalformedTrailerError");
    check("6\r\nhello!\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "IncompleteBody");
    check("4\r\nhell\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "IncompleteBody");
    check("5\r\nhello", "IncompleteBody");
    check("+5\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError");
    check("\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError");
    check("fffffffffffffffff\r\n", "InvalidChunkSizeError");
    check("5\r\nhellooo\r\n0\r\n\r\n", "InvalidChunkSizeError");
    check("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\nmore", "InvalidChunkSizeError");
    check(&"5".repeat(10_000), "InvalidChunkSizeError");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_of_any_size_give_the_same_body(cuts in prop::collection::vec(0usize..67_000, 0..40)) {
        let (parts, body) = example_with_trailer();
        let payload = payload(&parts).unwrap();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(body.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([body.len()]) {
            pieces.push(&body[from..cut]);
            from = cut;
        }
        let (data, end) = read(&payload, &parts.headers, &pieces).unwrap();
        prop_assert_eq!(data, vec![b'a'; 66560]);
        prop_assert_eq!(end.size_bytes, 66560);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
        let (parts, _) = example();
        let signed = payload(&parts).unwrap();
        let headers = unsigned(&[("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", "5")]);
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        let _ = read(&signed, &parts.headers, &[first, second]);
        let _ = read(&Payload::anonymous(&headers), &headers, &[first, second]);
    }
}
