// The driver for C++: carries out steps by polyproc.hpp, as a user's program would. One line in, one answer out; it knows no case.
#include "thing.hpp"

#include <cctype>
#include <iostream>

namespace {

// A fabric's room: no case needs more.
const uint64_t CAP = uint64_t{64} << 20;

struct {
    std::optional<polyproc::fabric> fabric;
    std::string name;
    std::map<std::string, std::unique_ptr<thing>> things;
} world;

const kinds &all_kinds()
{
    static const kinds all = [] {
        kinds out;
        for (auto of : {queue_kinds, lock_kinds, container_kinds, cell_kinds, pipe_kinds}) {
            out.merge(of());
        }
        return out;
    }();
    return all;
}

thing &thing_called(const std::string &name)
{
    auto found = world.things.find(name);
    if (found == world.things.end()) {
        throw fault{"Driver", "nothing is called " + name};
    }
    return *found->second;
}

json general(step &step)
{
    if (step.does == "begin") {
        polyproc::fabric_options options;
        bool make = step.arg(1).flag;
        options.cap = make ? CAP : 0;
        world.name = step.text(0);
        world.fabric.emplace(world.name, options, make ? polyproc::open::create : polyproc::open::existing);
        world.fabric->set_current();
    } else if (step.does == "make" || step.does == "open") {
        auto kind = all_kinds().find(step.text(1));
        if (kind == all_kinds().end()) {
            throw unsupported();
        }
        world.things[step.text(0)] = kind->second.open(step, step.text(0), step.does == "make" ? polyproc::open::create : polyproc::open::existing);
    } else if (step.does == "end") {
        world.things.clear();
        world.fabric.reset();
    } else if (step.does == "sweep" || step.does == "members") {
        the_fabric().sweep();
        return step.does == "sweep" ? json() : json(the_fabric().members().size());
    } else if (step.does == "remove") {
        the_fabric().remove(step.text(0));
    } else {
        return process_does(step);
    }
    return {};
}

// The object whose ticket the answer is, for who gave it a name.
std::unique_ptr<thing> of_ticket(const json &answer)
{
    for (const auto &[name, kind] : all_kinds()) {
        if (answer.ticket && kind.number != 0 && kind.number == answer.ticket->kind()) {
            return kind.from_ticket(*answer.ticket);
        }
    }
    return nullptr;
}

json act(const json &line)
{
    step step(line);
    const json &on = line["on"], &keep = line["as"];
    json answer;
    if (on.kind != json::text) {
        answer = general(step);
    } else if (step.does == "drop") {
        world.things.erase(on.string);
    } else {
        answer = thing_called(on.string).does(step);
    }
    if (keep.kind == json::text) {
        auto made = step.made ? std::move(step.made) : of_ticket(answer);
        if (made) {
            world.things[keep.string] = std::move(made);
        }
    }
    return answer;
}

// OwnerDied of OWNER_DIED.
std::string kind_name(polyproc::status status)
{
    std::string out;
    bool first = true;
    for (const char *letter = pp_status_name(static_cast<int32_t>(status)); *letter != 0; letter++) {
        if (*letter != '_') {
            out += first ? *letter : static_cast<char>(std::tolower(static_cast<unsigned char>(*letter)));
        }
        first = *letter == '_';
    }
    return out;
}

json answer(const json &line)
{
    json out = json::tagged("id", line["id"]);
    auto failed = [&out](const std::string &kind, const std::string &text) {
        out.members.emplace_back("error", kind);
        out.members.emplace_back("text", text);
    };
    try {
        out.members.emplace_back("is", act(line));
    } catch (const unsupported &) {
        out.members.emplace_back("unsupported", true);
    } catch (const fault &fault) {
        failed(fault.kind, fault.text);
    } catch (const polyproc::error &error) {
        failed(kind_name(error.status()), error.what());
    }
    return out;
}

} // namespace

const polyproc::fabric &the_fabric()
{
    if (!world.fabric) {
        throw fault{"Driver", "no fabric"};
    }
    return *world.fabric;
}

const std::string &fabric_name() { return world.name; }

polyproc::ticket ticket_of(const std::string &name)
{
    auto ticket = thing_called(name).ticket();
    return ticket ? *ticket : throw fault{"Driver", name + " is nothing that travels"};
}

int main()
{
    offer_tasks();
    polyproc::main();
    for (std::string line; std::getline(std::cin, line);) {
        std::optional<json> read = parse(line);
        if (!read) {
            std::cerr << "a line that is no JSON: " << line << '\n';
            return 1;
        }
        std::string text;
        print(text, answer(*read));
        std::cout << text << std::endl;
        if (!std::cout) {
            return 1;
        }
    }
    world.things.clear();
    world.fabric.reset();
    return 0;
}
