// How C++ types become values that every language reads, and come back: one `coder` for each kind of type.
//
// A type of yours becomes a value by a coder of its own:
//     template <> inline constexpr bool polyproc::is_value<money> = true;
//     template <> struct polyproc::coder<money> {
//         static bool write(const writing &to, const money &from) { return coder<int64_t>::write(to, from.cents); }
//         static bool read(reading &from, money &to) { return coder<int64_t>::read(from, to.cents); }
//     };
#ifndef POLYPROC_CODER_HPP
#define POLYPROC_CODER_HPP

#include "handle.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace polyproc {

using bytes = std::vector<std::byte>;

// Where a value is written to; the writer is lent.
struct writing {
    pp_writer_t *to;
    failing how;
};

// Where a value is read from; the bytes are lent.
struct reading {
    const void *data;
    std::size_t size;
    std::size_t at;
    failing how;

    template <class Function, class... Out>
    bool next(Function function, Out... out)
    {
        return how(function, data, size, &at, out...);
    }
    bool wrong(const std::string &why) const
    {
        how.fail(error(status::wrong_type, why));
        return false;
    }
};

// Types that are values although they are trivially copyable classes.
template <class T>
inline constexpr bool is_value = !std::is_class_v<T>;
template <class T, std::size_t Size>
inline constexpr bool is_value<std::array<T, Size>> = true;
template <class T>
inline constexpr bool is_value<std::optional<T>> = true;
template <class A, class B>
inline constexpr bool is_value<std::pair<A, B>> = true;
template <class... T>
inline constexpr bool is_value<std::tuple<T...>> = true;
template <>
inline constexpr bool is_value<std::string_view> = true;
template <>
inline constexpr bool is_value<ticket> = true;

// Structures that go as their bytes.
template <class T>
inline constexpr bool is_plain = std::is_class_v<T> && std::is_trivially_copyable_v<T> && !is_value<T>;

// Whoever sees this incomplete: the type is neither a value nor trivially copyable, and needs a coder of its own.
template <class T, class = void>
struct coder;

template <>
struct coder<bool> {
    static bool write(const writing &to, bool from) { return to.how(pp_writer_bool, to.to, from); }
    static bool read(reading &from, bool &to) { return from.next(pp_read_bool, &to); }
};

template <class T>
struct coder<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> {
    static bool write(const writing &to, T from)
    {
        if constexpr (std::is_signed_v<T>) {
            return to.how(pp_writer_int, to.to, static_cast<int64_t>(from));
        } else {
            return to.how(pp_writer_uint, to.to, static_cast<uint64_t>(from));
        }
    }
    static bool read(reading &from, T &to)
    {
        if constexpr (std::is_signed_v<T>) {
            int64_t wide = 0;
            return from.next(pp_read_int, &wide) && fits(from, wide, to);
        } else {
            uint64_t wide = 0;
            return from.next(pp_read_uint, &wide) && fits(from, wide, to);
        }
    }

  private:
    template <class Wide>
    static bool fits(reading &from, Wide wide, T &to)
    {
        if (wide < static_cast<Wide>(std::numeric_limits<T>::min()) || wide > static_cast<Wide>(std::numeric_limits<T>::max())) {
            return from.wrong("the integer " + std::to_string(wide) + " does not fit the type of " + std::to_string(sizeof(T)) + " bytes that was asked for");
        }
        to = static_cast<T>(wide);
        return true;
    }
};

template <class T>
struct coder<T, std::enable_if_t<std::is_enum_v<T> && !std::is_same_v<T, std::byte>>> {
    using number = std::underlying_type_t<T>;
    static bool write(const writing &to, T from) { return coder<number>::write(to, static_cast<number>(from)); }
    static bool read(reading &from, T &to)
    {
        number read{};
        bool good = coder<number>::read(from, read);
        to = static_cast<T>(read);
        return good;
    }
};

template <>
struct coder<double> {
    static bool write(const writing &to, double from) { return to.how(pp_writer_float, to.to, from); }
    static bool read(reading &from, double &to) { return from.next(pp_read_float, &to); }
};

