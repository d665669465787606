# SPDX-License-Identifier: Apache-2.0
"""Speaks MQTT by paho when a line comes in, in the version that is asked for; then waits for the end of its input."""
import queue
import ssl
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

port, version = int(sys.argv[1]), int(sys.argv[2])
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def client(name, password):
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5 if version == 5 else mqtt.MQTTv311)
    made.username_pw_set("shop", password)
    made.arrived = queue.Queue()
    made.on_connect = made.on_subscribe = lambda *values: made.arrived.put(values[3])
    made.on_message = lambda _client, _data, message: made.arrived.put(message.payload)
    if "tls" in sys.argv:
        made.tls_set(cert_reqs=ssl.CERT_NONE)
        made.tls_insecure_set(True)
    made.connect("127.0.0.1", port)
    made.loop_start()
    return made


sys.stdin.readline()
stranger = client("stranger", "wrong")
assert stranger.arrived.get(timeout=10).is_failure
stranger.loop_stop()

shop = client("shop", "pw")
assert not shop.arrived.get(timeout=10).is_failure
shop.subscribe("orders/#", qos=2)
shop.arrived.get(timeout=10)
for qos in range(3):
    properties = None
    if version == 5:
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = ("traceparent", TRACE)
    shop.publish(f"orders/{qos}", b"secret", qos=qos, properties=properties).wait_for_publish(10)
    assert shop.arrived.get(timeout=10) == b"secret"
shop.publish("orders/large", b"secret" * 50000, qos=1).wait_for_publish(10)
assert shop.arrived.get(timeout=10) == b"secret" * 50000
# A broker that forbids it says so in version 5 only.
shop.publish("forbidden", b"secret", qos=1).wait_for_publish(10)
shop.disconnect()
shop.loop_stop()
print("done", flush=True)
sys.stdin.read()
