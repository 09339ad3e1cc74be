// The Boost.Interprocess side of the dict scenarios: an unordered_map of strings in managed_shared_memory behind one interprocess_mutex, spoken to by the lines of
// src/harness/member.rs. It does what src/scenarios/dict.rs defines.
//
//   boost_map create NAME SIZE KEYS | remove NAME
//   boost_map run COUNT TIME CORE|- SIZE READS SEED KEYS WARM NAME

#include <boost/functional/hash.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/string.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/unordered_map.hpp>
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

namespace ipc = boost::interprocess;
using Segment = ipc::managed_shared_memory;
using Bytes = ipc::basic_string<char, std::char_traits<char>, ipc::allocator<char, Segment::segment_manager>>;
using Pair = std::pair<const Bytes, Bytes>;
struct Hash {
    template <class T> std::size_t operator()(const T &text) const { return boost::hash_range(text.begin(), text.end()); }
};
using Map = boost::unordered_map<Bytes, Bytes, Hash, std::equal_to<Bytes>, ipc::allocator<Pair, Segment::segment_manager>>;

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

static void key_of(uint64_t number, char *key) { std::snprintf(key, 17, "key-%012" PRIu64, number); }

static void stamp(std::string &value, uint64_t number) {
    std::memcpy(&value[0], &number, 8);
    std::memcpy(&value[value.size() - 8], &number, 8);
}

static int create(const char *name, size_t size, uint64_t keys) {
    Segment segment(ipc::create_only, name, keys * (size + 512) + (16u << 20));
    auto *mutex = segment.construct<ipc::interprocess_mutex>("mutex")();
    auto *map = segment.construct<Map>("map")(keys, Hash(), std::equal_to<Bytes>(), segment.get_allocator<Pair>());
    (void)mutex;
    std::string value(size, '\0');
    char key[17];
    for (uint64_t number = 0; number < keys; number++) {
        key_of(number, key);
        stamp(value, number);
        map->emplace(Bytes(key, 16, segment.get_allocator<char>()), Bytes(value.data(), value.size(), segment.get_allocator<char>()));
    }
    return 0;
}

static int run(char **a) {
    uint64_t count = std::strtoull(a[0], nullptr, 10), time = std::strtoull(a[1], nullptr, 10);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(a[2]);
    size_t size = std::strtoull(a[3], nullptr, 10);
    uint64_t reads = std::strtoull(a[4], nullptr, 10), random = std::strtoull(a[5], nullptr, 10), keys = std::strtoull(a[6], nullptr, 10);
    Segment segment(ipc::open_only, a[8]);
    auto *mutex = segment.find<ipc::interprocess_mutex>("mutex").first;
    auto *map = segment.find<Map>("map").first;
    if (!mutex || !map) { std::fputs("no map\n", stderr); return 1; }
    std::string value(size, '\0'), out;
    out.reserve(size);
    Bytes key(16, '0', segment.get_allocator<char>()); // built once: only its characters change
    char text[17];
    uint64_t other = ~random;
    for (uint64_t i = 0, warm = std::strtoull(a[7], nullptr, 10); i < warm; i++) {
        other ^= other << 13;
        other ^= other >> 7;
        other ^= other << 17;
        key_of((other >> 16) % keys, text);
        key.assign(text, 16);
        ipc::scoped_lock<ipc::interprocess_mutex> lock(*mutex);
        auto found = map->find(key);
        if (found != map->end()) out.assign(found->second.data(), found->second.size());
    }
    std::puts("ready");
    std::fflush(stdout);
    char nothing;
    while (read(0, &nothing, 1) > 0) {}
    uint64_t start = now(), done = 0;
    uint64_t until = time > UINT64_MAX - start ? UINT64_MAX : start + time;
    while (done < count && (until == UINT64_MAX || now() < until)) {
        uint64_t some = count - done < 64 ? count - done : 64;
        for (uint64_t i = 0; i < some; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            uint64_t number = (random >> 16) % keys;
            key_of(number, text);
            key.assign(text, 16);
            if (random % 100 < reads) {
                out.clear();
                {
                    ipc::scoped_lock<ipc::interprocess_mutex> lock(*mutex);
                    auto found = map->find(key);
                    if (found != map->end()) out.assign(found->second.data(), found->second.size());
                }
                if (out.size() != size || std::memcmp(out.data(), &number, 8) || std::memcmp(out.data() + size - 8, &number, 8)) {
                    std::fprintf(stderr, "key %" PRIu64 " has a value that is not its own\n", number);
                    return 1;
                }
            } else {
                stamp(value, number);
                ipc::scoped_lock<ipc::interprocess_mutex> lock(*mutex);
                auto found = map->find(key);
                if (found == map->end()) return 1;
                found->second.assign(value.data(), value.size());
            }
        }
        done += some;
    }
    std::printf("done %" PRIu64 " %" PRIu64 " %" PRIu64 " 0\n", start, now(), done);
    return 0;
}

int main(int argc, char **argv) {
    std::string what = argc > 1 ? argv[1] : "";
    try {
        if (what == "create" && argc == 5) return create(argv[2], std::strtoull(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10));
        if (what == "remove" && argc == 3) return ipc::shared_memory_object::remove(argv[2]) ? 0 : 1;
        if (what == "run" && argc == 11) return run(argv + 2);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "boost_map: %s\n", error.what());
        return 1;
    }
    std::fputs("boost_map: wrong arguments\n", stderr);
    return 2;
}
