use super::{Input, Language, Measurement, write};
use crate::{
    cost::{Bill, Usage},
    diagram::{Theme, layout, svg},
    graph::Architecture,
    review::{reach, review, rules},
    samples,
};
use serde_json::json;

fn made(language: Language, measurements: &[Measurement]) -> String {
    made_of("shop", language, measurements)
}

fn made_of(sample: &str, language: Language, measurements: &[Measurement]) -> String {
    let survey = samples::survey(sample);
    let arch = Architecture::of(&survey);
    let bill = Bill::of(&survey, &arch, Usage::default());
    let ten = Bill::of(&survey, &arch, Usage::default().times(10.0));
    write(&Input {
        language,
        source: "shop.yaml",
        architecture: &arch,
        bill: &bill,
        bill_at_ten: &ten,
        reachable: &reach::computed(&arch),
        findings: &review(&survey, &arch),
        diagram: &svg::write(&layout(&arch, language), Theme::Light),
        measurements,
    })
}

/// The text outside of figures, of the picture, of names and of commands.
fn prose(html: &str) -> String {
    let mut text = html[html.find("<h1>").unwrap()..].to_owned();
    for (open, close) in [
        ("<svg ", "</svg>"),
        ("<pre>", "</pre>"),
        ("<p class=\"n\">", "</p>"),
        ("<ul class=\"n\">", "</ul>"),
        ("<span class=\"f\" ", "</span></span>"),
        ("<", ">"),
    ] {
        while let Some(start) = text.find(open) {
            let end = start + text[start..].find(close).expect("closed") + close.len();
            text.replace_range(start..end, " ");
        }
    }
    text
}

#[test]
fn every_figure_has_a_source() {
    let drill = Measurement {
        id: "drill-db.json".into(),
        value: json!({"drill": "db", "requests": 1200, "failed_requests": 3, "rows_acknowledged": 500, "rows_lost": 0, "users_fine_ms": 1450}),
    };
    for language in [Language::French, Language::English] {
        let html = made(language, std::slice::from_ref(&drill));
        assert!(html.contains("data-source=\"drill-db.json\""));
        assert!(!html.contains("data-source=\"\""), "a figure without a source");
        // Names of products and of resources are no figures.
        let mut text = prose(&html);
        for name in ["S3", "Route 53", "NatGateway2", "Route53", "NatGateway1", "NatAddress1", "NatAddress2"]
        {
            text = text.replace(name, "");
        }
        let digits: Vec<&str> =
            text.split_whitespace().filter(|w| w.chars().any(|c| c.is_ascii_digit())).collect();
        assert!(digits.is_empty(), "figures without a source: {digits:?}");
    }
}

#[test]
fn without_measurements_it_says_how_to_make_them() {
    let html = made(Language::English, &[]);
    assert!(html.contains("drill-db.json\nescale report"), "one command on each line");
    for expected in
        ["No measurement was given", "escale drill db", "escale drill load", "escale review --live"]
    {
        assert!(html.contains(expected), "{expected}");
    }
    assert!(!html.contains("lost rows"), "there is no figure of a drill");
}

#[test]
fn numbers_and_spaces_follow_the_language() {
    let drill = Measurement {
        id: "d".into(),
        value: json!({"drill": "db", "requests": 12345, "users_fine_ms": 1.5}),
    };
    let french = made(Language::French, std::slice::from_ref(&drill));
    assert!(
        french.contains("12\u{202f}345") && french.contains("1,5 ms") && french.contains("199,26\u{a0}USD")
    );
    assert!(!french.contains(" :") && !french.contains(" ;"), "double punctuation has a no-break space");
    let english = made(Language::English, std::slice::from_ref(&drill));
    assert!(english.contains("12,345") && english.contains("199.26\u{a0}USD"));
    // Self-contained.
    for html in [french, english] {
        assert!(
            !html.contains("<script")
                && !html.contains("href=")
                && !html.contains("src=")
                && !html.contains("@import")
        );
        for component in [
            "Fargate",
            "Load Balancer",
            "RDS",
            "CloudFront",
            "Route 53",
            "ECR",
            "VPC",
            "Internet gateway",
            "NAT gateway",
        ] {
            assert!(html.contains(component), "{component}");
        }
    }
}

#[test]
fn backups_and_restores_are_evidence() {
    let of = |value| Measurement { id: "m.json".into(), value };
    let backups = of(json!({"database": "shop-db", "snapshots": [], "recovery_point_seconds": 42}));
    let restore = of(json!({"database": "shop-db", "from": "its latest backup", "restore_seconds": 3.25}));
    assert!(backups.is_evidence() && restore.is_evidence());
    assert!(!of(json!({"snapshots": [], "recovery_point_seconds": null})).is_evidence());
    let html = made(Language::French, &[backups, restore]);
    assert!(html.contains("42 s") && html.contains("3,2 s") && html.contains("shop-db"));
    assert!(!html.contains("escale restore --latest"), "the section needs no instruction any more");
}

/// Items of the bill and findings of the review are in the document's language.
#[test]
fn bill_and_review_are_in_the_language() {
    let french = made(Language::French, &[]);
    for expected in
        ["passerelle NAT", "base de données, serveurs principal et de secours", "vCPU de 2 tâche(s)"]
    {
        assert!(french.contains(expected), "{expected}");
    }
    assert!(french.contains("Sécurité") && french.contains("Les tâches tournent sur ARM"));
    for english in ["hosted zone", "NAT gateway<", "Tasks run on ARM", "Security<"] {
        assert!(!french.replace("<h3>NAT gateway</h3>", "").contains(english), "{english} is English");
    }
    let english = made(Language::English, &[]);
    assert!(english.contains("data through the NAT gateway") && english.contains("Tasks run on ARM"));
    for rule in rules() {
        assert!(!english.contains(rule.words(Language::French).0), "{}", rule.id);
    }
}

/// What an architecture lacks has no role in it.
#[test]
fn only_components_of_the_architecture_are_described() {
    let html = made_of("bucket", Language::English, &[]);
    assert!(html.contains("<h3>Amazon S3 and CloudFront</h3>") && !html.contains("<h3>Amazon VPC</h3>"));
    let lacking = html.lines().find(|line| line.contains("This architecture does without")).expect("a line");
    assert!(
        lacking.contains("Amazon VPC") && lacking.contains("NAT gateway") && !lacking.contains("Amazon S3")
    );
    assert!(!made(Language::French, &[]).contains("<h3>Network Load Balancer</h3>"));
}
