//! WebSocket frames: no input panics, and every split finds the same boundaries.

#![no_main]

use http1::FrameTracker;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&cut, data)) = data.split_first() else { return };
    let (start, end) = data.split_at(usize::from(cut) % (data.len() + 1));
    let mut whole = FrameTracker::default();
    whole.advance(data);
    let mut pieces = FrameTracker::default();
    pieces.advance(start);
    let found = pieces.next_boundary_in(end);
    let mut first = pieces.at_boundary().then_some(0);
    for (at, byte) in end.iter().enumerate() {
        pieces.advance(std::slice::from_ref(byte));
        if first.is_none() && pieces.at_boundary() {
            first = Some(at + 1);
        }
    }
    assert_eq!(found, first);
    assert_eq!(format!("{pieces:?}"), format!("{whole:?}"));
});
