#!/bin/sh
# Brings Temporal's two databases to the schema of this version of its tools.
# Run again, it changes nothing.
set -eu

SQL_PASSWORD=$(tr -d '\n' < /run/secrets/temporal_database_password)
export SQL_PASSWORD

schemas=/etc/temporal/schema/postgresql/v12

# On a database ($1), with what follows.
sql_tool() {
    database=$1
    shift
    temporal-sql-tool --plugin postgres12 --ep postgres --port 5432 --user temporal \
        --db "$database" "$@"
}

sql_tool temporal setup-schema --version 0.0
sql_tool temporal update-schema --schema-dir "$schemas/temporal/versioned"
sql_tool temporal_visibility setup-schema --version 0.0
sql_tool temporal_visibility update-schema --schema-dir "$schemas/visibility/versioned"
