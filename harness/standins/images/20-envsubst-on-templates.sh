#!/bin/sh
# Fills in the templates as the official images do: with names that are set, and not at all where it may not write.
set -e
from=/etc/nginx/templates to=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
[ -d "$from" ] || exit 0
[ -w "$to" ] || { echo "$0: $to is not writable" && exit 0; }
names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/${\1}/p')
find "$from" -follow -type f -name '*.template' | while read -r template; do
  name=${template#"$from"/}
  mkdir -p "$to/$(dirname "$name")"
  envsubst "$names" < "$template" > "$to/${name%.template}"
done
