//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAccountSetting.html>

use crate::Error;
use escale_base::Wire;
use escale_service::Principal;
use escale_service::{Cx, Operation};
use escale_tables::ecs::{AccountSetting, SettingName};

/// AWS's settings with their defaults. They are only recorded.
pub(super) const SETTINGS: &[(SettingName, &str)] = &[
    (SettingName::AwsvpcTrunking, "disabled"),
    (SettingName::ContainerInsights, "disabled"),
    (SettingName::ContainerInstanceLongArnFormat, "enabled"),
    (SettingName::FargateFIPSMode, "disabled"),
    (SettingName::ServiceLongArnFormat, "enabled"),
    (SettingName::TagResourceAuthorization, "off"),
    (SettingName::TaskLongArnFormat, "enabled"),
];

#[derive(Wire)]
#[wire(camelCase)]
pub(super) struct Setting {
    pub(super) name: SettingName,
    pub(super) value: String,
    pub(super) principal_arn: String,
}

pub(crate) struct PutAccountSetting;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    name: SettingName,
    value: String,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    setting: Setting,
}

impl Operation for PutAccountSetting {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if !SETTINGS.iter().any(|(name, _)| *name == input.name) {
            return Err(Error::NotSupported(format!("The account setting {}", input.name)));
        }
        cx.tx.put(AccountSetting { name: input.name, value: input.value.clone() });
        let principal_arn = Principal::Root.arn(&cx.config.account);
        Ok(Output { setting: Setting { name: input.name, value: input.value, principal_arn } })
    }
}
