/* An array of structures that two processes share, in place: the child moves the points, the parent sees them there.
 *
 *     cc points.c $(pkg-config --cflags --libs polyproc) -o points && ./points
 */
#include <polyproc.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    double x, y;
} point_t;

static void must(int32_t status, pp_error_t *error)
{
    if (status) {
        fprintf(stderr, "points: %s\n", pp_error_message(error));
        exit(1);
    }
}

int main(void)
{
    pp_cells_options_t options = PP_CELLS_OPTIONS_INIT;
    pp_error_t *error;
    pp_fabric_t *fabric;
    pp_cells_t *array;
    void *data;
    options.code = 'S';
    options.structure_size = sizeof(point_t);
    options.structure_align = sizeof(double);
    options.structure_format = "dd"; /* so that other languages know what is in it */
    options.count = 1000;
    must(pp_fabric_open(NULL, PP_CREATE, NULL, &fabric, &error), error);
    must(pp_cells_open(fabric, PP_KIND_ARRAY, NULL, PP_CREATE, &options, &array, &error), error);
    pid_t child = fork();
    if (child == 0) {
        must(pp_cells_acquire(array, PP_FOREVER, &error), error);
        must(pp_cells_data(array, &data, &error), error); /* a forked child asks for it anew */
        point_t *points = data;
        for (int i = 0; i < 1000; i++) {
            points[i].x += i;
            points[i].y -= i;
        }
        must(pp_cells_release(array, &error), error);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    must(pp_cells_acquire(array, PP_FOREVER, &error), error);
    must(pp_cells_data(array, &data, &error), error);
    point_t *points = data;
    printf("the last point is at %g, %g\n", points[999].x, points[999].y);
    must(pp_cells_release(array, &error), error);
    pp_cells_free(array);
    pp_fabric_free(fabric);
    return 0;
}
