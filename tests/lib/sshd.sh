# SPDX-License-Identifier: GPL-2.0-or-later
# A real sshd, PAM on, on a loopback port of the test's own machine: sourced after machine.sh. Its
# sockets, and what its sessions start, are in the metered cgroup; its clients are not.

sshd_port=5822
ssh_options=(-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR
	-o BatchMode=yes)

need_sshd() {
	[ -x /usr/sbin/sshd ] || skip "no sshd"
}

sshd_configure() {
	ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
	ssh-keygen -q -t ed25519 -N '' -f "$work/key"
	cp "$work/key.pub" "$work/authorized_keys"
	ssh_options+=(-i "$work/key")
	cat >"$work/sshd_config" <<-END
		Port $sshd_port
		ListenAddress 127.0.0.1
		HostKey $work/host_key
		AuthorizedKeysFile $work/authorized_keys
		StrictModes no
		UsePAM yes
		PidFile $work/sshd.pid
		Subsystem sftp internal-sftp
	END
}

# Sets sshd_pid.
sshd_start() { # CGROUP
	rm -f "$work/sshd.pid"
	in_machine_start "$1" /usr/sbin/sshd -D -e -f "$work/sshd_config" 2>"$work/sshd.log"
	sshd_pid=$started_pid
	wait_until 20 test -s "$work/sshd.pid"
}

sshd_stop() {
	kill "$sshd_pid"
	wait "$sshd_pid" || :
}

client() { timeout 60 ip netns exec "$machine" "$@" </dev/null; }

ssh_run() { # USER COMMAND
	client ssh "${ssh_options[@]}" -p "$sshd_port" "$1@127.0.0.1" "$2"
}

# To NAME in a user's home directory, or from there.
scp_up() { # USER FILE NAME
	client scp -q "${ssh_options[@]}" -P "$sshd_port" "$2" "$1@127.0.0.1:$3"
}

scp_down() { # USER NAME FILE
	client scp -q "${ssh_options[@]}" -P "$sshd_port" "$1@127.0.0.1:$2" "$3"
}

sftp_batch() { # USER LINE
	local batch
	batch=$(mktemp "$work/batch.XXXXXX")
	echo "$2" >"$batch"
	client sftp -q "${ssh_options[@]}" -P "$sshd_port" -b "$batch" "$1@127.0.0.1" >/dev/null
}

sftp_up() { sftp_batch "$1" "put $2 $3"; }
sftp_down() { sftp_batch "$1" "get $2 $3"; }

rsync_up() {
	client rsync --whole-file --ignore-times -e "ssh ${ssh_options[*]} -p $sshd_port" "$2" "$1@127.0.0.1:$3"
}

rsync_down() {
	client rsync --whole-file --ignore-times -e "ssh ${ssh_options[*]} -p $sshd_port" "$1@127.0.0.1:$2" "$3"
}