template <>
struct coder<float> {
    static bool write(const writing &to, float from) { return to.how(pp_writer_float32, to.to, from); }
    // As near as a float comes.
    static bool read(reading &from, float &to)
    {
        double wide = 0;
        bool good = from.next(pp_read_float, &wide);
        to = static_cast<float>(wide);
        return good;
    }
};

template <>
struct coder<std::nullptr_t> {
    static bool write(const writing &to, std::nullptr_t) { return to.how(pp_writer_nil, to.to); }
    static bool read(reading &from, std::nullptr_t &) { return from.next(pp_read_nil); }
};

template <>
struct coder<std::string_view> {
    static bool write(const writing &to, std::string_view from) { return to.how(pp_writer_text, to.to, from.data(), from.size()); }
};

template <>
struct coder<std::string> {
    static bool write(const writing &to, const std::string &from) { return coder<std::string_view>::write(to, from); }
    static bool read(reading &from, std::string &to)
    {
        const char *text = nullptr;
        std::size_t size = 0;
        bool good = from.next(pp_read_text, &text, &size);
        to.assign(text == nullptr ? "" : text, size);
        return good;
    }
};

template <>
struct coder<const char *> {
    static bool write(const writing &to, const char *from) { return coder<std::string_view>::write(to, from); }
};

// Byte strings.
template <class T>
struct coder<std::vector<T>, std::enable_if_t<std::is_same_v<T, std::byte> || std::is_same_v<T, unsigned char>>> {
    static bool write(const writing &to, const std::vector<T> &from) { return to.how(pp_writer_bytes, to.to, from.data(), from.size()); }
    static bool read(reading &from, std::vector<T> &to)
    {
        const void *data = nullptr;
        std::size_t size = 0;
        bool good = from.next(pp_read_bytes, &data, &size);
        const T *first = static_cast<const T *>(data);
        to.assign(first, first + size);
        return good;
    }
};

// A structure inside of a value: a byte string.
template <class T>
struct coder<T, std::enable_if_t<is_plain<T>>> {
    static bool write(const writing &to, const T &from) { return to.how(pp_writer_bytes, to.to, &from, sizeof from); }
    static bool read(reading &from, T &to)
    {
        const void *data = nullptr;
        std::size_t size = 0;
        if (!from.next(pp_read_bytes, &data, &size)) {
            return false;
        }
        if (size != sizeof to) {
            return from.wrong("a byte string of " + std::to_string(size) + " bytes is no structure of " + std::to_string(sizeof to));
        }
        std::memcpy(&to, data, size);
        return true;
    }
};

template <class T>
struct coder<std::optional<T>> {
    static bool write(const writing &to, const std::optional<T> &from) { return from ? coder<T>::write(to, *from) : coder<std::nullptr_t>::write(to, nullptr); }
    static bool read(reading &from, std::optional<T> &to)
    {
        pp_item_t item{};
        std::size_t before = from.at;
        if (!from.next(pp_read_next, &item)) {
            return false;
        }
        to.reset();
        if (item.kind == PP_TYPE_NIL) {
            return true;
        }
        from.at = before;
        return coder<T>::read(from, to.emplace());
    }
};

template <>
struct coder<ticket> {
    static bool write(const writing &to, const ticket &from) { return to.how(pp_writer_ticket, to.to, &from); }
    static bool read(reading &from, ticket &to) { return from.next(pp_read_ticket, static_cast<pp_ticket_t *>(&to)); }
};

