//! Origin groups.

use super::*;

#[tokio::test]
async fn group_fails_over_for_requests_that_may_be_repeated() {
    let primary = start(|_| {}).await;
    let (first, second) = (primary.addr, start(|_| {}).await);
    let r = start(|spec| {
        let port = second.addr.port();
        let origin = |id: &str, port| Origin { id: id.into(), http_port: port, ..spec.origins[0].clone() };
        let (a, b) = (origin("a", first.port()), origin("b", port));
        spec.origins = vec![a, b];
        for origin in &mut spec.origins {
            // The edges in front of both origins have one name.
            origin.headers.insert("host".into(), "cdn.test".into());
        }
        let (first, second) = ("a".into(), "b".into());
        spec.groups = vec![OriginGroup { id: "g".into(), first, second, statuses: vec![404, 500] }];
        spec.default.origin = "g".into();
        spec.default.allowed_methods.push(Method::POST);
    })
    .await;
    assert_eq!(r.get("/x", "").await.body(), "page /x");
    assert_eq!((primary.asked().len(), second.asked().len()), (1, 0));
    // A status of the group.
    assert_eq!(r.get("/missing", "").await.status(), "404", "of the second one");
    assert_eq!((primary.asked().len(), second.asked().len()), (1, 1));
    primary.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(r.get("/y", "").await.body(), "page /y");
    primary.asked();
    second.asked();
    let post = "POST /z HTTP/1.1\r\nHost: cdn.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    // The edge in front of the first origin allows no POST, and its answer stays.
    assert_eq!(ask(r.addr, post).await.status(), "403");
    assert_eq!((primary.asked().len(), second.asked().len()), (0, 0));
}

#[tokio::test]
async fn group_fails_over_when_its_first_origin_is_unreachable() {
    let r = start(|spec| {
        let dead = Origin { id: "dead".into(), http_port: 1, ..spec.origins[0].clone() };
        spec.origins.push(dead);
        let (first, second) = ("dead".into(), "o".into());
        spec.groups = vec![OriginGroup { id: "g".into(), first, second, statuses: vec![500] }];
        spec.default.origin = "g".into();
    })
    .await;
    let answer = r.get("/x", "").await;
    assert_eq!((answer.status(), answer.body()), ("200", "page /x"));
}
