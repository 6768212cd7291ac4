use super::{all, shop};
use escale_blueprint::{Manifest, TEMPLATE_BODY_BYTES, Template, graph, registry_template, template};
use expect_test::{expect, expect_file};
use std::process::Command;

fn of(manifest: &Manifest) -> Template {
    template(manifest).unwrap_or_else(|problems| panic!("{}", all(&problems)))
}

#[test]
fn writes_the_shop_as_yaml() {
    expect_file!["./golden/shop.yaml"].assert_eq(&of(&shop()).to_yaml());
    expect_file!["./golden/shop-registry.yaml"].assert_eq(&registry_template(&shop()).unwrap().to_yaml());
}

#[test]
fn fits_into_a_template_body() {
    for environment in shop().environments {
        let template = of(&shop().for_environment(&environment).unwrap());
        assert!(template.to_json_min().len() < TEMPLATE_BODY_BYTES, "{}", template.to_json_min().len());
        assert!(template.to_yaml().len() < TEMPLATE_BODY_BYTES, "{}", template.to_yaml().len());
    }
}

#[test]
fn flow_logs_are_written_only_on_request() {
    let of_network = |network: &str| {
        let text = format!(
            "app: shop\nnetwork: {network}\nservices: {{ web: {{ image: x, port: 80, path: / }} }}\n"
        );
        of(&Manifest::parse(&text, "escale.yaml").unwrap())
    };
    let with = of_network("{ flow_logs: 14d }");
    let property = |id: &str, name: &str| with.resources()[id]["Properties"][name].clone();
    assert_eq!(property("FlowLogGroup", "RetentionInDays"), 14);
    assert_eq!(property("FlowLog", "ResourceId")["Ref"], "Vpc");
    assert_eq!(property("FlowLog", "DeliverLogsPermissionArn")["Fn::GetAtt"][0], "FlowLogRole");
    let trusted = &property("FlowLogRole", "AssumeRolePolicyDocument")["Statement"][0];
    assert_eq!(trusted["Principal"]["Service"], "vpc-flow-logs.amazonaws.com");
    assert!(of_network("{ azs: 2 }").resources().keys().all(|id| !id.starts_with("FlowLog")));
}

/// The distribution's behaviours as `pattern origin signed`, the default one last.
fn behaviours(template: &Template) -> Vec<(String, String, bool)> {
    let config = &template.resources()["Distribution"]["Properties"]["DistributionConfig"];
    let listed = config["CacheBehaviors"].as_array().cloned().unwrap_or_default();
    let all = listed.into_iter().chain([config["DefaultCacheBehavior"].clone()]);
    let text = |v: &serde_json::Value| v.as_str().unwrap_or("*").to_owned();
    all.map(|b| (text(&b["PathPattern"]), text(&b["TargetOriginId"]), b["TrustedKeyGroups"].is_array()))
        .collect()
}

#[test]
fn behaviours_of_a_signed_bucket_require_signatures() {
    let many = "app: shop\nservices: { web: { image: x, port: 80, path: / } }\nbuckets:\n";
    let buckets = [
        "a: { path: /media/* }",
        "b: { path: /media/open/*, signed: true }",
        "c: { path: /c/*, signed: true }",
    ];
    let many = format!("{many}{}", buckets.map(|b| format!("  {b}\n")).concat());
    for manifest in [shop(), Manifest::parse(&many, "escale.yaml").unwrap()] {
        let template = of(&manifest);
        let all = behaviours(&template);
        assert!(all.iter().any(|(_, _, signed)| *signed), "{all:?}");
        assert_eq!(all.last().unwrap().1, "load-balancer", "the default leads to no bucket");
        for (pattern, origin, signed) in &all {
            let opens = !signed && all.iter().any(|(_, other, signed)| other == origin && *signed);
            assert!(!opens, "{pattern} opens {origin}: {all:?}");
            let bucket = manifest.buckets.iter().find(|b| b.name == *origin);
            assert_eq!(bucket.is_some_and(|b| b.signed), *signed, "{pattern}");
        }
    }
}

