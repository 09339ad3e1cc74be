// Connections between two processes: pipes, listeners and clients.
#ifndef POLYPROC_CONNECTION_HPP
#define POLYPROC_CONNECTION_HPP

#include "message.hpp"
#include "sync.hpp"

namespace polyproc {

// As in polyproc.h; 0 is the default of each.
struct peering_options : pp_peering_options_t {
    peering_options() : pp_peering_options_t PP_PEERING_OPTIONS_INIT {}
};

// One side of a connection.
class connection : public handle<pp_connection_t, pp_connection_free> {
  public:
    using handle::handle;

    // Two that belong together; one way: the first receives what the second sends.
    static std::pair<connection, connection> pipe(bool one_way = false, failing how = {})
    {
        pp_connection_t *a = nullptr, *b = nullptr;
        how(pp_pipe, one_way, &a, &b);
        return {connection(a), connection(b)};
    }
    // Over a stream socket or an end of a pipe, which stays the caller's.
    static connection from_fd(int32_t fd, int32_t framing = PP_FRAMING_NATIVE, uint64_t limit = 0, failing how = {})
    {
        return connection(made<pp_connection_t>(how, pp_connection_from_fd, fd, framing, limit));
    }
    static connection connect(const std::string &address, const peering_options &options = {}, timeout wait = forever, failing how = {})
    {
        const pp_peering_options_t *base = &options;
        return connection(made<pp_connection_t>(how, pp_connect, address.c_str(), base, wait.nanoseconds()));
    }

    template <class T>
    void send(const T &item, timeout wait = forever, failing how = {}) const
    {
        if (packed data{item, how}) {
            how(pp_connection_send, native(), data.datum(), wait.nanoseconds());
        }
    }
    // closed_error: the other side is at its end; timeout_error.
    template <class T = message>
    T recv(timeout wait = forever, failing how = {}) const
    {
        pp_message_t *out = made<pp_message_t>(how, pp_connection_recv, native(), wait.nanoseconds());
        return out == nullptr ? T{} : unpack<T>(message(out), how);
    }
    // Whether there is a message, or the end.
    bool poll(timeout wait = std::chrono::seconds(0), failing how = {}) const
    {
        return how.or_else<PP_TIMEOUT>(pp_connection_poll, native(), wait.nanoseconds()) == PP_OK;
    }
    int32_t fd(failing how = {}) const { return asked<int32_t>(how, pp_connection_fd, native()); }
    void close(failing how = {}) const { how(pp_connection_close, native()); }
    bool is_closed(failing how = {}) const { return asked<bool>(how, pp_connection_is_closed, native()); }
};

class listener : public handle<pp_listener_t, pp_listener_free> {
  public:
    listener() = default;
    // Without an address: one is found.
    explicit listener(name address, const peering_options &options = {}, failing how = {})
        : handle(made<pp_listener_t>(how, pp_listener_open, address.get(), static_cast<const pp_peering_options_t *>(&options)))
    {
    }

    connection accept(timeout wait = forever, failing how = {}) const
    {
        return connection(made<pp_connection_t>(how, pp_listener_accept, native(), wait.nanoseconds()));
    }
    std::string address(failing how = {}) const
    {
        char text[128] = {0};
        how(pp_listener_address, native(), text, sizeof text);
        return text;
    }
    int32_t fd(failing how = {}) const { return asked<int32_t>(how, pp_listener_fd, native()); }
    void close(failing how = {}) const { how(pp_listener_close, native()); }
    bool is_closed(failing how = {}) const { return asked<bool>(how, pp_listener_is_closed, native()); }
};

// Which of these are ready; none: time was up.
inline std::vector<std::size_t> wait(const std::vector<pp_waitable_t> &things, timeout wait = forever, failing how = {})
{
    std::vector<std::size_t> ready(things.size());
    std::size_t count = 0;
    how.or_else<PP_TIMEOUT>(pp_wait, things.data(), things.size(), wait.nanoseconds(), ready.data(), &count);
    ready.resize(count);
    return ready;
}
inline pp_waitable_t waitable(const connection &of) { return {of.native(), nullptr, nullptr, -1}; }
inline pp_waitable_t waitable(const listener &of) { return {nullptr, of.native(), nullptr, -1}; }
inline pp_waitable_t waitable(const pollable &of) { return {nullptr, nullptr, of.native(), -1}; }
inline pp_waitable_t waitable(int32_t fd) { return {nullptr, nullptr, nullptr, fd}; }

} // namespace polyproc

#endif
