/* The C side of the scenarios `c/...`: the same as src/ours/c.rs and src/ours/queue.rs do, by polyproc.h. Spoken to by the lines of src/harness/member.rs.
 *
 *   member call lock|queue|dict COUNT CORE|- FABRIC TICKET
 *   member produce|consume SIZE FIRST COUNT ordered|any CORE|- one FABRIC TICKET */
#define _GNU_SOURCE
#include <polyproc.h>

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static pp_error_t *error;

static void must(int32_t status)
{
    if (status != PP_OK) {
        fprintf(stderr, "member.c: %s: %s\n", pp_status_name(status), pp_error_message(error));
        exit(1);
    }
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Pins this thread to the core-th of the CPUs allowed. */
static void pin(const char *core)
{
    cpu_set_t allowed, one;
    unsigned long wanted = strtoul(core, NULL, 10);
    if (strcmp(core, "-") == 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    wanted %= (unsigned long)CPU_COUNT(&allowed);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && wanted-- == 0) {
            CPU_SET(cpu, &one);
        }
    }
    if (sched_setaffinity(0, sizeof one, &one) != 0) {
        perror("member.c: sched_setaffinity");
        exit(1);
    }
}

static uint64_t start(void)
{
    char nothing;
    puts("ready");
    fflush(stdout);
    while (read(0, &nothing, 1) > 0) {
    }
    return now();
}

static int done(uint64_t begin, uint64_t count, uint64_t sum)
{
    printf("done %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", begin, now(), count, sum);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int lock_calls(const pp_ticket_t *ticket, uint64_t count)
{
    pp_lock_t *lock = NULL;
    must(pp_lock_from_ticket(ticket, &lock, &error));
    uint64_t begin = start();
    for (uint64_t i = 0; i < count; i++) {
        must(pp_lock_acquire(lock, PP_FOREVER, &error));
        must(pp_lock_release(lock, &error));
    }
    return done(begin, count, count);
}

static int queue_calls(const pp_ticket_t *ticket, uint64_t count)
{
    pp_queue_t *queue = NULL;
    uint64_t item[2] = {0, 0}, sum = 0;
    must(pp_queue_from_ticket(ticket, &queue, &error));
    uint64_t begin = start();
    for (uint64_t i = 0; i < count; i++) {
        pp_message_t *message = NULL;
        size_t len = 0;
        item[0] = i;
        must(pp_queue_put(queue, pp_raw(item, sizeof item), PP_FOREVER, &error));
        must(pp_queue_get(queue, PP_FOREVER, &message, &error));
        uint64_t number;
        memcpy(&number, pp_message_data(message, &len), sizeof number);
        sum += len == sizeof item && number == i;
        pp_message_free(message);
    }
    return done(begin, count, sum);
}

enum { KEYS = 1024 };

static int dict_calls(const pp_ticket_t *ticket, uint64_t count)
{
    pp_dict_t *dict = NULL;
    uint64_t sum = 0;
    must(pp_dict_from_ticket(ticket, &dict, &error));
    uint64_t begin = start();
    for (uint64_t i = 0; i < count; i++) {
        pp_message_t *message = NULL;
        int64_t value = -1, key = (int64_t)(i % KEYS);
        must(pp_dict_get(dict, pp_int(key), &message, NULL, &error));
        must(pp_message_int(message, &value, &error));
        sum += value == key;
        pp_message_free(message);
    }
    return done(begin, count, sum);
}

static int produce(pp_queue_t *queue, size_t size, uint64_t first, uint64_t count)
{
    unsigned char *buffer = aligned_alloc(64, (size + 63) / 64 * 64);
    uint64_t sum = 0;
    if (buffer == NULL) {
        return 1;
    }
    memset(buffer, 0x5a, size);
    uint64_t begin = start();
    for (uint64_t number = first; number < first + count; number++) {
        uint64_t last = ~number;
        memcpy(buffer, &number, 8);
        memcpy(buffer + size - 8, &last, 8);
        must(pp_queue_put(queue, pp_raw(buffer, size), PP_FOREVER, &error));
        sum += number;
    }
    return done(begin, count, sum);
}

static int consume(pp_queue_t *queue, size_t size, uint64_t count, bool ordered)
{
    uint64_t sum = 0, begin = start();
    for (uint64_t i = 0; i < count; i++) {
        pp_message_t *message = NULL;
        uint64_t number = 0, last = 0;
        size_t len = 0;
        must(pp_queue_get(queue, PP_FOREVER, &message, &error));
        const unsigned char *bytes = pp_message_data(message, &len);
        if (len == size) {
            memcpy(&number, bytes, 8);
            memcpy(&last, bytes + size - 8, 8);
        }
        if (len != size || last != ~number || (ordered && number != i)) {
            fprintf(stderr, "member.c: message %" PRIu64 " arrived as %" PRIu64 ", %zu bytes\n", i, number, len);
            return 1;
        }
        sum += number;
        pp_message_free(message);
    }
    return done(begin, count, sum);
}

int main(int argc, char **argv)
{
    bool calls = argc == 7 && strcmp(argv[1], "call") == 0;
    pp_fabric_t *fabric = NULL;
    pp_queue_t *queue = NULL;
    pp_ticket_t ticket;
    if (!calls && argc != 10) {
        fprintf(stderr, "member.c: see its top\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(argv[calls ? 4 : 6]);
    must(pp_fabric_attach(atoi(argv[argc - 2]), &fabric, &error));
    must(pp_ticket_from_text(argv[argc - 1], &ticket, &error));
    if (calls) {
        uint64_t count = strtoull(argv[3], NULL, 10);
        return (argv[2][0] == 'l' ? lock_calls : argv[2][0] == 'q' ? queue_calls : dict_calls)(&ticket, count);
    }
    size_t size = strtoull(argv[2], NULL, 10);
    uint64_t first = strtoull(argv[3], NULL, 10), count = strtoull(argv[4], NULL, 10);
    must(pp_queue_from_ticket(&ticket, &queue, &error));
    return argv[1][0] == 'p' ? produce(queue, size, first, count) : consume(queue, size, count, strcmp(argv[5], "ordered") == 0);
}
