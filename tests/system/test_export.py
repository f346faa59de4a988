#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
`traffic-meter export` against real peers: what a peer stored sums up to what left the spool, through
restarts of both and kills at random; what went before it was read is told to the byte. The spool is
written by the meter's own output (tests/tools/spool.c). Prints TAP.
"""
import json, os, random, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time, traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("O", "build")  # O=build/asan: a build with sanitizers
EXPORT = os.path.join(ROOT, BUILD, "traffic-meter-export")
MAKE = os.path.join(ROOT, BUILD, "tests/tools/spool")
work = tempfile.mkdtemp(prefix="traffic-meter-export-")
os.chmod(work, 0o755)
processes = []


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("timed out")
        time.sleep(0.02)


def spawn(*command, **options):
    process = subprocess.Popen(command, **options)
    processes.append(process)
    return process


class Case:
    """A spool, a state directory, and the sums of what was put into the spool."""

    def __init__(self, name):
        self.dir = os.path.join(work, name)
        os.mkdir(self.dir)
        self.spool, self.state = self.path("spool"), self.path("state")
        self.next, self.sums = 1, {"records": 0, "packets": 0, "bytes_in": 0, "bytes_out": 0}

    def path(self, name):
        return os.path.join(self.dir, name)

    def put(self, batches, records=501, options="", hostile=True):
        environment = dict(os.environ, **({"HOSTILE": "1"} if hostile else {}))
        out = subprocess.run([MAKE, self.spool, str(batches), str(records), str(self.next), options],
                             check=True, stdout=subprocess.PIPE, env=environment).stdout.decode()
        self.next += batches
        for name in self.sums:
            self.sums[name] += int(re.search(r"\b%s=(\d+)" % name, out).group(1))

    def export(self, *words, **options):
        return spawn(EXPORT, "--spool", self.spool, "--state-dir", self.state, *words,
                     stderr=open(self.path("log"), "ab"), **options)

    def once(self, *words):
        return self.export("--once", *words).wait(60)

    def log(self):
        return open(self.path("log")).read()

    def status(self):
        out = subprocess.run([EXPORT, "--spool", self.spool, "--state-dir", self.state, "--status"],
                             stdout=subprocess.PIPE).stdout.decode()
        return {m[0]: {"records": int(m[1]), "bytes_in": int(m[2]), "bytes_out": int(m[4]),
                       "packets": int(m[3]) + int(m[5])}
                for m in re.findall(r"^  (\w+) +(\d+) records  in (\d+) bytes, (\d+) packets  "
                                    r"out (\d+) bytes, (\d+) packets", out, re.M)}


def sums_of(lines):
    sums = {"records": 0, "packets": 0, "bytes_in": 0, "bytes_out": 0}
    for line in lines:
        record = json.loads(line)
        sums["records"] += 1
        sums["packets"] += record["packets"]
        sums["bytes_" + record["direction"]] += record["bytes"]
    return sums


def equal(what, expected, actual):
    assert expected == actual, "%s: expected %s, got %s" % (what, expected, actual)


class Listener:
    """A TCP peer that keeps whole lines, and may go away and come again."""

    def __init__(self, port=0):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen()
        self.port = self.socket.getsockname()[1]
        self.lines, self.connections = [], []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.read, args=(connection,), daemon=True).start()

    def read(self, connection):
        try:
            for line in connection.makefile("rb"):
                if line.endswith(b"\n"):
                    self.lines.append(line)
        except OSError:
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
    """exec acknowledges: at most the batch that was under way comes again, and is marked."""
    case = Case("kill")
    case.put(150, 50, hostile=False)
    out = case.path("out")
    spec = "exec:cat >>%s" % out
    for _ in range(100):
        export = case.export(spec)
        time.sleep(random.random() * 0.03)
        export.kill()
        export.wait()
    time.sleep(0.2)  # a last cat reads its pipe to the end
    equal("code", 0, case.once(spec))
    seen, repeated = {}, 0
    for line in open(out, "rb"):
        try:
            record = json.loads(line)
        except ValueError:
            continue  # torn by the kill
        key = record["batch"], record["record"]
        if key in seen:
            assert record.get("repeated"), "an unmarked line came again: %s" % line
            repeated += 1
        seen[key] = line
    equal("sums", case.sums, sums_of(seen.values()))
    print("# %d lines came again" % repeated)


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


def receive_udp(count, run):
    """Datagrams that a socket with room gets while run() runs."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
    receiver.bind(("127.0.0.1", 0))
    run(receiver.getsockname()[1])
    receiver.settimeout(2)
    datagrams = []
    while count is None or len(datagrams) < count:
        try:
            datagrams.append(receiver.recv(65536))
        except socket.timeout:
            break
    return datagrams


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
    import struct
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


TESTS = [names_of_any_bytes_by_tcp_and_exec, peer_restarts_and_export_too, peer_closes_in_mid_line,
         killed_at_random, missed_is_told_to_the_byte, spool_faults, bad_peers_and_programs,
         datagrams_of_json_and_syslog, rsyslog_by_tcp_through_its_restart, nfcapd_has_flows_and_user_names,
         ipfix_is_well_formed_and_adds_up, tls_verifies_the_certificate]
failed = 0
try:
    if BUILD == "build":
        subprocess.run(["make", "-s", "-C", ROOT, "build/tests/tools/spool", "build/traffic-meter-export"], check=True)
    for test in TESTS:
        if sys.argv[1:] and test.__name__ not in sys.argv[1:]:
            continue
        name = "export: " + test.__name__.replace("_", " ")
        try:
            skip = test()
            print("ok %s%s" % (name, " # SKIP " + skip if skip else ""), flush=True)
        except Exception:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print("not ok " + name, flush=True)
finally:
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()
    shutil.rmtree(work, ignore_errors=True)
sys.exit(failed > 0)
