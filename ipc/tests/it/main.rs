//! What polyproc-ipc promises, tested through its public face, with other processes: one binary that runs itself again in roles.
//!
//! | module | what it tests |
//! | --- | --- |
//! | `queue`, `lease`, `crowd` | the meaning of queues; leases; many processes at once |
//! | `fork` | forked children that use the fabric |
//! | `lock` | the user's lock |
//! | `fabric`, `attach`, `cap` | names and members; foreign and damaged files; growth and its limit |
//! | `scribble` | damaged segments: every call answers |
//! | `properties` | heap and queues against a model |
//! | `last` | nothing is left behind |

mod attach;
mod cap;
mod common;
mod crowd;
mod fabric;
mod fork;
mod last;
mod lease;
mod lock;
mod properties;
mod queue;
mod scribble;
