/*
 * polyproc.h: multiprocessing over shared memory, for C.
 *
 * A fabric is shared memory with named objects in it: queues, locks, dicts, lists, values. Any process may be killed at
 * any instruction: nothing is lost, doubled, stuck or leaked, and nobody waits for a process that no longer exists.
 * There is no server process.
 *
 *     pp_error_t *error = NULL;
 *     pp_fabric_t *fabric;
 *     pp_lock_t *lock;
 *     if (pp_fabric_open("shop", PP_OPEN_OR_CREATE, NULL, &fabric, &error)) goto failed;
 *     if (pp_lock_open(fabric, "till", PP_OPEN_OR_CREATE, &lock, &error)) goto failed;
 *     int status = pp_lock_acquire(lock, 5 * PP_SECOND, &error);
 *     if (status == PP_OWNER_DIED) { pp_error_free(error); repair(); status = PP_OK; }
 *     ...
 *     pp_lock_release(lock, NULL);
 *     pp_lock_free(lock);
 *     pp_fabric_free(fabric);
 *
 * THE RULES. What a function's text does not say, these say.
 *
 * Names. Functions pp_, constants PP_, types pp_..._t. pp_lock_acquire is a function of pp_lock_t and takes it first. Then come
 *   other inputs, then outputs, and last the error. What is not in this header is not part of the library.
 *
 * Status. A function that can fail returns int32_t: PP_OK (0), or a positive PP_ number that never changes its meaning, in any
 *   language. Unknown numbers are errors. PP_OWNER_DIED alone is not a failure: the call has done its work, and the lock is held.
 *
 * Errors. `error` may be NULL. Else *error is set by every call: to NULL with PP_OK, to an error object with any other status. The
 *   caller frees it with pp_error_free. Its message is one sentence that names the object and says what to do.
 *
 * Outputs are written only with PP_OK (and PP_OWNER_DIED); else the variable stays as it was. They may be NULL only where that is said.
 *
 * Handles. A type without members is a handle. Whoever got one frees it, once, with the pp_..._free of its type, which takes NULL too.
 *   Handles may be freed in any order: an object keeps its fabric. A handle is not the object: to free is not to destroy.
 *   A handle that was freed is nobody's; using it is undefined, as with free(3).
 *
 * Close is not free. pp_queue_close, pp_connection_close, pp_listener_close and pp_shm_close end the thing: later calls, and calls that
 *   wait in other threads, answer PP_CLOSED. The handle still has to be freed. To close twice does nothing.
 *
 * NULL where it is not allowed is PP_INVALID_ARGUMENT, and the message names the parameter.
 *
 * Text (names, addresses, messages) is UTF-8 and ends with a NUL. Data (bytes, and strings inside values) is a pointer and a length,
 *   may hold NULs, and need not be aligned; length 0 may go with NULL.
 *
 * Lent memory. A `const` pointer that a function returns is lent, and stays valid until the call that the function's text names, at the
 *   latest until the free of the handle that it came from.
 *
 * Options are structures that begin with their size: begin with PP_..._OPTIONS_INIT. 0 is the default of every member. NULL is all defaults.
 *
 * Time is int64_t nanoseconds. In a `timeout` negative is for ever (PP_FOREVER), 0 is a try that does not wait. PP_TIMEOUT means
 *   that nothing was changed.
 *
 * Signals. Every wait with a timeout other than 0 ends with PP_INTERRUPTED when a signal is handled meanwhile by a handler that was installed
 *   without SA_RESTART, or when a handler calls pp_interrupt_waits. Nothing was changed (where something was, the function says so); call again.
 *
 * Threads. A parameter that is `const` may be used by several threads at once; one that is not, by one thread at a time. Anything may be made in one
 *   thread, used in another and freed in a third. What belongs to a thread (an RLock that is held) says so: another thread gets PP_NOT_HELD.
 *   The library never calls back from a thread that the caller did not start. (It has one helper thread, started by the first pollable, and
 *   those of pools; they run no code of yours.)
 *
 * Event loops. What can be waited for has a pollable: a descriptor that is readable when a try is worth it.
 *
 * Fork. A forked child may use all handles: it is a member of its own from its first call on. It holds none of its parent's locks, leases or messages:
 *   releasing them there is an error, freeing them does nothing to the parent. Pollables answer PP_UNSUPPORTED. Do not fork while another thread is in a
 *   call, unless the child does nothing but exec.
 *
 * Death. When a process dies, by SIGKILL too, each operation that it was in has happened or has not. What it held is given back: locks go on to the next, who is told
 *   (PP_OWNER_DIED), leased messages go back to their queue, permits come back. At once where somebody sweeps (whoever opens a named fabric does, and
 *   long waits do about once a second), else within a quarter of a second. A named fabric ends with its last member.
 *
 * Panics. A defect of the library is the status PP_INTERNAL; it never unwinds into C.
 *
 * Numbers. PP_ABI is the number of this header's ABI; a library of another one refuses the program by name where it opens a fabric. Structures of shared memory and the
 *   format of values have numbers of their own, and are checked on their own.
 *
 * Not supported: fabrics between users, or between machines. Members trust each other: one that writes at random into the shared memory can make others
 *   answer PP_CORRUPT, and no more.
 *
 * This file is generated (cargo xtask header). Each function's text has the same parts: what it does, Parameters, Returns, Threads, Death.
 */

#ifndef POLYPROC_H
#define POLYPROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of this header; pp_version tells that of the library. */
#define PP_VERSION "0.1.0"
#define PP_VERSION_MAJOR 0
#define PP_VERSION_MINOR 1
#define PP_VERSION_PATCH 0

/* A message, value or key that was handed out. Large ones are shared memory, which is given back by the free. */
typedef struct pp_message_t pp_message_t;

/**
 * The ABI that this header describes. Another number: functions or structures changed their meaning, and a program must be compiled anew. Functions may be added without a new number.
 */
#define PP_ABI 1

/**
 * Success.
 */
#define PP_OK 0

/**
 * The time given for the call passed first. Nothing was changed.
 */
#define PP_TIMEOUT 1

/**
 * A try on a queue that holds nothing at the moment.
 */
#define PP_EMPTY 2

/**
 * A try on a queue that holds its item limit.
 */
#define PP_FULL 3

/**
 * The queue was closed (and, for a getter, drained); or the connection is at its end.
 */
#define PP_CLOSED 4

/**
 * The fabric's cap, or the system's memory, does not allow the growth that the call needed. Nothing was lost.
 */
#define PP_OUT_OF_MEMORY 5

/**
 * A message is larger than the fabric could ever hold, than the receiver allows, or than the buffer given.
 */
#define PP_TOO_LARGE 6

/**
 * Shared memory, or what came through a connection, holds something that this library does not write.
 */
#define PP_CORRUPT 7

/**
 * The segment was made by a version with another layout; or the program was compiled for another ABI.
 */
#define PP_FOREIGN_VERSION 8

/**
 * The segment was made by a program with another word size or byte order.
 */
#define PP_FOREIGN_ABI 9

/**
 * The file or descriptor is not a fabric at all.
 */
#define PP_NOT_A_FABRIC 10

/**
 * Nothing has this name.
 */
#define PP_NOT_FOUND 11

/**
 * Something has this name already.
 */
#define PP_ALREADY_EXISTS 12

/**
 * The name or ticket leads to an object of another kind; or a value is of another type than the one asked for.
 */
#define PP_WRONG_TYPE 13

/**
 * The name is empty, too long, or has a character that names may not have.
 */
#define PP_BAD_NAME 14

/**
 * A directory or file belongs to somebody else, or is open to others.
 */
#define PP_NOT_OWNER 15

/**
 * The process table is full.
 */
#define PP_TOO_MANY_MEMBERS 16

/**
 * The object was destroyed; the handle or ticket is stale.
 */
#define PP_GONE 17

/**
 * The ticket belongs to a fabric that this process has not attached.
 */
#define PP_NOT_ATTACHED 18

/**
 * A value cannot be encoded.
 */
#define PP_ENCODE 19

/**
 * Bytes are not a value, or not one of the type asked for.
 */
#define PP_DECODE 20

/**
 * The fabric lives where this process cannot reach it (another pid namespace).
 */
#define PP_UNREACHABLE 21

/**
 * An argument makes no sense: NULL where that is not allowed, text that is not UTF-8, a number out of range.
 */
#define PP_INVALID_ARGUMENT 22

/**
 * Release of a lock that the caller does not hold.
 */
#define PP_NOT_HELD 23

/**
 * The operating system refused; pp_error_os has its number.
 */
#define PP_OS 24

/**
 * A signal ended the wait. Run what it asks for, and call again.
 */
#define PP_INTERRUPTED 25

/**
 * This system lacks something that the call needs.
 */
#define PP_UNSUPPORTED 26

/**
 * The lock WAS acquired, from a process that died holding it: what it protects may be half changed. The only status but PP_OK with which a call has done its work.
 */
#define PP_OWNER_DIED 27

/**
 * The barrier is broken.
 */
#define PP_BROKEN_BARRIER 28

/**
 * The time of a lease ran out and its message went back; nothing was changed.
 */
#define PP_LEASE_LOST 29

/**
 * The other side of a connection does not know the key.
 */
#define PP_NOT_AUTHENTICATED 30

/**
 * No task of this name is in the other process's program.
 */
#define PP_UNKNOWN_TASK 100

/**
 * The arguments cannot be encoded here, or do not fit the task there.
 */
#define PP_BAD_ARGUMENTS 101

/**
 * The result cannot be encoded there, or is not of the type asked for here.
 */
#define PP_BAD_RESULT 102

/**
 * The task panicked, or said that it failed.
 */
#define PP_PANICKED 103

/**
 * The process that ran the task died.
 */
#define PP_WORKER_DIED 104

/**
 * The pool was closed, and takes no more work.
 */
#define PP_POOL_CLOSED 105

/**
 * The pool was terminated before the result was there.
 */
#define PP_TERMINATED 106

/**
 * The operating system could not start a process.
 */
#define PP_SPAWN_FAILED 107

/**
 * Workers died again and again before they could do anything.
 */
#define PP_GAVE_UP 108

/**
 * A process ended before it took its call.
 */
#define PP_NOT_STARTED 109

/**
 * Two tasks of one program have the same name.
 */
#define PP_AMBIGUOUS_TASK 110

/**
 * The call was cancelled.
 */
#define PP_CANCELLED 111

/**
 * The call did not end within its hard limit.
 */
#define PP_TIME_LIMIT 112

/**
 * The worker took more memory than the pool allows.
 */
#define PP_MEMORY_LIMIT 120

/**
 * A defect of this library: it panicked inside the call. Objects in shared memory are whole (a panic is handled as a death in the call would be); please report it.
 */
#define PP_INTERNAL 200

/**
 * How objects with names are opened: the object must exist.
 */
#define PP_OPEN 0

/**
 * It must not exist, and is made. With a name of NULL: an object without a name is made.
 */
#define PP_CREATE 1

/**
 * It is opened, or made if it does not exist.
 */
#define PP_OPEN_OR_CREATE 2

/**
 * Raw bytes, which nobody interprets.
 */
#define PP_CODEC_RAW 0

/**
 * A value, in MessagePack.
 */
#define PP_CODEC_VALUE 1

/**
 * A timeout without end. Any negative number of nanoseconds is.
 */
#define PP_FOREVER -1

/**
 * Kinds of objects, as pp_ticket_kind and pp_object_t tell them: a lock.
 */
#define PP_KIND_LOCK 1

/**
 * A queue.
 */
#define PP_KIND_QUEUE 2

/**
 * An rlock.
 */
#define PP_KIND_RLOCK 3

/**
 * A semaphore, bounded or not.
 */
#define PP_KIND_SEMAPHORE 4

/**
 * A condition.
 */
#define PP_KIND_CONDITION 5

/**
 * An event.
 */
#define PP_KIND_EVENT 6

/**
 * A barrier.
 */
#define PP_KIND_BARRIER 7

/**
 * An rwlock.
 */
#define PP_KIND_RWLOCK 8

/**
 * A value.
 */
#define PP_KIND_VALUE 9

/**
 * An array.
 */
#define PP_KIND_ARRAY 10

/**
 * A dict.
 */
#define PP_KIND_DICT 11

/**
 * A list.
 */
#define PP_KIND_LIST 12

/**
 * A set.
 */
#define PP_KIND_SET 13

/**
 * A namespace.
 */
#define PP_KIND_NAMESPACE 14

/**
 * A ring of events.
 */
#define PP_KIND_EVENTS 15

/**
 * The extension type of a block, in `extension` of pp_item_t.
 */
#define PP_EXTENSION_BLOCK 8

/**
 * The lock of cells: one of their own, which the thread that holds it may take again.
 */
#define PP_LOCKING_OWN 0

/**
 * None: every access is as it comes; single cells of up to 8 bytes are whole all the same.
 */
#define PP_LOCKING_NONE 1

/**
 * The lock or rlock of `lock`, which several objects may share.
 */
#define PP_LOCKING_GIVEN 2

/**
 * polyproc's own frame around messages.
 */
#define PP_FRAMING_NATIVE 0

/**
 * The frame of CPython's multiprocessing.connection, to talk to a program that uses that; it carries bytes only.
 */
#define PP_FRAMING_CPYTHON 1

/**
 * `data` and `len` are bytes of the codec `codec`.
 */
#define PP_FORM_BYTES 0

/**
 * `data` and `len` are UTF-8, to be sent as a string value.
 */
#define PP_FORM_TEXT 1

/**
 * `integer` is the value.
 */
#define PP_FORM_INT 2

/**
 * `integer`, as uint64_t, is the value.
 */
#define PP_FORM_UINT 3

/**
 * `number` is the value.
 */
#define PP_FORM_FLOAT 4

/**
 * `integer` is 0 for false, else true.
 */
#define PP_FORM_BOOL 5

/**
 * The value nil (None, null).
 */
#define PP_FORM_NIL 6

/**
 * `data` is a pp_ticket_t: the value is the object that it leads to.
 */
#define PP_FORM_TICKET 7

/**
 * The fabric's memory is anonymous.
 */
#define PP_BACKING_MEMORY 0

/**
 * It is a file of the runtime directory: for processes that share a directory and not their process ids (two containers).
 */
#define PP_BACKING_FILE 1

/**
 * In a slice: not given.
 */
#define PP_NONE INT64_MIN

/**
 * Calls of this priority come after all others.
 */
#define PP_PRIORITY_LOW -1

/**
 * What calls have without a choice.
 */
#define PP_PRIORITY_NORMAL 0

/**
 * They go first. There is no ageing.
 */
#define PP_PRIORITY_HIGH 1

/**
 * Calls are retried also if the task failed, or was over its hard limit; without it, only if their worker died.
 */
#define PP_CALL_RETRY_ERRORS 1

/**
 * The pool has no workers of its own: only for one with a name, by which workers join.
 */
#define PP_POOL_NO_WORKERS 1

/**
 * Each worker runs on one processor only.
 */
#define PP_POOL_PIN_CPUS 2

/**
 * The pool keeps no events, and no call pays for them.
 */
#define PP_POOL_NO_EVENTS 4

/**
 * Variables of numeric libraries are left as they are in workers.
 */
#define PP_POOL_KEEP_THREADS 8

/**
 * The process is a daemon: it is asked to end (SIGTERM) when this process ends normally, and may not start processes of its own.
 */
#define PP_PROCESS_DAEMON 1

/**
 * It goes on when this process ends; without it, it ends with this one, however that ends.
 */
#define PP_PROCESS_OUTLIVE 2

/**
 * It leads a process group of its own, which Ctrl-C of the terminal does not reach.
 */
#define PP_PROCESS_OWN_GROUP 4

/**
 * Nothing of this process's environment is in its own, only what `environment` sets.
 */
#define PP_PROCESS_CLEAR_ENVIRONMENT 8

/**
 * A stream as it is without a choice: a task has an empty input, all others are this process's.
 */
#define PP_STDIO_DEFAULT 0

/**
 * This process's stream.
 */
#define PP_STDIO_INHERIT 1

/**
 * Nowhere.
 */
#define PP_STDIO_NULL 2

/**
 * A pipe to this process, which takes its end by pp_process_take_pipe.
 */
#define PP_STDIO_PIPE 3

/**
 * How processes that run tasks are started, without a choice: PP_START_SPAWN.
 */
#define PP_START_DEFAULT 0

/**
 * The program is started again. Its main runs up to pp_main.
 */
#define PP_START_SPAWN 1

/**
 * This process is copied: only for processes, not for the workers of pools.
 */
#define PP_START_FORK 2

/**
 * A small process with one thread, the program's main up to pp_main, is copied.
 */
#define PP_START_FORKSERVER 3

/**
 * Nil (None, null).
 */
#define PP_TYPE_NIL 0

/**
 * A bool: `integer` is 0 or 1.
 */
#define PP_TYPE_BOOL 1

/**
 * An integer: `integer`.
 */
#define PP_TYPE_INT 2

/**
 * An integer above INT64_MAX: `integer`, as uint64_t.
 */
#define PP_TYPE_UINT 3

/**
 * A float: `number`; `len` is 4 where it came as one of 32 bits, else 8.
 */
#define PP_TYPE_FLOAT 4

/**
 * A string: `data` and `len`, UTF-8 without a NUL at its end.
 */
#define PP_TYPE_TEXT 5

/**
 * A byte string: `data` and `len`.
 */
#define PP_TYPE_BYTES 6

/**
 * A list (or tuple): its `count` items come next.
 */
#define PP_TYPE_LIST 7

/**
 * A map: a key and its value, for each of its `count` entries, come next.
 */
#define PP_TYPE_MAP 8

/**
 * An extension type: `extension`, `data` and `len`. Type 6 is a ticket (pp_read_ticket).
 */
#define PP_TYPE_EXTENSION 9

/**
 * Bytes of a ticket as text, its NUL included.
 */
#define PP_TICKET_TEXT 81

/**
 * Waiting until all have come. A party that dies in a round breaks the barrier.
 */
typedef struct pp_barrier_t pp_barrier_t;

/**
 * The call that a task runs. It lives until the task returns; any thread may ask it.
 */
typedef struct pp_call_t pp_call_t;

/**
 * A value (one cell) or an array (a row of them), laid out as C has it.
 */
typedef struct pp_cells_t pp_cells_t;

/**
 * Ends of calls, each by a key, and a descriptor that is readable while there are any. Made by pp_completions_open.
 */
typedef struct pp_completions_t pp_completions_t;

/**
 * Waiting until another process says so. It stands on a recursive lock of its own, or on a lock or rlock that was given.
 */
typedef struct pp_condition_t pp_condition_t;

/**
 * One side of a connection. Threads may share it: messages never mix.
 */
typedef struct pp_connection_t pp_connection_t;

/**
 * Python's dict, shared: keys in the order of their insertion, compared as Python compares them, in every language.
 */
typedef struct pp_dict_t pp_dict_t;

/**
 * A way through a dict, set or list.
 */
typedef struct pp_entries_t pp_entries_t;

/**
 * An error that a call made for its caller, who frees it with pp_error_free.
 */
typedef struct pp_error_t pp_error_t;

/**
 * A flag that processes wait for.
 */
typedef struct pp_event_t pp_event_t;

/**
 * A ring of the last events of many processes.
 */
typedef struct pp_events_t pp_events_t;

/**
 * One shared world: memory, a table of member processes, and a directory of named objects.
 */
typedef struct pp_fabric_t pp_fabric_t;

/**
 * The results of one call, or of those of a map: there, or to come. To free it does not cancel them.
 */
typedef struct pp_future_t pp_future_t;

/**
 * Events that were read.
 */
typedef struct pp_history_t pp_history_t;

/**
 * A message that stays the queue's until it is acknowledged. It ends once, by ack, ack_keep, nack or bury; the handle is freed after that.
 */
typedef struct pp_lease_t pp_lease_t;

/**
 * What makes a worker leave, from any thread.
 */
typedef struct pp_leaver_t pp_leaver_t;

/**
 * Python's list, shared: every call is one step for everybody. Negative indices count from the end.
 */
typedef struct pp_list_t pp_list_t;

/**
 * A socket that others connect to.
 */
typedef struct pp_listener_t pp_listener_t;

/**
 * A chunk of shared memory to be filled and put.
 */
typedef struct pp_loan_t pp_loan_t;

/**
 * A lock between processes: at most one holds it, and if that one is killed, the next is told and goes on. The process is the owner: any thread of it may release.
 */
typedef struct pp_lock_t pp_lock_t;

/**
 * Several messages.
 */
typedef struct pp_messages_t pp_messages_t;

/**
 * The names of a namespace at one instant.
 */
typedef struct pp_names_t pp_names_t;

/**
 * Named attributes, shared.
 */
typedef struct pp_namespace_t pp_namespace_t;

/**
 * A wait whose lock was released and that stands in the list of waiters: the first half of pp_condition_wait.
 */
typedef struct pp_pending_wait_t pp_pending_wait_t;

/**
 * A descriptor that becomes readable when its object has something. Readable means: try now, others may be faster.
 */
typedef struct pp_pollable_t pp_pollable_t;

/**
 * Worker processes that run tasks: of this process (pp_pool_create), or of another (pp_pool_connect).
 */
typedef struct pp_pool_t pp_pool_t;

/**
 * A process that was started. Its handles may all be freed while it runs: it goes on, and pp_active_children has it.
 */
typedef struct pp_process_t pp_process_t;

/**
 * First in first out, any number of putters and getters, in any language.
 */
typedef struct pp_queue_t pp_queue_t;

/**
 * A lock that the thread which holds it may take again, and releases as often. The thread is the owner.
 */
typedef struct pp_rlock_t pp_rlock_t;

/**
 * Many readers or one writer, owned by the process. A waiting writer holds new readers back.
 */
typedef struct pp_rwlock_t pp_rwlock_t;

/**
 * Permits that processes take and give back. It knows who holds how many, and those of the dead come back.
 */
typedef struct pp_semaphore_t pp_semaphore_t;

/**
 * Python's set, shared. Elements are what may be keys of a dict.
 */
typedef struct pp_set_t pp_set_t;

/**
 * A list of a fixed number of cells in a named block of shared memory, as Python's ShareableList has it: nil, bools, integers, floats, texts and byte strings, each to be replaced by whatever fits its cell. It needs
 * no fabric, and lives until somebody unlinks it. Two that change the same cell at the same time need a lock.
 */
typedef struct pp_shareable_t pp_shareable_t;

/**
 * A block of shared memory with a name, as Python's SharedMemory; other programs have it by the same name. It lives until somebody unlinks it.
 */
typedef struct pp_shm_t pp_shm_t;

/**
 * This program as a worker of a pool with a name: it offers its tasks (pp_task_offer), and runs the calls that it gets.
 */
typedef struct pp_worker_t pp_worker_t;

/**
 * A value that is being built.
 */
typedef struct pp_writer_t pp_writer_t;

/**
 * A ticket: plain bytes, to be copied and sent as one likes. It does not keep its object alive.
 */
typedef struct {
    /**
     * As docs/format.md has them.
     */
    uint8_t bytes[40];
} pp_ticket_t;

/**
 * What the last party to come does before all go on, in its own thread and with no lock held. 0: done; else the barrier is broken. It must return.
 */
typedef int32_t (*pp_action_t)(void *context);

/**
 * One item of a value; what it points to is in the bytes that were read.
 */
typedef struct {
    /**
     * A PP_TYPE_ number.
     */
    int32_t kind;
    /**
     * The extension type, of an extension.
     */
    int32_t extension;
    /**
     * Items of a list, entries of a map.
     */
    uint64_t count;
    /**
     * An integer or bool.
     */
    int64_t integer;
    /**
     * A float.
     */
    double number;
    /**
     * A text, byte string or extension; NULL for all else.
     */
    const void *data;
    /**
     * Its bytes; of a float, how many it came in.
     */
    size_t len;
} pp_item_t;