namespace detail {

// Lists of however many items: what `add` makes of each.
template <class T, class Container, class Add>
bool read_items(reading &from, Container &to, Add add)
{
    uint64_t count = 0;
    if (!from.next(pp_read_list, &count)) {
        return false;
    }
    to.clear();
    for (uint64_t i = 0; i < count; i++) { // the bytes bound it, whatever the count says
        T item{};
        if (!coder<T>::read(from, item)) {
            return false;
        }
        add(std::move(item));
    }
    return true;
}

template <class T, class Container>
bool write_items(const writing &to, const Container &from)
{
    bool good = to.how(pp_writer_list, to.to, uint64_t{from.size()});
    for (const auto &item : from) {
        good = good && coder<T>::write(to, item);
    }
    return good;
}

template <class Container>
struct set_coder {
    using item = typename Container::key_type;
    static bool write(const writing &to, const Container &from) { return write_items<item>(to, from); }
    static bool read(reading &from, Container &to)
    {
        return read_items<item>(from, to, [&to](item &&one) { to.insert(std::move(one)); });
    }
};

template <class Container>
struct map_coder {
    using key = typename Container::key_type;
    using mapped = typename Container::mapped_type;
    static bool write(const writing &to, const Container &from)
    {
        bool good = to.how(pp_writer_map, to.to, uint64_t{from.size()});
        for (const auto &entry : from) {
            good = good && coder<key>::write(to, entry.first) && coder<mapped>::write(to, entry.second);
        }
        return good;
    }
    static bool read(reading &from, Container &to)
    {
        uint64_t count = 0;
        if (!from.next(pp_read_map, &count)) {
            return false;
        }
        to.clear();
        for (uint64_t i = 0; i < count; i++) {
            key one{};
            mapped other{};
            if (!coder<key>::read(from, one) || !coder<mapped>::read(from, other)) {
                return false;
            }
            to.insert_or_assign(std::move(one), std::move(other));
        }
        return true;
    }
};

// Lists of a fixed number of items.
template <class Tuple>
struct tuple_coder {
    static constexpr std::size_t size = std::tuple_size_v<Tuple>;
    static bool write(const writing &to, const Tuple &from)
    {
        return to.how(pp_writer_list, to.to, uint64_t{size}) &&
               std::apply([&to](const auto &...item) { return (coder<std::decay_t<decltype(item)>>::write(to, item) && ...); }, from);
    }
    static bool read(reading &from, Tuple &to)
    {
        uint64_t count = 0;
        if (!from.next(pp_read_list, &count)) {
            return false;
        }
        if (count != size) {
            return from.wrong("a list of " + std::to_string(count) + " items, where " + std::to_string(size) + " are expected");
        }
        return std::apply([&from](auto &...item) { return (coder<std::decay_t<decltype(item)>>::read(from, item) && ...); }, to);
    }
};

} // namespace detail

template <class T>
struct coder<std::vector<T>, std::enable_if_t<!std::is_same_v<T, std::byte> && !std::is_same_v<T, unsigned char>>> {
    static bool write(const writing &to, const std::vector<T> &from) { return detail::write_items<T>(to, from); }
    static bool read(reading &from, std::vector<T> &to)
    {
        return detail::read_items<T>(from, to, [&to](T &&item) { to.push_back(std::move(item)); });
    }
};

template <class T, std::size_t Size>
struct coder<std::array<T, Size>> : detail::tuple_coder<std::array<T, Size>> {};
template <class A, class B>
struct coder<std::pair<A, B>> : detail::tuple_coder<std::pair<A, B>> {};
template <class... T>
struct coder<std::tuple<T...>> : detail::tuple_coder<std::tuple<T...>> {};
template <class T, class Less, class Allocator>
struct coder<std::set<T, Less, Allocator>> : detail::set_coder<std::set<T, Less, Allocator>> {};
template <class T, class Hash, class Equal, class Allocator>
struct coder<std::unordered_set<T, Hash, Equal, Allocator>> : detail::set_coder<std::unordered_set<T, Hash, Equal, Allocator>> {};
template <class K, class V, class Less, class Allocator>
struct coder<std::map<K, V, Less, Allocator>> : detail::map_coder<std::map<K, V, Less, Allocator>> {};
template <class K, class V, class Hash, class Equal, class Allocator>
struct coder<std::unordered_map<K, V, Hash, Equal, Allocator>> : detail::map_coder<std::unordered_map<K, V, Hash, Equal, Allocator>> {};

} // namespace polyproc

#endif
