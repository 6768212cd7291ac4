//! Operations that the DNS plane answers.

escale_service::streams! { crate::Plane;
    TestDNSAnswer => test_dns_answer,
}
