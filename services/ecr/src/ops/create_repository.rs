//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>

use crate::choices::{EncryptionType, ImageTagMutability};
use crate::{Error, rules, shapes};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::ecr::{Deletion, Repository, RepositoryName, RepositorySeen};

pub(crate) struct CreateRepository;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    tags: Vec<shapes::Tag>,
    image_tag_mutability: Option<ImageTagMutability>,
    image_scanning_configuration: Option<shapes::Scanning>,
    encryption_configuration: Option<Encryption>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    repository: shapes::RepositoryShape,
}

#[derive(Wire)]
#[wire(camelCase)]
struct Encryption {
    encryption_type: EncryptionType,
}

impl Operation for CreateRepository {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx.config, &input.repository_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::registry(cx.config, input.registry_id.as_deref())?;
        rules::repository_name(&input.repository_name)?;
        if let Some(other) =
            input.encryption_configuration.filter(|e| e.encryption_type != EncryptionType::Aes256)
        {
            return Err(AwsError::not_supported(format_args!(
                "The encryption type {}",
                other.encryption_type
            ))
            .hint("Use AES256.")
            .into());
        }
        let name = input.repository_name;
        if cx.tx.has::<Repository>(&name) {
            return Err(Error::RepositoryExists { name, account: cx.config.account.clone() });
        }
        let row = Repository {
            name: name.clone(),
            created: cx.now,
            immutable_tags: rules::immutable(input.image_tag_mutability)?,
            scan_on_push: input.image_scanning_configuration.and_then(|s| s.scan_on_push).unwrap_or(false),
            policy: None,
            lifecycle: None,
            tags: input.tags,
            empty_on_delete: false,
            deletion: Deletion::No,
        };
        let repository = shapes::repository(&row, cx.config);
        // It describes the failed deletion of an earlier repository of this name.
        cx.tx.delete::<RepositorySeen>(&name);
        cx.tx.put(row);
        Ok(Output { repository })
    }
}
