//! Paths: no input panics, nothing climbs, and what was resolved stays as it is when it is resolved again.

#![no_main]

use http1::{PathScratch, base_match, resolve};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut scratch = PathScratch::default();
    // Targets that passed the request line start with a slash and hold visible ASCII.
    let target: Vec<u8> = std::iter::once(b'/').chain(data.iter().map(|byte| 0x21 + byte % 94)).collect();
    for target in [data, &target] {
        let Ok(resolved) = resolve(target, &mut scratch) else { continue };
        let _ = base_match(resolved.deciding, data);
        if !target.starts_with(b"/") || !target.is_ascii() {
            continue;
        }
        assert!(base_match(resolved.deciding, b"/"));
        assert!(std::str::from_utf8(resolved.deciding).is_ok());
        let mut segments = resolved.deciding.split(|&byte| byte == b'/');
        assert!(!segments.any(|segment| segment == b"." || segment == b".."));
        let mut other = PathScratch::default();
        let again = resolve(resolved.raw_path, &mut other).expect("nothing is left to climb with");
        assert_eq!((again.raw_path, again.deciding), (resolved.raw_path, resolved.deciding));
    }
});
