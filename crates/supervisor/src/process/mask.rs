//! Hides the pairing token in what an app prints. Pure: bytes in, bytes out.

use contract::PairingToken;
use memchr::memmem::Finder;

const MASK: &[u8] = b"***";

/// Masks one stream. A token may be cut anywhere by the reads, so a possible start of one at the end of a
/// read is held back until it is known what follows; nothing else ever is. Not printable: it holds the token.
pub(super) struct Masker {
    token: PairingToken,
    finder: Finder<'static>,
    held: Vec<u8>,
}

impl Masker {
    pub(super) fn new(token: PairingToken) -> Self {
        let finder = Finder::new(token.as_str()).into_owned();
        Self { token, finder, held: Vec::new() }
    }

    /// Appends what may be shown after this read.
    pub(super) fn feed(&mut self, read: &[u8], shown: &mut Vec<u8>) {
        if self.held.is_empty() {
            let kept = self.mask(read, shown);
            self.held.extend_from_slice(kept);
            return;
        }
        let mut whole = std::mem::take(&mut self.held);
        whole.extend_from_slice(read);
        let kept = self.mask(&whole, shown);
        self.held.extend_from_slice(kept);
    }

    /// At the end of the stream: what was held back was no token after all.
    pub(super) fn finish(&mut self, shown: &mut Vec<u8>) {
        shown.append(&mut self.held);
    }

    /// Shows `bytes` up to the possible start of a token at their end, which is returned.
    fn mask<'a>(&self, bytes: &'a [u8], shown: &mut Vec<u8>) -> &'a [u8] {
        let mut rest = bytes;
        while let Some(at) = self.finder.find(rest) {
            shown.extend_from_slice(&rest[..at]);
            shown.extend_from_slice(MASK);
            rest = &rest[at + PairingToken::LENGTH..];
        }
        let token = self.token.as_str().as_bytes();
        let longest = rest.len().min(PairingToken::LENGTH - 1);
        let start = (1..=longest).rev().find(|&length| rest.ends_with(&token[..length])).unwrap_or(0);
        let (now, later) = rest.split_at(rest.len() - start);
        shown.extend_from_slice(now);
        later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(token: &PairingToken, reads: &[&[u8]]) -> String {
        let (mut masker, mut shown) = (Masker::new(token.clone()), Vec::new());
        for read in reads {
            masker.feed(read, &mut shown);
        }
        masker.finish(&mut shown);
        String::from_utf8(shown).unwrap()
    }

    /// Digits without any repetition, and tokens that begin over and over again.
    fn tokens() -> [PairingToken; 4] {
        let mut almost = [0xAA; 32];
        almost[31] = 0xAB;
        [
            PairingToken::generate().unwrap(),
            PairingToken::from_bits([0; 32]),
            PairingToken::from_bits([0xAB; 32]),
            PairingToken::from_bits(almost),
        ]
    }

    #[test]
    fn a_token_is_masked_wherever_the_reads_cut_it() {
        for token in tokens() {
            // A character that is no digit stands around it: a token of zeros between zeros has no one place.
            let text = format!("é-{}-x-{}", token.as_str(), token.as_str());
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let bytes = text.as_bytes();
                    let reads = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    assert_eq!(masked(&token, &reads), "é-***-x-***", "cut at {first} and {second}");
                }
            }
            let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(masked(&token, &single), "é-***-x-***");
        }
    }

    #[test]
    fn a_false_start_is_shown_whole() {
        for token in tokens() {
            for length in 1..PairingToken::LENGTH {
                let start = &token.as_str()[..length];
                assert_eq!(masked(&token, &[start.as_bytes(), b"!"]), format!("{start}!"));
                assert_eq!(masked(&token, &[start.as_bytes()]), start, "at the end of the stream");
            }
        }
    }

    #[test]
    fn a_token_after_a_false_start_of_itself_is_masked() {
        // Its first digit comes once, so that no false start can itself be completed by what follows.
        let mut bits = [0x23; 32];
        bits[0] = 0xF1;
        let token = PairingToken::from_bits(bits);
        for length in 1..PairingToken::LENGTH {
            let text = format!("{}{}", &token.as_str()[..length], token.as_str());
            let shown = masked(&token, &[&text.as_bytes()[..length + 3], &text.as_bytes()[length + 3..]]);
            assert_eq!(shown, format!("{}***", &token.as_str()[..length]));
        }
    }

    #[test]
    fn only_the_possible_start_is_held_back() {
        let token = PairingToken::from_bits([0xAB; 32]);
        let (mut masker, mut shown) = (Masker::new(token), Vec::new());
        masker.feed(b"hello ab", &mut shown);
        assert_eq!((shown.as_slice(), masker.held.as_slice()), (&b"hello "[..], &b"ab"[..]));
        masker.feed(b"c", &mut shown);
        assert_eq!((shown.as_slice(), masker.held.as_slice()), (&b"hello abc"[..], &b""[..]));
    }
}
