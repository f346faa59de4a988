#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A hostile local user in a directory that they can write to, as /tmp: at the names that an output
# opens they put links, FIFOs, directories, files of theirs, by rename and exchange, while it opens
# them. None is followed, nothing outside is touched, and nobody's bytes are lost by it.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh

RACE=${RACE:-$root/build/tests/tools/race}

fixture hostile

uid=4710

# Neither ends in a newline, so that a row's end would be mended here, too. All may write to the one,
# else the kernel itself (fs.protected_hardlinks) would let nobody link to it.
victims_make() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	local name
	rm -rf "$work"/*
	chmod 0755 "$work"
	mkdir -m 0755 "$work/victims"
	for name in public secret; do
		printf 'out,1,1.1.1.1,1.1.1.1,1.000000000,777777777,777777777\nprecious' >"$work/victims/$name"
		touch -d 2001-01-01 "$work/victims/$name"
	done
	chmod 0666 "$work/victims/public"
	chmod 0600 "$work/victims/secret"
	victims_look >"$work/.before"
}

victims_look() {
	ls "$work/victims"
	stat -c '%n %s %a %u %g %Y %i' "$work/victims"/*
	cat "$work/victims"/*
}

victims_verify() {
	victims_look | cmp - "$work/.before" || fail "touched: $(victims_look)"
}

# What opens files, by itself: 20,000 times each in a directory of everybody's, and in one where the
# user may remove and rename what is ours.
race() { # MODE OWNER
	local result
	victims_make
	mkdir "$work/open"
	chown "$2" "$work/open"
	chmod "$1" "$work/open"
	result=$(timeout 60 "$RACE" open "$work/open" "$work/victims" $uid 20000) || fail "exit code $?"
	echo "# $result"
	victims_verify
	result=${result#opened=}
	assert_at_least "times it was opened" 100 "${result% refused=*}"
	assert_at_least "times it was refused" 500 "${result#*refused=}"
}

# The real program, whose files are rotated away all the time so that it opens them again.
rotate() { # TURN
	local name
	for name in "traffic_user_unknown_$uid.log" rows.json; do
		mv -fT "$work/open/$name" "$work/kept/$name.$1" 2>/dev/null || :
	done
}

send() {
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count 5 --size 100 --uid $uid |
		sed -E 's/.*ip_bytes=([0-9]+).*/\1/' >>"$work/sent"
}

rows_came() {
	[ "$(csv_bytes) $(json_bytes)" = "$(awk '{ s += $1 } END { print s, s }' "$work/sent")" ]
}

own_files() { find "$work/kept" "$work/open" -name "$1*" -type f -user root -links 1 -print0; }
csv_bytes() { own_files "traffic_user_" | xargs -0 cat | awk -F, '$1 == "out" { s += $2 } END { printf "%d\n", s }'; }
json_bytes() {
	own_files "rows.json" | xargs -0 cat | grep '"direction":"out","uid":'"$uid," |
		grep -o '"bytes":[0-9]*' | awk -F: '{ s += $2 } END { printf "%d\n", s }'
}

attack_real_program() {
	local turn attacker
	need_bpf
	victims_make
	mkdir -m 1777 "$work/open"
	mkdir "$work/kept"
	chmod 1777 "$work/open"
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --interval 1 --records packet \
		--output "csv:$work/open" --output "json:$work/open/rows.json"
	"$RACE" attack "$work/open" "$work/victims" $uid "traffic_user_unknown_$uid.log" rows.json >"$work/attack" &
	attacker=$!
	process_note $attacker
	for ((turn = 0; turn < 150; turn++)); do
		send
		rotate $turn
		kill -HUP "$meter_pid"
	done
	kill -TERM $attacker
	wait $attacker || fail "the attack: exit code $?"
	echo "# $(cat "$work/attack"), refused $(grep -c 'summed up' "$work/log") times"
	rotate end
	find "$work/open" -mindepth 1 -user $uid -delete
	send
	kill -HUP "$meter_pid"
	wait_until 20 rows_came
	meter_stop || fail "exit code $?: $(cat "$work/log")"
	rows_came || fail "the files changed at the end"
	victims_verify
	assert_at_least "times it was refused" 1 "$(grep -c 'summed up' "$work/log")"
	assert_equal "outputs without a loss" 2 \
		"$(grep -c 'lost 0 bytes; audit: 0 bytes unaccounted' "$work/log")"
}

run_test "20,000 openings in a directory as /tmp" race 1777 root
run_test "20,000 openings in the user's own directory" race 0755 $uid
run_test "the real program" attack_real_program
end_tests
