//! AWS's enumerations that are not stored.

use escale_base::choice;

choice! { pub(crate) enum EncryptionType { Aes256 = "AES256", Kms = "KMS", KmsDsse = "KMS_DSSE" } }
choice! {
    pub(crate) enum ImageFailureCode {
        InvalidImageDigest = "InvalidImageDigest", InvalidImageTag = "InvalidImageTag",
        ImageTagDoesNotMatchDigest = "ImageTagDoesNotMatchDigest", ImageNotFound = "ImageNotFound",
        MissingDigestAndTag = "MissingDigestAndTag",
        ImageReferencedByManifestList = "ImageReferencedByManifestList", KmsError = "KmsError",
        UpstreamAccessDenied = "UpstreamAccessDenied", UpstreamTooManyRequests = "UpstreamTooManyRequests",
        UpstreamUnavailable = "UpstreamUnavailable", ImageInaccessible = "ImageInaccessible",
    }
}
choice! {
    pub(crate) enum ImageTagMutability {
        Mutable = "MUTABLE", Immutable = "IMMUTABLE", ImmutableWithExclusion = "IMMUTABLE_WITH_EXCLUSION",
        MutableWithExclusion = "MUTABLE_WITH_EXCLUSION",
    }
}
choice! {
    pub(crate) enum LayerAvailability {
        Available = "AVAILABLE", Unavailable = "UNAVAILABLE", Archived = "ARCHIVED",
    }
}
choice! {
    pub(crate) enum LayerFailureCode {
        InvalidLayerDigest = "InvalidLayerDigest", MissingLayerDigest = "MissingLayerDigest",
    }
}
choice! { pub(crate) enum LifecycleAction { Expire = "expire", Transition = "transition" } }
choice! {
    pub(crate) enum LifecycleCount {
        ImageCountMoreThan = "imageCountMoreThan", SinceImagePushed = "sinceImagePushed",
        SinceImagePulled = "sinceImagePulled", SinceImageTransitioned = "sinceImageTransitioned",
    }
}
choice! { pub(crate) enum LifecycleTags { Tagged = "tagged", Untagged = "untagged", Any = "any" } }
choice! { pub(crate) enum LifecycleUnit { Days = "days" } }
choice! { pub(crate) enum TagStatus { Tagged = "TAGGED", Untagged = "UNTAGGED", Any = "ANY" } }
