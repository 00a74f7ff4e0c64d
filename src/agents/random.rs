//! Numbers that nobody can guess: for fences and for the gateway's token.

/// So many random bytes in hex.
///
/// # Errors
/// When the system gives no random bytes.
pub(super) fn random_hex<const BYTES: usize>() -> std::io::Result<String> {
    let mut bytes = [0u8; BYTES];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
