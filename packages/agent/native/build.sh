#!/bin/sh
# Compiles dr-syncer-attributes or, where FILE is called so, dr-syncer-survey: build.sh FILE [FLAG...]. Flags such as
# -static or -fsanitize=address come last.
set -eu
out=$1
shift
cd "$(dirname "$0")"
mkdir -p "$(dirname "$out")"
case $(basename "$out") in
  dr-syncer-survey*) sources='survey/main.c survey/hash.c survey/set.c survey/split.c' ;;
  *) sources='main.c walk.c entry.c attribute.c links.c report.c' ;;
esac
${CC:-cc} -std=c17 -D_GNU_SOURCE -O2 -g -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wformat=2 \
  -Wstrict-prototypes -Wmissing-prototypes -Werror -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
  -o "$out" $sources "$@"
