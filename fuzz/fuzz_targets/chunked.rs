//! Chunked bodies: no input panics, every split gives the same data, and data that is written is read back.

#![no_main]

use http1::{BadChunk, CHUNK_END, ChunkStep, ChunkedDecoder, LAST_CHUNK};
use libfuzzer_sys::fuzz_target;

fn decode(input: &[u8], piece: usize) -> (Vec<u8>, Result<bool, BadChunk>) {
    let mut decoder = ChunkedDecoder::default();
    let mut data = Vec::new();
    for part in input.chunks(piece) {
        let mut rest = part;
        loop {
            match decoder.step(rest) {
                Ok(ChunkStep::More { consumed }) => {
                    assert_eq!(consumed, rest.len());
                    break;
                }
                Ok(ChunkStep::Data { skip, len }) => {
                    assert!(len > 0);
                    data.extend_from_slice(&rest[skip..skip + len]);
                    rest = &rest[skip + len..];
                }
                Ok(ChunkStep::End { .. }) => return (data, Ok(true)),
                Err(bad) => return (data, Err(bad)),
            }
        }
    }
    (data, Ok(false))
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece, input)) = input.split_first() else { return };
    let piece = usize::from(piece) + 1;
    let whole = decode(input, usize::MAX);
    assert_eq!(decode(input, piece), whole);
    assert_eq!(decode(input, 1), whole);
    let mut encoded = Vec::new();
    for chunk in input.chunks(piece) {
        http1::write_chunk_head(&mut encoded, chunk.len());
        encoded.extend_from_slice(chunk);
        encoded.extend_from_slice(CHUNK_END);
    }
    encoded.extend_from_slice(LAST_CHUNK);
    assert_eq!(decode(&encoded, piece), (input.to_vec(), Ok(true)));
});
