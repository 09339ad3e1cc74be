// Pipes: the first actor listens under the object's name, the second connects.
#include "thing.hpp"

#include <cstdlib>

namespace {

// One of both, until the first step: then it is connected.
struct side {
    polyproc::listener listener;
    polyproc::connection made;

    const polyproc::connection &connection()
    {
        if (!made) {
            made = listener.accept();
        }
        return made;
    }
};

json bytes_in(const polyproc::message &message) { return of_bytes(message.data().data(), message.data().size()); }

const rows<side> SIDE = {
    {"send", [](side &s, step &step) { s.connection().send(step.arg(0), step.wait); }},
    {"recv", [](side &s, step &step) { return s.connection().recv<json>(step.wait); }},
    {"send_bytes", [](side &s, step &step) { s.connection().send(step.bytes(0), step.wait); }},
    {"recv_bytes", [](side &s, step &step) { return bytes_in(s.connection().recv(step.wait)); }},
    {"recv_bytes_max", [](side &s, step &step) { return bytes_in(s.connection().recv_max(static_cast<uint64_t>(step.integer(0)), step.wait)); }},
    {"poll", [](side &s, step &step) { return s.connection().poll(step.wait); }},
    {"close", [](side &s, step &) { s.connection().close(); }},
};

std::unique_ptr<thing> open_side(const step &, const std::string &name, polyproc::open mode)
{
    const char *folder = std::getenv("POLYPROC_DIR");
    if (folder == nullptr) {
        throw fault{"Driver", "POLYPROC_DIR is not set"};
    }
    std::string address = std::string(folder) + "/" + fabric_name() + "-" + name;
    side out;
    if (mode == polyproc::open::create) {
        out.listener = polyproc::listener(address);
    } else {
        out.made = polyproc::connection::connect(address);
    }
    return made_of(std::move(out), SIDE);
}

} // namespace

kinds pipe_kinds() { return {{"pipe", {open_side, 0, nullptr}}}; }
