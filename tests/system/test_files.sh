#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Files and what befalls them: a full disk, a read-only one, one that fails, a directory removed and
# made again, logrotate, a torn tail. Each is said once for each output, the meter goes on by itself
# when it is over, and the rows are the sender's own count: nothing lost, nothing twice, no half row.
#
# In a mount namespace of its own.
set -u
if [ "$(id -u)" -eq 0 ] && [ -z "${TEST_FILES_MOUNTS:-}" ]; then
	TEST_FILES_MOUNTS=1 exec unshare -m "$0" "$@"
fi
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh

disk=
fixture_undo() {
	umount -l "$files" "$work/kept" 2>/dev/null
	[ ! -s "$work/loop" ] || losetup -d "$(cat "$work/loop")" 2>/dev/null
}
fixture files
files=$work/files

uid=4700

begin() { # OPTION_OF_CSV...
	need_bpf
	trap processes_end EXIT
	[ -d "$files" ] || mkdir -m 0755 "$files"
	: >"$work/sent"
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --interval 1 --records packet \
		--output "csv:$files$*" --output "json:$files/rows.json"
}

send() { # COUNT
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count "$1" --size 100 --uid $uid |
		sed -E 's/.*ip_bytes=([0-9]+).*/\1/' >>"$work/sent"
}

sent() { awk '{ s += $1 } END { printf "%d\n", s }' "$work/sent"; }

csv_bytes() { csv_sum out 2 /dev/null "$@"; } # FILE...

json_bytes() { # FILE...
	cat /dev/null "$@" | grep '"direction":"out","uid":'"$uid," | grep -o '"bytes":[0-9]*' |
		awk -F: '{ s += $2 } END { printf "%d\n", s }'
}

# All that was sent is in the files of these directories.
rows_came() { # DIRECTORY...
	local directory csv=() json=()
	for directory in "$@"; do
		csv+=("$directory"/traffic_user_*_"$uid".log*)
		json+=("$directory"/rows.json*)
	done
	[ "$(csv_bytes "${csv[@]}") $(json_bytes "${json[@]}")" = "$(sent) $(sent)" ]
} 2>/dev/null

# Also while something is wrong: no file ends in the middle of a row, and no row is half.
rows_are_whole() { # DIRECTORY
	local file
	for file in "$1"/traffic_user_* "$1"/rows.json*; do
		[ -s "$file" ] || continue
		[ -z "$(tail -c 1 "$file")" ] || fail "half a row at the end of $file: $(tail -n 1 "$file")"
	done
	awk -F, 'NF != 21 { print "half a row: " $0; bad = 1 } END { exit bad }' /dev/null \
		"$1"/traffic_user_*
	! grep -vE '^\{"time":.*,"workload":(null|"[^"]*")\}$' "$1"/rows.json* || fail "half a line of JSON"
}

said() { grep -cE "output $1:.*$2" "$work/log"; } # csv|json WORDS

both_said() { [ "$(said csv "$1")" -ge 1 ] && [ "$(said json "$1")" -ge 1 ]; }

