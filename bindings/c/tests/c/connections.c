/* Pipes, connections, listeners, and waiting for several things. */
#include "check.h"

#include <pthread.h>
#include <sys/socket.h>

static void pipes(void)
{
    pp_connection_t *a, *b;
    pp_message_t *message = NULL;
    char buffer[8];
    size_t len, count;
    int32_t fd, fds[2], got[2] = {-1, -1};
    int64_t number;
    bool yes;
    OK(pp_pipe(false, &a, &b, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_connection_recv(b, 0, &message, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_connection_poll(b, PP_MILLISECOND, &error));
    OK(pp_connection_send(a, pp_int(5), PP_FOREVER, &error));
    OK(pp_connection_poll(b, PP_FOREVER, &error));
    OK(pp_connection_recv(b, PP_FOREVER, &message, &error));
    OK(pp_message_int(message, &number, &error));
    CHECK(number == 5);
    pp_message_free(message);
    OK(pp_connection_send(b, pp_raw("hello", 5), 0, &error));
    OK(pp_connection_recv_into(a, buffer, sizeof buffer, PP_SECOND, &len, &error));
    CHECK(len == 5 && memcmp(buffer, "hello", 5) == 0);
    OK(pp_connection_send(b, pp_raw("too long a message", 18), 0, &error));
    EXPECT(PP_TOO_LARGE, NULL, pp_connection_recv_into(a, buffer, sizeof buffer, PP_FOREVER, &len, &error));
    OK(pp_connection_send(b, pp_raw("seventeen letters", 17), 0, &error));
    EXPECT(PP_TOO_LARGE, NULL, pp_connection_recv_max(a, 16, PP_FOREVER, &message, &error));
    BAD("message", pp_connection_recv_max(a, 17, PP_FOREVER, NULL, &error));
    OK(pp_connection_recv_max(a, 17, PP_FOREVER, &message, &error));
    CHECK(pp_message_data(message, &len) != NULL && len == 17);
    pp_message_free(message);
    EXPECT(PP_TIMEOUT, NULL, pp_connection_recv_max(a, 17, 0, &message, &error));
    CHECK(pipe(fds) == 0);
    OK(pp_connection_send_with(a, "fd", 2, &fds[1], 1, PP_FOREVER, &error));
    OK(pp_connection_recv_with(b, PP_FOREVER, &message, got, 2, &count, &error));
    CHECK(count == 1 && got[0] >= 0);
    pp_message_free(message);
    CHECK(write(got[0], "x", 1) == 1 && read(fds[0], buffer, 1) == 1);
    CHECK(close(got[0]) == 0 && close(fds[0]) == 0 && close(fds[1]) == 0);
    OK(pp_connection_fd(a, &fd, &error));
    OK(pp_connection_duplicate_fd(a, &fd, &error));
    CHECK(close(fd) == 0);
    OK(pp_connection_close(a, &error));
    OK(pp_connection_close(a, &error));
    OK(pp_connection_is_closed(a, &yes, &error));
    CHECK(yes);
    EXPECT(PP_CLOSED, NULL, pp_connection_send(a, pp_nil(), 0, &error));
    EXPECT(PP_CLOSED, NULL, pp_connection_recv(b, PP_FOREVER, &message, &error));
    pp_connection_free(a);
    pp_connection_free(b);
    OK(pp_pipe(true, &a, &b, &error));
    OK(pp_connection_is_readable(a, &yes, &error));
    CHECK(yes);
    OK(pp_connection_is_writable(a, &yes, &error));
    CHECK(!yes);
    BAD("receives", pp_connection_send(a, pp_nil(), 0, &error));
    pp_connection_free(a);
    pp_connection_free(b);
}

static void descriptors(void)
{
    pp_connection_t *a = NULL, *b;
    pp_message_t *message;
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    OK(pp_connection_from_fd(fds[0], PP_FRAMING_CPYTHON, 0, &a, &error));
    OK(pp_connection_from_fd(fds[1], PP_FRAMING_CPYTHON, 4, &b, &error));
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
    OK(pp_connection_send(a, pp_raw("long", 5), 0, &error));
    EXPECT(PP_TOO_LARGE, NULL, pp_connection_recv(b, PP_FOREVER, &message, &error));
    pp_connection_free(a);
    pp_connection_free(b);
    BAD("fd", pp_connection_from_fd(-1, PP_FRAMING_NATIVE, 0, &a, &error));
    BAD("fd", pp_connection_from_fd(9999, PP_FRAMING_NATIVE, 0, &a, &error));
    BAD("framing", pp_connection_from_fd(0, 9, 0, &a, &error));
}

typedef struct {
    const char *address;
    const pp_peering_options_t *options;
} meeting_t;

static void *be_a_client(void *meeting)
{
    const meeting_t *where = (const meeting_t *)meeting;
    pp_connection_t *connection;
    pp_message_t *message;
    OK(pp_connect(where->address, where->options, 60 * PP_SECOND, &connection, &error));
    OK(pp_connection_send(connection, pp_text("hello"), PP_FOREVER, &error));
    EXPECT(PP_CLOSED, NULL, pp_connection_recv(connection, PP_FOREVER, &message, &error));
    pp_connection_free(connection);
    return NULL;
}

static void listeners(const char *address, bool tcp)
{
    pp_peering_options_t options = PP_PEERING_OPTIONS_INIT;
    pp_listener_t *listener;
    pp_connection_t *connection;
    pp_message_t *message;
    pp_waitable_t things[2];
    pthread_t thread;
    meeting_t meeting;
    char text[200], last[200];
    size_t ready[2], count;
    int32_t fd;
    bool closed;
    options.key = "a secret";
    options.key_len = 8;
    options.handshake_time = 30 * PP_SECOND;
    options.backlog = 4;
    OK(pp_listener_open(address, &options, &listener, &error));
    OK(pp_listener_address(listener, text, sizeof text, &error));
    OK(pp_listener_fd(listener, &fd, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_listener_accept(listener, PP_MILLISECOND, &connection, &error));
    EXPECT(PP_NOT_FOUND, NULL, pp_listener_last_accepted(listener, last, sizeof last, &error));
    meeting.address = text;
    meeting.options = &options;
    CHECK(pthread_create(&thread, NULL, be_a_client, &meeting) == 0);
    memset(things, 0, sizeof things);
    things[0].fd = things[1].fd = -1;
    things[0].listener = listener;
    OK(pp_wait(things, 1, 60 * PP_SECOND, ready, &count, &error));
    CHECK(count == 1 && ready[0] == 0);
    OK(pp_listener_accept(listener, 60 * PP_SECOND, &connection, &error));
    things[1].connection = connection;
    OK(pp_wait(things, 2, 60 * PP_SECOND, ready, &count, &error));
    CHECK(count == 1 && ready[0] == 1);
    things[0].connection = connection;
    BAD("things[0]", pp_wait(things, 2, 0, ready, &count, &error));
    OK(pp_connection_recv(connection, PP_FOREVER, &message, &error));
    pp_message_free(message);
    pp_connection_free(connection);
    CHECK(pthread_join(thread, NULL) == 0);
    if (tcp) {
        OK(pp_listener_last_accepted(listener, last, sizeof last, &error));
    }
    OK(pp_listener_close(listener, &error));
    OK(pp_listener_is_closed(listener, &closed, &error));
    CHECK(closed);
    EXPECT(PP_CLOSED, NULL, pp_listener_accept(listener, PP_FOREVER, &connection, &error));
    pp_listener_free(listener);
}

static void several(void)
{
    pp_waitable_t thing;
    size_t ready, count;
    int fds[2];
    CHECK(pipe(fds) == 0);
    memset(&thing, 0, sizeof thing);
    thing.fd = fds[0];
    EXPECT(PP_TIMEOUT, NULL, pp_wait(&thing, 1, PP_MILLISECOND, &ready, &count, &error));
    CHECK(write(fds[1], "x", 1) == 1);
    OK(pp_wait(&thing, 1, PP_FOREVER, &ready, &count, &error));
    CHECK(count == 1 && ready == 0);
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
    BAD("nothing", pp_wait(NULL, 0, PP_FOREVER, &ready, &count, &error));
}

int main(void)
{
    pp_listener_t *listener;
    pipes();
    descriptors();
    listeners(NULL, false);
    listeners("127.0.0.1:0", true);
    BAD("no address", pp_listener_open("nowhere", NULL, &listener, &error));
    several();
    return 0;
}
