//! RDS: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Operations.html>

use escale_base::Wire;

crate::requests! { "rds";
    DescribeDBInstances => FoundDBInstances,
}

#[derive(Clone, Debug, Wire)]
pub struct DescribeDBInstances {
    #[wire("DBInstanceIdentifier")]
    pub id: String,
}

#[derive(Clone, Debug, Wire)]
pub struct FoundDBInstances {
    #[wire("DBInstances")]
    pub instances: Vec<DBInstance>,
}

#[derive(Clone, Debug, Wire)]
pub struct DBInstance {
    #[wire("DBInstanceIdentifier")]
    pub id: String,
    pub engine: String,
    #[wire("DBName")]
    pub db_name: Option<String>,
    /// `None` until it has an address.
    pub endpoint: Option<Endpoint>,
}

#[derive(Clone, Debug, Wire)]
pub struct Endpoint {
    pub address: Option<String>,
    pub port: u16,
}
