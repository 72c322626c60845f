//! What the puppet prints: floods, and its own token at every place where a reader could cut it.

use std::io::Write as _;

use crate::clock::pause;

/// Orders of `PUPPET_PRINT`, separated by `;`:
/// `flood:BYTES` lines of `x`; `token` one line with the token; `swept:FROM:TO` for each count a line of so many
/// fillers and the token; `split` the token in two writes, at each of its places; `text:WORDS`.
pub(super) fn perform(orders: &str) {
    let token = crate::find::variable("ASPNETCORE_TOKEN").unwrap_or_default();
    for order in orders.split(';') {
        let words: Vec<&str> = order.split(':').collect();
        let number =
            |index: usize| words.get(index).and_then(|word| word.parse::<usize>().ok()).unwrap_or_default();
        match words.first().copied() {
            Some("flood") => flood(number(1)),
            Some("token") => put(format!("token {token} end\n").as_bytes()),
            Some("swept") => swept(&token, number(1), number(2)),
            Some("split") => split(&token),
            Some("text") => put(format!("{}\n", words.get(1).unwrap_or(&"")).as_bytes()),
            _ => {}
        }
    }
}

fn flood(bytes: usize) {
    let line = [[b'x'; 99].as_slice(), b"\n"].concat();
    for _ in 0..bytes.div_ceil(line.len()) {
        put(&line);
    }
}

fn swept(token: &str, from: usize, to: usize) {
    for count in from..to {
        put(format!("{}{token}\n", ".".repeat(count)).as_bytes());
    }
}

fn split(token: &str) {
    for at in 1..token.len() {
        let (start, end) = token.split_at(at);
        put(format!("[{start}").as_bytes());
        // Long enough for a reader to take the first half alone.
        pause(2);
        put(format!("{end}]\n").as_bytes());
    }
}

/// Writes past any buffer of ours; a reader that is gone is not our concern.
fn put(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}
