#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who is charged for what ssh sessions move: a real sshd with PAM, and in its sessions scp, sftp, rsync,
# sudo, su. The witness is the size of what was moved.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/machine.sh
. tests/lib/sshd.sh
. tests/lib/fixture.sh

anna=4701
bert=4702
sink_port=5900
fixture sessions "$machine"

file_of() { echo "$work/out/traffic_user_unknown_$1.log"; } # UID

bytes_of() { # UID in|out
	[ ! -e "$(file_of "$1")" ] || csv_sum "$2" 2 "$(file_of "$1")"
	[ -e "$(file_of "$1")" ] || echo 0
}

# Per mille of the bytes in and out of all files that are those uids'.
share_of() { # UID...
	awk -F, -v uids=" $* " '{ all += $2 }
		match(FILENAME, /[0-9]+\.log$/) {
			if (index(uids, " " substr(FILENAME, RSTART, RLENGTH - 4) " ")) own += $2
		}
		END { printf "%d\n", all ? own * 1000 / all : 0 }' "$work"/out/*.log
}

# The payload, and what ssh, TCP and IP add to it: 3 % at most.
assert_bytes() { # WHAT PAYLOAD ACTUAL
	[ "$3" -ge "$2" ] && [ "$3" -le $(($2 * 103 / 100)) ] ||
		fail "$1: expected $2 bytes and up to 3 % more, got $3"
}

assert_at_most() { # WHAT MAXIMUM ACTUAL
	[ "$3" -le "$2" ] || fail "$1: expected at most $2, got $3"
}

assert_no_user() { # UID
	[ ! -e "$(file_of "$1")" ] || fail "uid $1 has no part in it, but has: $(head -n 3 "$(file_of "$1")")"
}

metered() { # POLICY COMMAND...
	local policy=$1
	shift
	processes_end
	rm -rf "$work/out"
	mkdir "$work/out"
	sshd_start "$cgroup"
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --owner "$policy" \
		--output "csv:$work/out"
	"$@" || fail "$* ended with code $?; $(cat "$work/sshd.log")"
	meter_stop || fail "$(cat "$work/log")"
	sshd_stop
	awk -F, '{ sub(".*_", "", FILENAME); b[FILENAME " " $1] += $2 }
		END { for (k in b) print "# " k, b[k] }' "$work"/out/*.log | sort
}

up_and_down() { # PROGRAM
	rm -f "$work/home/tm-anna/up" "$work/down"
	"$1_up" tm-anna "$work/file" up && "$1_down" tm-anna up "$work/down"
}

session_is_charged() { # PROGRAM POLICY UID
	need_bpf
	need_sshd
	local other
	make_file "$work/file" 50000000
	metered "$2" up_and_down "$1"
	cmp "$work/file" "$work/down"
	assert_bytes "in by all" 50000000 $(($(bytes_of 0 in) + $(bytes_of $anna in)))
	assert_bytes "out by all" 50000000 $(($(bytes_of 0 out) + $(bytes_of $anna out)))
	if [ "$2" = socket ]; then
		other=$(cd "$work/out" && ls | grep -v '_0\.log$' || :)
		assert_equal "users beside root" "" "$other"
		return
	fi
	assert_at_least "per mille of the bytes that are uid $3's" 999 "$(share_of "$3")"
	assert_contains "program" ',sshd(-session)?,' "$(grep tcp "$(file_of "$3")" | head -n 1)"
}

make_file() { # FILE BYTES
	[ "$(stat -c %s "$1" 2>/dev/null)" = "$2" ] || head -c "$2" /dev/urandom >"$1"
}

# Four sessions, all of them under way at the same time.
two_users_at_once() {
	local pid pids=() failed=0
	scp_up tm-anna "$work/anna-up" up &
	pids+=($!)
	sftp_up tm-bert "$work/bert-up" up &
	pids+=($!)
	rsync_down tm-anna down "$work/anna-back" &
	pids+=($!)
	scp_down tm-bert down "$work/bert-back" &
	pids+=($!)
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	return $failed
}

# The clients' ports in a user's rows: a connection each.
ports_of() { # UID
	awk -F, -v server="$sshd_port" '{ print $11 == server ? $12 : $11 }' "$(file_of "$1")" | sort -u
}

