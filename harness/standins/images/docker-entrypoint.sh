#!/bin/sh
# Runs the scripts, in the order of their numbers, then the server, as the entry point of the official images does.
set -e
if [ "$1" = nginx ]; then
  find /docker-entrypoint.d -follow -type f -name '*.sh' | sort -V | while read -r script; do
    if [ -x "$script" ]; then
      echo "$0: launching $script"
      "$script"
    else
      echo "$0: ignoring $script, not executable"
    fi
  done
fi
exec "$@"
