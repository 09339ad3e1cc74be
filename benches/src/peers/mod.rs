//! The peers, a file each, beside ours: they do the work that `scenarios/` defines with somebody else's means. A peer knows nothing
//! of polyproc.

pub(crate) mod boost;
pub(crate) mod boost_map;
pub(crate) mod cpp;
pub(crate) mod dashmap;
pub(crate) mod ipc_channel;
pub(crate) mod ipc_channel_pipe;
pub(crate) mod lmdb;
pub(crate) mod memory;
pub(crate) mod os_process;
pub(crate) mod procspawn;
pub(crate) mod procspawn_idle;
pub(crate) mod procspawn_payload;
pub(crate) mod procspawn_process;
pub(crate) mod pthread;
pub(crate) mod pthread_cond;
pub(crate) mod raw_sync;
pub(crate) mod raw_sync_event;
pub(crate) mod rayon;
pub(crate) mod redis;
pub(crate) mod std_pipe;
pub(crate) mod threads;
