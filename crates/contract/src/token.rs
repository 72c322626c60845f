//! The pairing token: the secret that tells the app that a request came through its server.

use std::fmt;

/// 256 random bits as 64 lower-case hexadecimal digits, new for each start of an app.
///
/// Printing it with `{:?}` prints nothing of it. It is overwritten when dropped; what the allocator or the
/// kernel copied on the way is out of reach.
#[derive(Clone, PartialEq, Eq)]
pub struct PairingToken([u8; PairingToken::LENGTH]);

/// The operating system gave no random bytes, so no app can be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRandomness;

impl fmt::Display for NoRandomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operating system gave no random bytes for a pairing token")
    }
}

impl std::error::Error for NoRandomness {}

impl PairingToken {
    /// Length in bytes as sent.
    pub const LENGTH: usize = 64;

    /// Draws a new token.
    ///
    /// # Errors
    /// [`NoRandomness`] when the operating system's generator fails.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bits = [0_u8; Self::LENGTH / 2];
        getrandom::fill(&mut bits).map_err(|_| NoRandomness)?;
        Ok(Self::from_bits(bits))
    }

    /// The token made of these bits: for tests that must know it.
    #[must_use]
    pub fn from_bits(bits: [u8; Self::LENGTH / 2]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0_u8; Self::LENGTH];
        for (pair, bits) in digits.chunks_exact_mut(2).zip(bits) {
            pair[0] = DIGITS[usize::from(bits >> 4)];
            pair[1] = DIGITS[usize::from(bits & 15)];
        }
        Self(digits)
    }

    /// The digits, for the app's environment, our request heads and the mask over the app's output.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

impl fmt::Debug for PairingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairingToken(***)")
    }
}

impl Drop for PairingToken {
    fn drop(&mut self) {
        self.0.fill(0);
        std::hint::black_box(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_64_lower_case_digits_and_never_the_same() {
        let one = PairingToken::generate().expect("randomness");
        let two = PairingToken::generate().expect("randomness");
        assert_eq!(one.as_str().len(), 64);
        assert!(one.as_str().bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        assert_ne!(one, two);
        assert_eq!(format!("{one:?}"), "PairingToken(***)");
    }
}
