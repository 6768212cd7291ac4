//! Enumerations of requests that are not stored.

escale_base::choice! {
    pub(crate) enum ScanBy { Descending = "TimestampDescending", Ascending = "TimestampAscending" }
}

escale_base::choice! {
    pub(crate) enum RecentlyActive { ThreeHours = "PT3H" }
}

escale_base::choice! {
    pub(crate) enum StatusCode { Complete = "Complete", PartialData = "PartialData" }
}

pub(crate) use escale_tables::cloudwatch::{StandardUnit, Statistic};

escale_base::choice! {
    pub(crate) enum ComparisonInput {
        GreaterOrEqual = "GreaterThanOrEqualToThreshold",
        Greater = "GreaterThanThreshold",
        Less = "LessThanThreshold",
        LessOrEqual = "LessThanOrEqualToThreshold",
        OutsideBand = "LessThanLowerOrGreaterThanUpperThreshold",
        BelowBand = "LessThanLowerThreshold",
        AboveBand = "GreaterThanUpperThreshold",
    }
}
