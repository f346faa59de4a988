# SPDX-License-Identifier: GPL-2.0-or-later
# The work that moved the bytes: batch jobs of a real Slurm, a container of podman, a login session.
# Sourced by run, which has the functions on_guest, as_user and assert_equal.

slurm_start() {
	on_guest 'mkdir -p /var/lib/slurm/controller /var/lib/slurm/node && systemctl start munge slurmctld slurmd'
	wait_until 60 node_is_idle
}

node_is_idle() { on_guest 'sinfo -h -t idle' | grep -q .; }

# submit USER PORT COUNT: prints the job's number.
submit() {
	as_user "$1" "sbatch --parsable -n 1 -o job-$2.out /usr/local/bin/send_as_job $2 $3"
}

no_job_is_left() { [ -z "$(on_guest 'squeue -h')" ]; }

job_sent() { # USER PORT
	on_guest "sed -nE 's/.*\bip_bytes=([0-9]+).*/\1/p' /home/$1/job-$2.out"
}

# The bytes out of a workload, by the history's report.
report_out() { # WORKLOAD
	on_guest "traffic-meter report --by workload --workload '$1' --since today --raw -P" |
		awk -F '|' 'NR == 2 { print $3 }'
}

reported() { [ "$(report_out "$1")" = "$2" ]; } # WORKLOAD BYTES

assert_reported() { # WORKLOAD BYTES
	local deadline=$((SECONDS + rows_wait_s))
	until reported "$@"; do
		[ $SECONDS -lt $deadline ] || assert_equal "bytes of $1" "$2" "$(report_out "$1")"
		sleep 0.2
	done
}

# Two users' jobs on one node at the same time, one more behind them.
jobs_are_told_apart() {
	local first second third
	slurm_start
	first=$(submit anna 7101 300)
	second=$(submit bert 7102 200)
	third=$(submit anna 7103 100)
	wait_until 120 no_job_is_left
	assert_reported "slurm:$first" "$(job_sent anna 7101)"
	assert_reported "slurm:$second" "$(job_sent bert 7102)"
	assert_reported "slurm:$third" "$(job_sent anna 7103)"
	on_guest 'systemctl stop slurmd slurmctld munge'
}

# With the host's network, as a data mover in a container has it. The tool has no libraries: it is the image.
container_is_told_apart() {
	local id sent
	on_guest 'mkdir -p /var/lib/container/usr/local/bin && cp /usr/local/bin/traffic /var/lib/container/usr/local/bin'
	sent=$(on_guest 'podman run --rm --network=host --cidfile=/run/container --rootfs /var/lib/container \
		/usr/local/bin/traffic udp-send --to 10.88.0.99 7110 --count 50 --size 1000' |
		sed -nE 's/.*\bip_bytes=([0-9]+).*/\1/p')
	id=$(on_guest 'head -c 12 /run/container')
	assert_reported "podman:$id" "$sent"
}
