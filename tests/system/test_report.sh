#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `traffic-meter report`: each form and grouping of known traffic comes to the sender's own count, and to
# that of SQL written by hand. Bad input is told in one line.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh
fixture report

export TZ=UTC LC_ALL=C.UTF-8
unset JOURNAL_STREAM
db=$work/history.db
program='r|"<,'

send_as() { # UID COUNT PORT
	in_cgroup "$cgroup" setpriv --reuid "$1" --regid "$1" --clear-groups "$work/$program" udp-send \
		--to 127.0.0.1 "$3" --count "$2" --size 972 | sed -E 's/.*ip_bytes=([0-9]+).*/\1/'
}

report() { "$METER" report --from "history:$db" --since today "$@" 2>"$work/err"; }

# Sets $first and $second: what the sender of 4001 and that of 4002 says it sent. Each byte is counted out
# and in, at the loopback, both for the sender: nobody listens, and ICMP's answers are the kernel's.
record() {
	[ -f "$work/sent" ] || {
		"$METER" --version | grep -q 'history:' || skip "built without sqlite3"
		need_bpf
		chmod 0755 "$work"
		cp "$TRAFFIC" "$work/$program"
		meter_start "$work/log" "$METER" run --cgroup "$cgroup" --output "history:$db" --interval 1
		first=$(send_as 4001 300 4011)
		second=$(send_as 4002 70 4012)
		meter_stop || fail "exit code $?"
		echo "$first $second" >"$work/sent"
	}
	read -r first second <"$work/sent"
}

sum_column() { awk -F "$1" -v n="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == n) c = i } NR > 1 { s += $c } END { printf "%d\n", s }'; }

groupings() {
	local by all
	record
	all=$((first + second))
	for by in user login day hour month network remote service interface program workload direction \
		user,day,service remote,program,user direction,hour user,direction; do
		assert_equal "-P by $by" "$all" "$(report -P --by "$by" | sum_column '|' out_bytes)"
		assert_equal "rest of JSON by $by" "$all" "$(report --json --by "$by" --top 1 |
			json_value 'sum(r["out_bytes"] for r in status["rows"])')"
	done
	assert_equal "SQL by hand" "$all" "$(sqlite3 -readonly "$db" 'SELECT sum(out_bytes) FROM usage')"
	assert_equal "SQL of users" "$all" "$(sqlite3 -readonly "$db" 'SELECT sum(out_bytes) FROM users')"
}

forms() {
	local text
	record
	assert_equal "one user" "4001|4001|$first" "$(report -P --user 4001 | tail -n +2 | cut -d '|' -f 1,2,4)"
	assert_equal "largest first" "4001 4002" "$(report -P | tail -n +2 | cut -d '|' -f 1 | head -n 2 | tr '\n' ' ' | sed 's/ $//')"
	assert_equal "by service" "udp/4012|$second" \
		"$(report -P --by service --service 4012 | tail -n +2 | cut -d '|' -f 1,3)"
	assert_equal "a program's name" 'r?"<,' "$(report -P --by program --user 4002 | tail -n 1 | cut -d '|' -f 1)"
	assert_equal "the name in CSV" 'r|""<,' "$(report --csv --by program --user 4002 | tail -n 1 | sed -E 's/^"(.*)",.*/\1/')"
	assert_equal "the name in JSON" "$program" "$(report --json --by program --user 4002 |
		json_value 'status["rows"][0]["program"]')"
	assert_equal "as a filter" "$second" "$(report -P --by program --program "$program" --user 4002 |
		sum_column '|' out_bytes)"
	assert_equal "direction" "0" "$(report -P --direction in --user 4001 | sum_column '|' out_bytes)"
	text=$(report --raw)
	assert_contains "raw" "^4001 .*$first" "$text"
	assert_contains "totals" "^total " "$text"
	assert_equal "80 columns" "" "$(LC_ALL=C report --raw | awk 'length > 80')"
	assert_equal "no bytes beyond ASCII" "" "$(LC_ALL=C report | grep -P '[^\x00-\x7f]')"
	assert_contains "other" '^other ' "$(report --top 1 --by service)"
}

over() {
	local code=0
	record
	report --over 1 >"$work/over" || code=$?
	assert_equal "exit code above" 3 $code
	code=0
	report --over $((first * 3)) >"$work/over" || code=$?
	assert_equal "exit code below" 0 $code
	assert_equal "says nothing" "" "$(cat "$work/over" "$work/err")"
}

# refused CODE PATTERN ARGUMENT...
refused() {
	local code=0 expected=$1 pattern=$2
	shift 2
	"$METER" report "$@" >"$work/out" 2>"$work/err" || code=$?
	assert_equal "exit code of $*" "$expected" $code
	assert_equal "lines of $*" 1 "$(wc -l <"$work/err")"
	assert_contains "$*" "$pattern" "$(cat "$work/err")"
}

bad_input() {
	record
	refused 1 "there is no history" --from "history:$work/none"
	: >"$work/empty"
	refused 1 "is empty" --from "history:$work/empty"
	sqlite3 "$work/foreign" 'CREATE TABLE x (y)'
	refused 1 "another program" --from "history:$work/foreign"
	sqlite3 "$db" ".backup $work/newer"
	sqlite3 "$work/newer" 'PRAGMA user_version = 999'
	refused 1 "of version 999, made by a newer" --from "history:$work/newer"
	head -c 9000 "$db" >"$work/torn"
	refused 1 "damaged" --from "history:$work/torn"
	refused 1 "there is no user 'nosuch'" --from "history:$db" --user nosuch
	refused 2 "no place to ask" --from "oracle:x"
	refused 2 "'2026-02-30' is no time" --since 2026-02-30
	refused 2 "ends before it begins" --since today --until yesterday
	refused 2 "did you mean 'user'" --by usr
	refused 2 "don't go together" --by day,hour
	refused 2 "is no service" --from "history:$db" --service nosuch/1
	refused 2 "is no direction" --from "history:$db" --direction up
	refused 2 "give one of them" --csv --json
	"$METER" report --from "history:$db" --since 2001-01-01 --until 2001-01-02 >"$work/out" 2>"$work/err"
	assert_contains "a period without data" "no traffic in that period" "$(cat "$work/err")"
}

run_test "report: each grouping and form comes to the sender's count, and to that of SQL" groupings
run_test "report: filters, names of any bytes, 80 columns, other" forms
run_test "report: --over is an alarm" over
run_test "report: bad input is told in one line" bad_input
end_tests
