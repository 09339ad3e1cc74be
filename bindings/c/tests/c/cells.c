/* Values and arrays, and named blocks of shared memory. */
#include "check.h"

#include <sys/wait.h>

static pp_fabric_t *fabric;

typedef struct {
    double x, y;
} point_t;

static void values(void)
{
    pp_cells_options_t options = PP_CELLS_OPTIONS_INIT;
    pp_cells_t *value, *same;
    pp_ticket_t ticket;
    int64_t number, previous;
    int32_t first = 40, read = 0, kind, code;
    size_t len, size;
    bool yes;
    char text[200];
    pid_t child;
    int status;
    options.code = 'i';
    options.contents = &first;
    OK(pp_cells_open(fabric, PP_KIND_VALUE, "value", PP_CREATE, &options, &value, &error));
    OK(pp_cells_open(fabric, PP_KIND_VALUE, "value", PP_OPEN, NULL, &same, &error));
    pp_cells_free(same);
    OK(pp_cells_open(fabric, PP_KIND_VALUE, "value", PP_OPEN_OR_CREATE, &options, &same, &error));
    pp_cells_free(same);
    options.code = 'd';
    EXPECT(PP_WRONG_TYPE, NULL, pp_cells_open(fabric, PP_KIND_VALUE, "value", PP_OPEN, &options, &same, &error));
    options.code = 'x';
    BAD("code", pp_cells_open(fabric, PP_KIND_VALUE, NULL, PP_CREATE, &options, &same, &error));
    BAD("kind", pp_cells_open(fabric, PP_KIND_LOCK, NULL, PP_CREATE, &options, &same, &error));
    BAD("options", pp_cells_open(fabric, PP_KIND_VALUE, NULL, PP_CREATE, NULL, &same, &error));
    OK(pp_cells_kind(value, &kind, &error));
    OK(pp_cells_code(value, &code, &error));
    OK(pp_cells_len(value, &len, &error));
    OK(pp_cells_cell_size(value, &size, &error));
    OK(pp_cells_has_lock(value, &yes, &error));
    OK(pp_cells_format(value, text, sizeof text, &error));
    CHECK(kind == PP_KIND_VALUE && code == 'i' && len == 1 && size == 4 && yes && text[0] == 0);
    EXPECT(PP_TOO_LARGE, "text", pp_cells_format(value, text, 0, &error));
    OK(pp_cells_acquire(value, PP_FOREVER, &error));
    OK(pp_cells_read(value, 0, &read, sizeof read, &error));
    read += 2;
    OK(pp_cells_write(value, 0, &read, sizeof read, &error));
    OK(pp_cells_release(value, &error));
    EXPECT(PP_NOT_HELD, NULL, pp_cells_release(value, &error));
    BAD(NULL, pp_cells_read(value, 1, &read, sizeof read, &error));
    BAD(NULL, pp_cells_write(value, 0, &read, 3, &error));
    OK(pp_cells_load(value, 0, &number, &error));
    CHECK(number == 42);
    OK(pp_cells_store(value, 0, 7, &error));
    BAD("fit", pp_cells_store(value, 0, INT64_MAX, &error));
    BAD("one cell", pp_cells_load(value, 1, &number, &error));
    OK(pp_cells_swap(value, 0, 8, &previous, &error));
    CHECK(previous == 7);
    OK(pp_cells_fetch_add(value, 0, 5, &previous, &error));
    OK(pp_cells_fetch_sub(value, 0, 3, NULL, &error));
    OK(pp_cells_compare_exchange(value, 0, 10, 11, &yes, &previous, &error));
    CHECK(yes && previous == 10);
    OK(pp_cells_compare_exchange(value, 0, 10, 12, &yes, NULL, &error));
    CHECK(!yes);
    child = fork();
    if (child == 0) {
        check_leave(pp_cells_acquire(value, PP_FOREVER, NULL) == PP_OK);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT(PP_OWNER_DIED, NULL, pp_cells_acquire(value, 30 * PP_SECOND, &error));
    OK(pp_cells_release(value, &error));
    OK(pp_cells_ticket(value, false, &ticket, &error));
    OK(pp_cells_from_ticket(&ticket, &same, &error));
    OK(pp_cells_destroy(same, &error));
    EXPECT(PP_GONE, NULL, pp_cells_load(value, 0, &number, &error));
    pp_cells_free(same);
    pp_cells_free(value);
}

static void arrays(void)
{
    pp_cells_options_t options = PP_CELLS_OPTIONS_INIT, integers = PP_CELLS_OPTIONS_INIT;
    pp_cells_t *array, *same;
    pp_lock_t *lock;
    pp_ticket_t ticket;
    point_t *points;
    point_t point = {1, 2};
    void *data;
    char text[200];
    int64_t number;
    size_t len;
    bool has;
    integers.code = 'Q';
    integers.count = 3;
    options.code = 'S';
    options.structure_size = sizeof(point_t);
    options.structure_align = sizeof(double);
    options.structure_format = "dd";
    options.count = 100;
    options.locking = PP_LOCKING_NONE;
    OK(pp_cells_open(fabric, PP_KIND_ARRAY, NULL, PP_CREATE, &options, &array, &error));
    OK(pp_cells_write(array, 99, &point, sizeof point, &error));
    OK(pp_cells_data(array, &data, &error));
    points = (point_t *)data;
    CHECK(points[99].x == 1 && points[99].y == 2 && points[0].x == 0);
    OK(pp_cells_format(array, text, sizeof text, &error));
    CHECK(strcmp(text, "dd") == 0);
    BAD("lock", pp_cells_acquire(array, 0, &error));
    EXPECT(PP_WRONG_TYPE, NULL, pp_cells_load(array, 0, &number, &error));
    OK(pp_lock_open(fabric, NULL, PP_CREATE, &lock, &error));
    OK(pp_lock_ticket(lock, false, &ticket, &error));
    OK(pp_cells_synchronized(array, PP_LOCKING_GIVEN, &ticket, &same, &error));
    OK(pp_cells_has_lock(same, &has, &error));
    OK(pp_cells_acquire(same, 0, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_lock_acquire(lock, 0, &error));
    OK(pp_cells_release(same, &error));
    pp_cells_free(same);
    BAD("lock", pp_cells_synchronized(array, PP_LOCKING_OWN, NULL, &same, &error));
    pp_cells_free(array);
    pp_lock_free(lock);
    OK(pp_cells_open(fabric, PP_KIND_ARRAY, NULL, PP_CREATE, &integers, &array, &error));
    OK(pp_cells_store(array, 2, -1, &error));
    OK(pp_cells_load(array, 2, &number, &error));
    CHECK((uint64_t)number == UINT64_MAX);
    BAD(NULL, pp_cells_load(array, 3, &number, &error));
    pp_cells_free(array);
    integers.count = 0;
    integers.contents = NULL;
    OK(pp_cells_open(fabric, PP_KIND_ARRAY, NULL, PP_CREATE, &integers, &array, &error));
    OK(pp_cells_len(array, &len, &error));
    CHECK(len == 0);
    BAD(NULL, pp_cells_load(array, 0, &number, &error));
    pp_cells_free(array);
}

static void blocks(void)
{
    pp_shm_t *block, *same;
    char name[300], bytes[5];
    void *data;
    size_t size;
    OK(pp_shm_create(NULL, 4096, &block, &error));
    OK(pp_shm_name(block, name, sizeof name, &error));
    EXPECT(PP_TOO_LARGE, NULL, pp_shm_name(block, name, 1, &error));
    OK(pp_shm_name(block, name, sizeof name, &error));
    EXPECT(PP_ALREADY_EXISTS, NULL, pp_shm_create(name, 4096, &same, &error));
    OK(pp_shm_attach(name, true, &same, &error));
    OK(pp_shm_write(block, 4091, "hello", 5, &error));
    BAD(NULL, pp_shm_write(block, 4092, "hello", 5, &error));
    BAD("read only", pp_shm_write(same, 0, "hello", 5, &error));
    OK(pp_shm_read(same, 4091, bytes, 5, &error));
    CHECK(memcmp(bytes, "hello", 5) == 0);
    OK(pp_shm_data(block, &data, &error));
    OK(pp_shm_size(block, &size, &error));
    CHECK(((char *)data)[size - 1] == 'o');
    OK(pp_shm_close(same, &error));
    OK(pp_shm_close(same, &error));
    EXPECT(PP_CLOSED, NULL, pp_shm_data(same, &data, &error));
    pp_shm_free(same);
    OK(pp_shm_unlink(block, &error));
    EXPECT(PP_NOT_FOUND, NULL, pp_shm_unlink_name(name, &error));
    pp_shm_free(block);
}

int main(void)
{
    fabric = check_fabric();
    values();
    arrays();
    blocks();
    pp_fabric_free(fabric);
    return 0;
}
