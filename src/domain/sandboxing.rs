//! What a command's sandbox is told by notes: its profile, and the hosts that it may reach.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::InvalidId;
use super::as_text::as_text;

/// What the commands of an agent or a gate may do with the worktree and the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum SandboxProfile {
    /// Reads the worktree; only its private `/tmp` and build caches can be written.
    ReadOnly,
    /// Writes the worktree, no network.
    Worktree,
    /// Writes the worktree and reaches these hosts through the filtering proxy.
    Network(Vec<HostRule>),
}

const EXPECTED: &str = "`read-only`, `worktree`, or `worktree+network` with the hosts behind it";

impl FromStr for SandboxProfile {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut words = text.split_whitespace();
        let kind = words.next().unwrap_or_default().to_lowercase().replace('_', "-");
        let hosts: Vec<HostRule> = words.map(str::parse).collect::<Result<_, _>>()?;
        match (kind.as_str(), hosts.is_empty()) {
            ("read-only", true) => Ok(Self::ReadOnly),
            ("worktree", true) => Ok(Self::Worktree),
            ("worktree+network", false) => Ok(Self::Network(hosts)),
            _ => Err(InvalidId { kind: "sandbox profile", text: text.to_owned(), expected: EXPECTED }),
        }
    }
}

as_text!(SandboxProfile);

impl fmt::Display for SandboxProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOnly => f.write_str("read-only"),
            Self::Worktree => f.write_str("worktree"),
            Self::Network(hosts) => {
                f.write_str("worktree+network")?;
                hosts.iter().try_for_each(|host| write!(f, " {host}"))
            }
        }
    }
}

/// A host that may be reached: `crates.io`, `*.example.org` (what lies beneath it, not itself), an address, each with a
/// port behind `:` where it is another than 443 and 80.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct HostRule {
    host: String,
    /// The rule is about what lies beneath `host`.
    beneath: bool,
    port: Option<u16>,
}

impl HostRule {
    /// Whether a name or address, as a program asks for it, may be reached at this port.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        self.names(host) && self.port.map_or(matches!(port, 80 | 443), |own| own == port)
    }

    /// Whether the rule is about this very address, at whatever port: only then may it be one of a private network.
    pub fn names_address(&self, address: IpAddr) -> bool {
        let named: Option<IpAddr> = self.host.parse().ok();
        !self.beneath && (named == Some(address) || (self.host == "localhost" && address.is_loopback()))
    }

    fn names(&self, host: &str) -> bool {
        let host = plain(host);
        match host.strip_suffix(self.host.as_str()) {
            Some("") => !self.beneath,
            Some(before) => self.beneath && before.len() > 1 && before.ends_with('.'),
            None => false,
        }
    }
}

/// A name as rules compare it: small letters, no last dot, no brackets around an address.
fn plain(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

impl FromStr for HostRule {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId {
            kind: "host",
            text: text.to_owned(),
            expected: "a host name, `*.` and a host name, or an address, with `:` and a port where it is not 443 or 80",
        };
        let (beneath, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        let (host, port) = if rest.parse::<core::net::Ipv6Addr>().is_ok() {
            (rest, None)
        } else {
            match rest.rsplit_once(':') {
                Some((host, port)) => (host, Some(port.parse().map_err(|_| invalid())?)),
                None => (rest, None),
            }
        };
        let host = plain(host);
        let is_address = host.parse::<IpAddr>().is_ok();
        let is_part = |part: &str| {
            let letters =
                part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            !part.is_empty() && part.len() <= 63 && letters && !part.starts_with('-') && !part.ends_with('-')
        };
        let is_name = host.len() <= 253 && host.split('.').all(is_part);
        // `*.com` would name half the world by a slip.
        let wide = beneath && (is_address || !host.contains('.'));
        if (is_address || is_name) && !wide && port != Some(0) {
            Ok(Self { host, beneath, port })
        } else {
            Err(invalid())
        }
    }
}

as_text!(HostRule);

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.beneath { "*." } else { "" };
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{star}{}:{port}", self.host),
            None => write!(f, "{star}{}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> HostRule {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_allows_itself_and_a_star_what_lies_beneath() {
        let exact = rule("Crates.io");
        for (host, allowed) in [
            ("crates.io", true),
            ("CRATES.IO.", true),
            ("static.crates.io", false),
            ("evilcrates.io", false),
            ("crates.io.evil.com", false),
            ("", false),
        ] {
            assert_eq!(exact.allows(host, 443), allowed, "{host}");
        }
        let beneath = rule("*.crates.io");
        for (host, allowed) in [
            ("static.crates.io", true),
            ("a.b.crates.io", true),
            ("crates.io", false),
            (".crates.io", false),
            ("evilcrates.io", false),
        ] {
            assert_eq!(beneath.allows(host, 80), allowed, "{host}");
        }
    }

    #[test]
    fn ports_are_the_usual_two_or_the_one_that_is_named() {
        assert!(rule("a.org").allows("a.org", 80) && !rule("a.org").allows("a.org", 22));
        assert!(rule("a.org:8443").allows("a.org", 8443) && !rule("a.org:8443").allows("a.org", 443));
        assert!(rule("[::1]:5432").allows("[::1]", 5432) && rule("::1").allows("::1", 443));
        assert!(rule("127.0.0.1:9").allows("127.0.0.1", 9));
    }

    #[test]
    fn only_an_address_or_localhost_names_an_address() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        assert!(rule("127.0.0.1").names_address(loopback) && rule("localhost").names_address(loopback));
        assert!(!rule("a.org").names_address(loopback) && !rule("127.0.0.2").names_address(loopback));
    }

    #[test]
    fn what_is_no_host_is_refused_and_a_rule_reads_as_it_was_written() {
        for bad in [
            "",
            "*",
            "*.",
            "*.com",
            "*.10.0.0.1",
            "a b",
            "http://a.org",
            "a.org/x",
            "-a.org",
            "a..b",
            "a:0",
            "a:x",
        ] {
            assert!(bad.parse::<HostRule>().is_err(), "{bad}");
        }
        for text in ["a.org", "*.a.org:8443", "[::1]:80", "::1", "10.0.0.1:1"] {
            assert_eq!(rule(text).to_string(), text);
        }
    }

    #[test]
    fn a_profile_is_read_and_written() {
        let profile = |text: &str| text.parse::<SandboxProfile>();
        assert_eq!(profile("read_only").unwrap(), SandboxProfile::ReadOnly);
        assert_eq!(profile("worktree").unwrap().to_string(), "worktree");
        let network = profile("worktree+network crates.io *.crates.io").unwrap();
        assert_eq!(network.to_string(), "worktree+network crates.io *.crates.io");
        for bad in ["", "network", "worktree+network", "worktree crates.io", "worktree+network *"] {
            assert!(profile(bad).is_err(), "{bad}");
        }
    }
}
