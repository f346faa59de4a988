#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Untracked networks in the kernel: what each entry of a list leaves out, and nothing else.

Every address of a few test networks is local in a namespace of the test's own. One datagram goes
between each pair of addresses; which of them have to be counted is worked out here, from the
grammar's meaning, without the program's parser.
"""
import ipaddress
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
METER = os.environ.get("METER", ROOT + "/traffic-meter")
if os.geteuid() == 0 and os.environ.get("OWN_PLACES") != "yes":
    places = ". '%s/tests/lib/places.sh'" % ROOT
    os.execvp("bash", ["bash", "-c", places, os.path.abspath(__file__)] + sys.argv[1:])
NETNS = "tm-any-%d" % os.getpid()
PORT = 5400


def cgroup_root():
    for line in open("/proc/self/mounts"):
        if line.split()[2] == "cgroup2":
            return line.split()[1]
    return None


CGROUP = "%s/traffic-meter-test-untracked-%d" % (cgroup_root(), os.getpid())


def shell(command):
    subprocess.run(command, shell=True, check=True)


class Meter:
    started = []

    def __init__(self, work, *options):
        self.log_path = work + "/log"
        self.json = work + "/records.json"
        if os.path.exists(self.json):
            os.unlink(self.json)
        self.log = open(self.log_path, "w+")
        command = [METER, "run", "--cgroup", CGROUP, "--output", "json:" + self.json,
                   "--records", "packet", *options]
        self.begin = time.monotonic()
        self.process = subprocess.Popen(command, stderr=self.log)
        Meter.started.append(self.process)
        self.wait_for("metering ")
        self.started_in = time.monotonic() - self.begin

    def text(self):
        return open(self.log_path).read()

    def wait_for(self, pattern, count=1):
        deadline = time.monotonic() + 60
        while len(re.findall(pattern, self.text())) < count:
            assert self.process.poll() is None and time.monotonic() < deadline, self.text()
            time.sleep(0.01)

    def reload(self):
        count = len(re.findall("untracked networks from", self.text()))
        begin = time.monotonic()
        self.process.send_signal(signal.SIGHUP)
        self.wait_for("untracked networks from", count + 1)
        return time.monotonic() - begin

    def stop(self):
        self.process.terminate()
        assert self.process.wait(30) == 0, self.text()
        assert "audit: 0 bytes unaccounted" in self.text(), self.text()
        return [json.loads(line) for line in open(self.json)]


# In the namespace and the cgroup: send one datagram for each "SOURCE DESTINATION" on stdin.
SENDER = """
import socket, sys
sockets = {}
for line in sys.stdin:
    source, destination = line.split()
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    if source not in sockets:
        sockets[source] = socket.socket(family, socket.SOCK_DGRAM)
        sockets[source].setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND, which IPv6 honours too
        sockets[source].bind((source, 0))
    sockets[source].sendto(b"x" * 20, (destination, %d))
