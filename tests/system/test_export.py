#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
`traffic-meter export` against peers that hang, go and come, and kills at random: the sums of what a peer has
are those of what left the spool, and what went before it was read is told to the byte. Prints TAP.
"""
import json, os, random, re, shutil, socket, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.dont_write_bytecode = True
from exporting import *


def names_of_any_bytes_by_tcp_and_exec():
    case, peer = Case("hostile"), Listener()
    case.put(4, 1001)
    equal("code", 0, case.once("socket:tcp:127.0.0.1:%d" % peer.port, "exec:cat >%s" % case.path("exec")))
    wait_until(lambda: len(peer.lines) == case.sums["records"])
    equal("tcp", case.sums, sums_of(peer.lines))
    equal("exec", case.sums, sums_of(open(case.path("exec"), "rb")))


def peer_restarts_and_export_too():
    case, peer = Case("restart"), Listener()
    spec = "socket:tcp:127.0.0.1:%d,names=own" % peer.port
    export = case.export(spec)  # before there is a spool
    case.put(3)
    wait_until(lambda: len(peer.lines) == case.sums["records"])
    first = peer
    first.close()
    case.put(3)  # nobody listens
    wait_until(lambda: "refused" in case.log())
    peer = Listener(first.port)
    wait_until(lambda: len(first.lines + peer.lines) >= case.sums["records"], 60)
    export.terminate()
    equal("code", 0, export.wait(20))
    case.put(2)
    export = case.export(spec)
    wait_until(lambda: len(first.lines + peer.lines) >= case.sums["records"])
    equal("sums", case.sums, sums_of(first.lines + peer.lines))
    wait_until(lambda: case.status()["waiting"]["records"] == 0)
    equal("status", case.sums, case.status()["delivered"])
    export.terminate()
    equal("code", 0, export.wait(20))


def peer_closes_in_mid_line():
    case = Case("midline")
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    case.put(1, 4096, hostile=False)
    export = case.export("socket:tcp:127.0.0.1:%d" % server.getsockname()[1])
    connection = server.accept()[0]
    connection.recv(100000)
    connection.close()
    connection = server.accept()[0]
    lines = []
    for line in connection.makefile("rb"):
        lines.append(line)
        if len(lines) == 4096:
            break
    equal("sums", case.sums, sums_of(lines))
    assert all(json.loads(line).get("repeated") for line in lines)
    export.terminate()
    export.wait(20)
    server.close()


def killed_at_random():
    """100 kills while batches are under way. A program and a TCP peer have all of it: at most one batch a
    kill comes again, and each of its lines says so."""
    case, peer = Case("kill"), Listener()
    out = case.path("out")
    size = lambda: os.path.exists(out) and os.path.getsize(out) or 0
    specs = "exec:cat >>%s" % out, "socket:tcp:127.0.0.1:%d" % peer.port
    for _ in range(100):
        case.put(4, 200, hostile=False)
        before = size()
        export = case.export(*specs)
        wait_until(lambda: size() > before, step=0.001)
        time.sleep(random.random() * 0.004)
        export.kill()
        export.wait()
    equal("code", 0, case.once(*specs))

    def has_all(name, lines):
        seen, again = {}, []
        for line in list(lines):
            try:
                record = json.loads(line)
            except ValueError:
                continue  # torn by the kill
            key = record["batch"], record["record"]
            if key in seen:
                assert record.get("repeated"), "%s: an unmarked line came again: %s" % (name, line)
                again.append(record["batch"])
            seen[key] = line
        if sums_of(seen.values()) != case.sums:
            return False
        print("# %s: %d lines came again, of %d batches" % (name, len(again), len(set(again))))
        assert len(set(again)) <= 100
        return True

    # A last cat reads its pipe to the end.
    wait_until(lambda: has_all("exec", open(out, "rb")))
    wait_until(lambda: has_all("tcp", peer.lines))


def missed_is_told_to_the_byte():
    case, peer = Case("missed"), Listener()
    spec = "socket:tcp:127.0.0.1:%d" % peer.port
    case.put(2, 1000, "size=64K", hostile=False)
    equal("code", 0, case.once(spec))
    case.put(60, 1000, "size=64K", hostile=False)
    equal("code", 0, case.once(spec))
    wait_until(lambda: len(peer.lines) == case.status()["delivered"]["records"])
    status = case.status()
    assert status["missed"]["records"] > 0
    equal("sums", case.sums, {k: status["missed"][k] + status["delivered"][k] for k in case.sums})
    equal("peer", status["delivered"], sums_of(peer.lines))
    assert "missed %d records" % status["missed"]["records"] in case.log()


def spool_faults():
    case, peer = Case("faults"), Listener()
    spec = "socket:tcp:127.0.0.1:%d" % peer.port
    case.put(2)
    path = os.path.join(case.spool, sorted(os.listdir(case.spool))[0])
    with open(path, "ab") as file:
        file.write(b"TMF1 and half a frame")
    equal("torn", 0, case.once(spec))
    wait_until(lambda: len(peer.lines) == case.sums["records"])
    case.put(1)  # cuts the half off
    equal("code", 0, case.once(spec))
    wait_until(lambda: len(peer.lines) == case.sums["records"])
    equal("sums", case.sums, sums_of(peer.lines))
    with open(path, "r+b") as file:
        file.seek(8)
        file.write(b"\2")
    equal("newer", 1, case.once(spec))
    assert "version 2" in case.log()
    export = case.export(spec)  # a directory that goes away and comes again
    shutil.rmtree(case.spool)
    case.put(1)
    before = case.sums["records"]
    wait_until(lambda: len(peer.lines) == before)
    assert "another one than before" in case.log()
    export.terminate()
    equal("code", 0, export.wait(20))


def damaged_segments_are_told_to_the_byte():
    case, peer = Case("damaged"), Listener()
    spec = "socket:tcp:127.0.0.1:%d" % peer.port
    case.put(30, 1000, "size=1M", hostile=False)
    names = sorted(os.listdir(case.spool))
    assert len(names) > 4, names
    for name, at in (names[0], 40000), (names[1], 90), (names[2], 30):  # a block, a frame's and a segment's header
        with open(os.path.join(case.spool, name), "r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 0xFF]))
    equal("code", 0, case.once(spec))
    status = case.status()
    wait_until(lambda: len(peer.lines) == status["delivered"]["records"])
    equal("peer", status["delivered"], sums_of(peer.lines))
    equal("sums", case.sums, {k: status["missed"][k] + status["delivered"][k] for k in case.sums})
    # A frame of the first, one of the second, all three of the third.
    equal("missed", 5000, status["missed"]["records"])


def bad_peers_and_programs():
    case = Case("bad")
    case.put(1)
    for spec, words in [("exec:no-such-command", "not found"), ("exec:exit 3", "code 3"),
                        ("exec:sleep 60,timeout=1", "reads nothing"),
                        ("socket:tcp:name.invalid:1", "look up name.invalid"),
                        ("socket:unix:%s" % case.path("none"), "No such file"),
                        ("exec:kill -9 $$", "signal 9")]:
        equal(spec, 1, case.once(spec))
        assert words in case.log(), "%s: %s" % (spec, case.log())
    for spec in ["socket:x", "socket:tcp:host", "nothing:x", "ipfix:unix:/x", "ipfix:tcp:h:1,version=9"]:
        equal(spec, 2, case.once(spec))
    hang = socket.socket()  # accepts by its backlog, reads nothing
    hang.bind(("127.0.0.1", 0))
    hang.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    hang.listen()
    case.put(20, 4096)
    equal("hang", 1, case.once("socket:tcp:127.0.0.1:%d,timeout=1" % hang.getsockname()[1]))
    assert "timed out" in case.log(), case.log()


def datagrams_of_json_and_syslog():
    case = Case("udp")
    case.put(2)
    got = receive_udp(1002, lambda port: equal("code", 0, case.once("socket:udp:127.0.0.1:%d" % port)))
    equal("json", case.sums, sums_of(got))
    got = receive_udp(1002, lambda port: equal("code", 0, case.once("syslog:udp://127.0.0.1:%d" % port)))
    equal("syslog", case.sums, sums_of(line[line.index(b"{"):] for line in got))
    assert all(re.match(rb"<30>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ traffic-meter \d+ flow - \{", d)
               and b"\n" not in d for d in got)
    got = receive_udp(1002, lambda port: equal(
        "code", 0, case.once("syslog:udp://127.0.0.1:%d,format=sd,facility=local0" % port)))
    total = 0
    for line in got:
        assert re.fullmatch(rb'<134>1 \S+ \S+ traffic-meter \d+ flow \[traffic@32473( \w+="([^"\\\]]|\\["\\\]])*")+\]',
                            line), line
        total += int(re.search(rb' bytes="(\d+)"', line).group(1))
    equal("sd", case.sums["bytes_in"] + case.sums["bytes_out"], total)


run(
    names_of_any_bytes_by_tcp_and_exec, peer_restarts_and_export_too, peer_closes_in_mid_line,
    killed_at_random, missed_is_told_to_the_byte, spool_faults,
    damaged_segments_are_told_to_the_byte, bad_peers_and_programs, datagrams_of_json_and_syslog,
)
