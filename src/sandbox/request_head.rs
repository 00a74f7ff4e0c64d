//! What a program asks the proxy for: the head of a `CONNECT`, or of a plain request with a whole URL. Strict: what can be
//! read in two ways is refused. Connects to nothing.

use std::io;

/// Fields of one head.
const MOST_FIELDS: usize = 100;

/// One request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub host: String,
    pub port: u16,
    pub asked: Asked,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `CONNECT`.
    Tunnel,
    /// The head as the server gets it, and the bytes of body that follow.
    Plain { head: Vec<u8>, body: u64 },
}

impl Head {
    /// The head and its length, or nothing where more must come.
    ///
    /// # Errors
    /// Says what cannot be read.
    pub(super) fn read(bytes: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let length = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(bad(&error.to_string())),
        };
        let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        let head = if method == "CONNECT" {
            let (host, port) = authority(target, None)?;
            Self { host, port, asked: Asked::Tunnel }
        } else {
            plain(method, target, request.headers)?
        };
        Ok(Some((head, length)))
    }
}

fn plain(method: &str, target: &str, fields: &[httparse::Header<'_>]) -> io::Result<Head> {
    let rest = target.strip_prefix("http://").ok_or_else(|| bad("only `http://` is asked for plainly"))?;
    let (place, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
    let (host, port) = authority(place, Some(80))?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut head = format!("{method} {slash}{path} HTTP/1.1\r\nHost: {place}\r\n").into_bytes();
    let mut body = None;
    for field in fields {
        let name = field.name.to_ascii_lowercase();
        match name.as_str() {
            "transfer-encoding" => return Err(bad("a body needs a length")),
            "content-length" => {
                let length = std::str::from_utf8(field.value).ok().and_then(|text| text.trim().parse().ok());
                if length.is_none() || body.is_some() {
                    return Err(bad("the body's length is not one number"));
                }
                body = length;
            }
            "host" | "connection" | "keep-alive" | "te" | "trailer" | "upgrade" | "expect" => continue,
            name if name.starts_with("proxy-") => continue,
            _ => {}
        }
        head.extend_from_slice(field.name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(field.value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    Ok(Head { host, port, asked: Asked::Plain { head, body: body.unwrap_or(0) } })
}

/// Host and port; an address of version 6 without its brackets.
fn authority(text: &str, port: Option<u16>) -> io::Result<(String, u16)> {
    let (host, own) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or_else(|| bad("a bracket is not closed"))?;
            (host, after.strip_prefix(':'))
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = match (own, port) {
        (Some(text), _) => text.parse().ok(),
        (None, usual) => usual,
    };
    let strange = |c: char| !(c.is_ascii_alphanumeric() || ".-_:".contains(c));
    match port {
        Some(port) if port > 0 && !host.is_empty() && !host.contains(strange) => Ok((host.to_owned(), port)),
        _ => Err(bad("the request names no host and port")),
    }
}

fn bad(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<Option<(Head, usize)>> {
        Head::read(text.as_bytes())
    }

    #[test]
    fn a_tunnel_is_read_when_its_head_is_whole() {
        assert!(read("CONNECT a.org:443 HTTP/1.1\r\nHost: x\r\n").unwrap().is_none());
        let (head, length) = read("CONNECT a.org:443 HTTP/1.1\r\nHost: x\r\n\r\nrest").unwrap().unwrap();
        assert_eq!(head, Head { host: "a.org".into(), port: 443, asked: Asked::Tunnel });
        assert_eq!(length, 39);
        let (head, _) = read("CONNECT [::1]:8443 HTTP/1.1\r\n\r\n").unwrap().unwrap();
        assert_eq!((&*head.host, head.port), ("::1", 8443));
    }

    #[test]
    fn a_plain_request_goes_on_with_the_host_of_its_url_alone() {
        let text = "POST http://a.org:8080/x?y HTTP/1.1\r\nHost: b.org\r\nProxy-Authorization: z\r\nAccept: */*\r\n\
                    Connection: keep-alive\r\nContent-Length: 3\r\n\r\n";
        let (head, _) = read(text).unwrap().unwrap();
        let sent = "POST /x?y HTTP/1.1\r\nHost: a.org:8080\r\nAccept: */*\r\nContent-Length: 3\r\n\
                    Connection: close\r\n\r\n";
        assert_eq!((&*head.host, head.port), ("a.org", 8080));
        assert_eq!(head.asked, Asked::Plain { head: sent.into(), body: 3 });
        let (head, _) = read("GET http://a.org?q HTTP/1.1\r\n\r\n").unwrap().unwrap();
        let sent = "GET /?q HTTP/1.1\r\nHost: a.org\r\nConnection: close\r\n\r\n";
        assert_eq!(head.asked, Asked::Plain { head: sent.into(), body: 0 });
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for bad in [
            "GET /x HTTP/1.1\r\nHost: a.org\r\n\r\n",
            "GET https://a.org/ HTTP/1.1\r\n\r\n",
            "GET http://user@a.org/ HTTP/1.1\r\n\r\n",
            "GET http://a.org\\@b.org/ HTTP/1.1\r\n\r\n",
            "CONNECT a.org HTTP/1.1\r\n\r\n",
            "CONNECT a.org:0 HTTP/1.1\r\n\r\n",
            "CONNECT a.org:443:80 HTTP/1.1\r\n\r\n",
            "CONNECT a%2eorg:443 HTTP/1.1\r\n\r\n",
            "CONNECT :443 HTTP/1.1\r\n\r\n",
            "CONNECT [::1:443 HTTP/1.1\r\n\r\n",
            "POST http://a.org/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST http://a.org/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "\u{16}\u{3}\u{1}garbage\r\n\r\n",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
