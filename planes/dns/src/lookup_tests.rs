use super::*;
use crate::spec::{self, Record as R, Routing};
use expect_test::{Expect, expect};
use rand::{SeedableRng, rngs::StdRng};
use std::fmt::Write;
use std::sync::Arc;

fn shop() -> spec::Zone {
    spec::Zone::new("example.com", &["ns1.example.com", "ns2.example.net"], 7)
        .with(R::simple("example.com", Kind::MX, 300, &["10 mail.example.com"]))
        .with(R::simple("ns1.example.com", Kind::A, 60, &["192.0.2.53"]))
        .with(R::simple("www.example.com", Kind::CNAME, 60, &["Web.Example.com"]))
        .with(R::simple("web.example.com", Kind::A, 60, &["192.0.2.1"]))
        .with(R::alias("apex.example.com", Kind::A, "web.example.com"))
        .with(R::alias("twice.example.com", Kind::A, "apex.example.com"))
        .with(R::alias("later.example.com", Kind::A, "nothing.example.com"))
        .with(R::alias("star-alias.example.com", Kind::A, "q.wild.example.com"))
        .with(R::simple("*.wild.example.com", Kind::A, 60, &["192.0.2.2"]))
        .with(R::simple("a.b.wild.example.com", Kind::TXT, 60, &["\"deep\""]))
        .with(R::simple("*.c.example.com", Kind::CNAME, 60, &["web.example.com"]))
        .with(R::simple("loop1.example.com", Kind::CNAME, 60, &["loop2.example.com"]))
        .with(R::simple("loop2.example.com", Kind::CNAME, 60, &["loop1.example.com"]))
        .with(R::simple("lost.example.com", Kind::CNAME, 60, &["none.example.com"]))
        .with(R::simple("away.example.com", Kind::CNAME, 60, &["x.example.org"]))
        .with(R::simple("out.example.com", Kind::CNAME, 60, &["www.elsewhere.test"]))
        .with(R::simple("team.example.com", Kind::NS, 60, &["ns.team.example.com", "ns.other.test"]))
        .with(R::simple("ns.team.example.com", Kind::A, 60, &["192.0.2.54"]))
        .with(R::simple("hidden.team.example.com", Kind::A, 60, &["192.0.2.66"]))
}

fn other() -> spec::Zone {
    spec::Zone::new("example.org", &["ns.example.org"], 1).with(R::simple(
        "x.example.org",
        Kind::A,
        60,
        &["198.51.100.1"],
    ))
}

fn inner() -> spec::Zone {
    spec::Zone::new("shop.internal", &["ns.shop.internal"], 1)
        .with(R::simple("db.shop.internal", Kind::CNAME, 5, &["x.example.org"]))
        .with(R::alias("web.shop.internal", Kind::A, "web.example.com"))
}

fn compile(zones: Vec<spec::Zone>, behind: Option<&Zones>) -> Zones {
    Zones::compile(&zones.into_iter().map(Arc::new).collect::<Vec<_>>(), behind).unwrap()
}

fn show(reply: &Reply) -> String {
    let mut text = format!("{}", reply.code);
    for (on, flag) in [(reply.authoritative, "aa"), (reply.recursion_available, "ra")] {
        if on {
            write!(text, " {flag}").unwrap();
        }
    }
    if let Some(name) = &reply.forward {
        write!(text, " forward={name}").unwrap();
    }
    let sections =
        [("", &reply.answers), ("authority ", &reply.authority), ("additional ", &reply.additional)];
    for (section, records) in sections {
        let mut lines: Vec<String> = records.iter().map(|r| format!("\n{section}{r}")).collect();
        if !section.is_empty() {
            lines.sort();
        }
        text.extend(lines);
    }
    text
}

fn check(name: &str, kind: RecordType, expected: Expect) {
    let zones = compile(vec![shop(), other()], None);
    let name = Name::from_ascii(name).unwrap();
    expected.assert_eq(&show(&authoritative(&zones, &name, kind, &mut StdRng::seed_from_u64(1))));
}

fn check_resolver(name: &str, upstream: bool, expected: Expect) {
    let public = compile(vec![shop(), other()], None);
    let own = compile(vec![inner(), spec::Zone::new("c.example.com", &[], 1)], Some(&public));
    let name = Name::from_ascii(name).unwrap();
    let mut dice = StdRng::seed_from_u64(1);
    expected.assert_eq(&show(&resolver(&[&own, &public], &name, RecordType::A, upstream, &mut dice)));
}

