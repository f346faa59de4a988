#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The live screen: tmux drives it and reads it.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh

tmux_name=traffic-meter-test-$$
fixture_undo() { tmux -L "$tmux_name" kill-server 2>/dev/null || :; }
fixture top

begin() {
	need_bpf
	[ -x traffic-meter-top ] || skip "built without ncurses"
	command -v tmux >/dev/null || skip "no tmux"
	fixture_undo
	processes_end
	trap 'fixture_undo; processes_end' EXIT
	rm -rf "${work:?}"/*
}

start() { # NAME OPTION...
	meter_instance=test-$$-$1
	mkdir -p "$work/$1"
	meter_start "$work/$1/log" "$METER" run --cgroup "$cgroup" --output "csv:$work/$1" "${@:2}"
}

send_as() { # UID COUNT PORT: packets of 1,000 bytes
	in_cgroup "$cgroup" setpriv --reuid "$1" --regid "$1" --clear-groups "$TRAFFIC" udp-send \
		--to 127.0.0.1 "$3" --count "$2" --size 972 >/dev/null
}

screen_begin() { # WIDTHxHEIGHT TERM LOCALE OPTION...
	local width=${1%x*} height=${1#*x} term=$2 locale=$3
	shift 3
	tmux -L "$tmux_name" -f /dev/null new-session -d -x "$width" -y "$height" -s top \
		"LC_ALL=$locale TERM=$term $METER top $* 2>$work/stderr; echo \"ended: \$?\" >$work/ended"
}

screen() { tmux -L "$tmux_name" capture-pane -p -t top; }
keys() { tmux -L "$tmux_name" send-keys -t top "$@"; }
shows() { screen | grep -qE -- "$1"; }
shows_not() { ! screen | grep -qE -- "$1"; }

# expect PATTERN: the screen comes to show it.
expect() { (wait_until 20 shows "$1") || fail "no '$1' on the screen: $(screen)"; }
expect_not() { (wait_until 20 shows_not "$1") || fail "'$1' is on the screen: $(screen)"; }

has_ended() { [ -s "$work/ended" ]; }

# expect_key KEY PATTERN: what a key does.
expect_key() {
	keys "$1"
	expect "$2"
}

# Known amounts of two users, in the tables and then drained, agree within a refresh.
amounts() {
	begin
	start amounts --interval 2
	screen_begin 200x60 screen-256color C.UTF-8 --instance "$meter_instance"
	expect "no traffic so far"
	send_as 4001 300 4011
	send_as 4002 70 4012
	expect '^4001 .* 300 kB *$'
	expect '^4002 .* 70.0 kB *$'
	expect '4001 .*[▁▂▃▄▅▆▇█]'
	send_as 4002 5 4012
	expect '^4002 .* 75.0 kB *$'
	keys q
	wait_until 10 has_ended
	assert_equal "end" "ended: 0" "$(cat "$work/ended")"
	meter_stop || fail "exit code $?"
	assert_equal "rows of 4002" 75000 "$(csv_sum out 2 "$work/amounts"/*_4002.log)"
}

every_key() {
	begin
	start keys --interval 1
	send_as 4001 300 4011
	in_cgroup_start "$cgroup" setpriv --reuid 4002 --regid 4002 --clear-groups "$TRAFFIC" flood --to 127.0.0.1 9 \
		--seconds 300 --size 972 --rate 100 >"$work/sent"
	screen_begin 120x40 screen-256color C.UTF-8 --instance "$meter_instance"
	expect '^4002 .*Mbit/s|^4002 .* kbit/s'
	expect 'SHARE▽'
	expect_key '?' 'what the keys do|Who moves how much'
	expect_key Escape '^USER'
	expect_key F1 'Who moves how much'
	expect_key x '^USER'
	expect_key b '^4002 .*B/s'
	expect_key b '^4002 .*bit/s'
	expect_key w 'wire  [0-9]'
	keys w
	expect_not 'wire  [0-9]'
	expect_key Z 'PAUSED'
	keys Z
	expect_not 'PAUSED'
	expect_key F 'FOLLOW'
	keys F
	expect_not 'FOLLOW'
	expect_key N 'USER▽'
	expect_key I 'USER△'
	expect_key T 'SUM IN▽'
	expect_key '>' 'SUM OUT▽'
	expect_key '<' 'SUM IN▽'
	expect_key P 'SHARE▽'
	expect_key F6 'Sort by'
	keys Down
	expect_key Enter ' IN▽'
	expect_key s 'Sort by'
	expect_key q ' IN▽'
	keys P
	keys '\'
	expect '^Filter: _'
	keys -l 'user:4001'
	expect_key Enter 'filter: user:4001'
	expect_not '^4002 '
	expect '^4001 '
	keys '\'
	keys BSpace BSpace
	keys -l '!x no:such'
	expect_key Enter 'filter: there are user:'
	keys F4
	expect '^Filter'
	expect_key Escape 'filter: user:4001'
	keys Escape
	expect_not 'filter: user'
	expect '^4002 '
	keys F3
	expect '^Search: _'
	keys -l 4001
	keys Enter
	expect_key Enter '4001 \(uid 4001\)'
	expect 'no traffic so far'
	send_as 4001 5 4011
	expect 'udp +[0-9]+ 127.0.0.1:4011 '
	expect_key n 'udp +[0-9]+ (localhost|127.0.0.1):4011 '
	keys n
	expect_key Tab '^PROGRAM'
	expect '^traffic|^setpriv'
	expect_key Tab '^WORKLOAD'
	expect "^/${cgroup##*/}"
	expect_key Tab '^REMOTE'
	expect '^127.0.0.1'
	expect_key BTab '^WORKLOAD'
	expect_key BSpace '^USER'
	expect_key Tab '^WORKLOAD'
	expect "^/${cgroup##*/}.*(several)"
	expect_key Tab '^NETWORK'
	expect_key Tab '^REMOTE'
	expect '^127.0.0.1'
	expect_key Tab '^INTERFACE'
	expect '^lo '
	expect_key Tab '^USER'
	expect '^4002 '
	keys End
	keys Home
	keys NPage
	keys PPage
	keys j
	keys k
	expect_key Enter '4002 \(uid 4002\)'
	keys F10
	wait_until 10 has_ended
	assert_equal "end" "ended: 0" "$(cat "$work/ended")"
	meter_stop || fail "exit code $?"
}

