# SPDX-License-Identifier: Apache-2.0
"""Writes many messages by one call, long bodies between them or hundreds of small ones, and reads all answers: HTTP/2 (http2 PORT),
PostgreSQL (postgres PORT), MySQL (mysql PORT), MongoDB (mongodb PORT), AMQP (amqp PORT), Kafka (kafka PORT). A small burst first; each begins with a line on standard input. With a third
argument the call gets its bytes in pieces of that size, as Node's streams write."""
import hashlib
import socket
import struct
import sys

BODY = 1 << 20
VALUE = 64 << 10
MANY = 300
PIECE = int(sys.argv[3]) if len(sys.argv) > 3 else 0
MOST_PIECES = 1024  # UIO_MAXIOV


def write(connection, text):
    if not PIECE:
        return connection.sendall(text)
    for at in range(0, len(text), PIECE * MOST_PIECES):
        part = text[at:at + PIECE * MOST_PIECES]
        sent = connection.sendmsg([part[i:i + PIECE] for i in range(0, len(part), PIECE)])
        connection.sendall(part[sent:])


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


class Http2:
    """Requests on odd streams; a server with a large window."""

    def __init__(self, port):
        self.port = port
        self.next_stream = 1
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4, 0, 0, b""))
        seen_window = False
        while not seen_window:  # the connection's, after SETTINGS
            kind, flags, stream, _ = self.read()
            if kind == 4 and not flags & 1:
                self.connection.sendall(self.frame(4, 1, 0, b""))
            seen_window = kind == 8 and stream == 0

    @staticmethod
    def frame(kind, flags, stream, payload):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def read(self):
        header = read_exactly(self.connection, 9)
        payload = read_exactly(self.connection, int.from_bytes(header[:3], "big"))
        return header[3], header[4], int.from_bytes(header[5:], "big"), payload

    def request(self, path, body):
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        path = path.encode()
        block = bytes([0x83 if body else 0x82, 0x86, 0x04, len(path)]) + path + b"\x01\x09localhost"
        if body:  # the server may have answered before it has all of it: the size that is declared is known then
            length = str(body).encode()
            block += b"\x0f\x0d" + bytes([len(length)]) + length
        out = [self.frame(1, 4 if body else 5, stream, block)]
        for at in range(0, body, 16384):
            size = min(16384, body - at)
            out.append(self.frame(0, at + size == body, stream, b"x" * size))
        return stream, b"".join(out)

    def burst(self, plan):
        requests = [self.request(path, body) for path, body in plan]
        write(self.connection, b"".join(text for _, text in requests))
        waiting = {stream for stream, _ in requests}
        while waiting:
            kind, flags, stream, _ = self.read()
            if kind in (0, 1) and flags & 1 or kind == 3:
                waiting.discard(stream)

    def run(self):
        sys.stdin.readline()
        self.burst([("/small?n=1", 0), ("/small?n=2", 0)])
        sys.stdin.readline()
        self.burst([("/small?n=3", 0), ("/small?n=4", BODY), ("/small?n=5", 0), ("/small?n=6", BODY + 1000), ("/small?n=7", 0),
                    ("/small?n=8", 10), ("/small?n=9", 0)])


