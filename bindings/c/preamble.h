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