""" % PORT


def run_inside(script, text):
    enter = "echo $$ > %s/cgroup.procs && exec ip netns exec %s python3 -c \"$0\"" % (CGROUP, NETNS)
    subprocess.run(["bash", "-c", enter, script], input=text, text=True, check=True)


def send(pairs):
    run_inside(SENDER, "".join("%s %s\n" % pair for pair in pairs))


# What the list of the test means, as sets of addresses told by a function.
def network(text):
    parsed = ipaddress.ip_network(text)
    return lambda address: address.version == parsed.version and address in parsed


def octets(pattern):
    wanted = pattern.split(".")
    return lambda address: address.version == 4 and all(
        w in ("*", have) for w, have in zip(wanted, str(address).split(".")))


ENTRIES = {
    "10.1.0.0/16": network("10.1.0.0/16"),
    "10.2.3.4": network("10.2.3.4/32"),
    "10.3.3.128/25": network("10.3.3.128/25"),
    "10.4.*.*": octets("10.4.*.*"),
    "192.168.1.*": octets("192.168.1.*"),
    "10.*.5.*": octets("10.*.5.*"),
    "*.168.*.77": octets("*.168.*.77"),
    "2001:db8::/48": network("2001:db8::/48"),
    "2001:db8:1::7": network("2001:db8:1::7/128"),
    "2001:db9::*": network("2001:db9::/32"),
    "2001:dba:abcd:1234:5678:9abc:def0:*": network("2001:dba:abcd:1234:5678:9abc:def0:0/112"),
}

ADDRESSES = """
10.0.255.255 10.1.0.0 10.1.255.255 10.2.0.1 10.2.3.3 10.2.3.4 10.2.3.5 10.3.3.127 10.3.3.128
10.3.255.255 10.4.0.0 10.4.200.1 10.5.0.1 10.9.5.1 10.200.5.77 10.9.6.1 192.168.0.255 192.168.1.0
192.168.1.255 192.168.2.0 192.168.2.77 192.168.2.78
2001:db8::1 2001:db8:0:ffff:ffff:ffff:ffff:ffff 2001:db8:1::6 2001:db8:1::7 2001:db8:1::8
2001:db9:: 2001:db9:ffff::1 2001:dba:abcd:1234:5678:9abc:def0:0 2001:dba:abcd:1234:5678:9abc:def0:ffff
2001:dba:abcd:1234:5678:9abc:def1:0 2001:dba::1
""".split()


def pairs_of(addresses):
    by_family = [[a for a in addresses if (":" in a) == ipv6] for ipv6 in (False, True)]
    return [pair for family in by_family for pair in itertools.product(family, family)]


def counted_pairs(records):
    """How often each (direction, source, destination) of our datagrams was counted."""
    counts = {}
    for record in records:
        if record["protocol"] == "udp" and record["dst_port"] == PORT:
            key = (record["direction"], record["src"], record["dst"])
            counts[key] = counts.get(key, 0) + record["packets"]
    return counts


RECEIVER = """
import socket, sys
import select
sockets = []
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, %d))
    sockets.append(s)
print("ready", flush=True)
while True:
    for s in select.select(sockets, [], [])[0]:
        s.recv(2048)
""" % PORT


def receiver():
    enter = "echo $$ > %s/cgroup.procs && exec ip netns exec %s python3 -c \"$0\"" % (CGROUP, NETNS)
    process = subprocess.Popen(["bash", "-c", enter, RECEIVER], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_match_rule(work, rule):
    path = work + "/list"
    with open(path, "w") as file:
        file.write("# a list\n" + "".join("  %s  # comment\n" % entry for entry in ENTRIES))
    pairs = pairs_of(ADDRESSES)
    holds = {a: any(f(ipaddress.ip_address(a)) for f in ENTRIES.values()) for a in ADDRESSES}
    listener = receiver()
    try:
        meter = Meter(work, "--untracked", path, "--untracked-match", rule)
        send(pairs)
        records = meter.stop()
    finally:
        listener.kill()
        listener.wait()
    counts = counted_pairs(records)
    for source, destination in pairs:
        for direction in ("in", "out"):
            s, d = holds[source], holds[destination]
            left_out = {"both": s and d, "either": s or d,
                        "remote": s if direction == "in" else d}[rule]
            got = counts.get((direction, source, destination), 0)
            assert got == (0 if left_out else 1), (rule, direction, source, destination, got)
    assert any(holds.values()) and not all(holds.values())


def test_each_entry_alone(work):
    path = work + "/list"
    open(path, "w").close()
    pairs = [(a, a) for a in ADDRESSES]
    meter = Meter(work, "--untracked", path)
    expected = {}
    for entry, holds in ENTRIES.items():
        with open(path, "w") as file:
            file.write(entry + "\n")
        meter.reload()
        send(pairs)
        for address in ADDRESSES:
            if not holds(ipaddress.ip_address(address)):
                expected[address] = expected.get(address, 0) + 1
    counts = counted_pairs(meter.stop())
    for address in ADDRESSES:
        assert counts.get(("out", address, address), 0) == expected.get(address, 0), address


def many_networks(seed, n):
    """n different networks, none of which holds an address of the tests."""
    for i in range(n):
        value = (i * 2654435761 + seed) % (1 << 24)
        yield "172.%d.%d.%d/32" % (value >> 16, value >> 8 & 255, value & 255)


def test_large_list(work):
    path = work + "/list"
    with open(path, "w") as file:
        file.write("\n".join(many_networks(0, 100000)) + "\n10.1.0.0/16\n")
    meter = Meter(work, "--untracked", path)
    reload_s = meter.reload()
    send([("10.1.0.1", "10.1.0.2"), ("10.5.0.1", "10.5.0.2")])
    counts = counted_pairs(meter.stop())
    assert counts == {("out", "10.5.0.1", "10.5.0.2"): 1}, counts
    # Other suites run beside this one: of three starts the quickest is what it takes.
    started_in = [meter.started_in]
    while min(started_in) >= 2 and len(started_in) < 3:
        meter = Meter(work, "--untracked", path)
        meter.stop()
        started_in.append(meter.started_in)
    print("# 100,001 networks: %.2f s from start to metering, %.2f s to reload" %
          (min(started_in), reload_s))
    assert min(started_in) < 2 and reload_s < 2


FLOOD = """
import socket, sys, time
left_out, counted = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
left_out.connect(("10.1.0.1", %d))
counted.connect(("10.5.0.1", %d))
sent = 0
print("ready", flush=True)
end = time.monotonic() + 30
import select
while time.monotonic() < end and not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(200):
        for s in left_out, counted:
            try:
                s.send(b"x" * 20)
            except ConnectionRefusedError:
                s.send(b"x" * 20)
        sent += 1
