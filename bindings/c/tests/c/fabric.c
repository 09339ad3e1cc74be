/* Fabric: names, members, objects, checks; rings of events; and two processes, of which one is killed. */
#include "check.h"

#include <signal.h>
#include <sys/wait.h>

static void a_named_fabric(const char *name)
{
    pp_fabric_options_t options = PP_FABRIC_OPTIONS_INIT;
    pp_fabric_t *fabric, *other;
    pp_lock_t *lock;
    pp_member_t member;
    pp_object_t object;
    pp_report_t report;
    pp_ticket_t ticket;
    uint8_t id[16], same[16];
    uint64_t size, cap, me;
    size_t count, swept;
    int32_t fd;
    char text[300];
    bool alive;
    memset(text, 0, sizeof text);
    options.cap = 16 << 20;
    EXPECT(PP_NOT_FOUND, name, pp_fabric_open(name, PP_OPEN, NULL, &fabric, &error));
    options.backing = 9;
    BAD("backing", pp_fabric_open(name, PP_CREATE, &options, &fabric, &error));
    options.backing = PP_BACKING_MEMORY;
    OK(pp_fabric_open(name, PP_CREATE, &options, &fabric, &error));
    EXPECT(PP_ALREADY_EXISTS, name, pp_fabric_open(name, PP_CREATE, &options, &other, &error));
    OK(pp_fabric_name(fabric, text, sizeof text, &error));
    CHECK(strcmp(text, name) == 0);
    EXPECT(PP_TOO_LARGE, NULL, pp_fabric_name(fabric, text, 3, &error));
    OK(pp_fabric_size(fabric, &size, &cap, &error));
    CHECK(size <= cap && cap == options.cap);
    OK(pp_fabric_member(fabric, &me, &error));
    OK(pp_fabric_members(fabric, &member, 1, &count, &error));
    CHECK(count == 1 && member.owner == me && member.pid == (uint32_t)getpid() && member.alive == 1);
    OK(pp_fabric_members(fabric, NULL, 0, &count, &error));
    BAD("members", pp_fabric_members(fabric, NULL, 1, &count, &error));
    OK(pp_fabric_is_alive(fabric, me, &alive, &error));
    CHECK(alive);
    OK(pp_lock_open(fabric, "a lock", PP_CREATE, &lock, &error));
    OK(pp_fabric_id(fabric, id, &error));
    OK(pp_lock_ticket(lock, false, &ticket, &error));
    OK(pp_ticket_fabric(&ticket, same, &error));
    CHECK(memcmp(id, same, 16) == 0);
    OK(pp_fabric_objects(fabric, &object, 1, &count, &error));
    CHECK(count == 1 && strcmp(object.name, "a lock") == 0 && object.kind == PP_KIND_LOCK && object.owner == 0);
    OK(pp_fabric_remove(fabric, "a lock", &error));
    EXPECT(PP_NOT_FOUND, "a lock", pp_fabric_remove(fabric, "a lock", &error));
    pp_lock_free(lock);
    OK(pp_fabric_sweep(fabric, &swept, &error));
    OK(pp_fabric_check(fabric, &report, &error));
    CHECK(report.problems == 0 && report.members == 1);
    OK(pp_fabric_fd(fabric, &fd, &error));
    OK(pp_fabric_set_current(fabric, &error));
    OK(pp_fabric_current(&other, &error));
    OK(pp_fabric_id(other, same, &error));
    CHECK(memcmp(id, same, 16) == 0);
    pp_fabric_free(other);
    BAD("fd", pp_fabric_attach(9999, &other, &error));
    {
        FILE *file = tmpfile();
        int pipes[2];
        CHECK(file != NULL && pipe(pipes) == 0);
        CHECK(fwrite(text, sizeof text, 1, file) == 1 && fflush(file) == 0);
        EXPECT(PP_NOT_A_FABRIC, NULL, pp_fabric_attach(fileno(file), &other, &error));
        EXPECT(PP_OS, NULL, pp_fabric_attach(pipes[0], &other, &error));
        {
            pp_error_t *error = NULL;
            CHECK(pp_fabric_attach(pipes[0], &other, &error) == PP_OS && pp_error_os(error) != 0);
            pp_error_free(error);
        }
        CHECK(fclose(file) == 0 && close(pipes[0]) == 0 && close(pipes[1]) == 0);
    }
    other = check_fabric();
    OK(pp_fabric_set_current(other, &error));
    pp_fabric_free(other);
    pp_fabric_free(fabric);
    OK(pp_collect_names(NULL, &error));
    CHECK(pp_available_cpus() >= 1 && pp_out_of_memory_kills() >= -1);
}

