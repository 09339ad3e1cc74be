// Queues: of structures, of values, of messages of any kind; leases, which a death gives back; loans, which are built in place.
#ifndef POLYPROC_QUEUE_HPP
#define POLYPROC_QUEUE_HPP

#include "message.hpp"
#include "sync.hpp"

namespace polyproc {

// As in polyproc.h; 0 is the default of each.
struct queue_options : pp_queue_options_t {
    queue_options() : pp_queue_options_t PP_QUEUE_OPTIONS_INIT {}
};

// A message that comes back to its queue if this process dies, or the lease ends without an ack.
template <class T>
class lease : public handle<pp_lease_t, pp_lease_free> {
  public:
    using handle::handle;

    // wrong_type: it is of another type, and still on lease.
    T value(failing how = {}) const
    {
        T out{};
        return detail::unpack_lent(pp_lease_message(this->native()), out, how) ? out : T{};
    }
    // Its bytes in place, until the lease is ended.
    span<const std::byte> data() const noexcept
    {
        std::size_t size = 0;
        const void *data = pp_message_data(pp_lease_message(this->native()), &size);
        return {static_cast<const std::byte *>(data), size};
    }
    uint32_t deliveries() const noexcept { return pp_lease_deliveries(this->native()); }

    // It is done with. lease_lost: its time ran out, and somebody else has it.
    void ack(failing how = {}) { how(pp_lease_ack, this->native()); }
    // The same, and the message is the caller's.
    message ack_keep(failing how = {}) { return message(made<pp_message_t>(how, pp_lease_ack_keep, this->native())); }
    // It goes back, after a delay.
    void nack(std::chrono::nanoseconds delay = {}, failing how = {}) { how(pp_lease_nack, this->native(), int64_t{delay.count()}); }
    void bury(failing how = {}) { how(pp_lease_bury, this->native()); }
    void extend(std::chrono::nanoseconds limit, failing how = {}) const { how(pp_lease_extend, this->native(), int64_t{limit.count()}); }
    void set_progress(uint64_t progress, failing how = {}) const { how(pp_lease_set_progress, this->native(), progress); }
};

// Memory of a queue, to be filled in place and put without a copy. One that is not put goes back.
template <class T>
class loan : public handle<pp_loan_t, pp_loan_free> {
  public:
    using handle::handle;

    // What stands in it is whatever stood there before. Empty: it was put.
    span<T> items() const noexcept
    {
        std::size_t size = 0;
        void *data = pp_loan_data(this->native(), &size);
        return {static_cast<T *>(data), size / sizeof(T)};
    }
    T &operator*() const noexcept { return items()[0]; }
    T *operator->() const noexcept { return items().data(); }
};

// T: a value, a trivially copyable structure, or message. One queue may be used by different types: what does not fit is wrong_type, with the message (error::take_message).
template <class T = message>
class queue : public object<pp_queue_t, pp_queue_free, pp_queue_ticket, pp_queue_destroy> {
  public:
    static constexpr bool in_place = is_plain<T> || std::is_same_v<T, message>;
    using lent = std::conditional_t<is_plain<T>, T, std::byte>;
    using item = T;

    queue() = default;
    explicit queue(const fabric &in, name name = {}, open mode = open::or_create, failing how = {}) : queue(in, name, queue_options(), mode, how) {}
    queue(const fabric &in, name name, const queue_options &options, open mode = open::or_create, failing how = {})
        : object(made<pp_queue_t>(how, pp_queue_open, in.native(), name.get(), detail::opening(name, mode), &options))
    {
    }
    explicit queue(const polyproc::ticket &ticket, failing how = {}) : object(made<pp_queue_t>(how, pp_queue_from_ticket, &ticket)) {}

    // Waits while the queue is full. closed_error: it was closed.
    void put(const T &item, timeout wait = forever, failing how = {}) const { put_to(0, item, wait, how); }
    void put_to(std::size_t lane, const T &item, timeout wait = forever, failing how = {}) const
    {
        if (packed data{item, how}) {
            how(pp_queue_put_to, this->native(), lane, data.datum(), wait.nanoseconds());
        }
    }
    // False: it is full.
    bool try_put(const T &item, timeout wait = std::chrono::seconds(0), failing how = {}) const
    {
        packed data{item, how};
        error problem;
        if (!data || failing{problem}(pp_queue_put, this->native(), data.datum(), wait.nanoseconds())) {
            return data ? (how.begin(), true) : false;
        }
        return nothing(std::move(problem), how);
    }
    // As many as there is room for in that time; how many.
    std::size_t put_many(span<const T> items, timeout wait = forever, failing how = {}) const
    {
        packed_many data(how);
        for (const T &item : items) {
            if (!data.add(item)) {
                return 0;
            }
        }
        std::size_t done = 0;
        how(pp_queue_put_many, this->native(), std::size_t{0}, data.data(), data.size(), wait.nanoseconds(), &done);
        return done;
    }

