#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""read_spool.py DIRECTORY|FILE...: the records of a spool as lines of JSON (docs/spool.md)."""
import glob, ipaddress, json, os, struct, sys, zlib

SUMS = "<QQQQ"  # packets in, packets out, bytes in, bytes out

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


class Block:
    """Columns of ClickHouse's format Native, as {name: [value of each row]}."""

    def __init__(self, data):
        self.data, self.at, self.columns = data, 0, {}
        n_columns, self.rows = self.length(), self.length()
        for _ in range(n_columns):
            name, kind = self.text().decode(), self.text().decode()
            self.columns[name] = self.column(kind)

    def take(self, n):
        self.at += n
        if self.at > len(self.data):
            raise ValueError("the block is too short")
        return self.data[self.at - n : self.at]

    def length(self):
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def text(self):
        return self.take(self.length())

    def numbers(self, letter, n):
        return list(struct.unpack("<%d%s" % (n, letter), self.take(n * struct.calcsize(letter))))

    def column(self, kind):
        if kind.startswith("LowCardinality"):
            version, index, n_keys = self.numbers("Q", 3)
            assert version == 1 and index & 0x200
            keys = [self.take(16) if "Fixed" in kind else self.text() for _ in range(n_keys)]
            (rows,) = self.numbers("Q", 1)
            return [keys[i] for i in self.numbers("BHI"[index & 3], rows)]
        letters = {"Date": "H", "DateTime": "I", "UInt8": "B", "UInt16": "H", "UInt32": "I", "UInt64": "Q"}
        if kind.startswith("Enum8"):
            words = dict(word.split(" = ")[::-1] for word in kind[6:-1].split(", "))
            return [words[str(i)].strip("'") for i in self.numbers("b", self.rows)]
        return self.numbers(letters[kind], self.rows)


def frames(path):
    """Each whole frame of a segment: its header's numbers and its block."""
    data = open(path, "rb").read()
    magic, version, checksum = struct.unpack_from("<8sII", data)
    if magic != b"TMSPOOL\n" or version != 1 or checksum != crc32c(data[16:80]):
        raise ValueError(path + ": not a segment of version 1")
    at = 80
    while data[at : at + 4] == b"TMF1" and at + 80 <= len(data):
        crc, stored, _, batch, first, records, flags, written = struct.unpack_from("<IIIQQIIQ", data, at + 4)
        end = at + 80 + stored
        if end > len(data) or crc != crc32c(data[at + 8 : end]):
            return  # torn: being written, or left by a power loss
        sums = struct.unpack_from(SUMS, data, at + 48)
        yield batch, first, records, flags, sums, Block(zlib.decompress(data[at + 80 : end], 31))
        at = end


def value(name, raw):
    if name in ("src", "dst"):
        address = ipaddress.ip_address(raw)
        return str(address.ipv4_mapped or address)
    return raw.decode(errors="replace") if isinstance(raw, bytes) else raw


for word in sys.argv[1:]:
    for path in sorted(glob.glob(os.path.join(word, "traffic-*.spool"))) if os.path.isdir(word) else [word]:
        for batch, first, records, flags, sums, block in frames(path):
            rows = [dict(zip(block.columns, row)) for row in zip(*block.columns.values())]
            seen = [sum(r[k] for r in rows if r["direction"] == d) for k in ("packets", "bytes") for d in ("in", "out")]
            assert (records, list(sums)) == (len(rows), seen), "sums of batch %d" % batch
            for row in rows:
                print(json.dumps({name: value(name, raw) for name, raw in row.items()}))
