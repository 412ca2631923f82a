#!/bin/sh
# The server takes its password from the environment alone; it stands in a file.
set -eu

POSTGRES_PWD=$(tr -d '\n' < /run/secrets/temporal_database_password)
export POSTGRES_PWD
exec /etc/temporal/entrypoint.sh
