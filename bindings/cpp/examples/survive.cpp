// The other side is killed with SIGKILL while it holds a lock and has a message on lease: the lock comes to us, with the news, and so does the message.
//
//     c++ -std=c++17 survive.cpp $(pkg-config --cflags --libs polyproc) -o survive && ./survive
#include <polyproc.hpp>

#include <csignal>
#include <cstdio>

#include <sys/wait.h>
#include <unistd.h>

int main()
{
    polyproc::fabric fabric;
    polyproc::mutex ledger(fabric);
    polyproc::queue<int> payments(fabric);
    polyproc::event ready(fabric);
    payments.put(1000);

    pid_t child = fork();
    if (child == 0) {
        polyproc::guard held(ledger);
        auto lease = payments.lease();
        ready.set();
        for (;;) {
            pause();
        }
    }
    ready.wait();
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);

    polyproc::guard held(ledger);
    if (held.recovered()) {
        std::puts("the lock is ours, and its last owner died: the ledger may be half written");
    }
    auto lease = payments.lease();
    std::printf("the payment of %d is handed out for the %u. time\n", lease.value(), lease.deliveries());
    lease.ack();
    return held.recovered() ? 0 : 1;
}
