// What is put in and what comes out: `packed` makes the datum of an item, `message` is what was handed out, and `unpack` makes the item again.
#ifndef POLYPROC_MESSAGE_HPP
#define POLYPROC_MESSAGE_HPP

#include "coder.hpp"

#include <iterator>

namespace polyproc {

class message;
template <class T>
T unpack(message from, const failing &how);

// A message, value or key of whatever type, as it was handed out. It may be put again.
class message : public handle<pp_message_t, pp_message_free> {
  public:
    using handle::handle;

    span<const std::byte> data() const noexcept
    {
        std::size_t size = 0;
        const void *data = pp_message_data(native(), &size);
        return {static_cast<const std::byte *>(data), size};
    }
    // PP_CODEC_RAW, PP_CODEC_VALUE, or one of another language's own.
    uint8_t codec() const noexcept { return pp_message_codec(native()); }
    bool is_shared() const noexcept { return pp_message_is_shared(native()); }
    // Why it is a dead letter, as polyproc.h has it; 0: it is none.
    int32_t dead_letter() const noexcept { return pp_message_dead_letter(native(), nullptr); }
    // The item. wrong_type: it is of another type; the message stays.
    template <class T>
    T as(failing how = {}) const;
};

template <>
inline constexpr bool is_value<message> = true;

// Inside of a value: the value that it is, or its bytes as a byte string.
template <>
struct coder<message> {
    static bool write(const writing &to, const message &from)
    {
        auto data = from.data();
        return from.codec() == PP_CODEC_VALUE ? to.how(pp_writer_value, to.to, data.data(), data.size()) : to.how(pp_writer_bytes, to.to, data.data(), data.size());
    }
};

inline message error::take_message()
{
    if (message_) {
        return message(message_->release());
    }
    pp_message_t *out = nullptr;
    pp_error_take_message(object_.get(), &out, nullptr);
    return message(out);
}

namespace detail {

// A message's item, written to `out`; false if it is none.
template <class T>
bool unpack_lent(const pp_message_t *from, T &out, const failing &how)
{
    if constexpr (is_plain<T> || std::is_same_v<T, bytes>) {
        if (from != nullptr && pp_message_codec(from) == PP_CODEC_RAW) {
            std::size_t size = 0;
            const void *data = pp_message_data(from, &size);
            if constexpr (is_plain<T>) {
                if (size != sizeof out) {
                    how.fail(error(status::wrong_type, "a message of " + std::to_string(size) + " bytes is no structure of " + std::to_string(sizeof out)));
                    return false;
                }
                std::memcpy(&out, data, size);
            } else {
                out.assign(static_cast<const std::byte *>(data), static_cast<const std::byte *>(data) + size);
            }
            how.begin();
            return true;
        }
    }
    reading at{nullptr, 0, 0, how};
    return how(pp_message_value, from, &at.data, &at.size) && coder<T>::read(at, out);
}

} // namespace detail

template <class T>
T message::as(failing how) const
{
    T out{};
    return detail::unpack_lent(native(), out, how) ? std::move(out) : T{};
}

// The item of a message that was taken out for good: if it is of another type, the message goes with the error.
template <class T>
T unpack(message from, const failing &how)
{
    if constexpr (std::is_same_v<T, message>) {
        return from;
    } else {
        T out{};
        error problem;
        if (detail::unpack_lent(from.native(), out, failing(problem))) {
            how.begin();
            return out;
        }
        problem.keep(from.release());
        how.fail(std::move(problem));
        return T{};
    }
}

// The datum of an item, which must outlive it.
class packed {
  public:
    template <class T>
    packed(const T &item, const failing &how)
    {
        if constexpr (std::is_same_v<T, pp_datum_t>) {
            datum_ = item;
        } else if constexpr (std::is_same_v<T, message>) {
            auto data = item.data();
            datum_ = pp_encoded(data.data(), data.size(), item.codec());
        } else if constexpr (std::is_same_v<T, bool>) {
            datum_ = pp_bool(item);
        } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
            datum_ = pp_int(item);
        } else if constexpr (std::is_integral_v<T>) {
            datum_ = pp_uint(item);
        } else if constexpr (std::is_same_v<T, double>) {
            datum_ = pp_float(item);
        } else if constexpr (std::is_convertible_v<const T &, std::string_view>) {
            std::string_view text = item;
            datum_ = pp_text_of(text.data(), text.size());
        } else if constexpr (std::is_same_v<T, ticket>) {
            datum_ = pp_object(&item);
        } else if constexpr (std::is_same_v<T, bytes>) {
            datum_ = pp_raw(item.data(), item.size());
        } else if constexpr (is_plain<T>) {
            datum_ = pp_raw(&item, sizeof item);
        } else {
            writer_ = handle<pp_writer_t, pp_writer_free>(made<pp_writer_t>(how, pp_writer_new));
            good_ = writer_ && coder<T>::write(writing{writer_.native(), how}, item) && how(pp_writer_datum, writer_.native(), &datum_);
        }
    }

