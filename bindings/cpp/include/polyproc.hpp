// polyproc.hpp: multiprocessing over shared memory, for C++17. A translation of polyproc.h, header-only; it decides nothing.
//
//     polyproc::fabric fabric("shop");
//     polyproc::queue<std::string> orders(fabric, "orders");
//     orders.put("a book");
//     for (std::string order : orders) { ... }          // until somebody closes the queue
//
// THE RULES, beside those of polyproc.h (threads, fork, signals, deaths), which hold here too.
//
// Handles are move-only and end with their scope. The end of a handle is not the end of the object. An empty handle (moved from,
//   or not opened because of an error) may be destroyed and assigned to; every other call says invalid_argument.
//
// Errors are exceptions: polyproc::error, with status(), and classes of it where one would catch one kind alone. The error-code form is the same
//   call with a polyproc::error as its last argument: then nothing of this library is thrown, the error says what happened (it is false if nothing did),
//   and what is returned is empty: T(), std::nullopt, an empty handle. (std::bad_alloc, and what your own types throw, stay exceptions.)
//
// Time. A time-out is any std::chrono duration, or polyproc::until(time_point). None: for ever. 0 or less: a try.
//
// Locks have lock, try_lock, try_lock_for, try_lock_until and unlock, so that std::lock_guard, std::unique_lock and std::scoped_lock take them. Only polyproc::guard
//   (and the answer of lock) says that the last owner died in the middle of its work: use it where that matters.
//
// Types. A type that is a value (bool, numbers, enums, strings, bytes, vectors, arrays, tuples, maps, optionals) goes as a value, which every language reads. A trivially copyable
//   structure goes as its bytes, which programs of the same structure read. `message` is whatever it is.
#ifndef POLYPROC_HPP
#define POLYPROC_HPP

#include "polyproc/error.hpp"
#include "polyproc/handle.hpp"
#include "polyproc/time.hpp"
#include "polyproc/fabric.hpp"
#include "polyproc/coder.hpp"
#include "polyproc/message.hpp"
#include "polyproc/lock.hpp"
#include "polyproc/sync.hpp"
#include "polyproc/queue.hpp"
#include "polyproc/dict.hpp"
#include "polyproc/list.hpp"
#include "polyproc/set.hpp"
#include "polyproc/cells.hpp"
#include "polyproc/connection.hpp"
#include "polyproc/shm.hpp"
#include "polyproc/process.hpp"
#include "polyproc/task.hpp"
#include "polyproc/pool.hpp"
#include "polyproc/worker.hpp"

#endif
