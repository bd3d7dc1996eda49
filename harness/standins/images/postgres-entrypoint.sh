#!/bin/sh
# Makes the database at the first start, as the entry point of the official image does: POSTGRES_PASSWORD, and if they
# are set POSTGRES_USER and POSTGRES_DB.
set -eu
if [ "$(id -u)" -eq 0 ]; then
  chown postgres "$(dirname "$PGDATA")"
  exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  user="${POSTGRES_USER:-postgres}" database="${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"
  printf '%s\n' "${POSTGRES_PASSWORD:?Database is uninitialized and superuser password is not specified.}" > /tmp/password
  initdb --pgdata="$PGDATA" --username="$user" --pwfile=/tmp/password --auth-local=trust --auth-host=trust
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  # Podman makes its own /run for an image that is read-only, in which this user may make nothing.
  printf "%s\n" "listen_addresses = '*'" "unix_socket_directories = '/tmp'" >> "$PGDATA/postgresql.conf"
  if [ "$database" != postgres ]; then
    pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses=''" --wait start
    createdb --host=/tmp --username="$user" --maintenance-db=postgres "$database"
    pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
  fi
fi
exec "$@"
