//! Named blocks of shared memory in `/dev/shm`, as other programs have them (Python's `multiprocessing.shared_memory` above all), and a list in one. They are outside any fabric: a file with a
//! name, nobody's to clean up.
//!
//! | file | idea |
//! | --- | --- |
//! | `block` | the block: made, attached, read and written within its bounds |
//! | `list` | cells of a fixed size in a block |

mod block;
mod list;

pub use block::SharedMemory;
pub use list::{ShareableItem, ShareableList};
