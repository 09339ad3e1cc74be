/* RLock, Semaphore, RwLock, Event, Barrier: every function, with good and bad input, in threads and forked children. */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static pp_fabric_t *fabric;

static void child_ends_well(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void *release_in_another_thread(void *rlock)
{
    EXPECT(PP_NOT_HELD, "thread", pp_rlock_release((pp_rlock_t *)rlock, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_rlock_acquire((pp_rlock_t *)rlock, 0, &error));
    return NULL;
}

static void rlocks(void)
{
    pp_rlock_t *rlock, *same;
    pp_ticket_t ticket;
    pp_pollable_t *pollable;
    pthread_t thread;
    uint64_t owner, depth;
    pid_t child;
    OK(pp_rlock_open(fabric, "rlock", PP_CREATE, &rlock, &error));
    OK(pp_rlock_acquire(rlock, 0, &error));
    OK(pp_rlock_acquire(rlock, PP_FOREVER, &error));
    OK(pp_rlock_depth(rlock, &depth, &error));
    CHECK(depth == 2);
    OK(pp_rlock_owner(rlock, &owner, &error));
    CHECK(owner != 0);
    CHECK(pthread_create(&thread, NULL, release_in_another_thread, rlock) == 0 && pthread_join(thread, NULL) == 0);
    OK(pp_rlock_release(rlock, &error));
    OK(pp_rlock_release(rlock, &error));
    EXPECT(PP_NOT_HELD, NULL, pp_rlock_release(rlock, &error));
    OK(pp_rlock_pollable(rlock, &pollable, &error));
    OK(pp_pollable_wait(pollable, 30 * PP_SECOND, &error));
    pp_pollable_free(pollable);
    child = fork();
    if (child == 0) {
        check_leave(pp_rlock_acquire(rlock, PP_FOREVER, NULL) == PP_OK);
    }
    child_ends_well(child);
    EXPECT(PP_OWNER_DIED, NULL, pp_rlock_acquire(rlock, 30 * PP_SECOND, &error));
    OK(pp_rlock_release(rlock, &error));
    OK(pp_rlock_ticket(rlock, false, &ticket, &error));
    OK(pp_rlock_from_ticket(&ticket, &same, &error));
    OK(pp_rlock_destroy(same, &error));
    EXPECT(PP_GONE, NULL, pp_rlock_acquire(rlock, 0, &error));
    pp_rlock_free(same);
    pp_rlock_free(rlock);
}

static void semaphores(void)
{
    pp_semaphore_t *bounded, *plain, *same;
    pp_ticket_t ticket;
    pp_pollable_t *pollable;
    uint32_t value, held;
    int64_t bound;
    OK(pp_semaphore_open(fabric, "bounded", PP_CREATE, 2, true, &bounded, &error));
    OK(pp_semaphore_open(fabric, NULL, PP_CREATE, 0, false, &plain, &error));
    OK(pp_semaphore_acquire(bounded, 2, PP_FOREVER, &error));
    OK(pp_semaphore_held(bounded, &held, &error));
    OK(pp_semaphore_value(bounded, &value, &error));
    CHECK(held == 2 && value == 0);
    EXPECT(PP_TIMEOUT, NULL, pp_semaphore_acquire(bounded, 1, 0, &error));
    OK(pp_semaphore_release(bounded, 2, &error));
    EXPECT(PP_NOT_HELD, NULL, pp_semaphore_release(bounded, 1, &error));
    OK(pp_semaphore_bound(bounded, &bound, &error));
    CHECK(bound == 2);
    OK(pp_semaphore_bound(plain, &bound, &error));
    CHECK(bound == -1);
    OK(pp_semaphore_release(plain, 3, &error));
    OK(pp_semaphore_pollable(plain, &pollable, &error));
    OK(pp_pollable_wait(pollable, PP_FOREVER, &error));
    pp_pollable_free(pollable);
    OK(pp_semaphore_open(fabric, "bounded", PP_OPEN, 0, true, &same, &error));
    pp_semaphore_free(same);
    OK(pp_semaphore_ticket(bounded, true, &ticket, &error));
    OK(pp_semaphore_from_ticket(&ticket, &same, &error));
    OK(pp_semaphore_destroy(same, &error));
    EXPECT(PP_GONE, NULL, pp_semaphore_acquire(bounded, 1, 0, &error));
    pp_semaphore_free(same);
    pp_semaphore_free(plain);
    pp_semaphore_free(bounded);
}

static void rwlocks(void)
{
    pp_rwlock_t *rwlock, *same;
    pp_ticket_t ticket;
    uint64_t readers, owner;
    pid_t child;
    OK(pp_rwlock_open(fabric, "rwlock", PP_CREATE, &rwlock, &error));
    OK(pp_rwlock_acquire_read(rwlock, PP_FOREVER, &error));
    OK(pp_rwlock_readers(rwlock, &readers, &error));
    CHECK(readers == 1);
    EXPECT(PP_TIMEOUT, NULL, pp_rwlock_acquire_write(rwlock, 0, &error));
    OK(pp_rwlock_release_read(rwlock, &error));
    EXPECT(PP_NOT_HELD, NULL, pp_rwlock_release_read(rwlock, &error));
    OK(pp_rwlock_acquire_write(rwlock, PP_FOREVER, &error));
    OK(pp_rwlock_writer(rwlock, &owner, &error));
    CHECK(owner != 0);
    OK(pp_rwlock_release_write(rwlock, &error));
    EXPECT(PP_NOT_HELD, NULL, pp_rwlock_release_write(rwlock, &error));
    child = fork();
    if (child == 0) {
        check_leave(pp_rwlock_acquire_write(rwlock, PP_FOREVER, NULL) == PP_OK);
    }
    child_ends_well(child);
    EXPECT(PP_OWNER_DIED, NULL, pp_rwlock_acquire_read(rwlock, 30 * PP_SECOND, &error));
    OK(pp_rwlock_release_read(rwlock, &error));
    OK(pp_rwlock_ticket(rwlock, false, &ticket, &error));
    OK(pp_rwlock_from_ticket(&ticket, &same, &error));
    OK(pp_rwlock_destroy(same, &error));
    pp_rwlock_free(same);
    pp_rwlock_free(rwlock);
}

static void events(void)
{
    pp_event_t *event, *same;
    pp_ticket_t ticket;
    pp_pollable_t *pollable;
    bool set = true;
    OK(pp_event_open(fabric, "event", PP_OPEN_OR_CREATE, &event, &error));
    OK(pp_event_is_set(event, &set, &error));
    CHECK(!set);
    EXPECT(PP_TIMEOUT, "not set", pp_event_wait(event, PP_MILLISECOND, &error));
    OK(pp_event_set(event, &error));
    OK(pp_event_wait(event, PP_FOREVER, &error));
    OK(pp_event_pollable(event, &pollable, &error));
    OK(pp_pollable_wait(pollable, PP_FOREVER, &error));
    pp_pollable_free(pollable);
    OK(pp_event_clear(event, &error));
    OK(pp_event_ticket(event, false, &ticket, &error));
    OK(pp_event_from_ticket(&ticket, &same, &error));
    OK(pp_event_destroy(same, &error));
    EXPECT(PP_GONE, NULL, pp_event_wait(event, PP_FOREVER, &error));
    pp_event_free(same);
    pp_event_free(event);
}

static pp_event_t *never;

static void on_alarm(int number)
{
    (void)number;
    pp_interrupt_waits();
}

static void a_signal_ends_a_wait(void)
{
    struct sigaction action;
    OK(pp_event_open(fabric, NULL, PP_CREATE, &never, &error));
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    action.sa_flags = SA_RESTART;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    alarm(1);
    EXPECT(PP_INTERRUPTED, NULL, pp_event_wait(never, PP_FOREVER, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_event_wait(never, PP_MILLISECOND, &error));
    pp_event_free(never);
}

static int32_t count_up(void *context)
{
    *(int *)context += 1;
    return 0;
}

static int32_t refuse(void *context)
{
    (void)context;
    return 7;
}

static void *be_a_party(void *barrier)
{
    size_t index = 9;
    OK(pp_barrier_wait((pp_barrier_t *)barrier, PP_FOREVER, &index, &error));
    CHECK(index < 2);
    return NULL;
}

static void barriers(void)
{
    pp_barrier_t *barrier, *same;
    pp_ticket_t ticket;
    pthread_t thread;
    size_t index = 9, parties, waiting;
    bool broken;
    int runs = 0;
    OK(pp_barrier_open(fabric, "barrier", PP_CREATE, 2, PP_FOREVER, &barrier, &error));
    CHECK(pthread_create(&thread, NULL, be_a_party, barrier) == 0);
    OK(pp_barrier_wait(barrier, 60 * PP_SECOND, &index, &error));
    CHECK(pthread_join(thread, NULL) == 0);
    OK(pp_barrier_parties(barrier, &parties, &error));
    OK(pp_barrier_n_waiting(barrier, &waiting, &error));
    CHECK(parties == 2 && waiting == 0);
    EXPECT(PP_BROKEN_BARRIER, NULL, pp_barrier_wait(barrier, PP_MILLISECOND, NULL, &error));
    OK(pp_barrier_broken(barrier, &broken, &error));
    CHECK(broken);
    OK(pp_barrier_reset(barrier, &error));
    OK(pp_barrier_abort(barrier, &error));
    EXPECT(PP_BROKEN_BARRIER, NULL, pp_barrier_wait(barrier, PP_FOREVER, NULL, &error));
    OK(pp_barrier_reset(barrier, &error));
    alarm(1);
    EXPECT(PP_INTERRUPTED, NULL, pp_barrier_wait(barrier, PP_FOREVER, NULL, &error));
    EXPECT(PP_BROKEN_BARRIER, NULL, pp_barrier_wait(barrier, 0, NULL, &error));
    OK(pp_barrier_ticket(barrier, false, &ticket, &error));
    OK(pp_barrier_from_ticket(&ticket, &same, &error));
    OK(pp_barrier_destroy(same, &error));
    pp_barrier_free(same);
    pp_barrier_free(barrier);
    OK(pp_barrier_open(fabric, NULL, PP_CREATE, 1, PP_FOREVER, &barrier, &error));
    OK(pp_barrier_wait_then(barrier, PP_FOREVER, count_up, &runs, &index, &error));
    CHECK(runs == 1 && index == 0);
    EXPECT(PP_BROKEN_BARRIER, "7", pp_barrier_wait_then(barrier, PP_FOREVER, refuse, NULL, NULL, &error));
    BAD("action", pp_barrier_wait_then(barrier, PP_FOREVER, NULL, NULL, NULL, &error));
    pp_barrier_free(barrier);
}

static pp_condition_t *condition;

static void *notify_one(void *count)
{
    size_t woken = 0;
    while (woken == 0) {
        OK(pp_condition_acquire(condition, PP_FOREVER, &error));
        *(int *)count += 1;
        OK(pp_condition_notify(condition, 1, &woken, &error));
        OK(pp_condition_release(condition, &error));
    }
    return NULL;
}

static void conditions(void)
{
    pp_condition_t *same;
    pp_pending_wait_t *pending;
    pp_lock_t *lock;
    pp_ticket_t ticket;
    pthread_t thread;
    int count = 0;
    int32_t fd;
    OK(pp_condition_open(fabric, "condition", PP_CREATE, NULL, &condition, &error));
    EXPECT(PP_NOT_HELD, NULL, pp_condition_wait(condition, 0, &error));
    EXPECT(PP_NOT_HELD, NULL, pp_condition_notify(condition, 1, NULL, &error));
    EXPECT(PP_NOT_HELD, NULL, pp_condition_release(condition, &error));
    OK(pp_condition_acquire(condition, PP_FOREVER, &error));
    EXPECT(PP_TIMEOUT, "lock is held", pp_condition_wait(condition, PP_MILLISECOND, &error));
    CHECK(pthread_create(&thread, NULL, notify_one, &count) == 0);
    OK(pp_condition_wait(condition, 60 * PP_SECOND, &error));
    CHECK(count > 0);
    OK(pp_condition_release(condition, &error));
    CHECK(pthread_join(thread, NULL) == 0);
    OK(pp_condition_acquire(condition, PP_FOREVER, &error));
    alarm(1);
    EXPECT(PP_INTERRUPTED, NULL, pp_condition_wait(condition, PP_FOREVER, &error));
    OK(pp_condition_begin_wait(condition, &pending, &error));
    OK(pp_pending_wait_fd(pending, &fd, &error));
    CHECK(fd >= 0);
    EXPECT(PP_TIMEOUT, NULL, pp_pending_wait_wait(pending, PP_MILLISECOND, &error));
    CHECK(pthread_create(&thread, NULL, notify_one, &count) == 0);
    OK(pp_pending_wait_wait(pending, 60 * PP_SECOND, &error));
    CHECK(pthread_join(thread, NULL) == 0);
    OK(pp_pending_wait_finish(pending, &error));
    EXPECT(PP_CLOSED, NULL, pp_pending_wait_finish(pending, &error));
    EXPECT(PP_CLOSED, NULL, pp_pending_wait_fd(pending, &fd, &error));
    pp_pending_wait_free(pending);
    OK(pp_condition_release(condition, &error));
    OK(pp_condition_ticket(condition, false, &ticket, &error));
    OK(pp_condition_from_ticket(&ticket, &same, &error));
    OK(pp_condition_destroy(same, &error));
    EXPECT(PP_GONE, NULL, pp_condition_acquire(condition, 0, &error));
    pp_condition_free(same);
    pp_condition_free(condition);
    OK(pp_lock_open(fabric, NULL, PP_CREATE, &lock, &error));
    OK(pp_lock_ticket(lock, false, &ticket, &error));
    OK(pp_condition_open(fabric, NULL, PP_CREATE, &ticket, &condition, &error));
    OK(pp_condition_acquire(condition, 0, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_lock_acquire(lock, 0, &error));
    OK(pp_condition_release(condition, &error));
    pp_condition_free(condition);
    pp_lock_free(lock);
}

int main(void)
{
    fabric = check_fabric();
    rlocks();
    semaphores();
    rwlocks();
    events();
    a_signal_ends_a_wait();
    barriers();
    conditions();
    pp_fabric_free(fabric);
    return 0;
}
