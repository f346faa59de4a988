#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The report against the senders' own counts, in each form and by each key; what it refuses.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/datagrams.sh
. tests/lib/fixture.sh

net=tm-report-$$
fixture report "$net"
database=$work/history.db
declare -A sent

ask() { "$METER" report --from "history:$database" --since today "$@"; }

# Two users' datagrams to a port each, over an address that each namespace has.
traffic_of() { # UID PORT COUNT
	in_cgroup "$cgroup" nsenter --net="/run/netns/$net" "$TRAFFIC" udp-send --uid "$1" --to 127.0.0.1 "$2" \
		--count "$3" --size 1000 --rate 5000 --timeout 60 >"$work/sent"
	sent[$1]=$(ip_bytes "$work/sent")
}

known_traffic() {
	need_bpf
	"$METER" report --help >/dev/null 2>&1 || skip "this build has no history"
	ip netns add "$net"
	ip -n "$net" link set lo up
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --interval 1 --state-dir "$work" \
		--output "history:$database"
	traffic_of 4901 7301 3000
	traffic_of 4902 7302 500
	meter_stop || fail "$(cat "$work/log")"
	printf '%s\n' "${sent[4901]}" "${sent[4902]}" >"$work/counts"
}

counts() { mapfile -t count <"$work/counts"; }

by_user() {
	counts
	ask --raw -P >"$work/report"
	assert_equal "header" "user|received|sent|total" "$(head -n 1 "$work/report")"
	assert_contains "user 4901, first" "^4901\|[0-9]+\|${count[0]}\|" "$(sed -n 2p "$work/report")"
	assert_contains "user 4902" "^4902\|[0-9]+\|${count[1]}\|" "$(sed -n 3p "$work/report")"
	assert_equal "one user, by number" "${count[1]}" "$(ask --raw -P --user 4902 | tail -n 1 | cut -d '|' -f 3)"
}

# Whatever rows are told apart by, they add up to the same.
by_each_key() {
	local key sum
	counts
	for key in user login network remote service interface program workload direction hour day month \
		program,direction user,service,day; do
		sum=$(ask --raw -P --by "$key" | awk -F '|' 'NR > 1 { sum += $(NF - 1) } END { print sum }')
		assert_equal "sent, by $key" $((count[0] + count[1])) "$sum"
	done
	assert_equal "by direction" "out" "$(ask --by direction -P | sed 1d | cut -d '|' -f 1 | sort | xargs)"
	assert_equal "by service" "${count[0]}" "$(ask --raw -P --by service --service udp/7301 | tail -n 1 | cut -d '|' -f 3)"
	assert_equal "sent only" "0" "$(ask --raw -P --direction out --user 4901 | tail -n 1 | cut -d '|' -f 2)"
}

other_forms() {
	counts
	ask --json >"$work/json"
	assert_equal "JSON" "1 ${count[0]} $((count[0] + count[1]))" "$(python3 -c '
import json, sys
report = json.load(open(sys.argv[1]))
print(report["jsonversion"], report["rows"][0]["sent"], report["sent"])' "$work/json")"
	assert_contains "CSV" "^4901,[0-9]+,${count[0]}," "$(ask --csv)"
	assert_contains "a table" '^total +.* MB' "$(ask)"
	assert_contains "bits" '[0-9] Mbit' "$(ask --bits)"
	assert_equal "no colour where no terminal is" "" "$(ask | grep -c $'\x1b' | grep -v '^0$')"
	assert_contains "the rest is one row" "^other\|\|[0-9]+\|[1-9]" "$(ask --raw -P --by user,service --top 1)"
	sum=$(ask --raw -P --by user,service --top 1 | awk -F '|' 'NR > 1 { sum += $(NF - 1) } END { print sum }')
	assert_equal "its bytes are kept" $((count[0] + count[1])) "$sum"
}

by_hand() {
	counts
	command -v sqlite3 >/dev/null || skip "no sqlite3"
	assert_equal "SQL" "${count[0]}" "$(sqlite3 -readonly "$database" 'SELECT sum(out_bytes) FROM users WHERE uid = 4901')"
}

over() {
	local code=0
	ask --over 1M -P --raw >"$work/over" || code=$?
	assert_equal "exit code" 3 $code
	assert_equal "only that row" 4901 "$(sed 1d "$work/over" | cut -d '|' -f 1)"
	ask --over 1T >"$work/over" || fail "code $?"
	[ ! -s "$work/over" ] || fail "nobody passed it, but: $(cat "$work/over")"
}

refused() { # CODE WORDS OPTION...
	local code=0 words
	words=$("$METER" report "${@:3}" 2>&1) || code=$?
	assert_equal "exit code of ${*:3}" "$1" $code
	assert_contains "words for ${*:3}" "$2" "$words"
	assert_equal "lines for ${*:3}" 1 "$(wc -l <<<"$words")"
}

refuses() {
	: >"$work/empty"
	head -c 8192 /dev/urandom >"$work/noise"
	refused 1 "there is no history" --from "history:$work/nowhere"
	refused 1 "$work/empty" --from "history:$work/empty"
	refused 1 "$work/noise" --from "history:$work/noise"
	refused 2 "no time" --from "history:$database" --since nonsense
	refused 2 "is no key" --from "history:$database" --by colour
	refused 2 "named twice" --from "history:$database" --by user,user
	refused 2 "period is empty" --from "history:$database" --since today --until yesterday
	refused 2 "neither in nor out" --from "history:$database" --direction up
	refused 2 "is not history:FILE" --from nonsense
	assert_equal "a period without data" "total" \
		"$("$METER" report --from "history:$database" --since 2001-01-01 --until 2001-01-02 | tail -n 1 | cut -d ' ' -f 1)"
	assert_equal "an unknown user" 1 "$(ask -P --user nobody-of-that-name | wc -l)"
}

run_test "known traffic is in a history" known_traffic
if [ -s "$database" ]; then
	run_test "by user" by_user
	run_test "by each key the sums are the same" by_each_key
	run_test "JSON, CSV, a table, the rest in one row" other_forms
	run_test "the same by hand" by_hand
	run_test "over: exit code 3" over
	run_test "what is wrong is said in one line" refuses
fi
end_tests
