# SPDX-License-Identifier: Apache-2.0
# Read by the launchers beside it, never run by itself. It finds the installation, and in a checkout it builds the
# programs of build/ that are missing or older than the sources.

die() {
	echo "$*" >&2
	exit 1
}

# A launcher may be called through links, from any folder, and the path may hold blanks.
home=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd -P) || exit 1

# What upstream calls the installation; an operator's own setting wins.
: "${ROCKETMQ_HOME:=$home}"
export ROCKETMQ_HOME

# fresh NAME: build/NAME is there and nothing that it is made of is newer. A folder's own time tells of removed files.
fresh() {
	[ -x "$home/build/$1" ] || return 1
	[ -z "$(find "$home" \( -path "$home/.git" -o -path "$home/build" -o -name testdata \) -prune \
		-o \( -name '*.go' -o -name go.mod -o -name go.sum \) -newer "$home/build/$1" -print | head -n 1)" ]
}

# go_caches points Go at build/ where there is no home folder that it could keep its caches in.
go_caches() {
	if [ -z "${HOME:-}" ] || ! [ -d "$HOME" ] || ! [ -w "$HOME" ]; then
		export GOCACHE="${GOCACHE:-$home/build/.gocache}" GOPATH="${GOPATH:-$home/build/.gopath}"
		export GOFLAGS="${GOFLAGS:-} -modcacherw"
	fi
}

have_go() {
	command -v go >/dev/null 2>&1 ||
		die "The Go toolchain is needed to build $home: install Go 1.26 or newer and put go on the PATH, or use a release, which brings the programs."
}

# compile NAME: into a name of its own first, then renamed, so that nobody ever starts half a file. The program gets
# the time at which the build began: a source saved during the build is newer than that.
compile() {
	part=$home/build/.$1.$$
	: >"$part.began"
	if (cd "$home" && go build -buildvcs=false -o "$part" "./cmd/$1" 9>&-) >&2 && touch -r "$part.began" "$part" && mv -f "$part" "$home/build/$1"; then
		rm -f "$part.began"
		return 0
	fi
	rm -f "$part" "$part.began"
	return 1
}

# program NAME: makes sure that build/NAME can be run. A release has no go.mod beside bin/ and is never built.
# The lock only saves the work of building twice, so a system without flock does without.
program() {
	if ! [ -f "$home/go.mod" ]; then
		[ -x "$home/build/$1" ] || die "$home/build/$1 is missing: this installation is not complete."
		return 0
	fi
	fresh "$1" && return 0
	have_go
	go_caches
	mkdir -p "$home/build" || die "Cannot create $home/build."
	(
		if command -v flock >/dev/null 2>&1; then flock 9; fi
		fresh "$1" || compile "$1"
	) 9>"$home/build/.lock" || die "Building $1 in $home failed."
}
