// Errors, time-outs, fabric, locks and guards, conditions, events, semaphores, barriers, cells, shared memory: good and bad input.
#include "check.hpp"

#include <mutex>
#include <shared_mutex>
#include <thread>

using namespace std::chrono_literals;
using polyproc::open;

static void errors()
{
    polyproc::error none;
    CHECK(!none && none.status() == polyproc::status::ok && none.what()[0] == 0 && none.task().empty() && !none.take_message());
    try {
        polyproc::fabric missing("no such fabric", open::existing);
        CHECK(false);
    } catch (const std::runtime_error &caught) {
        CHECK(std::string(caught.what()).find("no such fabric") != std::string::npos);
        CHECK(dynamic_cast<const polyproc::not_found_error *>(&caught) != nullptr);
    }
    SAYS(not_found, polyproc::fabric("no such fabric", open::existing, problem));
    SAYS(bad_name, polyproc::fabric("a/b", open::or_create, problem));
    // An empty handle is told so, and may be destroyed.
    polyproc::mutex empty;
    CHECK(!empty && !empty.unlock());
    SAYS(invalid_argument, empty.lock(problem));
    THROWS(invalid_argument_error, empty.lock());
    THROWS(invalid_argument_error, empty.owner());
}

static void times()
{
    using polyproc::timeout;
    CHECK(timeout().nanoseconds() < 0 && timeout(0s).is_try() && timeout(-5s).is_try());
    CHECK(timeout(2s).nanoseconds() == 2 * PP_SECOND && timeout(1.5ms).nanoseconds() == 1500000);
    CHECK(timeout(std::chrono::duration<double, std::nano>(0.1)).nanoseconds() == 1); // not a try
    CHECK(timeout(std::chrono::hours::max()).nanoseconds() == INT64_MAX && timeout(std::chrono::nanoseconds::max()).nanoseconds() == INT64_MAX);
    CHECK(polyproc::until(std::chrono::steady_clock::now() - 1s).is_try());
    CHECK(polyproc::until(std::chrono::system_clock::now() + 1h).nanoseconds() > 3000 * PP_SECOND);
}

static void fabrics()
{
    std::string name = "cpp-objects-" + std::to_string(getpid());
    polyproc::fabric_options options;
    options.cap = 16 << 20;
    polyproc::fabric one(name, options, open::create);
    THROWS(already_exists_error, polyproc::fabric(name, options, open::create));
    polyproc::fabric two(name, open::existing);
    CHECK(one.name_text() == name && two.member() != 0 && two.is_alive(one.member()));
    polyproc::mutex lock(one, "till");
    CHECK(!two.objects().empty() && two.members().size() >= 1 && one.check().problems == 0 && one.fd() >= 0);
    THROWS(wrong_type_error, polyproc::event(two, "till"));
    two.remove("till");
    THROWS(gone_error, lock.lock());
    THROWS(not_found_error, two.remove("till"));
    CHECK(polyproc::fabric::attach(one.fd()).member() != 0);
    SAYS(invalid_argument, polyproc::fabric::attach(-1, problem));
    one.sweep();
    one.set_current();
    CHECK(polyproc::fabric::current().name_text() == name);
}

