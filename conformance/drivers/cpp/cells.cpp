// Value, Array, and blocks of shared memory.
#include "thing.hpp"

#include <limits>

namespace {

template <class T>
json shown(T cell)
{
    if constexpr (std::is_same_v<T, char>) {
        return of_bytes(&cell, 1);
    } else if constexpr (std::is_floating_point_v<T>) {
        return of_float(cell);
    } else {
        return cell;
    }
}

// What a cell of this type is to hold.
template <class T>
T cell_of(const json &from)
{
    bool good = false;
    T out{};
    if constexpr (std::is_same_v<T, bool>) {
        good = from.kind == json::boolean;
        out = from.flag;
    } else if constexpr (std::is_same_v<T, char>) {
        polyproc::bytes letter = bytes_of(from);
        good = letter.size() == 1;
        out = good ? static_cast<char>(letter[0]) : 0;
    } else if constexpr (std::is_floating_point_v<T>) {
        good = true;
        out = static_cast<T>(float_of(from));
    } else if (from["int"].kind == json::text) { // beyond 64 bits with a sign
        good = std::is_same_v<T, uint64_t> && from["int"].string[0] != '-';
        out = static_cast<T>(std::strtoull(from["int"].string.c_str(), nullptr, 10));
    } else {
        out = static_cast<T>(from.whole);
        good = from.kind == json::integer && static_cast<int64_t>(out) == from.whole && (from.whole < 0) == (out < 0);
    }
    return good ? out : throw fault{"InvalidArgument", "that is nothing for a cell of this type"};
}

template <class T>
T sum_of(T a, T b)
{
    T out{};
    bool fits = true;
    if constexpr (std::is_floating_point_v<T>) {
        out = a + b;
    } else if constexpr (polyproc::cells<T>::is_integer) {
        fits = !__builtin_add_overflow(a, b, &out);
    } else {
        fits = false;
    }
    return fits ? out : throw fault{"Driver", "the sum does not fit"};
}

// Under the lock, where there is one. After a death in it the first call says that, and does nothing else.
template <class T, class Act>
json locked(const polyproc::cells<T> &cells, Act act)
{
    if (!cells.has_lock()) {
        return act();
    }
    polyproc::guard held(cells);
    if (held.recovered()) {
        throw fault{"OwnerDied", "the last owner of the lock died"};
    }
    return act();
}

template <class T>
json add(const polyproc::cells<T> &cells, std::size_t index, const json &more)
{
    return locked(cells, [&] {
        T sum = sum_of(cells.get(index), cell_of<T>(more));
        cells.set(index, sum);
        return shown(sum);
    });
}

template <class T>
json read_range(const polyproc::cells<T> &cells, std::size_t from, std::size_t count)
{
    return locked(cells, [&]() -> json {
        auto contents = std::make_unique<T[]>(count);
        cells.read(from, polyproc::span<T>(contents.get(), count));
        std::vector<json> out;
        for (std::size_t i = 0; i < count; i++) {
            out.push_back(shown(contents[i]));
        }
        return out;
    });
}

template <class T>
std::unique_ptr<T[]> contents_of(const std::vector<json> &items)
{
    auto out = std::make_unique<T[]>(items.size());
    for (std::size_t i = 0; i < items.size(); i++) {
        out[i] = cell_of<T>(items[i]);
    }
    return out;
}

template <class T>
json write_range(const polyproc::cells<T> &cells, std::size_t from, const std::vector<json> &items)
{
    return locked(cells, [&]() -> json {
        auto contents = contents_of<T>(items);
        cells.write(from, polyproc::span<const T>(contents.get(), items.size()));
        return {};
    });
}

template <class Cells>
void release(const Cells &cells)
{
    polyproc::error problem;
    cells.unlock(problem);
    if (problem) {
        polyproc::raise(problem);
    }
}

template <class T>
const rows<polyproc::value<T>> &value_rows()
{
    using value = polyproc::value<T>;
    static const rows<value> out = {
        {"get", [](value &v, step &) { return locked(v, [&v] { return shown(v.load()); }); }},
        {"set", [](value &v, step &step) { return locked(v, [&]() -> json { return v.store(cell_of<T>(step.arg(0))), json(); }); }},
        {"add", [](value &v, step &step) { return add(v, 0, step.arg(0)); }},
        {"acquire", [](value &v, step &step) { return taken(v.acquire(step.wait)); }},
        {"release", [](value &v, step &) { release(v); }},
    };
    return out;
}

template <class T>
const rows<polyproc::array<T>> &array_rows()
{
    using array = polyproc::array<T>;
    static const rows<array> out = {
        {"get", [](array &a, step &step) { return locked(a, [&] { return shown(a.get(step.size(0))); }); }},
        {"set", [](array &a, step &step) { return locked(a, [&]() -> json { return a.set(step.size(0), cell_of<T>(step.arg(1))), json(); }); }},
        {"add", [](array &a, step &step) { return add(a, step.size(0), step.arg(1)); }},
        {"slice", [](array &a, step &step) { return read_range(a, step.size(0), step.size(1) - step.size(0)); }},
        {"set_slice", [](array &a, step &step) { return write_range(a, step.size(0), step.items(1)); }},
        {"items", [](array &a, step &) { return read_range(a, 0, a.size()); }},
        {"len", [](array &a, step &) { return a.size(); }},
        {"acquire", [](array &a, step &step) { return taken(a.acquire(step.wait)); }},
        {"release", [](array &a, step &) { release(a); }},
    };
    return out;
}

// Calls `act` with a cell of the type that has this code.
template <class Act>
std::unique_ptr<thing> by_code(int32_t code, Act act)
{
    switch (code) {
    case 'b': return act(int8_t{});
    case 'B': return act(uint8_t{});
    case 'h': return act(int16_t{});
    case 'H': return act(uint16_t{});
    case 'i': return act(int32_t{});
    case 'I': return act(uint32_t{});
    case 'l':
    case 'q': return act(int64_t{});
    case 'L':
    case 'Q': return act(uint64_t{});
    case 'f': return act(float{});
    case 'd': return act(double{});
    case 'c': return act(char{});
    case '?': return act(bool{});
    default: throw fault{"Driver", "no cell type of this code: " + std::to_string(code)};
    }
}

template <bool Many>
std::unique_ptr<thing> open_cells(const step &step, const std::string &name, polyproc::open mode)
{
    const json &type = step.with["type"], &contents = step.with[Many ? "contents" : "value"], &lock = step.with["lock"];
    auto locking = lock.kind == json::boolean && !lock.flag ? polyproc::locking::none : polyproc::locking::own;
    return by_code(type.kind == json::text ? type.string[0] : 'i', [&](auto zero) {
        using T = decltype(zero);
        if constexpr (!Many) {
            T first = contents.kind == json::null ? T{} : cell_of<T>(contents);
            return made_of(polyproc::value<T>(the_fabric(), first, name, mode, locking), value_rows<T>());
        } else if (contents.kind == json::integer) {
            return made_of(polyproc::array<T>(the_fabric(), static_cast<std::size_t>(contents.whole), name, mode, locking), array_rows<T>());
        } else {
            auto first = contents_of<T>(contents.items);
            return made_of(polyproc::array<T>(the_fabric(), polyproc::span<const T>(first.get(), contents.items.size()), name, mode, locking), array_rows<T>());
        }
    });
}

template <bool Many>
std::unique_ptr<thing> from_ticket(const polyproc::ticket &ticket)
{
    polyproc::handle<pp_cells_t, pp_cells_free> any(polyproc::made<pp_cells_t>(polyproc::failing(), pp_cells_from_ticket, &ticket));
    return by_code(polyproc::asked<int32_t>(polyproc::failing(), pp_cells_code, any.native()), [&ticket](auto zero) {
        using T = decltype(zero);
        if constexpr (Many) {
            return made_of(polyproc::array<T>(ticket), array_rows<T>());
        } else {
            return made_of(polyproc::value<T>(ticket), value_rows<T>());
        }
    });
}

using block = polyproc::shared_memory;

json read_block(block &from, step &step)
{
    polyproc::bytes out(step.size(1));
    from.read(step.size(0), out);
    return of_bytes(out.data(), out.size());
}

const rows<block> BLOCK = {
    {"read", read_block},
    {"write", [](block &b, step &step) { b.write(step.size(0), step.bytes(1)); }},
    {"size", [](block &b, step &) { return b.size(); }},
    {"unlink", [](block &b, step &) { b.unlink(); }},
};

// Its name: polyproc-FABRIC-NAME-ID.
std::unique_ptr<thing> open_block(const step &step, const std::string &name, polyproc::open mode)
{
    std::string whole = "polyproc-" + fabric_name() + "-" + name + "-" + the_fabric().id();
    return made_of(mode == polyproc::open::create ? block::create(static_cast<std::size_t>(step.option("size", 0)), whole) : block::attach(whole), BLOCK);
}

} // namespace

kinds cell_kinds()
{
    return {
        {"value", {open_cells<false>, PP_KIND_VALUE, from_ticket<false>}},
        {"array", {open_cells<true>, PP_KIND_ARRAY, from_ticket<true>}},
        {"shared_memory", {open_block, 0, nullptr}},
    };
}