/**
 * Many plain values in one piece, where they lie.
 */
typedef struct {
    /**
     * The values; NULL: there are none. Read them as an array where `aligned` says so, else copy them out (memcpy).
     */
    const void *data;
    /**
     * How many.
     */
    size_t count;
    /**
     * Bytes of each.
     */
    size_t value_size;
    /**
     * Their type, one of Python's codes: 'c' 'b' 'B' 'h' 'H' 'i' 'I' 'f' 'l' 'L' 'q' 'Q' 'd', or 'S' for a structure.
     */
    int32_t code;
    /**
     * Whether they lie as an array of their type does.
     */
    bool aligned;
} pp_block_t;

/**
 * What cells are made of; PP_CELLS_OPTIONS_INIT begins one.
 */
typedef struct {
    /**
     * sizeof(pp_cells_options_t)
     */
    size_t size;
    /**
     * Type of a cell, one of Python's codes: 'c' 'b' 'B' '?' (1 byte) 'h' 'H' (2) 'i' 'I' 'f' 'u' (4) 'l' 'L' 'q' 'Q' 'd' (8), or 'S' for a structure.
     */
    int32_t code;
    /**
     * Of a structure: its alignment.
     */
    uint32_t structure_align;
    /**
     * Of a structure: its size.
     */
    size_t structure_size;
    /**
     * Of a structure: what is in it, in words that its users agree on (120 bytes at most); may be NULL.
     */
    const char *structure_format;
    /**
     * How many cells an array has; 0: none. A value has one, whatever is said here.
     */
    size_t count;
    /**
     * A PP_LOCKING_ number.
     */
    int32_t locking;
    /**
     * With PP_LOCKING_GIVEN: which.
     */
    const pp_ticket_t *lock;
    /**
     * What the cells are at first, `count` of them; NULL: zeros.
     */
    const void *contents;
} pp_cells_options_t;

/**
 * Data to be put, sent or stored, or a key to be looked for. Made by pp_raw, pp_text, pp_int, pp_uint, pp_float, pp_bool, pp_nil, pp_object, pp_encoded, or from a writer; it is read
 * during the call only.
 */
typedef struct {
    /**
     * A PP_FORM_ number.
     */
    int32_t form;
    /**
     * PP_CODEC_RAW, PP_CODEC_VALUE or another; for PP_FORM_BYTES.
     */
    uint8_t codec;
    /**
     * The bytes, if the form has some.
     */
    const void *data;
    /**
     * How many.
     */
    size_t len;
    /**
     * The integer, if the form has one.
     */
    int64_t integer;
    /**
     * The float, if the form has one.
     */
    double number;
} pp_datum_t;

/**
 * One event.
 */
typedef struct {
    /**
     * Its place among all events that were ever recorded in this ring, from 0.
     */
    uint64_t number;
    /**
     * When, in nanoseconds of the clock of pp_events_now.
     */
    uint64_t time;
    /**
     * A number that belongs to it.
     */
    uint64_t value;
    /**
     * To what, lent until the history is freed; NULL: it had no name, or there was no room for it.
     */
    const char *name;
    /**
     * By whom, or to whom.
     */
    uint32_t who;
    /**
     * What happened.
     */
    uint8_t kind;
} pp_event_record_t;

/**
 * Options of a fabric that is made. 0 is the default of each; PP_FABRIC_OPTIONS_INIT begins one.
 */
typedef struct {
    /**
     * sizeof(pp_fabric_options_t)
     */
    size_t size;
    /**
     * Bytes that the fabric may grow to, 1 MiB at least; 0: the smaller of half the machine's memory and what the memory cgroup leaves.
     */
    uint64_t cap;
    /**
     * PP_BACKING_MEMORY or PP_BACKING_FILE.
     */
    int32_t backing;
} pp_fabric_options_t;

/**
 * `start:stop:step`, as Python has it; each may be PP_NONE.
 */
typedef struct {
    /**
     * The first index.
     */
    int64_t start;
    /**
     * The index before which it ends.
     */
    int64_t stop;
    /**
     * How far from one to the next; not 0.
     */
    int64_t step;
} pp_slice_t;

/**
 * Compares two items for pp_list_sort: negative, 0 or positive, as for qsort, and always the same for the same items. It must return.
 */
typedef int32_t (*pp_compare_t)(const pp_message_t *a, const pp_message_t *b, void *context);

/**
 * The terms of connections, the same for a listener and its clients; PP_PEERING_OPTIONS_INIT begins one.
 */
typedef struct {
    /**
     * sizeof(pp_peering_options_t)
     */
    size_t size;
    /**
     * A key that both sides must know; NULL: none.
     */
    const void *key;
    /**
     * Its bytes.
     */
    size_t key_len;
    /**
     * A PP_FRAMING_ number.
     */
    int32_t framing;
    /**
     * HMAC-MD5 is allowed, which is all that CPython before 3.12 has.
     */
    uint32_t allow_md5;
    /**
     * Nanoseconds that a client has to show that it knows the key; 0: 10 seconds.
     */
    int64_t handshake_time;
    /**
     * A client that is refused is an error of pp_listener_accept.
     */
    uint32_t report_refused;
    /**
     * How many may wait to be accepted; 0: 16.
     */
    uint32_t backlog;
} pp_peering_options_t;

/**
 * A member process.
 */
typedef struct {
    /**
     * Its name in this fabric, for ever; 0 is nobody.
     */
    uint64_t owner;
    /**
     * When it started, in ticks since boot. For display.
     */
    uint64_t start_time;
    /**
     * Its process id, as its own pid namespace counts. For display.
     */
    uint32_t pid;
    /**
     * The language of its program; 1: this library.
     */
    uint32_t language;
    /**
     * Whether it lives: 0 or 1. Of the dead, what they held is not given back yet.
     */
    uint32_t alive;
} pp_member_t;

/**
 * An object of a fabric.
 */
typedef struct {
    /**
     * Its name; empty if it has none.
     */
    char name[129];
    /**
     * A PP_KIND_ number; 0: a kind that this version does not know.
     */
    int32_t kind;
    /**
     * The process that it goes with; 0: it belongs to the fabric.
     */
    uint64_t owner;
} pp_object_t;

/**
 * What a check found.
 */
typedef struct {
    /**
     * Living members.
     */
    uint64_t members;
    /**
     * Dead members that nobody has swept.
     */
    uint64_t unswept;
    /**
     * Objects.
     */
    uint64_t objects;
    /**
     * Units of memory, and free ones.
     */
    uint64_t units;
    /**
     * Free units of memory.
     */
    uint64_t free_units;
    /**
     * Slabs of chunks.
     */
    uint64_t slabs;
    /**
     * Chunks.
     */
    uint64_t chunks;
    /**
     * Free chunks.
     */
    uint64_t free_chunks;
    /**
     * Chunks that living processes have.
     */
    uint64_t private_chunks;
    /**
     * Chunks that dead processes have.
     */
    uint64_t unswept_chunks;
    /**
     * Chunks that objects have.
     */
    uint64_t held_chunks;
    /**
     * What is wrong; 0: the fabric is whole.
     */
    uint64_t problems;
} pp_report_t;

/**
 * Options of calls. 0 is the default of each; PP_CALL_OPTIONS_INIT begins one.
 */
typedef struct {
    /**
     * sizeof(pp_call_options_t)
     */
    size_t size;
    /**
     * How often a call may be run again. What is run again runs at least once, every other call at most once.
     */
    uint32_t retries;
    /**
     * PP_CALL_ numbers, added.
     */
    uint32_t flags;
    /**
     * Nanoseconds to wait before the second attempt. No worker waits meanwhile.
     */
    int64_t backoff;
    /**
     * Before each further attempt so many times as long; 0: the same.
     */
    double backoff_factor;
    /**
     * But never longer than so many nanoseconds; 0: than ten times `backoff`.
     */
    int64_t backoff_most;
    /**
     * Nanoseconds after which an attempt is told to stop: pp_call_cancelled; 0: never.
     */
    int64_t soft_limit;
    /**
     * Nanoseconds after which an attempt's worker is killed: PP_TIME_LIMIT; 0: never. Not for pools of other processes.
     */
    int64_t hard_limit;
    /**
     * A PP_PRIORITY_ number.
     */
    int32_t priority;
    /**
     * How many calls of a map a worker takes at once; 0: a quarter of each worker's share.
     */
    uint32_t chunk;
} pp_call_options_t;

/**
 * Options of a pool. 0 is the default of each; PP_POOL_OPTIONS_INIT begins one.
 */
typedef struct {
    /**
     * sizeof(pp_pool_options_t)
     */
    size_t size;
    /**
     * Where calls and results travel, and what is the workers' current fabric; NULL: this process's current one.
     */
    const pp_fabric_t *fabric;
    /**
     * A name in that fabric, by which other programs join as workers (pp_worker_join) and submit (pp_pool_connect); NULL: none.
     */
    const char *name;
    /**
     * How many workers; 0: one for each processor that this process may use.
     */
    uint32_t workers;
    /**
     * With more work, up to so many; 0: as `workers`.
     */
    uint32_t most_workers;
    /**
     * Nanoseconds without need of them after which workers beyond `workers` leave; 0: 10 seconds.
     */
    int64_t idle_timeout;
    /**
     * The workers' program; NULL: this one, which says pp_main.
     */
    const char *program;
    /**
     * PP_START_SPAWN or PP_START_FORKSERVER.
     */
    int32_t start_method;
    /**
     * PP_POOL_ numbers, added.
     */
    uint32_t flags;
    /**
     * How the pool's calls are run where nothing else is said; NULL: all defaults.
     */
    const pp_call_options_t *calls;
    /**
     * How many submissions may be unfinished before pp_pool_submit says PP_FULL; 0: 65,536.
     */
    uint64_t max_pending;
    /**
     * After so many calls a worker leaves and is replaced; 0: never.
     */
    uint64_t max_tasks_per_worker;
    /**
     * With more bytes of its own after a call, a worker leaves and is replaced; 0: any.
     */
    uint64_t soft_memory;
    /**
     * With more bytes of its own it is killed, and its call fails with PP_MEMORY_LIMIT; 0: any.
     */
    uint64_t hard_memory;
    /**
     * The pool gives up after more deaths of workers than that within `restart_within`; 0: no limit, but for ten in a row before they could do anything.
     */
    uint64_t restart_deaths;
    /**
     * Nanoseconds.
     */
    int64_t restart_within;
    /**
     * Threads of numeric libraries in each worker; 0: so many that all workers together have one for each processor.
     */
    uint32_t library_threads;
    /**
     * How many of the last events are kept, 16 to 2^24; 0: 2,048.
     */
    uint32_t events;
    /**
     * The name of their ring, which then stays when the pool is gone; NULL: none.
     */
    const char *events_name;
    /**
     * A task that runs in every worker before its first call; NULL: none.
     */
    const char *on_start;
    /**
     * Its arguments; NULL: none.
     */
    const pp_datum_t *on_start_arguments;
    /**
     * How many.
     */
    size_t on_start_count;
    /**
     * A task that runs in every worker that leaves in order; NULL: none.
     */
    const char *on_exit;
    /**
     * Its arguments; NULL: none.
     */
    const pp_datum_t *on_exit_arguments;
    /**
     * How many.
     */
    size_t on_exit_count;
} pp_pool_options_t;

/**
 * One worker of a pool: pp_pool_worker.
 */
typedef struct {
    /**
     * The process's id.
     */
    uint32_t pid;
    /**
     * What it calls its place (pp_worker_place).
     */
    uint32_t place;
    /**
     * How many calls it has finished.
     */
    uint64_t finished;
    /**
     * How many bytes of its own it had when the pool last looked; 0: not known.
     */
    uint64_t memory;
    /**
     * 1: it has joined the fabric and takes calls.
     */
    uint8_t ready;
    /**
     * 1: it joined by itself (pp_worker_join); its place means nothing then.
     */
    uint8_t joined;
} pp_worker_info_t;

/**
 * How far a pool is: pp_pool_progress. `submitted` is the sum of the others.
 */
typedef struct {
    /**
     * Calls that the pool was ever given.
     */
    uint64_t submitted;
    /**
     * Calls that returned a value.
     */
    uint64_t done;
    /**
     * Calls that ended without one.
     */
    uint64_t failed;
    /**
     * Calls that a worker is in.
     */
    uint64_t running;
    /**
     * Calls that no worker has begun.
     */
    uint64_t queued;
} pp_progress_t;

/**
 * Options of a process. 0 is the default of each; PP_PROCESS_OPTIONS_INIT begins one.
 */
typedef struct {
    /**
     * sizeof(pp_process_options_t)
     */
    size_t size;
    /**
     * The fabric that is the current one there; NULL: this process's current one.
     */
    const pp_fabric_t *fabric;
    /**
     * Its name, for messages; NULL: "Process-1" and so on.
     */
    const char *name;
    /**
     * The directory that it starts in; NULL: this process's.
     */
    const char *directory;
    /**
     * Of a task: the program that has it; NULL: this one.
     */
    const char *program;
    /**
     * Changes of its environment: "NAME=value" sets, "NAME" leaves out. The list ends with NULL; NULL: no changes.
     */
    const char *const *environment;
    /**
     * PP_PROCESS_ numbers, added.
     */
    uint32_t flags;
    /**
     * Of a task: a PP_START_ number.
     */
    int32_t start_method;
    /**
     * Where its input leads: a PP_STDIO_ number, or PP_STDIO_FD(fd), which is copied and stays the caller's.
     */
    int32_t standard_input;
    /**
     * Where its output leads.
     */
    int32_t standard_output;
    /**
     * Where its standard error leads.
     */
    int32_t standard_error;
} pp_process_options_t;

/**
 * Options of a queue that is made; PP_QUEUE_OPTIONS_INIT begins one.
 */
typedef struct {
    /**
     * sizeof(pp_queue_options_t)
     */
    size_t size;
    /**
     * Messages that it holds at most; 0: as many as the fabric holds.
     */
    size_t capacity;
    /**
     * Lanes of priority, 1 to 8; 0: 1. A getter gets from the first that is not empty.
     */
    size_t lanes;
    /**
     * It counts what is unfinished, for pp_queue_task_done and pp_queue_join.
     */
    uint32_t joinable;
    /**
     * How often a message is handed out on a lease, at most; 0: no limit. One that comes back after that is a dead letter.
     */
    uint32_t max_deliveries;
    /**
     * Where dead letters go: another queue of the same fabric; NULL: they stay, buried.
     */
    const pp_queue_t *dead_letters;
    /**
     * What a dead process had on lease waits for pp_queue_reclaim, and is not handed out again by itself.
     */
    uint32_t keep_dead_leases;
} pp_queue_options_t;

/**
 * A lease of a queue, as pp_queue_leases tells it.
 */
typedef struct {
    /**
     * The process that has it, as pp_member_t names it.
     */
    uint64_t holder;
    /**
     * What that process last said by pp_lease_set_progress.
     */
    uint64_t progress;
    /**
     * How often the message was handed out.
     */
    uint32_t deliveries;
} pp_lease_info_t;

/**
 * Elements for an operator: some data, or those of a set. Made by pp_elements or pp_elements_of; it is read during the call only.
 */
typedef struct {
    /**
     * The elements; NULL if there are none, or a set is given.
     */
    const pp_datum_t *items;
    /**
     * How many.
     */
    size_t count;
    /**
     * Another set, whose elements they are; NULL: they are `items`.
     */
    const pp_set_t *set;
} pp_elements_t;

/**
 * Something to wait for: one of these is given, and the others are NULL (and `fd` is -1).
 */
typedef struct {
    /**
     * Ready when a message, or the end, can be received.
     */
    const pp_connection_t *connection;
    /**
     * Ready when somebody wants to be let in.
     */
    const pp_listener_t *listener;
    /**
     * Ready when its object is worth a try.
     */
    const pp_pollable_t *pollable;
    /**
     * A plain descriptor: ready when it can be read.
     */
    int32_t fd;
} pp_waitable_t;

/**
 * A task: reads its arguments (encoded, a list with an item for each, for pp_read_list and so on), writes its result, one value (nothing written is nil), and returns 0. All are lent until it returns. If it fails it returns
 * another number, best that of pp_call_fail.
 * It is called by the thread that runs calls: the one in pp_main, pp_worker_run or pp_worker_step. No exception and no longjmp may leave it.
 */