#[test]
fn answers_records_of_a_zone() {
    check(
        "web.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        web.example.com. 60 IN A 192.0.2.1"#]],
    );
    check(
        "WEB.example.COM.",
        RecordType::A,
        expect![[r#"
        No Error aa
        WEB.example.COM. 60 IN A 192.0.2.1"#]],
    );
    check(
        "apex.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        apex.example.com. 60 IN A 192.0.2.1"#]],
    );
    check(
        "twice.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        twice.example.com. 60 IN A 192.0.2.1"#]],
    );
    check(
        "star-alias.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        star-alias.example.com. 60 IN A 192.0.2.2"#]],
    );
    check(
        "example.com.",
        RecordType::MX,
        expect![[r#"
        No Error aa
        example.com. 300 IN MX 10 mail.example.com."#]],
    );
    check(
        "example.com.",
        RecordType::SOA,
        expect![[r#"
        No Error aa
        example.com. 900 IN SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60"#]],
    );
    check(
        "web.example.com.",
        RecordType::ANY,
        expect![[r#"
        No Error aa
        web.example.com. 3600 IN HINFO RFC8482 "#]],
    );
}

#[test]
fn distinguishes_no_name_from_no_data() {
    check(
        "nope.example.com.",
        RecordType::A,
        expect![[r#"
        Non-Existent Domain aa
        authority example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60"#]],
    );
    check(
        "web.example.com.",
        RecordType::AAAA,
        expect![[r#"
        No Error aa
        authority example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60"#]],
    );
    check(
        "wild.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        authority example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60"#]],
    );
    check(
        "later.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        authority example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60"#]],
    );
    check(
        "web.example.com.",
        RecordType::HTTPS,
        expect![[r#"
        No Error aa
        authority example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60"#]],
    );
    check("elsewhere.test.", RecordType::A, expect!["Query Refused"]);
    check("com.", RecordType::A, expect!["Query Refused"]);
    check("example.com.", RecordType::AXFR, expect!["Query Refused"]);
}

#[test]
fn follows_cnames_and_aliases() {
    check(
        "www.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        www.example.com. 60 IN CNAME Web.Example.com.
        Web.Example.com. 60 IN A 192.0.2.1"#]],
    );
    check(
        "www.example.com.",
        RecordType::CNAME,
        expect![[r#"
        No Error aa
        www.example.com. 60 IN CNAME Web.Example.com."#]],
    );
    check(
        "lost.example.com.",
        RecordType::A,
        expect![[r#"
        Non-Existent Domain aa
        lost.example.com. 60 IN CNAME none.example.com.
        authority example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60"#]],
    );
    check(
        "away.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        away.example.com. 60 IN CNAME x.example.org."#]],
    );
    check(
        "x.c.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        x.c.example.com. 60 IN CNAME web.example.com.
        web.example.com. 60 IN A 192.0.2.1"#]],
    );
    let zones = compile(vec![shop()], None);
    let name = Name::from_ascii("loop1.example.com.").unwrap();
    let reply = authoritative(&zones, &name, RecordType::A, &mut StdRng::seed_from_u64(1));
    assert_eq!((reply.code, reply.answers.len()), (ResponseCode::NoError, limits::CNAME_LINKS));
}

#[test]
fn wildcards_answer_missing_names() {
    check(
        "q.wild.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        q.wild.example.com. 60 IN A 192.0.2.2"#]],
    );
    check(
        "p.q.wild.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        p.q.wild.example.com. 60 IN A 192.0.2.2"#]],
    );
    check(
        "q.wild.example.com.",
        RecordType::TXT,
        expect![[r#"
        No Error aa
        authority example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60"#]],
    );
    // A name that exists, even if only through names below it, is not covered (RFC 4592 section 2.2.1).
    check(
        "b.wild.example.com.",
        RecordType::A,
        expect![[r#"
        No Error aa
        authority example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60"#]],
    );
    check(
        "z.b.wild.example.com.",
        RecordType::A,
        expect![[r#"
        Non-Existent Domain aa
        authority example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60"#]],
    );
}

#[test]
fn refers_to_delegated_zones() {
    check(
        "team.example.com.",
        RecordType::A,
        expect![[r#"
        No Error
        authority team.example.com. 60 IN NS ns.other.test.
        authority team.example.com. 60 IN NS ns.team.example.com.
        additional ns.team.example.com. 60 IN A 192.0.2.54"#]],
    );
    check(
        "hidden.team.example.com.",
        RecordType::A,
        expect![[r#"
        No Error
        authority team.example.com. 60 IN NS ns.other.test.
        authority team.example.com. 60 IN NS ns.team.example.com.
        additional ns.team.example.com. 60 IN A 192.0.2.54"#]],
    );
    check(
        "team.example.com.",
        RecordType::DS,
        expect![[r#"
        No Error aa
        authority example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60"#]],
    );
}

#[test]
fn resolver_answers_the_zones_of_its_view() {
    check_resolver(
        "web.shop.internal.",
        false,
        expect![[r#"
        No Error ra
        web.shop.internal. 60 IN A 192.0.2.1"#]],
    );
    check_resolver(
        "db.shop.internal.",
        false,
        expect![[r#"
        No Error ra
        db.shop.internal. 5 IN CNAME x.example.org.
        x.example.org. 60 IN A 198.51.100.1"#]],
    );
    check_resolver(
        "none.shop.internal.",
        true,
        expect![[r#"
        Non-Existent Domain ra
        authority shop.internal. 60 IN SOA ns.shop.internal. hostmaster.shop.internal. 1 7200 900 1209600 60"#]],
    );
    check_resolver(
        "away.example.com.",
        false,
        expect![[r#"
        No Error ra
        away.example.com. 60 IN CNAME x.example.org.
        x.example.org. 60 IN A 198.51.100.1"#]],
    );
    // A network's own zone hides the records of a public zone below the same name.
    check_resolver(
        "x.c.example.com.",
        true,
        expect![[r#"
        Non-Existent Domain ra
        authority c.example.com. 60 IN SOA localhost. hostmaster.c.example.com. 1 7200 900 1209600 60"#]],
    );
    check_resolver(
        "out.example.com.",
        true,
        expect![[r#"
        No Error ra forward=www.elsewhere.test.
        out.example.com. 60 IN CNAME www.elsewhere.test."#]],
    );
    check_resolver(
        "out.example.com.",
        false,
        expect![[r#"
        Server Failure ra
        out.example.com. 60 IN CNAME www.elsewhere.test."#]],
    );
    check_resolver("hidden.team.example.com.", true, expect!["No Error ra forward=hidden.team.example.com."]);
    check_resolver("elsewhere.test.", false, expect!["Server Failure ra"]);
    let public = compile(vec![shop()], None);
    let name = Name::from_ascii("loop1.example.com.").unwrap();
    let reply = resolver(&[&public], &name, RecordType::A, true, &mut StdRng::seed_from_u64(1));
    assert_eq!(reply.code, ResponseCode::ServFail);
}

#[test]
fn weights_decide_how_often_a_record_is_answered() {
    let weighted = |value: &str, weight| {
        R::simple("w.example.com", Kind::A, 60, &[value]).routed(Routing::Weighted(weight))
    };
    let zone = spec::Zone::new("example.com", &[], 1)
        .with(weighted("192.0.2.1", 3))
        .with(weighted("192.0.2.2", 1))
        .with(weighted("192.0.2.3", 0));
    let zones = compile(vec![zone], None);
    let mut dice = StdRng::seed_from_u64(1);
    let name = Name::from_ascii("w.example.com.").unwrap();
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..4000 {
        let reply = authoritative(&zones, &name, RecordType::A, &mut dice);
        assert_eq!(reply.answers.len(), 1);
        *seen.entry(reply.answers[0].data().to_string()).or_default() += 1;
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!((2850..3150).contains(&seen["192.0.2.1"]), "{seen:?}");
}

#[test]
fn multivalue_answers_at_most_eight_records() {
    let mut zone = spec::Zone::new("example.com", &[], 1);
    for i in 0..12 {
        let value = format!("192.0.2.{i}");
        zone = zone.with(R::simple("m.example.com", Kind::A, 60, &[&value]).routed(Routing::Multivalue));
    }
    let zones = compile(vec![zone], None);
    let mut dice = StdRng::seed_from_u64(1);
    let name = Name::from_ascii("m.example.com.").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let reply = authoritative(&zones, &name, RecordType::A, &mut dice);
        assert_eq!(reply.answers.len(), 8);
        seen.extend(reply.answers.iter().map(|r| r.data().to_string()));
    }
    assert_eq!(seen.len(), 12);
}

#[test]
fn refuses_invalid_zones() {
    let check = |zone: spec::Zone, expected: Expect| {
        let error = Zones::compile(&[Arc::new(zone)], None).unwrap_err();
        expected.assert_eq(&error.to_string());
    };
    let zone = || spec::Zone::new("example.com", &[], 1);
    let a = |name: &str, value: &str| R::simple(name, Kind::A, 60, &[value]);
    check(
        spec::Zone { name: "example.com".into(), records: vec![] },
        expect!["zone example.com. has no SOA record; add one"],
    );
    check(
        zone().with(a("x.example.com", "1.2.3")),
        expect!["record x.example.com A: value '1.2.3': an IPv4 address is expected"],
    );
    check(
        zone().with(a("x.example.org", "1.2.3.4")),
        expect!["zone example.com: record x.example.org is not below the zone"],
    );
    check(
        zone().with(a("x.example.com", "1.2.3.4")).with(a("X.example.com", "1.2.3.5")),
        expect![
            "zone example.com: x.example.com. A is listed twice; put all values into one record, or give each a routing"
        ],
    );
    check(
        zone().with(R::simple("example.com", Kind::CNAME, 60, &["x.test"])),
        expect![
            "zone example.com: example.com. has a CNAME and other records; a CNAME must be the only record of its name (RFC 1034 3.6.2)"
        ],
    );
    check(
        zone().with(R::alias("x.example.com", Kind::A, "y.example.com")).with(R::alias(
            "y.example.com",
            Kind::A,
            "x.example.com",
        )),
        expect!["record x.example.com A: its aliases form a loop, or more than 16 follow one another"],
    );
    check(
        zone().with(R::simple("*.example.com", Kind::NS, 60, &["x.test"])),
        expect!["zone example.com: *.example.com delegates by a wildcard, which RFC 4592 forbids"],
    );
    check(
        zone()
            .with(a("x.example.com", "1.2.3.4").routed(Routing::Multivalue))
            .with(a("x.example.com", "1.2.3.5").routed(Routing::Weighted(1))),
        expect!["zone example.com: x.example.com. A mixes routings; all members must have the same"],
    );
}