    // False: it cannot be encoded, which the call was told.
    explicit operator bool() const noexcept { return good_; }
    const pp_datum_t &datum() const noexcept { return datum_; }

  private:
    pp_datum_t datum_{};
    bool good_ = true;
    handle<pp_writer_t, pp_writer_free> writer_;
};

// The data of several items.
class packed_many {
  public:
    explicit packed_many(const failing &how) : how_(how) {}

    template <class T>
    bool add(const T &item)
    {
        items_.emplace_back(item, how_);
        data_.push_back(items_.back().datum());
        good_ = good_ && static_cast<bool>(items_.back());
        return good_;
    }
    explicit operator bool() const noexcept { return good_; }
    const pp_datum_t *data() const noexcept { return data_.data(); }
    std::size_t size() const noexcept { return data_.size(); }

  private:
    failing how_;
    bool good_ = true;
    std::vector<packed> items_;
    std::vector<pp_datum_t> data_;
};

// Several messages that came at once. An item is made when it is asked for, so none is lost because of another one.
template <class T>
class batch : public handle<pp_messages_t, pp_messages_free> {
  public:
    using handle::handle;

    std::size_t size() const noexcept { return pp_messages_len(native()); }
    bool empty() const noexcept { return size() == 0; }
    T at(std::size_t index, failing how = {}) const
    {
        T out{};
        if constexpr (std::is_same_v<T, message>) {
            pp_message_t *one = nullptr;
            how(pp_messages_take, native(), index, &one);
            out = message(one);
        } else {
            detail::unpack_lent(pp_messages_get(native(), index), out, how);
        }
        return out;
    }
    T operator[](std::size_t index) const { return at(index); }
    // The message itself, which is then not here any more.
    message take(std::size_t index, failing how = {}) { return message(made<pp_message_t>(how, pp_messages_take, native(), index)); }

    class iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = T;
        iterator(const batch &of, std::size_t at) : of_(&of), at_(at) {}
        T operator*() const { return of_->at(at_); }
        iterator &operator++()
        {
            at_++;
            return *this;
        }
        void operator++(int) { at_++; }
        friend bool operator==(const iterator &a, const iterator &b) noexcept { return a.at_ == b.at_; }
        friend bool operator!=(const iterator &a, const iterator &b) noexcept { return a.at_ != b.at_; }

      private:
        const batch *of_;
        std::size_t at_;
    };
    iterator begin() const { return {*this, 0}; }
    iterator end() const { return {*this, size()}; }
};

namespace detail {

// An iterator whose next item is whatever `Source::next()` gives, until that is nothing.
template <class Source>
class pulling {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = typename Source::item;
    using difference_type = std::ptrdiff_t;
    using pointer = value_type *;
    using reference = value_type &;

    pulling() = default;
    explicit pulling(Source &from) : from_(&from) { ++*this; }
    reference operator*() { return *item_; }
    pointer operator->() { return &*item_; }
    pulling &operator++()
    {
        item_ = from_->next();
        return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const pulling &a, const pulling &b) noexcept { return a.item_.has_value() == b.item_.has_value(); }
    friend bool operator!=(const pulling &a, const pulling &b) noexcept { return !(a == b); }

  private:
    Source *from_ = nullptr;
    std::optional<value_type> item_;
};

} // namespace detail

// The entries of a dict, set or list, one after the other, while others write: for (auto &item : entries).
template <class Item, bool Pairs = false>
class entries : public handle<pp_entries_t, pp_entries_free> {
  public:
    using item = Item;
    using handle::handle;

    // The next one; nothing at the end.
    std::optional<Item> next(failing how = {})
    {
        pp_message_t *first = nullptr, *second = nullptr;
        if (how.or_else<PP_EMPTY>(pp_entries_next, native(), &first, &second) != PP_OK) {
            return std::nullopt;
        }
        message one(first), other(second);
        Item out{};
        bool good = false;
        if constexpr (Pairs) {
            good = put(std::move(one), out.first, how) && put(std::move(other), out.second, how);
        } else {
            good = put(std::move(one), out, how);
        }
        return good ? std::optional<Item>(std::move(out)) : std::nullopt;
    }
    detail::pulling<entries> begin() { return detail::pulling<entries>(*this); }
    detail::pulling<entries> end() { return {}; }

  private:
    template <class T>
    static bool put(message from, T &to, const failing &how)
    {
        if constexpr (std::is_same_v<T, message>) {
            to = std::move(from);
            return true;
        } else {
            return detail::unpack_lent(from.native(), to, how);
        }
    }
};

} // namespace polyproc

#endif
