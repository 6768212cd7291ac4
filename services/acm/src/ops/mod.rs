//! The operations of ACM.

escale_service::operations! { "acm";
    AddTagsToCertificate => add_tags_to_certificate,
    DeleteCertificate => delete_certificate,
    DescribeCertificate => describe_certificate,
    GetCertificate => get_certificate,
    ImportCertificate => import_certificate,
    ListCertificates => list_certificates,
    ListTagsForCertificate => list_tags_for_certificate,
    RemoveTagsFromCertificate => remove_tags_from_certificate,
    RenewCertificate => renew_certificate,
    RequestCertificate => request_certificate,
    UpdateCertificateOptions => update_certificate_options,
}
