#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
`traffic-meter export` to programs that others wrote: the sums of what they stored are those of what left the
spool. Prints TAP.
"""
import os, re, shutil, socket, struct, subprocess, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.dont_write_bytecode = True
from exporting import *


def rsyslog_by_tcp_through_its_restart():
    if not shutil.which("rsyslogd"):
        return "no rsyslogd here"
    case, port = Case("rsyslog"), free_port()
    out = case.path("out")
    with open(case.path("conf"), "w") as file:
        file.write('global(workDirectory="%s" maxMessageSize="64k")\nmodule(load="imtcp")\n'
                   'input(type="imtcp" port="%d" address="127.0.0.1")\n'
                   'template(name="m" type="string" string="%%msg%%\\n")\n'
                   'action(type="omfile" file="%s" template="m")\n' % (case.dir, port, out))
    start = lambda: spawn("rsyslogd", "-n", "-f", case.path("conf"), "-i", case.path("pid"),
                          stderr=subprocess.DEVNULL)
    count = lambda: os.path.exists(out) and sum(1 for _ in open(out, "rb")) or 0
    rsyslog = start()
    export = case.export("syslog:tcp://127.0.0.1:%d" % port)
    case.put(2, hostile=False)
    wait_until(lambda: count() == case.sums["records"])
    rsyslog.terminate()
    rsyslog.wait(20)
    case.put(2, hostile=False)
    rsyslog = start()
    wait_until(lambda: count() >= case.sums["records"], 60)
    equal("sums", case.sums, sums_of(line[line.index("{"):] for line in open(out)))
    export.terminate()
    export.wait(20)
    rsyslog.terminate()
    rsyslog.wait(20)


def nfcapd_has_flows_and_user_names():
    if not shutil.which("nfcapd"):
        return "no nfcapd here"
    case, port = Case("nfcapd"), free_port(socket.SOCK_DGRAM)
    os.mkdir(case.path("flows"))
    nfcapd = spawn("nfcapd", "-w", case.path("flows"), "-p", str(port), "-b", "127.0.0.1", "-B", "8000000",
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: "%04X" % port in open("/proc/net/udp").read())
    case.put(2, hostile=False)
    equal("code", 0, case.once("ipfix:udp:127.0.0.1:%d,version=9,rate=1000" % port))
    time.sleep(1)  # it stores what it has when it is ended
    nfcapd.terminate()
    nfcapd.wait(20)
    dump = lambda *words: subprocess.run(("nfdump", "-R", case.path("flows"), "-N") + words,
                                         stdout=subprocess.PIPE, check=True).stdout.decode()
    flows = [line.split() for line in dump("-q", "-o", "fmt:%pkt %byt %uname").splitlines() if line.strip()]
    equal("flows", case.sums["records"] , len(flows))
    equal("packets", case.sums["packets"], sum(int(f[0]) for f in flows))
    equal("bytes", case.sums["bytes_in"] + case.sums["bytes_out"], sum(int(f[1]) for f in flows))
    assert any(f[2] == "root" for f in flows), flows[:3]


def ipfix_is_well_formed_and_adds_up():
    """By a decoder of our own, and by tshark's where it is there."""
    case = Case("ipfix")
    case.put(2)
    got = receive_udp(None, lambda port: equal("code", 0, case.once("ipfix:udp:127.0.0.1:%d,rate=0" % port)))
    templates, sums, users, expected = {}, {"records": 0, "packets": 0, "bytes_in": 0, "bytes_out": 0}, set(), 0
    for message in got:
        version, length, _, sequence, domain = struct.unpack(">HHIII", message[:16])
        equal("header", (10, len(message), 1), (version, length, domain))
        equal("sequence", expected, sequence)
        at = 16
        while at < length:
            kind, size = struct.unpack_from(">HH", message, at)
            end, p = at + size, at + 4
            if kind == 2:
                while p + 4 <= end:
                    number, fields = struct.unpack_from(">HH", message, p)
                    p, templates[number] = p + 4, []
                    for _ in range(fields):
                        element, width = struct.unpack_from(">HH", message, p)
                        p += 8 if element & 0x8000 else 4
                        templates[number].append((element, width))
            elif kind == 300:
                expected += 1
            elif kind >= 256:
                while end - p > 3:
                    record = {}
                    for element, width in templates[kind]:
                        if width == 65535:
                            width, p = message[p], p + 1
                            if width == 255:
                                width, p = struct.unpack_from(">H", message, p)[0], p + 2
                        record[element] = message[p : p + width]
                        p += width
                    number = lambda element: int.from_bytes(record[element], "big")
                    sums["records"] += 1
                    sums["packets"] += number(2)
                    sums["bytes_out" if number(61) else "bytes_in"] += number(1)
                    users.add(record[371])
                    expected += 1
                assert p <= end
            at = end
    equal("sums", case.sums, sums)
    assert b"root" in users
    if not shutil.which("tshark") or not shutil.which("text2pcap"):
        return
    with open(case.path("hex"), "w") as file:
        for message in got:
            for at in range(0, len(message), 16):
                file.write("%06x %s\n" % (at, message[at : at + 16].hex(" ")))
    subprocess.run(["text2pcap", "-q", "-u", "4739,4739", case.path("hex"), case.path("pcap")], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bad = subprocess.run(["tshark", "-r", case.path("pcap"), "-Y", "_ws.malformed || cflow.template_frame == 0"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    equal("malformed", b"", bad)
    flows = subprocess.run(["tshark", "-r", case.path("pcap"), "-T", "fields", "-e", "cflow.octets"],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.decode()
    equal("tshark's octets", case.sums["bytes_in"] + case.sums["bytes_out"],
          sum(int(n) for n in flows.replace(",", " ").split()))


def tls_verifies_the_certificate():
    if not shutil.which("openssl") or not shutil.which("socat"):
        return "no openssl or socat here"
    case, port = Case("tls"), free_port()
    key, cert = case.path("key.pem"), case.path("cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days",
                    "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True,
                   stderr=subprocess.DEVNULL)
    out = case.path("out")
    socat = spawn("socat", "-u", "OPENSSL-LISTEN:%d,bind=127.0.0.1,reuseaddr,fork,cert=%s,key=%s,verify=0" % (port, cert, key),
                  "OPEN:%s,creat,append" % out, stderr=subprocess.DEVNULL)
    wait_until(lambda: "%04X" % port in open("/proc/net/tcp").read())
    case.put(2)
    equal("not trusted", 1, case.once("socket:tls:localhost:%d" % port))
    assert "certificate" in case.log(), case.log()
    equal("another name", 1, case.once("socket:tls:127.0.0.1:%d,ca=%s" % (port, cert)))
    equal("code", 0, case.once("socket:tls:localhost:%d,ca=%s,timeout=5" % (port, cert)))
    wait_until(lambda: os.path.exists(out) and sum(1 for _ in open(out, "rb")) == case.sums["records"])
    equal("sums", case.sums, sums_of(open(out, "rb")))
    socat.terminate()
    socat.wait(10)


run(rsyslog_by_tcp_through_its_restart, nfcapd_has_flows_and_user_names, ipfix_is_well_formed_and_adds_up, tls_verifies_the_certificate)
