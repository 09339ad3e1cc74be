//! What polyproc-ipc promises, tested through its public face, with other processes: one binary that runs itself again in roles.
//!
//! | module | what it tests |
//! | --- | --- |
//! | `queue`, `lease`, `crowd` | the meaning of queues; leases; many processes at once |
//! | `fork`, `second_copy` | forked children that use the fabric; two copies of the library in one process |
//! | `letters`, `model` | time, dead letters, joining, lanes; the same against a model |
//! | `fork` | forked children that use the fabric |
//! | `lock` | the user's lock |
//! | `poll` | descriptors for event loops |
//! | `sync`, `parting` | semaphores, recursive and reader-writer locks, events; and what becomes of them when holders die, leave or fork |
//! | `condition`, `barrier` | waiting for others |
//! | `cells`, `views` | values and arrays; their cells in place, also after their end |
//! | `named` | named blocks and the list in one, also with CPython |
//! | `events` | event rings: against a model, with several writers, after crashes |
//! | `list` | lists |
//! | `dict`, `dict_model`, `dict_storm` | dicts, sets, namespaces; against a model; between processes that are killed |
//! | `list`, `list_model` | lists; lists against a model |
//! | `fabric`, `elsewhere` | names and members; full file systems and other pid namespaces |
//! | `attach`, `cap` | foreign and damaged files; growth and its limit |
//! | `golden` | bytes that later versions must read or refuse |
//! | `scribble` | damaged segments: every call answers |
//! | `pipe`, `pipe_frames`, `pipe_meet` | connections; torn and forged frames; listeners, keys, CPython as the other side |
//! | `channel` | typed channels of Rust programs |
//! | `properties`, `permits` | heap, queues and semaphores against a model |
//! | `last` | nothing is left behind |

#![allow(clippy::needless_for_each)] // one line is enough for "each of them"

mod attach;
mod barrier;
mod cap;
mod cells;
mod channel;
mod common;
mod condition;
mod crowd;
mod dict;
mod dict_model;
mod dict_storm;
mod elsewhere;
mod events;
mod fabric;
mod fork;
mod golden;
mod last;
mod lease;
mod letters;
mod list;
mod list_model;
mod lock;
mod model;
mod named;
mod parting;
mod permits;
mod pipe;
mod pipe_frames;
mod pipe_meet;
mod poll;
mod properties;
mod queue;
mod scribble;
mod second_copy;
mod sync;
mod views;
