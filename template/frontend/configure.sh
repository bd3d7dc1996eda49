#!/bin/sh
# Gives a built page other Sentry variables without building it again: one build for staging and production.
#
#   sh configure.sh dist       changes dist/index.html
#   sh configure.sh FROM TO    changes nothing and writes another file, for folders that are read-only
#
# Takes the variables from its environment, as often as you like. One that is not set stays as it was; a DSN that is
# set but empty switches Sentry off. The release belongs to the build. The image's nginx calls this without arguments.
set -eu
export LC_ALL=C

[ $# -gt 0 ] || set -- ${PAGE:+"$PAGE"} ${CONFIGURED_PAGE:+"$CONFIGURED_PAGE"}
case $# in
  1) from=$1/index.html to=$1/index.html ;;
  2) from=$1 to=$2 ;;
  *) echo 'Which page? sh configure.sh dist, or sh configure.sh FROM TO' >&2 && exit 1 ;;
esac
# Else every command would take a name like -x for an option.
case $from in -*) from=./$from ;; esac
case $to in -*) to=./$to ;; esac
[ -f "$from" ] || { echo "$from: there is no such file; \"npm run build\" makes it in dist." >&2 && exit 1; }

# The regular expressions of src/config/variables.ts. None of them lets a sign through that means something to sed or
# could end an attribute: quotes, angle brackets, ampersand, backslash, bar.
PORT='[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]'
HOST="([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+])(:($PORT))?"
DSN="https?://[A-Za-z0-9_]+(:[A-Za-z0-9_]*)?@$HOST/([A-Za-z0-9._~/-]+/)?[0-9]+"
RATE='[[:blank:]]*(0|1|0?\.[0-9]+|1\.0+|[0-9](\.[0-9]+)?[eE]-[1-9][0-9]*)?[[:blank:]]*'
REST='[][A-Za-z0-9._~:/?=%+-]*'
TUNNEL="/[A-Za-z0-9._~-]$REST|https?://$HOST([/?]$REST)?"
KEY='[A-Za-z][A-Za-z0-9_ .-]{1,63}'

problems=0
changed=
edits=

# Prints the value for a message, unless it looks unlike a setting: it may be a misplaced secret.
shown() {
  if [ ${#1} -gt 20 ]; then echo 'the value'; else
    case $1 in *[!A-Za-z0-9_.,+-]*) echo 'the value' ;; *) echo "$1" ;; esac
  fi
}

# Takes a variable, if it is set, into the edits: take NAME PATTERN COMPLAINT
take() {
  eval "is_set=\${$1+yes} value=\${$1-}"
  # No environment at all is none of the environments.
  if [ -z "$is_set" ] || [ "$1$value" = VITE_SENTRY_ENVIRONMENT ]; then return; fi
  # As a bar a line break matches nothing; grep would take each line for itself.
  value=$(printf '%s' "$value" | tr '\n' '|')
  bad=$value
  if [ "$1" = SENTRY_SENSITIVE_KEYS ]; then
    bad=$(printf '%s\n' "$value" | tr ',' '\n' | sed 's/^[[:blank:]]*//; s/[[:blank:]]*$//' | grep -Evx "($2)?" | head -n 1)
  elif printf '%s\n' "$value" | grep -Eqx "($2)?"; then
    bad=
  fi
  if [ -n "$bad" ]; then
    case $3 in is*) echo "$1: $(shown "$bad") $3" ;; *) echo "$1: $3" ;; esac >&2
    problems=1
  elif ! grep -q "<meta name=\"$1\" content=\"" "$from"; then
    echo "$1: $from has no tag for it, so it is no page of this project." >&2
    problems=1
  fi
  changed="$changed $1"
  edits="$edits
s|\(<meta name=\"$1\" content=\"\)[^\"]*|\1$value|"
}

take VITE_SENTRY_DSN "$DSN" 'not a DSN like https://<key>@<host>/<project number>'
take VITE_SENTRY_ENVIRONMENT 'development|staging|production' 'is not one of development, staging, production'
take VITE_SENTRY_TRACES_SAMPLE_RATE "$RATE" 'is not a number between 0 and 1'
take VITE_SENTRY_REPLAYS_ON_ERROR_SAMPLE_RATE "$RATE" 'is not a number between 0 and 1'
take VITE_SENTRY_TUNNEL "$TUNNEL" \
  'neither a path like /api/v1/tunnel nor an address like https://api.example.com/api/v1/tunnel'
take SENTRY_ORG_ID '[0-9]{1,20}' 'is not the number of an organization in Sentry'
take SENTRY_SENSITIVE_KEYS "$KEY" 'is not a name like customer_number'
[ $problems -eq 0 ] || exit 1

# Prints what the page has now: present NAME
present() {
  sed -n "s|.*<meta name=\"$1\" content=\"\([^\"]*\).*|\1|p" "$from"
}

# Prints the origin of an address as browsers and the build write it, or nothing if it has none: origin ADDRESS
origin() {
  printf '%s\n' "$1" | tr '[:upper:]' '[:lower:]' |
    sed -nE 's|^(https?://)([^@/?]*@)?([][a-z0-9._:-]+).*|\1\3|
      s|:0*([0-9]*)$|:\1|; s|^(http://.*):80$|\1|; s|^(https://.*):443$|\1|; s|:$||
      /^http/p'
}

# Prints the origin that events go to, if it is not the page's own: target DSN TUNNEL
target() {
  [ -z "$1" ] || origin "${2:-$1}"
}

# Prints what the policy of a page lets it reach: reachable < PAGE
POLICY='<meta http-equiv="Content-Security-Policy" content="'
reachable() {
  sed -n "s|.*${POLICY}[^\"]*connect-src \([^;\"]*\).*|\1|p"
}

dsn=$(present VITE_SENTRY_DSN)
tunnel=$(present VITE_SENTRY_TUNNEL)
before=$(target "$dsn" "$tunnel")
after=$(target "${VITE_SENTRY_DSN-$dsn}" "${VITE_SENTRY_TUNNEL-$tunnel}")

# The page's policy lets it reach where events go, and no longer where they went.
set -f
sources=
missing=$after
for source in $(reachable < "$from"); do
  case $(origin "$source") in
    '') ;;
    "$after") missing= ;;
    "$before") continue ;;
  esac
  sources="$sources $source"
done
sources=${sources# }${missing:+ $missing}
page=$(sed "$edits
s|\(${POLICY}[^\"]*connect-src \)[^;\"]*|\1$(printf '%s' "$sources" | sed 's/[&\\|]/\\&/g')|" "$from")
if grep -qi 'content-security-policy' "$from"; then
  case " $(printf '%s\n' "$page" | reachable) " in
    *" $sources "*) ;;
    *) echo "$from: its policy has no connect-src that could let the page reach $after." >&2 && exit 1 ;;
  esac
fi

# Written beside it and moved: a full disk must not leave half a page.
new=$to.$$
trap 'rm -f "$new"' EXIT
if [ -f "$to" ]; then cp -p "$to" "$new"; fi
printf '%s\n' "$page" > "$new"
mv -f "$new" "$to"
echo "$to:${changed:- nothing} taken from the environment."
