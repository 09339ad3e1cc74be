/* What the programs of these tests share: checks that say where they failed, and a fabric of a few MiB. */
#ifndef CHECK_H
#define CHECK_H

#include <polyproc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define CHECK(truth)                                                                   \
    do {                                                                               \
        if (!(truth)) {                                                                \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #truth);        \
            exit(1);                                                                   \
        }                                                                              \
    } while (0)

/* A call that answers `expected`; if that is an error, its object says the same and names what `word` has (NULL: whatever). The call uses `&error`. */
#define EXPECT(expected, word, call)                                                                                       \
    do {                                                                                                                   \
        pp_error_t *error = (pp_error_t *)1;                                                                               \
        int32_t check_status = (call);                                                                                     \
        check_outcome(__FILE__, __LINE__, #call, check_status, (expected), (word), error);                                 \
    } while (0)

/* A call that succeeds. */
#define OK(call) EXPECT(PP_OK, NULL, call)
/* A call that fails for a parameter of this name that is NULL or bad. */
#define BAD(word, call) EXPECT(PP_INVALID_ARGUMENT, word, call)

static inline void check_outcome(const char *file, int line, const char *call, int32_t status, int32_t expected, const char *word, pp_error_t *error)
{
    const char *message = pp_error_message(error);
    int good = status == expected && pp_error_kind(error) == expected;
    good = good && (expected == PP_OK) == (error == NULL);
    if (good && word != NULL) {
        good = strstr(message, word) != NULL;
    }
    if (!good) {
        fprintf(stderr, "%s:%d: %s\n  answered %s (%s), expected %s%s%s\n", file, line, call, pp_status_name(status), message, pp_status_name(expected),
                word ? " naming " : "", word ? word : "");
        exit(1);
    }
    pp_error_free(error);
}

/* How a forked child ends: as another program, so that what it inherited is nobody's leak. */
static inline void check_leave(int good)
{
    execl("/bin/sh", "sh", "-c", good ? "exit 0" : "exit 1", (char *)NULL);
    _exit(1);
}

/* A private fabric. */
static inline pp_fabric_t *check_fabric(void)
{
    pp_fabric_options_t options = PP_FABRIC_OPTIONS_INIT;
    pp_fabric_t *fabric = NULL;
    options.cap = 16 << 20;
    OK(pp_fabric_open(NULL, PP_CREATE, &options, &fabric, &error));
    CHECK(fabric != NULL);
    return fabric;
}

#endif
