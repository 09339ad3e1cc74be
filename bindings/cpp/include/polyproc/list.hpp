// Lists.
#ifndef POLYPROC_LIST_HPP
#define POLYPROC_LIST_HPP

#include "fabric.hpp"
#include "message.hpp"
#include "time.hpp"

#include <exception>
#include <functional>

namespace polyproc {

// `start:stop:step`; each may be PP_NONE.
struct slice : pp_slice_t {
    explicit slice(int64_t start = PP_NONE, int64_t stop = PP_NONE, int64_t step = PP_NONE) : pp_slice_t{start, stop, step} {}
};

// Items of this type; message: of any. Negative indices count from the end.
template <class T = message>
class list : public object<pp_list_t, pp_list_free, pp_list_ticket, pp_list_destroy> {
  public:
    using value_type = T;

    list() = default;
    explicit list(const fabric &in, name name = {}, open mode = open::or_create, failing how = {})
        : object(made<pp_list_t>(how, pp_list_open, in.native(), name.get(), detail::opening(name, mode)))
    {
    }
    explicit list(const polyproc::ticket &ticket, failing how = {}) : object(made<pp_list_t>(how, pp_list_from_ticket, &ticket)) {}

    std::size_t size(failing how = {}) const { return asked<std::size_t>(how, pp_list_len, this->native()); }
    // not_found: no such index.
    T get(int64_t index, failing how = {}) const { return taken(made<pp_message_t>(how, pp_list_get, this->native(), index), how); }
    T operator[](int64_t index) const { return get(index); }
    // And its version, for set_at_version.
    T get(int64_t index, uint64_t &version, failing how = {}) const
    {
        pp_message_t *out = nullptr;
        how(pp_list_get_with_version, this->native(), index, &out, &version);
        return taken(out, how);
    }
    void set(int64_t index, const T &item, failing how = {}) const
    {
        if (packed data{item, how}) {
            how(pp_list_set, this->native(), index, data.datum());
        }
    }
    bool set_at_version(int64_t index, uint64_t version, const T &item, failing how = {}) const
    {
        packed data{item, how};
        return data && asked<bool>(how, pp_list_set_at_version, this->native(), index, version, data.datum());
    }
    // True: the item was equal to the one expected, and is set.
    bool compare_and_set(int64_t index, const T &expected, const T &item, failing how = {}) const
    {
        packed one{expected, how};
        if (!one) {
            return false;
        }
        packed other{item, how};
        return other && asked<bool>(how, pp_list_compare_and_set, this->native(), index, one.datum(), other.datum());
    }
    int64_t increment(int64_t index, int64_t delta = 1, failing how = {}) const
    {
        return asked<int64_t>(how, pp_list_increment, this->native(), index, delta);
    }
    void push_back(const T &item, failing how = {}) const
    {
        if (packed data{item, how}) {
            how(pp_list_append, this->native(), data.datum());
        }
    }
    void insert(int64_t index, const T &item, failing how = {}) const
    {
        if (packed data{item, how}) {
            how(pp_list_insert, this->native(), index, data.datum());
        }
    }
    void extend(span<const T> items, failing how = {}) const
    {
        packed_many data(how);
        for (const T &item : items) {
            if (!data.add(item)) {
                return;
            }
        }
        how(pp_list_extend, this->native(), data.data(), data.size());
    }
    // The last one, taken out.
    T pop_back(failing how = {}) const { return taken(made<pp_message_t>(how, pp_list_pop, this->native()), how); }
    T pop(int64_t index, failing how = {}) const { return taken(made<pp_message_t>(how, pp_list_pop_at, this->native(), index), how); }
    void erase(int64_t index, failing how = {}) const { how(pp_list_delete, this->native(), index); }
    void clear(failing how = {}) const { how(pp_list_clear, this->native()); }
    void reverse(failing how = {}) const { how(pp_list_reverse, this->native()); }
    void repeat(std::size_t times, failing how = {}) const { how(pp_list_repeat, this->native(), times); }

