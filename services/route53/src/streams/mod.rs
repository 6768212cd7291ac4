//! Operations that query the DNS plane, one per line.

escale_service::streams! { crate::Plane;
    TestDNSAnswer => test_dns_answer,
}
