//! CloudFormation. So far its pure core: [`template`], which reads, checks and evaluates templates.

pub mod template;
