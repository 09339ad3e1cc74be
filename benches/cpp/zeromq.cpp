// The ZeroMQ side of the queue scenarios: PUSH and PULL over ipc://, spoken to by the lines of src/harness/member.rs.
// It does what src/scenarios/queue.rs defines: stamp both ends and send (a copy), or receive and check both ends where they lie.
//
//   zeromq produce|consume SIZE FIRST COUNT ordered|any CORE|- ROOM PRODUCERS PATH [PATH ...]
//
// A consumer binds its one PATH, a producer connects to those of all consumers. Before it is ready, every producer has sent one
// message to every consumer, and every consumer has received one of each producer: all are connected then, and a producer
// goes on serving them in turn.

#include <zmq.h>
#include <cinttypes>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sched.h>
#include <string>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include <vector>

static uint64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return uint64_t(time.tv_sec) * 1000000000u + uint64_t(time.tv_nsec);
}

static int fail(const char *what) {
    std::fprintf(stderr, "zeromq: %s: %s\n", what, zmq_strerror(zmq_errno()));
    std::exit(1);
}

// Pins this thread to the core-th of the CPUs allowed; the threads of ZeroMQ's own, made before, stay free.
static void pin(const char *core) {
    if (!std::strcmp(core, "-")) return;
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed)) { std::perror("sched_getaffinity"); std::exit(1); }
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
    CPU_ZERO(&one);
    CPU_SET(cpus[std::strtoul(core, nullptr, 10) % cpus.size()], &one);
    if (sched_setaffinity(0, sizeof one, &one)) { std::perror("sched_setaffinity"); std::exit(1); }
}

static uint64_t start() {
    std::puts("ready");
    std::fflush(stdout);
    char nothing;
    while (read(0, &nothing, 1) > 0) {}
    return now();
}

int main(int argc, char **argv) {
    if (argc < 10) {
        std::fputs("zeromq: see the top of zeromq.cpp\n", stderr);
        return 2;
    }
    const bool produces = !std::strcmp(argv[1], "produce"), ordered = !std::strcmp(argv[5], "ordered");
    const size_t size = std::strtoull(argv[2], nullptr, 10);
    const uint64_t first = std::strtoull(argv[3], nullptr, 10), count = std::strtoull(argv[4], nullptr, 10);
    const int room = std::atoi(argv[7]), producers = std::atoi(argv[8]), paths = argc - 9;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, produces ? ZMQ_PUSH : ZMQ_PULL);
    if (!socket) fail("socket");
    const int soon = 1;
    zmq_setsockopt(socket, ZMQ_SNDHWM, &room, sizeof room);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &room, sizeof room);
    zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &soon, sizeof soon);
    for (int i = 9; i < argc; i++) {
        const std::string address = std::string("ipc://") + argv[i];
        if (produces ? zmq_connect(socket, address.c_str()) : zmq_bind(socket, address.c_str())) fail(address.c_str());
    }
    zmq_msg_t message;
    zmq_msg_init(&message);
    for (int i = 0; i < (produces ? paths : producers); i++) {
        if ((produces ? zmq_send(socket, "warm", 4, 0) : zmq_msg_recv(&message, socket, 0)) < 0) fail("warm");
    }
    pin(argv[6]);
    char *buffer = static_cast<char *>(std::aligned_alloc(64, (size + 63) / 64 * 64));
    if (!buffer) return 1;
    std::memset(buffer, 0x5a, size);

    uint64_t sum = 0, begin = start();
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = first + i, last = ~number;
        if (produces) {
            std::memcpy(buffer, &number, 8);
            std::memcpy(buffer + size - 8, &last, 8);
            if (zmq_send(socket, buffer, size, 0) < 0) fail("send");
        } else {
            if (zmq_msg_recv(&message, socket, 0) < 0) fail("receive");
            const size_t received = zmq_msg_size(&message);
            const char *bytes = static_cast<const char *>(zmq_msg_data(&message));
            if (received == size) {
                std::memcpy(&number, bytes, 8);
                std::memcpy(&last, bytes + size - 8, 8);
            }
            if (received != size || last != ~number || (ordered && number != i)) {
                std::fprintf(stderr, "zeromq: message %" PRIu64 " arrived as %" PRIu64 ", %zu bytes\n", i, number, received);
                return 1;
            }
        }
        sum += number;
    }
    std::printf("done %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", begin, now(), count, sum);
    std::fflush(stdout);
    // What a producer has sent is lost if it leaves while a consumer's side is full: it stays until the files of all are gone.
    if (!produces) unlink(argv[9]);
    for (int i = 9; produces && i < argc; i++) while (!access(argv[i], F_OK)) usleep(1000);
    const int none = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_msg_close(&message);
    zmq_close(socket);
    zmq_ctx_term(context);
    return 0;
}