static void rings_of_events(void)
{
    pp_fabric_t *fabric = check_fabric();
    pp_events_t *events, *same;
    pp_history_t *history;
    pp_event_record_t record;
    pp_ticket_t ticket;
    size_t count, capacity;
    uint64_t overwritten, torn, next;
    OK(pp_events_open(fabric, "ring", PP_CREATE, 100, &events, &error));
    OK(pp_events_capacity(events, &capacity, &error));
    CHECK(capacity >= 100);
    OK(pp_events_record(events, 1, "resize", 7, 42, &error));
    OK(pp_events_record_at(events, pp_events_now(), 2, NULL, 8, 43, &error));
    OK(pp_events_read(events, 0, &history, &error));
    OK(pp_history_counts(history, &count, &overwritten, &torn, &next, &error));
    CHECK(count == 2 && overwritten == 0 && torn == 0 && next == 2);
    OK(pp_history_get(history, 0, &record, &error));
    CHECK(record.kind == 1 && strcmp(record.name, "resize") == 0 && record.who == 7 && record.value == 42);
    OK(pp_history_get(history, 1, &record, &error));
    CHECK(record.name == NULL && record.number == 1);
    EXPECT(PP_NOT_FOUND, NULL, pp_history_get(history, 2, &record, &error));
    pp_history_free(history);
    OK(pp_events_ticket(events, false, &ticket, &error));
    OK(pp_events_from_ticket(&ticket, &same, &error));
    OK(pp_events_destroy(same, &error));
    pp_events_free(same);
    pp_events_free(events);
    pp_fabric_free(fabric);
}

/* A producer that is killed while it holds a lock and has a message on lease. */
static void be_killed(const char *name, int ready)
{
    pp_fabric_t *fabric;
    pp_lock_t *lock;
    pp_queue_t *queue;
    pp_lease_t *lease;
    OK(pp_fabric_open(name, PP_OPEN, NULL, &fabric, &error));
    OK(pp_lock_open(fabric, "lock", PP_OPEN, &lock, &error));
    OK(pp_queue_open(fabric, "queue", PP_OPEN, NULL, &queue, &error));
    OK(pp_queue_put(queue, pp_text("precious"), PP_FOREVER, &error));
    OK(pp_lock_acquire(lock, PP_FOREVER, &error));
    OK(pp_queue_lease(queue, 0, PP_FOREVER, &lease, &error));
    CHECK(write(ready, "x", 1) == 1);
    for (;;) {
        pause();
    }
}

static void survive_a_kill(const char *name, const char *self)
{
    pp_fabric_options_t options = PP_FABRIC_OPTIONS_INIT;
    pp_fabric_t *fabric;
    pp_lock_t *lock;
    pp_queue_t *queue;
    pp_lease_t *lease;
    const char *text;
    size_t len;
    int fds[2], status;
    char byte, number[20];
    pid_t child;
    options.cap = 16 << 20;
    OK(pp_fabric_open(name, PP_CREATE, &options, &fabric, &error));
    OK(pp_lock_open(fabric, "lock", PP_CREATE, &lock, &error));
    OK(pp_queue_open(fabric, "queue", PP_CREATE, NULL, &queue, &error));
    CHECK(pipe(fds) == 0);
    snprintf(number, sizeof number, "%d", fds[1]);
    child = fork();
    if (child == 0) {
        execl(self, self, "be-killed", name, number, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    CHECK(read(fds[0], &byte, 1) == 1);
    EXPECT(PP_TIMEOUT, NULL, pp_lock_acquire(lock, 0, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_queue_lease(queue, 0, 0, &lease, &error));
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    EXPECT(PP_OWNER_DIED, "died", pp_lock_acquire(lock, 60 * PP_SECOND, &error));
    OK(pp_queue_lease(queue, 0, 60 * PP_SECOND, &lease, &error));
    CHECK(pp_lease_deliveries(lease) == 2);
    OK(pp_message_text(pp_lease_message(lease), &text, &len, &error));
    CHECK(len == 8 && memcmp(text, "precious", 8) == 0);
    OK(pp_lease_ack(lease, &error));
    pp_lease_free(lease);
    OK(pp_lock_release(lock, &error));
    close(fds[0]);
    pp_queue_free(queue);
    pp_lock_free(lock);
    pp_fabric_free(fabric);
}

int main(int count, char **arguments)
{
    char name[64];
    if (count == 4 && strcmp(arguments[1], "be-killed") == 0) {
        be_killed(arguments[2], atoi(arguments[3]));
    }
    snprintf(name, sizeof name, "c-fabric-%d", (int)getpid());
    a_named_fabric(name);
    rings_of_events();
    snprintf(name, sizeof name, "c-survive-%d", (int)getpid());
    survive_a_kill(name, arguments[0]);
    return 0;
}
