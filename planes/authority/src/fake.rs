//! Authorities for simulations: real certificates from keys in memory. Every key is P-256, because RSA keys take a second each.

use crate::{Authority, Issued, KeyKind, Leaf, Purpose, keys, root, sign};
use async_trait::async_trait;
use escale_base::{PlaneError, Timestamp};
use rcgen::{Issuer, KeyPair};

/// The start of the roots' validity: before every clock of a simulation.
const SINCE: Timestamp = Timestamp(1_700_000_000_000);
const TAG: &str = "fake";

pub struct FakeAuthorities {
    browsers: Fake,
    workloads: Fake,
}

struct Fake {
    key: KeyPair,
    root_pem: String,
}

impl FakeAuthorities {
    pub fn new() -> Result<FakeAuthorities, PlaneError> {
        let new = |purpose| {
            let key = keys::generate(KeyKind::P256)?;
            let root_pem = root::sign(purpose, TAG, &["localhost".to_owned()], &key, SINCE)?;
            Ok::<_, PlaneError>(Fake { key, root_pem })
        };
        Ok(FakeAuthorities { browsers: new(Purpose::Browsers)?, workloads: new(Purpose::Workloads)? })
    }

    fn of(&self, purpose: Purpose) -> &Fake {
        match purpose {
            Purpose::Browsers => &self.browsers,
            Purpose::Workloads => &self.workloads,
        }
    }
}

#[async_trait]
impl Authority for FakeAuthorities {
    async fn issue(&self, purpose: Purpose, leaf: Leaf) -> Result<Issued, PlaneError> {
        let params = root::params(purpose, TAG, &[]);
        let issuer = Issuer::from_params(&params, &self.of(purpose).key);
        sign::leaf(&issuer, &leaf, &keys::generate(KeyKind::P256)?, self.root(purpose)?)
    }

    fn root(&self, purpose: Purpose) -> Result<String, PlaneError> {
        Ok(self.of(purpose).root_pem.clone())
    }
}
