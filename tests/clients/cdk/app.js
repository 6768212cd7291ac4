// The stacks of test_cdk_assets.py, with the default synthesizer. The test's variables select the content.
const cdk = require('aws-cdk-lib');
const ec2 = require('aws-cdk-lib/aws-ec2');
const ecs = require('aws-cdk-lib/aws-ecs');
const assets = require('aws-cdk-lib/aws-s3-assets');
const ssm = require('aws-cdk-lib/aws-ssm');

const env = { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION };

class Files extends cdk.Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    const page = new assets.Asset(this, 'Page', { path: process.env.PAGE });
    const greeting = new ssm.StringParameter(this, 'Greeting', { parameterName: '/greeting', stringValue: process.env.GREETING });
    if (process.env.BROKEN) {
      // The bootstrap stack has a parameter of this name: the creation fails, and only after the greeting has changed.
      const broken = new ssm.CfnParameter(this, 'Broken', { name: '/cdk-bootstrap/hnb659fds/version', type: 'String', value: 'a' });
      broken.node.addDependency(greeting);
    }
    if (process.env.IMPORTED) {
      new ssm.CfnParameter(this, 'Imported', { name: '/imported', type: 'String', value: process.env.IMPORTED });
    }
    new cdk.CfnOutput(this, 'Bucket', { value: page.s3BucketName });
    new cdk.CfnOutput(this, 'Key', { value: page.s3ObjectKey });
  }
}

class Web extends cdk.Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    const vpc = ec2.Vpc.fromLookup(this, 'Vpc', { isDefault: true });
    const cluster = new ecs.Cluster(this, 'Cluster', { vpc });
    const definition = new ecs.FargateTaskDefinition(this, 'Definition', { cpu: 256, memoryLimitMiB: 512 });
    definition.addContainer('web', { image: ecs.ContainerImage.fromAsset(process.env.IMAGE) });
    new ecs.FargateService(this, 'Service', {
      cluster, taskDefinition: definition, desiredCount: 1, minHealthyPercent: 100, assignPublicIp: true, circuitBreaker: { rollback: true },
    });
  }
}

const app = new cdk.App();
new Files(app, 'Files', { env });
new Web(app, 'Web', { env });
