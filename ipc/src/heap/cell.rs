//! A chunk's cell: one `u64` that says who holds the chunk. `kind << 60 | payload`.
//!
//! | kind | payload | who may change it, to what |
//! | --- | --- | --- |
//! | 0 FREE | 0 | holder of the class or unit lock: to PRIVATE, or reshape |
//! | 1 PRIVATE | owner: `generation << 16 \| slot + 1` | that process: to HELD, FREE; sweep of a dead one: to FREE |
//! | 2 HELD | object: offset of its header chunk / 64 | that object's code under its lock: to CLAIMED, PRIVATE, FREE; the object's destruction: to FREE |
//! | 3 CLAIMED | owner, as above | in transit between object and process under the object's lock; a sweep leaves it, the object's repair decides |
//! | 4 SLAB | size class | unit entries only: a slab begins here |
//! | 5 TAIL | 0 | unit entries only: inside a larger thing |

use crate::shm::Owner;

const KIND: u32 = 60;
const PAYLOAD: u64 = (1 << KIND) - 1;

/// A cell's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cell(pub(crate) u64);

/// A cell's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    Free,
    Private(Owner),
    Held(u64),
    Claimed(Owner),
    Slab(usize),
    Tail,
    Unknown,
}

impl Cell {
    pub(crate) const FREE: Cell = Cell(0);
    pub(crate) const TAIL: Cell = Cell(5 << KIND);

    /// Held by one process.
    #[inline(always)]
    pub(crate) fn private(owner: Owner) -> Cell {
        Cell(1 << KIND | pack(owner))
    }

    /// Held by the object whose header chunk stands at `object`.
    #[inline(always)]
    pub(crate) fn held(object: u64) -> Cell {
        Cell(2 << KIND | (object / 64))
    }

    /// On its way between an object and this process.
    #[inline(always)]
    pub(crate) fn claimed(owner: Owner) -> Cell {
        Cell(3 << KIND | pack(owner))
    }

    /// The first unit of a slab.
    pub(crate) fn slab(class: usize) -> Cell {
        Cell(4 << KIND | class as u64)
    }

    pub(crate) fn holder(self) -> Holder {
        let payload = self.0 & PAYLOAD;
        match self.0 >> KIND {
            0 if payload == 0 => Holder::Free,
            1 => Holder::Private(unpack(payload)),
            2 if payload <= u64::MAX / 64 => Holder::Held(payload * 64),
            3 => Holder::Claimed(unpack(payload)),
            4 => Holder::Slab(payload as usize),
            5 if payload == 0 => Holder::Tail,
            _ => Holder::Unknown,
        }
    }
}

#[inline(always)]
fn pack(owner: Owner) -> u64 {
    let bits = owner.to_bits();
    bits >> 32 << 16 | bits & 0xFFFF
}

fn unpack(payload: u64) -> Owner {
    Owner::from_bits((payload >> 16 & 0xFFFF_FFFF) << 32 | payload & 0xFFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_they_were() {
        let owner = Owner::from_bits(0xDEAD_BEEF << 32 | 1024);
        assert_eq!(Cell::private(owner).holder(), Holder::Private(owner));
        assert_eq!(Cell::claimed(owner).holder(), Holder::Claimed(owner));
        assert_eq!(Cell::held(64 * 12345).holder(), Holder::Held(64 * 12345));
        assert_eq!(Cell::slab(31).holder(), Holder::Slab(31));
        assert_eq!(Cell::FREE.holder(), Holder::Free);
        assert_eq!(Cell::TAIL.holder(), Holder::Tail);
        assert_eq!(Cell(9 << KIND).holder(), Holder::Unknown);
    }
}
