// Dicts and namespaces.
#ifndef POLYPROC_DICT_HPP
#define POLYPROC_DICT_HPP

#include "fabric.hpp"
#include "message.hpp"
#include "time.hpp"

namespace polyproc {

// Keys and values of these types; message: of any. In the order in which keys came.
//
//     polyproc::dict<std::string, double> prices(fabric, "prices");
//     prices.set("tea", 2.5);
//     for (auto &[name, price] : prices.items()) { ... }
template <class K = message, class V = message>
class dict : public object<pp_dict_t, pp_dict_free, pp_dict_ticket, pp_dict_destroy> {
  public:
    using key_type = K;
    using mapped_type = V;
    using value_type = std::pair<K, V>;

    dict() = default;
    explicit dict(const fabric &in, name name = {}, open mode = open::or_create, failing how = {})
        : object(made<pp_dict_t>(how, pp_dict_open, in.native(), name.get(), detail::opening(name, mode)))
    {
    }
    explicit dict(const polyproc::ticket &ticket, failing how = {}) : object(made<pp_dict_t>(how, pp_dict_from_ticket, &ticket)) {}

    // not_found: no such key.
    V get(const K &key, failing how = {}) const { return with_version(key, nullptr, how); }
    // The same, and the version of the value, for compare_and_set.
    V get(const K &key, uint64_t &version, failing how = {}) const { return with_version(key, &version, how); }
    // Nothing: no such key.
    std::optional<V> find(const K &key, failing how = {}) const
    {
        packed data{key, how};
        pp_message_t *out = nullptr;
        if (!data || how.or_else<PP_NOT_FOUND>(pp_dict_get, this->native(), data.datum(), &out, nullptr) != PP_OK) {
            return std::nullopt;
        }
        error problem;
        V value = read(out, problem);
        if (problem) {
            how.fail(std::move(problem));
            return std::nullopt;
        }
        return value;
    }
    bool contains(const K &key, failing how = {}) const
    {
        packed data{key, how};
        return data && asked<bool>(how, pp_dict_contains, this->native(), data.datum());
    }
    // The version of the value.
    uint64_t set(const K &key, const V &value, failing how = {}) const
    {
        packed one{key, how};
        if (!one) {
            return 0;
        }
        packed other{value, how};
        return other ? asked<uint64_t>(how, pp_dict_set, this->native(), one.datum(), other.datum()) : 0;
    }
    // The value that is there, or, if there is none, this one, which then is.
    V set_default(const K &key, const V &value, failing how = {}) const
    {
        packed one{key, how};
        if (!one) {
            return V{};
        }
        packed other{value, how};
        return other ? read(made<pp_message_t>(how, pp_dict_set_default, this->native(), one.datum(), other.datum()), how) : V{};
    }
    // True: the version was the one expected (nothing: there was no such key), and the value is set.
    bool compare_and_set(const K &key, std::optional<uint64_t> expected, const V &value, failing how = {}) const
    {
        packed one{key, how};
        if (!one) {
            return false;
        }
        packed other{value, how};
        bool done = false;
        return other && how(pp_dict_compare_and_set, this->native(), one.datum(), expected ? &*expected : nullptr, other.datum(), &done, nullptr) && done;
    }
    bool compare_and_erase(const K &key, uint64_t expected, failing how = {}) const
    {
        packed data{key, how};
        return data && asked<bool>(how, pp_dict_compare_and_delete, this->native(), data.datum(), expected);
    }
    // False: there was no such key.
    bool erase(const K &key, failing how = {}) const
    {
        packed data{key, how};
        return data && how.or_else<PP_NOT_FOUND>(pp_dict_delete, this->native(), data.datum()) == PP_OK;
    }
    V pop(const K &key, failing how = {}) const
    {
        packed data{key, how};
        return data ? taken<V>(made<pp_message_t>(how, pp_dict_pop, this->native(), data.datum()), how) : V{};
    }
    // The entry that came last; not_found: the dict is empty.
    std::pair<message, message> pop_item(failing how = {}) const
    {
        pp_message_t *key = nullptr, *value = nullptr;
        how(pp_dict_pop_item, this->native(), &key, &value);
        return {message(key), message(value)};
    }
    // Adds to an integer in one step; the sum.
    int64_t increment(const K &key, int64_t delta = 1, failing how = {}) const
    {
        packed data{key, how};
        return data ? asked<int64_t>(how, pp_dict_increment, this->native(), data.datum(), delta) : 0;
    }
    // All of these entries, of a map or a vector of pairs.
    template <class Entries>
    void update(const Entries &from, failing how = {}) const
    {
        packed_many keys(how), values(how);
        for (const auto &[key, value] : from) {
            if (!keys.add(key) || !values.add(value)) {
                return;
            }
        }
        how(pp_dict_update, this->native(), keys.data(), values.data(), keys.size());
    }
    void update_from(const dict &other, failing how = {}) const { how(pp_dict_update_from, this->native(), other.native()); }
    // Another dict, without a name.
    dict copy(failing how = {}) const
    {
        dict out;
        static_cast<object &>(out) = object(made<pp_dict_t>(how, pp_dict_copy, this->native()));
        return out;
    }
    void clear(failing how = {}) const { how(pp_dict_clear, this->native()); }
    std::size_t size(failing how = {}) const { return asked<std::size_t>(how, pp_dict_len, this->native()); }

