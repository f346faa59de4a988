#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
`traffic-meter export` to programs that others wrote: the sums of what they stored are those of what left the
spool. Prints TAP.
"""
import os, re, shutil, socket, struct, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.dont_write_bytecode = True
from exporting import *


def make_certificate(case):
    key, cert = case.path("key.pem"), case.path("cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days",
                    "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True,
                   stderr=subprocess.DEVNULL)
    return key, cert


def lines_in(path):
    return sum(1 for _ in open(path, "rb")) if os.path.exists(path) else 0


def stop(process):
    process.terminate()
    process.wait(20)


def rsyslog_by_udp_tcp_and_tls_through_its_restart():
    if not shutil.which("rsyslogd") or not shutil.which("openssl"):
        return "no rsyslogd or openssl here"
    case = Case("rsyslog")
    key, cert = make_certificate(case)
    ports = {"udp": free_port(socket.SOCK_DGRAM), "tcp": free_port(), "tls": free_port()}
    out = {name: case.path(name) for name in ports}
    inputs = {"udp": 'type="imudp" rcvbufSize="8m"', "tcp": 'type="imtcp"',
              "tls": 'type="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon"'}
    with open(case.path("conf"), "w") as file:
        file.write('global(workDirectory="%s" maxMessageSize="64k" defaultNetstreamDriverCAFile="%s"\n'
                   '\tdefaultNetstreamDriverCertFile="%s" defaultNetstreamDriverKeyFile="%s")\n'
                   'module(load="imudp")\nmodule(load="imtcp")\n'
                   'template(name="m" type="string" string="%%msg%%\\n")\n' % (case.dir, cert, cert, key))
        for name, port in ports.items():
            file.write('ruleset(name="%s") { action(type="omfile" file="%s" template="m") }\n'
                       'input(%s port="%d" address="127.0.0.1" ruleset="%s")\n'
                       % (name, out[name], inputs[name], port, name))
    start = lambda: spawn("rsyslogd", "-n", "-f", case.path("conf"), "-i", case.path("pid"),
                          stderr=open(case.path("rsyslog"), "ab"))
    rsyslog = start()
    wait_until(lambda: "%04X" % ports["udp"] in open("/proc/net/udp").read())
    case.put(2, hostile=False)
    equal("udp", 0, case.once("syslog:udp://127.0.0.1:%d" % ports["udp"]))
    wait_until(lambda: lines_in(out["udp"]) == case.sums["records"])
    equal("sums by udp", case.sums, sums_of(line[line.index("{"):] for line in open(out["udp"])))
    export = case.export("syslog:tcp://127.0.0.1:%d" % ports["tcp"],
                         "syslog:tls://localhost:%d,ca=%s" % (ports["tls"], cert))
    have = lambda: min(lines_in(out["tcp"]), lines_in(out["tls"]))
    wait_until(lambda: have() == case.sums["records"])
    stop(rsyslog)
    case.put(2, hostile=False)
    wait_until(lambda: case.log().count("refused") == 2)
    rsyslog = start()
    wait_until(lambda: have() >= case.sums["records"], 60)
    for name in "tcp", "tls":
        equal("sums by " + name, case.sums, sums_of(line[line.index("{"):] for line in open(out[name])))
    stop(export)
    stop(rsyslog)


def journald_through_its_restart():
    """In a mount namespace that has a /run of its own, so that the machine's journal is left alone."""
    journald = "/lib/systemd/systemd-journald"
    if not os.path.exists(journald) or os.geteuid() != 0:
        return "no systemd-journald here, or not root"
    case = Case("journal")
    holder = spawn("unshare", "-m", "sh", "-c", """mount -t tmpfs none /run &&
        mkdir -p /run/systemd/journald.conf.d /run/log/journal && cat >/run/systemd/journald.conf.d/test.conf &&
        echo ready && exec sleep 600""", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdin.write(b"[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitIntervalSec=0\n")
    holder.stdin.close()
    equal("namespace", b"ready\n", holder.stdout.readline())
    inside = ["nsenter", "-m", "-t", str(holder.pid)]
    is_up = lambda: subprocess.run(inside + ["test", "-S", "/run/systemd/journal/socket"]).returncode == 0
    start = lambda: spawn(*inside, journald, stdout=subprocess.DEVNULL, stderr=open(case.path("journald"), "ab"))
    peer = start()
    wait_until(is_up)
    export = spawn(*inside, EXPORT, "--spool", case.spool, "--state-dir", case.state, "journal:local",
                   stderr=open(case.path("log"), "ab"))
    case.put(2)
    all_sent = lambda: case.status().get("delivered", {}).get("records") == case.sums["records"]
    wait_until(all_sent)
    stop(peer)
    case.put(1)
    wait_until(lambda: "journal:local:" in case.log())
    peer = start()
    wait_until(all_sent, 60)

    def entries(*matches):
        text = subprocess.run(inside + ["journalctl", "-m", "-o", "export", "--no-pager"] + list(matches), check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        fields = lambda name: re.findall(rb"^%s=(\w+)$" % name, text, re.M)
        directions, numbers = fields(b"TRAFFIC_DIRECTION"), fields(b"TRAFFIC_BYTES")
        amount = lambda d: sum(int(n) for way, n in zip(directions, numbers) if way == d)
        return {"records": len(numbers), "packets": sum(map(int, fields(b"TRAFFIC_PACKETS"))),
                "bytes_in": amount(b"in"), "bytes_out": amount(b"out")}

    wait_until(lambda: entries("SYSLOG_IDENTIFIER=traffic-meter")["records"] >= case.sums["records"])
    equal("sums", case.sums, entries("SYSLOG_IDENTIFIER=traffic-meter"))
    some = entries("_COMM=traffic-meter-e", "TRAFFIC_UID=1001")["records"]
    assert 0 < some < case.sums["records"], some
    stop(export)
    stop(peer)
    holder.kill()


def socat_by_unix_sockets():
    if not shutil.which("socat"):
        return "no socat here"
    case = Case("socat")
    case.put(2)
    for kind, options in ("LISTEN", ",fork"), ("RECV", ""):
        path, out = case.path(kind), case.path(kind + ".out")
        socat = spawn("socat", "-u", "-b", "65536", "UNIX-%s:%s%s" % (kind, path, options),
                      "OPEN:%s,creat,append" % out)
        wait_until(lambda: os.path.exists(path))
        equal("code", 0, case.once("socket:unix:" + path))
        wait_until(lambda: lines_in(out) == case.sums["records"])
        equal("sums", case.sums, sums_of(open(out, "rb")))
        stop(socat)


def udp_queue(port):
    """Bytes that wait in the socket of a local UDP port."""
    lines = [line.split() for line in open("/proc/net/udp")]
    return sum(int(line[4].split(":")[1], 16) for line in lines if line[1].endswith(":%04X" % port))


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
    # What it has taken from its socket it stores when it is ended.
    wait_until(lambda: udp_queue(port) == 0)
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
    key, cert = make_certificate(case)
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


run(
    rsyslog_by_udp_tcp_and_tls_through_its_restart, journald_through_its_restart, socat_by_unix_sockets,
    nfcapd_has_flows_and_user_names, ipfix_is_well_formed_and_adds_up,
    tls_verifies_the_certificate,
)
