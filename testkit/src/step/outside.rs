//! Which instructions of a victim others can see: those that write to memory it shares, and system calls. Knows no case and no kill point.
//!
//! A process that is killed leaves the memory that it shared and what the kernel holds. Two deaths between which neither was touched leave the same, so one of
//! them stands for both: a death after each instruction that *can* touch them stands for a death at every instruction.
//!
//! What is not understood counts as seen: an instruction that cannot be read or decoded, an address that cannot be worked out.

use std::collections::HashMap;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use iced_x86::{Decoder, DecoderOptions, InstructionInfoFactory, Mnemonic, OpAccess, Register, UsedMemory};

/// The longest instruction of the processor.
const LONGEST: usize = 15;

/// The eyes on one victim.
#[derive(Debug)]
pub(crate) struct Outside {
    pid: libc::pid_t,
    memory: Option<File>,
    /// What the instruction at an address does; code does not change.
    known: HashMap<u64, Effect>,
    /// Where its memory is shared; `None`: to be looked up.
    shared: Option<Vec<Range<u64>>>,
}

#[derive(Debug, Clone)]
enum Effect {
    /// It writes to no memory.
    None,
    /// It writes to these places.
    Writes(Vec<UsedMemory>),
    /// It enters the kernel.
    Kernel,
    /// It cannot be told.
    Unknown,
}

impl Outside {
    pub(crate) fn of(pid: libc::pid_t) -> Outside {
        Outside { pid, memory: File::open(format!("/proc/{pid}/mem")).ok(), known: HashMap::new(), shared: None }
    }

    /// Whether others may see that the next instruction, at `pc`, is run. `registers` are asked for only where they matter.
    pub(crate) fn sees(&mut self, pc: u64, registers: impl FnOnce() -> Option<libc::user_regs_struct>) -> bool {
        let effect = self.known.get(&pc).cloned().unwrap_or_else(|| {
            let effect = self.effect(pc);
            self.known.insert(pc, effect.clone());
            effect
        });
        match effect {
            Effect::None => false,
            Effect::Unknown => true,
            Effect::Kernel => {
                // It may map or unmap.
                self.shared = None;
                true
            }
            Effect::Writes(places) => {
                let Some(registers) = registers() else { return true };
                places.iter().any(|place| {
                    let Some(from) = place.virtual_address(0, |register, _, _| value(&registers, register)) else { return true };
                    self.is_shared(from, place.memory_size().size().max(1) as u64)
                })
            }
        }
    }

    fn effect(&self, pc: u64) -> Effect {
        let mut code = [0; LONGEST];
        let Some(length) = self.memory.as_ref().and_then(|memory| memory.read_at(&mut code, pc).ok()) else { return Effect::Unknown };
        let instruction = Decoder::with_ip(64, &code[..length], pc, DecoderOptions::NONE).decode();
        if instruction.is_invalid() {
            return Effect::Unknown;
        }
        if matches!(instruction.mnemonic(), Mnemonic::Syscall | Mnemonic::Sysenter | Mnemonic::Int | Mnemonic::Int3) {
            return Effect::Kernel;
        }
        let mut factory = InstructionInfoFactory::new();
        let places: Vec<UsedMemory> = factory.info(&instruction).used_memory().iter().copied().filter(|place| writes(place.access())).collect();
        if places.is_empty() { Effect::None } else { Effect::Writes(places) }
    }

    fn is_shared(&mut self, from: u64, size: u64) -> bool {
        let pid = self.pid;
        let shared = self.shared.get_or_insert_with(|| shared_ranges(&fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default()));
        shared.iter().any(|range| from < range.end && range.start < from.saturating_add(size))
    }
}

