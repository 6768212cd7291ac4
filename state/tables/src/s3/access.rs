//! The ownership of a bucket's objects, and the grants of its access control list.

use escale_base::choice;
use serde::{Deserialize, Serialize};

choice! {
    /// Who owns the objects of a bucket. An installation has one account, which owns all of them in any case; only with
    /// BucketOwnerEnforced does the bucket refuse ACLs.
    pub enum ObjectOwnership {
        BucketOwnerPreferred = "BucketOwnerPreferred", ObjectWriter = "ObjectWriter",
        BucketOwnerEnforced = "BucketOwnerEnforced",
    }
}

impl Default for ObjectOwnership {
    /// The ownership of a new bucket.
    fn default() -> ObjectOwnership {
        ObjectOwnership::BucketOwnerEnforced
    }
}

choice! {
    pub enum Permission {
        FullControl = "FULL_CONTROL", Write = "WRITE", WriteAcp = "WRITE_ACP", Read = "READ",
        ReadAcp = "READ_ACP",
    }
}
choice! {
    /// The groups that a grant can name, by their URIs.
    pub enum GranteeGroup {
        AllUsers = "http://acs.amazonaws.com/groups/global/AllUsers",
        AuthenticatedUsers = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
        LogDelivery = "http://acs.amazonaws.com/groups/s3/LogDelivery",
    }
}

/// A grant in addition to the full control that the owner always has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub group: GranteeGroup,
    pub permission: Permission,
}
