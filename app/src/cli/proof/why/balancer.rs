//! The hops of a load balancer: its nodes as reached from the Internet, the listener, the rule, and the health of the targets.

use super::{Walk, blame, edge::Url, failed, tasks::Service};
use anyhow::{Context, Result};
use escale_network::{Interface, Place as Spot, VISITOR, enters, leaves};
use escale_proof::why::{
    Explained, Place, Probe, State, Step,
    balancer::{Condition, accepts, fits},
};
use escale_wire::Element;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A registered target.
struct Registered {
    address: Ipv4Addr,
    port: u16,
    /// `healthy`, `unhealthy`, `initial`, `draining`, ….
    state: String,
    reason: String,
}

/// What is before the targets of a group, and the service whose tasks they are.
struct Front<'a> {
    vpc_id: &'a str,
    nodes: &'a [Interface],
    service: Option<&'a Service>,
}

impl Walk<'_> {
    pub(super) async fn balancer(&mut self, url: &Url, balancer: &Element, port: u16) -> Result<()> {
        let arn = balancer.text_of("LoadBalancerArn").to_owned();
        let name = balancer.text_of("LoadBalancerName").to_owned();
        let place = self.deployed.place(&arn);
        let vpc_id = balancer.text_of("VpcId").to_owned();
        let nodes: Vec<Interface> = match self.vpc(&vpc_id).await {
            Ok(vpc) => vpc.nodes(&arn).into_iter().cloned().collect(),
            Err(error) => {
                self.push_unread(Step::Network, &name, &vpc_id, &error);
                return Ok(());
            }
        };
        let is_public = balancer.text_of("Scheme") == "internet-facing";
        let reached =
            if is_public { self.reached_nodes(&vpc_id, &name, &nodes, port).await } else { Vec::new() };
        let by_arn = [("LoadBalancerArn".to_owned(), arn.clone())];
        let listeners = self.client.query("elbv2", "DescribeListeners", &by_arn).await?;
        let listeners = listeners.list("Listeners");
        let listener = listeners.iter().find(|l| l.text_of("Port") == port.to_string()).cloned();
        let probe = match (reached.first(), &listener) {
            (Some(address), Some(_)) => self.listener_probe(SocketAddrV4::new(*address, port), url).await,
            _ => None,
        };
        let Some(listener) = listener else {
            let known: Vec<&str> = listeners.iter().map(|l| l.text_of("Port")).collect();
            let rule = format!(
                "the load balancer {name} has no listener on port {port}: it has {}",
                known.join(", ")
            );
            let explained =
                failed(rule, place.clone(), "Create the listener, or correct the port of the origin or URL.");
            self.push(Step::Listener, format!("{name}:{port}"), place, explained, None);
            return Ok(());
        };
        let state = balancer.child("State").map_or("", |s| s.text_of("Code"));
        let listener_arn = listener.text_of("ListenerArn").to_owned();
        let listener_place = self.deployed.place(&listener_arn);
        let explained = if state == "active" {
            Explained::Ok(format!("{} listener, the load balancer is active", listener.text_of("Protocol")))
        } else {
            failed(
                format!("the load balancer {name} is {state}"),
                place,
                "Wait until it is active; `escale status` shows what is pending.",
            )
        };
        self.push(Step::Listener, format!("{name}:{port}"), listener_place, explained, probe);
        let by_arn = [("ListenerArn".to_owned(), listener_arn.clone())];
        let rules = self.client.query("elbv2", "DescribeRules", &by_arn).await?;
        let groups = self.rule(url, rules.list("Rules"), &listener_arn);
        for group in groups {
            self.targets(url, &group, &vpc_id, &nodes).await?;
        }
        Ok(())
    }

    /// The nodes that answer from the Internet, by their public addresses.
    async fn reached_nodes(
        &mut self,
        vpc_id: &str,
        name: &str,
        nodes: &[Interface],
        port: u16,
    ) -> Vec<Ipv4Addr> {
        let mut reached = Vec::new();
        for public in nodes.iter().filter_map(|node| node.public_address) {
            self.prober.begin(&Spot::Internet, SocketAddrV4::new(public, port));
        }
        for node in nodes {
            let Some(public) = node.public_address else { continue };
            let Some(vpc) = self.vpcs.get(vpc_id) else { continue };
            let explained = match enters(&vpc.spec, &node.name, port, VISITOR) {
                Ok(()) => Explained::Ok("route, network ACL and security groups allow it".to_owned()),
                Err(block) => Explained::Failed(blame::cause(&block, vpc, self.deployed)),
            };
            let to = SocketAddrV4::new(public, port);
            let probe = self.prober.tcp(&Spot::Internet, to, &explained).await;
            let is_open =
                !matches!(explained, Explained::Failed(_)) && probe.as_ref().is_some_and(|p| p.passed);
            reached.extend(is_open.then_some(public));
            let place = self.deployed.place(&node.name);
            self.push(
                Step::Network,
                format!("the Internet to {name} at {public}:{port}"),
                place,
                explained,
                probe,
            );
        }
        reached
    }

    /// Any answer of the protocol is one of the listener.
    async fn listener_probe(&self, to: SocketAddrV4, url: &Url) -> Option<Probe> {
        if url.is_https && to.port() == 443 {
            let expected = Explained::Ok(String::new());
            return self.prober.tcp(&Spot::Internet, to, &expected).await;
        }
        let page = self.prober.front_page(&Spot::Internet, to, &url.host, &url.path_and_query()).await?;
        Some(match page {
            Ok(Some(page)) => {
                Probe { passed: true, what: format!("it answers {}", page.status), ms: page.ms }
            }
            Ok(None) => Probe {
                passed: true,
                what: "it accepts the request, and waits for a target".to_owned(),
                ms: 0,
            },
            Err(error) => {
                Probe { passed: false, what: format!("{to} does not answer HTTP: {error:#}"), ms: 0 }
            }
        })
    }

    /// The target groups of the first rule that fits.
    fn rule(&mut self, url: &Url, rules: &[Element], listener: &str) -> Vec<String> {
        let mut ordered: Vec<&Element> = rules.iter().collect();
        ordered.sort_by_key(|r| r.text_of("Priority").parse::<u32>().unwrap_or(u32::MAX));
        for rule in ordered {
            let conditions: Vec<Condition> = rule.list("Conditions").iter().map(condition).collect();
            let (arn, priority) = (rule.text_of("RuleArn"), rule.text_of("Priority"));
            // The default rule has no resource of its own in a template: the listener has it.
            let place = self.deployed.place_or(arn, listener);
            match fits(&conditions, &url.host, &url.path) {
                Some(false) => {}
                None => {
                    let what = format!(
                        "rule {priority} depends on headers, the query or the client's address, which a URL does not say"
                    );
                    self.push(Step::ListenerRule, &url.path, place, Explained::Unknown(what), None);
                }
                Some(true) => {
                    let (groups, kinds) = actions(rule);
                    if let Some(status) = refusal(rule) {
                        let explained = refused(url, rules, priority, status, &place);
                        self.push(Step::ListenerRule, &url.path, place, explained, None);
                        return groups;
                    }
                    let to: Vec<&str> = groups.iter().map(|arn| short(arn)).collect();
                    let said = format!("rule {priority}: {} {}", kinds.join(", "), to.join(", "));
                    self.push(
                        Step::ListenerRule,
                        &url.path,
                        place,
                        Explained::Ok(said.trim_end().to_owned()),
                        None,
                    );
                    return groups;
                }
            }
        }
        Vec::new()
    }

    async fn targets(&mut self, url: &Url, arn: &str, vpc_id: &str, nodes: &[Interface]) -> Result<()> {
        let by_arn = [("TargetGroupArns.member.1".to_owned(), arn.to_owned())];
        let described = self.client.query("elbv2", "DescribeTargetGroups", &by_arn).await?;
        let group =
            described.list("TargetGroups").first().cloned().context("the target group does not exist")?;
        let by_arn = [("TargetGroupArn".to_owned(), arn.to_owned())];
        let health = self.client.query("elbv2", "DescribeTargetHealth", &by_arn).await?;
        let targets: Vec<Registered> = health
            .list("TargetHealthDescriptions")
            .iter()
            .filter_map(registered)
            .filter(|t| t.state != "draining")
            .collect();
        let service = self.service_of_group(arn).await?;
        if targets.is_empty() {
            let place = self.deployed.place(arn);
            let fix = "Start a task: `escale status` shows why none runs.";
            let explained = failed(
                format!("the target group {} has no registered target", short(arn)),
                place.clone(),
                fix,
            );
            self.push(Step::TargetHealth, short(arn), place, explained, None);
        }
        let front = Front { vpc_id, nodes, service: service.as_ref() };
        for (node, target) in nodes.iter().flat_map(|node| targets.iter().map(move |target| (node, target))) {
            let to = SocketAddrV4::new(target.address, target.port);
            self.prober.begin(&Spot::interface(vpc_id, &node.name), to);
        }
        for target in &targets {
            self.target(url, &group, target, &front).await;
        }
        if let Some(service) = service {
            self.service(&service, targets.is_empty()).await?;
        }
        Ok(())
    }

    async fn target(&mut self, url: &Url, group: &Element, target: &Registered, front: &Front<'_>) {
        let Front { vpc_id, nodes, service } = *front;
        let to = SocketAddrV4::new(target.address, target.port);
        let arn = group.text_of("TargetGroupArn");
        let place = self.deployed.place(arn);
        let task = service.filter(|s| s.tasks.iter().any(|t| t.address == target.address));
        let spot = self.spot_at(vpc_id, target.address);
        let listens = match &spot {
            Some(spot) => self.prober.listens(spot, to).await,
            None => None,
        };
        if let Some(service) = task
            && !service.ports.contains(&target.port)
        {
            let ports: Vec<String> = service.ports.iter().map(u16::to_string).collect();
            let rule = format!(
                "the target group {} sends to port {} of {}, but the task definition of {} maps port {}",
                short(arn),
                target.port,
                target.address,
                service.name,
                ports.join(", ")
            );
            let fix = format!(
                "Register the target with the container's port: `aws elbv2 deregister-targets --target-group-arn {arn} --targets \
                 Id={},Port={}`; ECS registers its own.",
                target.address, target.port
            );
            self.push(Step::TargetPort, to.to_string(), place.clone(), failed(rule, place, fix), listens);
            return;
        }
        let mut is_open = false;
        for node in nodes {
            is_open |= self.between(vpc_id, node, to).await;
        }
        let place_of_task = task.map_or_else(|| self.deployed.place(arn), |s| self.deployed.place(&s.arn));
        let does_listen = listens.as_ref().is_none_or(|p| p.passed);
        if spot.is_some() {
            let said = Explained::Unknown("only packets know whether a program listens".to_owned());
            let name = task.map_or("the target", |s| s.name.as_str());
            self.push(Step::Task, format!("{name} at {to}"), place_of_task.clone(), said, listens);
        }
        self.health(group, target, vpc_id, nodes, is_open && does_listen).await;
        let Some(node) = nodes.first().filter(|_| is_open && does_listen) else { return };
        let spot = Spot::interface(vpc_id, &node.name);
        let page = self.prober.page(&spot, to, &url.host, &url.path_and_query()).await;
        let Some(page) = page else { return };
        let probe = match page {
            Ok(page) => Probe {
                passed: page.status.as_u16() < 500,
                what: format!("it answers {}", page.status),
                ms: page.ms,
            },
            Err(error) => {
                Probe { passed: false, what: format!("{to} does not answer HTTP: {error:#}"), ms: 0 }
            }
        };
        let said = Explained::Unknown("what the application answers".to_owned());
        self.push(Step::Response, format!("GET {} of {to}", url.path), place_of_task, said, Some(probe));
    }

    /// Packets of a node to a target; whether they pass.
    async fn between(&mut self, vpc_id: &str, from: &Interface, to: SocketAddrV4) -> bool {
        let Some(vpc) = self.vpcs.get(vpc_id) else { return false };
        let explained = match leaves(&vpc.spec, &|id| vpc.peer(id), &from.name, to) {
            Ok(()) => Explained::Ok("security groups, network ACLs and routes allow it".to_owned()),
            Err(block) => Explained::Failed(blame::cause(&block, vpc, self.deployed)),
        };
        let probe = self.prober.tcp(&Spot::interface(vpc_id, &from.name), to, &explained).await;
        let resource = self.deployed.place(&from.name);
        self.push(Step::Network, format!("{} to {to}", from.address), resource, explained, probe);
        self.hops.last().is_some_and(|hop| hop.state() != State::Failed)
    }

    /// The health check, asked as a node asks it.
    async fn health(
        &mut self,
        group: &Element,
        target: &Registered,
        vpc_id: &str,
        nodes: &[Interface],
        is_open: bool,
    ) {
        let arn = group.text_of("TargetGroupArn");
        let place = self.deployed.place(arn);
        let port = group.text_of("HealthCheckPort").parse().unwrap_or(target.port);
        let to = SocketAddrV4::new(target.address, port);
        let (path, matcher) = (
            group.text_of("HealthCheckPath"),
            group.child("Matcher").map_or("200", |m| m.text_of("HttpCode")),
        );
        let mut probe = None;
        let mut mismatch = None;
        if let Some(node) =
            nodes.first().filter(|_| is_open && group.text_of("HealthCheckProtocol") == "HTTP")
        {
            let spot = Spot::interface(vpc_id, &node.name);
            match self.prober.page(&spot, to, &to.to_string(), path).await {
                None => {}
                Some(Ok(page)) => {
                    let (passed, status) = (accepts(matcher, page.status.as_u16()), page.status.as_u16());
                    probe = Some(Probe { passed, what: format!("GET {path} answers {status}"), ms: page.ms });
                    mismatch =
                        (!passed).then(|| format!("is answered {status}, and the matcher accepts {matcher}"));
                }
                Some(Err(error)) => {
                    probe = Some(Probe { passed: false, what: format!("GET {path}: {error:#}"), ms: 0 });
                    mismatch = Some("gets no answer".to_owned());
                }
            }
        }
        let said = match target.reason.as_str() {
            "" => target.state.clone(),
            reason => format!("{}, {reason}", target.state),
        };
        let explained = match (mismatch, target.state.as_str()) {
            (Some(mismatch), _) => failed(
                format!(
                    "health check of the target group {}: GET {path} on port {port} {mismatch} (target health: {said})",
                    short(arn)
                ),
                place.clone(),
                format!(
                    "Correct HealthCheckPath, HealthCheckPort or Matcher: `aws elbv2 modify-target-group --target-group-arn {arn} …`."
                ),
            ),
            (None, "unhealthy") if probe.as_ref().is_none_or(|p| !p.passed) => failed(
                format!("target health of {to} in {}: {said}", short(arn)),
                place.clone(),
                "See the hops to the target.",
            ),
            (None, "healthy") => Explained::Ok(said),
            // A state that follows after some checks: they pass, so far.
            (None, _) => Explained::Unknown(format!("target health: {said}")),
        };
        self.push(Step::TargetHealth, format!("{to} in {}", short(arn)), place, explained, probe);
    }

    /// The namespace that has an address.
    pub(super) fn spot_at(&self, vpc_id: &str, address: Ipv4Addr) -> Option<Spot> {
        let interface = self.vpcs.get(vpc_id)?.interface_at(address)?;
        Some(Spot::interface(vpc_id, &interface.name))
    }
}

