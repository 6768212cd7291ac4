use super::{
    all,
    problems::{check, with},
};
use escale_blueprint::Manifest;
use expect_test::{Expect, expect};

#[test]
fn refuses_commands_that_need_a_shell() {
    check(
        &with(
            "    release: ./manage migrate && ./manage seed\n    sidecars: { a: { image: x, command: echo 'x } }\n",
        ),
        expect![[r#"
            `release` is run without a shell, so `&` would have no meaning
             --> escale.yaml:7:14
              |
            7 |     release: ./manage migrate && ./manage seed
              |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = write it as a list, with a shell of the image if it is needed: `[sh, -c, "…"]`

            `command` has a quote that is not closed
             --> escale.yaml:8:41
              |
            8 |     sidecars: { a: { image: x, command: echo 'x } }
              |                                         ^^^^^^^
        "#]],
    );
    check(
        &with("    release: []\n    sidecars: { a: { image: x, command: \"\" } }\n"),
        expect![[r#"
        `release` names no program
         --> escale.yaml:7:14
          |
        7 |     release: []
          |              ^

        `command` names no program
         --> escale.yaml:8:41
          |
        8 |     sidecars: { a: { image: x, command: "" } }
          |                                         ^^^
    "#]],
    );
}

#[test]
fn refuses_sidecars_that_cannot_start() {
    check(
        &with(
            "    depends: [inti, init]\n    sidecars:\n      init: { command: x, essential: maybe }\n      web: { image: x, depends: { init: completed } }\n      a: { image: x, depends: [b] }\n      b: { image: x, depends: { a: ended, init: started } }\n",
        ),
        expect![[r#"
            `inti` is not a sidecar of this service
             --> escale.yaml:7:15
              |
            7 |     depends: [inti, init]
              |               ^^^^
              = did you mean `init`?

            sidecar `init` needs `image`
             --> escale.yaml:9:7
              |
            9 |       init: { command: x, essential: maybe }
              |       ^^^^

            `essential` must be `true` or `false`
             --> escale.yaml:9:38
              |
            9 |       init: { command: x, essential: maybe }
              |                                      ^^^^^

            `web` is the name of the service's own container
              --> escale.yaml:10:7
               |
            10 |       web: { image: x, depends: { init: completed } }
               |       ^^^

            `init` is essential: when it ends, the whole task ends
              --> escale.yaml:10:35
               |
            10 |       web: { image: x, depends: { init: completed } }
               |                                   ^^^^
               = set `essential: false` for it

            `depends` cannot be `ended`
              --> escale.yaml:12:36
               |
            12 |       b: { image: x, depends: { a: ended, init: started } }
               |                                    ^^^^^
               = use one of `started`, `completed`, `succeeded`
        "#]],
    );
    check(
        &with("    sidecars:\n      a: { image: x, depends: [b] }\n      b: { image: x, depends: [a] }\n"),
        expect![[r#"
            these sidecars wait for each other: a, b
             --> escale.yaml:8:7
              |
            8 |       a: { image: x, depends: [b] }
              |       ^
        "#]],
    );
}

#[test]
fn refuses_uses_of_services_that_cannot_be_called() {
    check(
        &with(
            "    uses: [web, worker, api, other, apj]\n  worker: { image: x }\n  api: { image: x, port: 8000 }\n  other: { image: x, port: 8000 }\n",
        ),
        expect![[r#"
            `web` cannot use itself
             --> escale.yaml:7:12
              |
            7 |     uses: [web, worker, api, other, apj]
              |            ^^^

            the service `worker` cannot be used, because it has no `port`
             --> escale.yaml:7:17
              |
            7 |     uses: [web, worker, api, other, apj]
              |                 ^^^^^^
              = add the `port` on which it listens

            `apj` is neither a database nor a bucket nor a service
             --> escale.yaml:7:37
              |
            7 |     uses: [web, worker, api, other, apj]
              |                                     ^^^
              = did you mean `api`?

            `other` and `api` are used by other services and have the same port
              --> escale.yaml:10:28
               |
            10 |   other: { image: x, port: 8000 }
               |                            ^^^^
               = give one of them another port
        "#]],
    );
}

#[test]
fn refuses_egress_outside_its_grammar() {
    check(
        &with("    egress: [587, 443, 587, 10.0.0.1/8:5, 53/tcp]\n"),
        expect![[r#"
        `587` is in `egress` twice
         --> escale.yaml:7:24
          |
        7 |     egress: [587, 443, 587, 10.0.0.1/8:5, 53/tcp]
          |                        ^^^

        `egress` cannot be `10.0.0.1/8:5`
         --> escale.yaml:7:29
          |
        7 |     egress: [587, 443, 587, 10.0.0.1/8:5, 53/tcp]
          |                             ^^^^^^^^^^^^
          = write it like `587`, `53/udp` or `203.0.113.0/24:5432` (without host bits)

        `egress` cannot be `53/tcp`
         --> escale.yaml:7:43
          |
        7 |     egress: [587, 443, 587, 10.0.0.1/8:5, 53/tcp]
          |                                           ^^^^^^
          = write it like `587`, `53/udp` or `203.0.113.0/24:5432` (without host bits)
    "#]],
    );
}

/// The problems of a manifest whose service reads this dotenv file.
fn check_file(service: &str, file: &'static str, expected: Expect) {
    let manifest = Manifest::parse(&with(service), "escale.yaml").unwrap_or_else(|p| panic!("{}", all(&p)));
    let read = move |named: &str| match named {
        "web.env" => Ok(file.to_owned()),
        _ => Err("No such file or directory (os error 2)".to_owned()),
    };
    let problems = manifest.with_files(read).for_environment("local").err().unwrap_or_default();
    expected.assert_eq(&all(&problems));
}

#[test]
fn errors_in_dotenv_files_name_the_file_and_the_line() {
    check_file(
        "    env_file: [web.env, other.env]\n",
        "A=1\nB C=secret\n",
        expect![[r#"
            `B C` is not the name of an environment variable
             --> web.env:2:1
              |
            2 | B C
              | ^^^
              = use letters, digits and underscores, like `LOG_LEVEL`

            the file `other.env` cannot be read: No such file or directory (os error 2)
             --> escale.yaml:7:25
              |
            7 |     env_file: [web.env, other.env]
              |                         ^^^^^^^^^
              = create it; its path is relative to the manifest's folder
        "#]],
    );
    check_file(
        "    env_file: web.env\n    secrets: [KEY]\n",
        "PORT=1\nKEY=secret\n",
        expect![[r#"
        `PORT` is already set by Escale (by `port` and `uses`): leave it out of the file of service `web`
         --> web.env:1:1
          |
        1 | PORT
          | ^^^^

        `KEY` is already set by `secrets`: leave it out of the file of service `web`
         --> web.env:2:1
          |
        2 | KEY
          | ^^^
    "#]],
    );
}

#[test]
fn refuses_scaling_that_follows_nothing_or_contradicts_itself() {
    check(
        &with("    count: 3\n    scale: { min: 5, max: 4 }\n"),
        expect![[r#"
        service `web` has both `count` and `scale`
         --> escale.yaml:8:5
          |
        8 |     scale: { min: 5, max: 4 }
          |     ^^^^^
          = keep one: `scale` follows the load, `count` is a fixed number

        `scale` needs a metric to follow
         --> escale.yaml:8:12
          |
        8 |     scale: { min: 5, max: 4 }
          |            ^^
          = add `cpu: 60`, `memory: 70` (percent) or `requests: 1000` (for each task and minute)

        `min` (5) is larger than `max` (4)
         --> escale.yaml:8:12
          |
        8 |     scale: { min: 5, max: 4 }
          |            ^^
    "#]],
    );
    check(
        "app: a\nservices: { job: { image: x, scale: { cpu: 0, requests: 5, disk: 1 } } }\n",
        expect![[r#"
            no service has a `path`, so no request would reach one
             --> escale.yaml:2:11
              |
            2 | services: { job: { image: x, scale: { cpu: 0, requests: 5, disk: 1 } } }
              |           ^^
              = add `path: /` to a service

            `scale` needs `max`
             --> escale.yaml:2:37
              |
            2 | services: { job: { image: x, scale: { cpu: 0, requests: 5, disk: 1 } } }
              |                                     ^^

            `cpu` must be a whole number from 1 to 100, not `0`
             --> escale.yaml:2:44
              |
            2 | services: { job: { image: x, scale: { cpu: 0, requests: 5, disk: 1 } } }
              |                                            ^

            `requests` needs a `path`: the load balancer counts them
             --> escale.yaml:2:47
              |
            2 | services: { job: { image: x, scale: { cpu: 0, requests: 5, disk: 1 } } }
              |                                               ^^^^^^^^

            unknown key `disk` in `scale`
             --> escale.yaml:2:60
              |
            2 | services: { job: { image: x, scale: { cpu: 0, requests: 5, disk: 1 } } }
              |                                                            ^^^^
              = the known keys are max, min, cpu, memory, requests
        "#]],
    );
}

#[test]
fn scaling_is_a_target_with_a_policy_for_each_metric() {
    let text = with("    scale: { min: 3, max: 9, cpu: 60, requests: 1000 }\n    release: ./migrate\n")
        + "environments: { prod: { services.*.scale.min: 5 } }\n";
    let manifest = Manifest::parse(&text, "escale.yaml").unwrap_or_else(|p| panic!("{}", all(&p)));
    let of = |manifest: &Manifest| {
        let template = escale_blueprint::template(manifest).unwrap_or_else(|p| panic!("{}", all(&p)));
        let resources = template.resources().clone();
        move |id: &str| resources.get(id).map_or(serde_json::Value::Null, |of| of["Properties"].clone())
    };
    let resources = of(&manifest);
    expect![[r#"
        {
          "ServiceNamespace": "ecs",
          "ScalableDimension": "ecs:service:DesiredCount",
          "ResourceId": {
            "Fn::Sub": "service/${Cluster}/${WebService.Name}"
          },
          "MinCapacity": {
            "Fn::If": [
              "WebIsNew",
              0,
              3
            ]
          },
          "MaxCapacity": {
            "Fn::If": [
              "WebIsNew",
              0,
              9
            ]
          }
        }"#]]
    .assert_eq(&format!("{:#}", resources("WebScaling")));
    expect![[r#"
        {
          "PolicyName": "web-requests",
          "PolicyType": "TargetTrackingScaling",
          "ScalingTargetId": {
            "Ref": "WebScaling"
          },
          "TargetTrackingScalingPolicyConfiguration": {
            "PredefinedMetricSpecification": {
              "PredefinedMetricType": "ALBRequestCountPerTarget",
              "ResourceLabel": {
                "Fn::Sub": "${LoadBalancer.LoadBalancerFullName}/${WebTargetGroup.TargetGroupFullName}"
              }
            },
            "TargetValue": 1000
          }
        }"#]]
    .assert_eq(&format!("{:#}", resources("WebScalingByRequests")));
    assert_eq!(resources("WebScalingByCpu")["TargetTrackingScalingPolicyConfiguration"]["TargetValue"], 60);
    assert!(resources("WebScalingByMemory").is_null());
    // With release commands, only a new service has a count, 0: later ones keep theirs.
    let count = &resources("WebService")["DesiredCount"]["Fn::If"];
    assert_eq!((&count[1], &count[2]["Ref"]), (&0.into(), &"AWS::NoValue".into()));
    let prod = of(&manifest.for_environment("prod").unwrap());
    assert_eq!(prod("WebScaling")["MinCapacity"]["Fn::If"][2], 5);
    let plain = Manifest::parse(&with("    scale: { max: 4, memory: 70 }\n"), "escale.yaml").unwrap();
    let resources = of(&plain);
    assert!(resources("WebService").get("DesiredCount").is_none());
    assert_eq!(
        (&resources("WebScaling")["MinCapacity"], &resources("WebScaling")["MaxCapacity"]),
        (&2.into(), &4.into())
    );
}