class Postgres:
    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port))
        startup = struct.pack(">I", 196608) + b"user\0shop\0database\0shop\0\0"
        self.connection.sendall(struct.pack(">I", len(startup) + 4) + startup)
        self.until_ready()

    def until_ready(self):
        while True:
            kind = read_exactly(self.connection, 1)
            read_exactly(self.connection, struct.unpack(">I", read_exactly(self.connection, 4))[0] - 4)
            if kind == b"Z":
                return

    @staticmethod
    def message(kind, body=b""):
        return kind + struct.pack(">I", len(body) + 4) + body

    def statement(self, text, value=None):
        values = struct.pack(">H", 0) if value is None else struct.pack(">HI", 1, len(value)) + value
        return (self.message(b"P", b"\0" + text.encode() + b"\0" + struct.pack(">H", 0)) +
                self.message(b"B", b"\0\0" + struct.pack(">H", 0) + values + struct.pack(">H", 0)) +
                self.message(b"E", b"\0" + struct.pack(">I", 0)))

    def burst(self, *statements):
        write(self.connection, b"".join(s + self.message(b"S") for s in statements))
        for _ in statements:
            self.until_ready()

    def run(self):
        sys.stdin.readline()
        for _ in range(3):
            self.burst(self.statement("SELECT 1"), self.statement("SELECT 1"))
        sys.stdin.readline()
        value = b"v" * VALUE
        self.burst(self.statement("SELECT length($1) AS a", value), self.statement("SELECT b FROM pg_class, (SELECT 2 AS b) AS t"),
                   self.statement("SELECT length($1) AS c", value), self.statement("SELECT missing"),
                   self.statement("SELECT repeat('x', 200000)"), self.statement("SELECT relname FROM pg_class LIMIT 1"))


class Mysql:
    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port))
        greeting = self.read()
        at = greeting.index(b"\0", 1) + 5
        challenge = greeting[at:at + 8] + greeting[at + 27:at + 39]
        once = hashlib.sha1(b"pw").digest()
        mask = hashlib.sha1(challenge + hashlib.sha1(once).digest()).digest()
        proof = bytes(a ^ b for a, b in zip(once, mask))
        # Protocol 4.1, long passwords, a database, authentication by plugins
        login = (struct.pack("<IIB", 0x8828d, 1 << 24, 33) + bytes(23) + b"shop\0" + bytes([len(proof)]) + proof +
                 b"shop\0mysql_native_password\0")
        self.connection.sendall(struct.pack("<I", len(login))[:3] + b"\x01" + login)
        assert self.read()[0] == 0

    def read(self):
        return read_exactly(self.connection, int.from_bytes(read_exactly(self.connection, 4)[:3], "little"))

    @staticmethod
    def query(text):
        return struct.pack("<I", len(text) + 1)[:3] + b"\0\x03" + text.encode()

    def burst(self, texts):
        write(self.connection, b"".join(map(self.query, texts)))
        for _ in texts:
            ends = 0  # of columns and rows
            while ends < 2:
                packet = self.read()
                assert packet[0] != 0xff, packet
                ends += packet[0] == 0xfe and len(packet) < 9

    def run(self):
        sys.stdin.readline()
        for _ in range(3):
            self.burst(["SELECT 1", "SELECT 1"])
        sys.stdin.readline()
        value = "v" * VALUE
        self.burst([f"SELECT length('{value}') AS a", "SELECT 2 AS b", f"SELECT length('{value}') AS c", "SELECT repeat('x', 200000)", "SELECT 3 AS d"])
        self.burst(["SELECT name FROM many" + " " * 60] * MANY)


class Mongodb:
    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.asked = 0

    @staticmethod
    def document(elements):
        return struct.pack("<i", len(elements) + 5) + elements + b"\0"

    @staticmethod
    def text(name, value):
        return b"\x02" + name.encode() + b"\0" + struct.pack("<i", len(value) + 1) + value.encode() + b"\0"

    def insert(self, collection, size):
        self.asked += 1
        documents = self.document(b"\x030\0" + self.document(self.text("text", "x" * size)))
        body = b"\0\0\0\0\0" + self.document(self.text("insert", collection) + self.text("$db", "shop") + b"\x04documents\0" + documents)
        return struct.pack("<iiii", len(body) + 16, self.asked, 0, 2013) + body

    def burst(self, plan):
        write(self.connection, b"".join(self.insert(collection, size) for collection, size in plan))
        for _ in plan:
            read_exactly(self.connection, struct.unpack("<i", read_exactly(self.connection, 4))[0] - 4)

    def run(self):
        sys.stdin.readline()
        for _ in range(4):
            self.burst([("first", 5), ("first", 5), ("first", 5)])
        sys.stdin.readline()
        self.burst([("n1", 5), ("n2", BODY), ("n3", 5), ("n4", BODY + 1000), ("n5", 5)])
        self.burst([("many", 5)] * MANY)


