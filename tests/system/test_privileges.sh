#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a meter may do once it meters: by the kernel's word for each of its threads, and by calls that a
# debugger makes inside of each. And that it meters all the same: lists, interfaces and files that come
# later, and the stop.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

near=tm-priv-near-$$
far=tm-priv-far-$$
uid=61502
somebody=nobody

fixture privileges "$near" "$far"

has_tcx() { "$METER" check | grep '^ok *TCX links' >/dev/null; }

# Left out of the build, or not in this kernel: then there is nothing to see.
need_built() {
	"$METER" --version | grep -E 'not built:.*(capabilities|system calls)' >/dev/null &&
		skip "built without libcap-ng or libseccomp"
	command -v gdb >/dev/null || skip "no gdb"
}

# The meter is in the network namespace whose interfaces have the hooks.
start() { # NAME USER OPTION...
	need_bpf
	need_built
	processes_end
	out=$work/$1/out
	rm -rf "${work:?}/$1"
	mkdir -p "$out" "$work/$1/lists"
	echo 192.0.2.0/24 >"$work/$1/lists/list"
	chmod 0711 "$work" "$work/$1"
	chown "$2" "$out"
	local as=()
	[ "$2" = root ] || as=(--user "$2")
	meter_instance=test-$$-$1
	meter_start "$work/$1/log" nsenter --net="/run/netns/$near" "$METER" run --config /dev/null \
		--instance "$meter_instance" --cgroup "${metered:-$cgroup}" --output "csv:$out" --log-level info \
		--interval 1 --state-dir "$work/$1/state" "${as[@]}" "${@:3}"
}

# A line "NAME VALUE" for each thread's status, without repetitions.
kernels_view() {
	grep -hE '^(Uid|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' \
		"/proc/$meter_pid/task/"*/status | awk '{ print $1, $2 }' | sort -u
}

expected_view() { # UID CAPABILITIES
	printf '%s\n' "CapAmb: 0000000000000000" "CapBnd: 0000000000000000" "CapEff: $2" \
		"CapInh: 0000000000000000" "CapPrm: $2" "NoNewPrivs: 1" "Seccomp: 2" "Uid: $1"
}

