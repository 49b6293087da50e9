#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the counterpart of a Java class: tools.sh CLASS [arguments]. With TOOLS_RUNTIME=java the class itself runs, from
# the jars in lib/ and from those that Maven fetches.
. "$(dirname "$(readlink -f "$0")")/common.sh"
if [ "${TOOLS_RUNTIME:-go}" != java ]; then
	program mqtools
	exec "$home/build/mqtools" "$@"
fi
[ $# -gt 0 ] || die "Usage: tools.sh CLASS [arguments]"
java=java
if [ -n "${JAVA_HOME:-}" ]; then java=$JAVA_HOME/bin/java; fi
command -v "$java" >/dev/null 2>&1 || die "Java is needed for TOOLS_RUNTIME=java: put java on the PATH or set JAVA_HOME."
jars=$(sh "$home/conformance/javaclient/fetch.sh" quickstart) || exit 1
# JAVA_OPT may hold several options, so it is left to be split.
# shellcheck disable=SC2086
exec "$java" ${JAVA_OPT:-} ${HOME:+"-Duser.home=$HOME"} -cp "$home/lib/*:$jars/*" "$@"
