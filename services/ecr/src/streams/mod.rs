//! The operations of ECR that need the plane.

escale_service::streams! {
    crate::Repositories;
    BatchCheckLayerAvailability => batch_check_layer_availability,
    BatchDeleteImage => batch_delete_image,
    BatchGetImage => batch_get_image,
    DeleteRepository => delete_repository,
    DescribeImages => describe_images,
    ListImages => list_images,
    PutImage => put_image,
}
