#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hostile client and a hostile server: both ends of a connection say what the talks of src/protocols say, damaged at random,
or what fuzzers have found: files in folders of $WAGGLE_CORPUS, as tools/fuzz_smoke leaves them there.
hostile.py TALKS COUNT SEED [WORD …]; the words are for who looks at the command line."""
import glob
import os
import random
import re
import select
import socket
import struct
import sys

# So that the books of this protocol are the steady load's alone.
SPARED = "mongodb"
MOST = 200_000  # bytes of a talk
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def brace_end(text, at):
    depth = 0
    for i in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i
    raise ValueError("a brace is not closed")


def unescape(text):
    """As src/protocols/testing/talk.h has it."""
    out, i = b"", 0
    simple = {"r": b"\r", "n": b"\n", "t": b"\t", "s": b" ", "0": b"\0"}
    while i < len(text):
        if text[i] != "\\":
            out += text[i].encode()
            i += 1
            continue
        kind = text[i + 1]
        if kind == "x":
            out += bytes([int(text[i + 2:i + 4], 16)])
            i += 4
        elif kind in "RLNM" and text[i + 2:i + 3] == "{":
            end = brace_end(text, i + 2)
            inner = text[i + 3:end]
            if kind == "R":
                what, count = inner.rsplit(",", 1)
                out += unescape(what) * min(int(count), MOST)
            elif kind == "M":
                number, what = inner.split(":", 1)
                body = unescape(what)
                out += struct.pack("<I", len(body))[:3] + bytes([int(number)]) + body
            else:
                body = unescape(inner)
                out += struct.pack(">I", len(body) + (4 if kind == "L" else 0)) + body
            i = end + 1
        else:
            out += simple.get(kind, kind.encode())
            i += 2
    return out


def frame(kind, payload=b"", flags=0, stream=0):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def http2():
    """The talks name frames by words; this is one that is spelt out."""
    request = b"\x82\x86\x84\x41\x01x"
    return [(True, PREFACE + frame(4) + frame(1, request, 5, 1)), (False, frame(4) + frame(1, b"\x88", 4, 1) + frame(0, b"hello", 1, 1)),
            (True, frame(1, request, 4, 3) + frame(9, request, 4, 3) + frame(0, b"x" * 100, 1, 3)), (False, frame(3, b"\0\0\0\x08", 0, 3) + frame(7, b"\0" * 8))]


def read_talk(path):
    steps = []
    with open(path) as file:
        for line in file.read().splitlines():
            if line[:2] in ("> ", "< ") and not line[2:].startswith("@"):
                is_client = line[0] == ">"
                if steps and steps[-1][0] == is_client:
                    steps[-1] = (is_client, steps[-1][1] + unescape(line[2:]))
                else:
                    steps.append((is_client, unescape(line[2:])))
    return steps


def found_by_fuzzers(files, chance):
    """Both ends say what crashed or led on a parser, whole: most of the targets take bytes as they come from a network."""
    steps = []
    for number in range(chance.choice((1, 2, 4))):
        with open(chance.choice(files), "rb") as file:
            steps.append((number % 2 == 0, file.read(MOST)))
    return steps


def damage(data, chance):
    data = bytearray(data[:MOST])
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        at = chance.randrange(len(data) + 1)
        size = chance.choice((1, 2, 4, 40))
        kind = chance.randrange(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at:at + size] = chance.randbytes(size)
        elif kind == 2:
            del data[at:at + size]
        elif kind == 3:
            data[at:at] = data[max(0, at - size):at] * chance.choice((1, 2, 100))
        elif kind == 4:
            data[at:at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\1\0\0"))
        elif kind == 5:
            del data[at:]
        else:
            data[at:at] = chance.choice((b"\r\n", b"\0", b"\r\n\r\n", b"{" * 300, b"[" * 300, b"*9999999\r\n", PREFACE))
    return bytes(data)


def drain(end):
    while select.select([end], [], [], 0)[0]:
        if not end.recv(1 << 20):
            return


def play(listener, steps, chance, damage=damage):
    client = socket.create_connection(listener.getsockname(), timeout=5)
    server, _ = listener.accept()
    server.settimeout(5)
    try:
        for is_client, data in steps:
            if chance.random() < 0.03:
                continue
            if chance.random() < 0.03:
                break
            sender, receiver = (client, server) if is_client else (server, client)
            rest = damage(data, chance)
            while rest:
                size = chance.choice((len(rest), len(rest), 1 + chance.randrange(len(rest))))
                sender.sendall(rest[:size])
                rest = rest[size:]
                drain(receiver)
        for end in (client, server):
            drain(end)
            if chance.random() < 0.3:  # a reset
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass  # one end has gone
    finally:
        client.close()
        server.close()


def main():
    folder, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    paths = sorted(p for p in glob.glob(os.path.join(folder, "*", "talks", "*.talk")) if not re.search(rf"/{SPARED}/", p))
    chance = random.Random(seed)
    found = sorted(glob.glob(os.path.join(os.environ.get("WAGGLE_CORPUS", "/nonexistent"), "*", "*")))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(count):
            if found and chance.random() < 0.3:
                play(listener, found_by_fuzzers(found, chance), chance, lambda data, _: data)
                continue
            steps = http2() if chance.random() < 0.1 else read_talk(chance.choice(paths))
            play(listener, steps, chance)


if __name__ == "__main__":
    main()
