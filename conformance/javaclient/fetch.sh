#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fetch.sh NAME: prints the folder with the jars of NAME/pom.xml, and has Maven fetch them the first time. The folder's
# name holds the pom's checksum, so a changed pom is fetched anew.
here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
pom=$here/$1/pom.xml
[ -f "$pom" ] || {
	echo "fetch.sh: there is no $pom" >&2
	exit 1
}
if [ -n "${XDG_CACHE_HOME:-}" ]; then
	cache=$XDG_CACHE_HOME/rocketd/java
elif [ -n "${HOME:-}" ] && [ -w "$HOME" ]; then
	cache=$HOME/.cache/rocketd/java
else
	cache=$here/../../build/java
fi
lib=$cache/$1-$(cksum <"$pom" | cut -d ' ' -f 1)
if [ -d "$lib" ]; then
	echo "$lib"
	exit 0
fi
command -v mvn >/dev/null 2>&1 || {
	echo "Maven is needed to fetch the Java programs: put mvn on the PATH." >&2
	exit 1
}
mkdir -p "$cache" && cd "$cache" || exit 1

# Two may fetch at once: each into a folder of its own, and the one that is renamed first stays. A registry sometimes
# does not answer, and Maven keeps what it has got.
part=$lib.$$
for attempt in 1 2 3; do
	if mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$part" >"$part.log" 2>&1; then
		rm -f "$part.log"
		[ -d "$lib" ] || mv "$part" "$lib" 2>/dev/null
		rm -rf "$part" "$lib/${part##*/}"
		echo "$lib"
		exit 0
	fi
	sleep "$attempt"
done
echo "Maven could not fetch the jars of $pom:" >&2
cat "$part.log" >&2
rm -rf "$part" "$part.log"
exit 1
