/* Locks, and the other things that processes wait for. */
#include "driver.h"

TRAVELS(lock)

static int32_t open_lock(step_t *step, const char *name, int32_t how, void **handle)
{
    pp_lock_t *made = NULL;
    int32_t status = pp_lock_open(world_fabric(), name, how, &made, &step->error);
    *handle = made;
    return status;
}

static int32_t lock_acquire(step_t *step, void *lock)
{
    return say_acquired(step, pp_lock_acquire(lock, step->timeout, &step->error));
}

static int32_t lock_release(step_t *step, void *lock)
{
    return pp_lock_release(lock, &step->error);
}

static int32_t lock_locked(step_t *step, void *lock)
{
    uint64_t owner = 0;
    int32_t status = pp_lock_owner(lock, &owner, &step->error);
    return say_bool(step, status, &(bool){owner != 0});
}

static const row_t LOCK_ROWS[] = {
    {"acquire", "", lock_acquire}, {"release", "", lock_release}, {"locked", "", lock_locked}, {"destroy", "", lock_destroy}, {NULL, NULL, NULL},
};

const kind_t LOCK = {"lock", LOCK_ROWS, lock_free, open_lock, PP_KIND_LOCK, lock_of, lock_ticket};

TRAVELS(rlock)

static int32_t open_rlock(step_t *step, const char *name, int32_t how, void **handle)
{
    pp_rlock_t *made = NULL;
    int32_t status = pp_rlock_open(world_fabric(), name, how, &made, &step->error);
    *handle = made;
    return status;
}

static int32_t rlock_acquire(step_t *step, void *rlock)
{
    return say_acquired(step, pp_rlock_acquire(rlock, step->timeout, &step->error));
}

static int32_t rlock_release(step_t *step, void *rlock)
{
    return pp_rlock_release(rlock, &step->error);
}

static int32_t rlock_locked(step_t *step, void *rlock)
{
    uint64_t owner = 0;
    int32_t status = pp_rlock_owner(rlock, &owner, &step->error);
    return say_bool(step, status, &(bool){owner != 0});
}

static int32_t rlock_depth(step_t *step, void *rlock)
{
    uint64_t depth = 0;
    int32_t status = pp_rlock_depth(rlock, &depth, &step->error);
    return say_int(step, status, &(int64_t){(int64_t)depth});
}

static const row_t RLOCK_ROWS[] = {
    {"acquire", "", rlock_acquire}, {"release", "", rlock_release}, {"locked", "", rlock_locked}, {"depth", "", rlock_depth},
    {"destroy", "", rlock_destroy}, {NULL, NULL, NULL},
};

const kind_t RLOCK = {"rlock", RLOCK_ROWS, rlock_free, open_rlock, PP_KIND_RLOCK, rlock_of, rlock_ticket};

TRAVELS(rwlock)

static int32_t open_rwlock(step_t *step, const char *name, int32_t how, void **handle)
{
    pp_rwlock_t *made = NULL;
    int32_t status = pp_rwlock_open(world_fabric(), name, how, &made, &step->error);
    *handle = made;
    return status;
}

static int32_t acquire_read(step_t *step, void *rwlock)
{
    return say_acquired(step, pp_rwlock_acquire_read(rwlock, step->timeout, &step->error));
}

static int32_t acquire_write(step_t *step, void *rwlock)
{
    return say_acquired(step, pp_rwlock_acquire_write(rwlock, step->timeout, &step->error));
}

static int32_t release_read(step_t *step, void *rwlock)
{
    return pp_rwlock_release_read(rwlock, &step->error);
}

static int32_t release_write(step_t *step, void *rwlock)
{
    return pp_rwlock_release_write(rwlock, &step->error);
}

static int32_t readers(step_t *step, void *rwlock)
{
    uint64_t count = 0;
    int32_t status = pp_rwlock_readers(rwlock, &count, &step->error);
    return say_int(step, status, &(int64_t){(int64_t)count});
}

static int32_t rwlock_locked(step_t *step, void *rwlock)
{
    uint64_t count = 0, writer = 0;
    int32_t status = pp_rwlock_readers(rwlock, &count, &step->error);
    if (status == PP_OK) {
        status = pp_rwlock_writer(rwlock, &writer, &step->error);
    }
    return say_bool(step, status, &(bool){count > 0 || writer != 0});
}