typedef int32_t (*pp_task_t)(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The ABI of the library that is loaded, to compare with PP_ABI. pp_fabric_open and the other ways into a fabric do that themselves.
 *
 * Parameters: none.
 * Returns: the number.
 * Threads: any.
 * Death: nothing is shared.
 */
uint32_t pp_abi_version(void);

/**
 * The library's version, as "0.1.0".
 *
 * Parameters: none.
 * Returns: text that lives as long as the program.
 * Threads: any.
 * Death: nothing is shared.
 */
const char *pp_version(void);

/**
 * The name of a status, as "TIMEOUT".
 *
 * Parameters: status: what a function returned.
 * Returns: text that lives as long as the program; "UNKNOWN" for a number that this version does not know.
 * Threads: any.
 * Death: nothing is shared.
 */
const char *pp_status_name(int32_t status);

/**
 * Ends all waits of this process that a signal may end, with PP_INTERRUPTED: at once in the thread that the signal came to, else within a quarter of a second.
 * Needed in handlers that were installed with SA_RESTART; others end the wait of their thread by themselves, unless the signal comes just before it sleeps.
 *
 * Parameters: none.
 * Returns: nothing.
 * Threads: any; also in the handler of a signal.
 * Death: nothing is shared.
 */
void pp_interrupt_waits(void);

/**
 * Opens or makes a barrier.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; parties: used by who makes it; timeout: of waits that give none, negative: for ever; used by who makes it; barrier: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the barrier was made or not; one without a name goes with its maker.
 */
int32_t pp_barrier_open(const pp_fabric_t *fabric,
                        const char *name,
                        int32_t how,
                        size_t parties,
                        int64_t timeout,
                        pp_barrier_t **barrier,
                        pp_error_t **error);

/**
 * The barrier that a ticket leads to.
 *
 * Parameters: ticket; barrier: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_barrier_from_ticket(const pp_ticket_t *ticket, pp_barrier_t **barrier, pp_error_t **error);

/**
 * Frees the handle. The barrier itself goes only if it has no name and no ticket.
 *
 * Parameters: barrier: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_barrier_free(pp_barrier_t *barrier);

/**
 * How another process attaches to the barrier. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: barrier; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_barrier_ticket(const pp_barrier_t *barrier,
                          bool lend,
                          pp_ticket_t *ticket,
                          pp_error_t **error);

/**
 * Destroys the barrier for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: barrier; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_barrier_destroy(const pp_barrier_t *barrier, pp_error_t **error);

/**
 * Waits until all parties have come. Unlike elsewhere, a wait that ends early breaks the barrier, for all.
 *
 * Parameters: barrier; timeout: nanoseconds, negative: the default that the barrier was made with; index: gets the number of this party, from 0; may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_BROKEN_BARRIER: time was up, a party died, or it was aborted or reset; PP_INTERRUPTED: a signal came, and the barrier is broken by that; PP_GONE.
 * Threads: any.
 * Death: a party that dies breaks the barrier; who waits sees it at the next sweep, about a second later at most.
 */
int32_t pp_barrier_wait(const pp_barrier_t *barrier,
                        int64_t timeout,
                        size_t *index,
                        pp_error_t **error);

/**
 * As pp_barrier_wait, and the last to come runs an action before all go on.
 *
 * Parameters: barrier; timeout: nanoseconds, negative for ever; action; context: handed to it; index: may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_BROKEN_BARRIER: time was up, a party died, or it was aborted or reset; PP_INTERRUPTED: a signal came, and the barrier is broken by that; PP_GONE.
 * Threads: any; the action runs in the calling thread.
 * Death: a party that dies breaks the barrier, also in its action.
 */
int32_t pp_barrier_wait_then(const pp_barrier_t *barrier,
                             int64_t timeout,
                             pp_action_t action,
                             void *context,
                             size_t *index,
                             pp_error_t **error);

/**
 * Makes the barrier whole and empty again; those who wait get PP_BROKEN_BARRIER.
 *
 * Parameters: barrier; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_barrier_reset(const pp_barrier_t *barrier, pp_error_t **error);

/**
 * Breaks the barrier, for those who wait and those who come.
 *
 * Parameters: barrier; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_barrier_abort(const pp_barrier_t *barrier, pp_error_t **error);

/**
 * How many have to come.
 *
 * Parameters: barrier; parties: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_barrier_parties(const pp_barrier_t *barrier, size_t *parties, pp_error_t **error);

/**
 * How many have come.
 *
 * Parameters: barrier; waiting: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_barrier_n_waiting(const pp_barrier_t *barrier, size_t *waiting, pp_error_t **error);

/**
 * Whether it is broken.
 *
 * Parameters: barrier; broken: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_barrier_broken(const pp_barrier_t *barrier, bool *broken, pp_error_t **error);

/**
 * The block that an item of a message's value is: its values, in place.
 *
 * Parameters: message; item: as pp_read_next gave it, of the bytes of pp_message_value; block: gets it, lent until the message is freed; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: the item is something else; PP_DECODE: it is damaged, or of another message.
 * Threads: any.
 * Death: as pp_message_data.
 */
int32_t pp_message_block(const pp_message_t *message,
                         const pp_item_t *item,
                         pp_block_t *block,
                         pp_error_t **error);

/**
 * The block that an item of a task's arguments is: its values, in place.
 *
 * Parameters: call; item: as pp_read_next gave it, of the arguments; block: gets it, lent until the task returns; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: the item is something else; PP_DECODE: it is damaged.
 * Threads: any, until the task returns.
 * Death: the submitter still has its own; if the worker dies, whoever is given the call again gets the block again.
 */
int32_t pp_call_block(const pp_call_t *call, const pp_item_t *item, pp_block_t *block, pp_error_t **error);

/**
 * Appends a block: other languages read it as a column of that type. The values are copied, and go inside of the value, wherever that goes.
 *
 * Parameters: writer; code: the type of the values, as in pp_block_t; value_size: bytes of each, up to 65535; 0: those of the code; data; count: how many; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already; PP_INVALID_ARGUMENT: no type that a block can have, or not of that size; PP_TOO_LARGE: more than 4 GiB.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_block(pp_writer_t *writer,
                        int32_t code,
                        size_t value_size,
                        const void *data,
                        size_t count,
                        pp_error_t **error);

/**
 * Opens or makes a value or an array.
 *
 * Parameters: fabric; kind: PP_KIND_VALUE or PP_KIND_ARRAY; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; options: what it is made of; NULL with PP_OPEN: whatever it is; cells: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else, or of other cells; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, it was made or not; one without a name goes with its maker.
 */
int32_t pp_cells_open(const pp_fabric_t *fabric,
                      int32_t kind,
                      const char *name,
                      int32_t how,
                      const pp_cells_options_t *options,
                      pp_cells_t **cells,
                      pp_error_t **error);

/**
 * The value or array that a ticket leads to.
 *
 * Parameters: ticket; cells: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_cells_from_ticket(const pp_ticket_t *ticket, pp_cells_t **cells, pp_error_t **error);

/**
 * Frees the handle, with what pp_cells_data lent. The object itself goes only if it has no name and no ticket.
 *
 * Parameters: cells: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_cells_free(pp_cells_t *cells);

/**
 * How another process attaches. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: cells; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_cells_ticket(const pp_cells_t *cells,
                        bool lend,
                        pp_ticket_t *ticket,
                        pp_error_t **error);

/**
 * Destroys the object for everybody. What pp_cells_data lent stays valid until its handle is freed.
 *
 * Parameters: cells; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_cells_destroy(const pp_cells_t *cells, pp_error_t **error);

/**
 * A second handle of the same object, whose lock is another.
 *
 * Parameters: cells; locking: a PP_LOCKING_ number; lock: with PP_LOCKING_GIVEN, else NULL; same: gets it; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: it has no lock of its own.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_cells_synchronized(const pp_cells_t *cells, int32_t locking, const pp_ticket_t *lock, pp_cells_t **same, pp_error_t **error);

/**
 * Whether it is a value or an array.
 *
 * Parameters: cells; kind: gets PP_KIND_VALUE or PP_KIND_ARRAY; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_cells_kind(const pp_cells_t *cells, int32_t *kind, pp_error_t **error);

/**
 * How many cells there are.
 *
 * Parameters: cells; len: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_cells_len(const pp_cells_t *cells, size_t *len, pp_error_t **error);

/**
 * The type of a cell.
 *
 * Parameters: cells; code: gets its code, as in pp_cells_options_t; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_cells_code(const pp_cells_t *cells, int32_t *code, pp_error_t **error);

/**
 * Bytes of a cell.
 *
 * Parameters: cells; size: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_cells_cell_size(const pp_cells_t *cells, size_t *size, pp_error_t **error);

/**
 * What the maker of structures said is in them.
 *
 * Parameters: cells; text: gets it with a NUL; room: its bytes, 121 are enough; error: may be NULL.
 * Returns: PP_OK; PP_TOO_LARGE: it does not fit.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_cells_format(const pp_cells_t *cells, char *text, size_t room, pp_error_t **error);

/**
 * Whether it has a lock.
 *
 * Parameters: cells; has: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_cells_has_lock(const pp_cells_t *cells, bool *has, pp_error_t **error);

/**
 * Acquires the lock of the cells.
 *
 * Parameters: cells; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_OWNER_DIED: acquired, from a process that died holding it; PP_TIMEOUT; PP_INTERRUPTED; PP_INVALID_ARGUMENT: there is none; PP_GONE.
 * Threads: any; a recursive lock, as their own is, belongs to the thread.
 * Death: a killed holder is found within a quarter of a second; the next to acquire is told.
 */
int32_t pp_cells_acquire(const pp_cells_t *cells,
                         int64_t timeout,
                         pp_error_t **error);

/**
 * Releases the lock once.
 *
 * Parameters: cells; error: may be NULL.
 * Returns: PP_OK; PP_NOT_HELD; PP_INVALID_ARGUMENT: there is none; PP_GONE.
 * Threads: the one that acquired it, if it is recursive.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_cells_release(const pp_cells_t *cells, pp_error_t **error);

/**
 * Reads whole cells. It takes no lock: one cell of up to 8 bytes comes whole, more may be half changed if somebody writes without the lock.
 *
 * Parameters: cells; from: the first cell; buffer: gets them; size: its bytes: a multiple of the size of a cell; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: outside; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_cells_read(const pp_cells_t *cells, size_t from, void *buffer, size_t size, pp_error_t **error);

/**
 * Writes whole cells. It takes no lock.
 *
 * Parameters: cells; from: the first cell; data; size: its bytes: a multiple of the size of a cell; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: outside; PP_GONE.
 * Threads: any.
 * Death: killed here, cells of up to 8 bytes are whole; a larger one, or a range, may be half written.
 */
int32_t pp_cells_write(const pp_cells_t *cells, size_t from, const void *data, size_t size, pp_error_t **error);

/**
 * The cells in place, to be read and written as a C array; whoever does so holds the lock, or uses atomics.
 *
 * Parameters: cells; data: gets where they are, aligned to 64; lent until the handle is freed, also when the object is destroyed; a forked child asks anew; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: what a killed process wrote is there.
 */
int32_t pp_cells_data(const pp_cells_t *cells,
                      void **data,
                      pp_error_t **error);

/**
 * Reads an integer cell, atomically.
 *
 * Parameters: cells; index: 0 for a value; value: gets it (a uint64_t above INT64_MAX as its bits); error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
 * Threads: any.
 * Death: one store.
 */
int32_t pp_cells_load(const pp_cells_t *cells, size_t index, int64_t *value, pp_error_t **error);

/**
 * Sets an integer cell, atomically.
 *
 * Parameters: cells; index: 0 for a value; value; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
 * Threads: any.
 * Death: one store.
 */
int32_t pp_cells_store(const pp_cells_t *cells, size_t index, int64_t value, pp_error_t **error);

/**
 * Sets an integer cell and tells what it was.
 *
 * Parameters: cells; index: 0 for a value; value; previous: gets what it was, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
 * Threads: any.
 * Death: one store.
 */
int32_t pp_cells_swap(const pp_cells_t *cells, size_t index, int64_t value, int64_t *previous, pp_error_t **error);

/**
 * Adds to an integer cell, which wraps around.
 *
 * Parameters: cells; index: 0 for a value; value; previous: gets what it was, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
 * Threads: any.
 * Death: one store.
 */
int32_t pp_cells_fetch_add(const pp_cells_t *cells, size_t index, int64_t value, int64_t *previous, pp_error_t **error);

/**
 * Subtracts from an integer cell, which wraps around.
 *
 * Parameters: cells; index: 0 for a value; value; previous: gets what it was, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
 * Threads: any.
 * Death: one store.
 */
int32_t pp_cells_fetch_sub(const pp_cells_t *cells, size_t index, int64_t value, int64_t *previous, pp_error_t **error);

/**
 * Sets an integer cell if it is what is expected.
 *
 * Parameters: cells; index: 0 for a value; expected; value; done: gets whether it was set; previous: gets what it was, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
 * Threads: any.
 * Death: one store.
 */
int32_t pp_cells_compare_exchange(const pp_cells_t *cells,
                                  size_t index,
                                  int64_t expected,
                                  int64_t value,
                                  bool *done,
                                  int64_t *previous,
                                  pp_error_t **error);

/**
 * Opens or makes a condition.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; lock: of the lock or rlock that it is to stand on; NULL: a recursive one of its own; used by who makes it; condition: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the condition was made or not; one without a name goes with its maker.
 */
int32_t pp_condition_open(const pp_fabric_t *fabric,
                          const char *name,
                          int32_t how,
                          const pp_ticket_t *lock,
                          pp_condition_t **condition,
                          pp_error_t **error);

/**
 * The condition that a ticket leads to.
 *
 * Parameters: ticket; condition: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_condition_from_ticket(const pp_ticket_t *ticket, pp_condition_t **condition, pp_error_t **error);

/**
 * Frees the handle. The condition itself goes only if it has no name and no ticket.
 *
 * Parameters: condition: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_condition_free(pp_condition_t *condition);

/**
 * How another process attaches to the condition. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: condition; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_condition_ticket(const pp_condition_t *condition,
                            bool lend,
                            pp_ticket_t *ticket,
                            pp_error_t **error);

/**
 * Destroys the condition for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: condition; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_condition_destroy(const pp_condition_t *condition, pp_error_t **error);

/**
 * Acquires the condition's lock.
 *
 * Parameters: condition; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_OWNER_DIED: acquired, from a process that died holding it; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any; a recursive lock belongs to the thread.
 * Death: a killed holder is found within a quarter of a second; the next to acquire is told.
 */
int32_t pp_condition_acquire(const pp_condition_t *condition, int64_t timeout, pp_error_t **error);

/**
 * Releases the condition's lock once.
 *
 * Parameters: condition; error: may be NULL.
 * Returns: PP_OK; PP_NOT_HELD; PP_GONE.
 * Threads: the one that acquired it, if the lock is recursive.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_condition_release(const pp_condition_t *condition, pp_error_t **error);

/**
 * Releases the lock, however deep it is held, waits for a notification, and acquires it again as deep. The lock is held again with every status but PP_NOT_HELD and PP_GONE.
 *
 * Parameters: condition; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK: notified; PP_TIMEOUT; PP_INTERRUPTED; PP_OWNER_DIED: the lock came from a process that died holding it, so look at the state; PP_NOT_HELD: the lock is not held; PP_GONE.
 * Threads: the one that holds the lock, if it is recursive.
 * Death: a killed waiter takes no notification with it.
 */
int32_t pp_condition_wait(const pp_condition_t *condition,
                          int64_t timeout,
                          pp_error_t **error);

/**
 * Wakes up to `count` of those who wait, the longest first.
 *
 * Parameters: condition; count: SIZE_MAX: all; woken: gets how many, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_NOT_HELD: the lock is not held; PP_GONE.
 * Threads: the one that holds the lock, if it is recursive.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_condition_notify(const pp_condition_t *condition, size_t count, size_t *woken, pp_error_t **error);

/**
 * The first half of a wait for an event loop: releases the lock and stands in the list of waiters from now on.
 *
 * Parameters: condition; pending: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_HELD; PP_GONE; PP_OS. The lock is still held unless it is PP_OK.
 * Threads: the one that holds the lock, if it is recursive; starts one helper thread of the library, once in a process.
 * Death: a killed waiter takes no notification with it.
 */
int32_t pp_condition_begin_wait(const pp_condition_t *condition, pp_pending_wait_t **pending, pp_error_t **error);

/**
 * A descriptor that is readable when the wait is over.
 *
 * Parameters: pending; fd: gets it, lent until the wait is finished or freed; error: may be NULL.
 * Returns: PP_OK; PP_CLOSED: it is finished.
 * Threads: any.
 * Death: as pp_pollable_fd.
 */
int32_t pp_pending_wait_fd(const pp_pending_wait_t *pending, int32_t *fd, pp_error_t **error);

/**
 * Waits until it is over; the lock is not acquired yet.
 *
 * Parameters: pending; timeout: nanoseconds, negative for ever, 0 a look; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED.
 * Threads: any.
 * Death: as pp_pollable_fd.
 */
int32_t pp_pending_wait_wait(const pp_pending_wait_t *pending, int64_t timeout, pp_error_t **error);

/**
 * The second half: acquires the lock again, as deep as it was and however long that takes. The handle must still be freed.
 *
 * Parameters: pending; error: may be NULL.
 * Returns: PP_OK: notified; PP_TIMEOUT: it was not, and the lock is held; PP_OWNER_DIED; PP_GONE; PP_CLOSED: it was finished before.
 * Threads: one at a time.
 * Death: a killed waiter takes no notification with it.
 */
int32_t pp_pending_wait_finish(pp_pending_wait_t *pending, pp_error_t **error);

/**
 * Frees the handle. A wait that was not finished leaves the list of waiters, and the lock stays released.
 *
 * Parameters: pending: may be NULL.
 * Returns: nothing.
 * Threads: any, once.
 * Death: a killed waiter takes no notification with it.
 */
void pp_pending_wait_free(pp_pending_wait_t *pending);

/**
 * Makes a connection within this process, to be shared with a child.
 *
 * Parameters: one_way: `a` only receives and `b` only sends; a: gets a side; b: gets the other; error: may be NULL.
 * Returns: PP_OK; PP_OS.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_pipe(bool one_way, pp_connection_t **a, pp_connection_t **b, pp_error_t **error);

/**
 * A connection over an open stream socket or an end of an OS pipe. It has a descriptor of its own; the one that was given stays the caller's, who closes it.
 *
 * Parameters: fd; framing: a PP_FRAMING_ number; limit: bytes of the longest message to be received, 0: none is refused; connection: gets it; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: no such descriptor, or of another kind.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_connection_from_fd(int32_t fd,
                              int32_t framing,
                              uint64_t limit,
                              pp_connection_t **connection,
                              pp_error_t **error);

/**
 * Frees the handle, and closes this side.
 *
 * Parameters: connection: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
void pp_connection_free(pp_connection_t *connection);

/**
 * Closes this side: the other side reads to the end and then gets PP_CLOSED, and threads that wait here get it within a quarter of a second.
 *
 * Parameters: connection; error: may be NULL.
 * Returns: PP_OK, also for the second time.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_connection_close(const pp_connection_t *connection,
                            pp_error_t **error);

/**
 * The descriptor, for event loops: readable when a message, or the end, begins to come.
 *
 * Parameters: connection; fd: gets it, lent until the connection is freed; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_connection_fd(const pp_connection_t *connection, int32_t *fd, pp_error_t **error);

/**
 * A second descriptor of this side, for a child or another library.
 *
 * Parameters: connection; fd: gets it, close-on-exec; the caller closes it; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: part of a message has been read already, or a thread is receiving.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_connection_duplicate_fd(const pp_connection_t *connection, int32_t *fd, pp_error_t **error);

/**
 * Whether this side was closed in this process.
 *
 * Parameters: connection; answer: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_connection_is_closed(const pp_connection_t *connection, bool *answer, pp_error_t **error);

/**
 * Whether this side receives.
 *
 * Parameters: connection; answer: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_connection_is_readable(const pp_connection_t *connection, bool *answer, pp_error_t **error);

/**
 * Whether this side sends.
 *
 * Parameters: connection; answer: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_connection_is_writable(const pp_connection_t *connection, bool *answer, pp_error_t **error);

/**
 * Sends a message.
 *
 * Parameters: connection; datum; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED: nothing was sent; PP_CLOSED: nobody receives any more, or an earlier message was cut; PP_INVALID_ARGUMENT: this side only receives; PP_UNSUPPORTED: it cannot carry descriptors.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_connection_send(const pp_connection_t *connection,
                           pp_datum_t datum,
                           int64_t timeout,
                           pp_error_t **error);

/**
 * Sends raw bytes, and descriptors with them; over Unix sockets.
 *
 * Parameters: connection; data; len; fds: they stay the caller's; count: 253 at most; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED: nothing was sent; PP_CLOSED: nobody receives any more, or an earlier message was cut; PP_INVALID_ARGUMENT: this side only receives; PP_UNSUPPORTED: it cannot carry descriptors.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_connection_send_with(const pp_connection_t *connection,
                                const void *data,
                                size_t len,
                                const int32_t *fds,
                                size_t count,
                                int64_t timeout,
                                pp_error_t **error);

/**
 * Receives a message.
 *
 * Parameters: connection; timeout: nanoseconds, negative for ever, 0 a try; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED: the next call goes on in the same message; PP_CLOSED: the other side is at its end; PP_CORRUPT: a message was cut in the middle; PP_TOO_LARGE: longer than the limit, and still to be received; PP_INVALID_ARGUMENT: this side only sends.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_connection_recv(const pp_connection_t *connection,
                           int64_t timeout,
                           pp_message_t **message,
                           pp_error_t **error);

/**
 * As pp_connection_recv, if the message has no more than so many bytes. A longer one is PP_TOO_LARGE, and can still be received.
 *
 * Parameters: connection; most: bytes of the message; timeout: nanoseconds, negative for ever, 0 a try; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_TOO_LARGE: longer, and still to be received; else as pp_connection_recv.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_connection_recv_max(const pp_connection_t *connection,
                               uint64_t most,
                               int64_t timeout,
                               pp_message_t **message,
                               pp_error_t **error);

/**
 * Receives a message into the caller's memory. One that does not fit comes with the error (pp_error_take_message).
 *
 * Parameters: connection; buffer; size: its bytes; timeout: nanoseconds, negative for ever, 0 a try; len: gets the bytes of the message; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED: the next call goes on in the same message; PP_CLOSED: the other side is at its end; PP_CORRUPT: a message was cut in the middle; PP_TOO_LARGE: longer than the limit, and still to be received; PP_INVALID_ARGUMENT: this side only sends.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_connection_recv_into(const pp_connection_t *connection,
                                void *buffer,
                                size_t size,
                                int64_t timeout,
                                size_t *len,
                                pp_error_t **error);

/**
 * Receives a message and the descriptors in it.
 *
 * Parameters: connection; timeout: nanoseconds, negative for ever, 0 a try; message: gets it; fds: gets up to `room` descriptors, close-on-exec, which the caller closes; those beyond are closed; room; count: gets how many came; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED: the next call goes on in the same message; PP_CLOSED: the other side is at its end; PP_CORRUPT: a message was cut in the middle; PP_TOO_LARGE: longer than the limit, and still to be received; PP_INVALID_ARGUMENT: this side only sends.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_connection_recv_with(const pp_connection_t *connection,
                                int64_t timeout,
                                pp_message_t **message,
                                int32_t *fds,
                                size_t room,
                                size_t *count,
                                pp_error_t **error);

/**
 * Waits until there is a message, or the end.
 *
 * Parameters: connection; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: this side was closed here.
 * Threads: any.
 * Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
 */
int32_t pp_connection_poll(const pp_connection_t *connection, int64_t timeout, pp_error_t **error);

/**
 * Opens or makes a dict.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; dict: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the dict was made or not; one without a name goes with its maker.
 */
int32_t pp_dict_open(const pp_fabric_t *fabric,
                     const char *name,
                     int32_t how,
                     pp_dict_t **dict,
                     pp_error_t **error);

/**
 * The dict that a ticket leads to.
 *
 * Parameters: ticket; dict: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_dict_from_ticket(const pp_ticket_t *ticket, pp_dict_t **dict, pp_error_t **error);

/**
 * Frees the handle. The dict itself goes only if it has no name and no ticket.
 *
 * Parameters: dict: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_dict_free(pp_dict_t *dict);

/**
 * How another process attaches to the dict. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: dict; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_dict_ticket(const pp_dict_t *dict,
                       bool lend,
                       pp_ticket_t *ticket,
                       pp_error_t **error);

/**
 * Destroys the dict for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: dict; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_dict_destroy(const pp_dict_t *dict, pp_error_t **error);

/**
 * The value of a key.
 *
 * Parameters: dict; key; message: gets it; version: gets its version, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: no such key; PP_INVALID_ARGUMENT: a map cannot be a key; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_get(const pp_dict_t *dict, pp_datum_t key, pp_message_t **message, uint64_t *version, pp_error_t **error);

/**
 * Whether there is a key.
 *
 * Parameters: dict; key; found: gets it; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_contains(const pp_dict_t *dict, pp_datum_t key, bool *found, pp_error_t **error);

/**
 * Sets the value of a key.
 *
 * Parameters: dict; key; value; version: gets its version, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_set(const pp_dict_t *dict, pp_datum_t key, pp_datum_t value, uint64_t *version, pp_error_t **error);

/**
 * The value of a key, which is set if there is none.
 *
 * Parameters: dict; key; value; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_set_default(const pp_dict_t *dict, pp_datum_t key, pp_datum_t value, pp_message_t **message, pp_error_t **error);

/**
 * Sets the value of a key if its version is the one expected.
 *
 * Parameters: dict; key; expected: NULL: there must be no such key; value; done: gets whether it was set; version: gets the new version if it was, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_compare_and_set(const pp_dict_t *dict,
                                pp_datum_t key,
                                const uint64_t *expected,
                                pp_datum_t value,
                                bool *done,
                                uint64_t *version,
                                pp_error_t **error);

/**
 * Deletes a key if its version is the one expected.
 *
 * Parameters: dict; key; expected; done: gets whether it was deleted; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_compare_and_delete(const pp_dict_t *dict, pp_datum_t key, uint64_t expected, bool *done, pp_error_t **error);

/**
 * Deletes a key.
 *
 * Parameters: dict; key; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: no such key; PP_INVALID_ARGUMENT: a map cannot be a key; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_delete(const pp_dict_t *dict, pp_datum_t key, pp_error_t **error);

/**
 * Takes the value of a key out.
 *
 * Parameters: dict; key; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: no such key; PP_INVALID_ARGUMENT: a map cannot be a key; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_pop(const pp_dict_t *dict, pp_datum_t key, pp_message_t **message, pp_error_t **error);

/**
 * Takes the entry out that came last.
 *
 * Parameters: dict; key: gets it; value: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: the dict is empty; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_pop_item(const pp_dict_t *dict, pp_message_t **key, pp_message_t **value, pp_error_t **error);

/**
 * Adds to the integer of a key in one step; a key that is not there counts as 0.
 *
 * Parameters: dict; key; delta; value: gets the sum (one above INT64_MAX as uint64_t), may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE or PP_DECODE: not an integer, or the sum does not fit into 64 bits; nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_increment(const pp_dict_t *dict, pp_datum_t key, int64_t delta, int64_t *value, pp_error_t **error);

/**
 * Sets several keys, one after the other.
 *
 * Parameters: dict; keys; values: as many; count; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, the first so many are set.
 */
int32_t pp_dict_update(const pp_dict_t *dict, const pp_datum_t *keys, const pp_datum_t *values, size_t count, pp_error_t **error);

/**
 * Sets all entries of another dict.
 *
 * Parameters: dict; other; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, the first so many are set.
 */
int32_t pp_dict_update_from(const pp_dict_t *dict, const pp_dict_t *other, pp_error_t **error);

/**
 * A new dict without a name, with the same entries.
 *
 * Parameters: dict; copy: gets it; error: may be NULL.
 * Returns: PP_OK; PP_OUT_OF_MEMORY; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_copy(const pp_dict_t *dict, pp_dict_t **copy, pp_error_t **error);

/**
 * Deletes all entries, in one instant.
 *
 * Parameters: dict; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_dict_clear(const pp_dict_t *dict, pp_error_t **error);

/**
 * How many entries there are.
 *
 * Parameters: dict; len: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_dict_len(const pp_dict_t *dict, size_t *len, pp_error_t **error);

/**
 * All entries of one instant, in order; writers wait for it.
 *
 * Parameters: dict; keys: gets them; values: gets as many; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_dict_snapshot(const pp_dict_t *dict, pp_messages_t **keys, pp_messages_t **values, pp_error_t **error);

/**
 * Goes through the entries while others write: what stays is seen exactly once, what comes or goes meanwhile at most once.
 *
 * Parameters: dict; backward: the newest first; entries: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is held between two entries.
 */
int32_t pp_dict_iterate(const pp_dict_t *dict, bool backward, pp_entries_t **entries, pp_error_t **error);

/**
 * A number that grows with every change of the dict.
 *
 * Parameters: dict; version: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_dict_version(const pp_dict_t *dict, uint64_t *version, pp_error_t **error);

/**
 * Waits until the dict has another version than this one.
 *
 * Parameters: dict; since; timeout: nanoseconds, negative for ever, 0 a try; version: gets it, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any.
 * Death: nothing is held.
 */
int32_t pp_dict_wait_change(const pp_dict_t *dict, uint64_t since, int64_t timeout, uint64_t *version, pp_error_t **error);

/**
 * Waits until a key has another version than this one.
 *
 * Parameters: dict; key; since: NULL: until it is there; timeout: nanoseconds, negative for ever, 0 a try; message: gets the value; version: gets its version, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: it was deleted; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any.
 * Death: nothing is held.
 */
int32_t pp_dict_wait_key(const pp_dict_t *dict,
                         pp_datum_t key,
                         const uint64_t *since,
                         int64_t timeout,
                         pp_message_t **message,
                         uint64_t *version,
                         pp_error_t **error);

/**
 * The next entry. PP_EMPTY says that there is none; after any status but PP_OK none comes.
 *
 * Parameters: entries; key: gets the key of a dict, the element of a set or the item of a list; value: gets the value of a dict, NULL for the others; may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY; PP_GONE.
 * Threads: one at a time.
 * Death: nothing is held between two entries.
 */
int32_t pp_entries_next(pp_entries_t *entries,
                        pp_message_t **key,
                        pp_message_t **value,
                        pp_error_t **error);

/**
 * Frees the way; what it went through stays as it is.
 *
 * Parameters: entries: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_entries_free(pp_entries_t *entries);

/**
 * Frees an error.
 *
 * Parameters: error: may be NULL.
 * Returns: nothing.
 * Threads: any, once.
 * Death: nothing is shared.
 */
void pp_error_free(pp_error_t *error);

/**
 * Which kind of error it is: the status that the call returned.
 *
 * Parameters: error: may be NULL.
 * Returns: one of the PP_ numbers; PP_OK for NULL.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_error_kind(const pp_error_t *error);

/**
 * One sentence that names what failed, and says what to do.
 *
 * Parameters: error: may be NULL.
 * Returns: text that lives as long as the error; "" for NULL.
 * Threads: any.
 * Death: nothing is shared.
 */
const char *pp_error_message(const pp_error_t *error);

/**
 * The operating system's error number, where there is one.
 *
 * Parameters: error: may be NULL.
 * Returns: an errno; 0: none.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_error_os(const pp_error_t *error);

/**
 * What led to the error, where that is an error of its own.
 *
 * Parameters: error: may be NULL.
 * Returns: an error that lives as long as this one and is not freed by itself; NULL: none.
 * Threads: any.
 * Death: nothing is shared.
 */
const pp_error_t *pp_error_cause(const pp_error_t *error);

/**
 * The name of the task that failed.
 *
 * Parameters: error: may be NULL.
 * Returns: text that lives as long as the error; NULL: not an error of a task.
 * Threads: any.
 * Death: nothing is shared.
 */
const char *pp_error_task(const pp_error_t *error);

/**
 * What the task's process said of its failure: a panic's or an exception's message.
 *
 * Parameters: error: may be NULL.
 * Returns: text that lives as long as the error; NULL: nothing.
 * Threads: any.
 * Death: nothing is shared.
 */
const char *pp_error_remote_message(const pp_error_t *error);

/**
 * The task's stack where it failed, in its own language's form.
 *
 * Parameters: error: may be NULL.
 * Returns: text that lives as long as the error; NULL: none.
 * Threads: any.
 * Death: nothing is shared.
 */
const char *pp_error_remote_backtrace(const pp_error_t *error);

/**
 * The last that the process that died wrote to its standard error, if its pool or process keeps that.
 *
 * Parameters: error: may be NULL.
 * Returns: text that lives as long as the error; NULL: none is known.
 * Threads: any.
 * Death: nothing is shared.
 */
const char *pp_error_stderr(const pp_error_t *error);

/**
 * Which call it was of those submitted together: the index in a map, 0 for a single call.
 *
 * Parameters: error: may be NULL.
 * Returns: the number; -1: not an error of a call.
 * Threads: any.
 * Death: nothing is shared.
 */
int64_t pp_error_call(const pp_error_t *error);

/**
 * Which attempt of the call it was, from 1.
 *
 * Parameters: error: may be NULL.
 * Returns: the attempt; 0: it never began, or not an error of a call.
 * Threads: any.
 * Death: nothing is shared.
 */
uint32_t pp_error_attempt(const pp_error_t *error);

/**
 * The process that died.
 *
 * Parameters: error: may be NULL.
 * Returns: its pid; 0: none died.
 * Threads: any.
 * Death: nothing is shared.
 */
uint32_t pp_error_pid(const pp_error_t *error);

/**
 * The signal that ended the process, as 9 for SIGKILL.
 *
 * Parameters: error: may be NULL.
 * Returns: the signal; 0: none, or it is not known.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_error_signal(const pp_error_t *error);

/**
 * The code with which the process ended by itself.
 *
 * Parameters: error: may be NULL.
 * Returns: the code; -1: it did not, or it is not known.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_error_exit_code(const pp_error_t *error);

/**
 * How many bytes of memory of its own the process that died had when last seen.
 *
 * Parameters: error: may be NULL.
 * Returns: bytes; 0: not known.
 * Threads: any.
 * Death: nothing is shared.
 */
uint64_t pp_error_resident(const pp_error_t *error);

/**
 * Whether the kernel killed the process for lack of memory.
 *
 * Parameters: error: may be NULL.
 * Returns: 1 yes, 0 no, -1: that cannot be told.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_error_out_of_memory(const pp_error_t *error);

/**
 * Opens or makes an event.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; event: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the event was made or not; one without a name goes with its maker.
 */
int32_t pp_event_open(const pp_fabric_t *fabric,
                      const char *name,
                      int32_t how,
                      pp_event_t **event,
                      pp_error_t **error);

/**
 * The event that a ticket leads to.
 *
 * Parameters: ticket; event: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_event_from_ticket(const pp_ticket_t *ticket, pp_event_t **event, pp_error_t **error);

/**
 * Frees the handle. The event itself goes only if it has no name and no ticket.
 *
 * Parameters: event: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_event_free(pp_event_t *event);

/**
 * How another process attaches to the event. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: event; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_event_ticket(const pp_event_t *event,
                        bool lend,
                        pp_ticket_t *ticket,
                        pp_error_t **error);

/**
 * Destroys the event for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: event; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_event_destroy(const pp_event_t *event, pp_error_t **error);

/**
 * A descriptor that is readable when the event is set.
 *
 * Parameters: event; pollable: gets it; error: may be NULL.
 * Returns: PP_OK; PP_OS.
 * Threads: any; starts one helper thread of the library, once in a process.
 * Death: as pp_pollable_fd.
 */
int32_t pp_event_pollable(const pp_event_t *event, pp_pollable_t **pollable, pp_error_t **error);

/**
 * Sets the event: all who wait go on, and who comes later does not wait.
 *
 * Parameters: event; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_event_set(const pp_event_t *event, pp_error_t **error);

/**
 * Clears the event. Who was waiting when it was set goes on all the same.
 *
 * Parameters: event; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_event_clear(const pp_event_t *event, pp_error_t **error);

/**
 * Whether the event is set.
 *
 * Parameters: event; set: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_event_is_set(const pp_event_t *event, bool *set, pp_error_t **error);

/**
 * Waits until the event is set.
 *
 * Parameters: event; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any.
 * Death: nothing is held.
 */
int32_t pp_event_wait(const pp_event_t *event, int64_t timeout, pp_error_t **error);

/**
 * Opens or makes a ring of events.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; capacity: events that it holds, used by who makes it; events: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the ring of events was made or not; one without a name goes with its maker.
 */
int32_t pp_events_open(const pp_fabric_t *fabric,
                       const char *name,
                       int32_t how,
                       size_t capacity,
                       pp_events_t **events,
                       pp_error_t **error);

/**
 * The ring of events that a ticket leads to.
 *
 * Parameters: ticket; events: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_events_from_ticket(const pp_ticket_t *ticket, pp_events_t **events, pp_error_t **error);

/**
 * Frees the handle. The ring of events itself goes only if it has no name and no ticket.
 *
 * Parameters: events: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_events_free(pp_events_t *events);

/**
 * How another process attaches to the ring of events. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: events; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_events_ticket(const pp_events_t *events,
                         bool lend,
                         pp_ticket_t *ticket,
                         pp_error_t **error);

/**
 * Destroys the ring of events for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: events; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_events_destroy(const pp_events_t *events, pp_error_t **error);

/**
 * Records an event, now. It takes no lock.
 *
 * Parameters: events; kind: what happened; name: to what, may be NULL; who: by whom; value: a number that belongs to it; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: an event whose writer is killed in it is missing, and counted as torn.
 */
int32_t pp_events_record(const pp_events_t *events,
                         uint8_t kind,
                         const char *name,
                         uint32_t who,
                         uint64_t value,
                         pp_error_t **error);

/**
 * Records an event of some time.
 *
 * Parameters: events; time: of pp_events_now; kind: what happened; name: to what, may be NULL; who: by whom; value: a number that belongs to it; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: an event whose writer is killed in it is missing, and counted as torn.
 */
int32_t pp_events_record_at(const pp_events_t *events,
                            uint64_t time,
                            uint8_t kind,
                            const char *name,
                            uint32_t who,
                            uint64_t value,
                            pp_error_t **error);

/**
 * The events from a number on that are still there, the oldest first.
 *
 * Parameters: events; from: 0: all; history: gets them; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_events_read(const pp_events_t *events, uint64_t from, pp_history_t **history, pp_error_t **error);

/**
 * How many events the ring holds.
 *
 * Parameters: events; capacity: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_events_capacity(const pp_events_t *events, size_t *capacity, pp_error_t **error);

/**
 * The clock of events, which all processes of the machine share.
 *
 * Parameters: .
 * Returns: nanoseconds.
 * Threads: any.
 * Death: nothing is shared.
 */
uint64_t pp_events_now(void);

/**
 * What was found.
 *
 * Parameters: history; events: gets how many are whole, may be NULL; overwritten: gets how many older ones were overwritten, may be NULL; torn: gets how many in between are not whole, may be NULL; next: gets where the next read goes on, may be NULL; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_history_counts(const pp_history_t *history,
                          size_t *events,
                          uint64_t *overwritten,
                          uint64_t *torn,
                          uint64_t *next,
                          pp_error_t **error);

/**
 * One of the events.
 *
 * Parameters: history; index; record: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: none of that number.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_history_get(const pp_history_t *history, size_t index, pp_event_record_t *record, pp_error_t **error);

/**
 * Frees events that were read.
 *
 * Parameters: history: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: nothing is shared.
 */
void pp_history_free(pp_history_t *history);

/**
 * Opens or makes a fabric; called through pp_fabric_open, which passes the ABI of the header.
 *
 * Parameters: abi: PP_ABI; name: NULL for a private fabric, known only to those who inherit it; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; options: may be NULL, used by who makes it; fabric: gets it; error: may be NULL.
 * Returns: PP_OK; PP_FOREIGN_VERSION: of the library or of the fabric; PP_NOT_FOUND: no living member has it; PP_ALREADY_EXISTS; PP_BAD_NAME; PP_NOT_OWNER; PP_UNREACHABLE; PP_TOO_MANY_MEMBERS; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: a fabric ends with its last member, however that ends. Opening sweeps what the dead left.
 */
int32_t pp_fabric_open_abi(uint32_t abi,
                           const char *name,
                           int32_t how,
                           const pp_fabric_options_t *options,
                           pp_fabric_t **fabric,
                           pp_error_t **error);

/**
 * The fabric of this program: the one inherited from a parent process of this library, else a private one that the first call makes.
 *
 * Parameters: abi: PP_ABI, which pp_fabric_current passes; fabric: gets it; error: may be NULL.
 * Returns: PP_OK; PP_FOREIGN_VERSION; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: a fabric ends with its last member.
 */
int32_t pp_fabric_current_abi(uint32_t abi, pp_fabric_t **fabric, pp_error_t **error);

/**
 * Makes a fabric the one that pp_fabric_current answers from now on.
 *
 * Parameters: fabric; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_fabric_set_current(const pp_fabric_t *fabric, pp_error_t **error);

/**
 * Attaches to a fabric by the descriptor of its memory, as a child does with one that it inherited. The descriptor stays the caller's, who closes it.
 *
 * Parameters: abi: PP_ABI, which pp_fabric_attach passes; fd; fabric: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_A_FABRIC; PP_FOREIGN_VERSION; PP_FOREIGN_ABI; PP_CORRUPT; PP_TOO_MANY_MEMBERS.
 * Threads: any.
 * Death: a fabric ends with its last member.
 */
int32_t pp_fabric_attach_abi(uint32_t abi,
                             int32_t fd,
                             pp_fabric_t **fabric,
                             pp_error_t **error);

/**
 * The descriptor of a fabric's memory, to hand to a child.
 *
 * Parameters: fabric; fd: gets it, lent until the fabric is freed, close-on-exec; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_fabric_fd(const pp_fabric_t *fabric, int32_t *fd, pp_error_t **error);

/**
 * Frees the handle. The process leaves the fabric when all its handles of it, objects included, are freed; in any order.
 *
 * Parameters: fabric: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_fabric_free(pp_fabric_t *fabric);

/**
 * Gives back what dead members held, and wakes everybody who waits for them. Long waits do it about once a second, and so does every opening.
 *
 * Parameters: fabric; swept: gets how many dead members that were, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_CORRUPT.
 * Threads: any.
 * Death: killed here, the next sweep goes on.
 */
int32_t pp_fabric_sweep(const pp_fabric_t *fabric,
                        size_t *swept,
                        pp_error_t **error);

/**
 * Frees the handle. Calls that are not done run on, and nobody sees their results.
 *
 * Parameters: future: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: nothing is left behind.
 */
void pp_future_free(pp_future_t *future);

/**
 * How many calls it stands for.
 *
 * Parameters: future: may be NULL.
 * Returns: 1 for a call, as many as were given for a map; 0 for NULL.
 * Threads: any.
 * Death: nothing is changed.
 */
size_t pp_future_count(const pp_future_t *future);

/**
 * Whether all calls are over, well or badly.
 *
 * Parameters: future: may be NULL.
 * Returns: true if so; false for NULL.
 * Threads: any.
 * Death: a call whose worker died, and that is not retried, is over.
 */
bool pp_future_is_done(const pp_future_t *future);

/**
 * Waits until all calls are over, well or badly.
 *
 * Parameters: future; timeout: nanoseconds, negative for ever, 0 a look; error: may be NULL.
 * Returns: PP_OK: pp_future_result does not wait any more; PP_TIMEOUT; PP_INTERRUPTED.
 * Threads: any.
 * Death: as pp_future_result.
 */
int32_t pp_future_wait(const pp_future_t *future, int64_t timeout, pp_error_t **error);

/**
 * The result of one of the calls; waits, if not all are over. May be called again, for each call.
 *
 * Parameters: future; index: which call, 0 for a single one; timeout: nanoseconds, negative for ever, 0 a look; result: gets the value, as pp_message_int and so on read it, to be freed, which may outlive the future; NULL if it is not wanted; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; else why the call did not return: PP_PANICKED (pp_error_remote_message, pp_error_remote_backtrace), PP_WORKER_DIED (pp_error_task, pp_error_pid, pp_error_signal), PP_UNKNOWN_TASK,
 *   PP_BAD_ARGUMENTS, PP_BAD_RESULT, PP_CANCELLED, PP_TIME_LIMIT, PP_MEMORY_LIMIT, PP_TERMINATED, PP_POOL_CLOSED, PP_GAVE_UP.
 * Threads: any.
 * Death: a worker's death is a result as well, so no wait is without end; that of another process's pool is PP_TERMINATED.
 */
int32_t pp_future_result(const pp_future_t *future,
                         size_t index,
                         int64_t timeout,
                         pp_message_t **result,
                         pp_error_t **error);

/**
 * Cancels what is not over. A call that has not begun never will; one that runs is told (pp_call_cancelled), and if it is not over after the grace, its worker is killed, and nothing else is lost by that. Does not wait.
 *
 * Parameters: future; grace: nanoseconds, 0 or more; cancelled: gets false if all was over already, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: the pool is another process's, and only that one cancels; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the calls go on or end with their pool.
 */
int32_t pp_future_cancel(const pp_future_t *future,
                         int64_t grace,
                         bool *cancelled,
                         pp_error_t **error);

/**
 * A descriptor that becomes readable, and stays so, when all calls are over, for poll and event loops.
 *
 * Parameters: future; fd: gets it, lent until pp_future_free; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: as pp_future_result.
 */
int32_t pp_future_fd(const pp_future_t *future, int32_t *fd, pp_error_t **error);

/**
 * An empty set of ends.
 *
 * Parameters: completions: gets it; error: may be NULL.
 * Returns: PP_OK; PP_OS: no descriptor to spare.
 * Threads: any.
 * Death: nothing is left behind.
 */
int32_t pp_completions_open(pp_completions_t **completions, pp_error_t **error);

/**
 * Frees the set and closes its descriptor. The calls go on.
 *
 * Parameters: completions: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses it any more.
 * Death: nothing is left behind.
 */
void pp_completions_free(pp_completions_t *completions);

/**
 * From now on the set tells of the end of this future's calls: once, when all of them are over, and at once if they are. The future may be freed.
 *
 * Parameters: completions; future: of any pool; key: what it tells then; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: as pp_future_result.
 */
int32_t pp_completions_add(const pp_completions_t *completions,
                           const pp_future_t *future,
                           uint64_t key,
                           pp_error_t **error);

/**
 * The next end, in the order in which calls ended.
 *
 * Parameters: completions; timeout: nanoseconds, negative for ever, 0 a look; key: gets the one that was given with the future; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED.
 * Threads: any; each end is told to one.
 * Death: as pp_future_result.
 */
int32_t pp_completions_next(const pp_completions_t *completions,
                            int64_t timeout,
                            uint64_t *key,
                            pp_error_t **error);

/**
 * A descriptor that is readable while there are ends to be taken, for poll and event loops.
 *
 * Parameters: completions; fd: gets it, lent until pp_completions_free; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: as pp_future_result.
 */
int32_t pp_completions_fd(const pp_completions_t *completions, int32_t *fd, pp_error_t **error);

/**
 * Gets the next message on a lease: should this process die, or free the lease, the message goes back to the front of its queue.
 *
 * Parameters: queue; limit: nanoseconds after which it goes back although its holder lives; 0: no limit; timeout: nanoseconds, negative for ever, 0 a try; lease: gets it; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT: nothing there (a try too); PP_INTERRUPTED; PP_CLOSED: closed and drained; PP_GONE.
 * Threads: any.
 * Death: the message of a holder that is killed goes back at the next sweep, with its count of deliveries.
 */
int32_t pp_queue_lease(const pp_queue_t *queue,
                       int64_t limit,
                       int64_t timeout,
                       pp_lease_t **lease,
                       pp_error_t **error);

/**
 * The message is done with: it leaves the queue for good.
 *
 * Parameters: lease; error: may be NULL.
 * Returns: PP_OK; PP_LEASE_LOST: its time ran out and the message went back; PP_CLOSED: the lease was ended before; PP_GONE.
 * Threads: one at a time.
 * Death: killed here, it is done, or on lease to the dead and goes back.
 */
int32_t pp_lease_ack(pp_lease_t *lease, pp_error_t **error);

/**
 * As pp_lease_ack, and the message is this process's, without a copy.
 *
 * Parameters: lease; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_LEASE_LOST: its time ran out and the message went back; PP_CLOSED: the lease was ended before; PP_GONE.
 * Threads: one at a time.
 * Death: killed here, it is done, or on lease to the dead and goes back.
 */
int32_t pp_lease_ack_keep(pp_lease_t *lease, pp_message_t **message, pp_error_t **error);

/**
 * The message cannot be done now: it goes back, and is handed out again after `delay`.
 *
 * Parameters: lease; delay: nanoseconds; error: may be NULL.
 * Returns: PP_OK; PP_LEASE_LOST: its time ran out and the message went back; PP_CLOSED: the lease was ended before; PP_GONE.
 * Threads: one at a time.
 * Death: killed here, it is done, or on lease to the dead and goes back.
 */
int32_t pp_lease_nack(pp_lease_t *lease, int64_t delay, pp_error_t **error);

/**
 * The message can never be done: it is a dead letter from now on.
 *
 * Parameters: lease; error: may be NULL.
 * Returns: PP_OK; PP_LEASE_LOST: its time ran out and the message went back; PP_CLOSED: the lease was ended before; PP_GONE.
 * Threads: one at a time.
 * Death: killed here, it is done, or on lease to the dead and goes back.
 */
int32_t pp_lease_bury(pp_lease_t *lease, pp_error_t **error);

/**
 * The lease ends `limit` from now, whatever its limit was.
 *
 * Parameters: lease; limit: nanoseconds; error: may be NULL.
 * Returns: PP_OK; PP_LEASE_LOST: its time ran out and the message went back; PP_CLOSED: the lease was ended before; PP_GONE. PP_INVALID_ARGUMENT: a lease without a limit.
 * Threads: any.
 * Death: killed here, it is done, or on lease to the dead and goes back.
 */
int32_t pp_lease_extend(const pp_lease_t *lease,
                        int64_t limit,
                        pp_error_t **error);

/**
 * Leaves a word that whoever looks at leases, or reclaims this one after our death, will read.
 *
 * Parameters: lease; progress; error: may be NULL.
 * Returns: PP_OK; PP_CLOSED.
 * Threads: any.
 * Death: one store.
 */
int32_t pp_lease_set_progress(const pp_lease_t *lease, uint64_t progress, pp_error_t **error);

/**
 * The message, lent until the lease is ended or freed.
 *
 * Parameters: lease: may be NULL.
 * Returns: the message; NULL: the lease was ended.
 * Threads: any.
 * Death: the message goes back when this process dies.
 */
const pp_message_t *pp_lease_message(const pp_lease_t *lease);

/**
 * How often the message was handed out, this time included.
 *
 * Parameters: lease: may be NULL.
 * Returns: the number; 0: the lease was ended.
 * Threads: any.
 * Death: deaths of earlier holders count.
 */
uint32_t pp_lease_deliveries(const pp_lease_t *lease);

/**
 * Frees the handle. If the lease was not ended, the message goes back.
 *
 * Parameters: lease: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: the message of a killed holder goes back at the next sweep.
 */
void pp_lease_free(pp_lease_t *lease);

/**
 * Takes out what a dead process had on lease; for queues with keep_dead_leases.
 *
 * Parameters: queue; dead: as pp_member_t names it; messages: gets them; progress: gets the progress of up to `room` of them, may be NULL with 0; room; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: it lives; PP_GONE.
 * Threads: any.
 * Death: killed here, each message is with the dead still, or with this process and gone.
 */
int32_t pp_queue_reclaim(const pp_queue_t *queue,
                         uint64_t dead,
                         pp_messages_t **messages,
                         uint64_t *progress,
                         size_t room,
                         pp_error_t **error);

/**
 * Opens or makes a list.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; list: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the list was made or not; one without a name goes with its maker.
 */
int32_t pp_list_open(const pp_fabric_t *fabric,
                     const char *name,
                     int32_t how,
                     pp_list_t **list,
                     pp_error_t **error);

/**
 * The list that a ticket leads to.
 *
 * Parameters: ticket; list: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_list_from_ticket(const pp_ticket_t *ticket, pp_list_t **list, pp_error_t **error);

/**
 * Frees the handle. The list itself goes only if it has no name and no ticket.
 *
 * Parameters: list: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_list_free(pp_list_t *list);

/**
 * How another process attaches to the list. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: list; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_list_ticket(const pp_list_t *list,
                       bool lend,
                       pp_ticket_t *ticket,
                       pp_error_t **error);

/**
 * Destroys the list for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: list; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_list_destroy(const pp_list_t *list, pp_error_t **error);

/**
 * How many items there are.
 *
 * Parameters: list; len: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_list_len(const pp_list_t *list, size_t *len, pp_error_t **error);

/**
 * An item.
 *
 * Parameters: list; index; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_list_get(const pp_list_t *list, int64_t index, pp_message_t **message, pp_error_t **error);

/**
 * Sets an item.
 *
 * Parameters: list; index; item; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE. PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_set(const pp_list_t *list, int64_t index, pp_datum_t item, pp_error_t **error);

/**
 * Appends an item.
 *
 * Parameters: list; item; error: may be NULL.
 * Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_append(const pp_list_t *list, pp_datum_t item, pp_error_t **error);

/**
 * Inserts an item before an index, or at the nearer end.
 *
 * Parameters: list; index; item; error: may be NULL.
 * Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_insert(const pp_list_t *list, int64_t index, pp_datum_t item, pp_error_t **error);

/**
 * Takes the last item out.
 *
 * Parameters: list; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: the list is empty; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_pop(const pp_list_t *list, pp_message_t **message, pp_error_t **error);

/**
 * Takes an item out.
 *
 * Parameters: list; index; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_pop_at(const pp_list_t *list, int64_t index, pp_message_t **message, pp_error_t **error);

/**
 * Deletes an item.
 *
 * Parameters: list; index; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_delete(const pp_list_t *list, int64_t index, pp_error_t **error);

/**
 * Deletes all items.
 *
 * Parameters: list; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_clear(const pp_list_t *list, pp_error_t **error);

/**
 * An item, and the version of the list that it is of.
 *
 * Parameters: list; index; message: gets it; version: gets it; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_list_get_with_version(const pp_list_t *list, int64_t index, pp_message_t **message, uint64_t *version, pp_error_t **error);

/**
 * Sets an item if the list still has this version.
 *
 * Parameters: list; index; version; item; done: gets whether it was set; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_set_at_version(const pp_list_t *list, int64_t index, uint64_t version, pp_datum_t item, bool *done, pp_error_t **error);

/**
 * Sets an item if it is equal to the one expected: the same bytes and codec.
 *
 * Parameters: list; index; expected; item; done: gets whether it was set; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_compare_and_set(const pp_list_t *list, int64_t index, pp_datum_t expected, pp_datum_t item, bool *done, pp_error_t **error);

/**
 * Adds to an integer item in one step.
 *
 * Parameters: list; index; delta; value: gets the sum, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE. PP_WRONG_TYPE or PP_DECODE: not an integer, or the sum does not fit; nothing was changed.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_increment(const pp_list_t *list,
                          int64_t index,
                          int64_t delta,
                          int64_t *value,
                          pp_error_t **error);

/**
 * A number that grows with every change of the list.
 *
 * Parameters: list; version: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_list_version(const pp_list_t *list, uint64_t *version, pp_error_t **error);

/**
 * Waits until the list has another version than this one.
 *
 * Parameters: list; since; timeout: nanoseconds, negative for ever, 0 a try; version: gets it, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any.
 * Death: nothing is held.
 */
int32_t pp_list_wait_change(const pp_list_t *list, uint64_t since, int64_t timeout, uint64_t *version, pp_error_t **error);

/**
 * Appends several items, in one step.
 *
 * Parameters: list; items; count; error: may be NULL.
 * Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_extend(const pp_list_t *list, const pp_datum_t *items, size_t count, pp_error_t **error);

/**
 * The items of a slice, of one instant.
 *
 * Parameters: list; slice; messages: gets them; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: a step of 0; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_list_get_slice(const pp_list_t *list, pp_slice_t slice, pp_messages_t **messages, pp_error_t **error);

/**
 * The items of a list and then these, as new messages; the list stays as it is.
 *
 * Parameters: list; items; count; messages: gets them; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_list_plus(const pp_list_t *list, const pp_datum_t *items, size_t count, pp_messages_t **messages, pp_error_t **error);

/**
 * The items of a list so many times over, as new messages; the list stays as it is.
 *
 * Parameters: list; times: 0: none; messages: gets them; error: may be NULL.
 * Returns: PP_OK; PP_TOO_LARGE: more than memory can hold; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_list_times(const pp_list_t *list, size_t times, pp_messages_t **messages, pp_error_t **error);

/**
 * Puts items in place of a slice, in one step; of a slice with a step other than 1, exactly as many.
 *
 * Parameters: list; slice; items; count; error: may be NULL.
 * Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE. PP_INVALID_ARGUMENT.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_set_slice(const pp_list_t *list, pp_slice_t slice, const pp_datum_t *items, size_t count, pp_error_t **error);

/**
 * Deletes the items of a slice, in one step.
 *
 * Parameters: list; slice; error: may be NULL.
 * Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE. PP_INVALID_ARGUMENT.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_delete_slice(const pp_list_t *list, pp_slice_t slice, pp_error_t **error);

/**
 * Where the first item is that is equal: the same bytes and codec.
 *
 * Parameters: list; item; start: or PP_NONE; stop: or PP_NONE; index: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_list_index_of(const pp_list_t *list, pp_datum_t item, int64_t start, int64_t stop, size_t *index, pp_error_t **error);

/**
 * Whether an equal item is there.
 *
 * Parameters: list; item; found: gets it; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_list_contains(const pp_list_t *list, pp_datum_t item, bool *found, pp_error_t **error);

/**
 * How many equal items there are.
 *
 * Parameters: list; item; count: gets it; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_list_count(const pp_list_t *list, pp_datum_t item, size_t *count, pp_error_t **error);

/**
 * Deletes the first equal item.
 *
 * Parameters: list; item; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_remove(const pp_list_t *list, pp_datum_t item, pp_error_t **error);

/**
 * Reverses the list, in one step.
 *
 * Parameters: list; error: may be NULL.
 * Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_reverse(const pp_list_t *list, pp_error_t **error);

/**
 * Repeats the list so often, in one step; 0 empties it.
 *
 * Parameters: list; times; error: may be NULL.
 * Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_repeat(const pp_list_t *list, size_t times, pp_error_t **error);

/**
 * Sorts the list, in one step for others. Equal items keep their order. If it is changed meanwhile, it begins anew.
 *
 * Parameters: list; compare; context: handed to it; error: may be NULL.
 * Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE. PP_TIMEOUT: it was changed too often meanwhile, and is as it was.
 * Threads: any; the comparison runs in the calling thread, with no lock held.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_list_sort(const pp_list_t *list, pp_compare_t compare, void *context, pp_error_t **error);

/**
 * Goes through the list by index while others write.
 *
 * Parameters: list; entries: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is held between two items.
 */
int32_t pp_list_iterate(const pp_list_t *list, pp_entries_t **entries, pp_error_t **error);

/**
 * Listens at an address.
 *
 * Parameters: address: a path with a slash in it, or as 127.0.0.1:4000 (port 0: one is found); NULL: a private Unix socket; options: may be NULL; listener: gets it; error: may be NULL.
 * Returns: PP_OK; PP_ALREADY_EXISTS or PP_OS: the address is taken; PP_INVALID_ARGUMENT.
 * Threads: any.
 * Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
 */
int32_t pp_listener_open(const char *address,
                         const pp_peering_options_t *options,
                         pp_listener_t **listener,
                         pp_error_t **error);

/**
 * Frees the handle, and closes the listener.
 *
 * Parameters: listener: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
 */
void pp_listener_free(pp_listener_t *listener);

/**
 * Ends listening in this process; threads that wait here get PP_CLOSED.
 *
 * Parameters: listener; error: may be NULL.
 * Returns: PP_OK, also for the second time.
 * Threads: any.
 * Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
 */
int32_t pp_listener_close(const pp_listener_t *listener, pp_error_t **error);

/**
 * Lets the next client in.
 *
 * Parameters: listener; timeout: nanoseconds, negative for ever, 0 a try; connection: gets it; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED; PP_NOT_AUTHENTICATED: only with report_refused.
 * Threads: any.
 * Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
 */
int32_t pp_listener_accept(const pp_listener_t *listener, int64_t timeout, pp_connection_t **connection, pp_error_t **error);

/**
 * Where it listens, as pp_connect takes it.
 *
 * Parameters: listener; text: gets it with a NUL; room: its bytes, 128 are enough; error: may be NULL.
 * Returns: PP_OK; PP_TOO_LARGE: it does not fit.
 * Threads: any.
 * Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
 */
int32_t pp_listener_address(const pp_listener_t *listener, char *text, size_t room, pp_error_t **error);

/**
 * Where the last client was, if it came by TCP.
 *
 * Parameters: listener; text: gets it with a NUL; room: its bytes, 128 are enough; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: none, or not by TCP; PP_TOO_LARGE: it does not fit.
 * Threads: any.
 * Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
 */
int32_t pp_listener_last_accepted(const pp_listener_t *listener, char *text, size_t room, pp_error_t **error);

/**
 * Whether it was closed in this process.
 *
 * Parameters: listener; closed: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_listener_is_closed(const pp_listener_t *listener, bool *closed, pp_error_t **error);

/**
 * The listening socket, for event loops: readable when somebody connects.
 *
 * Parameters: listener; fd: gets it, lent until the listener is freed; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
 */
int32_t pp_listener_fd(const pp_listener_t *listener, int32_t *fd, pp_error_t **error);

/**
 * Connects to a listener.
 *
 * Parameters: address: as pp_listener_address tells it; options: may be NULL; timeout: nanoseconds, negative for ever; connection: gets it; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_NOT_FOUND or PP_OS: nobody listens; PP_NOT_AUTHENTICATED; PP_INVALID_ARGUMENT.
 * Threads: any.
 * Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
 */
int32_t pp_connect(const char *address,
                   const pp_peering_options_t *options,
                   int64_t timeout,
                   pp_connection_t **connection,
                   pp_error_t **error);

/**
 * A chunk of `len` bytes to be filled in place. What stands in it is whatever stood there before.
 *
 * Parameters: queue; len; loan: gets it; error: may be NULL.
 * Returns: PP_OK; PP_OUT_OF_MEMORY; PP_TOO_LARGE.
 * Threads: any.
 * Death: the chunk of a killed process is given back by the next sweep.
 */
int32_t pp_queue_loan(const pp_queue_t *queue, size_t len, pp_loan_t **loan, pp_error_t **error);

/**
 * The bytes to be filled, lent until the loan is put or freed.
 *
 * Parameters: loan: may be NULL; len: gets how many, may be NULL.
 * Returns: where they are, aligned to 64; NULL: the loan was put.
 * Threads: one at a time.
 * Death: the chunk of a killed process is given back by the next sweep.
 */
void *pp_loan_data(pp_loan_t *loan, size_t *len);

/**
 * Puts a filled chunk. With PP_OK the loan is empty, and is freed; else it still has its chunk, and may be put again.
 *
 * Parameters: queue; lane: 0 for a queue with one; loan; codec: PP_CODEC_RAW or PP_CODEC_VALUE; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_FULL; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: of the queue, or the loan was put before; PP_INVALID_ARGUMENT: of another fabric; PP_GONE.
 * Threads: any; the loan one at a time.
 * Death: killed here, it is in the queue, or its chunk is given back by the next sweep.
 */
int32_t pp_queue_put_loan(const pp_queue_t *queue,
                          size_t lane,
                          pp_loan_t *loan,
                          uint8_t codec,
                          int64_t timeout,
                          pp_error_t **error);

/**
 * Frees the handle; a chunk that was not put is given back.
 *
 * Parameters: loan: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_loan_free(pp_loan_t *loan);

/**
 * Opens or makes a lock.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; lock: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: a process that is killed here has made the lock or not; one without a name goes with its maker.
 */
int32_t pp_lock_open(const pp_fabric_t *fabric,
                     const char *name,
                     int32_t how,
                     pp_lock_t **lock,
                     pp_error_t **error);

/**
 * The lock that a ticket leads to.
 *
 * Parameters: ticket; lock: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_lock_from_ticket(const pp_ticket_t *ticket, pp_lock_t **lock, pp_error_t **error);

/**
 * Frees the handle. The lock itself goes only if it has no name and no ticket. Holding it is not ended.
 *
 * Parameters: lock: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_lock_free(pp_lock_t *lock);

/**
 * How another process attaches to the lock. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with `lend` true it still goes with its maker.
 *
 * Parameters: lock; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_lock_ticket(const pp_lock_t *lock,
                       bool lend,
                       pp_ticket_t *ticket,
                       pp_error_t **error);

/**
 * Destroys the lock for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: lock; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_lock_destroy(const pp_lock_t *lock, pp_error_t **error);

/**
 * Acquires the lock.
 *
 * Parameters: lock; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_OWNER_DIED: acquired, from a process that died holding it; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any; not recursive.
 * Death: a holder that is killed is found within a quarter of a second, at once where somebody sweeps; the next to acquire is told.
 */
int32_t pp_lock_acquire(const pp_lock_t *lock, int64_t timeout, pp_error_t **error);

/**
 * Releases the lock, whoever holds it.
 *
 * Parameters: lock; error: may be NULL.
 * Returns: PP_OK; PP_NOT_HELD: nobody holds it; PP_GONE.
 * Threads: any, of any process.
 * Death: killed here, it is released, or the next to acquire is told of the death.
 */
int32_t pp_lock_release(const pp_lock_t *lock, pp_error_t **error);

/**
 * The living process that holds the lock at this moment, as pp_member_t names it.
 *
 * Parameters: lock; owner: gets it, 0: nobody; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a dead holder is nobody.
 */
int32_t pp_lock_owner(const pp_lock_t *lock, uint64_t *owner, pp_error_t **error);

/**
 * A descriptor that is readable when the lock may be acquired.
 *
 * Parameters: lock; pollable: gets it; error: may be NULL.
 * Returns: PP_OK; PP_OS.
 * Threads: any; starts one helper thread of the library, once in a process.
 * Death: as pp_pollable_fd.
 */
int32_t pp_lock_pollable(const pp_lock_t *lock, pp_pollable_t **pollable, pp_error_t **error);

/**
 * This process as a member, as pp_member_t names it.
 *
 * Parameters: fabric; owner: gets it; error: may be NULL.
 * Returns: PP_OK; PP_TOO_MANY_MEMBERS.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_fabric_member(const pp_fabric_t *fabric, uint64_t *owner, pp_error_t **error);

/**
 * All members, dead ones that nobody has swept included.
 *
 * Parameters: fabric; members: gets up to `room` of them, may be NULL with 0; room; count: gets how many there are; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_fabric_members(const pp_fabric_t *fabric, pp_member_t *members, size_t room, size_t *count, pp_error_t **error);

/**
 * Whether a member lives. A stopped process lives; a zombie does not.
 *
 * Parameters: fabric; owner; alive: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_fabric_is_alive(const pp_fabric_t *fabric, uint64_t owner, bool *alive, pp_error_t **error);

/**
 * All objects, with and without a name.
 *
 * Parameters: fabric; objects: gets up to `room` of them, may be NULL with 0; room; count: gets how many there are; error: may be NULL.
 * Returns: PP_OK; PP_CORRUPT.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_fabric_objects(const pp_fabric_t *fabric, pp_object_t *objects, size_t room, size_t *count, pp_error_t **error);

/**
 * Destroys the object of a name. Whoever uses it from then on gets PP_GONE.
 *
 * Parameters: fabric; name; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_BAD_NAME.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_fabric_remove(const pp_fabric_t *fabric, const char *name, pp_error_t **error);

/**
 * Walks the whole memory and accounts for every chunk. Other processes wait while it looks.
 *
 * Parameters: fabric; report: gets what it found; error: may be NULL.
 * Returns: PP_OK: it is whole; PP_CORRUPT: it is not, and the report is written all the same.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_fabric_check(const pp_fabric_t *fabric, pp_report_t *report, pp_error_t **error);

/**
 * The identity of a fabric.
 *
 * Parameters: fabric; id: gets 16 bytes; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_fabric_id(const pp_fabric_t *fabric, uint8_t *id, pp_error_t **error);

/**
 * The name of a fabric.
 *
 * Parameters: fabric; text: gets it with a NUL; empty for a private one; room: its bytes, 256 are enough; error: may be NULL.
 * Returns: PP_OK; PP_TOO_LARGE: it does not fit.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_fabric_name(const pp_fabric_t *fabric, char *text, size_t room, pp_error_t **error);

/**
 * Bytes that a fabric takes at the moment, and may take.
 *
 * Parameters: fabric; size: gets the first, may be NULL; cap: gets the second, may be NULL; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_fabric_size(const pp_fabric_t *fabric, uint64_t *size, uint64_t *cap, pp_error_t **error);

/**
 * Clears the files of named fabrics that have no living member.
 *
 * Parameters: names: gets their names, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_OS.
 * Threads: any.
 * Death: killed here, some are cleared.
 */
int32_t pp_collect_names(pp_names_t **names, pp_error_t **error);

/**
 * How many processors this process may use: by its affinity and its cgroup.
 *
 * Parameters: .
 * Returns: the number, 1 at least.
 * Threads: any.
 * Death: nothing is shared.
 */
size_t pp_available_cpus(void);

/**
 * How many processes of this process's cgroup the kernel killed for lack of memory.
 *
 * Parameters: .
 * Returns: the number; -1: no cgroup that counts.
 * Threads: any.
 * Death: nothing is shared.
 */
int64_t pp_out_of_memory_kills(void);

/**
 * Frees a message, and gives its shared memory back.
 *
 * Parameters: message: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_message_free(pp_message_t *message);

/**
 * The data of a message, lent until the message is freed. Shared memory must not be written to.
 *
 * Parameters: message: may be NULL; len: gets its bytes, may be NULL.
 * Returns: where it is; not NULL but for a message of NULL.
 * Threads: any.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
const void *pp_message_data(const pp_message_t *message, size_t *len);

/**
 * How the data is encoded.
 *
 * Parameters: message: may be NULL.
 * Returns: PP_CODEC_RAW, PP_CODEC_VALUE, or another number that its sender gave; with bit 7 set, blocks lie beside the value.
 * Threads: any.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
uint8_t pp_message_codec(const pp_message_t *message);

/**
 * Whether the data is a view of shared memory and not a copy.
 *
 * Parameters: message: may be NULL.
 * Returns: whether it is.
 * Threads: any.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
bool pp_message_is_shared(const pp_message_t *message);

/**
 * Why the message is a dead letter, if it is one.
 *
 * Parameters: message: may be NULL; deliveries: gets how often it had been handed out, may be NULL.
 * Returns: 0: it is none; 1: given back too often; 2: its lease ran out too often; 3: its holders died too often; 4: buried.
 * Threads: any.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
int32_t pp_message_dead_letter(const pp_message_t *message, uint32_t *deliveries);

/**
 * The integer that the message is.
 *
 * Parameters: message; value: gets it; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: it is something else, which the error names; PP_DECODE: it is no value.
 * Threads: any.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
int32_t pp_message_int(const pp_message_t *message, int64_t *value, pp_error_t **error);

/**
 * The integer that the message is, not negative.
 *
 * Parameters: message; value: gets it; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: it is something else, which the error names; PP_DECODE: it is no value.
 * Threads: any.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
int32_t pp_message_uint(const pp_message_t *message, uint64_t *value, pp_error_t **error);

/**
 * The float that the message is; an integer too, if a double has it exactly.
 *
 * Parameters: message; value: gets it; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: it is something else, which the error names; PP_DECODE: it is no value.
 * Threads: any.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
int32_t pp_message_float(const pp_message_t *message, double *value, pp_error_t **error);

/**
 * The bool that the message is.
 *
 * Parameters: message; value: gets it; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: it is something else, which the error names; PP_DECODE: it is no value.
 * Threads: any.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
int32_t pp_message_bool(const pp_message_t *message, bool *value, pp_error_t **error);

/**
 * The text that the message is: a string value, or raw bytes that are UTF-8. It does not end with a NUL.
 *
 * Parameters: message; text: gets it, lent until the message is freed; len: gets its bytes; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: it is something else, which the error names; PP_DECODE: it is no value.
 * Threads: any.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
int32_t pp_message_text(const pp_message_t *message, const char **text, size_t *len, pp_error_t **error);

/**
 * Frees several messages, with those that were not taken out.
 *
 * Parameters: messages: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_messages_free(pp_messages_t *messages);

/**
 * How many messages there are.
 *
 * Parameters: messages: may be NULL.
 * Returns: the number.
 * Threads: any.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
size_t pp_messages_len(const pp_messages_t *messages);

/**
 * One of several messages, lent until they are freed or it is taken.
 *
 * Parameters: messages: may be NULL; index.
 * Returns: the message; NULL: none of that number, or it was taken.
 * Threads: any.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
const pp_message_t *pp_messages_get(const pp_messages_t *messages, size_t index);

/**
 * Takes one of several messages out, to be freed by itself.
 *
 * Parameters: messages; index; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: none of that number, or it was taken before.
 * Threads: one at a time.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
int32_t pp_messages_take(pp_messages_t *messages, size_t index, pp_message_t **message, pp_error_t **error);

/**
 * The message that came with an error, so that it is not lost: one that did not fit, or could not be put.
 *
 * Parameters: error_object; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: none came with it.
 * Threads: one at a time.
 * Death: the data goes with this process; pp_queue_lease keeps a message safe.
 */
int32_t pp_error_take_message(pp_error_t *error_object, pp_message_t **message, pp_error_t **error);

/**
 * Opens or makes a namespace.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; namespace: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the namespace was made or not; one without a name goes with its maker.
 */
int32_t pp_namespace_open(const pp_fabric_t *fabric,
                          const char *name,
                          int32_t how,
                          pp_namespace_t **namespace_,
                          pp_error_t **error);

/**
 * The namespace that a ticket leads to.
 *
 * Parameters: ticket; namespace: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_namespace_from_ticket(const pp_ticket_t *ticket, pp_namespace_t **namespace_, pp_error_t **error);

/**
 * Frees the handle. The namespace itself goes only if it has no name and no ticket.
 *
 * Parameters: namespace: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_namespace_free(pp_namespace_t *namespace_);

/**
 * How another process attaches to the namespace. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: namespace; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_namespace_ticket(const pp_namespace_t *namespace_,
                            bool lend,
                            pp_ticket_t *ticket,
                            pp_error_t **error);

/**
 * Destroys the namespace for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: namespace; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_namespace_destroy(const pp_namespace_t *namespace_, pp_error_t **error);

/**
 * Sets an attribute.
 *
 * Parameters: namespace; attribute: its name; value; error: may be NULL.
 * Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_namespace_set(const pp_namespace_t *namespace_, const char *attribute, pp_datum_t value, pp_error_t **error);

/**
 * The value of an attribute.
 *
 * Parameters: namespace; attribute: its name; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_namespace_get(const pp_namespace_t *namespace_, const char *attribute, pp_message_t **message, pp_error_t **error);

/**
 * Whether there is an attribute.
 *
 * Parameters: namespace; attribute: its name; found: gets it; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_namespace_contains(const pp_namespace_t *namespace_, const char *attribute, bool *found, pp_error_t **error);

/**
 * Deletes an attribute.
 *
 * Parameters: namespace; attribute: its name; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_namespace_delete(const pp_namespace_t *namespace_, const char *attribute, pp_error_t **error);

/**
 * The names of all attributes.
 *
 * Parameters: namespace; names: gets them; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_namespace_names(const pp_namespace_t *namespace_, pp_names_t **names, pp_error_t **error);

/**
 * A number that grows with every change of the namespace.
 *
 * Parameters: namespace; version: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_namespace_version(const pp_namespace_t *namespace_, uint64_t *version, pp_error_t **error);

/**
 * Waits until the namespace has another version than this one.
 *
 * Parameters: namespace; since; timeout: nanoseconds, negative for ever, 0 a try; version: gets it, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any.
 * Death: nothing is held.
 */
int32_t pp_namespace_wait_change(const pp_namespace_t *namespace_, uint64_t since, int64_t timeout, uint64_t *version, pp_error_t **error);

/**
 * Frees names.
 *
 * Parameters: names: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: nothing is shared.
 */
void pp_names_free(pp_names_t *names);

/**
 * How many names there are.
 *
 * Parameters: names: may be NULL.
 * Returns: the number.
 * Threads: any.
 * Death: nothing is shared.
 */
size_t pp_names_len(const pp_names_t *names);

/**
 * One of the names, lent until they are freed.
 *
 * Parameters: names: may be NULL; index.
 * Returns: the name; NULL: none of that number.
 * Threads: any.
 * Death: nothing is shared.
 */
const char *pp_names_get(const pp_names_t *names, size_t index);

/**
 * Frees a pollable and closes its descriptor.
 *
 * Parameters: pollable: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses it any more.
 * Death: nothing is left behind.
 */
void pp_pollable_free(pp_pollable_t *pollable);

/**
 * The descriptor, for poll, epoll and event loops.
 *
 * Parameters: pollable; fd: gets it, lent until pp_pollable_free; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: what a death makes ready makes it readable, at once where somebody sweeps, else within about a second.
 */
int32_t pp_pollable_fd(const pp_pollable_t *pollable, int32_t *fd, pp_error_t **error);

/**
 * Watches the object again, after its try found nothing more. If it is ready now, the descriptor is readable when this returns.
 *
 * Parameters: pollable; error: may be NULL.
 * Returns: PP_OK; PP_UNSUPPORTED: in a forked child, where the parent made it.
 * Threads: any.
 * Death: as pp_pollable_fd.
 */
int32_t pp_pollable_rearm(const pp_pollable_t *pollable, pp_error_t **error);

/**
 * Waits until the descriptor is readable.
 *
 * Parameters: pollable; timeout: nanoseconds, negative for ever, 0 a look; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED.
 * Threads: any.
 * Death: as pp_pollable_fd.
 */
int32_t pp_pollable_wait(const pp_pollable_t *pollable, int64_t timeout, pp_error_t **error);

/**
 * Makes a pool and starts its workers, without waiting until they are up; called through pp_pool_create, which passes the ABI of the header.
 *
 * Parameters: abi: PP_ABI; options: NULL for all defaults; pool: gets it; error: may be NULL.
 * Returns: PP_OK; PP_SPAWN_FAILED: one of the first workers cannot be started, and none is left running; PP_BAD_ARGUMENTS: of a hook; PP_ALREADY_EXISTS: a living pool has the name; PP_OUT_OF_MEMORY; PP_INVALID_ARGUMENT; PP_FOREIGN_VERSION.
 * Threads: any; starts two or three threads of the library, which run no code of yours.
 * Death: the workers end with this process, even if it is killed, and the pool's name is free again. A worker that is killed fails the one call that it was running, and is replaced.
 */
int32_t pp_pool_create_abi(uint32_t abi,
                           const pp_pool_options_t *options,
                           pp_pool_t **pool,
                           pp_error_t **error);

/**
 * Connects to a pool of this name, which another process has, to submit calls to it.
 *
 * Parameters: fabric: where the pool is; name; pool: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: no pool of this name lives; PP_POOL_CLOSED; PP_INVALID_ARGUMENT: its process cannot be watched from here, as in another pid namespace.
 * Threads: any; starts two threads of the library, which run no code of yours.
 * Death: if the pool's process dies, each call that is not done fails with PP_TERMINATED at once; if this one dies, its calls that have not begun are mostly not run.
 */
int32_t pp_pool_connect(const pp_fabric_t *fabric,
                        const char *name,
                        pp_pool_t **pool,
                        pp_error_t **error);

/**
 * Frees the handle. A pool that was made here is terminated first, if it is not over: its workers are killed. What is not done fails with PP_TERMINATED; its futures stay readable.
 *
 * Parameters: pool: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more. Waits for the pool's threads.
 * Death: killed here, the pool ends with the process.
 */
void pp_pool_free(pp_pool_t *pool);

/**
 * Submits one call of a task of any language. Does not wait.
 *
 * Parameters: pool; task: its name; arguments: `count` of them, raw bytes as byte strings; NULL for none; options: NULL: as the pool was made with; future: gets it; error: may be NULL.
 * Returns: PP_OK: an error of the task is the future's; PP_BAD_ARGUMENTS: one is no whole value; PP_FULL: as many submissions are unfinished as may be, so wait for one; PP_POOL_CLOSED; PP_TERMINATED; PP_GAVE_UP; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: if the worker is killed in the call, the future has PP_WORKER_DIED, which names task, pid and signal, or the call is retried as options say.
 */
int32_t pp_pool_submit(const pp_pool_t *pool,
                       const char *task,
                       const pp_datum_t *arguments,
                       size_t count,
                       const pp_call_options_t *options,
                       pp_future_t **future,
                       pp_error_t **error);

/**
 * Submits many calls of one task, which go to the workers in chunks. Does not wait.
 *
 * Parameters: pool; task: its name; arguments: of the first call, then of the second, and so on; each: how many a call has; calls: how many calls; options: NULL: as the pool was made with; future: gets one for all of them; error: may be NULL.
 * Returns: PP_OK: errors of calls are the future's; PP_BAD_ARGUMENTS: names the first call of which one is no whole value; else as pp_pool_submit, but for PP_FULL. Nothing was submitted then.
 * Threads: any.
 * Death: as pp_pool_submit, each call for itself.
 */
int32_t pp_pool_map(const pp_pool_t *pool,
                    const char *task,
                    const pp_datum_t *arguments,
                    size_t each,
                    size_t calls,
                    const pp_call_options_t *options,
                    pp_future_t **future,
                    pp_error_t **error);

/**
 * The pool takes no more work; what was submitted runs to its end, then the workers leave. Does not wait.
 *
 * Parameters: pool; error: may be NULL.
 * Returns: PP_OK, also if it was closed before; PP_UNSUPPORTED: it is another process's.
 * Threads: any.
 * Death: killed here, the pool ends with the process.
 */
int32_t pp_pool_close(const pp_pool_t *pool, pp_error_t **error);

/**
 * Ends the workers at once, with SIGKILL. Every call that is not done fails with PP_TERMINATED. Does not wait.
 *
 * Parameters: pool; error: may be NULL.
 * Returns: PP_OK; PP_UNSUPPORTED: it is another process's.
 * Threads: any.
 * Death: killed here, the pool ends with the process.
 */
int32_t pp_pool_terminate(const pp_pool_t *pool, pp_error_t **error);

/**
 * Waits until a closed or terminated pool is over: every call done, every worker gone.
 *
 * Parameters: pool; timeout: nanoseconds, negative for ever, 0 a look; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_INVALID_ARGUMENT: the pool is open, and would never end; PP_UNSUPPORTED: it is another process's.
 * Threads: any.
 * Death: workers that die meanwhile are replaced until all calls are done.
 */
int32_t pp_pool_join(const pp_pool_t *pool,
                     int64_t timeout,
                     pp_error_t **error);

/**
 * A descriptor that becomes readable when a closed or terminated pool is over, for poll and event loops.
 *
 * Parameters: pool; fd: gets it, lent until pp_pool_free; error: may be NULL.
 * Returns: PP_OK; PP_UNSUPPORTED: it is another process's.
 * Threads: any.
 * Death: it is readable also when the pool has given up, because its workers died.
 */
int32_t pp_pool_fd(const pp_pool_t *pool, int32_t *fd, pp_error_t **error);

/**
 * Whether the pool takes calls, as far as this process knows.
 *
 * Parameters: pool: may be NULL.
 * Returns: false once it was closed, terminated, has given up, or its process has died; and for NULL.
 * Threads: any.
 * Death: that of another process's pool is known within a second.
 */
bool pp_pool_is_open(const pp_pool_t *pool);

/**
 * From now on the pool has so many workers: more are started at once, those too many leave one by one as they become idle. Does not wait.
 *
 * Parameters: pool; workers: at least 1; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT; PP_UNSUPPORTED: it is another process's.
 * Threads: any.
 * Death: no call is lost by a change of size.
 */
int32_t pp_pool_resize(const pp_pool_t *pool, uint32_t workers, pp_error_t **error);

/**
 * One of the workers that there are at this moment, in the order of their pids.
 *
 * Parameters: pool; index: from 0; worker: gets what is known of it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: there are not so many; PP_UNSUPPORTED: it is another process's.
 * Threads: any. From one call to the next, workers may come and go.
 * Death: a worker whose death the pool has not seen to yet is still there.
 */
int32_t pp_pool_worker(const pp_pool_t *pool, size_t index, pp_worker_info_t *worker, pp_error_t **error);

/**
 * How far the pool is.
 *
 * Parameters: pool; progress: gets it; error: may be NULL.
 * Returns: PP_OK; PP_UNSUPPORTED: it is another process's.
 * Threads: any.
 * Death: no death makes a number wrong.
 */
int32_t pp_pool_progress(const pp_pool_t *pool, pp_progress_t *progress, pp_error_t **error);

/**
 * What the exit hook returned in the workers that have left in order since the last call of this function, each once, in their order.
 *
 * Parameters: pool; future: gets one that is done, with a result or an error for each; error: may be NULL.
 * Returns: PP_OK; PP_UNSUPPORTED: it is another process's.
 * Threads: any.
 * Death: a worker that was killed has none.
 */
int32_t pp_pool_exit_results(const pp_pool_t *pool, pp_future_t **future, pp_error_t **error);

/**
 * Writes what the pool and its workers did until now, as far as its events are still there, to a file that ui.perfetto.dev and chrome://tracing show.
 *
 * Parameters: pool; path: of the file; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: the pool keeps no events; PP_OS: of the file; PP_UNSUPPORTED: it is another process's.
 * Threads: any.
 * Death: killed here, the file is not whole. What was recorded before a crash of a pool with options.events_name is in that ring: pp_events_open, pp_events_read.
 */
int32_t pp_pool_trace(const pp_pool_t *pool,
                      const char *path,
                      pp_error_t **error);

/**
 * Starts a command line, of a program in any language. One that uses polyproc finds this process's fabric as its current one, and ends with this process.
 *
 * Parameters: command: the program, found by PATH if it has no slash, and its arguments, ended by NULL; options: may be NULL; process: gets it; error: may be NULL.
 * Returns: PP_OK; PP_SPAWN_FAILED: which says what is missing; PP_INVALID_ARGUMENT.
 * Threads: any.
 * Death: killed here, there is no process, or one that ends with this process.
 */
int32_t pp_process_start_command(const char *const *command,
                                 const pp_process_options_t *options,
                                 pp_process_t **process,
                                 pp_error_t **error);

/**
 * Starts a process that runs one task and ends. The task is one of this program, or of options.program: offered before its pp_main, or a task of a Rust program.
 *
 * Parameters: task: its name; arguments: `count` of them, raw bytes as byte strings; NULL for none; options: may be NULL; process: gets it; error: may be NULL.
 * Returns: PP_OK; PP_SPAWN_FAILED: which says what is missing; PP_BAD_ARGUMENTS: one is no whole value; PP_INVALID_ARGUMENT. That the task is unknown there is told by pp_process_join.
 * Threads: any.
 * Death: killed here, there is no process, or one that ends with this process.
 */
int32_t pp_process_start_task(const char *task,
                              const pp_datum_t *arguments,
                              size_t count,
                              const pp_process_options_t *options,
                              pp_process_t **process,
                              pp_error_t **error);

/**
 * Frees the handle. The process goes on.
 *
 * Parameters: process: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: the process ends with this one all the same, unless it outlives it.
 */
void pp_process_free(pp_process_t *process);

/**
 * The process's id. After its end the system may give the same to another process.
 *
 * Parameters: process: may be NULL.
 * Returns: its pid; 0 for NULL.
 * Threads: any.
 * Death: nothing is changed.
 */
uint32_t pp_process_pid(const pp_process_t *process);

/**
 * The process's name.
 *
 * Parameters: process: may be NULL.
 * Returns: text that lives as long as the handle; "" for NULL.
 * Threads: any.
 * Death: nothing is changed.
 */
const char *pp_process_name(const pp_process_t *process);

/**
 * Whether the process has not ended yet.
 *
 * Parameters: process: may be NULL.
 * Returns: true while it runs.
 * Threads: any.
 * Death: a process that was killed has ended.
 */
bool pp_process_is_alive(const pp_process_t *process);

/**
 * A descriptor that becomes readable when the process has ended, for poll and event loops.
 *
 * Parameters: process; fd: gets it, lent until pp_process_free; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: it is readable at the process's end, however that ends.
 */
int32_t pp_process_fd(const pp_process_t *process, int32_t *fd, pp_error_t **error);

/**
 * Waits for the end of the process. May be called again, and by several threads.
 *
 * Parameters: process; timeout: nanoseconds, negative for ever, 0 a look; exit_code: gets 0: the task returned, or what the command left with; 1: the task failed; negative: minus the signal that ended it; may be NULL;
 *   failure: gets why the task did not return, to be freed with pp_error_free, or NULL; may be NULL; error: may be NULL.
 * Returns: PP_OK: it has ended, well or badly; PP_TIMEOUT; PP_INTERRUPTED; PP_OS: another part of the program took the exit status.
 * Threads: any.
 * Death: what the process held of its fabric is given back before this returns.
 */
int32_t pp_process_join(const pp_process_t *process,
                        int64_t timeout,
                        int32_t *exit_code,
                        pp_error_t **failure,
                        pp_error_t **error);

/**
 * Interrupts the process, as Ctrl-C does (SIGINT). Does not wait; nothing happens if it has ended.
 *
 * Parameters: process; error: may be NULL.
 * Returns: PP_OK; PP_OS.
 * Threads: any.
 * Death: never another process is signalled, whatever became of the pid.
 */
int32_t pp_process_interrupt(const pp_process_t *process, pp_error_t **error);

/**
 * Asks the process to end (SIGTERM). Does not wait; nothing happens if it has ended.
 *
 * Parameters: process; error: may be NULL.
 * Returns: PP_OK; PP_OS.
 * Threads: any.
 * Death: never another process is signalled, whatever became of the pid.
 */
int32_t pp_process_terminate(const pp_process_t *process, pp_error_t **error);

/**
 * Ends the process at once (SIGKILL). Does not wait; nothing happens if it has ended.
 *
 * Parameters: process; error: may be NULL.
 * Returns: PP_OK; PP_OS.
 * Threads: any.
 * Death: never another process is signalled, whatever became of the pid.
 */
int32_t pp_process_kill(const pp_process_t *process, pp_error_t **error);

/**
 * Asks the process to end (SIGTERM), ends it (SIGKILL) if it has not after a grace time, and waits for it; with `tree`, so for all that it started as well.
 *
 * Parameters: process; grace: nanoseconds, 0 or more; tree; exit_code: gets it as pp_process_join has it, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_OS: as pp_process_join.
 * Threads: any.
 * Death: killed here, some of the processes were asked or ended.
 */
int32_t pp_process_terminate_within(const pp_process_t *process,
                                    int64_t grace,
                                    bool tree,
                                    int32_t *exit_code,
                                    pp_error_t **error);

/**
 * This process's end of a stream that was PP_STDIO_PIPE. It is the caller's from now on, to be closed.
 *
 * Parameters: process; stream: 0 its input, 1 its output, 2 its standard error; fd: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: it is no pipe, or was taken before.
 * Threads: any.
 * Death: the pipe is at its end when the process has ended.
 */
int32_t pp_process_take_pipe(const pp_process_t *process, int32_t stream, int32_t *fd, pp_error_t **error);

/**
 * Gives back, at once, all that is held for a process that has ended. The handle must still be freed.
 *
 * Parameters: process; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: it still runs.
 * Threads: any.
 * Death: what is not given back goes with this process.
 */
int32_t pp_process_close(const pp_process_t *process, pp_error_t **error);

/**
 * The processes that this one started and that have not ended, those without a handle as well. Collects those that have ended.
 *
 * Parameters: children: gets up to `room` handles, each to be freed; NULL if `room` is 0; count: gets how many there are, which may be more; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a process that was killed is not among them.
 */
int32_t pp_active_children(pp_process_t **children,
                           size_t room,
                           size_t *count,
                           pp_error_t **error);

/**
 * Which process started this one.
 *
 * Parameters: none.
 * Returns: the pid of the process that started this one by polyproc; 0: none did.
 * Threads: any.
 * Death: the pid of a parent that has ended is no process any more.
 */
uint32_t pp_parent_pid(void);

/**
 * Opens or makes a queue.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; options: may be NULL, used by who makes it; queue: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the queue was made or not; one without a name goes with its maker.
 */
int32_t pp_queue_open(const pp_fabric_t *fabric,
                      const char *name,
                      int32_t how,
                      const pp_queue_options_t *options,
                      pp_queue_t **queue,
                      pp_error_t **error);

/**
 * The queue that a ticket leads to.
 *
 * Parameters: ticket; queue: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_queue_from_ticket(const pp_ticket_t *ticket, pp_queue_t **queue, pp_error_t **error);

/**
 * Frees the handle. The queue itself goes only if it has no name and no ticket.
 *
 * Parameters: queue: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_queue_free(pp_queue_t *queue);

/**
 * How another process attaches to the queue. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: queue; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_queue_ticket(const pp_queue_t *queue,
                        bool lend,
                        pp_ticket_t *ticket,
                        pp_error_t **error);

/**
 * Destroys the queue for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: queue; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_queue_destroy(const pp_queue_t *queue, pp_error_t **error);

/**
 * A descriptor that is readable when there is something to get, or the queue is closed.
 *
 * Parameters: queue; pollable: gets it; error: may be NULL.
 * Returns: PP_OK; PP_OS.
 * Threads: any; starts one helper thread of the library, once in a process.
 * Death: as pp_pollable_fd.
 */
int32_t pp_queue_pollable(const pp_queue_t *queue, pp_pollable_t **pollable, pp_error_t **error);

/**
 * Puts a message: data as pp_raw, pp_text, pp_value and the like make it.
 *
 * Parameters: queue; datum; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_FULL: a try, with no room; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED; PP_OUT_OF_MEMORY; PP_TOO_LARGE; PP_GONE. What was not put is still the caller's.
 * Threads: any.
 * Death: killed here, it is in the queue or not.
 */
int32_t pp_queue_put(const pp_queue_t *queue,
                     pp_datum_t datum,
                     int64_t timeout,
                     pp_error_t **error);

/**
 * Puts a message into a lane of priority.
 *
 * Parameters: queue; lane: 0 for a queue with one; datum; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_FULL: a try, with no room; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED; PP_OUT_OF_MEMORY; PP_TOO_LARGE; PP_GONE. What was not put is still the caller's. PP_INVALID_ARGUMENT: no such lane.
 * Threads: any.
 * Death: killed here, it is in the queue or not.
 */
int32_t pp_queue_put_to(const pp_queue_t *queue,
                        size_t lane,
                        pp_datum_t datum,
                        int64_t timeout,
                        pp_error_t **error);

/**
 * Puts messages of one codec in order, under as few locks as may be.
 *
 * Parameters: queue; lane: 0 for a queue with one; data; count; timeout: nanoseconds, negative for ever, 0 a try; done: gets how many were put, whatever the status; error: may be NULL.
 * Returns: PP_OK; PP_FULL: a try, with no room; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED; PP_OUT_OF_MEMORY; PP_TOO_LARGE; PP_GONE. What was not put is still the caller's.
 * Threads: any.
 * Death: killed here, the first so many are in the queue.
 */
int32_t pp_queue_put_many(const pp_queue_t *queue,
                          size_t lane,
                          const pp_datum_t *data,
                          size_t count,
                          int64_t timeout,
                          size_t *done,
                          pp_error_t **error);

/**
 * Puts raw bytes and wakes nobody: for a burst that ends with pp_queue_wake. Waits while the queue is full.
 *
 * Parameters: queue; data; len; error: may be NULL.
 * Returns: PP_OK; PP_FULL: a try, with no room; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED; PP_OUT_OF_MEMORY; PP_TOO_LARGE; PP_GONE. What was not put is still the caller's.
 * Threads: any.
 * Death: killed here, it is in the queue or not. A sleeping getter finds it by itself within a quarter of a second.
 */
int32_t pp_queue_put_quiet(const pp_queue_t *queue,
                           const void *data,
                           size_t len,
                           pp_error_t **error);

/**
 * Wakes a sleeping getter, if there is something to get.
 *
 * Parameters: queue; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_queue_wake(const pp_queue_t *queue, pp_error_t **error);

/**
 * Gets the next message.
 *
 * Parameters: queue; timeout: nanoseconds, negative for ever, 0 a try; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: a try, with nothing there; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: closed and drained; PP_GONE.
 * Threads: any.
 * Death: killed here, the message is in the queue or with this process, and gone with it; pp_queue_lease keeps it safe.
 */
int32_t pp_queue_get(const pp_queue_t *queue, int64_t timeout, pp_message_t **message, pp_error_t **error);

/**
 * Gets the next message into the caller's memory: for plain structures. The message must fit; one that does not comes with the error (pp_error_take_message), so it is not lost.
 *
 * Parameters: queue; buffer; size: its bytes; timeout: nanoseconds, negative for ever, 0 a try; len: gets the bytes of the message; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: a try, with nothing there; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: closed and drained; PP_GONE. PP_TOO_LARGE.
 * Threads: any.
 * Death: killed here, the message is in the queue or with this process, and gone with it; pp_queue_lease keeps it safe.
 */
int32_t pp_queue_get_into(const pp_queue_t *queue,
                          void *buffer,
                          size_t size,
                          int64_t timeout,
                          size_t *len,
                          pp_error_t **error);

/**
 * Gets up to `max` messages: waits for the first, then takes what is there.
 *
 * Parameters: queue; max; timeout: nanoseconds, negative for ever, 0 a try; messages: gets them; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: a try, with nothing there; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: closed and drained; PP_GONE.
 * Threads: any.
 * Death: killed here, the message is in the queue or with this process, and gone with it; pp_queue_lease keeps it safe.
 */
int32_t pp_queue_get_many(const pp_queue_t *queue, size_t max, int64_t timeout, pp_messages_t **messages, pp_error_t **error);

/**
 * Closes the queue for everybody: putters get PP_CLOSED from now on, getters once it is drained.
 *
 * Parameters: queue; error: may be NULL.
 * Returns: PP_OK, also for the second time; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_queue_close(const pp_queue_t *queue, pp_error_t **error);

/**
 * Whether the queue was closed.
 *
 * Parameters: queue; closed: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_queue_is_closed(const pp_queue_t *queue, bool *closed, pp_error_t **error);

/**
 * Messages that can be got at this moment.
 *
 * Parameters: queue; len: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_queue_len(const pp_queue_t *queue, size_t *len, pp_error_t **error);

/**
 * Messages that it holds at most.
 *
 * Parameters: queue; capacity: gets it, 0: no limit; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_queue_capacity(const pp_queue_t *queue, size_t *capacity, pp_error_t **error);

/**
 * Messages that are on lease at this moment.
 *
 * Parameters: queue; count: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_queue_leased(const pp_queue_t *queue, size_t *count, pp_error_t **error);

/**
 * Messages that come back at a later time (pp_lease_nack).
 *
 * Parameters: queue; count: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_queue_delayed(const pp_queue_t *queue, size_t *count, pp_error_t **error);

/**
 * Dead letters that no dead-letter queue has taken.
 *
 * Parameters: queue; count: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_queue_buried(const pp_queue_t *queue, size_t *count, pp_error_t **error);

/**
 * Takes the oldest buried dead letter.
 *
 * Parameters: queue; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY; PP_GONE.
 * Threads: any.
 * Death: killed here, the message is in the queue or with this process, and gone with it; pp_queue_lease keeps it safe.
 */
int32_t pp_queue_get_buried(const pp_queue_t *queue, pp_message_t **message, pp_error_t **error);

/**
 * Says that one message that was got from a joinable queue is done with.
 *
 * Parameters: queue; error: may be NULL.
 * Returns: PP_OK; PP_NOT_HELD: more than were got; PP_INVALID_ARGUMENT: not joinable; PP_GONE.
 * Threads: any, of any process.
 * Death: what a dead process had got counts as done, and in pp_queue_lost.
 */
int32_t pp_queue_task_done(const pp_queue_t *queue, pp_error_t **error);

/**
 * Waits until nothing is unfinished: in the queue, on lease, or got and not done.
 *
 * Parameters: queue; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_INVALID_ARGUMENT: not joinable; PP_GONE.
 * Threads: any.
 * Death: what a dead process had got counts as done, and in pp_queue_lost.
 */
int32_t pp_queue_join(const pp_queue_t *queue, int64_t timeout, pp_error_t **error);

/**
 * What pp_queue_join waits for.
 *
 * Parameters: queue; count: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_queue_unfinished(const pp_queue_t *queue, size_t *count, pp_error_t **error);

/**
 * Messages that went with processes that had got them from a joinable queue.
 *
 * Parameters: queue; count: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_queue_lost(const pp_queue_t *queue, size_t *count, pp_error_t **error);

/**
 * The leases at this moment.
 *
 * Parameters: queue; infos: gets up to `room` of them, may be NULL with 0; room; count: gets how many there are; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: leases of the dead are there until somebody sweeps.
 */
int32_t pp_queue_leases(const pp_queue_t *queue, pp_lease_info_t *infos, size_t room, size_t *count, pp_error_t **error);

/**
 * The encoded value of a message, for pp_read_next and its like; blocks that lie beside it are left aside.
 *
 * Parameters: message; data: gets it, lent until the message is freed; len: gets its bytes; error: may be NULL.
 * Returns: PP_OK; PP_DECODE: the message is raw bytes, or of a codec that is not known here, or damaged.
 * Threads: any.
 * Death: as pp_message_data.
 */
int32_t pp_message_value(const pp_message_t *message, const void **data, size_t *len, pp_error_t **error);

/**
 * Reads the next item.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; item: gets it; what it points to is in `data`; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_DECODE: the bytes are damaged.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_next(const void *data,
                     size_t len,
                     size_t *at,
                     pp_item_t *item,
                     pp_error_t **error);

/**
 * Goes past the next value, whatever is in it.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_DECODE: the bytes are damaged.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_skip(const void *data,
                     size_t len,
                     size_t *at,
                     pp_error_t **error);

/**
 * Reads a nil.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_nil(const void *data,
                    size_t len,
                    size_t *at,
                    pp_error_t **error);

/**
 * Reads an integer that int64_t holds.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; value: gets it; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_int(const void *data,
                    size_t len,
                    size_t *at,
                    int64_t *value,
                    pp_error_t **error);

/**
 * Reads an integer that uint64_t holds.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; value: gets it; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_uint(const void *data,
                     size_t len,
                     size_t *at,
                     uint64_t *value,
                     pp_error_t **error);

/**
 * Reads a float, or an integer that a double has exactly.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; value: gets it; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_float(const void *data,
                      size_t len,
                      size_t *at,
                      double *value,
                      pp_error_t **error);

/**
 * Reads a bool.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; value: gets it; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_bool(const void *data,
                     size_t len,
                     size_t *at,
                     bool *value,
                     pp_error_t **error);

/**
 * Reads a string; it does not end with a NUL.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; text: gets it, in `data`; text_len: gets its bytes; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_text(const void *data,
                     size_t len,
                     size_t *at,
                     const char **text,
                     size_t *text_len,
                     pp_error_t **error);

/**
 * Reads a byte string.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; bytes: gets it, in `data`; bytes_len: gets how many; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_bytes(const void *data,
                      size_t len,
                      size_t *at,
                      const void **bytes,
                      size_t *bytes_len,
                      pp_error_t **error);

/**
 * Reads the head of a list; its items come next.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; count: gets how many; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_list(const void *data,
                     size_t len,
                     size_t *at,
                     uint64_t *count,
                     pp_error_t **error);

/**
 * Reads the head of a map; a key and its value, for each entry, come next.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; count: gets how many entries; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_map(const void *data,
                    size_t len,
                    size_t *at,
                    uint64_t *count,
                    pp_error_t **error);

/**
 * Reads an object, as its ticket.
 *
 * Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; ticket: gets it; error: may be NULL.
 * Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_read_ticket(const void *data,
                       size_t len,
                       size_t *at,
                       pp_ticket_t *ticket,
                       pp_error_t **error);

/**
 * Opens or makes an rlock.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; rlock: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the rlock was made or not; one without a name goes with its maker.
 */
int32_t pp_rlock_open(const pp_fabric_t *fabric,
                      const char *name,
                      int32_t how,
                      pp_rlock_t **rlock,
                      pp_error_t **error);

/**
 * The rlock that a ticket leads to.
 *
 * Parameters: ticket; rlock: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_rlock_from_ticket(const pp_ticket_t *ticket, pp_rlock_t **rlock, pp_error_t **error);

/**
 * Frees the handle. The rlock itself goes only if it has no name and no ticket.
 *
 * Parameters: rlock: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_rlock_free(pp_rlock_t *rlock);

/**
 * How another process attaches to the rlock. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: rlock; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_rlock_ticket(const pp_rlock_t *rlock,
                        bool lend,
                        pp_ticket_t *ticket,
                        pp_error_t **error);

/**
 * Destroys the rlock for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: rlock; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_rlock_destroy(const pp_rlock_t *rlock, pp_error_t **error);

/**
 * A descriptor that is readable when the rlock may be acquired.
 *
 * Parameters: rlock; pollable: gets it; error: may be NULL.
 * Returns: PP_OK; PP_OS.
 * Threads: any; starts one helper thread of the library, once in a process.
 * Death: as pp_pollable_fd.
 */
int32_t pp_rlock_pollable(const pp_rlock_t *rlock, pp_pollable_t **pollable, pp_error_t **error);

/**
 * Acquires the rlock, once more if this thread has it.
 *
 * Parameters: rlock; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_OWNER_DIED: acquired, from a process that died holding it; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any; it belongs to the thread that acquired it, and a thread that ends keeps it while its process lives.
 * Death: a holder that is killed is found within a quarter of a second; the next to acquire is told.
 */
int32_t pp_rlock_acquire(const pp_rlock_t *rlock, int64_t timeout, pp_error_t **error);

/**
 * Releases the rlock once.
 *
 * Parameters: rlock; error: may be NULL.
 * Returns: PP_OK; PP_NOT_HELD: this thread does not have it; PP_GONE.
 * Threads: the one that acquired it.
 * Death: killed here, it is released, or the next to acquire is told of the death.
 */
int32_t pp_rlock_release(const pp_rlock_t *rlock, pp_error_t **error);

/**
 * The living process that holds the rlock at this moment.
 *
 * Parameters: rlock; owner: gets it, 0: nobody; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a dead holder is nobody.
 */
int32_t pp_rlock_owner(const pp_rlock_t *rlock, uint64_t *owner, pp_error_t **error);

/**
 * How often this thread has the rlock.
 *
 * Parameters: rlock; depth: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_rlock_depth(const pp_rlock_t *rlock, uint64_t *depth, pp_error_t **error);

/**
 * Opens or makes an rwlock.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; rwlock: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the rwlock was made or not; one without a name goes with its maker.
 */
int32_t pp_rwlock_open(const pp_fabric_t *fabric,
                       const char *name,
                       int32_t how,
                       pp_rwlock_t **rwlock,
                       pp_error_t **error);

/**
 * The rwlock that a ticket leads to.
 *
 * Parameters: ticket; rwlock: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_rwlock_from_ticket(const pp_ticket_t *ticket, pp_rwlock_t **rwlock, pp_error_t **error);

/**
 * Frees the handle. The rwlock itself goes only if it has no name and no ticket.
 *
 * Parameters: rwlock: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_rwlock_free(pp_rwlock_t *rwlock);

/**
 * How another process attaches to the rwlock. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: rwlock; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_rwlock_ticket(const pp_rwlock_t *rwlock,
                         bool lend,
                         pp_ticket_t *ticket,
                         pp_error_t **error);

/**
 * Destroys the rwlock for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: rwlock; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_rwlock_destroy(const pp_rwlock_t *rwlock, pp_error_t **error);

/**
 * Acquires the rwlock to read.
 *
 * Parameters: rwlock; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_OWNER_DIED: acquired, after a writer died (readers are told until somebody wrote); PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any; no second read by who has one, and no upgrade.
 * Death: the reads of a dead reader are released; a dead writer is told of.
 */
int32_t pp_rwlock_acquire_read(const pp_rwlock_t *rwlock,
                               int64_t timeout,
                               pp_error_t **error);

/**
 * Releases the rwlock that was acquired to read.
 *
 * Parameters: rwlock; error: may be NULL.
 * Returns: PP_OK; PP_NOT_HELD; PP_GONE.
 * Threads: any of the process.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_rwlock_release_read(const pp_rwlock_t *rwlock, pp_error_t **error);

/**
 * Acquires the rwlock to write.
 *
 * Parameters: rwlock; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_OWNER_DIED: acquired, after a writer died (readers are told until somebody wrote); PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any; no second read by who has one, and no upgrade.
 * Death: the reads of a dead reader are released; a dead writer is told of.
 */
int32_t pp_rwlock_acquire_write(const pp_rwlock_t *rwlock,
                                int64_t timeout,
                                pp_error_t **error);

/**
 * Releases the rwlock that was acquired to write.
 *
 * Parameters: rwlock; error: may be NULL.
 * Returns: PP_OK; PP_NOT_HELD; PP_GONE.
 * Threads: any of the process.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_rwlock_release_write(const pp_rwlock_t *rwlock, pp_error_t **error);

/**
 * How many reads are held.
 *
 * Parameters: rwlock; readers: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_rwlock_readers(const pp_rwlock_t *rwlock, uint64_t *readers, pp_error_t **error);

/**
 * The living process that holds it to write.
 *
 * Parameters: rwlock; owner: gets it, 0: nobody; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a dead holder is nobody.
 */
int32_t pp_rwlock_writer(const pp_rwlock_t *rwlock, uint64_t *owner, pp_error_t **error);

/**
 * Opens or makes a semaphore.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; value: permits, used by who makes it; bounded: a release beyond `value` is refused; semaphore: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the semaphore was made or not; one without a name goes with its maker.
 */
int32_t pp_semaphore_open(const pp_fabric_t *fabric,
                          const char *name,
                          int32_t how,
                          uint32_t value,
                          bool bounded,
                          pp_semaphore_t **semaphore,
                          pp_error_t **error);

/**
 * The semaphore that a ticket leads to.
 *
 * Parameters: ticket; semaphore: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_semaphore_from_ticket(const pp_ticket_t *ticket, pp_semaphore_t **semaphore, pp_error_t **error);

/**
 * Frees the handle. The semaphore itself goes only if it has no name and no ticket.
 *
 * Parameters: semaphore: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_semaphore_free(pp_semaphore_t *semaphore);

/**
 * How another process attaches to the semaphore. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: semaphore; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_semaphore_ticket(const pp_semaphore_t *semaphore,
                            bool lend,
                            pp_ticket_t *ticket,
                            pp_error_t **error);

/**
 * Destroys the semaphore for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: semaphore; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_semaphore_destroy(const pp_semaphore_t *semaphore, pp_error_t **error);

/**
 * A descriptor that is readable when a permit may be had.
 *
 * Parameters: semaphore; pollable: gets it; error: may be NULL.
 * Returns: PP_OK; PP_OS.
 * Threads: any; starts one helper thread of the library, once in a process.
 * Death: as pp_pollable_fd.
 */
int32_t pp_semaphore_pollable(const pp_semaphore_t *semaphore, pp_pollable_t **pollable, pp_error_t **error);

/**
 * Takes permits, all of them or none.
 *
 * Parameters: semaphore; count; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any.
 * Death: permits of a process that dies come back, within a quarter of a second or at the next sweep.
 */
int32_t pp_semaphore_acquire(const pp_semaphore_t *semaphore, uint32_t count, int64_t timeout, pp_error_t **error);

/**
 * Gives permits back.
 *
 * Parameters: semaphore; count; error: may be NULL.
 * Returns: PP_OK; PP_NOT_HELD: more than a bounded one has; PP_GONE.
 * Threads: any, of any process.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_semaphore_release(const pp_semaphore_t *semaphore, uint32_t count, pp_error_t **error);

/**
 * Free permits at this moment.
 *
 * Parameters: semaphore; value: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_semaphore_value(const pp_semaphore_t *semaphore, uint32_t *value, pp_error_t **error);

/**
 * Permits that this process holds.
 *
 * Parameters: semaphore; held: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_semaphore_held(const pp_semaphore_t *semaphore, uint32_t *held, pp_error_t **error);

/**
 * The most permits that it may have.
 *
 * Parameters: semaphore; bound: gets it, -1: no bound; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_semaphore_bound(const pp_semaphore_t *semaphore, int64_t *bound, pp_error_t **error);

/**
 * Opens or makes a set.
 *
 * Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; set: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
 * Threads: any.
 * Death: killed here, the set was made or not; one without a name goes with its maker.
 */
int32_t pp_set_open(const pp_fabric_t *fabric,
                    const char *name,
                    int32_t how,
                    pp_set_t **set,
                    pp_error_t **error);

/**
 * The set that a ticket leads to.
 *
 * Parameters: ticket; set: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
 * Threads: any.
 * Death: the object stays when this process dies.
 */
int32_t pp_set_from_ticket(const pp_ticket_t *ticket, pp_set_t **set, pp_error_t **error);

/**
 * Frees the handle. The set itself goes only if it has no name and no ticket.
 *
 * Parameters: set: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: what a killed process did not free is given back by the next sweep.
 */
void pp_set_free(pp_set_t *set);

/**
 * How another process attaches to the set. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
 *
 * Parameters: set; lend; ticket: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
 */
int32_t pp_set_ticket(const pp_set_t *set,
                      bool lend,
                      pp_ticket_t *ticket,
                      pp_error_t **error);

/**
 * Destroys the set for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
 *
 * Parameters: set; error: may be NULL.
 * Returns: PP_OK; PP_GONE: it was destroyed before.
 * Threads: any.
 * Death: killed here, it is destroyed or not.
 */
int32_t pp_set_destroy(const pp_set_t *set, pp_error_t **error);

/**
 * Adds an element.
 *
 * Parameters: set; element; added: gets whether it is new, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_set_add(const pp_set_t *set, pp_datum_t element, bool *added, pp_error_t **error);

/**
 * Takes an element out, if it is there.
 *
 * Parameters: set; element; was_there: gets whether it was, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_set_discard(const pp_set_t *set, pp_datum_t element, bool *was_there, pp_error_t **error);

/**
 * Whether an element is there.
 *
 * Parameters: set; element; found: gets it; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_set_contains(const pp_set_t *set, pp_datum_t element, bool *found, pp_error_t **error);

/**
 * Takes an element out.
 *
 * Parameters: set; element; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_INVALID_ARGUMENT; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_set_remove(const pp_set_t *set, pp_datum_t element, pp_error_t **error);

/**
 * Takes the element out that came last.
 *
 * Parameters: set; message: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: the set is empty; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_set_pop(const pp_set_t *set, pp_message_t **message, pp_error_t **error);

/**
 * Takes all elements out, in one instant.
 *
 * Parameters: set; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: killed here, it has happened or has not.
 */
int32_t pp_set_clear(const pp_set_t *set, pp_error_t **error);

/**
 * How many elements there are.
 *
 * Parameters: set; len: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_set_len(const pp_set_t *set, size_t *len, pp_error_t **error);

/**
 * All elements of one instant, in order.
 *
 * Parameters: set; elements: gets them; error: may be NULL.
 * Returns: PP_OK; PP_GONE.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_set_snapshot(const pp_set_t *set, pp_messages_t **elements, pp_error_t **error);

/**
 * Goes through the elements while others write.
 *
 * Parameters: set; entries: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is held between two elements.
 */
int32_t pp_set_iterate(const pp_set_t *set, pp_entries_t **entries, pp_error_t **error);

/**
 * A number that grows with every change of the set.
 *
 * Parameters: set; version: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_set_version(const pp_set_t *set, uint64_t *version, pp_error_t **error);

/**
 * Waits until the set has another version than this one.
 *
 * Parameters: set; since; timeout: nanoseconds, negative for ever, 0 a try; version: gets it, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
 * Threads: any.
 * Death: nothing is held.
 */
int32_t pp_set_wait_change(const pp_set_t *set, uint64_t since, int64_t timeout, uint64_t *version, pp_error_t **error);

/**
 * What one side or the other has: own elements first, each side in its order. Each side is looked at in its own time.
 *
 * Parameters: set; elements: the other side; messages: gets them; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_set_union(const pp_set_t *set, pp_elements_t elements, pp_messages_t **messages, pp_error_t **error);

/**
 * What both have, in the order of this set. Each side is looked at in its own time.
 *
 * Parameters: set; elements: the other side; messages: gets them; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_set_intersection(const pp_set_t *set, pp_elements_t elements, pp_messages_t **messages, pp_error_t **error);

/**
 * What only this set has, in its order. Each side is looked at in its own time.
 *
 * Parameters: set; elements: the other side; messages: gets them; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_set_difference(const pp_set_t *set, pp_elements_t elements, pp_messages_t **messages, pp_error_t **error);

/**
 * What only one of the two has: own elements first, each side in its order. Each side is looked at in its own time.
 *
 * Parameters: set; elements: the other side; messages: gets them; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_set_symmetric_difference(const pp_set_t *set, pp_elements_t elements, pp_messages_t **messages, pp_error_t **error);

/**
 * Adds all of these elements, each by itself.
 *
 * Parameters: set; elements; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_OUT_OF_MEMORY: some were done; PP_GONE: one of both was destroyed.
 * Threads: any.
 * Death: killed here, some of them were done; each is done or is not.
 */
int32_t pp_set_update(const pp_set_t *set, pp_elements_t elements, pp_error_t **error);

/**
 * Takes out what is not among these elements, each by itself.
 *
 * Parameters: set; elements; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_OUT_OF_MEMORY: some were done; PP_GONE: one of both was destroyed.
 * Threads: any.
 * Death: killed here, some of them were done; each is done or is not.
 */
int32_t pp_set_intersection_update(const pp_set_t *set, pp_elements_t elements, pp_error_t **error);

/**
 * Takes out these elements, each by itself.
 *
 * Parameters: set; elements; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_OUT_OF_MEMORY: some were done; PP_GONE: one of both was destroyed.
 * Threads: any.
 * Death: killed here, some of them were done; each is done or is not.
 */
int32_t pp_set_difference_update(const pp_set_t *set, pp_elements_t elements, pp_error_t **error);

/**
 * Takes out those of these elements that are there, and adds the others, each by itself.
 *
 * Parameters: set; elements; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_OUT_OF_MEMORY: some were done; PP_GONE: one of both was destroyed.
 * Threads: any.
 * Death: killed here, some of them were done; each is done or is not.
 */
int32_t pp_set_symmetric_difference_update(const pp_set_t *set, pp_elements_t elements, pp_error_t **error);

/**
 * Whether every element of the set is among these.
 *
 * Parameters: set; elements; answer: gets whether it is so; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_set_is_subset(const pp_set_t *set, pp_elements_t elements, bool *answer, pp_error_t **error);

/**
 * Whether each of these elements is in the set.
 *
 * Parameters: set; elements; answer: gets whether it is so; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_set_is_superset(const pp_set_t *set, pp_elements_t elements, bool *answer, pp_error_t **error);

/**
 * Whether none of these elements is in the set.
 *
 * Parameters: set; elements; answer: gets whether it is so; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_set_is_disjoint(const pp_set_t *set, pp_elements_t elements, bool *answer, pp_error_t **error);

/**
 * Waits until one or more of several things are ready.
 *
 * Parameters: things; count; timeout: nanoseconds, negative for ever, 0 a look; ready: gets the indices of those that are, room for `count`; ready_count: gets how many; error: may be NULL.
 * Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: one was closed in this process; PP_INVALID_ARGUMENT.
 * Threads: any.
 * Death: the other side of a connection that dies makes it ready.
 */
int32_t pp_wait(const pp_waitable_t *things,
                size_t count,
                int64_t timeout,
                size_t *ready,
                size_t *ready_count,
                pp_error_t **error);

/**
 * Makes a list.
 *
 * Parameters: name: NULL: a name is found; items: what the cells hold first; count: how many cells there are, for ever; least: bytes that each cell has room for at least (texts and bytes have room for what they are, and a little more); shareable: gets it; error: may be NULL.
 * Returns: PP_OK; PP_ALREADY_EXISTS; PP_BAD_NAME; PP_WRONG_TYPE: an item is nothing for a cell; PP_TOO_LARGE; PP_OUT_OF_MEMORY: /dev/shm is full.
 * Threads: any.
 * Death: killed here, it was made or not; it stays until it is unlinked.
 */
int32_t pp_shareable_create(const char *name,
                            const pp_datum_t *items,
                            size_t count,
                            size_t least,
                            pp_shareable_t **shareable,
                            pp_error_t **error);

/**
 * Attaches to a list.
 *
 * Parameters: name; read_only; shareable: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_BAD_NAME; PP_WRONG_TYPE: the block is something else; PP_FOREIGN_VERSION.
 * Threads: any.
 * Death: it stays until it is unlinked.
 */
int32_t pp_shareable_attach(const char *name, bool read_only, pp_shareable_t **shareable, pp_error_t **error);

/**
 * Frees the handle. The list stays.
 *
 * Parameters: shareable: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: it stays until it is unlinked.
 */
void pp_shareable_free(pp_shareable_t *shareable);

/**
 * The name of a list's block.
 *
 * Parameters: shareable; text: gets it with a NUL; room: its bytes, 256 are enough; error: may be NULL.
 * Returns: PP_OK; PP_TOO_LARGE: it does not fit.
 * Threads: any.
 * Death: it stays until it is unlinked.
 */
int32_t pp_shareable_name(const pp_shareable_t *shareable, char *text, size_t room, pp_error_t **error);

/**
 * How many cells there are.
 *
 * Parameters: shareable; len: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_shareable_len(const pp_shareable_t *shareable, size_t *len, pp_error_t **error);

/**
 * Bytes that a cell has room for.
 *
 * Parameters: shareable; index; bytes: gets them; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: there is no such cell.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_shareable_capacity(const pp_shareable_t *shareable, size_t index, size_t *bytes, pp_error_t **error);

/**
 * What a cell holds, whole.
 *
 * Parameters: shareable; index; message: gets it, a value; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: there is no such cell; PP_TIMEOUT: it changes faster than it can be read; PP_CORRUPT.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_shareable_get(const pp_shareable_t *shareable, size_t index, pp_message_t **message, pp_error_t **error);

/**
 * Replaces what a cell holds. Raw bytes are a byte string.
 *
 * Parameters: shareable; index; item: nil, a bool, an integer of 64 bits, a float, a text or bytes; error: may be NULL.
 * Returns: PP_OK; PP_INVALID_ARGUMENT: there is no such cell, or it was attached read-only; PP_WRONG_TYPE: nothing for a cell; PP_TOO_LARGE: the cell has not so much room.
 * Threads: any; two that change the same cell need a lock.
 * Death: killed here, the cell holds what it held, or the new item.
 */
int32_t pp_shareable_set(const pp_shareable_t *shareable,
                         size_t index,
                         pp_datum_t item,
                         pp_error_t **error);

/**
 * The first cell that holds this.
 *
 * Parameters: shareable; item; index: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_WRONG_TYPE: nothing for a cell.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_shareable_index_of(const pp_shareable_t *shareable, pp_datum_t item, size_t *index, pp_error_t **error);

/**
 * How many cells hold this.
 *
 * Parameters: shareable; item; count: gets it; error: may be NULL.
 * Returns: PP_OK; PP_WRONG_TYPE: nothing for a cell.
 * Threads: any.
 * Death: nothing is changed.
 */
int32_t pp_shareable_count(const pp_shareable_t *shareable, pp_datum_t item, size_t *count, pp_error_t **error);

/**
 * Removes the name; the memory goes with the last who has it.
 *
 * Parameters: shareable; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: somebody was faster.
 * Threads: any.
 * Death: killed here, the name is there or is not.
 */
int32_t pp_shareable_unlink(const pp_shareable_t *shareable, pp_error_t **error);

/**
 * Makes a block; its memory is reserved at once.
 *
 * Parameters: name: NULL: a name is found; size: bytes, more than 0; shm: gets it; error: may be NULL.
 * Returns: PP_OK; PP_ALREADY_EXISTS; PP_BAD_NAME; PP_OUT_OF_MEMORY: /dev/shm is full.
 * Threads: any.
 * Death: the block stays until it is unlinked.
 */
int32_t pp_shm_create(const char *name, size_t size, pp_shm_t **shm, pp_error_t **error);

/**
 * Attaches to a block.
 *
 * Parameters: name; read_only; shm: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_BAD_NAME; PP_NOT_OWNER.
 * Threads: any.
 * Death: the block stays until it is unlinked.
 */
int32_t pp_shm_attach(const char *name, bool read_only, pp_shm_t **shm, pp_error_t **error);

/**
 * Frees the handle, and closes it.
 *
 * Parameters: shm: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: the block stays until it is unlinked.
 */
void pp_shm_free(pp_shm_t *shm);

/**
 * Lets go of the block: what pp_shm_data lent is no longer valid.
 *
 * Parameters: shm; error: may be NULL.
 * Returns: PP_OK, also for the second time.
 * Threads: one at a time.
 * Death: the block stays until it is unlinked.
 */
int32_t pp_shm_close(pp_shm_t *shm, pp_error_t **error);

/**
 * The name of a block.
 *
 * Parameters: shm; text: gets it with a NUL; room: its bytes, 256 are enough; error: may be NULL.
 * Returns: PP_OK; PP_CLOSED. PP_TOO_LARGE: it does not fit.
 * Threads: any.
 * Death: the block stays until it is unlinked.
 */
int32_t pp_shm_name(const pp_shm_t *shm, char *text, size_t room, pp_error_t **error);

/**
 * Bytes of a block.
 *
 * Parameters: shm; size: gets them; error: may be NULL.
 * Returns: PP_OK; PP_CLOSED.
 * Threads: any.
 * Death: the block stays until it is unlinked.
 */
int32_t pp_shm_size(const pp_shm_t *shm, size_t *size, pp_error_t **error);

/**
 * The block in place.
 *
 * Parameters: shm; data: gets where it is, lent until it is closed or freed; one that was attached read-only must not be written to; error: may be NULL.
 * Returns: PP_OK; PP_CLOSED.
 * Threads: any.
 * Death: the block stays until it is unlinked.
 */
int32_t pp_shm_data(const pp_shm_t *shm,
                    void **data,
                    pp_error_t **error);

/**
 * Copies bytes out of a block.
 *
 * Parameters: shm; at; buffer; len; error: may be NULL.
 * Returns: PP_OK; PP_CLOSED. PP_INVALID_ARGUMENT: outside.
 * Threads: any.
 * Death: the block stays until it is unlinked.
 */
int32_t pp_shm_read(const pp_shm_t *shm, size_t at, void *buffer, size_t len, pp_error_t **error);

/**
 * Copies bytes into a block.
 *
 * Parameters: shm; at; data; len; error: may be NULL.
 * Returns: PP_OK; PP_CLOSED. PP_INVALID_ARGUMENT: outside, or attached read-only.
 * Threads: any.
 * Death: killed here, some bytes may be written.
 */
int32_t pp_shm_write(const pp_shm_t *shm, size_t at, const void *data, size_t len, pp_error_t **error);

/**
 * Removes the name; the memory goes with the last who has it.
 *
 * Parameters: shm; error: may be NULL.
 * Returns: PP_OK; PP_CLOSED. PP_NOT_FOUND: somebody was faster.
 * Threads: any.
 * Death: the block stays until it is unlinked.
 */
int32_t pp_shm_unlink(const pp_shm_t *shm, pp_error_t **error);

/**
 * As pp_shm_unlink, of a block that is not attached.
 *
 * Parameters: name; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND; PP_BAD_NAME.
 * Threads: any.
 * Death: the block stays until it is unlinked.
 */
int32_t pp_shm_unlink_name(const char *name, pp_error_t **error);

/**
 * Offers a function as the task `name` of this process, from now on and for good: to pools that it joins, and, if this is said before pp_main, to whoever starts this program as a worker or for a call.
 *
 * Parameters: name: UTF-8, up to 65,535 bytes; task; context: given to each of its calls, may be NULL; error: may be NULL.
 * Returns: PP_OK; PP_AMBIGUOUS_TASK: the name is taken; PP_INVALID_ARGUMENT.
 * Threads: any. The task is called by several threads at once if several run calls.
 * Death: if the process is killed in the task, its call fails with PP_WORKER_DIED, which names task, pid and signal, or is retried; nothing else is lost.
 */
int32_t pp_task_offer(const char *name,
                      pp_task_t task,
                      void *context,
                      pp_error_t **error);

/**
 * Where this program, if it was started by polyproc to run a call or as the worker of a pool, does that, and never returns; called through pp_main, which passes the ABI of the header. In any other process it does nothing.
 * It stands in main behind every pp_task_offer and before all else.
 *
 * Parameters: abi: PP_ABI; error: may be NULL.
 * Returns: PP_OK: this is an ordinary process, and main goes on; PP_FOREIGN_VERSION: the library has another ABI.
 * Threads: the main thread.
 * Death: a child ends with the process that started it, even if that is killed, unless it was told to outlive it.
 */
int32_t pp_main_abi(uint32_t abi,
                    pp_error_t **error);

/**
 * Says why the task that is running failed. The caller's error is PP_PANICKED, with this message as pp_error_remote_message; it is retried where errors are.
 *
 * Parameters: call; message: what went wrong, in one sentence; backtrace: where, may be NULL.
 * Returns: PP_PANICKED, to be returned by the task; PP_INVALID_ARGUMENT, to be returned as well, if call or message is NULL or no UTF-8.
 * Threads: any, until the task returns.
 * Death: nothing is shared.
 */
int32_t pp_call_fail(const pp_call_t *call,
                     const char *message,
                     const char *backtrace);

/**
 * As pp_call_fail, with what an error of this library says. The error is freed.
 *
 * Parameters: call; error: may be NULL, then the task failed without a reason.
 * Returns: as pp_call_fail.
 * Threads: any, until the task returns.
 * Death: nothing is shared.
 */
int32_t pp_call_fail_with(const pp_call_t *call, pp_error_t *error);

/**
 * Says that the arguments do not fit the task that is running. The caller's error is PP_BAD_ARGUMENTS; it is not retried.
 *
 * Parameters: call; message: what was expected.
 * Returns: as pp_call_fail.
 * Threads: any, until the task returns.
 * Death: nothing is shared.
 */
int32_t pp_call_bad_arguments(const pp_call_t *call, const char *message);

/**
 * The name by which the task was called.
 *
 * Parameters: call: may be NULL.
 * Returns: text that lives until the task returns; "" for NULL.
 * Threads: any, until the task returns.
 * Death: nothing is shared.
 */
const char *pp_call_task(const pp_call_t *call);

/**
 * Which call this is of those submitted together, from 0.
 *
 * Parameters: call: may be NULL.
 * Returns: the number; 0 for a single call, and outside of a pool.
 * Threads: any, until the task returns.
 * Death: nothing is shared.
 */
uint64_t pp_call_number(const pp_call_t *call);

/**
 * Which attempt of the call this is, from 1.
 *
 * Parameters: call: may be NULL.
 * Returns: the attempt; 0 outside of a pool.
 * Threads: any, until the task returns.
 * Death: an attempt in which a worker died counts.
 */
uint32_t pp_call_attempt(const pp_call_t *call);

/**
 * Whether the call was told to stop: it was cancelled, or its soft limit has passed. A task may ask in its inner loop.
 *
 * Parameters: call: may be NULL.
 * Returns: true: the task had better fail, or return what it has; if it was cancelled, its process is ended when the grace is over.
 * Threads: any, until the task returns.
 * Death: nothing is changed.
 */
bool pp_call_cancelled(const pp_call_t *call);

/**
 * How long until the call is told to stop by its soft limit, or, if it has none, until its worker is killed by its hard limit.
 *
 * Parameters: call: may be NULL.
 * Returns: nanoseconds, 0: now; -1: there is no limit.
 * Threads: any, until the task returns.
 * Death: nothing is changed.
 */
int64_t pp_call_time_left(const pp_call_t *call);

/**
 * The place of this process in the pool whose worker it is: no two that live at the same time have the same, and a worker that is started in place of another has the other's.
 *
 * Parameters: none.
 * Returns: the place, from 0; -1: the process was not started as a worker.
 * Threads: any.
 * Death: a successor has the place of the dead one.
 */
int64_t pp_worker_place(void);

/**
 * What a ticket leads to.
 *
 * Parameters: ticket: may be NULL.
 * Returns: a PP_KIND_ number; 0: a kind that this version does not know, or NULL.
 * Threads: any.
 * Death: nothing is looked up, so the object may be gone.
 */
int32_t pp_ticket_kind(const pp_ticket_t *ticket);

/**
 * The identity of the fabric that the ticket's object lives in, as pp_fabric_id tells it.
 *
 * Parameters: ticket; id: gets 16 bytes; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is looked up.
 */
int32_t pp_ticket_fabric(const pp_ticket_t *ticket, uint8_t *id, pp_error_t **error);

/**
 * A ticket as text, for a command line or an environment variable.
 *
 * Parameters: ticket; text: gets 80 hexadecimal digits and a NUL (PP_TICKET_TEXT bytes); error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_ticket_to_text(const pp_ticket_t *ticket, char *text, pp_error_t **error);

/**
 * The ticket of a text.
 *
 * Parameters: text: 80 hexadecimal digits; ticket: gets it; error: may be NULL.
 * Returns: PP_OK; PP_DECODE: it is not a ticket.
 * Threads: any.
 * Death: nothing is looked up.
 */
int32_t pp_ticket_from_text(const char *text, pp_ticket_t *ticket, pp_error_t **error);

/**
 * Joins a pool that has a name, and waits until it has let this process in. The pool's start hook is run. All workers of a pool should offer the same tasks: any may get any call.
 *
 * Parameters: fabric: where the pool is; pool: its name; worker: gets it; error: may be NULL.
 * Returns: PP_OK; PP_NOT_FOUND: no pool of this name lives; PP_POOL_CLOSED; PP_INVALID_ARGUMENT: this process has the pool, or is a worker of it already by the same fabric handle; what the start hook failed with.
 * Threads: any.
 * Death: if the pool's process dies meanwhile: PP_NOT_FOUND or PP_POOL_CLOSED.
 */
int32_t pp_worker_join(const pp_fabric_t *fabric,
                       const char *pool,
                       pp_worker_t **worker,
                       pp_error_t **error);

/**
 * Leaves the pool in order, if that was not done, and frees the handle.
 *
 * Parameters: worker: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses the handle any more.
 * Death: as pp_worker_step.
 */
void pp_worker_free(pp_worker_t *worker);

/**
 * Runs calls until the pool is over, or the worker was asked to leave. Then it has left.
 *
 * Parameters: worker; error: may be NULL.
 * Returns: PP_OK: it has left; PP_INTERRUPTED: between two batches of calls, none is lost; PP_CORRUPT.
 * Threads: one at a time; the tasks run in it.
 * Death: as pp_worker_step.
 */
int32_t pp_worker_run(pp_worker_t *worker, pp_error_t **error);

/**
 * Waits for a batch of calls and runs it: for programs with a loop of their own. A pool that is closed does not wait for a worker that takes no step.
 *
 * Parameters: worker; timeout: nanoseconds to wait for a batch, negative for ever, 0 a look; error: may be NULL.
 * Returns: PP_OK: a batch was run; PP_TIMEOUT: there was none; PP_POOL_CLOSED: the worker has left, because it was asked to or the pool is over; PP_INTERRUPTED: no call was begun; PP_CORRUPT.
 * Threads: one at a time; the tasks run in it.
 * Death: if this process is killed in a call, that call fails with PP_WORKER_DIED or is retried, and the rest of the batch runs elsewhere. If the pool's process dies, the worker has left within a second.
 */
int32_t pp_worker_step(pp_worker_t *worker,
                       int64_t timeout,
                       pp_error_t **error);

/**
 * Leaves the pool now, in order: the exit hook is run. Nothing happens if it has left.
 *
 * Parameters: worker; error: may be NULL.
 * Returns: PP_OK.
 * Threads: one at a time; from other threads, see pp_worker_leaver.
 * Death: killed here, it has left or died; no call is lost.
 */
int32_t pp_worker_leave(pp_worker_t *worker, pp_error_t **error);

/**
 * Whether the worker has left, or its pool has ended.
 *
 * Parameters: worker: may be NULL.
 * Returns: true if so, and for NULL.
 * Threads: one at a time.
 * Death: the end of a pool's process is seen by the next step.
 */
bool pp_worker_has_left(const pp_worker_t *worker);

/**
 * How many batches of calls the worker has taken.
 *
 * Parameters: worker: may be NULL.
 * Returns: the number; 0 for NULL.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
uint64_t pp_worker_batches(const pp_worker_t *worker);

/**
 * A descriptor that is readable when there may be a batch to step for, or the pool is closed or has ended. After a step with PP_TIMEOUT, rearm it. Step about once a second all the same: a leaver, or the death
 * of the pool's process, may not be seen by it at once.
 *
 * Parameters: worker; pollable: gets it; error: may be NULL.
 * Returns: PP_OK; PP_POOL_CLOSED: it has left; PP_OS.
 * Threads: one at a time; starts one helper thread of the library, once in a process.
 * Death: as pp_pollable_fd.
 */
int32_t pp_worker_pollable(const pp_worker_t *worker,
                           pp_pollable_t **pollable,
                           pp_error_t **error);

/**
 * What makes the worker leave from another thread, or from a signal's handler.
 *
 * Parameters: worker; leaver: gets it, and may outlive the worker; error: may be NULL.
 * Returns: PP_OK.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_worker_leaver(const pp_worker_t *worker, pp_leaver_t **leaver, pp_error_t **error);

/**
 * Frees a leaver.
 *
 * Parameters: leaver: may be NULL.
 * Returns: nothing.
 * Threads: any, once, when nobody uses it any more.
 * Death: nothing is shared.
 */
void pp_leaver_free(pp_leaver_t *leaver);

/**
 * Asks the worker to leave: when the batch that it runs is over, or within a quarter of a second if it waits. Does not wait for that.
 *
 * Parameters: leaver: may be NULL.
 * Returns: nothing.
 * Threads: any; also in the handler of a signal.
 * Death: nothing is shared.
 */
void pp_leaver_leave(const pp_leaver_t *leaver);

/**
 * A writer of one value.
 *
 * Parameters: writer: gets it; error: may be NULL.
 * Returns: PP_OK.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_writer_new(pp_writer_t **writer, pp_error_t **error);

/**
 * Frees a writer.
 *
 * Parameters: writer: may be NULL.
 * Returns: nothing.
 * Threads: any, once.
 * Death: nothing is shared.
 */
void pp_writer_free(pp_writer_t *writer);

/**
 * Begins anew, with the memory that there is.
 *
 * Parameters: writer; error: may be NULL.
 * Returns: PP_OK.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_clear(pp_writer_t *writer, pp_error_t **error);

/**
 * Appends nil.
 *
 * Parameters: writer; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_nil(pp_writer_t *writer, pp_error_t **error);

/**
 * Appends a bool.
 *
 * Parameters: writer; value; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_bool(pp_writer_t *writer, bool value, pp_error_t **error);

/**
 * Appends an integer.
 *
 * Parameters: writer; value; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_int(pp_writer_t *writer, int64_t value, pp_error_t **error);

/**
 * Appends an integer without sign.
 *
 * Parameters: writer; value; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_uint(pp_writer_t *writer, uint64_t value, pp_error_t **error);

/**
 * Appends a float of 64 bits.
 *
 * Parameters: writer; value; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_float(pp_writer_t *writer, double value, pp_error_t **error);

/**
 * Appends a float of 32 bits.
 *
 * Parameters: writer; value; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_float32(pp_writer_t *writer, float value, pp_error_t **error);

/**
 * Appends a string.
 *
 * Parameters: writer; text: UTF-8; len: its bytes; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_text(pp_writer_t *writer, const void *text, size_t len, pp_error_t **error);

/**
 * Appends a byte string.
 *
 * Parameters: writer; data; len; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already. PP_ENCODE: 4 GiB or more.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_bytes(pp_writer_t *writer, const void *data, size_t len, pp_error_t **error);

/**
 * Appends the head of a list: its items come next.
 *
 * Parameters: writer; count: of items; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already. PP_ENCODE: too many.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_list(pp_writer_t *writer, uint64_t count, pp_error_t **error);

/**
 * Appends the head of a map: a key and its value, for each entry, come next.
 *
 * Parameters: writer; count: of entries; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already. PP_ENCODE: too many.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_map(pp_writer_t *writer, uint64_t count, pp_error_t **error);

/**
 * Appends a value of an extension type of docs/format.md, or of one that both sides agree on.
 *
 * Parameters: writer; kind: -128 to 127; data; len; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_extension(pp_writer_t *writer, int32_t kind, const void *data, size_t len, pp_error_t **error);

/**
 * Appends an object, by its ticket: whoever reads the value gets the object itself.
 *
 * Parameters: writer; ticket; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_ticket(pp_writer_t *writer, const pp_ticket_t *ticket, pp_error_t **error);

/**
 * Appends a value that is encoded already.
 *
 * Parameters: writer; data; len; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is whole already. PP_DECODE: it is not a value.
 * Threads: one at a time.
 * Death: nothing is shared.
 */
int32_t pp_writer_value(pp_writer_t *writer, const void *data, size_t len, pp_error_t **error);

/**
 * The encoded value, lent until the writer is written to, cleared or freed.
 *
 * Parameters: writer; data: gets it; len: gets its bytes; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is not whole.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_writer_data(const pp_writer_t *writer, const void **data, size_t *len, pp_error_t **error);

/**
 * The value as data to be put, sent or stored, lent as pp_writer_data.
 *
 * Parameters: writer; datum: gets it; error: may be NULL.
 * Returns: PP_OK; PP_ENCODE: the value is not whole.
 * Threads: any.
 * Death: nothing is shared.
 */
int32_t pp_writer_datum(const pp_writer_t *writer, pp_datum_t *datum, pp_error_t **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/* Beginnings of options: the size, and 0 for all else. */
#define PP_FABRIC_OPTIONS_INIT {sizeof(pp_fabric_options_t), 0, 0}
#define PP_QUEUE_OPTIONS_INIT {sizeof(pp_queue_options_t), 0, 0, 0, 0, NULL, 0}
#define PP_CELLS_OPTIONS_INIT {sizeof(pp_cells_options_t), 0, 0, 0, NULL, 0, 0, NULL, NULL}
#define PP_PROCESS_OPTIONS_INIT {sizeof(pp_process_options_t), NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0}
#define PP_CALL_OPTIONS_INIT {sizeof(pp_call_options_t), 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define PP_POOL_OPTIONS_INIT \
    {sizeof(pp_pool_options_t), NULL, NULL, 0, 0, 0, NULL, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, NULL, NULL, 0}
#define PP_PEERING_OPTIONS_INIT {sizeof(pp_peering_options_t), NULL, 0, 0, 0, 0, 0, 0}

/* A process's stream that leads to a descriptor of this one. */
#define PP_STDIO_FD(fd) (-1 - (fd))

/* Lengths of time for timeouts: 5 * PP_SECOND. */
#define PP_MILLISECOND ((int64_t)1000000)
#define PP_SECOND ((int64_t)1000000000)

/* pp_fabric_open_abi with the ABI of this header. */
static inline int32_t pp_fabric_open(const char *name, int32_t how, const pp_fabric_options_t *options, pp_fabric_t **fabric, pp_error_t **error)
{
    return pp_fabric_open_abi(PP_ABI, name, how, options, fabric, error);
}

/* pp_fabric_current_abi with the ABI of this header. */
static inline int32_t pp_fabric_current(pp_fabric_t **fabric, pp_error_t **error)
{
    return pp_fabric_current_abi(PP_ABI, fabric, error);
}

/* pp_fabric_attach_abi with the ABI of this header. */
static inline int32_t pp_fabric_attach(int32_t fd, pp_fabric_t **fabric, pp_error_t **error)
{
    return pp_fabric_attach_abi(PP_ABI, fd, fabric, error);
}

/* Data to be put, sent or stored. What they point to is read during the call only. */

/* Bytes that are encoded already, in this codec. */
static inline pp_datum_t pp_encoded(const void *data, size_t len, uint8_t codec)
{
    pp_datum_t datum;
    datum.form = PP_FORM_BYTES;
    datum.codec = codec;
    datum.data = data;
    datum.len = len;
    datum.integer = 0;
    datum.number = 0;
    return datum;
}

/* Raw bytes. */
static inline pp_datum_t pp_raw(const void *data, size_t len)
{
    return pp_encoded(data, len, PP_CODEC_RAW);
}

/* The string value of `len` bytes of UTF-8. */
static inline pp_datum_t pp_text_of(const char *text, size_t len)
{
    pp_datum_t datum = pp_encoded(text, len, PP_CODEC_VALUE);
    datum.form = PP_FORM_TEXT;
    return datum;
}

/* The string value of a text that ends with a NUL. */
static inline pp_datum_t pp_text(const char *text)
{
    size_t len = 0;
    while (text != NULL && text[len] != 0) {
        len++;
    }
    return pp_text_of(text, len);
}

/* An integer value. */
static inline pp_datum_t pp_int(int64_t value)
{
    pp_datum_t datum = pp_encoded(NULL, 0, PP_CODEC_VALUE);
    datum.form = PP_FORM_INT;
    datum.integer = value;
    return datum;
}

/* An integer value without sign. */
static inline pp_datum_t pp_uint(uint64_t value)
{
    pp_datum_t datum = pp_int((int64_t)value);
    datum.form = PP_FORM_UINT;
    return datum;
}

/* A float value. */
static inline pp_datum_t pp_float(double value)
{
    pp_datum_t datum = pp_encoded(NULL, 0, PP_CODEC_VALUE);
    datum.form = PP_FORM_FLOAT;
    datum.number = value;
    return datum;
}

/* A bool value. */
static inline pp_datum_t pp_bool(bool value)
{
    pp_datum_t datum = pp_int(value ? 1 : 0);
    datum.form = PP_FORM_BOOL;
    return datum;
}

/* The value nil (None, null). */
static inline pp_datum_t pp_nil(void)
{
    pp_datum_t datum = pp_encoded(NULL, 0, PP_CODEC_VALUE);
    datum.form = PP_FORM_NIL;
    return datum;
}

/* An object, by its ticket: whoever reads the value gets the object itself. */
static inline pp_datum_t pp_object(const pp_ticket_t *ticket)
{
    pp_datum_t datum = pp_encoded(ticket, 40, PP_CODEC_VALUE);
    datum.form = PP_FORM_TICKET;
    return datum;
}

/* Elements for an operator of sets: these. */
static inline pp_elements_t pp_elements(const pp_datum_t *items, size_t count)
{
    pp_elements_t elements;
    elements.items = items;
    elements.count = count;
    elements.set = NULL;
    return elements;
}

/* The elements of another set. */
static inline pp_elements_t pp_elements_of(const pp_set_t *set)
{
    pp_elements_t elements = pp_elements(NULL, 0);
    elements.set = set;
    return elements;
}

/* pp_main_abi with the ABI of this header. */
static inline int32_t pp_main(pp_error_t **error)
{
    return pp_main_abi(PP_ABI, error);
}

/* pp_pool_create_abi with the ABI of this header. */
static inline int32_t pp_pool_create(const pp_pool_options_t *options, pp_pool_t **pool, pp_error_t **error)
{
    return pp_pool_create_abi(PP_ABI, options, pool, error);
}

#endif /* POLYPROC_H */
