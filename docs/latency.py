"""Times orders from POST to DeliveryConfirmed, one at a time.

usage: latency.py HOST PORT ORDERS
"""

import http.client
import json
import sys
import time

WARM_UP = 5  # orders that are not counted
POLL_SECONDS = 0.001


def ask(connection, method, path):
    connection.request(method, path)
    return json.loads(connection.getresponse().read())


def one_order(connection):
    started = time.perf_counter()
    order = ask(connection, "POST", "/orders")["orderId"]
    accepted = time.perf_counter()
    while ask(connection, "GET", f"/orders/{order}")["status"] != "DeliveryConfirmed":
        time.sleep(POLL_SECONDS)
    return accepted - started, time.perf_counter() - started


def percentile(seconds, share):
    ordered = sorted(seconds)
    return ordered[int(share * (len(ordered) - 1))] * 1000


def main():
    host, port, orders = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    connection = http.client.HTTPConnection(host, port, timeout=30)
    times = [one_order(connection) for _ in range(WARM_UP + orders)][WARM_UP:]
    for name, seconds in zip(("POST answered", "DeliveryConfirmed"), zip(*times)):
        p50, p90, most = (percentile(seconds, share) for share in (0.5, 0.9, 1))
        print(f"{name:18} p50 {p50:6.1f} ms  p90 {p90:6.1f} ms  max {most:6.1f} ms  n {orders}")


if __name__ == "__main__":
    main()
