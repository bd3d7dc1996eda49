#!/bin/sh
# Install the servers that the tests of extensions start, which each lists in packages.txt: "make test-packages".
# Debian and Ubuntu; elsewhere install what they list by hand. Does nothing when nothing is missing.
set -eu
cd "$(dirname "$0")/.."

missing=""
# shellcheck disable=SC2013 # names, not lines
for name in $(cat backend/tests/extensions/*/packages.txt 2>/dev/null | sort -u); do
  dpkg-query --show --showformat='${Status}' "$name" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "The tests of extensions start servers that are missing. Install:$missing" >&2
  exit 1
fi
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo"
# A test starts its own server, on a port of its own: what a package would start at once is in nobody's service.
# shellcheck disable=SC2016,SC2086 # the shell below expands it; names of packages have no spaces
$as_root sh -euc '
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap "rm -f $policy" EXIT
    printf "#!/bin/sh\nexit 101\n" > "$policy"
    chmod 755 "$policy"
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
' sh $missing
