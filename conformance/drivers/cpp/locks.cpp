// Locks, and the other things that processes wait for.
#include "thing.hpp"

using namespace polyproc;

namespace {

// What all that is locked has.
template <class Lock>
rows<Lock> with_lock(rows<Lock> more)
{
    more.push_back({"acquire", [](Lock &lock, step &step) { return taken(lock.acquire(step.wait)); }});
    more.push_back({"release", [](Lock &lock, step &) {
                        error problem;
                        lock.unlock(problem);
                        if (problem) {
                            raise(problem);
                        }
                    }});
    return more;
}

const rows<mutex> LOCK = with_lock<mutex>({{"locked", [](mutex &lock, step &) { return lock.owner() != 0; }}});

const rows<recursive_mutex> RLOCK = with_lock<recursive_mutex>({
    {"locked", [](recursive_mutex &lock, step &) { return lock.owner() != 0; }},
    {"depth", [](recursive_mutex &lock, step &) { return lock.depth(); }},
});

void released(const error &problem)
{
    if (problem) {
        raise(problem);
    }
}

const rows<shared_mutex> RWLOCK = {
    {"acquire_read", [](shared_mutex &lock, step &step) { return taken(lock.acquire_shared(step.wait)); }},
    {"acquire_write", [](shared_mutex &lock, step &step) { return taken(lock.acquire(step.wait)); }},
    {"release_read",
     [](shared_mutex &lock, step &) {
         error problem;
         lock.unlock_shared(problem);
         released(problem);
     }},
    {"release_write",
     [](shared_mutex &lock, step &) {
         error problem;
         lock.unlock(problem);
         released(problem);
     }},
    {"readers", [](shared_mutex &lock, step &) { return lock.readers(); }},
    {"locked", [](shared_mutex &lock, step &) { return lock.readers() > 0 || lock.writer() != 0; }},
};

uint32_t count_of(const step &step) { return static_cast<uint32_t>(step.maybe(0).value_or(1)); }

const rows<semaphore> SEMAPHORE = {
    {"acquire", [](semaphore &permits, step &step) { return in_time(permits.try_acquire_for(step.wait, count_of(step))), true; }},
    {"release", [](semaphore &permits, step &step) { permits.release(count_of(step)); }},
    {"value", [](semaphore &permits, step &) { return permits.value(); }},
    {"locked", [](semaphore &permits, step &) { return permits.value() == 0; }},
    {"held", [](semaphore &permits, step &) { return permits.held(); }},
    {"bound", [](semaphore &permits, step &) { return permits.bound() < 0 ? json() : json(permits.bound()); }},
};

template <bool Bounded>
semaphore open_semaphore(const step &step, const std::string &name, open mode)
{
    return semaphore(the_fabric(), static_cast<uint32_t>(step.option("value", 1)), Bounded, name, mode);
}

const rows<event> EVENT = {
    {"set", [](event &flag, step &) { flag.set(); }},
    {"clear", [](event &flag, step &) { flag.clear(); }},
    {"is_set", [](event &flag, step &) { return flag.is_set(); }},
    {"wait", [](event &flag, step &step) { return flag.wait_for(step.wait); }},
};

json notified(acquired how) { return how == acquired::recovered ? json("owner died") : json(how == acquired::yes); }

const rows<condition> CONDITION = with_lock<condition>({
    {"wait", [](condition &news, step &step) { return notified(news.wait(step.wait)); }},
    {"notify", [](condition &news, step &step) { return news.notify(count_of(step)); }},
    {"notify_all", [](condition &news, step &) { return news.notify_all(); }},
});

condition open_condition(const step &step, const std::string &name, open mode)
{
    const json &lock = step.with["lock"];
    return lock.kind == json::text && mode == open::create ? condition(the_fabric(), ticket_of(lock.string), name, mode) : condition(the_fabric(), name, mode);
}

const rows<barrier> BARRIER = {
    {"wait", [](barrier &parties, step &step) { return parties.wait(step.wait); }},
    {"reset", [](barrier &parties, step &) { parties.reset(); }},
    {"abort", [](barrier &parties, step &) { parties.abort(); }},
    {"parties", [](barrier &parties, step &) { return parties.parties(); }},
    {"n_waiting", [](barrier &parties, step &) { return parties.waiting(); }},
    {"broken", [](barrier &parties, step &) { return parties.broken(); }},
};

barrier open_barrier(const step &step, const std::string &name, open mode)
{
    auto wait = timeout_of(step.with["timeout"]).value_or(forever);
    return barrier(the_fabric(), static_cast<std::size_t>(step.option("parties", 2)), name, wait, mode);
}

} // namespace

kinds lock_kinds()
{
    return {
        {"lock", plain(PP_KIND_LOCK, LOCK)},
        {"rlock", plain(PP_KIND_RLOCK, RLOCK)},
        {"rwlock", plain(PP_KIND_RWLOCK, RWLOCK)},
        {"semaphore", kind_of(PP_KIND_SEMAPHORE, SEMAPHORE, open_semaphore<false>)},
        {"bounded_semaphore", kind_of(PP_KIND_SEMAPHORE, SEMAPHORE, open_semaphore<true>)},
        {"event", plain(PP_KIND_EVENT, EVENT)},
        {"condition", kind_of(PP_KIND_CONDITION, CONDITION, open_condition)},
        {"barrier", kind_of(PP_KIND_BARRIER, BARRIER, open_barrier)},
    };
}
