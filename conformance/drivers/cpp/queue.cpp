// Queues, and leases of their messages.
#include "thing.hpp"

namespace {

using queue = polyproc::queue<json>;
using lease = polyproc::lease<json>;

// A message as a value; raw bytes as such.
json either(const polyproc::message &message) { return message.codec() == PP_CODEC_RAW ? of_bytes(message.data().data(), message.data().size()) : message.as<json>(); }

const rows<lease> LEASE = {
    {"ack", [](lease &held, step &) { held.ack(); }},
    {"nak", [](lease &held, step &step) { held.nack(step.seconds(0)); }},
    {"bury", [](lease &held, step &) { held.bury(); }},
    {"extend", [](lease &held, step &step) { held.extend(step.seconds(0)); }},
    {"deliveries", [](lease &held, step &) { return held.deliveries(); }},
};

json leased(const queue &from, step &step, std::chrono::nanoseconds limit)
{
    lease held = from.lease(step.wait, limit);
    polyproc::error problem;
    json value = held.value(problem);
    if (problem.status() == polyproc::status::decode) { // raw bytes
        value = of_bytes(held.data().data(), held.data().size());
    } else if (problem) {
        polyproc::raise(problem);
    }
    step.made = made_of(std::move(held), LEASE);
    return value;
}

json get_bytes(const queue &from, step &step)
{
    auto message = polyproc::queue<polyproc::message>(from.ticket()).get(step.wait);
    return std::vector<json>{of_bytes(message.data().data(), message.data().size()), message.codec()};
}

json get_buried(const queue &from, step &)
{
    static const char *const REASONS[] = {"", "GivenBack", "Expired", "HolderDied", "Buried"};
    auto message = polyproc::queue<polyproc::message>(from.ticket()).get_buried();
    return std::vector<json>{either(message), std::vector<json>{message.deliveries(), REASONS[message.dead_letter()]}};
}

const rows<queue> QUEUE = {
    {"put", [](queue &q, step &step) { q.put(step.arg(0), step.wait); }},
    {"put_to", [](queue &q, step &step) { q.put_to(step.size(0), step.arg(1), step.wait); }},
    {"put_many", [](queue &q, step &step) { return q.put_many(step.items(0), step.wait); }},
    {"put_bytes", [](queue &q, step &step) { polyproc::queue<polyproc::bytes>(q.ticket()).put(step.bytes(0), step.wait); }},
    {"get", [](queue &q, step &step) { return q.get(step.wait); }},
    {"get_many", [](queue &q, step &step) { return list_of(q.get_many(step.size(0), step.wait)); }},
    {"get_bytes", get_bytes},
    {"len", [](queue &q, step &) { return q.size(); }},
    {"empty", [](queue &q, step &) { return q.size() == 0; }},
    {"full", [](queue &q, step &) { return q.capacity() > 0 && q.size() >= q.capacity(); }},
    {"capacity", [](queue &q, step &) { return q.capacity() > 0 ? json(q.capacity()) : json(); }},
    {"close", [](queue &q, step &) { q.close(); }},
    {"is_closed", [](queue &q, step &) { return q.is_closed(); }},
    {"task_done", [](queue &q, step &) { q.task_done(); }},
    {"join", [](queue &q, step &step) { in_time(q.join(step.wait)); }},
    {"unfinished", [](queue &q, step &) { return q.unfinished(); }},
    {"lost", [](queue &q, step &) { return q.lost(); }},
    {"lease", [](queue &q, step &step) { return leased(q, step, {}); }},
    {"lease_for", [](queue &q, step &step) { return leased(q, step, step.seconds(0)); }},
    {"leased", [](queue &q, step &) { return q.leased(); }},
    {"delayed", [](queue &q, step &) { return q.delayed(); }},
    {"buried", [](queue &q, step &) { return q.buried(); }},
    {"get_buried", get_buried},
};

queue open_queue(const step &step, const std::string &name, polyproc::open mode)
{
    polyproc::queue_options options;
    polyproc::queue<json> dead;
    options.capacity = static_cast<std::size_t>(step.option("capacity", 0));
    options.lanes = static_cast<std::size_t>(step.option("lanes", 0));
    options.joinable = step.with["joinable"].flag;
    options.max_deliveries = static_cast<uint32_t>(step.option("max_deliveries", 0));
    if (mode != polyproc::open::create) {
        return queue(the_fabric(), name, polyproc::queue_options(), mode);
    }
    if (step.with["dead_letters"].kind == json::text) {
        dead = queue(ticket_of(step.with["dead_letters"].string));
        options.dead_letters = dead.native();
    }
    return queue(the_fabric(), name, options, mode);
}

} // namespace

kinds queue_kinds() { return {{"queue", kind_of(PP_KIND_QUEUE, QUEUE, open_queue)}}; }
