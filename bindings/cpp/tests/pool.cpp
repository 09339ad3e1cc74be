// Tasks, pools, futures, workers and processes: lambdas as tasks, what goes wrong in them, deaths, bad input.
#include "check.hpp"

#include <numeric>
#include <thread>

using namespace std::chrono_literals;

struct point {
    double x, y;
};

static int half(int number) { return number / 2; }

static void offer()
{
    polyproc::task("square", [](int64_t n) { return n * n; });
    polyproc::task("half", half);
    polyproc::task("nothing", [] {});
    int base = 100;
    polyproc::task("above", [base](int n) { return base + n; });
    polyproc::task("add", [](double a, double b) { return a + b; });
    polyproc::task("join", [](const std::vector<std::string> &words, bool loud) {
        std::string out;
        for (auto &word : words) {
            out += word;
        }
        return loud ? out + "!" : out;
    });
    polyproc::task("count", [](const std::map<std::string, int> &of) {
        std::tuple<int, std::vector<std::string>> out;
        for (auto &[name, number] : of) {
            std::get<0>(out) += number;
            std::get<1>(out).push_back(name);
        }
        return out;
    });
    polyproc::task("mirror", [](point of) { return point{of.y, of.x}; });
    polyproc::task("reverse", [](polyproc::bytes of) { return polyproc::bytes(of.rbegin(), of.rend()); });
    polyproc::task("fail", [](std::string why) -> int { throw std::runtime_error(why); });
    polyproc::task("throw", []() -> int { throw 7; });
    polyproc::task("die", [] { std::raise(SIGKILL); });
    polyproc::task("attempt", [](const polyproc::call &call, int least) {
        if (static_cast<int>(call.attempt()) < least) {
            throw std::runtime_error("not yet");
        }
        return call.task() + std::to_string(call.attempt());
    });
    polyproc::task("spin", [](const polyproc::call &call) {
        while (!call.cancelled()) {
            std::this_thread::yield();
        }
        return call.time_left().has_value();
    });
    // A queue that was sent along as a ticket.
    polyproc::task("put", [](const polyproc::ticket &to, int item) { polyproc::queue<int>(to).put(item); });
}

static void calls()
{
    polyproc::pool pool(2);
    CHECK(pool.is_open() && pool.call<int>("square", 7) == 49 && pool.call<int>("half", 9) == 4 && pool.call<int>("above", 1) == 101);
    pool.call<void>("nothing");
    CHECK(pool.call<double>("add", 1, 2.5) == 3.5);
    CHECK(pool.call<std::string>("join", std::vector<std::string>{"a", "b"}, true) == "ab!");
    CHECK((pool.call<std::tuple<int, std::vector<std::string>>>("count", std::map<std::string, int>{{"x", 1}, {"y", 2}}) ==
           std::tuple(3, std::vector<std::string>{"x", "y"})));
    CHECK(pool.call<point>("mirror", point{1, 2}).x == 2);
    CHECK(pool.call<polyproc::bytes>("reverse", polyproc::bytes{std::byte{1}, std::byte{2}})[0] == std::byte{2});
    CHECK(pool.call<polyproc::message>("square", 3).as<int>() == 9);
    auto future = pool.submit<int>("square", 5);
    future.wait();
    CHECK(future.wait_for(0s) && future.is_done() && future.size() == 1 && future.get() == 25 && future.get(1s) == 25 && future.fd() >= 0);

    std::vector<int> numbers(40);
    std::iota(numbers.begin(), numbers.end(), 0);
    auto squares = pool.map<int>("square", numbers);
    CHECK(squares.size() == 40 && squares[39] == 39 * 39 && pool.map<int>("square", std::vector<int>()).empty());
    CHECK((pool.starmap<double>("add", std::vector<std::pair<int, double>>{{1, 2}, {3, 4}}) == std::vector<double>{3, 7}));
    CHECK(pool.progress().failed == 0 && pool.worker(0) && !pool.worker(99));

    // What goes wrong.
    try {
        pool.call<int>("fail", "the well is dry");
        CHECK(false);
    } catch (const polyproc::task_error &failed) {
        CHECK(failed.remote_message() == "the well is dry" && failed.task() == "fail");
    }
    THROWS(task_error, pool.call<int>("throw"));
    polyproc::error problem;
    CHECK(pool.submit<int>("square", "seven").get(polyproc::forever, problem) == 0 && problem.status() == polyproc::status::bad_arguments);
    SAYS(bad_arguments, pool.submit<int>("square", 1, 2).get(polyproc::forever, problem));
    SAYS(unknown_task, pool.submit<int>("cube", 1).get(polyproc::forever, problem));
    SAYS(wrong_type, pool.submit<std::string>("square", 1).get(polyproc::forever, problem));
    SAYS(panicked, pool.submit<int>("fail", "x").get(polyproc::forever, problem));
    auto mixed = pool.submit_each<std::string>("fail", std::vector<std::string>{"one", "two"});
    SAYS(panicked, mixed.all(polyproc::forever, problem));
    try {
        pool.call<void>("die");
        CHECK(false);
    } catch (const polyproc::worker_died_error &died) {
        CHECK(died.signal() == SIGKILL && died.pid() != 0 && died.task() == "die");
    }
    polyproc::call_options options;
    options.retries = 3;
    options.flags = PP_CALL_RETRY_ERRORS;
    CHECK(pool.submit<std::string>(options, "attempt", 3).get() == "attempt3");
    auto spins = pool.submit<bool>("spin");
    THROWS(timeout_error, spins.get(1ms));
    CHECK(!spins.wait_for(1ms) && spins.cancel(60s));
    try {
        CHECK(!spins.get());
    } catch (const polyproc::cancelled_error &) { // it was cancelled before it began
    }

    polyproc::fabric fabric = polyproc::fabric::current();
    polyproc::queue<int> queue(fabric);
    pool.call<void>("put", queue.ticket(), 12);
    CHECK(queue.get(0s) == 12);

    pool.resize(1);
    pool.close();
    CHECK(pool.join() && !pool.is_open());
    THROWS(pool_closed_error, pool.submit<int>("square", 1));
    SAYS(pool_closed, pool.submit<int>(problem, "square", 1));
    SAYS(invalid_argument, polyproc::pool().submit<int>(problem, "square", 1));
}