static void locks(const polyproc::fabric &fabric)
{
    polyproc::mutex lock(fabric, "lock", open::create), other(fabric);
    CHECK(lock.owner() == 0 && !lock.lock() && lock.owner() == fabric.member() && !lock.try_lock() && !lock.try_lock_for(1ms));
    CHECK(!lock.try_lock_until(std::chrono::steady_clock::now() + 1ms) && lock.unlock() && !lock.unlock());
    SAYS(not_held, lock.unlock(problem));
    SAYS(ok, lock.try_lock(problem));
    SAYS(ok, lock.unlock(problem));
    {
        std::lock_guard<polyproc::mutex> held(lock);
        CHECK(!lock.try_lock());
    }
    {
        std::scoped_lock both(lock, other);
        CHECK(!lock.try_lock() && !other.try_lock());
    }
    {
        std::unique_lock<polyproc::mutex> held(lock, 1s);
        CHECK(held.owns_lock());
        polyproc::guard late(lock, 1ms);
        CHECK(!late && !late.recovered());
    }
    {
        polyproc::guard held(lock);
        polyproc::guard moved(std::move(held));
        CHECK(!held.owns_lock() && moved && !moved.recovered());
        moved.unlock();
        CHECK(!moved && lock.try_lock() && lock.unlock());
    }
    polyproc::mutex same(lock.ticket());
    CHECK(polyproc::ticket(lock.ticket().text()) == lock.ticket() && lock.ticket().kind() == PP_KIND_LOCK);
    SAYS(decode, polyproc::ticket("no ticket", problem));
    {
        polyproc::guard held(same);
        CHECK(!lock.try_lock());
    }
    THROWS(wrong_type_error, polyproc::recursive_mutex(lock.ticket()));

    polyproc::recursive_mutex again(fabric, "again");
    {
        std::lock_guard one(again);
        polyproc::guard two(again);
        CHECK(again.depth() == 2 && again.owner() == fabric.member());
        bool refused = false;
        std::thread([&] { refused = !again.try_lock() && !again.unlock(); }).join();
        CHECK(refused);
    }
    CHECK(again.depth() == 0);

    polyproc::shared_mutex many(fabric, "many");
    {
        std::shared_lock one(many);
        polyproc::shared_guard two(many, 1s);
        CHECK(two && many.readers() == 2 && !many.try_lock() && many.writer() == 0);
    }
    {
        std::unique_lock held(many);
        polyproc::shared_guard late(many, 1ms);
        CHECK(!late && !many.try_lock_shared() && !many.try_lock_shared_for(1ms) && many.writer() == fabric.member());
    }
    SAYS(not_held, many.unlock_shared(problem));

    // The last owner died.
    polyproc::event ready(fabric);
    pid_t dead = child([&] { lock.lock(), many.lock(), ready.set(); });
    ready.wait();
    kill_child(dead);
    polyproc::guard held(lock);
    CHECK(held.owns_lock() && held.recovered());
    held.unlock();
    CHECK(lock.acquire() == polyproc::acquired::yes && lock.unlock());
    CHECK(many.lock() && many.unlock());
    lock.destroy();
    THROWS(gone_error, polyproc::guard<polyproc::mutex>(lock));
}

static void sync(const polyproc::fabric &fabric)
{
    polyproc::event event(fabric, "event");
    CHECK(!event.is_set() && !event.wait_for(1ms) && !event.wait_for(0s));
    polyproc::pollable pollable = polyproc::poll_of(event);
    CHECK(pollable.fd() >= 0 && !pollable.wait_for(0s));
    event.set();
    CHECK(event.is_set() && event.wait_for(1s) && pollable.wait_for(10s));
    event.wait();
    event.clear();
    SAYS(ok, event.wait_for(0s, problem)); // a time that is up is no error

    polyproc::semaphore permits(fabric, 2, true);
    permits.acquire();
    CHECK(permits.try_acquire() && !permits.try_acquire() && !permits.try_acquire_for(1ms) && permits.held() == 2 && permits.value() == 0 && permits.bound() == 2);
    permits.release(2);
    THROWS(error, permits.release());
    CHECK(permits.value() == 2);
    pid_t dead = child([&] { permits.acquire(2), event.set(); });
    event.wait();
    kill_child(dead);
    permits.acquire(2); // they come back

    polyproc::condition news(fabric);
    THROWS(not_held_error, news.wait(0s));
    {
        polyproc::guard held(news);
        CHECK(news.wait(1ms) == polyproc::acquired::no && !news.wait_until_so([] { return false; }, 1ms));
        CHECK(news.wait_until_so([] { return true; }) && news.notify() == 0 && news.notify_all() == 0);
    }
    polyproc::value<int> state(fabric, 0);
    std::thread changes([&] {
        polyproc::guard held(news);
        state.store(1);
        news.notify_all();
    });
    {
        polyproc::guard held(news);
        CHECK(news.wait_until_so([&] { return state.load() == 1; }));
    }
    changes.join();
    polyproc::mutex lock(fabric);
    polyproc::condition on(fabric, lock.ticket());
    {
        polyproc::guard held(on);
        CHECK(!lock.try_lock());
    }

    polyproc::barrier barrier(fabric, 2);
    std::size_t first = 9;
    std::thread comes([&] { first = barrier.wait(); });
    std::size_t second = barrier.wait();
    comes.join();
    CHECK(first + second == 1 && barrier.parties() == 2 && barrier.waiting() == 0 && !barrier.broken());
    THROWS(broken_barrier_error, barrier.wait(1ms));
    CHECK(barrier.broken());
    barrier.reset();
    barrier.abort();
    SAYS(broken_barrier, barrier.wait(1s, problem));
}

