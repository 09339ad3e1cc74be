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
 *   long waits do about once a second), else within 50 ms. A named fabric ends with its last member.
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
 * The fabric's memory is anonymous.
 */
#define PP_BACKING_MEMORY 0

/**
 * It is a file of the runtime directory: for processes that share a directory and not their process ids (two containers).
 */
#define PP_BACKING_FILE 1

/**
 * Bytes of a ticket as text, its NUL included.
 */
#define PP_TICKET_TEXT 81

/**
 * An error that a call made for its caller, who frees it with pp_error_free.
 */
typedef struct pp_error_t pp_error_t;

/**
 * One shared world: memory, a table of member processes, and a directory of named objects.
 */
typedef struct pp_fabric_t pp_fabric_t;

/**
 * A lock between processes: at most one holds it, and if that one is killed, the next is told and goes on. The process is the owner: any thread of it may release.
 */
typedef struct pp_lock_t pp_lock_t;

/**
 * A descriptor that becomes readable when its object has something. Readable means: try now, others may be faster.
 */
typedef struct pp_pollable_t pp_pollable_t;

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
 * A ticket: plain bytes, to be copied and sent as one likes. It does not keep its object alive.
 */
typedef struct {
    /**
     * As docs/format.md has them.
     */
    uint8_t bytes[40];
} pp_ticket_t;

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
 * Ends all waits of this process that a signal may end, with PP_INTERRUPTED: at once in the thread that the signal came to, else within 50 ms (a quarter of a second for connections).
 * Needed in handlers that were installed with SA_RESTART; others end the wait of their thread by themselves, unless the signal comes just before it sleeps.
 *
 * Parameters: none.
 * Returns: nothing.
 * Threads: any; also in the handler of a signal.
 * Death: nothing is shared.
 */
void pp_interrupt_waits(void);

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
 * Ends all waits of this process that a signal may end, with PP_INTERRUPTED: at once in the thread that the signal came to, else within 50 ms (a quarter of a second for connections).
 * Needed in handlers that were installed with SA_RESTART; others end the wait of their thread by themselves, unless the signal comes just before it sleeps.
 *
 * Parameters: none.
 * Returns: nothing.
 * Threads: any; also in the handler of a signal.
 * Death: nothing is shared.
 */
void pp_interrupt_waits(void);

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
 * Death: a holder that is killed is found within 50 ms, at once where somebody sweeps; the next to acquire is told.
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
 * Death: a holder that is killed is found within 50 ms, at once where somebody sweeps; the next to acquire is told.
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

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/* Beginnings of options: the size, and 0 for all else. */
#define PP_FABRIC_OPTIONS_INIT {sizeof(pp_fabric_options_t), 0, 0}

/* Lengths of time for timeouts: 5 * PP_SECOND. */
#define PP_MILLISECOND ((int64_t)1000000)
#define PP_SECOND ((int64_t)1000000000)

/* pp_fabric_open_abi with the ABI of this header. */
static inline int32_t pp_fabric_open(const char *name, int32_t how, const pp_fabric_options_t *options, pp_fabric_t **fabric, pp_error_t **error)
{
    return pp_fabric_open_abi(PP_ABI, name, how, options, fabric, error);
}

#endif /* POLYPROC_H */
