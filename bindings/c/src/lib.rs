//! polyproc for C: translation only. Each file is one object of the header; `boundary.rs` is the only one that trusts a pointer.
//!
//! The rules of the header are in `preamble.h`, which opens `include/polyproc.h`. An export is an `unsafe extern "C" fn` whose body is safe code inside [`boundary::guard`]: C's word that a
//! pointer is what the header says is taken in `boundary.rs` and nowhere else (`tests/rules.rs` checks that).
//!
//! | file | idea |
//! | --- | --- |
//! | `boundary` | the guard, and every use of a pointer that came from C |
//! | `abi` | numbers: ABI, versions, status |
//! | `error` | error objects |
//! | one for each object | its functions, in the order of the header |
#![allow(unsafe_code, non_camel_case_types, clippy::missing_safety_doc)]

mod abi;
mod boundary;
mod error;
mod fabric;
mod lock;
mod pollable;
mod ticket;
mod wait;

pub use abi::*;
pub use error::*;
pub use fabric::*;
pub use lock::*;
pub use pollable::*;
pub use ticket::*;
