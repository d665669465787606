# SPDX-License-Identifier: Apache-2.0
"""Many processes of one image: its arguments are how many, a port and a certificate. After a line of its input each of them
makes one HTTPS call, a few at a time, to /call/NUMBER; "ready" and "done" say how far it is."""
import http.client
import os
import ssl
import sys

count, port, certificate = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
AT_ONCE = 4
turns, give = os.pipe()
ends, end = os.pipe()
done, tell = os.pipe()
for number in range(count):
    if os.fork() == 0:
        os.read(turns, 1)
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=ssl.create_default_context(cafile=certificate))
        connection.request("GET", f"/call/{number}")
        assert connection.getresponse().read() == b"hello"
        connection.close()
        os.write(give, b".")
        os.write(tell, b".")
        os.close(end)
        os.read(ends, 1)  # nothing comes: it stays as long as the first one
        os._exit(0)
print("ready", flush=True)
sys.stdin.readline()
os.write(give, b"." * AT_ONCE)
seen = 0
while seen < count:
    seen += len(os.read(done, count))
print("done", flush=True)
sys.stdin.readline()
