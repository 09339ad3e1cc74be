// Values and arrays: plain cells of shared memory, with a lock.
#ifndef POLYPROC_CELLS_HPP
#define POLYPROC_CELLS_HPP

#include "lock.hpp"

#include <vector>

namespace polyproc {

// Whether cells have a recursive lock of their own, or none. (One that was given: its ticket in its place.)
enum class locking : int32_t { own = PP_LOCKING_OWN, none = PP_LOCKING_NONE };

namespace detail {

// The code of polyproc.h for a type; structures have 'S'.
template <class T>
constexpr int32_t cell_code()
{
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>, "cells are numbers or trivially copyable structures");
    if constexpr (std::is_same_v<T, bool>) {
        return '?';
    } else if constexpr (std::is_same_v<T, char>) {
        return 'c';
    } else if constexpr (std::is_floating_point_v<T>) {
        static_assert(sizeof(T) <= 8, "long double is not of every language");
        return sizeof(T) == 4 ? 'f' : 'd';
    } else if constexpr (std::is_integral_v<T>) {
        switch (sizeof(T)) {
        case 1: return std::is_signed_v<T> ? 'b' : 'B';
        case 2: return std::is_signed_v<T> ? 'h' : 'H';
        case 4: return std::is_signed_v<T> ? 'i' : 'I';
        default: return std::is_signed_v<T> ? 'q' : 'Q';
        }
    } else {
        return 'S';
    }
}

template <class T>
pp_cells_t *open_cells(const fabric &in, int32_t kind, const name &name, open mode, std::size_t count, const T *contents, locking locking, const ticket *lock,
                       const failing &how)
{
    pp_cells_options_t options PP_CELLS_OPTIONS_INIT;
    options.code = cell_code<T>();
    if (options.code == 'S') {
        options.structure_size = sizeof(T);
        options.structure_align = alignof(T);
    }
    options.count = count;
    options.contents = contents;
    options.locking = lock == nullptr ? static_cast<int32_t>(locking) : PP_LOCKING_GIVEN;
    options.lock = lock;
    return made<pp_cells_t>(how, pp_cells_open, in.native(), kind, name.get(), opening(name, mode), &options);
}

} // namespace detail

// What values and arrays have in common. A guard takes them: polyproc::guard held(cells).
template <class T>
class cells : public lockable<pp_cells_t, pp_cells_acquire, pp_cells_release, object<pp_cells_t, pp_cells_free, pp_cells_ticket, pp_cells_destroy>> {
  public:
    using value_type = T;
    static constexpr bool is_integer = std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>;

    std::size_t size(failing how = {}) const { return asked<std::size_t>(how, pp_cells_len, this->native()); }
    bool has_lock(failing how = {}) const { return asked<bool>(how, pp_cells_has_lock, this->native()); }
    // The cells in place: whoever uses them so holds the lock, or uses atomics. Lent until the handle ends; a forked child asks anew.
    span<T> data(failing how = {}) const
    {
        void *data = nullptr;
        std::size_t size = 0;
        bool good = how(pp_cells_data, this->native(), &data) && how(pp_cells_len, this->native(), &size);
        return good ? span<T>(static_cast<T *>(data), size) : span<T>();
    }
    // Takes no lock: a cell of up to 8 bytes comes whole, a larger one may be half changed if somebody writes without the lock.
    T get(std::size_t index, failing how = {}) const
    {
        T out{};
        how(pp_cells_read, this->native(), index, static_cast<void *>(&out), sizeof out);
        return out;
    }
    void set(std::size_t index, const T &item, failing how = {}) const
    {
        how(pp_cells_write, this->native(), index, static_cast<const void *>(&item), sizeof item);
    }
    // Of integers, in one atomic step: what was there before.
    T exchange(T item, std::size_t index = 0, failing how = {}) const { return step(pp_cells_swap, item, index, how); }
    T fetch_add(T item, std::size_t index = 0, failing how = {}) const { return step(pp_cells_fetch_add, item, index, how); }
    T fetch_sub(T item, std::size_t index = 0, failing how = {}) const { return step(pp_cells_fetch_sub, item, index, how); }
    // True: it was `expected`, and is `item`. Else `expected` gets what it is.
    bool compare_exchange(T &expected, T item, std::size_t index = 0, failing how = {}) const
    {
        static_assert(is_integer, "atomic steps are for integers");
        bool done = false;
        int64_t previous = 0;
        if (how(pp_cells_compare_exchange, this->native(), index, static_cast<int64_t>(expected), static_cast<int64_t>(item), &done, &previous)) {
            expected = static_cast<T>(previous);
        }
        return done;
    }

  protected:
    using cells::lockable::lockable;

  private:
    template <class Function>
    T step(Function function, T item, std::size_t index, const failing &how) const
    {
        static_assert(is_integer, "atomic steps are for integers");
        return static_cast<T>(asked<int64_t>(how, function, this->native(), index, static_cast<int64_t>(item)));
    }
};

// One cell.
template <class T>
class value : public cells<T> {
  public:
    value() = default;
    explicit value(const fabric &in, const T &first = T{}, name name = {}, open mode = open::or_create, locking locking = locking::own, failing how = {})
        : cells<T>(detail::open_cells<T>(in, PP_KIND_VALUE, name, mode, 1, &first, locking, nullptr, how))
    {
    }
    value(const fabric &in, const T &first, const polyproc::ticket &lock, name name = {}, open mode = open::or_create, failing how = {})
        : cells<T>(detail::open_cells<T>(in, PP_KIND_VALUE, name, mode, 1, &first, locking::own, &lock, how))
    {
    }
    explicit value(const polyproc::ticket &ticket, failing how = {}) : cells<T>(made<pp_cells_t>(how, pp_cells_from_ticket, &ticket)) {}

    T load(failing how = {}) const { return this->get(0, how); }
    void store(const T &item, failing how = {}) const { this->set(0, item, how); }
};

// So many cells.
template <class T>
class array : public cells<T> {
  public:
    array() = default;
    array(const fabric &in, std::size_t size, name name = {}, open mode = open::or_create, locking locking = locking::own, failing how = {})
        : cells<T>(detail::open_cells<T>(in, PP_KIND_ARRAY, name, mode, size, nullptr, locking, nullptr, how))
    {
    }
    array(const fabric &in, span<const T> contents, name name = {}, open mode = open::or_create, locking locking = locking::own, failing how = {})
        : cells<T>(detail::open_cells<T>(in, PP_KIND_ARRAY, name, mode, contents.size(), contents.data(), locking, nullptr, how))
    {
    }
    array(const fabric &in, std::size_t size, const polyproc::ticket &lock, name name = {}, open mode = open::or_create, failing how = {})
        : cells<T>(detail::open_cells<T>(in, PP_KIND_ARRAY, name, mode, size, nullptr, locking::own, &lock, how))
    {
    }
    explicit array(const polyproc::ticket &ticket, failing how = {}) : cells<T>(made<pp_cells_t>(how, pp_cells_from_ticket, &ticket)) {}

    T operator[](std::size_t index) const { return this->get(index); }
    // A copy of all; as get has it, each cell for itself.
    std::vector<T> copy(failing how = {}) const
    {
        static_assert(!std::is_same_v<T, bool>, "std::vector<bool> is no array; use data()");
        std::vector<T> out(this->size(how));
        how(pp_cells_read, this->native(), std::size_t{0}, static_cast<void *>(out.data()), out.size() * sizeof(T));
        return out;
    }
};

} // namespace polyproc

#endif
