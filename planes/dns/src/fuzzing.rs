//! For `tests/fuzz`: a packet, and its answer.

use crate::{
    DnsPlane, Kind, Record, Resolver, Spec, View, Zone,
    message::{self, Received},
};
use std::sync::{Arc, LazyLock};

static PLANE: LazyLock<DnsPlane> = LazyLock::new(|| {
    let mut zone = Zone::new("shop.test", &["ns.shop.test."], 1);
    zone.records.push(Record::simple("shop.test", Kind::A, 60, &["192.0.2.1"]));
    zone.records.push(Record::simple("*.shop.test", Kind::A, 60, &["192.0.2.2"]));
    zone.records.push(Record::simple("www.shop.test", Kind::CNAME, 60, &["shop.test."]));
    zone.records.push(Record::simple("shop.test", Kind::TXT, 60, &["\"text\""]));
    let zones = vec![Arc::new(zone)];
    let resolver = Resolver { zones: zones.clone(), upstream: None, queries_per_second: None };
    let spec = Spec {
        public: zones,
        public_queries_per_second: None,
        outside: None,
        networks: [("net".to_owned(), resolver)].into(),
    };
    let plane = DnsPlane::new();
    plane.load(spec).expect("the zone is valid");
    plane
});

/// The answer over UDP, from the public zones and from a network's resolver; `None` for a packet that gets no answer.
pub fn answer(bytes: &[u8]) -> Option<Vec<u8>> {
    let question = match message::read(bytes) {
        Received::Question(question) => question,
        Received::Answer(bytes) => return Some(bytes),
        Received::Ignored => return None,
    };
    let (name, kind) = (question.query.name(), question.query.query_type());
    let mut last = None;
    for view in [View::Network("net".into()), View::Public] {
        let reply = PLANE.shared.reply(&view, name, kind, &mut rand::rng());
        let udp = question.answer(reply.clone(), question.udp_bytes());
        assert!(
            udp.len() <= question.udp_bytes(),
            "{} bytes, the client accepts {}",
            udp.len(),
            question.udp_bytes()
        );
        question.answer(reply, usize::from(u16::MAX));
        last = Some(udp);
    }
    last
}
