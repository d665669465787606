# SPDX-License-Identifier: Apache-2.0
"""Asks a name server over TCP by dnspython when a line comes in; then waits for the end of its input."""
import socket
import sys

import dns.message
import dns.query

port = int(sys.argv[1])
NAMES = [("shop.example", "A"), ("nothing.example", "A"), ("Mail.Shop.example", "MX"), ("refused.example.org", "A"), ("long.example", "TXT")]

sys.stdin.readline()
with socket.create_connection(("127.0.0.1", port)) as connection:
    connection.settimeout(10)
    # All questions are asked before the first is answered.
    questions = [dns.message.make_query(name, kind) for name, kind in NAMES]
    for question in questions:
        dns.query.send_tcp(connection, question)
    answers = [dns.query.receive_tcp(connection)[0] for _ in questions]
assert {answer.id for answer in answers} == {question.id for question in questions}
print("done", flush=True)
sys.stdin.read()