static const row_t RWLOCK_ROWS[] = {
    {"acquire_read", "", acquire_read}, {"acquire_write", "", acquire_write}, {"release_read", "", release_read},
    {"release_write", "", release_write},
    {"readers", "", readers}, {"locked", "", rwlock_locked}, {"destroy", "", rwlock_destroy}, {NULL, NULL, NULL},
};

const kind_t RWLOCK = {"rwlock", RWLOCK_ROWS, rwlock_free, open_rwlock, PP_KIND_RWLOCK, rwlock_of, rwlock_ticket};

TRAVELS(semaphore)

static int32_t open_either(step_t *step, const char *name, int32_t how, bool bounded, void **handle)
{
    pp_semaphore_t *made = NULL;
    int32_t status = pp_semaphore_open(world_fabric(), name, how, (uint32_t)step_option(step, "value", 1), bounded, &made, &step->error);
    *handle = made;
    return status;
}

static int32_t open_semaphore(step_t *step, const char *name, int32_t how, void **handle)
{
    return open_either(step, name, how, false, handle);
}

static int32_t open_bounded(step_t *step, const char *name, int32_t how, void **handle)
{
    return open_either(step, name, how, true, handle);
}

/* An argument that is 1 where it is left out. */
static int64_t one_or_more(const step_t *step)
{
    return step->args[0].integer == PP_NONE ? 1 : step->args[0].integer;
}

static int32_t semaphore_acquire(step_t *step, void *semaphore)
{
    int32_t status = pp_semaphore_acquire(semaphore, (uint32_t)one_or_more(step), step->timeout, &step->error);
    return say_bool(step, status, &(bool){true});
}

static int32_t semaphore_release(step_t *step, void *semaphore)
{
    return pp_semaphore_release(semaphore, (uint32_t)one_or_more(step), &step->error);
}

static int32_t semaphore_value(step_t *step, void *semaphore)
{
    uint32_t value = 0;
    int32_t status = pp_semaphore_value(semaphore, &value, &step->error);
    return say_int(step, status, &(int64_t){value});
}

static int32_t semaphore_locked(step_t *step, void *semaphore)
{
    uint32_t value = 0;
    int32_t status = pp_semaphore_value(semaphore, &value, &step->error);
    return say_bool(step, status, &(bool){value == 0});
}

static int32_t held(step_t *step, void *semaphore)
{
    uint32_t count = 0;
    int32_t status = pp_semaphore_held(semaphore, &count, &step->error);
    return say_int(step, status, &(int64_t){count});
}

static int32_t bound(step_t *step, void *semaphore)
{
    int64_t most = -1;
    int32_t status = pp_semaphore_bound(semaphore, &most, &step->error);
    return most < 0 ? status : say_int(step, status, &most);
}

static const row_t SEMAPHORE_ROWS[] = {
    {"acquire", "o", semaphore_acquire}, {"release", "o", semaphore_release}, {"value", "", semaphore_value}, {"locked", "", semaphore_locked},
    {"held", "", held}, {"bound", "", bound}, {"destroy", "", semaphore_destroy}, {NULL, NULL, NULL},
};

const kind_t SEMAPHORE = {"semaphore", SEMAPHORE_ROWS, semaphore_free, open_semaphore, PP_KIND_SEMAPHORE, semaphore_of, semaphore_ticket};
const kind_t BOUNDED_SEMAPHORE = {"bounded_semaphore", SEMAPHORE_ROWS, semaphore_free, open_bounded, PP_KIND_SEMAPHORE, semaphore_of, semaphore_ticket};

TRAVELS(event)

static int32_t open_event(step_t *step, const char *name, int32_t how, void **handle)
{
    pp_event_t *made = NULL;
    int32_t status = pp_event_open(world_fabric(), name, how, &made, &step->error);
    *handle = made;
    return status;
}

static int32_t event_set(step_t *step, void *event)
{
    return pp_event_set(event, &step->error);
}

static int32_t event_clear(step_t *step, void *event)
{
    return pp_event_clear(event, &step->error);
}

static int32_t is_set(step_t *step, void *event)
{
    bool set = false;
    return say_bool(step, pp_event_is_set(event, &set, &step->error), &set);
}

static int32_t event_wait(step_t *step, void *event)
{
    return say_in_time(step, pp_event_wait(event, step->timeout, &step->error));
}

