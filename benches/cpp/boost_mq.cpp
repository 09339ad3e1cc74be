// The Boost.Interprocess side of the queue scenarios: a message_queue, spoken to by the lines of src/harness/member.rs.
// It does what src/scenarios/queue.rs defines: stamp both ends and send, or receive and check both ends.
//
//   boost_mq create NAME MESSAGES SIZE | remove NAME | version
//   boost_mq produce|consume SIZE FIRST COUNT ordered|any CORE|- NAME

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/version.hpp>
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

using boost::interprocess::message_queue;

static uint64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return uint64_t(time.tv_sec) * 1000000000u + uint64_t(time.tv_nsec);
}

// Pins to the core-th of the CPUs allowed.
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

static int work(char **argv) {
    const bool produces = !std::strcmp(argv[1], "produce"), ordered = !std::strcmp(argv[5], "ordered");
    const size_t size = std::strtoull(argv[2], nullptr, 10);
    const uint64_t first = std::strtoull(argv[3], nullptr, 10), count = std::strtoull(argv[4], nullptr, 10);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(argv[6]);
    message_queue queue(boost::interprocess::open_only, argv[7]);
    char *buffer = static_cast<char *>(std::aligned_alloc(64, (size + 63) / 64 * 64));
    if (!buffer) return 1;
    std::memset(buffer, 0x5a, size);

    uint64_t sum = 0, begin = start();
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = first + i, last = ~number;
        if (produces) {
            std::memcpy(buffer, &number, 8);
            std::memcpy(buffer + size - 8, &last, 8);
            queue.send(buffer, size, 0);
        } else {
            message_queue::size_type received;
            unsigned priority;
            queue.receive(buffer, size, received, priority);
            std::memcpy(&number, buffer, 8);
            std::memcpy(&last, buffer + size - 8, 8);
            if (received != size || last != ~number || (ordered && number != i)) {
                std::fprintf(stderr, "boost_mq: message %" PRIu64 " arrived as %" PRIu64 ", %zu bytes\n", i, number, size_t(received));
                return 1;
            }
        }
        sum += number;
    }
    std::printf("done %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", begin, now(), count, sum);
    return 0;
}

int main(int argc, char **argv) try {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "version") {
        std::puts(BOOST_LIB_VERSION);
    } else if (what == "create" && argc == 5) {
        message_queue(boost::interprocess::create_only, argv[2], std::strtoull(argv[3], nullptr, 10),
                      std::strtoull(argv[4], nullptr, 10));
    } else if (what == "remove" && argc == 3) {
        message_queue::remove(argv[2]);
    } else if ((what == "produce" || what == "consume") && argc == 8) {
        return work(argv);
    } else {
        std::fputs("boost_mq: see the top of boost_mq.cpp\n", stderr);
        return 2;
    }
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "boost_mq: %s\n", error.what());
    return 1;
}