print(sent, flush=True)
""" % (PORT, PORT)


def test_reload_under_load(work):
    """Two lists that have nothing in common but one network, at the end of both: packets between
    its addresses are never counted, those of another always, however often the list changes."""
    paths = [work + "/a", work + "/b"]
    for seed, path in enumerate(paths):
        with open(path, "w") as file:
            file.write("\n".join(many_networks(seed * 7, 20000)) + "\n10.1.0.0/16\n10.*.1.*\n")
    live = work + "/list"
    shutil.copy(paths[0], live)
    listener = receiver()
    meter = Meter(work, "--untracked", live, "--untracked-match", "remote")
    enter = "echo $$ > %s/cgroup.procs && exec ip netns exec %s python3 -c \"$0\"" % (CGROUP, NETNS)
    flood = subprocess.Popen(["bash", "-c", enter, FLOOD], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    try:
        assert flood.stdout.readline() == "ready\n"
        for i in range(20):
            shutil.copy(paths[(i + 1) % 2], live + ".new")
            os.rename(live + ".new", live)
            meter.reload()
        flood.stdin.write("stop\n")
        flood.stdin.flush()
        sent = int(flood.stdout.readline())
    finally:
        flood.kill()
        flood.wait()
        listener.kill()
        listener.wait()
    counts = counted_pairs(meter.stop())
    assert sent > 1000
    out = {key: n for key, n in counts.items() if key[0] == "out"}
    assert [key[2] for key in out] == ["10.5.0.1"], out
    assert sum(out.values()) == sent, (out, sent)
    print("# 20 reloads during %d counted and as many untracked packets" % sent)


# One socket of each family, connected to one peer after the other, sending a datagram each time;
# then a line on stdout, and again for each line on stdin.
RECONNECTING = """
import socket, sys
sockets = [socket.socket(f, socket.SOCK_DGRAM) for f in (socket.AF_INET, socket.AF_INET6)]
peers = (("10.1.0.2", "10.5.0.2"), ("2001:db8::2", "2001:db9::2"))
for line in sys.stdin:
    for _ in range(5):
        for s, of_family in zip(sockets, peers):
            for peer in of_family:
                s.connect((peer, %d))
                for _ in range(2):
                    try:
                        s.send(b"x" * 20)
                    except ConnectionRefusedError:
                        s.send(b"x" * 20)
    print("sent", flush=True)