/// `targetgroup/NAME/ID` without the id.
fn short(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or(arn)
}

fn registered(described: &Element) -> Option<Registered> {
    let (target, health) = (described.child("Target")?, described.child("TargetHealth")?);
    Some(Registered {
        address: target.text_of("Id").parse().ok()?,
        port: target.text_of("Port").parse().ok()?,
        state: health.text_of("State").to_owned(),
        reason: health.text_of("Reason").to_owned(),
    })
}

fn condition(condition: &Element) -> Condition {
    let values = condition.list("Values").iter().map(|v| v.text.trim().to_owned());
    let mut values: Vec<String> = values.collect();
    if values.is_empty() {
        // Only the field's own configuration has the values.
        let config = condition.child("HttpRequestMethodConfig");
        values.extend(config.into_iter().flat_map(|c| c.list("Values")).map(|v| v.text.trim().to_owned()));
    }
    Condition { field: condition.text_of("Field").to_owned(), values }
}

/// The status of a rule that answers an error itself.
fn refusal(rule: &Element) -> Option<u16> {
    let fixed = rule.list("Actions").iter().find_map(|action| action.child("FixedResponseConfig"))?;
    fixed.text_of("StatusCode").parse().ok().filter(|status| *status >= 400)
}

/// The rule that was chosen answers an error: which others there are.
fn refused(url: &Url, rules: &[Element], priority: &str, status: u16, place: &Place) -> Explained {
    let others = rules.iter().filter(|r| r.text_of("Priority") != priority);
    let others: Vec<String> = others
        .map(|rule| {
            let conditions: Vec<String> = rule
                .list("Conditions")
                .iter()
                .map(condition)
                .map(|c| format!("{} {}", c.field, c.values.join(" or ")))
                .collect();
            format!("rule {} ({})", rule.text_of("Priority"), conditions.join(", "))
        })
        .collect();
    let known = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
    failed(
        format!(
            "rule {priority} answers {status} to http://{}{} itself: no other rule fits",
            url.host, url.path
        ),
        place.clone(),
        format!("Correct the host or the path of the URL, or add a rule for it. The others: {known}."),
    )
}

/// The target groups and the types of a rule's actions.
fn actions(rule: &Element) -> (Vec<String>, Vec<String>) {
    let (mut groups, mut kinds) = (Vec::new(), Vec::new());
    for action in rule.list("Actions") {
        kinds.push(action.text_of("Type").to_owned());
        let listed = action.child("ForwardConfig").map_or(&[][..], |config| config.list("TargetGroups"));
        let used = listed.iter().filter(|g| g.text_of("Weight") != "0").map(|g| g.text_of("TargetGroupArn"));
        for arn in used.chain([action.text_of("TargetGroupArn")]).filter(|arn| !arn.is_empty()) {
            if !groups.iter().any(|known| known == arn) {
                groups.push(arn.to_owned());
            }
        }
    }
    (groups, kinds)
}
