# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of the tools: TAP, and a private kcfd. A test is a function test_NAME that returns 0; it runs in a
# subshell, in the directory $work, and says why it failed on standard error (shown as a comment).

build=${KCF_BUILD_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build}
work=
daemon=
PATH=$build/cli:$build/daemon:$PATH

tap_names() { declare -F | sed -n 's/^declare -f test_//p'; }

skip() { echo "$*" >&2; exit 77; }
fail() { echo "$*" >&2; return 1; }
# Both sides must be equal.
same() { [ "$1" = "$2" ] || fail "expected '$2', got '$1'"; }
same_file() { cmp "$1" "$2" >&2; }
# CODE COMMAND...: the command ends with this exit code.
exits() {
	local want=$1 got=0
	shift
	"$@" >"$work/exits.out" 2>"$work/exits.err" || got=$?
	[ "$got" = "$want" ] || { cat "$work/exits.err" >&2; fail "exit $got, not $want: $*"; }
}
says() { grep -q -- "$1" "$work/exits.err" || { cat "$work/exits.err" >&2; fail "does not say '$1'"; }; }
hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }
first() { awk '{ print $1; exit }'; }

# CONFIG-FILE OPTION...: kcfd in the foreground as a child, serving when this returns.
kcfd_start() {
	local config=$1
	shift
	export KCF_SOCKET=$work/sock
	mkfifo "$work/ready"
	kcfd --foreground --socket "$KCF_SOCKET" --modules "$build/providers" --config "$config" \
		--ready-fd 9 "$@" 9>"$work/ready" >"$work/kcfd.log" 2>&1 &
	daemon=$!
	exec 8<"$work/ready"
	[ "$(timeout 30 head -c 1 <&8 | wc -c)" = 1 ] || { sed 's/^/# /' "$work/kcfd.log"; echo "Bail out! kcfd did not start"; exit 1; }
	exec 8<&-
	rm -f "$work/ready"
}

tap_end() {
	if [ -n "$daemon" ]; then
		kill "$daemon" 2>/dev/null
		wait "$daemon" 2>/dev/null
	fi
	rm -rf "$work"
}

# SETUP-FUNCTION "$@" of the script: --list prints names, a name runs that test alone.
tap_run() {
	local setup=$1 names name code n=0 failed=0
	shift
	names=$(tap_names)
	if [ "${1:-}" = --list ]; then
		printf '%s\n' "$names"
		return 0
	fi
	[ $# = 0 ] || names=$*
	work=$(mktemp -d /tmp/kcf-tap.XXXXXX)
	trap tap_end EXIT
	cd "$work" || exit 1
	umask 077
	$setup || { echo "Bail out! setup failed"; exit 1; }
	for name in $names; do
		n=$((n + 1))
		# Not in the condition of an if: there set -e has no effect.
		(set -e; "test_$name") >"$work/tap.out" 2>&1
		code=$?
		if [ $code = 0 ]; then
			echo "ok $n - $name"
		elif [ $code = 77 ]; then
			echo "ok $n - $name # SKIP $(tail -n 1 "$work/tap.out")"
		else
			failed=$((failed + 1))
			echo "not ok $n - $name"
			sed 's/^/# /' "$work/tap.out"
		fi
	done
	echo "1..$n"
	[ $failed = 0 ]
}
