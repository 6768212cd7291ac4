use super::{all, shop};
use escale_blueprint::{Count, Manifest, Nat};
use expect_test::{Expect, expect};

pub(super) fn check(manifest: &str, expected: Expect) {
    let problems = Manifest::parse(manifest, "escale.yaml").err().unwrap_or_default();
    expected.assert_eq(&all(&problems));
}

/// A valid manifest with `service` added to its only service.
pub(super) fn with(service: &str) -> String {
    format!("app: shop\nservices:\n  web:\n    image: web:1\n    port: 80\n    path: /\n{service}")
}

#[test]
fn unknown_key_suggests_the_nearest() {
    check(
        &with("    helth: /x\n"),
        expect![[r#"
        unknown key `helth` in service `web`
         --> escale.yaml:7:5
          |
        7 |     helth: /x
          |     ^^^^^
          = did you mean `health`?
    "#]],
    );
}

#[test]
fn unknown_key_without_a_similar_one_lists_the_known_keys() {
    check(
        "app: shop\nqueue: x\nservices: { web: { image: x, port: 80, path: / } }\n",
        expect![[r#"
        unknown key `queue` in the manifest
         --> escale.yaml:2:1
          |
        2 | queue: x
          | ^^^^^
          = the known keys are app, domain, services, database, buckets, network, logs, environments, overrides, alarms
    "#]],
    );
}

#[test]
fn refuses_unsupported_keys_by_name() {
    check(
        &with("    jobs: {}\n    deploy: { alarms: [4xx] }\n"),
        expect![[r#"
            `jobs` is not supported yet in service `web`
             --> escale.yaml:7:5
              |
            7 |     jobs: {}
              |     ^^^^
              = leave it out: Escale runs no scheduled tasks

            an alarm of `deploy` cannot be `4xx`
             --> escale.yaml:8:24
              |
            8 |     deploy: { alarms: [4xx] }
              |                        ^^^
              = use one of `5xx`
        "#]],
    );
    check(
        "app: shop\nalarms: a@b\nnetwork: { flow_logs: 15d }\nservices: { web: { image: x, port: 80, path: / } }\n",
        expect![[r#"
            `alarms` is not supported yet in the manifest
             --> escale.yaml:2:1
              |
            2 | alarms: a@b
              | ^^^^^^
              = leave it out: Escale has no CloudWatch alarms

            CloudWatch Logs cannot keep logs for 15 days
             --> escale.yaml:3:23
              |
            3 | network: { flow_logs: 15d }
              |                       ^^^
              = the supported periods are 1d, 3d, 5d, 7d, 14d, 30d, 60d, 90d, 120d, 150d, 180d, 365d, 400d, 545d, 731d, 1096d, 1827d
        "#]],
    );
}

#[test]
fn refuses_references_to_unknown_names() {
    check(
        &with("    uses: [dd]\ndatabase:\n  db: { engine: postgres 15 }\n"),
        expect![[r#"
            `dd` is neither a database nor a bucket nor a service
             --> escale.yaml:7:12
              |
            7 |     uses: [dd]
              |            ^^
              = did you mean `db`?
        "#]],
    );
    check(
        &with("    uses: [db, db]\ndatabase:\n  db: { engine: postgres 15 }\n"),
        expect![[r#"
        `db` is in `uses` twice
         --> escale.yaml:7:16
          |
        7 |     uses: [db, db]
          |                ^^
    "#]],
    );
}

#[test]
fn refuses_variable_with_two_sources() {
    check(
        &with("    env: { PORT: 1, A-B: 2 }\n    secrets: [PORT]\n"),
        expect![[r#"
            `PORT` is already set by Escale (by `port` and `uses`): leave it out of `env`
             --> escale.yaml:7:12
              |
            7 |     env: { PORT: 1, A-B: 2 }
              |            ^^^^

            `A-B` is not the name of an environment variable
             --> escale.yaml:7:21
              |
            7 |     env: { PORT: 1, A-B: 2 }
              |                     ^^^
              = use letters, digits and underscores, like `LOG_LEVEL`

            `PORT` is already set: leave it out of `secrets`
             --> escale.yaml:8:15
              |
            8 |     secrets: [PORT]
              |               ^^^^
        "#]],
    );
}

#[test]
fn service_needs_an_image_and_a_port() {
    check(
        "app: shop\nservices:\n  web:\n    path: /\n  api:\n    build: x\n    image: y\n",
        expect![[r#"
        service `web` needs an image
         --> escale.yaml:3:3
          |
        3 |   web:
          |   ^^^
          = add `build: ./folder` with a Dockerfile, or `image: repository:tag`

        service `web` has a `path` but no `port` to send it to
         --> escale.yaml:3:3
          |
        3 |   web:
          |   ^^^

        service `api` has both `build` and `image`: keep one
         --> escale.yaml:7:5
          |
        7 |     image: y
          |     ^^^^^
    "#]],
    );
    check(
        "app: shop\nservices:\n  web:\n",
        expect![[r#"
        service `web` needs an image
         --> escale.yaml:3:3
          |
        3 |   web:
          |   ^^^
          = add `build: ./folder` with a Dockerfile, or `image: repository:tag`

        no service has a `path`, so no request would reach one
         --> escale.yaml:3:3
          |
        3 |   web:
          |   ^
          = add `path: /` to a service
    "#]],
    );
    check(
        "app: shop\n",
        expect![[r#"
        the manifest needs `services`
         --> escale.yaml:1:1
          |
        1 | app: shop
          | ^
    "#]],
    );
    check(
        "",
        expect![[r#"
        the manifest is empty
         --> escale.yaml:1:1
    "#]],
    );
}

#[test]
fn refuses_values_outside_their_grammar() {
    check(
        &with(
            "    size: { cpu: 300 }\n    count: many\n    health: { path: x, grace: 60 }\ndatabase:\n  db: { engine: oracle, storage: 20, backups: 99d, multi_az: yes }\nlogs: 31d\nnetwork: { cidr: 10.0.0.1/16, azs: 1, nat: two }\n",
        ),
        expect![[r#"
            Fargate has no CPU size 300
             --> escale.yaml:7:11
              |
            7 |     size: { cpu: 300 }
              |           ^^
              = the CPU sizes are 256, 512, 1024, 2048, 4096, 8192, 16384

            `count` must be a whole number from 0 to 100, not `many`
             --> escale.yaml:8:12
              |
            8 |     count: many
              |            ^^^^

            the health path `x` must start with `/`
             --> escale.yaml:9:21
              |
            9 |     health: { path: x, grace: 60 }
              |                     ^

            `grace` cannot be `60`
             --> escale.yaml:9:31
              |
            9 |     health: { path: x, grace: 60 }
              |                               ^^
              = write it like `60s` or `2m`

            `engine` cannot be `oracle`
              --> escale.yaml:11:17
               |
            11 |   db: { engine: oracle, storage: 20, backups: 99d, multi_az: yes }
               |                 ^^^^^^
               = write it like `postgres 14`, `postgres 15`, `postgres 16`, `postgres 17`, `postgres 18`

            `storage` cannot be `20`
              --> escale.yaml:11:34
               |
            11 |   db: { engine: oracle, storage: 20, backups: 99d, multi_az: yes }
               |                                  ^^
               = write it like `20GB` or `20..100GB`, at least 20

            RDS keeps backups for at most 35 days
              --> escale.yaml:11:47
               |
            11 |   db: { engine: oracle, storage: 20, backups: 99d, multi_az: yes }
               |                                               ^^^

            `multi_az` must be `true` or `false`
              --> escale.yaml:11:62
               |
            11 |   db: { engine: oracle, storage: 20, backups: 99d, multi_az: yes }
               |                                                              ^^^

            CloudWatch Logs cannot keep logs for 31 days
              --> escale.yaml:12:7
               |
            12 | logs: 31d
               |       ^^^
               = the supported periods are 1d, 3d, 5d, 7d, 14d, 30d, 60d, 90d, 120d, 150d, 180d, 365d, 400d, 545d, 731d, 1096d, 1827d

            `cidr` cannot be `10.0.0.1/16`
              --> escale.yaml:13:18
               |
            13 | network: { cidr: 10.0.0.1/16, azs: 1, nat: two }
               |                  ^^^^^^^^^^^
               = write it like `10.0.0.0/16`: /16 to /24, without host bits

            `azs` must be a whole number from 2 to 3, not `1`
              --> escale.yaml:13:36
               |
            13 | network: { cidr: 10.0.0.1/16, azs: 1, nat: two }
               |                                    ^

            `nat` cannot be `two`
              --> escale.yaml:13:44
               |
            13 | network: { cidr: 10.0.0.1/16, azs: 1, nat: two }
               |                                            ^^^
               = use one of `per-az`, `single`, `none`
        "#]],
    );
    check(
        &with("    size: { cpu: 256, memory: 4096 }\nnetwork: { cidr: 10.0.0.0/26 }\n"),
        expect![[r#"
        Fargate does not offer 4096 MiB of memory with CPU 256
         --> escale.yaml:7:11
          |
        7 |     size: { cpu: 256, memory: 4096 }
          |           ^^
          = use 512, 1024 or 2048 MiB

        10.0.0.0/26 is too small for 6 subnets
         --> escale.yaml:8:18
          |
        8 | network: { cidr: 10.0.0.0/26 }
          |                  ^^^^^^^^^^^
          = a load balancer needs subnets of /27 or larger: use a block of /24 or larger
    "#]],
    );
}

#[test]
fn override_must_not_open_a_signed_bucket() {
    let manifest = with("buckets: { media: { path: /media/*, signed: true } }\noverrides:\n  OVERRIDE\n");
    check(
        &manifest.replace(
            "OVERRIDE",
            "Distribution.DistributionConfig.DefaultCacheBehavior.TargetOriginId: media",
        ),
        expect![[r#"
            the behaviour `*` of `Distribution` needs no signature, but its origin is the private bucket "media": paths like `/media%2Fx` would make the bucket's objects public
             --> escale.yaml:9:3
              |
            9 |   Distribution.DistributionConfig.DefaultCacheBehavior.TargetOriginId: media
              |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = put public files into a separate bucket
        "#]],
    );
    check(
        &manifest
            .replace("OVERRIDE", "Distribution.DistributionConfig.CacheBehaviors.0.TrustedKeyGroups: []"),
        expect![[r#"
            the behaviour `/media/*` of `Distribution` needs no signature, but its origin is the private bucket "media": paths like `/media%2Fx` would make the bucket's objects public
             --> escale.yaml:9:3
              |
            9 |   Distribution.DistributionConfig.CacheBehaviors.0.TrustedKeyGroups: []
              |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = put public files into a separate bucket
        "#]],
    );
}

#[test]
fn refuses_paths_that_are_not_normalized() {
    check(
        &with("buckets: { media: { path: /media//x/../* } }\n"),
        expect![[r#"
        `path` cannot be `/media//x/../*`: it matches no request, because paths are normalized before they are matched
         --> escale.yaml:7:27
          |
        7 | buckets: { media: { path: /media//x/../* } }
          |                           ^^^^^^^^^^^^^^
          = write it as `/media/*`
    "#]],
    );
}

#[test]
fn refuses_duplicate_names_and_paths() {
    check(
        &with("  Web_2: { image: x }\nbuckets:\n  web: { path: /static/* }\n  b: { path: /static/* }\n"),
        expect![[r#"
        `Web_2` cannot be the name of a service
         --> escale.yaml:7:3
          |
        7 |   Web_2: { image: x }
          |   ^^^^^
          = at most 20 lower-case letters, digits and single hyphens, starting with a letter

        `web` is already the name of one of the services
         --> escale.yaml:9:3
          |
        9 |   web: { path: /static/* }
          |   ^^^

        `/static/*` already routes to `web`
          --> escale.yaml:10:14
           |
        10 |   b: { path: /static/* }
           |              ^^^^^^^^^
    "#]],
    );
    check(
        "app: shop\nservices: { web: { image: x } }\n",
        expect![[r#"
        no service has a `path`, so no request would reach one
         --> escale.yaml:2:11
          |
        2 | services: { web: { image: x } }
          |           ^^
          = add `path: /` to a service
    "#]],
    );
}

#[test]
fn refuses_anchors_tags_and_repeated_keys() {
    check(
        "app: shop\napp: shop\n",
        expect![[r#"
        the key `app` is repeated
         --> escale.yaml:2:1
          |
        2 | app: shop
          | ^^^
    "#]],
    );
    check(
        "app: &a shop\n",
        expect![[r#"
        anchors and aliases are not supported: repeat the value instead
         --> escale.yaml:1:6
          |
        1 | app: &a shop
          |      ^^^^^^^
    "#]],
    );
    check(
        "app: !x shop\n",
        expect![[r#"
        tags (`!…`) are not supported in a manifest
         --> escale.yaml:1:6
          |
        1 | app: !x shop
          |      ^^^^^^^
    "#]],
    );
    check(
        "app: [shop\n",
        expect![[r#"
        not YAML: while parsing a flow sequence, expected ',' or ']'
         --> escale.yaml:2:1
    "#]],
    );
    check(
        "app: shop\n---\napp: shop\n",
        expect![[r#"
        a manifest must be a single YAML document, and a second one starts here
         --> escale.yaml:2:1
          |
        2 | ---
          | ^^^
    "#]],
    );
}

#[test]
fn errors_in_overlays_point_into_the_overlay() {
    check(
        &with("environments:\n  prod: { services.wbe.count: 3, servces.web.count: 1, account: 12 }\n"),
        expect![[r#"
        there is no `wbe` in `services`
         --> escale.yaml:8:11
          |
        8 |   prod: { services.wbe.count: 3, servces.web.count: 1, account: 12 }
          |           ^^^^^^^^^^^^^^^^^^
          = did you mean `web`?

        an environment cannot set `servces.web.count`
         --> escale.yaml:8:34
          |
        8 |   prod: { services.wbe.count: 3, servces.web.count: 1, account: 12 }
          |                                  ^^^^^^^^^^^^^^^^^
          = did you mean `services`?

        `account` must be the 12 digits of an AWS account, in quotes
         --> escale.yaml:8:65
          |
        8 |   prod: { services.wbe.count: 3, servces.web.count: 1, account: 12 }
          |                                                                 ^^
    "#]],
    );
    check(
        &with("environments:\n  prod:\n    services.web.cuont: 3\n    \"services.*.count\": x\n"),
        expect![[r#"
            unknown key `cuont` in service `web`
             --> escale.yaml:9:5
              |
            9 |     services.web.cuont: 3
              |     ^^^^^^^^^^^^^^^^^^
              = did you mean `count`?

            `count` must be a whole number from 0 to 100, not `x`
              --> escale.yaml:10:25
               |
            10 |     "services.*.count": x
               |                         ^
        "#]],
    );
}

#[test]
fn overrides_must_name_existing_resources() {
    check(
        &with("overrides:\n  Web: 1\n"),
        expect![[r#"
        `Web` does not name a property
         --> escale.yaml:8:3
          |
        8 |   Web: 1
          |   ^^^
          = write it like `LogicalId.Property: value`
    "#]],
    );
    // wrong in every environment, reported once
    check(
        &with(
            "environments: { prod: {}, staging: {} }\noverrides:\n  WebServic.DesiredCount: 3\n  Vpc.Tags.9.Key: x\n  Vpc.CidrBlock.x: y\n",
        ),
        expect![[r#"
            the template has no resource `WebServic`
             --> escale.yaml:9:3
              |
            9 |   WebServic.DesiredCount: 3
              |   ^^^^^^^^^^^^^^^^^^^^^^
              = did you mean `WebService`?

            `9` is not an index of this list, which has 2 items
              --> escale.yaml:10:3
               |
            10 |   Vpc.Tags.9.Key: x
               |   ^^^^^^^^^^^^^^

            `x` cannot be set, because the value before it is neither a map nor a list
              --> escale.yaml:11:3
               |
            11 |   Vpc.CidrBlock.x: y
               |   ^^^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn overlays_change_only_their_environment() {
    let shop = shop();
    assert_eq!(shop.environments, ["local", "staging", "prod"]);
    assert_eq!(shop.domain.as_deref(), Some("shop.localhost"));
    let staging = shop.for_environment("staging").unwrap();
    assert_eq!(staging.network.nat, Nat::Single);
    assert!(!staging.databases[0].multi_az && shop.databases[0].multi_az);
    assert!(staging.services.iter().all(|s| s.count == Count::Fixed(1)));
    assert!(shop.services.iter().all(|s| s.count == Count::Fixed(2)));
    let prod = shop.for_environment("prod").unwrap();
    assert_eq!((prod.environment.protect, prod.domain.as_deref()), (true, Some("shop.example.com")));
    let unknown = shop.for_environment("prd").unwrap_err();
    assert!(all(&unknown).contains("did you mean `prod`?"), "{}", all(&unknown));
}

#[test]
fn set_changes_single_values() {
    let shop = shop();
    let set = |lines: &[&str]| shop.set(&lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>());
    let one = set(&["services.*.count=1", "database.db.engine=postgres 17", "nat=single"]).unwrap();
    assert!(one.services.iter().all(|s| s.count == Count::Fixed(1)));
    assert_eq!((one.databases[0].engine.major(), one.network.nat), (17, Nat::Single));
    let staging = shop.for_environment("staging").unwrap();
    let staging = staging.set(&["services.backend.count=3".to_owned()]).unwrap();
    assert_eq!(staging.service("backend").unwrap().count, Count::Fixed(3));
    assert!(!staging.databases[0].multi_az, "the environment's own overlay still holds");
    for (setting, reported) in [
        ("database.db.engine=postgres 9", "`postgres 9`"),
        ("servces.backend.count=1", "did you mean `services`?"),
        ("services.backnd.count=1", "did you mean `backend`?"),
        ("services.backend.count", "has no `=`"),
        ("services.backend.count=[", "--set"),
    ] {
        let problems = all(&set(&[setting]).unwrap_err());
        assert!(problems.contains(reported), "{setting}: {problems}");
        assert!(problems.contains(setting.split('=').next().unwrap()), "{problems}");
    }
}

/// Settings that work on AWS but not here.
#[test]
fn refuses_impossible_networks() {
    check(
        &with(
            "network: { cidr: 198.19.0.0/16, nat: none }\nenvironments: { prod: { nat: none, network.cidr: 100.64.0.0/16 } }\n",
        ),
        expect![[r#"
            the network cannot be 198.19.0.0/16: 198.18.0.0/15 are the public addresses inside Escale
             --> escale.yaml:7:18
              |
            7 | network: { cidr: 198.19.0.0/16, nat: none }
              |                  ^^^^^^^^^^^^^
              = take a private block, like `10.0.0.0/16`

            `nat: none` needs interface endpoints, which Escale does not support yet
             --> escale.yaml:7:38
              |
            7 | network: { cidr: 198.19.0.0/16, nat: none }
              |                                      ^^^^
              = use `per-az` or `single`; only an environment for AWS can set `none`: `environments: { prod: { nat: none } }`
        "#]],
    );
    // An environment for AWS may have both.
    check(
        &with(
            "network: { nat: none }\nenvironments: { local: { nat: single }, prod: { network.cidr: 198.19.0.0/16 } }\n",
        ),
        expect![[r#""#]],
    );
    for (cidr, meets) in [
        ("127.0.0.0/16", "127.0.0.0/8 are loopback addresses"),
        ("169.254.8.0/24", "169.254.0.0/16 are link-local addresses"),
        ("0.1.0.0/16", "0.0.0.0/8 are reserved addresses"),
        ("239.0.0.0/16", "224.0.0.0/3 are multicast and reserved addresses"),
        ("198.18.0.0/16", "198.18.0.0/15 are the public addresses inside Escale"),
        ("100.127.0.0/16", "100.64.0.0/10 are the addresses of Escale's service endpoints"),
    ] {
        let reported =
            Manifest::parse(&with(&format!("network: {{ cidr: {cidr} }}\n")), "escale.yaml").unwrap_err();
        let [one] = reported.as_slice() else { panic!("{}", all(&reported)) };
        assert_eq!(one.message, format!("the network cannot be {cidr}: {meets}"));
        assert_eq!((one.place.line, one.place.column), (7, 18));
    }
    for cidr in
        ["198.17.0.0/16", "198.20.0.0/16", "100.63.0.0/16", "126.0.0.0/16", "128.0.0.0/16", "223.255.0.0/16"]
    {
        let fits = Manifest::parse(&with(&format!("network: {{ cidr: {cidr} }}\n")), "escale.yaml");
        assert!(fits.is_ok(), "{cidr}");
    }
}

#[test]
fn refuses_names_with_equal_logical_ids() {
    let services = |names: &str| {
        let each = names.split(' ').map(|n| format!("  {n}: {{ image: x, port: 80, path: /{n} }}\n"));
        format!("app: shop\nservices:\n{}", each.collect::<String>())
    };
    check(
        &services("a a-b a-b-execution"),
        expect![[r#"
        `a-b` and `a-b-execution` would both have the logical id `ABExecutionRole` in the template
         --> escale.yaml:5:3
          |
        5 |   a-b-execution: { image: x, port: 80, path: /a-b-execution }
          |   ^^^^^^^^^^^^^
          = choose another name
    "#]],
    );
    check(
        &services("a-execution a"),
        expect![[r#"
        `a-execution` and `a` would both have the logical id `AExecutionRole` in the template
         --> escale.yaml:4:3
          |
        4 |   a: { image: x, port: 80, path: /a }
          |   ^
          = choose another name
    "#]],
    );
    check(
        &services("a1 a-1"),
        expect![[r#"
            `a1` and `a-1` would both have the logical id `A1Image` in the template
             --> escale.yaml:4:3
              |
            4 |   a-1: { image: x, port: 80, path: /a-1 }
              |   ^^^
              = choose another name
        "#]],
    );
    assert!(Manifest::parse(&services("a a-exec a-b ab execution"), "escale.yaml").is_ok());
    let used = "  b: { image: x, uses: [c] }\n  a: { image: x, uses: [b-to-c] }\n  a-to-b: { image: x, uses: [c] }\ndatabase:\n  c: { engine: postgres 15 }\n  b-to-c: { engine: postgres 15 }\n";
    check(
        &with(used),
        expect![[r#"
        `a` and `a-to-b` would both have the logical id `AToBToC` in the template
         --> escale.yaml:9:3
          |
        9 |   a-to-b: { image: x, uses: [c] }
          |   ^^^^^^
          = choose another name
    "#]],
    );
    // The template's own `EndpointSecurityGroup`, which belongs to no part of the manifest.
    check(
        &with("  endpoint: { image: x }\nenvironments: { prod: { nat: none } }\n"),
        expect![[r#"
        `endpoint` would have the logical id `EndpointSecurityGroup`, which the template already uses
         --> escale.yaml:7:3
          |
        7 |   endpoint: { image: x }
          |   ^^^^^^^^
          = choose another name
    "#]],
    );
}

#[test]
fn refuses_malformed_region() {
    for bad in ["Paris", "eu-west", "eu_west_3", "eu--3"] {
        let reported = Manifest::parse(
            &with(&format!("environments: {{ prod: {{ region: {bad} }} }}\n")),
            "escale.yaml",
        );
        assert!(all(&reported.unwrap_err()).contains("write it like `eu-west-3`"), "{bad}");
    }
    for good in ["eu-west-3", "us-gov-east-1"] {
        assert!(
            Manifest::parse(
                &with(&format!("environments: {{ prod: {{ region: {good} }} }}\n")),
                "escale.yaml"
            )
            .is_ok()
        );
    }
}
