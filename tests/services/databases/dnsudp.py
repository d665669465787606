# SPDX-License-Identifier: Apache-2.0
"""Looks a name up by glibc's resolver, then asks by a socket without a peer."""
import socket
import sys

import dns.message
import dns.query

name = sys.argv[1]
print(sorted({entry[4][0] for entry in socket.getaddrinfo(name, 80)}))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loose:
    loose.settimeout(10)
    question = dns.message.make_query(name, "MX")
    dns.query.send_udp(loose, question, ("127.0.0.1", 53))
    print(dns.query.receive_udp(loose, ("127.0.0.1", 53))[0].rcode())
