# SPDX-License-Identifier: GPL-2.0-or-later
# TAP for shell tests: sourced. A test is a function; `run_test NAME FUNCTION` runs it in a subshell
# that stops at the first failing command, and prints its result.

set -uo pipefail

tests_failed=0

run_test() {
	local name=$1
	shift
	# What does not hold for a lesser build, by a pattern.
	[[ -n ${EXCEPT:-} && $name =~ $EXCEPT ]] && return
	(
		set -e
		"$@"
	)
	case $? in
	0) echo "ok $name" ;;
	77) echo "ok $name # SKIP ${skip_reason:-see above}" ;;
	*)
		echo "not ok $name"
		tests_failed=$((tests_failed + 1))
		;;
	esac
}

# In a test: say why and be counted as not run.
skip() {
	echo "# skipped: $*"
	exit 77
}

# In a test: say why and fail.
fail() {
	echo "# failed: $*"
	exit 1
}

assert_equal() { # WHAT EXPECTED ACTUAL
	[ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

assert_at_least() { # WHAT MINIMUM ACTUAL
	[ "$3" -ge "$2" ] || fail "$1: expected at least '$2', got '$3'"
}

assert_contains() { # WHAT PATTERN TEXT
	grep -qE -- "$2" <<<"$3" || fail "$1: no '$2' in: $3"
}

# The seconds of a clock that nobody sets, as $now_s. bash's SECONDS goes with the machine's, which a test
# sets (tests/fault/clock.sh).
read_now() {
	read -r now_s _ </proc/uptime
	now_s=${now_s%.*}
}

# Wait until a command succeeds: for events that nothing announces. At most SECONDS.
wait_until() { # SECONDS COMMAND...
	local now_s deadline
	read_now
	deadline=$((now_s + $1))
	shift
	until "$@"; do
		read_now
		[ $now_s -lt $deadline ] || fail "timed out waiting for: $*"
		sleep 0.05
	done
}

# A cmocka program: its results as lines "ok PROGRAM: TEST".
run_cmocka() {
	local program=$1 name=${1##*/} output code
	output=$(mktemp)
	"$program" >"$output" 2>&1
	code=$?
	sed -nE "s/^\[       OK \] ([^ ]+).*/ok $name: \1/p; s/^\[  SKIPPED \] ([^ ]+).*/ok $name: \1 # SKIP/p" "$output"
	if [ $code -ne 0 ]; then
		cat "$output"
		sed -nE "s/^\[  FAILED  \] ([^ :]+)$/not ok $name: \1/p" "$output" | sort -u
		echo "not ok $name: ended with code $code"
		tests_failed=$((tests_failed + 1))
	fi
	rm -f "$output"
}

end_tests() {
	[ "$tests_failed" -eq 0 ]
	exit
}