# From large to small, to too small and back, many times; and a mouse.
sizes() {
	local i
	begin
	start sizes
	send_as 4001 300 4011
	screen_begin 200x60 screen-256color C.UTF-8 --instance "$meter_instance"
	expect '^4001 .* 300 kB'
	tmux -L "$tmux_name" resize-window -t top -x 80 -y 24
	expect '^4001 .* 300 kB$'
	expect 'F10Quit'
	[ "$(screen | LC_ALL=C.UTF-8 wc -L)" -le 80 ] ||
		fail "lines are longer than 80: $(screen)"
	for ((i = 0; i < 40; i++)); do
		tmux -L "$tmux_name" resize-window -t top -x $((60 + i * 3)) -y $((10 + i))
	done
	tmux -L "$tmux_name" resize-window -t top -x 60 -y 20
	expect '60x20 is too small'
	tmux -L "$tmux_name" resize-window -t top -x 100 -y 30
	expect '^4001 .* 300 kB'
	# A press of the first button at a tab: column 30, row 4.
	tmux -L "$tmux_name" send-keys -t top -l $'\e[M %\x24'
	expect '^(WORKLOAD|NETWORK|REMOTE|USER)'
	keys q
	wait_until 10 has_ended
	meter_stop || fail "exit code $?"
}

# Few colours, none, and no UTF-8.
terminals() {
	local term
	begin
	start terminals
	send_as 4001 300 4011
	for term in vt100 linux xterm; do
		rm -f "$work/ended"
		screen_begin 80x24 $term C --instance "$meter_instance"
		expect '^4001 .* 300 kB'
		shows_not '[^ -~]' || fail "characters beyond ASCII with $term: $(screen)"
		keys q
		wait_until 10 has_ended
		assert_equal "end with $term" "ended: 0" "$(cat "$work/ended")"
	done
	rm -f "$work/ended"
	screen_begin 80x24 no-such-terminal C --instance "$meter_instance"
	wait_until 10 has_ended
	assert_equal "end with a terminal unknown" "ended: 1" "$(cat "$work/ended")"
	assert_contains "message" "'no-such-terminal' is not known here.*--batch" "$(cat "$work/stderr")"
	meter_stop || fail "exit code $?"
}

