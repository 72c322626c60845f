//! Whether a program was made for another system or processor: told by its first bytes, as the kernel tells it.
//!
//! A publish folder from Windows, or one for ARM64, looks complete; without a word here its first visitor would
//! learn of it.

use std::path::Path;

use crate::input::Files;

/// What a program that cannot run here was made for, in words; none for what may run, and for what cannot be read.
pub(crate) fn made_for(path: &Path, files: &dyn Files) -> Option<&'static str> {
    let start = files.read(path, 20).ok()?;
    match start.get(..4)? {
        [b'M', b'Z', ..] => Some("Windows"),
        [0xCF, 0xFA, 0xED, 0xFE] | [0xCA, 0xFE, 0xBA, 0xBE] => Some("macOS"),
        b"\x7FELF" => elf(&start, std::env::consts::ARCH),
        _ => None,
    }
}

/// The processor of an ELF file, where it is not ours (`e_machine`, in the byte order of the file: `EI_DATA`).
/// What is not in the list may run: it is not for us to know every processor.
fn elf(start: &[u8], ours: &str) -> Option<&'static str> {
    let number = [*start.get(18)?, *start.get(19)?];
    let number =
        if start.get(5) == Some(&2) { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) };
    let (processor, name) = match number {
        22 => ("s390x", "the processor s390x"),
        21 => ("powerpc64", "the processor PowerPC64"),
        62 => ("x86_64", "the processor x64"),
        183 => ("aarch64", "the processor ARM64"),
        243 => ("riscv64", "the processor RISC-V"),
        _ => return None,
    };
    (processor != ours).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(data: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut head = b"\x7FELF\x02".to_vec();
        head.push(data);
        head.resize(18, 0);
        head.extend(machine);
        head
    }

    #[test]
    fn a_program_of_another_processor_is_told_in_either_byte_order() {
        assert_eq!(elf(&head(1, [183, 0]), "x86_64"), Some("the processor ARM64"));
        assert_eq!(elf(&head(1, [183, 0]), "aarch64"), None);
        assert_eq!(elf(&head(1, [62, 0]), "aarch64"), Some("the processor x64"));
        assert_eq!(elf(&head(1, [62, 0]), "x86_64"), None);
        assert_eq!(elf(&head(2, [0, 22]), "x86_64"), Some("the processor s390x"));
    }

    #[test]
    fn what_is_not_known_may_run() {
        assert_eq!(elf(&head(1, [3, 0]), "x86_64"), None);
        assert_eq!(elf(b"\x7FELF\x02", "x86_64"), None);
    }
}
