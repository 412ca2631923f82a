#!/bin/sh
# Runs once, on an empty data folder: a role and databases for each of the two
# that share this server, so that neither can touch the other's.
set -eu

password() {
    tr -d '\n' < "/run/secrets/$1"
}

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set pizza_password="$(password pizza_database_password)" \
    --set temporal_password="$(password temporal_database_password)" <<'SQL'
CREATE ROLE pizza LOGIN PASSWORD :'pizza_password';
CREATE DATABASE pizza OWNER pizza;
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE pizza, temporal, temporal_visibility FROM PUBLIC;
SQL
