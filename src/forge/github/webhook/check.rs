//! Whether a delivery is GitHub's: HMAC-SHA256 over the bytes of the body, compared in constant time. It reads no JSON.

use hmac::{Hmac, Mac};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Characters that a secret needs at least.
const SHORTEST: usize = 16;
/// Characters of a delivery's name; GitHub's are of 36.
const LONGEST_NAME: usize = 80;

/// What GitHub and this program both know.
#[derive(Clone)]
pub struct WebhookSecret(SecretString);

impl WebhookSecret {
    /// `None` for one that is too short to keep anybody out. White space around it is left out.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (text.len() >= SHORTEST).then(|| Self(SecretString::from(text.to_owned())))
    }
}

/// Why a delivery is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A header is missing or is none of GitHub's.
    Malformed,
    Forged,
    Replayed,
    TooLarge,
    TooSlow,
}

impl Refusal {
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Forged => 401,
            Self::Replayed => 409,
            Self::TooLarge => 413,
            Self::TooSlow => 408,
        }
    }

    pub fn in_words(self) -> &'static str {
        match self {
            Self::Malformed => {
                "a delivery has `X-GitHub-Event`, `X-GitHub-Delivery` and `X-Hub-Signature-256`"
            }
            Self::Forged => "the signature is not of this body and the secret",
            Self::Replayed => "this delivery was taken before",
            Self::TooLarge => "the body is larger than GitHub's largest",
            Self::TooSlow => "the body took too long",
        }
    }
}

/// A delivery whose body is being read.
pub(super) struct Delivery {
    mac: Hmac<Sha256>,
    signature: [u8; 32],
    name: String,
    pub event: String,
}

impl Delivery {
    pub fn begin(headers: &HeaderMap, secret: &WebhookSecret) -> Result<Self, Refusal> {
        let header =
            |name: &str| headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty());
        let word = |name: &str| {
            let is_word = |text: &&str| {
                text.len() <= LONGEST_NAME
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            };
            header(name).filter(is_word).map(str::to_owned).ok_or(Refusal::Malformed)
        };
        let signature = header("x-hub-signature-256").and_then(|text| text.strip_prefix("sha256="));
        let signature = signature.and_then(unhex).ok_or(Refusal::Malformed)?;
        let (name, event) = (word("x-github-delivery")?, word("x-github-event")?);
        let mac = Hmac::new_from_slice(secret.0.expose_secret().as_bytes()).map_err(|_| Refusal::Forged)?;
        Ok(Self { mac, signature, name, event })
    }

    pub fn read(&mut self, bytes: &[u8]) {
        self.mac.update(bytes);
    }

    /// The names that it is known by, when it is GitHub's: its own, and its signature, which one who sends it again under
    /// another name cannot change.
    pub fn end(self) -> Result<[String; 2], Refusal> {
        self.mac.verify_slice(&self.signature).map_err(|_| Refusal::Forged)?;
        let signature = self.signature.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok([self.name.to_lowercase(), signature])
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GitHub's own example: docs, "Validating webhook deliveries".
    const SECRET: &str = "It's a Secret to Everybody";
    const SIGNATURE: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn headers(signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-github-event", "issues".parse().unwrap());
        headers.insert("x-github-delivery", "72d3162E-cc78-11e3-81ab-4c9367dc0958".parse().unwrap());
        headers.insert("x-hub-signature-256", signature.parse().unwrap());
        headers
    }

    fn judged(signature: &str, body: &[u8]) -> Result<[String; 2], Refusal> {
        let mut delivery = Delivery::begin(&headers(signature), &WebhookSecret::new(SECRET).unwrap())?;
        body.chunks(3).for_each(|chunk| delivery.read(chunk));
        delivery.end()
    }

    #[test]
    fn only_the_signature_of_the_very_bytes_counts() {
        let good = format!("sha256={SIGNATURE}");
        let names = ["72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(), SIGNATURE[..32].to_owned()];
        assert_eq!(judged(&good, b"Hello, World!"), Ok(names));
        assert_eq!(judged(&good, b"Hello, World! "), Err(Refusal::Forged));
        assert_eq!(judged(&format!("sha256={}", "0".repeat(64)), b"Hello, World!"), Err(Refusal::Forged));
        for malformed in
            [SIGNATURE.to_owned(), "sha1=aa".to_owned(), format!("sha256={}", "g".repeat(64)), "x".into()]
        {
            assert_eq!(judged(&malformed, b"Hello, World!"), Err(Refusal::Malformed), "{malformed}");
        }
    }

    #[test]
    fn headers_that_are_missing_or_odd_and_short_secrets_are_refused() {
        let secret = WebhookSecret::new(SECRET).unwrap();
        for name in ["x-github-event", "x-github-delivery", "x-hub-signature-256"] {
            let mut without = headers(&format!("sha256={SIGNATURE}"));
            without.remove(name);
            assert!(Delivery::begin(&without, &secret).is_err(), "{name}");
            without.insert(name, "a b\tc".parse().unwrap());
            assert!(Delivery::begin(&without, &secret).is_err(), "{name}");
        }
        assert!(WebhookSecret::new(" fifteen letters ").is_none());
    }
}
