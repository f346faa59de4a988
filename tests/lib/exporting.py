# SPDX-License-Identifier: GPL-2.0-or-later
"""
What the tests of `traffic-meter export` share: a spool that the meter's own output wrote
(tests/tools/spool.c), the program over it, peers, and the sums of both.
"""
import json, os, re, shutil, socket, subprocess, sys, tempfile, threading, time, traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("O", "build")  # O=build/asan: a build with sanitizers
EXPORT = os.path.join(ROOT, BUILD, "traffic-meter-export")
MAKE = os.path.join(ROOT, BUILD, "tests/tools/spool")
os.environ["PATH"] += ":/usr/sbin:/sbin"
work = tempfile.mkdtemp(prefix="traffic-meter-export-")
os.chmod(work, 0o755)
processes = []


def wait_until(condition, seconds=30, step=0.02):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("timed out")
        time.sleep(step)


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


def run(*tests):
    """Prints TAP, ends what was started, and exits."""
    failed = 0
    try:
        if BUILD == "build":
            subprocess.run(["make", "-s", "-C", ROOT, "build/tests/tools/spool", "build/traffic-meter-export"], check=True)
        for test in tests:
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
