use super::*;
use std::collections::BTreeSet;

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Answer, String> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(Answer { status, headers, body: body.to_owned() })
}

fn zones(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn side() -> Side {
    let signed = Signed { right: "r".into(), expired: "e".into(), forged: "f".into() };
    let behaviour = |pattern: &str, is_signed| Behaviour {
        pattern: pattern.into(),
        is_cached: true,
        is_signed,
        object: Some(pattern.replace('*', "a.css")),
        signed: Some(signed.clone()).filter(|_| is_signed),
        in_bucket: Some("b".into()),
        ..Behaviour::default()
    };
    Side {
        name: "local".into(),
        region: "eu-west-3".into(),
        url: "http://shop.localhost:8080".into(),
        http_url: Some("http://shop.localhost:8080".into()),
        https_url: Some("https://shop.localhost:8443".into()),
        pages: vec!["/".into()],
        behaviours: vec![
            behaviour("/static/*", false),
            behaviour("/media/*", true),
            Behaviour { pattern: "*".into(), ..Behaviour::default() },
        ],
        balancers: vec![Balancer {
            id: "LoadBalancer".into(),
            zones: zones(&["a", "b"]),
            expected_zones: 2,
            nodes: ["a", "b"].map(|zone| Node { zone: zone.into(), answers: Ok(true) }).into(),
            groups: vec![TargetGroup { id: "Web".into(), zones: zones(&["a", "b"]), expected_zones: 2 }],
        }],
        databases: vec![Database {
            id: "Db".into(),
            is_public: false,
            admitted: Vec::new(),
            has_internet_route: false,
            answers: Ok(false),
            expects_standby: true,
            has_standby: true,
        }],
        api_listens_at: Some(Vec::new()),
    }
}

/// What a site that keeps every promise answers.
fn answers(side: &Side) -> Answers {
    const VIA: &[(&str, &str)] =
        &[("x-cache", "Miss from cloudfront"), ("via", "1.1 x.cloudfront.net (CloudFront)")];
    let one = |visit: &Visit| match visit.name.split(' ').next() {
        Some("unsigned" | "expired" | "forged" | "bucket") => answer(403, VIA, ""),
        Some("again") => answer(200, &[("x-cache", "Hit from cloudfront"), ("age", "0")], ""),
        Some("api") => answer(403, VIA, "<html>"),
        Some("http") if visit.name.contains("media") => answer(403, VIA, ""),
        _ => answer(200, VIA, ""),
    };
    visits(side).iter().map(|visit| (visit.name.clone(), one(visit))).collect()
}

fn failed(side: &Side, answers: &Answers) -> Vec<(&'static str, String)> {
    observe(side, answers).into_iter().filter(Observation::is_failed).map(|o| (o.check, o.subject)).collect()
}

#[test]
fn names_of_visits_are_unique() {
    let all = visits(&side());
    assert_eq!(all.iter().map(|v| &v.name).collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn a_site_that_keeps_every_promise_passes() {
    let side = side();
    assert_eq!(failed(&side, &answers(&side)), []);
}

#[test]
fn each_broken_promise_is_named() {
    let side = side();
    let cases = [
        ("unsigned /media/*", answer(200, &[], ""), ("signature", "/media/* unsigned")),
        ("expired /media/*", answer(200, &[], ""), ("signature", "/media/* expired")),
        ("forged /media/*", answer(200, &[], ""), ("signature", "/media/* forged")),
        ("right /media/*", answer(403, &[], ""), ("signature", "/media/* right")),
        ("bucket /static/*", answer(200, &[], ""), ("bucket", "/static/* in S3, without the distribution")),
        ("page /", Err("refused".into()), ("page", "/")),
        ("https", Err("the certificate has expired".into()), ("https", "/")),
        ("http *", answer(301, &[("location", "https://shop.localhost:8443/")], ""), ("http", "*")),
        (
            "api with its own host",
            answer(403, &[], "MissingAuthenticationToken"),
            ("api", "the site with its own host"),
        ),
    ];
    for (visit, given, expected) in cases {
        let mut answers = answers(&side);
        assert!(answers.insert(visit.to_owned(), given).is_some(), "{visit} is no visit");
        let found = failed(&side, &answers);
        assert!(found.contains(&(expected.0, expected.1.to_owned())), "{visit}: {found:?}");
    }
}

#[test]
fn an_open_database_and_a_lost_zone_are_named() {
    let mut side = side();
    side.databases[0].admitted = vec!["0.0.0.0/0".into()];
    side.databases[0].answers = Ok(true);
    side.balancers[0].groups[0].zones = zones(&["a"]);
    side.balancers[0].nodes[0].answers = Ok(false);
    let found: Vec<String> = failed(&side, &answers(&side)).into_iter().map(|(_, subject)| subject).collect();
    let expected = [
        "LoadBalancer answers at addresses of",
        "Web has healthy targets in",
        "Db admits address blocks",
        "Db accepts a connection from outside",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_known_is_neither_passed_nor_failed() {
    let mut side = side();
    side.databases[0].answers = Err("this needs root".into());
    side.behaviours[1].object = None;
    let all = observe(&side, &answers(&side));
    let open: Vec<_> =
        all.iter().filter(|o| o.observed.is_none()).map(|o| (o.check, o.note.clone())).collect();
    assert_eq!(
        open,
        [
            ("signature", Some("its bucket has no object to request".to_owned())),
            ("database", Some("this needs root".to_owned()))
        ]
    );
    assert!(!all.iter().any(Observation::is_failed));
}

#[test]
fn a_removed_header_is_a_difference_between_sides() {
    let side = side();
    let mut with = answers(&side);
    with.insert("page /".into(), answer(200, &[("strict-transport-security", "max-age=1")], ""));
    let found = differences(&observe(&side, &with), &observe(&side, &answers(&side)));
    let of_headers: Vec<_> = found.iter().filter(|d| d.check == "headers").collect();
    assert_eq!(of_headers.len(), 1);
    assert_eq!(of_headers[0].subject, "/ strict-transport-security");
    assert_eq!(of_headers[0].second.as_deref(), Some("absent"));
    assert!(!of_headers[0].is_configured);
}

#[test]
fn what_two_environments_configure_differently_is_marked() {
    let local = side();
    let mut prod = side();
    prod.url = "https://shop.example.com".into();
    prod.https_url = Some(prod.url.clone());
    prod.http_url = Some("http://shop.example.com".into());
    for behaviour in &mut prod.behaviours {
        behaviour.protocol = Protocol::RedirectToHttps;
    }
    let mut redirecting = answers(&prod);
    for behaviour in &prod.behaviours {
        let path = behaviour.object.as_deref().unwrap_or("/");
        let to = format!("https://shop.example.com{path}");
        redirecting.insert(format!("http {}", behaviour.pattern), answer(301, &[("location", &to)], ""));
    }
    assert_eq!(failed(&prod, &redirecting), []);
    let found = differences(&observe(&prod, &redirecting), &observe(&local, &answers(&local)));
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|d| d.check == "http" && d.is_configured));
}

#[test]
fn cookies_are_compared_without_their_values() {
    let with = |value: &str| {
        let side = side();
        let mut answers = answers(&side);
        answers.insert("page /".into(), answer(200, &[("set-cookie", value)], ""));
        observe(&side, &answers)
    };
    let first = with("id=1; Path=/; Secure; HttpOnly; Max-Age=5");
    assert_eq!(differences(&first, &with("id=2; HttpOnly; path=/; secure; Expires=x")), []);
    assert_eq!(differences(&first, &with("id=1; Path=/; HttpOnly")).len(), 1);
}