static void workers()
{
    polyproc::fabric fabric = check_fabric();
    polyproc::pool_options options;
    options.fabric = fabric.native();
    options.name = "cpp";
    options.flags = PP_POOL_NO_WORKERS;
    polyproc::pool pool(options);
    THROWS(invalid_argument_error, polyproc::worker(fabric, "cpp")); // this process has the pool
    THROWS(not_found_error, polyproc::worker(fabric, "nobody's"));
    pid_t joined = fork();
    if (joined == 0) {
        polyproc::worker worker(fabric, "cpp");
        worker.run();
        CHECK(worker.has_left() && worker.batches() > 0);
        execl("/bin/true", "true", nullptr);
        _exit(1);
    }
    CHECK(pool.call<int>("square", 6) == 36);
    pool.close();
    pool.join();
    int status = 0;
    CHECK(waitpid(joined, &status, 0) == joined && status == 0);
}

static void processes()
{
    auto process = polyproc::process::command({"sh", "-c", "exit 3"});
    CHECK(process.pid() > 1 && process.join().code == 3 && !process.is_alive() && !process.name().empty());
    THROWS(error, polyproc::process::command({"/no/such/program"}));
    SAYS(spawn_failed, polyproc::process::command({"/no/such/program"}, {}, problem));
    process = polyproc::process::command({"sleep", "1000"});
    THROWS(timeout_error, process.join(1ms));
    process.kill();
    CHECK(process.join().code == -SIGKILL);
    process = polyproc::process::command({"sleep", "1000"});
    CHECK(process.terminate_within(10s) == -SIGTERM);
    process = polyproc::process::task("fail", {}, "why not");
    auto ended = process.join();
    CHECK(ended.code == 1 && !ended.success() && ended.failure.remote_message() == "why not");
    CHECK(polyproc::process::task("nothing", {}).join().success());
    polyproc::process_options options;
    options.standard_output = PP_STDIO_PIPE;
    process = polyproc::process::command({"echo", "hello"}, options);
    int fd = process.take_pipe(1);
    char text[6] = {0};
    CHECK(read(fd, text, 5) == 5 && std::string(text) == "hello" && close(fd) == 0 && process.join().success());
}

int main()
{
    offer();
    THROWS(error, polyproc::task("half", half)); // the name is taken
    polyproc::main();
    calls();
    workers();
    processes();
    return 0;
}
