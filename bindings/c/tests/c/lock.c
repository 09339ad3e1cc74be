/* Lock: every function, with good and bad input. */
#include "check.h"

#include <poll.h>
#include <sys/wait.h>

static void bad_input(const pp_fabric_t *fabric, const pp_lock_t *lock)
{
    pp_lock_t *other = NULL;
    pp_ticket_t ticket;
    uint64_t owner;
    pp_pollable_t *pollable;
    BAD("fabric", pp_lock_open(NULL, "a", PP_CREATE, &other, &error));
    BAD("lock", pp_lock_open(fabric, "a", PP_CREATE, NULL, &error));
    BAD("name", pp_lock_open(fabric, NULL, PP_OPEN, &other, &error));
    BAD("how", pp_lock_open(fabric, "a", 7, &other, &error));
    BAD("UTF-8", pp_lock_open(fabric, "\xff", PP_CREATE, &other, &error));
    EXPECT(PP_BAD_NAME, NULL, pp_lock_open(fabric, "", PP_CREATE, &other, &error));
    EXPECT(PP_NOT_FOUND, "nowhere", pp_lock_open(fabric, "nowhere", PP_OPEN, &other, &error));
    BAD("lock", pp_lock_acquire(NULL, 0, &error));
    BAD("lock", pp_lock_release(NULL, &error));
    BAD("lock", pp_lock_owner(NULL, &owner, &error));
    BAD("owner", pp_lock_owner(lock, NULL, &error));
    BAD("lock", pp_lock_ticket(NULL, false, &ticket, &error));
    BAD("ticket", pp_lock_ticket(lock, false, NULL, &error));
    BAD("ticket", pp_lock_from_ticket(NULL, &other, &error));
    BAD("lock", pp_lock_destroy(NULL, &error));
    BAD("lock", pp_lock_pollable(NULL, &pollable, &error));
    BAD("pollable", pp_lock_pollable(lock, NULL, &error));
    CHECK(other == NULL);
    CHECK(pp_lock_acquire(NULL, 0, NULL) == PP_INVALID_ARGUMENT);
    pp_lock_free(NULL);
}

static void tickets(const pp_fabric_t *fabric)
{
    pp_lock_t *lock, *same;
    pp_ticket_t ticket, again;
    char text[PP_TICKET_TEXT];
    uint8_t id[16];
    OK(pp_lock_open(fabric, NULL, PP_CREATE, &lock, &error));
    OK(pp_lock_ticket(lock, true, &ticket, &error));
    OK(pp_ticket_to_text(&ticket, text, &error));
    CHECK(strlen(text) == 80);
    OK(pp_ticket_from_text(text, &again, &error));
    CHECK(memcmp(&ticket, &again, sizeof ticket) == 0);
    CHECK(pp_ticket_kind(&ticket) == PP_KIND_LOCK);
    CHECK(pp_ticket_kind(NULL) == 0);
    OK(pp_ticket_fabric(&ticket, id, &error));
    OK(pp_lock_from_ticket(&ticket, &same, &error));
    OK(pp_lock_acquire(lock, 0, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_lock_acquire(same, 1000, &error));
    OK(pp_lock_release(same, &error));
    pp_lock_free(lock); /* lent only: it goes with its maker's handle */
    EXPECT(PP_GONE, NULL, pp_lock_acquire(same, 0, &error));
    pp_lock_free(same);
    EXPECT(PP_DECODE, NULL, pp_ticket_from_text("00", &again, &error));
    BAD("text", pp_ticket_from_text(NULL, &again, &error));
    BAD("ticket", pp_ticket_to_text(NULL, text, &error));
    BAD("text", pp_ticket_to_text(&ticket, NULL, &error));
    BAD("id", pp_ticket_fabric(&ticket, NULL, &error));
    memset(&ticket, 0, sizeof ticket);
    EXPECT(PP_NOT_ATTACHED, NULL, pp_lock_from_ticket(&ticket, &same, &error));
}

static void an_event_loop(const pp_lock_t *lock)
{
    pp_pollable_t *pollable;
    struct pollfd fd;
    OK(pp_lock_acquire(lock, PP_FOREVER, &error));
    OK(pp_lock_pollable(lock, &pollable, &error));
    OK(pp_pollable_fd(pollable, &fd.fd, &error));
    fd.events = POLLIN;
    CHECK(poll(&fd, 1, 0) == 0);
    EXPECT(PP_TIMEOUT, NULL, pp_pollable_wait(pollable, PP_MILLISECOND, &error));
    OK(pp_lock_release(lock, &error));
    CHECK(poll(&fd, 1, 30000) == 1);
    OK(pp_pollable_wait(pollable, PP_FOREVER, &error));
    OK(pp_pollable_rearm(pollable, &error));
    BAD("pollable", pp_pollable_rearm(NULL, &error));
    BAD("pollable", pp_pollable_wait(NULL, 0, &error));
    BAD("pollable", pp_pollable_fd(NULL, &fd.fd, &error));
    BAD("fd", pp_pollable_fd(pollable, NULL, &error));
    pp_pollable_free(pollable);
    pp_pollable_free(NULL);
}

static void a_forked_child_dies_with_it(const pp_lock_t *lock)
{
    int status;
    uint64_t owner = 1;
    pid_t child = fork();
    if (child == 0) {
        check_leave(pp_lock_acquire(lock, PP_FOREVER, NULL) == PP_OK);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(pp_lock_owner(lock, &owner, &error));
    CHECK(owner == 0);
    EXPECT(PP_OWNER_DIED, "died", pp_lock_acquire(lock, 30 * PP_SECOND, &error));
    OK(pp_lock_owner(lock, &owner, &error));
    CHECK(owner != 0);
    OK(pp_lock_release(lock, &error));
    EXPECT(PP_NOT_HELD, NULL, pp_lock_release(lock, &error));
}

int main(void)
{
    pp_fabric_t *fabric = check_fabric();
    pp_lock_t *lock, *same;
    OK(pp_lock_open(fabric, "lock", PP_CREATE, &lock, &error));
    EXPECT(PP_ALREADY_EXISTS, "lock", pp_lock_open(fabric, "lock", PP_CREATE, &same, &error));
    OK(pp_lock_open(fabric, "lock", PP_OPEN, &same, &error));
    pp_lock_free(same);
    OK(pp_lock_open(fabric, "lock", PP_OPEN_OR_CREATE, &same, &error));
    bad_input(fabric, lock);
    tickets(fabric);
    an_event_loop(lock);
    a_forked_child_dies_with_it(lock);
    OK(pp_lock_destroy(lock, &error));
    EXPECT(PP_GONE, NULL, pp_lock_destroy(lock, &error));
    EXPECT(PP_GONE, NULL, pp_lock_acquire(same, 0, &error));
    pp_fabric_free(fabric); /* in any order */
    pp_lock_free(lock);
    pp_lock_free(same);
    return 0;
}
