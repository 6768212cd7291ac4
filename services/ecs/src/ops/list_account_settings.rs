//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListAccountSettings.html>

use super::put_account_setting::{SETTINGS, Setting};
use crate::Error;
use escale_base::Wire;
use escale_service::Principal;
use escale_service::{Cx, Operation};
use escale_tables::ecs::{AccountSetting, SettingName};

pub(crate) struct ListAccountSettings;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    name: Option<SettingName>,
    value: Option<String>,
    effective_settings: Option<bool>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    settings: Vec<Setting>,
}

impl Operation for ListAccountSettings {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let stored = |name: SettingName| cx.tx.get::<AccountSetting>(name.as_str()).map(|s| s.value.clone());
        let principal_arn = Principal::Root.arn(&cx.config.account);
        let all = SETTINGS.iter().filter_map(|(name, default)| {
            let value = match stored(*name) {
                Some(value) => value,
                None if input.effective_settings == Some(true) => (*default).to_owned(),
                None => return None,
            };
            Some(Setting { name: *name, value, principal_arn: principal_arn.clone() })
        });
        let wanted = |s: &Setting| {
            input.name.is_none_or(|n| n == s.name) && input.value.as_ref().is_none_or(|v| *v == s.value)
        };
        Ok(Output { settings: all.filter(wanted).collect() })
    }
}
