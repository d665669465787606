# SPDX-License-Identifier: Apache-2.0
"""An HTTPS service that dies of the system calls uretprobe and uprobe, which filters of before 2025 do not allow (kernels
since then let them pass), and of number 999: port, certificate and key are its arguments. With ALLOWED in its environment,
numbers with commas, it dies of every other call. With HANDLES in it, it has been begun under a filter, and handles the
signal (SIGSYS) of calls that are trapped, as Chromium does: every answer says how many were, /outside makes one."""
import ctypes
import http.server
import os
import signal
import ssl
import struct
import sys

URETPROBE, UPROBE, NONE = 335, 336, 999
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
KILL, ALLOW = 0x80000000, 0x7FFF0000
# Load the call's number; kill on one of them; else allow.
PROGRAM = (struct.pack("HBBI", 0x20, 0, 0, 0) + struct.pack("HBBI", 0x15, 3, 0, URETPROBE) +
           struct.pack("HBBI", 0x15, 2, 0, UPROBE) + struct.pack("HBBI", 0x15, 1, 0, NONE) + struct.pack("HBBI", 0x06, 0, 0, ALLOW) +
           struct.pack("HBBI", 0x06, 0, 0, KILL))
HANDLES = "HANDLES" in os.environ
ALLOWED = [int(number) for number in os.environ.get("ALLOWED", "").split(",") if number]
if ALLOWED:  # load the number; each that is allowed leads on to the next instruction; kill
    PROGRAM = (struct.pack("HBBI", 0x20, 0, 0, 0) +
               b"".join(struct.pack("HBBI", 0x15, 0, 1, number) + struct.pack("HBBI", 0x06, 0, 0, ALLOW) for number in ALLOWED) +
               struct.pack("HBBI", 0x06, 0, 0, KILL))


class Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("program", ctypes.c_char_p)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/outside":
            libc.syscall(NONE)
        body = f"trapped {traps}".encode() if HANDLES else b"hello"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def count_trap(*_):
    global traps
    traps += 1


traps = 0
libc = ctypes.CDLL(None, use_errno=True)
program = Filter(len(PROGRAM) // 8, PROGRAM)
if HANDLES:
    signal.signal(signal.SIGSYS, count_trap)
elif libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
    raise OSError(ctypes.get_errno(), "seccomp")
if sys.argv[1] == "die":  # the filter is as strict as it says
    libc.syscall(NONE)
    sys.exit(0)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[2:])
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever(poll_interval=0.05)  # a handler of Python's runs when this returns from waiting