    // Goes through while others write: what stays is seen exactly once.
    polyproc::entries<value_type, true> items(bool backward = false, failing how = {}) const
    {
        return polyproc::entries<value_type, true>(made<pp_entries_t>(how, pp_dict_iterate, this->native(), backward));
    }
    // All of one instant: keys, and as many values.
    std::pair<batch<K>, batch<V>> snapshot(failing how = {}) const
    {
        pp_messages_t *keys = nullptr, *values = nullptr;
        how(pp_dict_snapshot, this->native(), &keys, &values);
        return {batch<K>(keys), batch<V>(values)};
    }

    uint64_t version(failing how = {}) const { return asked<uint64_t>(how, pp_dict_version, this->native()); }
    // Until the dict has another version than this one, which it then says; nothing: time was up.
    std::optional<uint64_t> wait_change(uint64_t since, timeout wait = forever, failing how = {}) const
    {
        uint64_t version = 0;
        bool changed = how.or_else<PP_TIMEOUT>(pp_dict_wait_change, this->native(), since, wait.nanoseconds(), &version) == PP_OK;
        return changed ? std::optional(version) : std::nullopt;
    }
    // Until the key is there, or, with a version, has another one. timeout_error; not_found: it was deleted.
    V wait_key(const K &key, std::optional<uint64_t> since = {}, timeout wait = forever, failing how = {}) const
    {
        packed data{key, how};
        pp_message_t *out = nullptr;
        bool good = data && how(pp_dict_wait_key, this->native(), data.datum(), since ? &*since : nullptr, wait.nanoseconds(), &out, nullptr);
        return good ? read(out, how) : V{};
    }

  private:
    V with_version(const K &key, uint64_t *version, const failing &how) const
    {
        packed data{key, how};
        pp_message_t *out = nullptr;
        return data && how(pp_dict_get, this->native(), data.datum(), &out, version) ? read(out, how) : V{};
    }
    static V read(pp_message_t *from, const failing &how) { return taken<V>(from, how); }
    template <class T>
    static T taken(pp_message_t *from, const failing &how)
    {
        return from == nullptr ? T{} : unpack<T>(message(from), how);
    }
};

// Attributes, each of its own type.
class namespace_ : public object<pp_namespace_t, pp_namespace_free, pp_namespace_ticket, pp_namespace_destroy> {
  public:
    namespace_() = default;
    explicit namespace_(const fabric &in, name name = {}, open mode = open::or_create, failing how = {})
        : object(made<pp_namespace_t>(how, pp_namespace_open, in.native(), name.get(), detail::opening(name, mode)))
    {
    }
    explicit namespace_(const polyproc::ticket &ticket, failing how = {}) : object(made<pp_namespace_t>(how, pp_namespace_from_ticket, &ticket)) {}

    template <class T>
    void set(const std::string &attribute, const T &value, failing how = {}) const
    {
        if (packed data{value, how}) {
            how(pp_namespace_set, native(), attribute.c_str(), data.datum());
        }
    }
    // not_found: no such attribute.
    template <class T = message>
    T get(const std::string &attribute, failing how = {}) const
    {
        pp_message_t *out = made<pp_message_t>(how, pp_namespace_get, native(), attribute.c_str());
        return out == nullptr ? T{} : unpack<T>(message(out), how);
    }
    bool contains(const std::string &attribute, failing how = {}) const { return asked<bool>(how, pp_namespace_contains, native(), attribute.c_str()); }
    // False: there was no such attribute.
    bool erase(const std::string &attribute, failing how = {}) const
    {
        return how.or_else<PP_NOT_FOUND>(pp_namespace_delete, native(), attribute.c_str()) == PP_OK;
    }
    std::vector<std::string> names(failing how = {}) const
    {
        handle<pp_names_t, pp_names_free> names(made<pp_names_t>(how, pp_namespace_names, native()));
        std::vector<std::string> out;
        for (std::size_t i = 0; i < pp_names_len(names.native()); i++) {
            out.emplace_back(pp_names_get(names.native(), i));
        }
        return out;
    }
    uint64_t version(failing how = {}) const { return asked<uint64_t>(how, pp_namespace_version, native()); }
    std::optional<uint64_t> wait_change(uint64_t since, timeout wait = forever, failing how = {}) const
    {
        uint64_t version = 0;
        bool changed = how.or_else<PP_TIMEOUT>(pp_namespace_wait_change, native(), since, wait.nanoseconds(), &version) == PP_OK;
        return changed ? std::optional(version) : std::nullopt;
    }
};

} // namespace polyproc

#endif
