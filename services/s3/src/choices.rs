//! Enumerations of AWS's API whose values are not stored.

use escale_base::choice;

choice! {
    pub(crate) enum BucketCannedAcl {
        Private = "private", PublicRead = "public-read", PublicReadWrite = "public-read-write",
        AuthenticatedRead = "authenticated-read",
    }
}
choice! { pub(crate) enum BucketVersioningStatus { Enabled = "Enabled", Suspended = "Suspended" } }
choice! {
    pub(crate) enum ChecksumAlgorithm {
        Crc32 = "CRC32", Crc32c = "CRC32C", Sha1 = "SHA1", Sha256 = "SHA256", Crc64nvme = "CRC64NVME",
        Sha512 = "SHA512", Md5 = "MD5", Xxhash64 = "XXHASH64", Xxhash3 = "XXHASH3",
        Xxhash128 = "XXHASH128",
    }
}
choice! { pub(crate) enum ChecksumMode { Enabled = "ENABLED" } }
choice! { pub(crate) enum ChecksumType { Composite = "COMPOSITE", FullObject = "FULL_OBJECT" } }
choice! { pub(crate) enum EncodingType { Url = "url" } }
choice! { pub(crate) enum Directive { Copy = "COPY", Replace = "REPLACE" } }
choice! { pub(crate) enum MfaDelete { Enabled = "Enabled", Disabled = "Disabled" } }
choice! {
    pub(crate) enum ObjectAttribute {
        ETag = "ETag", Checksum = "Checksum", ObjectParts = "ObjectParts", StorageClass = "StorageClass",
        ObjectSize = "ObjectSize",
    }
}
choice! {
    pub(crate) enum ObjectCannedAcl {
        Private = "private", PublicRead = "public-read", PublicReadWrite = "public-read-write",
        AuthenticatedRead = "authenticated-read", AwsExecRead = "aws-exec-read",
        BucketOwnerRead = "bucket-owner-read", BucketOwnerFullControl = "bucket-owner-full-control",
    }
}
choice! { pub(crate) enum Payer { Requester = "Requester", BucketOwner = "BucketOwner" } }
choice! {
    pub(crate) enum ServerSideEncryption {
        Aes256 = "AES256", AwsFsx = "aws:fsx", AwsKms = "aws:kms", AwsKmsDsse = "aws:kms:dsse",
    }
}
choice! {
    pub(crate) enum StorageClass {
        Standard = "STANDARD", ReducedRedundancy = "REDUCED_REDUNDANCY", StandardIa = "STANDARD_IA",
        OnezoneIa = "ONEZONE_IA", IntelligentTiering = "INTELLIGENT_TIERING", Glacier = "GLACIER",
        DeepArchive = "DEEP_ARCHIVE", Outposts = "OUTPOSTS", GlacierIr = "GLACIER_IR", Snow = "SNOW",
        ExpressOnezone = "EXPRESS_ONEZONE", FsxOpenzfs = "FSX_OPENZFS", FsxOntap = "FSX_ONTAP",
    }
}
choice! {
    pub(crate) enum GranteeType {
        CanonicalUser = "CanonicalUser", AmazonCustomerByEmail = "AmazonCustomerByEmail", Group = "Group",
    }
}
choice! {
    /// The storage class of every object. The others are refused.
    pub(crate) enum StoredClass { Standard = "STANDARD" }
}
