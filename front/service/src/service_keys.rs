//! Keys for requests from one part of the cloud to another: a distribution that fetches from a bucket.
//!
//! They are kept in memory only: the daemon gives each to the process that signs with it, and a new daemon gives new ones.

use crate::{Credential, Principal};
use escale_base::{Secret, ids};
use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

#[derive(Default)]
pub(crate) struct ServiceKeys(RwLock<HashMap<String, Credential>>);

impl ServiceKeys {
    /// The key of this principal; the same one each time.
    pub(crate) fn key_for(&self, principal: Principal) -> (String, Secret<String>) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((id, found)) = keys.iter().find(|(_, c)| c.principal == principal) {
            return (id.clone(), found.secret.clone());
        }
        let id = format!("ASVC{}", ids::random_upper(16));
        let secret = Secret::new(ids::random_hex(40));
        let credential = Credential { principal, secret: secret.clone(), session_token: None, expires: None };
        keys.insert(id.clone(), credential);
        (id, secret)
    }

    pub(crate) fn find(&self, id: &str) -> Option<Credential> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}