    // The next item. empty_error: a try, and there is none; timeout_error; closed_error: closed, and nothing is left.
    T get(timeout wait = forever, failing how = {}) const { return unpacked(made<pp_message_t>(how, pp_queue_get, this->native(), wait.nanoseconds()), how); }
    // Nothing: there is none (in that time).
    std::optional<T> try_get(timeout wait = std::chrono::seconds(0), failing how = {}) const
    {
        error problem;
        message taken(made<pp_message_t>(problem, pp_queue_get, this->native(), wait.nanoseconds()));
        if (problem) {
            nothing(std::move(problem), how);
            return std::nullopt;
        }
        T out = unpack<T>(std::move(taken), problem);
        how.begin();
        if (problem) {
            how.fail(std::move(problem));
            return std::nullopt;
        }
        return out;
    }
    // Up to `most`: waits for the first, then takes what is there.
    batch<T> get_many(std::size_t most, timeout wait = forever, failing how = {}) const
    {
        return batch<T>(made<pp_messages_t>(how, pp_queue_get_many, this->native(), most, wait.nanoseconds()));
    }
    // The next item, which goes back if this process dies before the ack; with a limit, also after that time. timeout_error: none in that time.
    polyproc::lease<T> lease(timeout wait = forever, std::chrono::nanoseconds limit = {}, failing how = {}) const
    {
        return polyproc::lease<T>(made<pp_lease_t>(how, pp_queue_lease, this->native(), int64_t{limit.count()}, wait.nanoseconds()));
    }

    // Memory for one structure; of a queue of messages: for so many bytes.
    template <class U = T, class = std::enable_if_t<is_plain<U> && std::is_same_v<U, T>>>
    polyproc::loan<U> loan(failing how = {}) const
    {
        static_assert(alignof(U) <= 64, "loans are aligned to 64");
        return polyproc::loan<U>(made<pp_loan_t>(how, pp_queue_loan, this->native(), sizeof(U)));
    }
    template <class U = T, class = std::enable_if_t<std::is_same_v<U, message> && std::is_same_v<U, T>>>
    polyproc::loan<std::byte> loan(std::size_t bytes, failing how = {}) const
    {
        return polyproc::loan<std::byte>(made<pp_loan_t>(how, pp_queue_loan, this->native(), bytes));
    }
    // The loan is empty then; if this fails, it still has its memory, and may be put again.
    void put(polyproc::loan<lent> &loan, timeout wait = forever, failing how = {}) const
    {
        how(pp_queue_put_loan, this->native(), std::size_t{0}, loan.native(), uint8_t{PP_CODEC_RAW}, wait.nanoseconds());
    }
    void put(polyproc::loan<lent> &&loan, timeout wait = forever, failing how = {}) const { put(loan, wait, how); }

    void close(failing how = {}) const { how(pp_queue_close, this->native()); }
    bool is_closed(failing how = {}) const { return asked<bool>(how, pp_queue_is_closed, this->native()); }
    std::size_t size(failing how = {}) const { return asked<std::size_t>(how, pp_queue_len, this->native()); }
    std::size_t capacity(failing how = {}) const { return asked<std::size_t>(how, pp_queue_capacity, this->native()); }
    std::size_t leased(failing how = {}) const { return asked<std::size_t>(how, pp_queue_leased, this->native()); }
    std::size_t delayed(failing how = {}) const { return asked<std::size_t>(how, pp_queue_delayed, this->native()); }
    std::size_t buried(failing how = {}) const { return asked<std::size_t>(how, pp_queue_buried, this->native()); }
    std::size_t lost(failing how = {}) const { return asked<std::size_t>(how, pp_queue_lost, this->native()); }
    std::size_t unfinished(failing how = {}) const { return asked<std::size_t>(how, pp_queue_unfinished, this->native()); }
    // Of those that were buried; empty_error: there is none.
    T get_buried(failing how = {}) const { return unpacked(made<pp_message_t>(how, pp_queue_get_buried, this->native()), how); }
    void task_done(failing how = {}) const { how(pp_queue_task_done, this->native()); }
    // Until all is done. False: time was up.
    bool join(timeout wait = forever, failing how = {}) const { return how.or_else<PP_TIMEOUT>(pp_queue_join, this->native(), wait.nanoseconds()) == PP_OK; }

    // for (T item : queue.items()): until the queue is closed and nothing is left.
    class all {
      public:
        using item = T;
        explicit all(const queue &of) : of_(&of) {}
        std::optional<T> next()
        {
            error problem;
            T out = of_->get(forever, problem);
            if (problem.status() == status::closed) {
                return std::nullopt;
            }
            if (problem) {
                raise(std::move(problem));
            }
            return out;
        }
        detail::pulling<all> begin() { return detail::pulling<all>(*this); }
        detail::pulling<all> end() { return {}; }

      private:
        const queue *of_;
    };
    all items() const { return all(*this); }

  private:
    static T unpacked(pp_message_t *taken, const failing &how) { return taken == nullptr ? T{} : unpack<T>(message(taken), how); }

    // There is nothing, or no room: no error. All else is one.
    static bool nothing(error problem, const failing &how)
    {
        how.begin();
        auto what = problem.status();
        if (what != status::empty && what != status::full && what != status::timeout) {
            how.fail(std::move(problem));
        }
        return false;
    }
};

template <class T>
pollable poll_of(const queue<T> &of, failing how = {})
{
    return pollable(made<pp_pollable_t>(how, pp_queue_pollable, of.native()));
}

} // namespace polyproc

#endif
