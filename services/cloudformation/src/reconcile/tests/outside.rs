//! Data of other services that stacks read: secrets, parameters, templates in S3.

use super::*;
use escale_base::Wire;
use escale_service::{Body, Operation, StreamOperation, StreamReply};

/// Three services of one operation each, with fixed answers.
pub(super) fn services() -> Vec<Arc<dyn Service>> {
    vec![Arc::new(Secrets), Arc::new(Parameters), Arc::new(Objects)]
}

struct Secrets;

impl Service for Secrets {
    fn id(&self) -> &'static str {
        "secretsmanager"
    }
    fn operations(&self) -> Vec<Entry> {
        vec![Entry::of::<GetSecretValue>("GetSecretValue")]
    }
}

struct GetSecretValue;

#[derive(Wire)]
struct SecretId {
    secret_id: String,
}

#[derive(Wire)]
struct SecretValue {
    secret_string: String,
}

impl Operation for GetSecretValue {
    type Input = SecretId;
    type Output = SecretValue;
    type Error = AwsError;
    fn run(_: &mut Cx<'_>, input: SecretId) -> Result<SecretValue, AwsError> {
        match input.secret_id.as_str() {
            "db" => Ok(SecretValue { secret_string: r#"{"password": "hush"}"#.into() }),
            other => Err(error::no_secret(other)),
        }
    }
}

struct Parameters;

impl Service for Parameters {
    fn id(&self) -> &'static str {
        "ssm"
    }
    fn operations(&self) -> Vec<Entry> {
        vec![Entry::of::<GetParameter>("GetParameter")]
    }
}

struct GetParameter;

#[derive(Wire)]
struct Name {
    name: String,
}

#[derive(Wire)]
struct Found {
    parameter: Parameter,
}

#[derive(Wire)]
struct Parameter {
    value: String,
}

impl Operation for GetParameter {
    type Input = Name;
    type Output = Found;
    type Error = AwsError;
    fn run(_: &mut Cx<'_>, input: Name) -> Result<Found, AwsError> {
        match input.name.as_str() {
            "none" => Err(error::no_parameter()),
            name => Ok(Found { parameter: Parameter { value: format!("value of {name}") } }),
        }
    }
}

thread_local! {
    /// The objects of the bucket `nested`. The fake service runs on its test's thread.
    static OBJECTS: std::cell::RefCell<BTreeMap<String, String>> = std::cell::RefCell::default();
}

/// Puts a template into the bucket `nested`.
pub(super) fn put_template(key: &str, text: &str) {
    OBJECTS.with_borrow_mut(|all| all.insert(key.to_owned(), text.to_owned()));
}

struct Objects;

impl Service for Objects {
    fn id(&self) -> &'static str {
        "s3"
    }
    fn operations(&self) -> Vec<Entry> {
        vec![Entry::stream::<Objects, GetObject>("GetObject", &Arc::new(Objects))]
    }
}

struct GetObject;

#[derive(Wire)]
struct Object {
    bucket: String,
    key: String,
}

impl StreamOperation<Objects> for GetObject {
    type Input = Object;
    type Output = ();
    type Error = AwsError;
    async fn run(_: Arc<Objects>, _: StreamCx, at: Object, _: Body) -> Result<StreamReply<()>, AwsError> {
        let text = match (at.bucket.as_str(), at.key.as_str()) {
            ("b", "dir/t.yaml") => "Resources: { A: { Type: Test::Thing } }".to_owned(),
            ("b", "big") => "#".repeat(2_000_000),
            ("nested", key) => match OBJECTS.with_borrow(|all| all.get(key).cloned()) {
                Some(text) => text,
                None => return Err(error::no_key()),
            },
            _ => return Err(error::no_key()),
        };
        let body = http_body_util::Full::new(text.into()).map_err(|never| match never {}).boxed_unsync();
        Ok(StreamReply { output: (), body: Some(body), status: None })
    }
}

#[test]
fn resolves_secrets_and_parameters_at_creation() {
    let env = TestEnv::new();
    let template = "
Parameters:
  Stored: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /image }
Resources:
  A: { Type: Test::Thing, Properties: { Of: 'x{{resolve:secretsmanager:db:SecretString:password}}' } }
  B: { Type: Test::Thing, Properties: { Of: '{{resolve:ssm:/a/b:3}}' } }
  C: { Type: Test::Thing, Properties: { Of: !Ref Stored } }
";
    env.create("shop", template).unwrap();
    env.run();
    assert_eq!(env.status("shop"), "CREATE_COMPLETE");
    let image = env.store.read();
    let of = |id: &str| image.get::<Thing>(id).unwrap().of.clone();
    assert_eq!(["thing-A", "thing-B", "thing-C"].map(of), ["xhush", "value of /a/b:3", "value of /image"]);
    let shown = env.call("DescribeStacks", json!({"StackName": "shop"})).unwrap();
    assert_eq!(shown["Stacks"][0]["Parameters"][0]["ResolvedValue"], "value of /image");
    let events = format!("{:?}", env.events("shop"));
    assert!(!events.contains("hush"), "{events}");

    env.create("lost", &template.replace("manager:db", "manager:missing").replace("  A:", "  Z:")).unwrap();
    env.run();
    assert!(format!("{:?}", env.events("lost")).contains("no secret missing"));
    let missing = template.replace("/image", "none");
    assert!(env.error(&missing).contains("Unable to fetch parameters [none] from parameter store"));
}

#[test]
fn reads_templates_from_s3() {
    let env = TestEnv::new();
    let create =
        |name: &str, url: &str| env.call("CreateStack", json!({"StackName": name, "TemplateURL": url}));
    create("one", "https://b.s3.eu-west-3.amazonaws.com/dir/t.yaml").unwrap();
    env.run();
    assert_eq!(env.status("one"), "CREATE_COMPLETE");
    let error = |url: &str| create("two", url).unwrap_err().to_string();
    assert!(error("https://s3.amazonaws.com/b/none").contains("S3 error: The specified key does not exist."));
    assert!(error("https://s3.amazonaws.com/b/big").contains("may not exceed 1048576 bytes"));
    assert!(error("https://example.com/b/t.yaml").contains("TemplateURL must be a supported URL."));
}
