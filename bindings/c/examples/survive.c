/* The other side is killed with SIGKILL while it holds a lock and has a message on lease: the lock comes to us, with the news, and so does the message.
 *
 *     cc survive.c $(pkg-config --cflags --libs polyproc) -o survive && ./survive
 */
#include <polyproc.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int32_t status, pp_error_t *error)
{
    if (status) {
        fprintf(stderr, "survive: %s\n", pp_error_message(error));
        exit(1);
    }
}

int main(void)
{
    pp_error_t *error;
    pp_fabric_t *fabric;
    pp_lock_t *lock;
    pp_queue_t *queue;
    pp_event_t *ready;
    pp_lease_t *lease;
    must(pp_fabric_open(NULL, PP_CREATE, NULL, &fabric, &error), error);
    must(pp_lock_open(fabric, "ledger", PP_CREATE, &lock, &error), error);
    must(pp_queue_open(fabric, "payments", PP_CREATE, NULL, &queue, &error), error);
    must(pp_event_open(fabric, "ready", PP_CREATE, &ready, &error), error);
    must(pp_queue_put(queue, pp_int(1000), PP_FOREVER, &error), error);

    pid_t child = fork();
    if (child == 0) {
        must(pp_lock_acquire(lock, PP_FOREVER, &error), error);
        must(pp_queue_lease(queue, 0, PP_FOREVER, &lease, &error), error);
        must(pp_event_set(ready, &error), error);
        for (;;) {
            pause();
        }
    }
    must(pp_event_wait(ready, PP_FOREVER, &error), error);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);

    int32_t status = pp_lock_acquire(lock, PP_FOREVER, &error);
    if (status == PP_OWNER_DIED) {
        printf("the lock is ours, and its last owner died: %s\n", pp_error_message(error));
        pp_error_free(error);
    } else {
        must(status, error);
    }
    int64_t payment;
    must(pp_queue_lease(queue, 0, PP_FOREVER, &lease, &error), error);
    must(pp_message_int(pp_lease_message(lease), &payment, &error), error);
    printf("the payment of %lld is handed out for the %u. time\n", (long long)payment, (unsigned)pp_lease_deliveries(lease));
    must(pp_lease_ack(lease, &error), error);
    must(pp_lock_release(lock, &error), error);
    pp_lease_free(lease);
    pp_event_free(ready);
    pp_queue_free(queue);
    pp_lock_free(lock);
    pp_fabric_free(fabric);
    return 0;
}