    batch<T> get(slice of, failing how = {}) const
    {
        return batch<T>(made<pp_messages_t>(how, pp_list_get_slice, this->native(), static_cast<pp_slice_t>(of)));
    }
    void set(slice of, span<const T> items, failing how = {}) const
    {
        packed_many data(how);
        for (const T &item : items) {
            if (!data.add(item)) {
                return;
            }
        }
        how(pp_list_set_slice, this->native(), static_cast<pp_slice_t>(of), data.data(), data.size());
    }
    void erase(slice of, failing how = {}) const { how(pp_list_delete_slice, this->native(), static_cast<pp_slice_t>(of)); }

    bool contains(const T &item, failing how = {}) const
    {
        packed data{item, how};
        return data && asked<bool>(how, pp_list_contains, this->native(), data.datum());
    }
    std::size_t count(const T &item, failing how = {}) const
    {
        packed data{item, how};
        return data ? asked<std::size_t>(how, pp_list_count, this->native(), data.datum()) : 0;
    }
    // Nothing: it is not there.
    std::optional<std::size_t> find(const T &item, failing how = {}) const
    {
        packed data{item, how};
        std::size_t index = 0;
        bool found = data && how.or_else<PP_NOT_FOUND>(pp_list_index_of, this->native(), data.datum(), PP_NONE, PP_NONE, &index) == PP_OK;
        return found ? std::optional(index) : std::nullopt;
    }
    // The first that is equal; false: there was none.
    bool remove(const T &item, failing how = {}) const
    {
        packed data{item, how};
        return data && how.or_else<PP_NOT_FOUND>(pp_list_remove, this->native(), data.datum()) == PP_OK;
    }
    // By <, or by `before`, which is asked in this thread whether one item comes before another. If that throws, the exception comes out of here, and the list has all its items in some
    // order. wrong_type: an item is no T; the same holds.
    void sort(failing how = {}) const { sort(std::less<T>(), how); }
    template <class Before, class = std::enable_if_t<std::is_invocable_r_v<bool, Before &, const T &, const T &>>>
    void sort(Before before, failing how = {}) const
    {
        static_assert(!std::is_same_v<T, message>, "messages have no order; sort a list of a type");
        comparing<Before> context{before, nullptr, {}};
        error problem;
        failing into(problem);
        into(pp_list_sort, this->native(), pp_compare_t{comparing<Before>::compare}, static_cast<void *>(&context));
        if (context.thrown) {
            std::rethrow_exception(context.thrown);
        }
        how.begin();
        if (problem || context.problem) {
            how.fail(problem ? std::move(problem) : std::move(context.problem));
        }
    }

    // for (T item : list.items()): goes through by index while others write.
    polyproc::entries<T> items(failing how = {}) const { return polyproc::entries<T>(made<pp_entries_t>(how, pp_list_iterate, this->native())); }

    uint64_t version(failing how = {}) const { return asked<uint64_t>(how, pp_list_version, this->native()); }
    std::optional<uint64_t> wait_change(uint64_t since, timeout wait = forever, failing how = {}) const
    {
        uint64_t version = 0;
        bool changed = how.or_else<PP_TIMEOUT>(pp_list_wait_change, this->native(), since, wait.nanoseconds(), &version) == PP_OK;
        return changed ? std::optional(version) : std::nullopt;
    }

  private:
    template <class Before>
    struct comparing {
        Before &before;
        std::exception_ptr thrown;
        error problem;

        // After something went wrong all items are alike: no exception may go through C.
        static int32_t compare(const pp_message_t *a, const pp_message_t *b, void *context)
        {
            auto &self = *static_cast<comparing *>(context);
            if (self.thrown || self.problem) {
                return 0;
            }
            try {
                T one{}, other{};
                failing how(self.problem);
                if (!detail::unpack_lent(a, one, how) || !detail::unpack_lent(b, other, how)) {
                    return 0;
                }
                return self.before(one, other) ? -1 : self.before(other, one) ? 1 : 0;
            } catch (...) {
                self.thrown = std::current_exception();
                return 0;
            }
        }
    };

    static T taken(pp_message_t *from, const failing &how) { return from == nullptr ? T{} : unpack<T>(message(from), how); }
};

} // namespace polyproc

#endif
