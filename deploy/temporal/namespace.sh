#!/bin/sh
# Makes the namespace where there is none. Histories are kept for a week after
# an order's end: the store keeps the order itself for good.
set -eu

if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    echo "the namespace $TEMPORAL_NAMESPACE is there"
else
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 168h
fi
