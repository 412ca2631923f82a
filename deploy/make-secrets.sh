#!/bin/sh
# Makes the secrets that docker-compose.yml hands out, in deploy/secrets. What
# is there already stays as it is.
#
# The keys come from the binary: from the image, or from what PIZZA names, for
# example PIZZA=target/release/pizza.
set -eu

cd "$(dirname "$0")/.."
folder=${SECRETS:-deploy/secrets}
pizza=${PIZZA:-docker run --rm cloud-pizza:$(sed -n 's/^PIZZA_VERSION=//p' .env)}

umask 077
mkdir -p "$folder"

# Writes standard input to a file, whole or not at all. Containers read it as
# another user; who is not to on this machine is kept out by the folder.
keep() {
    cat > "$folder/.$1"
    test -s "$folder/.$1"
    # Its owner may add a line, as docs/compose.md says.
    chmod 0644 "$folder/.$1"
    mv "$folder/.$1" "$folder/$1"
}

random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

is_missing() {
    test ! -e "$folder/$1"
}

for name in postgres_password temporal_database_password pizza_database_password grafana_password; do
    if is_missing "$name"; then random | keep "$name"; fi
done

if is_missing pizza_database_url; then
    echo "postgres://pizza:$(cat "$folder/pizza_database_password")@postgres:5432/pizza" \
        | keep pizza_database_url
fi

# Writes what a command prints to a file, and shows what it complains of. The
# name comes first, then the command. In a pipe its failure would be lost.
made() {
    file=$1
    shift
    "$@" > "$folder/.made" || {
        echo "$file cannot be made: $* failed" >&2
        rm -f "$folder/.made"
        exit 1
    }
    keep "$file" < "$folder/.made"
    rm -f "$folder/.made"
}

# A key of a role: the key itself, for who holds it, and the entry by which
# gateways know it, which is the line with the name and the hash. Entries that
# are there belong to others, whose keys were handed out, and stay.
role() {
    holder=$1 role=$2
    if is_missing "$role.key" || is_missing "${role}_keys"; then
        if ! key=$($pizza "$role-key" "$holder" 2> "$folder/.told"); then
            cat "$folder/.told" >&2
            echo "$role.key cannot be made: $pizza failed" >&2
            rm -f "$folder/.told"
            exit 1
        fi
        entry=$(grep -Eo "$holder:[0-9a-f]{64}" "$folder/.told")
        rm -f "$folder/.told"
        if is_missing "${role}_keys"; then
            echo "$entry" | keep "${role}_keys"
        else
            # A name stands for one key: the one that is lost gives it up.
            { grep -v "^$holder:" "$folder/${role}_keys" || true; echo "$entry"; } \
                | keep "${role}_keys"
        fi
        echo "$key" | keep "$role.key"
    fi
}

role operator operator
role kitchen kitchen
role customer customer

if is_missing codec_keys; then
    made codec_keys $pizza codec-key first
fi

echo "the secrets are in $folder" >&2
