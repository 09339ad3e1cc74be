// Sets.
#ifndef POLYPROC_SET_HPP
#define POLYPROC_SET_HPP

#include "fabric.hpp"
#include "message.hpp"
#include "time.hpp"

namespace polyproc {

// Elements of this type; message: of any. In the order in which they came.
template <class T = message>
class set : public object<pp_set_t, pp_set_free, pp_set_ticket, pp_set_destroy> {
  public:
    using value_type = T;

    set() = default;
    explicit set(const fabric &in, name name = {}, open mode = open::or_create, failing how = {})
        : object(made<pp_set_t>(how, pp_set_open, in.native(), name.get(), detail::opening(name, mode)))
    {
    }
    explicit set(const polyproc::ticket &ticket, failing how = {}) : object(made<pp_set_t>(how, pp_set_from_ticket, &ticket)) {}

    // False: it was there already.
    bool insert(const T &element, failing how = {}) const
    {
        packed data{element, how};
        return data && asked<bool>(how, pp_set_add, this->native(), data.datum());
    }
    // False: it was not there.
    bool erase(const T &element, failing how = {}) const
    {
        packed data{element, how};
        return data && asked<bool>(how, pp_set_discard, this->native(), data.datum());
    }
    // not_found: it was not there.
    void remove(const T &element, failing how = {}) const
    {
        if (packed data{element, how}) {
            how(pp_set_remove, this->native(), data.datum());
        }
    }
    bool contains(const T &element, failing how = {}) const
    {
        packed data{element, how};
        return data && asked<bool>(how, pp_set_contains, this->native(), data.datum());
    }
    // The one that came last, taken out; not_found: the set is empty.
    T pop(failing how = {}) const
    {
        pp_message_t *out = made<pp_message_t>(how, pp_set_pop, this->native());
        return out == nullptr ? T{} : unpack<T>(message(out), how);
    }
    void clear(failing how = {}) const { how(pp_set_clear, this->native()); }
    std::size_t size(failing how = {}) const { return asked<std::size_t>(how, pp_set_len, this->native()); }

    polyproc::entries<T> items(failing how = {}) const { return polyproc::entries<T>(made<pp_entries_t>(how, pp_set_iterate, this->native())); }
    batch<T> snapshot(failing how = {}) const { return batch<T>(made<pp_messages_t>(how, pp_set_snapshot, this->native())); }

    uint64_t version(failing how = {}) const { return asked<uint64_t>(how, pp_set_version, this->native()); }
    std::optional<uint64_t> wait_change(uint64_t since, timeout wait = forever, failing how = {}) const
    {
        uint64_t version = 0;
        bool changed = how.or_else<PP_TIMEOUT>(pp_set_wait_change, this->native(), since, wait.nanoseconds(), &version) == PP_OK;
        return changed ? std::optional(version) : std::nullopt;
    }
};

} // namespace polyproc

#endif
