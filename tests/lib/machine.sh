# SPDX-License-Identifier: GPL-2.0-or-later
# A machine of the test's own, for programs that need users, ports, and a sudoers file: a network
# namespace that has lo alone, and in it mount namespaces where the user databases are the test's.
# Nothing of the host's changes. Sourced after meter.sh and netns.sh; $work is the test's directory.

machine=tm-machine-$$

machine_make() { # USER:UID...
	local user uid file
	ip netns add "$machine"
	ip -n "$machine" link set lo up
	chmod 0755 "$work"
	mkdir -p "$work/etc" "$work/home"
	cp /etc/passwd /etc/shadow /etc/group "$work/etc/"
	for user in "$@"; do
		uid=${user#*:}
		user=${user%:*}
		echo "$user:x:$uid:$uid::$work/home/$user:/bin/sh" >>"$work/etc/passwd"
		echo "$user:*:19000:0:99999:7:::" >>"$work/etc/shadow"
		echo "$user:x:$uid:" >>"$work/etc/group"
		mkdir -m 0700 "$work/home/$user"
		chown "$uid:$uid" "$work/home/$user"
	done
	# Where there is none there is nothing to put it over, and no sudo either.
	for file in passwd shadow group sudoers; do
		[ ! -e "/etc/$file" ] || echo "mount --bind '$work/etc/$file' '/etc/$file'"
	done >"$work/etc/mounts"
	machine_sudoers ""
}

# What its /etc/sudoers says, in place of the host's.
machine_sudoers() { # TEXT
	printf 'Defaults !fqdn, !syslog\n%s\n' "$1" >"$work/etc/sudoers"
	chmod 0440 "$work/etc/sudoers"
}

# In the place of the subshell that calls it.
in_machine() { # COMMAND...
	exec ip netns exec "$machine" unshare -m sh -c '
		mount -t tmpfs none /run && mkdir -m 0755 /run/sshd && . "$0/etc/mounts" && exec "$@"' \
		"$work" "$@"
}

# The same in a cgroup and in the background. Sets started_pid.
in_machine_start() { # CGROUP COMMAND...
	local path=$1
	shift
	(echo $BASHPID >"$path/cgroup.procs" && in_machine "$@") &
	started_pid=$!
	process_note $started_pid
}

# Seen from without, so that nobody has to connect to find out.
machine_listens() { # PORT
	ip netns exec "$machine" ss -Htln "sport = :$1" | grep -q .
}
