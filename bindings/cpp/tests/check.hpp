// What the programs of these tests share: checks that say where they failed, and a fabric of a few MiB.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <polyproc.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(truth)                                                                 \
    do {                                                                             \
        if (!(truth)) {                                                              \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #truth); \
            std::exit(1);                                                            \
        }                                                                            \
    } while (0)

// A call that throws an error of this class.
#define THROWS(kind, call)                                                                                              \
    do {                                                                                                                \
        bool thrown = false;                                                                                            \
        try {                                                                                                           \
            (void)(call);                                                                                               \
        } catch (const polyproc::kind &caught) {                                                                        \
            thrown = static_cast<bool>(caught) && caught.what()[0] != 0;                                                \
        } catch (const std::exception &caught) {                                                                        \
            std::fprintf(stderr, "%s:%d: %s threw: %s\n", __FILE__, __LINE__, #call, caught.what());                    \
        }                                                                                                               \
        if (!thrown) {                                                                                                  \
            std::fprintf(stderr, "%s:%d: %s did not throw a %s with a message\n", __FILE__, __LINE__, #call, #kind);    \
            std::exit(1);                                                                                               \
        }                                                                                                               \
    } while (0)

// A call with `problem` as its last argument, which says this status and nothing else.
#define SAYS(expected, call)                                                                                                               \
    do {                                                                                                                                   \
        polyproc::error problem(polyproc::status::internal, "left from before");                                                           \
        (void)(call);                                                                                                                      \
        if (problem.status() != polyproc::status::expected || static_cast<bool>(problem) != (problem.status() != polyproc::status::ok)) {  \
            std::fprintf(stderr, "%s:%d: %s said %d, %s\n", __FILE__, __LINE__, #call, static_cast<int>(problem.status()), problem.what()); \
            std::exit(1);                                                                                                                  \
        }                                                                                                                                  \
    } while (0)

inline polyproc::fabric check_fabric()
{
    polyproc::fabric_options options;
    options.cap = 16 << 20;
    return polyproc::fabric({}, options);
}

// A child that does this and then waits to be killed; `ready` is set by what it does.
inline pid_t child(const std::function<void()> &does)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        does();
        for (;;) {
            pause();
        }
    }
    return pid;
}

inline void kill_child(pid_t pid)
{
    int status = 0;
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

#endif
