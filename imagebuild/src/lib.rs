//! imagebuild