# What each thread gets for each of the calls, by one visit of the debugger: the lines of standard input
# are "ok CALL" or "ERRNO CALL".
calls() {
	local wanted call lines threads n=0 options=() expected=()
	threads=$(ls "/proc/$meter_pid/task" | wc -l)
	while read -r wanted call; do
		n=$((n + 1))
		options+=(-ex "thread apply all -q printf \"call $n %d %d\\n\", (int)$call >= 0, \
			*((int *(*)(void))__errno_location)()")
		expected+=("$wanted $call")
	done
	gdb -p "$meter_pid" -batch -nx "${options[@]}" >"$work/gdb.log" 2>&1 </dev/null || :
	for ((n = 1; n <= ${#expected[@]}; n++)); do
		read -r wanted call <<<"${expected[n - 1]}"
		lines=$(sed -nE "s/^call $n 1 .*/ok/p; s/^call $n 0 (.*)/\1/p" "$work/gdb.log" | sort | uniq -c)
		assert_equal "$call in all threads" "$threads $wanted" "$(awk '{ print $1, $2 }' <<<"$lines")"
	done
}

holds() {
	local uid_of status threads
	uid_of=$(id -u "$1")
	threads=$(ls "/proc/$meter_pid/task" | wc -l)
	assert_at_least "threads" 2 "$threads"
	assert_equal "the kernel's view of $threads threads" "$(expected_view "$uid_of" "$2")" "$(kernels_view)"
	status=$(meter_status) || fail "exit code $? of status"
	assert_equal "status" "$uid_of $3 True True $(has_landlock && echo True || echo False)" \
		"$(json_value '"%s %s %s %s %s" % tuple(status["privileges"][k] if k != "capabilities" else
			"+".join(status["privileges"][k]) or "none" for k in
			("uid", "capabilities", "no_new_privs", "seccomp", "landlock"))' <<<"$status")"
	assert_contains "text" "^holds uid $uid_of, " "$("$METER" status --instance "$meter_instance")"
}

has_landlock() { ! grep -q 'Landlock.*not here' "${out%/out}/log"; }

# 13: EACCES, 1: EPERM. That a call is refused says nothing where another one like it is, too.
cannot() { # USER
	if [ "$1" != root ] || has_landlock; then
		calls <<-'END'
			13 open("/etc/shadow", 0)
			13 open("/etc/traffic-meter-test", 65, 0600)
		END
	else
		echo "# no Landlock: root's files are open to root"
	fi
	! has_landlock || calls <<-END
		13 open("/tmp", 0)
		13 open("$root/Makefile", 0)
	END
	calls <<-'END'
		ok open("/etc/passwd", 0)
		ok open("/proc/self/status", 0)
		ok socket(1, 1, 0)
		1 socket(2, 1, 0)
		1 socket(2, 2, 0)
		1 socket(10, 1, 0)
		1 socket(17, 3, 0)
		1 ptrace(0, 0, 0, 0)
		1 ptrace(16, 1, 0, 0)
		1 execv("/bin/true", (char **)0)
		1 fork()
		1 mount("none", "/mnt", "tmpfs", 0, (void *)0)
		1 setuid(0)
		1 kill(1, 0)
	END
}

# Frames of a packet socket with a known number of IP bytes.
send_frames() { # INTERFACE
	local mac
	mac=$(ip -n "$far" -o link show dev "$1" | sed -E 's/.*link\/ether ([0-9a-f:]+).*/\1/')
	in_cgroup "$cgroup" ip netns exec "$near" "$TRAFFIC" road packet --to 10.77.0.2 5000 --device "$1" \
		--mac "$mac" --bytes 40000 --size 1000 --uid "$uid" | sed -E 's/.*ip_bytes=([0-9]+).*/\1/'
}

send() { # ADDRESS COUNT
	in_cgroup "$cgroup" nsenter --net="/run/netns/$near" "$TRAFFIC" udp-send --to "$1" 9 --count "$2" \
		--size 100 --uid "$uid" | sed -E 's/.*ip_bytes=([0-9]+).*/\1/'
}

rows_bytes() { find "$out" -name "*_$uid.log*" -exec cat {} + | csv_sum out 2 -; }
rows_are() { [ "$(rows_bytes)" = "$1" ]; }

comes_to_be_counted() { # INTERFACE
	local before
	before=$(meter_counted out bytes)
	sum=$((sum + $(send_frames "$1")))
	[ "$(meter_counted out bytes)" -gt "$before" ] && return
	sum=$before # the hook was not there yet
	return 1
}

# All that it does after it has given its rights up. Sets sum: the bytes that it has to have written.
meters() {
	sum=$(send 10.77.0.2 30)
	if [ -n "${list:-}" ]; then
		echo 10.77.0.0/24 >"$list.new"
		mv "$list.new" "$list"
		kill -HUP "$meter_pid"
		wait_until 10 has_lists 2
		send 10.77.0.2 10 >/dev/null
		echo 192.0.2.0/24 >"$list.new"
		mv "$list.new" "$list"
		kill -HUP "$meter_pid"
		wait_until 10 has_lists 3
	fi
	sum=$((sum + $(send 10.77.0.2 20)))

	ip -n "$near" link add late0 type veth peer name late0 netns "$far"
	ip -n "$near" link set late0 up
	ip -n "$far" link set late0 up
	wait_until 20 comes_to_be_counted late0
	sum=$((sum + $(send_frames late0)))
	ip -n "$near" link del late0

	wait_until 10 rows_are "$sum"
	local file
	file=$(ls "$out"/*_$uid.log)
	mv "$file" "$file.1"
	kill -HUP "$meter_pid"
	sum=$((sum + $(send 10.77.0.2 5)))
	wait_until 10 test -s "$file"

	# The directory is gone, and another one is made.
	wait_until 10 rows_are "$sum"
	mv "$out" "$out.before"
	mkdir "$out"
	chown --reference="$out.before" "$out"
	kill -HUP "$meter_pid"
	sum=$((sum + $(send 10.77.0.2 7)))
	wait_until 20 compgen -G "$out/*_$uid.log" >/dev/null
}

has_lists() { [ "$(grep -c 'untracked networks from' "${out%/out}/log")" = "$1" ]; }

ends() { # NAME
	local bytes answer
	meter_stop || fail "exit code $?: $(cat "$work/$1/log")"
	assert_contains "closing line" 'lost 0 bytes; audit: 0 bytes unaccounted' "$(cat "$work/$1/log")"
	bytes=$(find "$out" "$out.before" -name "*_$uid.log*" -exec cat {} + | csv_sum out 2 -)
	assert_equal "bytes in the rows" "$sum" "$bytes"
	assert_equal "warnings" "" "$(grep -E 'warning|error' "$work/$1/log")"
	answer=$("$METER" status --instance "$meter_instance" 2>&1) && fail "status: $answer"
	assert_contains "status" "no meter of the instance '$meter_instance' is running" "$answer"
}

# Without a list, with links and on the whole machine: no capability at all. Another cgroup may go and come
# again, and then takes CAP_NET_ADMIN to attach to.
test_root() {
	local metered
	metered=$(cgroup_root)
	start root root
	holds root "$(has_tcx && echo 0000000000000000 || echo 0000000000001000)" \
		"$(has_tcx && echo none || echo net_admin)"
	cannot root
	meters
	ends root
}

test_user() {
	start user "$somebody"
	holds "$somebody" 0000000000001000 net_admin
	cannot "$somebody"
	meters
	assert_equal "owner of the files" "$somebody" "$(stat -c %U "$out"/*_$uid.log)"
	ends user
}

# A list that is read again is made of new maps, which takes CAP_BPF.
test_list() { # USER
	start list "$1" --untracked "$work/list/lists/list"
	list=$work/list/lists/list
	holds "$1" 0000008000001000 net_admin+bpf
	cannot "$1"
	meters
	ends list
}

# To give files to a group that root is not in takes CAP_CHOWN; a user has to be in it.
test_group_of_files() {
	local group
	group=$(id -gn "$somebody")
	start group root --output "csv:$work/group,group=$group"
	holds root 0000000000001001 chown+net_admin
	send 10.77.0.2 5 >/dev/null
	meter_stop || fail "exit code $?: $(cat "$work/group/log")"
	assert_equal "group of the file" "$group" "$(stat -c %G "$work"/group/*_$uid.log)"
	assert_equal "group of the other" root "$(stat -c %G "$out"/*_$uid.log)"
}

# --group: the socket's and the new files'.
test_group() { # USER
	local group code=0
	group=$(id -gn "$somebody")
	start asgroup "$1" --group "$group"
	assert_equal "socket" "root:$group 660" "$(stat -c '%U:%G %a' "/run/traffic-meter/$meter_instance.sock")"
	setpriv --reuid 61503 --regid "$(id -g "$somebody")" --clear-groups "$METER" status --instance \
		"$meter_instance" >/dev/null || fail "one of the group may ask"
	setpriv --reuid 61503 --regid 61503 --clear-groups "$METER" status --instance "$meter_instance" \
		>/dev/null 2>&1 || code=$?
	assert_equal "exit code of status for another" 1 $code
	send 10.77.0.2 5 >/dev/null
	meter_stop || fail "exit code $?: $(cat "$work/asgroup/log")"
	assert_equal "file" "$1:$group 640" "$(stat -c '%U:%G %a' "$out"/*_$uid.log)"
}

# refuse PATTERN OPTION...: one line, and nothing is attached.
refuse() {
	local code=0
	timeout 20 "$METER" run --config /dev/null --instance "test-$$-refused" --cgroup "$cgroup" "${@:2}" \
		>"$work/stdout" 2>"$work/stderr" </dev/null || code=$?
	assert_equal "exit code of ${*:2}" 1 $code
	[ "$(wc -l <"$work/stderr")" -eq 1 ] || fail "not one line of ${*:2}: $(cat "$work/stderr")"
	assert_contains "message of ${*:2}" "$1" "$(cat "$work/stderr")"
}

test_refused() {
	need_bpf
	need_built
	mkdir -p -m 0755 "$work/roots" && mkdir -p -m 0700 "$work/somebodys"
	chown "$somebody" "$work/somebodys"
	refuse "no user 'no-such-user'.*useradd" --user no-such-user --output "csv:$work/roots"
	refuse "no group 'no-such-group'.*groupadd" --group no-such-group --output "csv:$work/roots"
	refuse "not writable for the meter's user" --user "$somebody" --output "csv:$work/roots"
	refuse "Permission denied" --output "csv:$work/somebodys"
	install -m 0600 /dev/null "$work/list"
	refuse "read the untracked list .*Permission denied" --user "$somebody" --untracked "$work/list" \
		--output "csv:$work/somebodys"
}

[ "$(id -u)" -ne 0 ] || netns_pair "$near" "$far"
run_test "as root" test_root
run_test "as another user" test_user
run_test "a list is read again, as root" test_list root
run_test "a list is read again, as another user" test_list "$somebody"
run_test "files for a group" test_group_of_files
run_test "a group for all, as root" test_group root
run_test "a group for all, as another user" test_group "$somebody"
run_test "what can't be" test_refused
end_tests
