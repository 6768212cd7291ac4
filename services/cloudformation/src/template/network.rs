//! Evaluates `Fn::Cidr`.

use super::error::TemplateError;
use ipnet::IpNet;

/// The first `count` subnets of a block. `bits` is the length of the host part: 8 gives /24 subnets of an IPv4 block.
pub(crate) fn cidr(block: &str, count: &str, bits: Option<&str>) -> Result<Vec<String>, TemplateError> {
    let wrong = |what: String| TemplateError::usage(format!("Fn::Cidr {what}"));
    let net: IpNet = block.parse().map_err(|_| wrong(format!("needs an IP block, got '{block}'")))?;
    let count: usize = count
        .parse()
        .ok()
        .filter(|n| (1..=256).contains(n))
        .ok_or_else(|| wrong(format!("needs a count from 1 to 256, got '{count}'")))?;
    let bits = bits.unwrap_or(if net.max_prefix_len() == 32 { "8" } else { "64" });
    let prefix = bits.parse::<u8>().ok().and_then(|bits| net.max_prefix_len().checked_sub(bits));
    let subnets = prefix.and_then(|prefix| net.subnets(prefix).ok());
    let subnets = subnets.ok_or_else(|| wrong(format!("cannot take subnets of {bits} bits from {block}")))?;
    let found: Vec<String> = subnets.take(count).map(|n| n.to_string()).collect();
    if found.len() < count {
        return Err(wrong(format!(
            "cannot take {count} subnets of {bits} bits from {block}, which has only {}",
            found.len()
        )));
    }
    Ok(found)
}
