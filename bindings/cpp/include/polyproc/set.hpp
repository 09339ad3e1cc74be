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

    // The operators take another set, or whatever gives elements: vectors, std::set, arrays. Answers are own elements first, each side in its order.
    template <class Elements>
    batch<T> set_union(const Elements &other, failing how = {}) const { return answer(pp_set_union, other, how); } // `union` is a word of the language
    template <class Elements>
    batch<T> intersection(const Elements &other, failing how = {}) const { return answer(pp_set_intersection, other, how); }
    template <class Elements>
    batch<T> difference(const Elements &other, failing how = {}) const { return answer(pp_set_difference, other, how); }
    template <class Elements>
    batch<T> symmetric_difference(const Elements &other, failing how = {}) const { return answer(pp_set_symmetric_difference, other, how); }
    // The same in place, element by element.
    template <class Elements>
    void update(const Elements &other, failing how = {}) const { change(pp_set_update, other, how); }
    template <class Elements>
    void intersection_update(const Elements &other, failing how = {}) const { change(pp_set_intersection_update, other, how); }
    template <class Elements>
    void difference_update(const Elements &other, failing how = {}) const { change(pp_set_difference_update, other, how); }
    template <class Elements>
    void symmetric_difference_update(const Elements &other, failing how = {}) const { change(pp_set_symmetric_difference_update, other, how); }
    template <class Elements>
    bool is_subset(const Elements &other, failing how = {}) const { return compare(pp_set_is_subset, other, how); }
    template <class Elements>
    bool is_superset(const Elements &other, failing how = {}) const { return compare(pp_set_is_superset, other, how); }
    template <class Elements>
    bool is_disjoint(const Elements &other, failing how = {}) const { return compare(pp_set_is_disjoint, other, how); }

    uint64_t version(failing how = {}) const { return asked<uint64_t>(how, pp_set_version, this->native()); }
    std::optional<uint64_t> wait_change(uint64_t since, timeout wait = forever, failing how = {}) const
    {
        uint64_t version = 0;
        bool changed = how.or_else<PP_TIMEOUT>(pp_set_wait_change, this->native(), since, wait.nanoseconds(), &version) == PP_OK;
        return changed ? std::optional(version) : std::nullopt;
    }

  private:
    // The other side of an operator.
    class elements {
      public:
        elements(const set &of, const failing &how) : data_(how), elements_(pp_elements_of(of.native())), good_(true)
        {
            if (!of) { // NULL would be no elements
                how.fail(error(status::invalid_argument, "the other set is an empty handle"));
                good_ = false;
            }
        }
        template <class Elements>
        elements(const Elements &of, const failing &how) : data_(how)
        {
            for (const T &element : of) {
                if (!data_.add(element)) {
                    return;
                }
            }
            elements_ = pp_elements(data_.data(), data_.size());
            good_ = true;
        }
        explicit operator bool() const noexcept { return good_; }
        const pp_elements_t &get() const noexcept { return elements_; }

      private:
        packed_many data_;
        pp_elements_t elements_{};
        bool good_ = false;
    };

    template <class Function, class Other>
    batch<T> answer(Function function, const Other &other, const failing &how) const
    {
        elements data(other, how);
        return data ? batch<T>(made<pp_messages_t>(how, function, this->native(), data.get())) : batch<T>();
    }
    template <class Function, class Other>
    void change(Function function, const Other &other, const failing &how) const
    {
        if (elements data(other, how); data) {
            how(function, this->native(), data.get());
        }
    }
    template <class Function, class Other>
    bool compare(Function function, const Other &other, const failing &how) const
    {
        elements data(other, how);
        return data && asked<bool>(how, function, this->native(), data.get());
    }
};

} // namespace polyproc

#endif