""" % PORT


def test_remembered_verdict(work):
    """The verdict on a connected socket's peer does not outlive the connection or the list."""
    path = work + "/list"
    lists = ("10.1.0.0/16\n2001:db8::/32\n", "10.5.0.0/16\n2001:db9::/32\n", "")
    with open(path, "w") as file:
        file.write(lists[0])
    listener = receiver()
    meter = Meter(work, "--untracked", path, "--untracked-match", "remote")
    enter = "echo $$ > %s/cgroup.procs && exec ip netns exec %s python3 -c \"$0\"" % (CGROUP, NETNS)
    sender = subprocess.Popen(["bash", "-c", enter, RECONNECTING], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        for text in lists:
            with open(path, "w") as file:
                file.write(text)
            meter.reload()
            sender.stdin.write("go\n")
            sender.stdin.flush()
            assert sender.stdout.readline() == "sent\n"
    finally:
        sender.kill()
        sender.wait()
        listener.kill()
        listener.wait()
    out = {}
    for (direction, _, destination), n in counted_pairs(meter.stop()).items():
        if direction == "out":
            out[destination] = out.get(destination, 0) + n
    # Each peer was sent 10 in each of 3 rounds, of which the list left out one.
    assert out == {peer: 20 for peer in ("10.1.0.2", "10.5.0.2", "2001:db8::2", "2001:db9::2")}, out


def test_bad_reload(work):
    path = work + "/list"
    with open(path, "w") as file:
        file.write("10.1.0.0/16\n")
    meter = Meter(work, "--untracked", path)
    with open(path, "w") as file:
        file.write("10.5.0.0/16\n10.1.0.0/33\n")
    meter.process.send_signal(signal.SIGHUP)
    meter.wait_for("list:2: .*33")
    meter.wait_for("stays as it was")
    send([("10.1.0.1", "10.1.0.2"), ("10.5.0.1", "10.5.0.2")])
    assert counted_pairs(meter.stop()) == {("out", "10.5.0.1", "10.5.0.2"): 1}


TESTS = {
    "match rule both": lambda work: test_match_rule(work, "both"),
    "match rule either": lambda work: test_match_rule(work, "either"),
    "match rule remote": lambda work: test_match_rule(work, "remote"),
    "each entry alone": test_each_entry_alone,
    "100,000 networks": test_large_list,
    "reload under load": test_reload_under_load,
    "remembered verdict": test_remembered_verdict,
    "bad list at reload": test_bad_reload,
}


def main():
    if os.getuid() != 0 or subprocess.run([METER, "check"], stdout=subprocess.DEVNULL).returncode:
        for name in TESTS:
            print("ok untracked: %s # SKIP needs root and BPF" % name)
        return 0
    failed = 0
    work = tempfile.mkdtemp()
    os.mkdir(CGROUP)
    try:
        shell(". %s/tests/lib/netns.sh && netns_any %s" % (ROOT, NETNS))
        for name, test in TESTS.items():
            try:
                test(work)
                print("ok untracked: " + name, flush=True)
            except Exception as error:  # a test may fail in any way
                print("# %s: %s" % (type(error).__name__, str(error)[:2000]))
                print("not ok untracked: " + name, flush=True)
                failed += 1
            for process in Meter.started:  # a failed test left it
                process.kill()
                process.wait()
            Meter.started.clear()
    finally:
        for pid in open(CGROUP + "/cgroup.procs").read().split():
            os.kill(int(pid), signal.SIGKILL)
        shell(". %s/tests/lib/netns.sh && netns_remove %s" % (ROOT, NETNS))
        deadline = time.monotonic() + 10
        while os.path.exists(CGROUP) and time.monotonic() < deadline:
            try:
                os.rmdir(CGROUP)
            except OSError:
                time.sleep(0.05)
        shutil.rmtree(work)
    return failed > 0


sys.exit(main())
