# SPDX-License-Identifier: Apache-2.0
"""Sends mail by smtplib when a line comes in; then waits for the end of its input."""
import smtplib
import ssl
import sys

port = int(sys.argv[1])


def send(connection, *to, subject="secret", size=1):
    try:
        connection.sendmail("bob@secret.example", to, f"Subject: {subject}\r\n\r\n" + "secret .\r\n.secret\r\n" * size)
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
        return error
    return None


sys.stdin.readline()
with smtplib.SMTP("127.0.0.1", port) as plain:
    assert send(plain, "eve@shop.example") is None
    assert send(plain, "eve@shop.example", "nobody@shop.example", size=20000) is None
    assert send(plain, "nobody@shop.example") is not None
    assert send(plain, "eve@shop.example", subject="large") is not None
if sys.argv[2] == "tls":
    with smtplib.SMTP("127.0.0.1", port) as connection:
        connection.starttls(context=ssl._create_unverified_context())
        assert send(connection, "eve@shop.example") is None
print("done", flush=True)
sys.stdin.read()
