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
  worker: { build: worker, uses: [main-db, uploads], env: { A: 1 } }
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