#[test]
fn lists_the_inputs_of_a_deployment() {
    let template = of(&shop());
    expect![[r#"
        (
            [
                Parameter {
                    name: "Environment",
                    purpose: Environment,
                    default: Some(
                        "local",
                    ),
                },
                Parameter {
                    name: "FrontendImage",
                    purpose: Image {
                        service: "frontend",
                    },
                    default: None,
                },
                Parameter {
                    name: "BackendImage",
                    purpose: Image {
                        service: "backend",
                    },
                    default: None,
                },
                Parameter {
                    name: "SiteUrl",
                    purpose: SiteUrl,
                    default: Some(
                        "https://shop.localhost",
                    ),
                },
                Parameter {
                    name: "CertificateArn",
                    purpose: Certificate,
                    default: Some(
                        "",
                    ),
                },
                Parameter {
                    name: "HostedZoneId",
                    purpose: Zone,
                    default: Some(
                        "",
                    ),
                },
                Parameter {
                    name: "CdnPublicKeyPem",
                    purpose: CdnPublicKey,
                    default: None,
                },
                Parameter {
                    name: "CdnPrivateKeyPem",
                    purpose: CdnPrivateKey,
                    default: None,
                },
            ],
            [
                ImageNeeded {
                    service: "frontend",
                    parameter: "FrontendImage",
                    image: Build(
                        "./frontend",
                    ),
                    repository: Some(
                        "shop/frontend",
                    ),
                },
                ImageNeeded {
                    service: "backend",
                    parameter: "BackendImage",
                    image: Build(
                        "./backend",
                    ),
                    repository: Some(
                        "shop/backend",
                    ),
                },
            ],
            [
                Sync {
                    bucket: "static",
                    output: "StaticBucketName",
                    folder: "./frontend/dist",
                    prefix: "static/",
                },
            ],
            [],
        )
    "#]]
    .assert_debug_eq(&(&template.parameters, &template.images, &template.syncs, &template.secrets));
}

#[test]
fn graph_follows_uses() {
    let lines: Vec<String> = graph(&shop())
        .edges
        .iter()
        .map(|e| format!("{} -> {} {:?} {}", e.from, e.to, e.kind, e.path.as_deref().unwrap_or_default()))
        .collect();
    expect![[r#"
        users -> cdn Request 
        cdn -> load-balancer Request 
        cdn -> static Request /static/*
        cdn -> media Request /media/*
        load-balancer -> frontend Request /
        frontend -> internet Egress 
        load-balancer -> backend Request /api/*
        backend -> db Uses 
        backend -> media Uses 
        backend -> internet Egress "#]]
    .assert_eq(&lines.join("\n"));
}

/// Only what an environment says may differ between environments; the template knows no other.
#[test]
fn template_has_nothing_local() {
    let local = of(&shop()).to_json_min();
    for word in ["4566", "127.0.0.1:", "000000000000", "escale"] {
        assert!(!local.contains(word), "{word}");
    }
    let as_prod = Manifest::parse(
        &include_str!("../../../examples/shop/escale.yaml")
            .replace("local: { domain: shop.localhost }", "local: {}"),
        "escale.yaml",
    )
    .unwrap();
    let prod = of(&shop().for_environment("prod").unwrap());
    let rules = format!("\"Rules\":{},", prod.value()["Rules"]);
    let same = prod
        .to_json_min()
        .replace(&rules, "")
        .replace("\"prod\"", "\"local\"")
        .replace("(prod)", "(local)")
        .replace("\"DeletionProtection\":true", "\"DeletionProtection\":false")
        .replace(
            r#"deletion_protection.enabled","Value":"true""#,
            r#"deletion_protection.enabled","Value":"false""#,
        )
        .replace("Retain", "Delete");
    assert_eq!(of(&as_prod).to_json_min(), same);
}

/// Every manifest below must give a template that is valid by AWS's own schemas.
#[test]
fn clean_under_cfn_lint() {
    let least =
        Manifest::parse("app: a\nservices: { web: { image: \"nginx:1\", port: 80, path: / } }", "least.yaml");
    let wide = Manifest::parse(
        "app: wide-app
network: { cidr: 10.1.0.0/22, azs: 3, nat: none }
environments: { local: { nat: single }, far: {} }
services:
  web: { build: web, port: 80, path: /web/*, secrets: [API_KEY], uses: [main-db, other-db] }
  api: { build: api, port: 81, path: /web/api/*, uses: [uploads], count: 3 }
  worker: { build: worker, uses: [main-db, uploads, api, hub], env: { A: 1 }, egress: [587, 53/udp, \"203.0.113.0/24:5432\"] }
  hub:
    image: \"hub:1\"
    port: 82
    path: /hub
    uses: [api]
    release: ./manage migrate
    depends: { init: succeeded }
    sidecars:
      init: { image: \"tool:1\", command: [sh, -c, \"true\"], essential: false }
      agent: { image: \"agent:1\", env: { A: b }, depends: { init: completed } }
database:
  main-db: { engine: postgres 17, size: db.m6g.large, storage: 50GB, multi_az: false, backups: 0d }
  other-db: { engine: postgres 16 }
buckets: { uploads: { path: /up/*, signed: true }, assets: { path: /assets/* } }
overrides: { WebService.EnableExecuteCommand: true, MainDbInstance.DeletionPolicy: Retain }
",
        "wide.yaml",
    );
    let (least, wide) = (least.unwrap(), wide.unwrap_or_else(|p| panic!("{}", all(&p))));
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for manifest in [
        &least,
        &wide,
        &wide.for_environment("far").unwrap(),
        &shop(),
        &shop().for_environment("staging").unwrap(),
        &shop().for_environment("prod").unwrap(),
    ] {
        let name = manifest.stack_name();
        let mut write = |file: String, text: String| {
            let path = folder.path().join(file);
            std::fs::write(&path, text).unwrap();
            files.push(path);
        };
        write(format!("{name}.yaml"), of(manifest).to_yaml());
        write(format!("{name}.json"), of(manifest).to_json_min());
        if let Some(registry) = registry_template(manifest) {
            write(format!("{name}-registry.yaml"), registry.to_yaml());
        }
    }
    let output = Command::new("cfn-lint")
        .args(["--regions", "eu-west-3", "--"])
        .args(&files)
        .output()
        .expect("cfn-lint must be on PATH (pip install cfn-lint; `cargo xtask test` installs it)");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn http_leads_to_https_where_a_domain_has_a_certificate() {
    let text = "app: web
services: { web: { build: web, port: 80, path: / } }
buckets: { files: { path: /files/* } }
environments:
  bare: { domain: web.example.com }
  prod:
    domain: web.example.com
    overrides: { Distribution.DistributionConfig.ViewerCertificate: { AcmCertificateArn: a, SslSupportMethod: sni-only } }
  open:
    domain: web.example.com
    overrides:
      Distribution.DistributionConfig.ViewerCertificate.AcmCertificateArn: a
      Distribution.DistributionConfig.DefaultCacheBehavior.ViewerProtocolPolicy: allow-all
";
    let manifest = Manifest::parse(text, "web.yaml").unwrap_or_else(|p| panic!("{}", all(&p)));
    for (environment, default, files) in [
        ("local", "allow-all", "allow-all"),
        ("prod", "redirect-to-https", "redirect-to-https"),
        ("open", "allow-all", "redirect-to-https"),
    ] {
        let template = of(&manifest.for_environment(environment).unwrap());
        let config = &template.value()["Resources"]["Distribution"]["Properties"]["DistributionConfig"];
        let policies = [&config["DefaultCacheBehavior"], &config["CacheBehaviors"][0]]
            .map(|b| &b["ViewerProtocolPolicy"]);
        assert_eq!(policies, [default, files], "{environment}");
    }
}

/// A deployment gives the domain's certificate and zone, which exist before the stack. Without them it is the template of a machine
/// that trusts its own names.
#[test]
fn domains_take_certificate_and_zone_as_parameters() {
    let text = "app: web
services: { web: { build: web, port: 80, path: / } }
environments: { prod: { domain: web.example.com } }
";
    let manifest = Manifest::parse(text, "web.yaml").unwrap_or_else(|p| panic!("{}", all(&p)));
    let made = of(&manifest.for_environment("prod").unwrap());
    let resources = &made.value()["Resources"];
    let config = &resources["Distribution"]["Properties"]["DistributionConfig"];
    assert_eq!(config["ViewerCertificate"]["Fn::If"][0], "HasCertificate");
    assert_eq!(config["DefaultCacheBehavior"]["ViewerProtocolPolicy"]["Fn::If"][1], "redirect-to-https");
    assert_eq!(resources["Zone"]["Condition"], "HasOwnZone");
    let given: Vec<_> =
        made.parameters.iter().filter(|p| p.default.as_deref() == Some("")).map(|p| &p.name).collect();
    assert_eq!(given, ["CertificateArn", "HostedZoneId"]);
}

/// CloudFormation enforces `region` and `account` for every deployment of the template, here and on AWS.
#[test]
fn region_and_account_are_rules_of_the_template() {
    let rules = |name| of(&shop().for_environment(name).unwrap()).value()["Rules"].clone();
    assert_eq!(rules("local"), serde_json::Value::Null);
    let only = |pseudo: &str, value: &str, description: &str| {
        serde_json::json!({"Assertions": [
            {"Assert": {"Fn::Equals": [{"Ref": pseudo}, value]}, "AssertDescription": description}
        ]})
    };
    let region = |description| only("AWS::Region", "eu-west-3", description);
    let staging = region("the environment staging is for the region eu-west-3");
    assert_eq!(rules("staging"), serde_json::json!({"OnlyRegion": staging}));
    let description = "the environment prod is for the account 123456789012";
    let prod = region("the environment prod is for the region eu-west-3");
    let account = only("AWS::AccountId", "123456789012", description);
    assert_eq!(rules("prod"), serde_json::json!({"OnlyRegion": prod, "OnlyAccountId": account}));
}

/// A small application with each way in which services depend on something.
fn connected() -> Manifest {
    let text = "app: shop
services:
  web: { image: web:1, port: 80, path: /, uses: [api], release: ./manage 'migrate all', egress: [\"192.0.2.0/24:5432\"] }
  api: { image: api:1, port: 81, count: 3 }
";
    Manifest::parse(text, "escale.yaml").unwrap_or_else(|problems| panic!("{}", all(&problems)))
}

#[test]
fn used_service_is_reached_through_its_own_port_of_the_internal_load_balancer() {
    let template = of(&connected());
    let resources = template.resources();
    let variables = &resources["WebTask"]["Properties"]["ContainerDefinitions"][0]["Environment"];
    assert!(
        variables.to_string().contains(r#"{"Name":"API_URL","Value":"http://api.shop.internal:81"}"#),
        "{variables}"
    );
    let groups = |rule: &str, other: &str| {
        let rule = &resources[rule]["Properties"];
        let group = |value: &serde_json::Value| value["Fn::GetAtt"][0].as_str().unwrap().to_owned();
        (group(&rule["GroupId"]), group(&rule[other]), rule["FromPort"].as_u64().unwrap())
    };
    let (web, api, balancer) = ("WebSecurityGroup", "ApiSecurityGroup", "InternalLoadBalancerSecurityGroup");
    let text = |(own, other, port): (&str, &str, u64)| (own.to_owned(), other.to_owned(), port);
    assert_eq!(groups("WebToApi", "DestinationSecurityGroupId"), text((web, balancer, 81)));
    assert_eq!(groups("ApiFromWeb", "SourceSecurityGroupId"), text((balancer, web, 81)));
    assert_eq!(groups("InternalLoadBalancerToApi", "DestinationSecurityGroupId"), text((balancer, api, 81)));
    assert_eq!(groups("ApiFromInternalLoadBalancer", "SourceSecurityGroupId"), text((api, balancer, 81)));
    assert!(!resources.keys().any(|id| id.starts_with("WebInternal") || id == "WebFromInternalLoadBalancer"));
    let depends = resources["WebService"]["DependsOn"].to_string();
    assert!(
        ["WebToApi", "ApiFromWeb", "ApiInternalRecord"].iter().all(|id| depends.contains(id)),
        "{depends}"
    );
    let alone =
        Manifest::parse("app: a\nservices: { web: { image: x, port: 80, path: / } }", "escale.yaml").unwrap();
    assert!(!of(&alone).to_json_min().contains("Internal\""), "nothing internal without a user");
}

#[test]
fn services_keep_what_they_run_until_the_release_commands_have_succeeded() {
    let template = of(&connected());
    let held: Vec<(&str, &str, Option<&str>)> = template
        .held
        .iter()
        .map(|held| (held.service.as_str(), held.parameter.as_str(), held.release.as_deref()))
        .collect();
    assert_eq!(held, [("web", "WebRuns", Some("WebReleaseTask")), ("api", "ApiRuns", None)]);
    let service = &template.resources()["ApiService"]["Properties"];
    let expected = serde_json::json!({"Fn::If": ["ApiIsHeld", {"Ref": "ApiRuns"}, {"Ref": "ApiTask"}]});
    assert_eq!(service["TaskDefinition"], expected);
    assert_eq!(service["DesiredCount"], serde_json::json!({"Fn::If": ["ApiIsNew", 0, 3]}));
    assert_eq!(template.resources()["ApiTask"]["UpdateReplacePolicy"], "Retain");
    let container = &template.resources()["WebReleaseTask"]["Properties"]["ContainerDefinitions"][0];
    assert_eq!(container["Command"], serde_json::json!(["./manage", "migrate all"]));
    assert_eq!(
        container["Environment"],
        template.resources()["WebTask"]["Properties"]["ContainerDefinitions"][0]["Environment"]
    );
    assert!(
        of(&shop()).held.is_empty()
            && of(&shop()).resources()["BackendTask"]["UpdateReplacePolicy"].is_null()
    );
}

#[test]
fn variables_of_env_win_over_those_of_files() {
    let text = "app: shop\nservices: { web: { image: x, port: 80, path: /, env_file: [a.env, b.env], env: { C: own } } }\n";
    let manifest = Manifest::parse(text, "escale.yaml")
        .unwrap()
        .with_files(|named| Ok(if named == "a.env" { "A=1\nB=1\nC=1\n" } else { "B=2\nC=2\n" }.to_owned()));
    let manifest =
        manifest.for_environment("local").unwrap().set(&["services.web.count=1".to_owned()]).unwrap();
    let given: Vec<(&str, &str)> =
        manifest.services[0].env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(given, [("A", "1"), ("B", "2"), ("C", "own")]);
    assert_eq!(manifest.services[0].env_file, ["a.env", "b.env"]);
}