fn writes(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

/// The mappings that are shared, of the text of a `maps` file.
fn shared_ranges(maps: &str) -> Vec<Range<u64>> {
    let range = |line: &str| {
        let (range, mode) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let shared = mode.as_bytes().get(3) == Some(&b's');
        shared.then_some(u64::from_str_radix(from, 16).ok()?..u64::from_str_radix(to, 16).ok()?)
    };
    maps.lines().filter_map(range).collect()
}

/// The value of a register in an address. The bases of the plain segments are 0.
fn value(registers: &libc::user_regs_struct, register: Register) -> Option<u64> {
    let whole = match register.full_register() {
        Register::RAX => registers.rax,
        Register::RBX => registers.rbx,
        Register::RCX => registers.rcx,
        Register::RDX => registers.rdx,
        Register::RSI => registers.rsi,
        Register::RDI => registers.rdi,
        Register::RBP => registers.rbp,
        Register::RSP => registers.rsp,
        Register::R8 => registers.r8,
        Register::R9 => registers.r9,
        Register::R10 => registers.r10,
        Register::R11 => registers.r11,
        Register::R12 => registers.r12,
        Register::R13 => registers.r13,
        Register::R14 => registers.r14,
        Register::R15 => registers.r15,
        Register::FS => registers.fs_base,
        Register::GS => registers.gs_base,
        Register::CS | Register::DS | Register::ES | Register::SS => 0,
        _ => return None,
    };
    Some(if register.size() == 4 { whole & 0xffff_ffff } else { whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_mappings_are_taken() {
        let maps = "1000-3000 rw-s 00000000 00:01 5 /memfd:x (deleted)\n4000-5000 rw-p 00000000 00:00 0\n7000-8000 r--s 00000000 08:01 9 /etc/x\n";
        assert_eq!(shared_ranges(maps), [0x1000..0x3000, 0x7000..0x8000]);
    }

    /// The places that the machine code `bytes` at address 0x1000 writes to, with rdi 0x2000, rcx 4 and the thread's base 0x9000.
    fn places(bytes: &[u8]) -> Vec<u64> {
        let registers = registers();
        let instruction = Decoder::with_ip(64, bytes, 0x1000, DecoderOptions::NONE).decode();
        let mut factory = InstructionInfoFactory::new();
        let used = factory.info(&instruction).used_memory().to_vec();
        used.iter()
            .filter(|place| writes(place.access()))
            .map(|place| place.virtual_address(0, |register, _, _| value(&registers, register)).unwrap())
            .collect()
    }

    fn registers() -> libc::user_regs_struct {
        libc::user_regs_struct {
            r15: 0,
            r14: 0,
            r13: 0,
            r12: 0,
            rbp: 0,
            rbx: 0,
            r11: 0,
            r10: 0,
            r9: 0,
            r8: 0,
            rax: 0,
            rcx: 4,
            rdx: 0,
            rsi: 0x3000,
            rdi: 0x2000,
            orig_rax: 0,
            rip: 0x1000,
            cs: 0x33,
            eflags: 0,
            rsp: 0x7000,
            ss: 0x2b,
            fs_base: 0x9000,
            gs_base: 0,
            ds: 0,
            es: 0,
            fs: 0,
            gs: 0,
        }
    }

    #[test]
    fn addresses_are_worked_out() {
        assert_eq!(places(&[0x48, 0x89, 0x07]), [0x2000], "mov [rdi], rax");
        assert_eq!(places(&[0x48, 0x89, 0x44, 0x8f, 0x08]), [0x2018], "mov [rdi+rcx*4+8], rax");
        assert_eq!(places(&[0x48, 0x89, 0x05, 0x10, 0x00, 0x00, 0x00]), [0x1017], "mov [rip+0x10], rax");
        assert_eq!(places(&[0x64, 0x48, 0x89, 0x04, 0x25, 0x10, 0, 0, 0]), [0x9010], "mov fs:[0x10], rax");
        assert_eq!(places(&[0xf0, 0x48, 0x0f, 0xb1, 0x0f]), [0x2000], "lock cmpxchg [rdi], rcx");
        assert_eq!(places(&[0xf3, 0xa4]), [0x2000], "rep movsb");
        assert_eq!(places(&[0xc5, 0xfe, 0x7f, 0x07]), [0x2000], "vmovdqu [rdi], ymm0");
        assert_eq!(places(&[0x50]), [0x6ff8], "push rax");
        assert_eq!(places(&[0x48, 0x8b, 0x07]), [0_u64; 0], "mov rax, [rdi]");
    }
}
