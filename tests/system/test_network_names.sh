#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `run --networks`: each record has the name of the other end's network, in every format, and the bytes of a
# name come to the sender's count. A bad list leaves the names as they were; a good one holds from SIGHUP on.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

netns=tm-names-$$
uid=4301
fixture names "$netns"
list=$work/list
declare -A sent=()

# send NETWORK ADDRESS COUNT: what is sent is added to the network's.
send() {
	local bytes
	bytes=$(in_cgroup "$cgroup" ip netns exec "$netns" "$TRAFFIC" udp-send --uid $uid --to "$2" 9 \
		--count "$3" --size 700 </dev/null | sed -E 's/.*ip_bytes=([0-9]+).*/\1/')
	assert_at_least "bytes sent to $2" 1 "${bytes:-0}"
	sent[$1]=$((${sent[$1]:-0} + bytes))
}

says() { [ "$(grep -c -- "$2" "$work/log")" = "$1" ]; } # TIMES PATTERN

# What is counted gets its names before the next list is read.
reload() { # PATTERN
	wait_until 20 meter_at_rest
	kill -HUP "$meter_pid"
	wait_until 20 says 1 "$1"
}

# By network: "NAME BYTES" of lines of it.
sums() { awk '{ s[$1] += $2 } END { for (name in s) printf "%s %d\n", name, s[name] }' | sort; }

json_rows() {
	python3 -c 'import json, sys
for row in map(json.loads, sys.stdin):
    if str(row["uid"]) == sys.argv[1] and row["direction"] == "out":
        print(row["network"], row["bytes"])' "$uid"
}

names_everywhere() {
	local expected name has_history=()
	need_bpf
	netns_any "$netns"
	mkdir "$work/csv" "$work/spool"
	"$METER" --version | grep -q history: && has_history=(--output "history:$work/history.db")
	printf '%s\n' '# ours' 'campus 10.1.0.0/16 2001:db8:1::/48' 'storage 10.1.2.0/24' >"$list"
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --interval 1 --networks "$list" \
		--output "csv:$work/csv" --output "json:$work/json" --output "spool:$work/spool" \
		"${has_history[@]}"
	assert_contains "list" '3 networks with 2 names from' "$(cat "$work/log")"
	send campus 10.1.0.1 30
	send campus 2001:db8:1::1 11
	send storage 10.1.2.3 7
	send internet 192.168.7.7 5
	send internet 2001:db8:2::1 6

	printf '%s\n' 'other 10.1.0.0/16' 'storage 10.9.0.0/99' >"$list"
	reload 'the names of networks stay as they were'
	send campus 10.1.0.1 3
	assert_equal "errors" 1 "$(grep -c 'error' "$work/log")"
	assert_contains "the error" "$list:2: .*10.9.0.0/99" "$(grep error "$work/log")"

	echo 'lab 10.1.0.0/16' >"$list"
	reload '1 networks with 1 names from'
	send lab 10.1.2.3 9
	meter_stop || fail "exit code $?: $(cat "$work/log")"

	expected=$(for name in "${!sent[@]}"; do echo "$name ${sent[$name]}"; done | sort)
	assert_equal "csv" "$expected" \
		"$(awk -F, '$1 == "out" { print $(NF - 1), $2 }' "$work"/csv/*_$uid.log | sums)"
	assert_equal "json" "$expected" "$(json_rows <"$work/json" | sums)"
	assert_equal "spool" "$expected" "$(python3 docs/read_spool.py "$work/spool" | json_rows | sums)"
	[ ${#has_history[@]} -gt 0 ] || return 0
	assert_equal "history" "$expected" "$(sqlite3 -readonly -separator ' ' "$work/history.db" \
		"SELECT network, out_bytes FROM usage WHERE uid = $uid" | sums)"
	assert_equal "report" "$expected" "$("$METER" report --from "history:$work/history.db" --since today 2>"$work/err" \
		--user $uid --by network -P | awk -F '|' 'NR == 1 { for (c = 1; $c != "out_bytes";) c++ }
		NR > 1 { print $1, $c }' | sums)"
}

run_test "networks: the names are in CSV, JSON, spool, history and report; SIGHUP keeps or takes a list" names_everywhere
end_tests
