// The source of cdk-repository.json and cdk-shop.json, made with aws-cdk 2.1148.1 and aws-cdk-lib 2.271.0 in an empty folder:
//   npm install aws-cdk@2.1148.1 aws-cdk-lib@2.271.0 constructs
//   eval "$(escale env)"; npx cdk --app 'node cdk-app.js' synth --all
// `cdk deploy` and `cdk destroy` work, too. No bootstrap stack is needed: the synthesizer below uploads no assets and uses the
// caller's credentials.
const cdk = require('aws-cdk-lib');
const ec2 = require('aws-cdk-lib/aws-ec2');
const ecs = require('aws-cdk-lib/aws-ecs');
const ecr = require('aws-cdk-lib/aws-ecr');
const patterns = require('aws-cdk-lib/aws-ecs-patterns');
const rds = require('aws-cdk-lib/aws-rds');
const s3 = require('aws-cdk-lib/aws-s3');
const cloudfront = require('aws-cdk-lib/aws-cloudfront');
const origins = require('aws-cdk-lib/aws-cloudfront-origins');

const app = new cdk.App({ defaultStackSynthesizer: new cdk.LegacyStackSynthesizer() });
const env = { account: '000000000000', region: 'eu-west-3' };

class Repo extends cdk.Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    this.repository = new ecr.Repository(this, 'Web', { repositoryName: 'web', removalPolicy: cdk.RemovalPolicy.DESTROY, emptyOnDelete: true });
  }
}
class Shop extends cdk.Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    const vpc = new ec2.Vpc(this, 'Vpc', { maxAzs: 2, natGateways: 1 });
    const service = new patterns.ApplicationLoadBalancedFargateService(this, 'Web', {
      vpc, desiredCount: 2, cpu: 256, memoryLimitMiB: 512,
      taskImageOptions: { image: ecs.ContainerImage.fromEcrRepository(props.repository, 'v1'), containerPort: 8080, environment: { GREETING: 'hello' } },
      publicLoadBalancer: true,
    });
    const db = new rds.DatabaseInstance(this, 'Db', {
      engine: rds.DatabaseInstanceEngine.postgres({ version: rds.PostgresEngineVersion.VER_15 }),
      vpc, multiAz: true, instanceType: ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MICRO), removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
    db.connections.allowDefaultPortFrom(service.service);
    const bucket = new s3.Bucket(this, 'Files', { removalPolicy: cdk.RemovalPolicy.DESTROY });
    new cloudfront.Distribution(this, 'Cdn', { defaultBehavior: { origin: origins.S3BucketOrigin.withOriginAccessControl(bucket) } });
    new cdk.CfnOutput(this, 'Bucket', { value: bucket.bucketName });
  }
}
const repo = new Repo(app, 'Repo', { env });
new Shop(app, 'Shop', { env, repository: repo.repository });
