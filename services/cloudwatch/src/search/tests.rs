use super::*;
use escale_base::AwsError;

/// Namespace, name, and dimensions as `Name=value`.
const METRICS: &[(&str, &str, &[&str])] = &[
    ("AWS/ECS", "CPUUtilization", &["ClusterName=shop", "ServiceName=web-1"]),
    ("AWS/ECS", "MemoryUtilization", &["ClusterName=shop", "ServiceName=web-1"]),
    ("AWS/ECS", "CPUUtilization", &["ClusterName=shop"]),
    ("AWS/RDS", "CPUUtilization", &["DBInstanceIdentifier=shop-main"]),
    ("My Space", "CustomCount1", &[]),
    ("My Space", "Network-Errors-2", &["Dim@Name=a(b)"]),
];

/// The numbers of the metrics that a query selects.
fn selected(query: &str) -> Result<Vec<usize>, Error> {
    let search = Search::parse(query, "Average", Some(60.0))?;
    let dimensions: Vec<Vec<(String, String)>> = METRICS
        .iter()
        .map(|(_, _, all)| {
            let pair = |text: &&str| text.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned())).unwrap();
            all.iter().map(pair).collect()
        })
        .collect();
    let all = METRICS.iter().zip(&dimensions).enumerate();
    Ok(all
        .filter(|(_, ((namespace, name, _), dimensions))| {
            search.selects(Candidate { namespace, name, dimensions })
        })
        .map(|(i, _)| i)
        .collect())
}

#[test]
fn selects_by_schema_and_terms() {
    for (query, expected) in [
        ("{AWS/ECS,ClusterName,ServiceName}", vec![0, 1]),
        ("{AWS/ECS, ServiceName, ClusterName} MetricName=\"CPUUtilization\"", vec![0]),
        ("{AWS/ECS,ClusterName}", vec![2]),
        ("{AWS/ECS}", vec![0, 1, 2]),
        ("{\"My Space\"}, \"CustomCount1\"", vec![4]),
        ("{\"My Space\", \"Dim@Name\"} \"a\\(b\\)\"", vec![5]),
        ("utilization", vec![0, 1, 2, 3]),
        ("UTILIZATION", vec![0, 1, 2, 3]),
        ("cpu shop", vec![0, 2, 3]),
        ("cpu AND main", vec![3]),
        ("cpu and main", vec![]),
        ("memory OR main", vec![1, 3]),
        ("(ECS OR RDS) MetricName=cpu NOT main", vec![0, 2]),
        ("NOT Namespace=AWS", vec![4, 5]),
        ("cpu NOT main NOT web", vec![2]),
        ("MetricName=(\"MemoryUtilization\" OR \"CustomCount1\")", vec![1, 4]),
        ("ServiceName=\"web-1\" Namespace=\"AWS/ECS\"", vec![0, 1]),
        ("ServiceName=\"web\"", vec![]),
        ("ServiceName=shop", vec![]),
        ("\"cpuutilization\"", vec![]),
        ("\"NOT\"", vec![]),
        ("memory OR cpu main", vec![1, 3]),
    ] {
        assert_eq!(selected(query).unwrap_or_else(|e| panic!("{query}: {e}")), expected, "{query}");
    }
}

/// The examples of AWS's page.
#[test]
fn terms_match_tokens() {
    for (term, name, expected) in [
        ("count", "CustomCount1", true),
        ("COUNT", "CustomCount1", true),
        ("couNT", "CustomCount1", false),
        ("CustomCount", "CustomCount1", true),
        ("Count1", "CustomCount1", true),
        ("customcount", "CustomCount1", false),
        ("count1", "CustomCount1", false),
        ("customcount1", "CustomCount1", true),
        ("sdb", "SDBFailure", true),
        ("failure", "SDBFailure", true),
        ("trial", "Project2-trial333", true),
        ("333", "Project2-trial333", true),
        ("33", "Project2-trial333", false),
        ("network/errors", "Network-Errors-2", true),
        ("Network_Errors", "NetworkErrors2", true),
        ("errors-network", "Network-Errors-2", false),
        ("---", "Network-Errors-2", false),
        ("i-1234567890123456", "i-1234567890123456", true),
    ] {
        assert_eq!(tokens::matches(term, name), expected, "{term} in {name}");
    }
}

#[test]
fn refuses_other_queries_and_says_why() {
    for (query, code, why) in [
        ("", "ValidationError", "neither a schema nor a term"),
        ("{AWS/ECS", "ValidationError", "'}' is missing"),
        ("{}", "ValidationError", "needs names"),
        ("{My Space} x", "ValidationError", "double quotes"),
        ("a OR", "ValidationError", "missing at its end"),
        ("AND a", "ValidationError", "before 'AND'"),
        ("a OR OR b", "ValidationError", "before 'OR'"),
        ("(a", "ValidationError", "')' is missing"),
        ("a)", "ValidationError", "follows a complete query"),
        ("\"a", "ValidationError", "quotation mark"),
        ("a=b=c", "ValidationError", "property of a property"),
        (":aws.AccountId=\"1\"", "NotImplemented", ":aws.AccountId"),
        (&"NOT ".repeat(100), "ValidationError", "nested"),
        (&"x".repeat(1025), "ValidationError", "1024"),
    ] {
        let error = AwsError::from(selected(query).unwrap_err());
        assert_eq!((error.code.as_str(), error.message.contains(why)), (code, true), "{query}: {error}");
    }
    for (stat, period, code) in
        [("Mean", Some(60.0), "InvalidParameterValue"), ("Sum", Some(61.0), "InvalidParameterValue")]
    {
        let error = AwsError::from(Search::parse("a", stat, period).unwrap_err());
        assert_eq!(error.code, code, "{error}");
    }
    assert_eq!(Search::parse("a", "Sum", None).unwrap().period, 300);
}

#[test]
fn labels_have_what_differs() {
    let dimensions = |service: &str| {
        vec![("ClusterName".to_owned(), "shop".to_owned()), ("ServiceName".to_owned(), service.to_owned())]
    };
    let (web, api) = (dimensions("web"), dimensions("api"));
    let of = |name, dimensions| Candidate { namespace: "AWS/ECS", name, dimensions };
    assert_eq!(labels(&[of("CPU", &web), of("CPU", &api)]), ["web", "api"]);
    assert_eq!(labels(&[of("CPU", &web), of("Memory", &api)]), ["web CPU", "api Memory"]);
    assert_eq!(labels(&[of("CPU", &web)]), ["CPU"]);
    let other = Candidate { namespace: "Shop", ..of("CPU", &[]) };
    assert_eq!(labels(&[of("CPU", &web), other]), ["AWS/ECS shop web", "Shop"]);
}
