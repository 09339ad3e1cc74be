//! What polyproc-ipc promises, tested through its public face, with other processes: one binary that runs itself again in roles.
//!
//! | module | what it tests |
//! | --- | --- |
//! | `queue`, `lease`, `crowd` | the meaning of queues; leases; many processes at once |
//! | `fork` | forked children that use the fabric |
//! | `lock` | the user's lock |
//! | `list`, `list_model` | lists; lists against a model |
//! | `fabric`, `elsewhere` | names and members; full file systems and other pid namespaces |
//! | `attach`, `cap` | foreign and damaged files; growth and its limit |
//! | `scribble` | damaged segments: every call answers |
//! | `properties` | heap and queues against a model |
//! | `last` | nothing is left behind |

#![allow(clippy::needless_for_each)] // one line is enough for "each of them"

mod attach;
mod cap;
mod common;
mod crowd;
mod elsewhere;
mod fabric;
mod fork;
mod last;
mod lease;
mod list;
mod list_model;
mod lock;
mod properties;
mod queue;
mod scribble;