refuse() { # CODE PATTERN COMMAND...
	local code=$1 pattern=$2 got=0
	shift 2
	"$@" >"$work/stdout" 2>"$work/stderr" </dev/null || got=$?
	assert_equal "exit code of $*" "$code" "$got"
	[ "$(wc -l <"$work/stderr")" -eq 1 ] || fail "not one line of $*: $(cat "$work/stderr")"
	assert_contains "message of $*" "$pattern" "$(cat "$work/stderr")"
}

for_scripts() {
	begin
	start scripts
	send_as 4001 300 4011
	"$METER" top --instance "$meter_instance" --batch -n 2 >"$work/text" || fail "exit code $?"
	assert_equal "screens" 2 "$(grep -c "^USER" "$work/text")"
	assert_contains "line" '^4001 .* 300 kB$' "$(cat "$work/text")"
	"$METER" top --instance "$meter_instance" --json -n 2 >"$work/json" || fail "exit code $?"
	assert_equal "answers" "300000 300000" "$(python3 -c '
import json, sys
print(*[user["out"]["bytes"] for line in sys.stdin for user in json.loads(line)["users"] if user["uid"] == 4001])' <"$work/json")"
	"$METER" top --instance "$meter_instance" --batch --user 4001 -n 1 >"$work/text" || fail "exit code $?"
	assert_contains "connection" 'udp +[0-9]+ 127.0.0.1 4011' "$(cat "$work/text")"
	"$METER" top --instance "$meter_instance" --batch | head -3 >"$work/text"
	assert_equal "lines" 3 "$(wc -l <"$work/text")"
	refuse 2 "needs a terminal.*--batch" "$METER" top --instance "$meter_instance"
	refuse 2 "no:such.*user:" "$METER" top --batch --filter no:such
	refuse 2 "no user 'nosuchuser'" "$METER" top --batch --user nosuchuser
	refuse 1 "no meter of the instance 'test-$$-none' is running" "$METER" top --instance "test-$$-none" --batch
	refuse 1 "ask the administrator" setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$METER" top --instance "$meter_instance" --batch
	meter_stop || fail "exit code $?"
}

# A meter that ends while it is watched, and comes again.
restart() {
	begin
	start restart
	send_as 4001 300 4011
	screen_begin 100x30 screen-256color C.UTF-8 --instance "$meter_instance"
	expect '^4001 .* 300 kB'
	meter_stop || fail "exit code $?"
	expect "waiting for it"
	start restart
	send_as 4001 40 4011
	expect '^4001 .* 40.0 kB'
	expect_not "waiting for it"
	meter_kill
	expect "waiting for it"
	keys q
	wait_until 10 has_ended
	assert_equal "end" "ended: 0" "$(cat "$work/ended")"
}

# Without a meter root's top has one of its own, which leaves nothing.
own_meter() {
	local before after
	begin
	"$METER" status >/dev/null 2>&1 && skip "a default meter runs here"
	left() { ls -d /run/traffic-meter-top.* /run/traffic-meter/top-* /sys/fs/bpf/traffic-meter/top-* /var/lib/traffic-meter/top-* 2>/dev/null || :; }
	before=$(left)
	screen_begin 100x30 screen-256color C.UTF-8
	expect "^USER"
	send_as 4001 300 4011
	expect '^4001 .* 300 kB'
	keys q
	wait_until 30 has_ended
	assert_equal "end" "ended: 0" "$(cat "$work/ended")"
	after=$(left)
	assert_equal "what is left" "$before" "$after"
}

run_test "known amounts of two users on the screen" amounts
run_test "every key" every_key
run_test "sizes" sizes
run_test "terminals" terminals
run_test "for scripts" for_scripts
run_test "a meter that ends and comes again" restart
run_test "a meter of its own" own_meter
end_tests
