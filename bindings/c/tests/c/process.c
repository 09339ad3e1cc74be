/* Processes: command lines and tasks, with good and bad input. */
#include "task.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

static const char *self;

static pp_process_t *start(const char *const *command, const pp_process_options_t *options)
{
    pp_process_t *process = NULL;
    OK(pp_process_start_command(command, options, &process, &error));
    CHECK(process != NULL && pp_process_pid(process) > 1);
    return process;
}

static void join(pp_process_t *process, int32_t expected)
{
    int32_t code = 99;
    OK(pp_process_join(process, 60 * PP_SECOND, &code, NULL, &error));
    CHECK(code == expected);
    CHECK(!pp_process_is_alive(process));
    pp_process_free(process);
}

static void command_lines(void)
{
    const char *quick[] = {"sh", "-c", "exit 3", NULL};
    const char *slow[] = {"sleep", "600", NULL};
    const char *says[] = {"sh", "-c", "cat; printf \"%s\" \"$CHECK_A$CHECK_B\"; pwd", NULL};
    const char *environment[] = {"CHECK_A=one", "CHECK_B", NULL};
    const char *missing[] = {"no such program", NULL};
    const char *nothing[] = {NULL};
    char text[64] = "";
    pp_process_options_t options = PP_PROCESS_OPTIONS_INIT;
    pp_process_t *process = NULL, *children[4] = {NULL, NULL, NULL, NULL};
    struct pollfd fd;
    size_t count = 99;
    int32_t code = 99;
    int in, out;
    join(start(quick, NULL), 3);

    options.name = "sleeper";
    options.flags = PP_PROCESS_OWN_GROUP;
    process = start(slow, &options);
    CHECK(strcmp(pp_process_name(process), "sleeper") == 0);
    CHECK(pp_process_is_alive(process));
    EXPECT(PP_TIMEOUT, "did not end", pp_process_join(process, PP_MILLISECOND, &code, NULL, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_process_join(process, 0, NULL, NULL, &error));
    BAD("runs", pp_process_close(process, &error));
    OK(pp_process_fd(process, &fd.fd, &error));
    fd.events = POLLIN;
    CHECK(poll(&fd, 1, 0) == 0);
    OK(pp_active_children(children, 4, &count, &error));
    CHECK(count == 1 && pp_process_pid(children[0]) == pp_process_pid(process));
    pp_process_free(children[0]);
    OK(pp_active_children(NULL, 0, &count, &error));
    CHECK(count == 1);
    OK(pp_process_kill(process, &error));
    CHECK(poll(&fd, 1, 60000) == 1);
    OK(pp_process_join(process, PP_FOREVER, &code, NULL, &error));
    CHECK(code == -SIGKILL);
    OK(pp_process_kill(process, &error)); /* it has ended: nothing happens */
    OK(pp_process_close(process, &error));
    pp_process_free(process);

    process = start(slow, NULL);
    OK(pp_process_terminate(process, &error));
    join(process, -SIGTERM);
    process = start(slow, NULL);
    OK(pp_process_interrupt(process, &error));
    join(process, -SIGINT);
    process = start(slow, &options);
    OK(pp_process_terminate_within(process, 60 * PP_SECOND, true, &code, &error));
    CHECK(code == -SIGTERM);
    pp_process_free(process);

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    CHECK(setenv("CHECK_B", "never seen", 1) == 0);
    options.environment = environment;
    options.directory = "/";
    options.standard_input = PP_STDIO_PIPE;
    options.standard_output = PP_STDIO_PIPE;
    options.standard_error = PP_STDIO_NULL;
    process = start(says, &options);
    OK(pp_process_take_pipe(process, 0, &in, &error));
    OK(pp_process_take_pipe(process, 1, &out, &error));
    EXPECT(PP_NOT_FOUND, "taken", pp_process_take_pipe(process, 1, &out, &error));
    EXPECT(PP_NOT_FOUND, "pipe", pp_process_take_pipe(process, 2, &out, &error));
    BAD("stream", pp_process_take_pipe(process, 3, &out, &error));
    CHECK(write(in, "in ", 3) == 3);
    close(in);
    while (strlen(text) < sizeof text - 1 && read(out, text + strlen(text), 1) == 1) {
    }
    close(out);
    CHECK(strcmp(text, "in one/\n") == 0);
    join(process, 0);

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    process = NULL;
    EXPECT(PP_SPAWN_FAILED, "no such program", pp_process_start_command(missing, NULL, &process, &error));
    BAD("command", pp_process_start_command(NULL, NULL, &process, &error));
    BAD("command", pp_process_start_command(nothing, NULL, &process, &error));
    BAD("process", pp_process_start_command(quick, NULL, NULL, &error));
    options.directory = "/no such directory";
    EXPECT(PP_SPAWN_FAILED, "directory", pp_process_start_command(quick, &options, &process, &error));
    options.directory = NULL;
    options.flags = 1u << 20;
    BAD("flags", pp_process_start_command(quick, &options, &process, &error));
    options.flags = PP_PROCESS_DAEMON | PP_PROCESS_OUTLIVE;
    BAD("daemon", pp_process_start_command(quick, &options, &process, &error));
    options.flags = 0;
    options.standard_output = 77;
    BAD("standard_output", pp_process_start_command(quick, &options, &process, &error));
    options.standard_output = PP_STDIO_FD(9999);
    BAD("9999", pp_process_start_command(quick, &options, &process, &error));
    options.standard_output = 0;
    options.start_method = PP_START_FORK;
    BAD("start_method", pp_process_start_command(quick, &options, &process, &error));
    CHECK(process == NULL);
}

static void tasks(void)
{
    pp_process_options_t options = PP_PROCESS_OPTIONS_INIT;
    pp_process_t *process = NULL;
    pp_datum_t given[2];
    pp_error_t *failure = NULL;
    int32_t code = 99;
    given[0] = pp_int(1);
    given[1] = pp_int(2);
    options.name = "adds";
    options.standard_error = PP_STDIO_NULL;
    OK(pp_process_start_task("add", given, 2, &options, &process, &error));
    CHECK(strcmp(pp_process_name(process), "adds") == 0);
    OK(pp_process_join(process, PP_FOREVER, &code, &failure, &error));
    CHECK(code == 0 && failure == NULL);
    pp_process_free(process);

    OK(pp_process_start_task("add", NULL, 0, &options, &process, &error));
    OK(pp_process_join(process, PP_FOREVER, &code, &failure, &error));
    CHECK(code == 1 && pp_error_kind(failure) == PP_BAD_ARGUMENTS && strcmp(pp_error_task(failure), "add") == 0);
    pp_error_free(failure);
    pp_process_free(process);

    OK(pp_process_start_task("die", NULL, 0, &options, &process, &error));
    OK(pp_process_join(process, PP_FOREVER, &code, &failure, &error));
    CHECK(code == -SIGKILL && failure == NULL);
    pp_process_free(process);

    OK(pp_process_start_task("nothing like it", given, 2, &options, &process, &error));
    OK(pp_process_join(process, PP_FOREVER, &code, &failure, &error));
    CHECK(code == 1 && pp_error_kind(failure) == PP_UNKNOWN_TASK && strstr(pp_error_message(failure), "nothing like it") != NULL);
    pp_error_free(failure);
    pp_process_free(process);

    options.start_method = PP_START_FORKSERVER;
    OK(pp_process_start_task("add", given, 2, &options, &process, &error));
    join(process, 0);
    options.start_method = 0;
    options.program = self;
    OK(pp_process_start_task("add", given, 2, &options, &process, &error));
    join(process, 0);
    process = NULL;
    options.start_method = 9;
    BAD("start_method", pp_process_start_task("add", given, 2, &options, &process, &error));
    BAD("task", pp_process_start_task(NULL, given, 2, NULL, &process, &error));
    BAD("process", pp_process_start_task("add", given, 2, NULL, NULL, &error));
    BAD("arguments", pp_process_start_task("add", NULL, 2, NULL, &process, &error));
    given[0] = pp_encoded("\xc1", 1, PP_CODEC_VALUE);
    EXPECT(PP_BAD_ARGUMENTS, "add", pp_process_start_task("add", given, 2, NULL, &process, &error));
    given[0] = pp_encoded("x", 1, 77);
    BAD("codec 77", pp_process_start_task("add", given, 2, NULL, &process, &error));
    CHECK(process == NULL);
}

static void bad_input(void)
{
    size_t count;
    int fd;
    CHECK(pp_process_pid(NULL) == 0 && strcmp(pp_process_name(NULL), "") == 0 && !pp_process_is_alive(NULL));
    BAD("process", pp_process_join(NULL, 0, NULL, NULL, &error));
    BAD("process", pp_process_fd(NULL, &fd, &error));
    BAD("process", pp_process_interrupt(NULL, &error));
    BAD("process", pp_process_terminate(NULL, &error));
    BAD("process", pp_process_kill(NULL, &error));
    BAD("process", pp_process_terminate_within(NULL, 0, false, NULL, &error));
    BAD("process", pp_process_take_pipe(NULL, 0, &fd, &error));
    BAD("process", pp_process_close(NULL, &error));
    BAD("count", pp_active_children(NULL, 0, NULL, &error));
    BAD("children", pp_active_children(NULL, 3, &count, &error));
    pp_process_free(NULL);
}

/* One name, one task. */
static void offers(void)
{
    EXPECT(PP_AMBIGUOUS_TASK, "add", pp_task_offer("add", task_add, NULL, &error));
    BAD("name", pp_task_offer("", task_add, NULL, &error));
    BAD("name", pp_task_offer(NULL, task_add, NULL, &error));
    BAD("UTF-8", pp_task_offer("\xff", task_add, NULL, &error));
    BAD("task", pp_task_offer("none", NULL, NULL, &error));
}

int main(int argc, char **argv)
{
    (void)argc;
    offer_tasks();
    offers();
    OK(pp_main(&error));
    EXPECT(PP_FOREIGN_VERSION, "ABI", pp_main_abi(PP_ABI + 1, &error));
    CHECK(pp_parent_pid() == 0 && pp_worker_place() == -1);
    command_lines();
    self = argv[0];
    tasks();
    bad_input();
    return 0;
}
