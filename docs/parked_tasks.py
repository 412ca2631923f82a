"""Times the failure queues with many parked tasks.

    python3 docs/parked_tasks.py GATEWAY_URL OPERATOR_KEY WORKER_PID COUNT

Places COUNT orders whose reclaim is refused, waits until all are parked, then
times the counts, a page, the whole list page by page, and a bulk redrive at
100 a second; and reads the worker's resident memory. Standard library alone.
"""

import concurrent.futures
import json
import sys
import time
import urllib.request

GATEWAY, KEY, WORKER, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
QUEUE = "remove-loyalty-points"
WAIT_SECONDS = 1800


def ask(path, body=None):
    request = urllib.request.Request(GATEWAY + path, method="GET" if body is None else "POST")
    request.add_header("authorization", "Bearer " + KEY)
    data = None
    if body is not None:
        request.add_header("content-type", "application/json")
        data = json.dumps(body).encode()
    with urllib.request.urlopen(request, data, timeout=30) as answer:
        return json.load(answer)


def park():
    """Places an order and waits for its end: no more are under way than wait here."""
    order = ask("/orders", {"errorOnStep": 7})["orderId"]
    ended = lambda: ask("/orders/" + order)["status"] == "Cancelled"
    until("the order ends", ended, every=0.05)


def timed(name, call, times=1):
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        result = call()
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    print(f"{name}: n={times} min {taken[0]:.0f} p50 {taken[times // 2]:.0f} max {taken[-1]:.0f} ms")
    return result


def resident_mb():
    with open(f"/proc/{WORKER}/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def until(what, holds, every=0.5):
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"not within {WAIT_SECONDS} s: {what}")
        time.sleep(every)


def depth():
    queues = ask("/failure-queues")["queues"]
    return next(queue["depth"] for queue in queues if queue["queue"] == QUEUE)


def walk():
    path, tasks = f"/failures?queue={QUEUE}&limit=100", 0
    cursor = ""
    while True:
        page = ask(path + cursor)
        tasks += len(page["failures"])
        if page["nextCursor"] is None:
            return tasks
        cursor = "&cursor=" + page["nextCursor"]


def redrive():
    bulk = ask("/failures/bulk", {"action": "redrive", "queue": QUEUE, "ratePerSecond": 100})
    path = "/failures/bulk/" + bulk["bulkId"]
    until("the redrive ends", lambda: not ask(path)["running"])
    return ask(path)


def main():
    print(f"worker before: {resident_mb():.0f} MB resident")
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: park(), range(COUNT)))
    until("all are parked", lambda: depth() >= COUNT)
    print(f"{COUNT} orders placed and parked in {time.monotonic() - began:.0f} s")
    print(f"worker with {COUNT} parked tasks: {resident_mb():.0f} MB resident")
    timed("depth, oldest and rates of all queues", lambda: ask("/failure-queues"), 20)
    timed("a page of 100", lambda: ask(f"/failures?queue={QUEUE}&limit=100"), 20)
    print("listed:", timed("the whole list, 100 a page", walk, 5))
    print("summary:", timed("bulk redrive at 100 a second", redrive))
    print(f"worker after: {resident_mb():.0f} MB resident")


main()
