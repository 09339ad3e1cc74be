// The consumer of producer.cpp: each order is on lease until it is done, so that it goes to another consumer if this one is killed.
#include "order.hpp"

#include <cstdio>

int main(int count, char **arguments)
{
    try {
        polyproc::fabric fabric(count > 1 ? arguments[1] : "shop");
        polyproc::queue_options options;
        options.joinable = 1;
        polyproc::queue<order> orders(fabric, "orders", options);
        for (;;) {
            auto lease = orders.lease();
            order next = lease.value();
            std::printf("order %d for %.2f\n", next.number, next.price);
            lease.ack(); // done with, for join as well
        }
    } catch (const polyproc::closed_error &) {
        return 0; // there is no more
    } catch (const polyproc::error &problem) {
        std::fprintf(stderr, "consumer: %s\n", problem.what());
        return 1;
    }
}
