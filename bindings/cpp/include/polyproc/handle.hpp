// Handles of polyproc.h that end with their scope, objects that have tickets, names, and a view of memory.
#ifndef POLYPROC_HANDLE_HPP
#define POLYPROC_HANDLE_HPP

#include "error.hpp"

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>

#if __cplusplus >= 202002L
#include <span>
#endif

namespace polyproc {

// Move-only owner of a handle.
template <class Handle, void (*Free)(Handle *)>
class handle {
  public:
    handle() = default;
    explicit handle(Handle *taken) noexcept : handle_(taken) {}

    explicit operator bool() const noexcept { return handle_ != nullptr; }
    // For functions of polyproc.h; lent.
    Handle *native() const noexcept { return handle_.get(); }
    // The caller frees it.
    Handle *release() noexcept { return handle_.release(); }

  private:
    struct ending {
        void operator()(Handle *ended) const noexcept { Free(ended); }
    };
    std::unique_ptr<Handle, ending> handle_;
};

// Calls a function whose answer is a handle, and gives that out; NULL if it failed.
template <class Handle, class Function, class... Arguments>
Handle *made(const failing &how, Function function, Arguments... arguments)
{
    Handle *out = nullptr;
    how(function, arguments..., &out);
    return out;
}

// A function whose answer is one number or bool; 0 if it failed.
template <class Answer, class Function, class... Arguments>
Answer asked(const failing &how, Function function, Arguments... arguments)
{
    Answer out{};
    how(function, arguments..., &out);
    return out;
}

// How another process attaches to an object: 40 bytes, to be sent as a value.
class ticket : public pp_ticket_t {
  public:
    ticket() : pp_ticket_t{} {}
    explicit ticket(const std::string &text, failing how = {}) : pp_ticket_t{} { how(pp_ticket_from_text, text.c_str(), this); }

    // A PP_KIND_ number.
    int32_t kind() const noexcept { return pp_ticket_kind(this); }
    std::string text(failing how = {}) const
    {
        char text[PP_TICKET_TEXT] = {0};
        how(pp_ticket_to_text, this, text);
        return text;
    }
    friend bool operator==(const ticket &a, const ticket &b) noexcept { return std::memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0; }
    friend bool operator!=(const ticket &a, const ticket &b) noexcept { return !(a == b); }
};

// An object in shared memory.
template <class Handle, void (*Free)(Handle *), int32_t (*Ticket)(const Handle *, bool, pp_ticket_t *, pp_error_t **),
          int32_t (*Destroy)(const Handle *, pp_error_t **)>
class object : public handle<Handle, Free> {
  public:
    using handle<Handle, Free>::handle;

    // How another process attaches. The object then lives until it is destroyed; lent, it still goes with its maker.
    polyproc::ticket ticket(bool lend = false, failing how = {}) const
    {
        polyproc::ticket out;
        how(Ticket, this->native(), lend, &out);
        return out;
    }
    // Ends the object, for everybody.
    void destroy(failing how = {}) const { how(Destroy, this->native()); }
};

// The name of an object. None: an object that is found by its ticket only.
class name {
  public:
    name() = default;
    name(const char *text) : text_(text) {}                // NOLINT: a name is what one writes
    name(const std::string &text) : text_(text.c_str()) {} // NOLINT

    const char *get() const noexcept { return text_; }

  private:
    const char *text_ = nullptr;
};

// How objects with names are opened.
enum class open : int32_t { existing = PP_OPEN, create = PP_CREATE, or_create = PP_OPEN_OR_CREATE };

namespace detail {
// What has no name can only be made.
inline int32_t opening(const name &name, open mode) { return name.get() == nullptr && mode == open::or_create ? PP_CREATE : static_cast<int32_t>(mode); }
} // namespace detail

// A view of memory that somebody else holds; std::span where there is one takes it.
template <class T>
class span {
  public:
    using element_type = T;
    using value_type = std::remove_cv_t<T>;
    using iterator = T *;

    constexpr span() noexcept = default;
    constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    // Of whatever has data() and size(): vectors, arrays, strings, std::span.
    template <class Container, class = std::enable_if_t<std::is_convertible_v<decltype(std::declval<Container &>().data()), T *> &&
                                                        !std::is_same_v<std::remove_cv_t<std::remove_reference_t<Container>>, span>>>
    constexpr span(Container &&of) noexcept : data_(of.data()), size_(of.size()) {} // NOLINT

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T &operator[](std::size_t at) const { return data_[at]; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }
#if __cplusplus >= 202002L
    constexpr operator std::span<T>() const noexcept { return {data_, size_}; } // NOLINT
#endif

  private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace polyproc

#endif
