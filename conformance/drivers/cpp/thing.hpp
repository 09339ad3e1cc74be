// What a step is, what it can be done on, and how a table of steps is one: a name and a lambda each. Knows no kind of object.
#ifndef DRIVER_THING_HPP
#define DRIVER_THING_HPP

#include "notation.hpp"

#include <functional>
#include <map>
#include <memory>

// The name of an error's kind, and its sentence. `Driver`: the case or the driver is wrong, not the library.
struct fault {
    std::string kind, text;
};
struct unsupported {};

struct step;

// Something that steps can be done on.
class thing {
  public:
    virtual ~thing() = default;
    virtual json does(step &step) = 0;
    // By which it travels inside values; nothing: it does not.
    virtual std::optional<polyproc::ticket> ticket() const { return std::nullopt; }
};

// A line, read.
struct step {
    explicit step(const json &line);

    std::string does;
    std::vector<json> args;
    polyproc::timeout wait;
    json with;                   // options
    std::unique_ptr<thing> made; // what the answer is beside its value

    const json &arg(std::size_t index) const;
    int64_t integer(std::size_t index) const;
    std::size_t size(std::size_t index) const { return static_cast<std::size_t>(integer(index)); }
    // Nothing: it is null, or missing.
    std::optional<int64_t> maybe(std::size_t index) const;
    const std::string &text(std::size_t index) const;
    const std::vector<json> &items(std::size_t index) const;
    polyproc::bytes bytes(std::size_t index) const { return bytes_of(arg(index)); }
    std::chrono::nanoseconds seconds(std::size_t index) const;
    // Of the options.
    int64_t option(const char *name, int64_t otherwise) const { return with[name].kind == json::integer ? with[name].whole : otherwise; }
};

std::optional<polyproc::timeout> timeout_of(const json &seconds);

template <class Handle>
struct row {
    template <class Act>
    row(const char *name, Act act) : name(name)
    {
        if constexpr (std::is_void_v<std::invoke_result_t<Act, Handle &, step &>>) {
            does = [act](Handle &handle, step &step) { return act(handle, step), json(); };
        } else {
            does = [act](Handle &handle, step &step) { return json(act(handle, step)); };
        }
    }
    std::string name;
    std::function<json(Handle &, step &)> does;
};
template <class Handle>
using rows = std::vector<row<Handle>>;

template <class Handle>
class thing_of : public thing {
  public:
    thing_of(Handle handle, const rows<Handle> &rows) : handle_(std::move(handle)), rows_(rows) {}

    json does(step &step) override
    {
        for (const auto &row : rows_) {
            if (row.name == step.does) {
                return row.does(handle_, step);
            }
        }
        if constexpr (travels<Handle>::value) {
            if (step.does == "destroy") {
                handle_.destroy();
                return {};
            }
        }
        throw unsupported();
    }
    std::optional<polyproc::ticket> ticket() const override
    {
        if constexpr (travels<Handle>::value) {
            return handle_.ticket();
        } else {
            return std::nullopt;
        }
    }

  private:
    template <class T, class = void>
    struct travels : std::false_type {};
    template <class T>
    struct travels<T, std::void_t<decltype(std::declval<const T &>().ticket())>> : std::true_type {};

    Handle handle_;
    const rows<Handle> &rows_;
};

template <class Handle>
std::unique_ptr<thing> made_of(Handle handle, const rows<Handle> &rows)
{
    return std::make_unique<thing_of<Handle>>(std::move(handle), rows);
}

// The world, of main.cpp.
const polyproc::fabric &the_fabric();
const std::string &fabric_name();
polyproc::ticket ticket_of(const std::string &name);

// How objects of a kind are made or opened, and had by a ticket.
struct kind {
    std::function<std::unique_ptr<thing>(const step &step, const std::string &name, polyproc::open mode)> open;
    int32_t number = 0; // of its tickets; 0: it does not travel
    std::function<std::unique_ptr<thing>(const polyproc::ticket &ticket)> from_ticket;
};
// By the name that cases have for it.
using kinds = std::map<std::string, kind>;
kinds queue_kinds(), lock_kinds(), container_kinds(), cell_kinds(), pipe_kinds();

// A kind that is opened by `open(step, name, mode)`.
template <class Handle, class Open>
kind kind_of(int32_t number, const rows<Handle> &rows, Open open)
{
    return {[&rows, open](const step &step, const std::string &name, polyproc::open mode) { return made_of(open(step, name, mode), rows); }, number,
            [&rows](const polyproc::ticket &ticket) { return made_of(Handle(ticket), rows); }};
}
// One without options.
template <class Handle>
kind plain(int32_t number, const rows<Handle> &rows)
{
    return kind_of(number, rows, [](const step &, const std::string &name, polyproc::open mode) { return Handle(the_fabric(), name, mode); });
}

// Of calls that say that time was up by false.
inline void in_time(bool done)
{
    if (!done) {
        throw fault{"Timeout", "time was up"};
    }
}
inline json taken(polyproc::acquired how)
{
    in_time(how != polyproc::acquired::no);
    return how == polyproc::acquired::yes ? json(true) : json("owner died");
}
inline void found(bool was_there)
{
    if (!was_there) {
        throw fault{"NotFound", "there is no such item"};
    }
}
template <class Items>
json list_of(const Items &from)
{
    std::vector<json> out;
    for (auto &&item : from) {
        out.emplace_back(item);
    }
    return out;
}

// The general steps of processes.cpp, and the tasks that every driver offers.
json process_does(step &step);
void offer_tasks();

#endif