end() { # DIRECTORY... that the rows are in
	local directory
	wait_until 20 rows_came "$@"
	meter_stop || fail "exit code $?: $(cat "$work/log")"
	rows_came "$@" || fail "sent $(sent) bytes, but the files changed at the end"
	for directory in "$@"; do rows_are_whole "$directory"; done
	assert_equal "outputs without a loss" 2 \
		"$(grep -c 'lost 0 bytes; audit: 0 bytes unaccounted' "$work/log")"
	rm -rf "$files"/* "$work/log"
}

# Goes wrong with $1 in the log of each output, once, and is mended by the command behind.
suffer_until() { # WORDS COMMAND...
	local words=$1
	shift
	send 2000
	wait_until 20 both_said "$words"
	send 500
	"$@"
	wait_until 40 both_said "works again"
	assert_equal "times it was said" "1 1" "$(said csv "$words") $(said json "$words")"
}

full_disk() {
	mkdir "$files"
	mount -t tmpfs -o size=128k none "$files"
	begin
	send 100
	suffer_until "No space left on device" enlarge
	end "$files"
	umount "$files"
}

enlarge() {
	rows_are_whole "$files"
	mount -o remount,size=64m "$files"
}

read_only() {
	begin
	send 100
	wait_until 10 rows_came "$files"
	mount -t tmpfs -o ro,mode=755 none "$files"
	# Files that are open go on until their output looks after their names.
	kill -HUP "$meter_pid"
	wait_until 10 no_files_open
	suffer_until "Read-only file system" umount -l "$files"
	end "$files"
}

no_files_open() { ! ls -l "/proc/$meter_pid/fd" | grep -qE '_4700.log|rows.json'; }

removed() {
	begin
	send 100
	wait_until 10 rows_came "$files"
	cp -a "$files" "$work/kept"
	rm -r "$files"
	suffer_until "[Nn]o such (file or )?directory" mkdir -m 0755 "$files"
	end "$files" "$work/kept"
	rm -rf "$work/kept"
}

# ext4 on a loop device: its shutdown makes every call fail with EIO, an error that it finds makes it
# read-only with files open. Then it is mounted anew, as an administrator would.
disk_make() {
	modprobe loop 2>/dev/null || :
	truncate -s 16M "$work/disk"
	mkfs.ext4 -q -F "$work/disk" 2>/dev/null || skip "no mkfs.ext4"
	disk=$(losetup -f --show "$work/disk" 2>/dev/null) || skip "no loop device"
	echo "$disk" >"$work/loop"
	mkdir -p -m 0755 "$files"
	mount -o errors=remount-ro "$disk" "$files" || skip "no ext4"
	chmod 0755 "$files"
}

shut_down() {
	python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 0)) # FS_IOC_SHUTDOWN' "$files"
}

find_error() {
	echo test >"/sys/fs/ext4/${disk#/dev/}/trigger_fs_error"
}

# The directory below is there instead, and the rows from before are on the disk.
failing_disk() { # WORDS COMMAND
	disk_make
	begin
	send 100
	wait_until 10 rows_came "$files"
	sync -f "$files"
	"$2"
	suffer_until "$1" umount -l "$files"
	mkdir "$work/kept"
	wait_until 20 disk_is_free
	mount "$disk" "$work/kept"
	end "$files" "$work/kept"
	umount "$work/kept"
	rmdir "$work/kept"
	losetup -d "$disk"
	rm "$work/disk" "$work/loop"
}

# Not before the meter has let go of its files.
disk_is_free() { [ ! -e "/sys/fs/ext4/${disk#/dev/}" ] && e2fsck -fp "$disk" >/dev/null || [ $? -eq 1 ]; }

input_output_error() { failing_disk "Input/output error" shut_down; }
disk_becomes_read_only() { failing_disk "Read-only file system" find_error; }

# While rows come: no row is in two files, and none between them.
rotated() {
	local file turn sender
	begin ,header=no
	(for turn in 1 2 3 4 5 6; do send 20000; done) &
	sender=$!
	process_note $sender
	for turn in 1 2 3 4; do
		wait_until 20 test -s "$files/rows.json" -a -s "$files/traffic_user_unknown_$uid.log"
		for file in "$files"/*.log "$files/rows.json"; do mv "$file" "$file.$turn"; done
		kill -HUP "$meter_pid"
	done
	wait "$sender"
	end "$files"
}

# Half a row, as a power loss leaves it: cut off, and said once for each output.
torn() {
	local user
	begin
	send 50
	wait_until 10 rows_came "$files"
	kill -KILL "$meter_pid"
	wait "$meter_pid" || :
	rm -f "/run/traffic-meter/$meter_instance.sock"
	for user in $uid 0; do printf 'out,128,127.0' >>"$files/traffic_user_unknown_$user.log"; done
	printf '{"time":1732985432.1' >>"$files/rows.json"
	mv "$work/sent" "$work/before"
	begin
	cat "$work/before" >>"$work/sent"
	send 50
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count 5 --size 100 >/dev/null
	wait_until 10 rows_came "$files"
	end_of_torn
}

end_of_torn() {
	meter_stop || fail "exit code $?: $(cat "$work/log")"
	rows_are_whole "$files"
	rows_came "$files" || fail "sent $(sent) bytes"
	assert_equal "times it was said" "1 1" "$(said csv 'half a row') $(said json 'half a line')"
	rm -rf "$files"/*
}

owned_by_users() {
	local mode
	begin ,owner=user
	send 50
	wait_until 10 rows_came "$files"
	mode=$(stat -c '%u %a %h' "$files/traffic_user_unknown_$uid.log")
	assert_equal "owner, mode, names" "$uid 400 1" "$mode"
	kill -HUP "$meter_pid"
	send 50
	end "$files"
}

# By the kernel's own judgement: cat as that user, and as another.
read_by_users() {
	begin ,owner=user
	send 5
	wait_until 10 rows_came "$files"
	chmod 0711 "$work"
	setpriv --reuid $uid --regid $uid --clear-groups cat "$files/traffic_user_unknown_$uid.log" >"$work/read" ||
		fail "the user can't read their file"
	! setpriv --reuid 4701 --regid 4701 --clear-groups cat "$files/traffic_user_unknown_$uid.log" 2>/dev/null ||
		fail "another user can"
	cmp "$work/read" "$files/traffic_user_unknown_$uid.log"
	end "$files"
}

run_test "full disk" full_disk
run_test "read-only file system" read_only
run_test "directory removed and made again" removed
run_test "input/output errors" input_output_error
run_test "a disk that becomes read-only" disk_becomes_read_only
run_test "rotated while rows come" rotated
run_test "a torn tail" torn
run_test "files of their users" owned_by_users
run_test "read by their users alone" read_by_users
end_tests