first_time() { awk -F, '!t || $14 < t { t = $14 } END { printf "%.6f\n", t }' "$(file_of "$1")"; }
last_time() { awk -F, '$5 > t { t = $5 } END { printf "%.6f\n", t }' "$(file_of "$1")"; }

users_keep_apart() { # POLICY
	need_bpf
	need_sshd
	make_file "$work/anna-up" 60000000
	make_file "$work/bert-up" 35000000
	make_file "$work/home/tm-anna/down" 45000000
	make_file "$work/home/tm-bert/down" 20000000
	metered "$1" two_users_at_once
	cmp "$work/anna-back" "$work/home/tm-anna/down"
	cmp "$work/bert-back" "$work/home/tm-bert/down"
	assert_bytes "in by anna" 60000000 "$(bytes_of $anna in)"
	assert_bytes "out by anna" 45000000 "$(bytes_of $anna out)"
	assert_bytes "in by bert" 35000000 "$(bytes_of $bert in)"
	assert_bytes "out by bert" 20000000 "$(bytes_of $bert out)"
	assert_at_least "per mille of the bytes that are theirs" 999 "$(share_of $anna $bert)"
	assert_equal "connections of anna" 2 "$(ports_of $anna | wc -l)"
	assert_equal "connections of bert" 2 "$(ports_of $bert | wc -l)"
	assert_equal "connections of both" "" "$(comm -12 <(ports_of $anna) <(ports_of $bert))"
	awk -v a="$(first_time $anna)" -v b="$(last_time $bert)" -v c="$(first_time $bert)" \
		-v d="$(last_time $anna)" 'BEGIN { exit !(a < b && c < d) }' || fail "not at the same time"
}

# anna's session sends to a listener on loopback, as somebody else. Nothing else is large in it.
send_in_session() { # COMMAND_BEFORE COMMAND_AFTER
	ip netns exec "$machine" "$TRAFFIC" tcp-serve --bind 127.0.0.1 $sink_port >"$work/sink" &
	process_note $!
	wait_until 10 grep -q ready "$work/sink"
	ssh_run tm-anna "$1 $work/traffic tcp-send --to 127.0.0.1 $sink_port --bytes 20000000 $2" >/dev/null
}

changed_user_is_charged() { # COMMAND_BEFORE COMMAND_AFTER POLICY UID
	need_bpf
	need_sshd
	command -v sudo >/dev/null || skip "no sudo"
	local user
	cp "$TRAFFIC" "$work/traffic"
	machine_sudoers "tm-anna ALL=(ALL) NOPASSWD: ALL"
	metered "$3" send_in_session "$1" "$2"
	assert_bytes "sent by uid $4" 20000000 "$(bytes_of "$4" out)"
	for user in 0 $anna $bert; do
		[ "$user" = "$4" ] || assert_at_most "sent by uid $user" 100000 "$(bytes_of "$user" out)"
	done
	[ "$3" != login ] || assert_no_user $bert
	assert_contains "login uid and program" ",$anna,traffic," \
		"$(grep ",$sink_port," "$(file_of "$4")" | grep ^out)"
}

if [ "$(id -u)" -eq 0 ]; then
	machine_make tm-anna:$anna tm-bert:$bert
	! command -v ssh-keygen >/dev/null || sshd_configure
fi
for program in scp sftp rsync; do
	run_test "$program is charged to who logged in (process)" session_is_charged $program process $anna
	run_test "$program is charged to who logged in (login)" session_is_charged $program login $anna
	run_test "$program is charged to root by the policy socket" session_is_charged $program socket 0
done
for policy in process login; do
	run_test "two users at once keep apart ($policy)" users_keep_apart $policy
done
run_test "sudo in a session is charged to root (process)" changed_user_is_charged "sudo -n" "" process 0
run_test "sudo in a session is charged to who logged in (login)" changed_user_is_charged "sudo -n" "" login $anna
run_test "su in a session is charged to the other user (process)" \
	changed_user_is_charged "sudo -n su - tm-bert -c '" "'" process $bert
run_test "su in a session is charged to who logged in (login)" \
	changed_user_is_charged "sudo -n su - tm-bert -c '" "'" login $anna
end_tests