class Amqp:
    """A channel that confirms; nobody takes the messages."""
    FRAME = 16 << 10

    def __init__(self, port):
        self.port = port
        self.published = 0
        self.waiting = set()

    def log_in(self):
        self.connection = socket.create_connection(("127.0.0.1", self.port))
        self.connection.sendall(b"AMQP\0\0\x09\x01")
        self.wait(10, 10)
        self.call(0, 10, 11, struct.pack(">I", 0) + self.short(b"PLAIN") + struct.pack(">I", 12) + b"\0guest\0guest" + self.short(b"en_US"))
        self.wait(10, 30)
        self.call(0, 10, 31, struct.pack(">HIH", 2047, 131072, 0))
        self.call(0, 10, 40, self.short(b"/") + b"\0\0")
        self.wait(10, 41)
        self.call(1, 20, 10, b"\0")
        self.wait(20, 11)
        self.call(1, 85, 10, b"\0")
        self.wait(85, 11)

    @staticmethod
    def short(text):
        return bytes([len(text)]) + text

    @staticmethod
    def frame(kind, channel, payload):
        return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"

    def method(self, channel, of, number, arguments):
        return self.frame(1, channel, struct.pack(">HH", of, number) + arguments)

    def call(self, *method):
        self.connection.sendall(self.method(*method))

    def wait(self, of, number):
        while True:
            kind, _, size = struct.unpack(">BHI", read_exactly(self.connection, 7))
            payload = read_exactly(self.connection, size + 1)
            if kind == 1 and struct.unpack(">HH", payload[:4]) == (of, number):
                return payload[4:-1]

    def publish(self, key, size):
        self.published += 1
        self.waiting.add(self.published)
        parts = [self.method(1, 60, 40, struct.pack(">H", 0) + self.short(b"") + self.short(key.encode()) + b"\0"),
                 self.frame(2, 1, struct.pack(">HHQH", 60, 0, size, 0))]
        parts += [self.frame(3, 1, b"x" * min(self.FRAME, size - at)) for at in range(0, size, self.FRAME)]
        return b"".join(parts)

    def burst(self, plan):
        write(self.connection, b"".join(self.publish(key, size) for key, size in plan))
        while self.waiting:
            tag, is_multiple = struct.unpack(">Q?", self.wait(60, 80))
            self.waiting = {one for one in self.waiting if one > tag or (one < tag and not is_multiple)}

    def run(self):
        sys.stdin.readline()
        self.log_in()  # whoever has not seen it does not know that publishes are confirmed
        self.burst([("n1", 5), ("n2", 5)])
        sys.stdin.readline()
        self.burst([("n3", 5), ("n4", BODY), ("n5", 5), ("n6", BODY + 1000), ("n7", 0), ("n8", 10), ("n9", 5)])
        self.burst([("many", 5)] * MANY)


class Kafka:
    """Fetches from topics that are not there, which the broker answers at once."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port))

    @staticmethod
    def text(value):
        return struct.pack(">h", len(value)) + value.encode()

    def fetch(self, number):
        body = (struct.pack(">hhi", 1, 4, number) + self.text("bursts") + struct.pack(">iiiib", -1, 100, 1, 1 << 20, 0) + struct.pack(">i", 1) +
                self.text(f"n{number}") + struct.pack(">iiqi", 1, 0, 0, 1 << 20))
        return struct.pack(">i", len(body)) + body

    def burst(self, numbers):
        write(self.connection, b"".join(self.fetch(n) for n in numbers))
        for _ in numbers:
            read_exactly(self.connection, struct.unpack(">i", read_exactly(self.connection, 4))[0])

    def run(self):
        sys.stdin.readline()
        self.burst(range(2))
        sys.stdin.readline()
        self.burst(range(2, 2 + MANY))


{"http2": Http2, "postgres": Postgres, "mysql": Mysql, "mongodb": Mongodb, "amqp": Amqp, "kafka": Kafka}[sys.argv[1]](int(sys.argv[2])).run()
print("done", flush=True)
sys.stdin.read()