struct point {
    double x, y;
};

static void cells(const polyproc::fabric &fabric)
{
    polyproc::value<int> number(fabric, 40, "number");
    CHECK(number.load() == 40 && number.fetch_add(2) == 40 && number.exchange(7) == 42 && number.fetch_sub(1) == 7);
    int expected = 5;
    CHECK(!number.compare_exchange(expected, 9) && expected == 6 && number.compare_exchange(expected, 9) && number.load() == 9);
    CHECK(polyproc::value<int>(fabric, 0, "number", open::existing).load() == 9);
    THROWS(wrong_type_error, polyproc::value<double>(fabric, 0.0, "number"));
    polyproc::value<uint64_t> wide(fabric, UINT64_MAX);
    CHECK(wide.load() == UINT64_MAX && wide.exchange(1) == UINT64_MAX);
    polyproc::value<bool> flag(fabric, true);
    CHECK(flag.load());
    polyproc::value<double> third(fabric, 1.0 / 3);
    CHECK(third.load() == 1.0 / 3 && third.has_lock());

    polyproc::array<point> points(fabric, 3, "points");
    points.set(1, {1, 2});
    CHECK(points.size() == 3 && points[1].y == 2 && points[0].x == 0);
    THROWS(invalid_argument_error, points.get(3));
    SAYS(invalid_argument, points.set(3, {}, problem));
    {
        polyproc::guard held(points);
        for (point &each : points.data()) {
            each.x += 1;
        }
    }
    CHECK(points.copy()[1].x == 2);
    std::vector<int> three{1, 2, 3};
    polyproc::array<int> plain(fabric, three, {}, open::create, polyproc::locking::none);
    CHECK(plain.copy() == three && !plain.has_lock() && polyproc::array<int>(plain.ticket()).fetch_add(1, 2) == 3);
    polyproc::mutex lock(fabric);
    polyproc::array<int> locked(fabric, 2, lock.ticket());
    polyproc::guard held(locked);
    CHECK(!lock.try_lock());
#if __cplusplus >= 202002L
    std::span<int> view = plain.data();
    CHECK(view.size() == 3 && polyproc::span<int>(view).data() == view.data());
#endif
}

static void shared()
{
    auto block = polyproc::shared_memory::create(100);
    auto same = polyproc::shared_memory::attach(block.name());
    block.data()[3] = std::byte{7};
    std::byte read[1];
    same.read(3, polyproc::span<std::byte>(read, 1));
    CHECK(read[0] == std::byte{7} && same.size() >= 100);
    same.write(0, polyproc::span<const std::byte>(read, 1));
    THROWS(error, same.write(same.size(), polyproc::span<const std::byte>(read, 1)));
    block.unlink();
    THROWS(not_found_error, polyproc::shared_memory::attach(block.name()));
    block.close();
    THROWS(closed_error, block.data());
    SAYS(not_found, polyproc::shared_memory::unlink("no such block of cpp", problem));
}

int main()
{
    errors();
    times();
    fabrics();
    polyproc::fabric fabric = check_fabric();
    locks(fabric);
    sync(fabric);
    cells(fabric);
    shared();
    CHECK(fabric.check().problems == 0);
    return 0;
}
