// Processes, pools, calls, workers, and the tasks that every driver offers under the same names.
#include "thing.hpp"

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace {

using polyproc::pool;
using polyproc::process;
using polyproc::worker;
using future = polyproc::future<json>;

// Calls `act` with the arguments of a call, which a program knows when it is written.
template <class Act>
auto with_arguments(const std::vector<json> &args, Act act)
{
    switch (args.size()) {
    case 0: return act();
    case 1: return act(args[0]);
    case 2: return act(args[0], args[1]);
    default: throw fault{"Driver", "more arguments than any task has"};
    }
}

// The exit code; null, where the process has not ended in time.
json exit_code(const process &of, polyproc::timeout wait)
{
    try {
        return of.join(wait).code;
    } catch (const polyproc::timeout_error &) {
        return {};
    }
}

json failure(const process &of)
{
    auto ended = of.join();
    std::string message = ended.failure.remote_message();
    return message.empty() ? json() : json(message);
}

const rows<process> PROCESS = {
    {"join", [](process &p, step &step) { return exit_code(p, step.wait); }},
    {"exit_code", [](process &p, step &) { return exit_code(p, std::chrono::seconds(0)); }},
    {"is_alive", [](process &p, step &) { return p.is_alive(); }},
    {"terminate", [](process &p, step &) { p.terminate(); }},
    {"kill", [](process &p, step &) { p.kill(); }},
    {"has_pid", [](process &p, step &) { return p.pid() > 1; }},
    {"failure", [](process &p, step &) { return failure(p); }},
};

const rows<future> FUTURE = {
    {"get", [](future &f, step &step) { return f.get(step.wait); }},
    {"wait", [](future &f, step &step) { return f.wait_for(step.wait); }},
    {"ready", [](future &f, step &) { return f.is_done(); }},
    {"cancel", [](future &f, step &) { return f.cancel(); }},
};

// A call may be retried: `with = { retries = 2 }`; or limited: `with = { limit = 0.1 }`.
future submit(const pool &to, const step &step)
{
    polyproc::call_options options;
    options.retries = static_cast<uint32_t>(step.option("retries", 0));
    if (auto limit = timeout_of(step.with["limit"])) {
        options.hard_limit = limit->nanoseconds();
    }
    return with_arguments(step.items(1), [&](const auto &...argument) { return to.submit<json>(options, step.text(0), argument...); });
}

std::size_t workers(const pool &of)
{
    std::size_t count = 0;
    while (of.worker(count)) {
        count++;
    }
    return count;
}

const rows<pool> POOL = {
    {"submit", [](pool &p, step &step) { step.made = made_of(submit(p, step), FUTURE); }},
    {"call", [](pool &p, step &step) { return submit(p, step).get(); }},
    {"map", [](pool &p, step &step) { return json(p.map<json>("square", step.items(0))); }},
    {"workers", [](pool &p, step &) { return workers(p); }},
    {"close", [](pool &p, step &) { p.close(); }},
    {"terminate", [](pool &p, step &) { p.terminate(); }},
    {"join", [](pool &p, step &step) { in_time(p.join(step.wait)); }},
};

// Takes a batch, if there is one in time: how many it took.
uint64_t take_batch(worker &w, polyproc::timeout wait)
{
    uint64_t before = w.batches();
    polyproc::error problem;
    w.step(wait.nanoseconds() < 0 ? polyproc::timeout(std::chrono::seconds(10)) : wait, problem);
    if (problem && problem.status() != polyproc::status::pool_closed) {
        polyproc::raise(problem);
    }
    return w.batches() - before;
}

const rows<worker> WORKER = {
    {"step", [](worker &w, step &step) { return take_batch(w, step.wait); }},
    {"run", [](worker &w, step &) { return w.run(), w.has_left(); }},
    {"leave", [](worker &w, step &) { w.leave(); }},
};

pool make_pool(const step &step)
{
    polyproc::pool_options options(static_cast<uint32_t>(step.integer(0)));
    const json &name = step.with["name"];
    options.fabric = the_fabric().native();
    options.name = name.kind == json::text ? name.string.c_str() : nullptr;
    options.flags = options.workers == 0 ? PP_POOL_NO_WORKERS : 0;
    return pool(options);
}

process spawn(const step &step)
{
    return with_arguments(step.items(1), [&step](const auto &...argument) { return process::task(step.text(0), polyproc::process_options(), argument...); });
}

} // namespace

json process_does(step &step)
{
    if (step.does == "spawn") {
        step.made = made_of(spawn(step), PROCESS);
    } else if (step.does == "pool") {
        step.made = made_of(make_pool(step), POOL);
    } else if (step.does == "connect") {
        step.made = made_of(pool::connect(the_fabric(), step.text(0)), POOL);
    } else if (step.does == "worker") {
        step.made = made_of(worker(the_fabric(), step.text(0)), WORKER);
    } else {
        throw unsupported();
    }
    return {};
}

void offer_tasks()
{
    polyproc::task("echo", [](json value) { return value; });
    polyproc::task("add", [](int64_t a, int64_t b) { return a + b; });
    polyproc::task("square", [](int64_t n) { return n * n; });
    polyproc::task("fail", [](std::string text) { throw std::runtime_error(text); });
    polyproc::task("leave", [](int code) { std::exit(code); });
    polyproc::task("die", [] { std::raise(SIGKILL); }); // as if from outside
    polyproc::task("sleep", [](double seconds) {
        std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
        return seconds;
    });
    polyproc::task("put", [](polyproc::ticket queue, json value) { polyproc::queue<json>(queue).put(value); });
}