static const row_t EVENT_ROWS[] = {
    {"set", "", event_set}, {"clear", "", event_clear}, {"is_set", "", is_set}, {"wait", "", event_wait}, {"destroy", "", event_destroy},
    {NULL, NULL, NULL},
};

const kind_t EVENT = {"event", EVENT_ROWS, event_free, open_event, PP_KIND_EVENT, event_of, event_ticket};

TRAVELS(condition)

static int32_t open_condition(step_t *step, const char *name, int32_t how, void **handle)
{
    const json_t *given = json_member(step->with, "lock");
    pp_condition_t *made = NULL;
    pp_ticket_t lock;
    bool on = given->type == JSON_TEXT && how == PP_CREATE;
    if (on && !world_ticket(given->text, &lock)) {
        return step_fault(step, "Driver", "%s is no lock", given->text);
    }
    int32_t status = pp_condition_open(world_fabric(), name, how, on ? &lock : NULL, &made, &step->error);
    *handle = made;
    return status;
}

static int32_t condition_acquire(step_t *step, void *condition)
{
    return say_acquired(step, pp_condition_acquire(condition, step->timeout, &step->error));
}

static int32_t condition_release(step_t *step, void *condition)
{
    return pp_condition_release(condition, &step->error);
}

static int32_t condition_wait(step_t *step, void *condition)
{
    int32_t status = pp_condition_wait(condition, step->timeout, &step->error);
    return status == PP_OWNER_DIED ? say_acquired(step, status) : say_in_time(step, status);
}

static int32_t notify(step_t *step, void *condition)
{
    size_t woken = 0;
    return say_size(step, pp_condition_notify(condition, (size_t)one_or_more(step), &woken, &step->error), &woken);
}

static int32_t notify_all(step_t *step, void *condition)
{
    size_t woken = 0;
    return say_size(step, pp_condition_notify(condition, SIZE_MAX, &woken, &step->error), &woken);
}

static const row_t CONDITION_ROWS[] = {
    {"acquire", "", condition_acquire}, {"release", "", condition_release}, {"wait", "", condition_wait},
    {"notify", "o", notify}, {"notify_all", "", notify_all}, {"destroy", "", condition_destroy}, {NULL, NULL, NULL},
};

const kind_t CONDITION = {"condition", CONDITION_ROWS, condition_free, open_condition, PP_KIND_CONDITION, condition_of, condition_ticket};

TRAVELS(barrier)

static int32_t open_barrier(step_t *step, const char *name, int32_t how, void **handle)
{
    pp_barrier_t *made = NULL;
    int64_t timeout = PP_FOREVER;
    step_seconds(json_member(step->with, "timeout"), &timeout);
    int32_t status = pp_barrier_open(world_fabric(), name, how, (size_t)step_option(step, "parties", 2), timeout, &made, &step->error);
    *handle = made;
    return status;
}

static int32_t barrier_wait(step_t *step, void *barrier)
{
    size_t number = 0;
    return say_size(step, pp_barrier_wait(barrier, step->timeout, &number, &step->error), &number);
}

static int32_t reset(step_t *step, void *barrier)
{
    return pp_barrier_reset(barrier, &step->error);
}

static int32_t abort_wait(step_t *step, void *barrier)
{
    return pp_barrier_abort(barrier, &step->error);
}

static int32_t parties(step_t *step, void *barrier)
{
    size_t count = 0;
    return say_size(step, pp_barrier_parties(barrier, &count, &step->error), &count);
}

static int32_t n_waiting(step_t *step, void *barrier)
{
    size_t count = 0;
    return say_size(step, pp_barrier_n_waiting(barrier, &count, &step->error), &count);
}

static int32_t broken(step_t *step, void *barrier)
{
    bool is = false;
    return say_bool(step, pp_barrier_broken(barrier, &is, &step->error), &is);
}

static const row_t BARRIER_ROWS[] = {
    {"wait", "", barrier_wait}, {"reset", "", reset}, {"abort", "", abort_wait}, {"parties", "", parties}, {"n_waiting", "", n_waiting},
    {"broken", "", broken}, {"destroy", "", barrier_destroy}, {NULL, NULL, NULL},
};

const kind_t BARRIER = {"barrier", BARRIER_ROWS, barrier_free, open_barrier, PP_KIND_BARRIER, barrier_of, barrier_ticket};
