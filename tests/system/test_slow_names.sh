#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whom a subordinate uid is charged to, with a directory server that answers, that does not, and that does again.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh

PATH=$PATH:/usr/sbin:/sbin
fixture_undo() { umount /etc/subuid 2>/dev/null || :; } # of the script's own mount namespace
fixture slow-names

send() { # UID
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --uid "$1" --to 127.0.0.1 9 --count 100 --size 972 >/dev/null
}

out_of() { find "$work" -name "*_$1.log" -exec cat {} + | csv_sum out 2 -; }
has() { [ "$(out_of "$1")" -eq "$2" ]; }
says() { grep -E "$1" "$work/log" >/dev/null; }

slow() { # OPTION...
	need_bpf
	trap processes_end EXIT
	umount /etc/subuid 2>/dev/null || :
	rm -rf "${work:?}"/*
	mkdir "$work/etc"
	# Each line's name is asked for when the first uid of it is met.
	printf 'tm-owner:%s:100\n' 600100 600200 600300 600400 >"$work/etc/subuid"
	[ -e /etc/subuid ] || touch /etc/subuid
	mount --bind "$work/etc/subuid" /etc/subuid
	make -s build/tests/tools/slow_names.so
	meter_start "$work/log" env LD_PRELOAD="$PWD/build/tests/tools/slow_names.so" SLOW_NAMES="$work/hangs" \
		"$METER" run --config /dev/null --instance "$meter_instance" --cgroup "$cgroup" \
		--state-dir "$work/state" --output "csv:$work" --interval 1 "$@"
	# The first record of a uid waits for the answer.
	send 600100
	wait_until 10 has 50777 100000
	touch "$work/hangs"
	send 600100 # an answer that was there holds
	wait_until 10 has 50777 200000
	send 600200
	wait_until 20 says 'warning: the look-up of uid 600[12]00 has taken 5 s and goes on'
	send 50001
	wait_until 10 has 50001 100000
	"$METER" status --instance "$meter_instance" >/dev/null || fail "status: $?"
	assert_equal "it stands for itself" 100000 "$(out_of 600200)"
	send 600300 # who comes later does not wait for it again
	wait_until 4 has 600300 100000
	send 600100
	wait_until 4 has 50777 300000
	rm "$work/hangs"
	wait_until 10 says 'look-up of users and their subordinate uids works again'
	send 600200
	wait_until 10 has 50777 400000
	touch "$work/hangs"
	send 600400
	meter_stop || fail "exit code $?: $(cat "$work/log")"
	assert_equal "all that was sent" 800000 "$(($(out_of 50777) + $(out_of 50001) + $(out_of '600*')))"
	assert_contains "closing line" 'lost 0 bytes; audit: 0 bytes unaccounted' "$(cat "$work/log")"
	umount /etc/subuid
}

run_test "a directory server that hangs, flow records" slow
run_test "a directory server that hangs, packet records" slow --records packet
end_tests
