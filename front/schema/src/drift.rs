//! What a comparison of a resource's expected and actual properties must know of a value.

use crate::{
    Schema, names,
    node::{Node, Type},
};

impl Schema {
    /// Whether no answer of the service has this value, such as a password. `path` starts with a property; a list's items are `*`.
    pub fn is_write_only(&self, path: &[&str]) -> bool {
        let path = format!("/properties/{}", path.join("/"));
        self.write_only_properties.contains(&path)
    }

    /// Whether the property is a part of the name under which the service knows the resource.
    pub fn is_identifier(&self, property: &str) -> bool {
        names(&self.primary_identifier, property)
    }

    /// Whether the value has members that the schema does not list: a document, or a map such as labels.
    pub fn is_free(&self, path: &[&str]) -> bool {
        let Some((property, below)) = path.split_first() else { return false };
        let mut here = match self.properties.get(*property) {
            Some(node) => self.target(node),
            // The type has no such property, so nothing is known of it.
            None => return true,
        };
        for step in below {
            let inner = match *step {
                "*" => here.items.as_deref(),
                member => here.properties.get(member),
            };
            match inner {
                Some(node) => here = self.target(node),
                // Below a document.
                None => return true,
            }
        }
        here.properties.is_empty() && !here.types.0.contains(&Type::Array)
    }

    fn target<'a>(&'a self, node: &'a Node) -> &'a Node {
        let name = node.reference.as_deref().and_then(|name| name.strip_prefix("#/definitions/"));
        name.and_then(|name| self.definitions.get(name)).unwrap_or(node)
    }
}

#[cfg(test)]
mod tests {
    use crate::schema;

    #[test]
    fn finds_values_that_no_answer_has() {
        let database = schema("AWS::RDS::DBInstance").unwrap();
        assert!(database.is_write_only(&["MasterUserPassword"]));
        assert!(!database.is_write_only(&["MasterUsername"]));
        assert!(database.is_identifier("DBInstanceIdentifier"));
        assert!(!database.is_identifier("DBName"));
        let group = schema("AWS::EC2::SecurityGroup").unwrap();
        assert!(group.is_write_only(&["SecurityGroupIngress", "*", "SourceSecurityGroupName"]));
        assert!(!group.is_write_only(&["SecurityGroupIngress", "*", "CidrIp"]));
    }

    #[test]
    fn tells_maps_and_documents_from_structures() {
        let definition = schema("AWS::ECS::TaskDefinition").unwrap();
        assert!(definition.is_free(&["ContainerDefinitions", "*", "DockerLabels"]));
        assert!(!definition.is_free(&["ContainerDefinitions", "*"]));
        assert!(!definition.is_free(&["ContainerDefinitions"]));
        let role = schema("AWS::IAM::Role").unwrap();
        assert!(role.is_free(&["AssumeRolePolicyDocument"]));
        assert!(role.is_free(&["AssumeRolePolicyDocument", "Statement", "*"]));
        assert!(!role.is_free(&["Policies", "*"]));
    }
}
