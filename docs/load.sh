#!/usr/bin/env bash
# Finds the most that this machine takes, and loads it for a while at half of
# that, with each role as a process of its own: see load.md.
#
#   docs/load.sh max                    closed loops of 1, 2, 4 … 64 orders under way
#   docs/load.sh half RATE [DURATION]   open loop at RATE orders a second, 10m by default, audited
#
# PIZZA is the binary, target/release/pizza by default; DATA a folder that is
# made, and emptied; MIX what is ordered.
set -euo pipefail

PIZZA=$(realpath "${PIZZA:-target/release/pizza}")
DATA=${DATA:-/tmp/pizza-load}
MIX=${MIX:-none=90,2=3,3=2,4=2,cancel=2,amend=1}

export TEMPORAL_ADDRESS=127.0.0.1:17233 PIZZA_LISTEN=127.0.0.1:18080
export PIZZA_GATEWAY=http://$PIZZA_LISTEN DATABASE_URL=sqlite:$DATA/pizza.db
export PIZZA_KITCHEN_KEY=pizza_ki_an-example RUST_LOG=warn
PIZZA_KITCHEN_KEYS=oven:$(printf %s "$PIZZA_KITCHEN_KEY" | sha256sum | cut -d' ' -f1)
export PIZZA_KITCHEN_KEYS
# All of it comes from one address.
export PIZZA_ORDERS_PER_SECOND=0 PIZZA_REQUESTS_PER_SECOND=0 PIZZA_STAFF_REQUESTS_PER_SECOND=0
export PIZZA_WATCHERS_PER_CLIENT=0 PIZZA_CONNECTIONS_PER_ADDRESS=0

rm -rf "$DATA" && mkdir -p "$DATA"
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait' EXIT

# start NAME ARGUMENT…: one role, whose process id is then in $NAME.
start() {
    local name=$1
    shift
    "$PIZZA" "$@" >"$DATA/$name.log" 2>&1 &
    pids+=($!)
    declare -g "$name=$!"
}

until_it_answers() {
    for _ in $(seq 100); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    echo "no answer: $*; see $DATA" >&2
    exit 1
}

# As `pizza dev` runs it.
start temporal temporal server start-dev --headless --ip 127.0.0.1 --port 17233 \
    --log-level error --db-filename "$DATA/temporal.db" \
    --sqlite-pragma journal_mode=WAL --sqlite-pragma synchronous=NORMAL \
    --dynamic-config-value history.transferProcessorMaxPollRPS=400 \
    --dynamic-config-value history.timerProcessorMaxPollRPS=400 \
    --dynamic-config-value 'history.timerProcessorMaxTimeShift="10ms"' \
    --dynamic-config-value matching.numTaskqueueReadPartitions=1 \
    --dynamic-config-value matching.numTaskqueueWritePartitions=1 \
    --dynamic-config-value system.forceSearchAttributesCacheRefreshOnRead=false
until_it_answers "$PIZZA" temporal operator cluster health
start worker worker
start gateway gateway --fault-injection
start kitchen kitchen
# Orders are taken once the worker has told Temporal what they are found by.
until_it_answers "$PIZZA" order

load() {
    "$PIZZA" load --watch-pid "worker=$worker" --watch-pid "gateway=$gateway" \
        --watch-pid "kitchen=$kitchen" --watch-pid "temporal=$temporal" "$@"
}

# What begins slowly is not what is measured.
load --concurrency 4 --orders 100 >"$DATA/warm-up.log" 2>&1 || {
    cat "$DATA/warm-up.log" >&2
    exit 1
}

case "${1:-}" in
max)
    for concurrency in 1 2 4 8 16 32 64; do
        echo "--- $concurrency under way"
        load --concurrency "$concurrency" --duration 30s --seed "$concurrency"
    done
    ;;
half)
    load --rate "${2:?how many orders a second}" --duration "${3:-10m}" --mix "$MIX" --audit
    ;;
*)
    echo "usage: docs/load.sh max | half RATE [DURATION]" >&2
    exit 2
    ;;
esac
