//! What a thread has counted, and the sums over all of them. Counting is a store: nothing here is shared.

use std::cell::Cell;
use std::fmt;

use crate::record::End;

/// One thread's counts since its start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// By the first digit of the status; 0 where nothing was answered.
    statuses: [Cell<u64>; 6],
    /// By [`End`].
    ends: [Cell<u64>; End::COUNT],
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    /// Client connections that were accepted.
    pub(crate) connections: Cell<u64>,
    pub(crate) upstream_opened: Cell<u64>,
    pub(crate) upstream_reused: Cell<u64>,
    pub(crate) retries: Cell<u64>,
}

/// Sums over all threads of a proxy since its start. Its text is one line for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Exchanges that ended, however.
    pub exchanges: u64,
    /// The same by the first digit of the status; 0 where nothing was answered.
    pub statuses: [u64; 6],
    /// Requests that we turned away: malformed, too large, outside the path base, no room.
    pub refused: u64,
    /// Exchanges whose client went away first.
    pub client_gone: u64,
    /// Exchanges that a deadline ended.
    pub timeouts: u64,
    /// Exchanges that the app failed: no start, no answer, half an answer.
    pub upstream_errors: u64,
    /// Exchanges that the server's own end cut.
    pub cut: u64,
    /// Bytes of request bodies and of tunnels from clients.
    pub bytes_in: u64,
    /// Bytes that were written to clients, heads included.
    pub bytes_out: u64,
    /// Client connections that are open.
    pub connections_open: u64,
    /// Client connections that were accepted.
    pub connections: u64,
    /// Connections to workers that were opened.
    pub upstream_opened: u64,
    /// Exchanges that went over a connection which an earlier one had left.
    pub upstream_reused: u64,
    /// Requests that were sent once more, since no process had read the first try.
    pub retries: u64,
    /// Lines of the access log that were dropped, because its reader was too slow.
    pub unlogged: u64,
}

pub(crate) fn add(cell: &Cell<u64>, count: u64) {
    cell.set(cell.get() + count);
}

impl Counters {
    /// One exchange has ended.
    pub(crate) fn sealed(&self, status: u16, end: End, (bytes_in, bytes_out): (u64, u64)) {
        let class = usize::from(status / 100);
        add(self.statuses.get(class).unwrap_or(&self.statuses[0]), 1);
        add(&self.ends[end as usize], 1);
        add(&self.bytes_in, bytes_in);
        add(&self.bytes_out, bytes_out);
    }

    /// The sums of one thread; what only the thread knows is filled in there.
    pub(crate) fn totals(&self) -> Totals {
        let ended = |end: End| self.ends[end as usize].get();
        let statuses = self.statuses.each_ref().map(Cell::get);
        Totals {
            exchanges: statuses.iter().sum(),
            statuses,
            refused: ended(End::Refused),
            client_gone: ended(End::ClientGone),
            timeouts: ended(End::Timeout),
            upstream_errors: ended(End::UpstreamError),
            cut: ended(End::Cut),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            connections_open: 0,
            connections: self.connections.get(),
            upstream_opened: self.upstream_opened.get(),
            upstream_reused: self.upstream_reused.get(),
            retries: self.retries.get(),
            unlogged: 0,
        }
    }
}

impl Totals {
    /// The sum of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            exchanges: self.exchanges + other.exchanges,
            statuses: std::array::from_fn(|class| self.statuses[class] + other.statuses[class]),
            refused: self.refused + other.refused,
            client_gone: self.client_gone + other.client_gone,
            timeouts: self.timeouts + other.timeouts,
            upstream_errors: self.upstream_errors + other.upstream_errors,
            cut: self.cut + other.cut,
            bytes_in: self.bytes_in + other.bytes_in,
            bytes_out: self.bytes_out + other.bytes_out,
            connections_open: self.connections_open + other.connections_open,
            connections: self.connections + other.connections,
            upstream_opened: self.upstream_opened + other.upstream_opened,
            upstream_reused: self.upstream_reused + other.upstream_reused,
            retries: self.retries + other.retries,
            unlogged: self.unlogged + other.unlogged,
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [none, ones, twos, threes, fours, fives] = self.statuses;
        write!(f, "requests={} 1xx={ones} 2xx={twos} 3xx={threes}", self.exchanges)?;
        write!(f, " 4xx={fours} 5xx={fives} unanswered={none} refused={}", self.refused)?;
        write!(f, " client_gone={} timeouts={}", self.client_gone, self.timeouts)?;
        write!(f, " upstream_errors={} cut={}", self.upstream_errors, self.cut)?;
        write!(f, " bytes_in={} bytes_out={}", self.bytes_in, self.bytes_out)?;
        write!(f, " connections_open={} connections={}", self.connections_open, self.connections)?;
        write!(f, " upstream_opened={} upstream_reused={}", self.upstream_opened, self.upstream_reused)?;
        write!(f, " retries={} unlogged={}", self.retries, self.unlogged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exchange_counts_once_in_each_kind() {
        let counters = Counters::default();
        counters.sealed(200, End::Done, (3, 100));
        counters.sealed(404, End::Refused, (0, 50));
        counters.sealed(0, End::ClientGone, (7, 0));
        counters.sealed(999, End::Done, (0, 1));
        let totals = counters.totals();
        assert_eq!((totals.exchanges, totals.statuses), (4, [2, 0, 1, 0, 1, 0]));
        assert_eq!((totals.refused, totals.client_gone, totals.timeouts), (1, 1, 0));
        assert_eq!((totals.bytes_in, totals.bytes_out), (10, 151));
        let twice = totals.plus(totals);
        assert_eq!((twice.exchanges, twice.statuses[4], twice.bytes_out), (8, 2, 302));
        assert!(twice.to_string().starts_with("requests=8 1xx=0 2xx=2 "), "{twice}");
    }
}
