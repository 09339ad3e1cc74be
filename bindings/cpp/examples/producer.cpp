// The producer of two programs that meet by a name: puts orders, plain structures, into a queue that any process of this user can open, and waits until they are done.
//
//     c++ -std=c++17 producer.cpp $(pkg-config --cflags --libs polyproc) -o producer
//     c++ -std=c++17 consumer.cpp $(pkg-config --cflags --libs polyproc) -o consumer
//     ./producer & ./consumer
#include "order.hpp"

#include <cstdio>

int main(int count, char **arguments)
{
    try {
        polyproc::fabric fabric(count > 1 ? arguments[1] : "shop");
        polyproc::queue_options options;
        options.joinable = 1; // it counts what is unfinished
        polyproc::queue<order> orders(fabric, "orders", options);
        for (int number = 1; number <= 9; number++) {
            orders.put({number, 2.5 * number});
        }
        auto last = orders.loan(); // built in place, without a copy
        *last = {10, 25};
        orders.put(last);
        orders.join();  // until all are done; what a consumer had on lease when it was killed is done by another
        orders.close(); // for everybody: the consumer is told that there is no more
        std::puts("all orders are done");
        return 0;
    } catch (const polyproc::error &problem) {
        std::fprintf(stderr, "producer: %s\n", problem.what());
        return 1;
    }
}
