# SPDX-License-Identifier: Apache-2.0
"""A Kafka broker as a child on ports and a folder of its own, from Maven's archives."""
import base64
import os
import shutil
import subprocess
import tempfile
import uuid

from artefacts import _make, _run
from databases import PYTHON, TOOLS, python_packages
from harness import ROOT, Child, free_port

SOURCES = os.path.join(ROOT, "tests/services/kafka")
SETTINGS = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def archives():
    """The folder of Kafka's archives, for a class path."""
    folder = os.path.join(TOOLS, "kafka-3.9.1")
    source = os.path.join(SOURCES, "broker/pom.xml")
    mark = os.path.join(folder, "installed")
    _make(source, mark, ["rm", "-rf", folder],
          ["mvn", "-q", "-B", "-f", source, "dependency:copy-dependencies", "-DoutputDirectory=" + folder], ["touch", mark])
    return folder + "/*"


def confluent():
    return {"PYTHONPATH": python_packages("confluent", "confluent-kafka==2.6.1")}


class Kafka:
    def __init__(self, *topics):
        self.folder = tempfile.mkdtemp(prefix="waggle-kafka-")
        self.port = free_port()
        settings = os.path.join(self.folder, "server.properties")
        with open(settings, "w") as file:
            file.write(SETTINGS.format(port=self.port, controller=free_port(), folder=self.folder))
        java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", archives()]
        # Sixteen bytes in base64, of which the first letter is no "-", which the tool would take for an option.
        cluster = base64.urlsafe_b64encode(b"w" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        _run([[*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", settings]], cwd=self.folder)
        self.child = Child([*java, "kafka.Kafka", settings], cwd=self.folder).wait_port(self.port, deadline=90)
        done = subprocess.run([PYTHON, os.path.join(SOURCES, "client.py"), str(self.port), "topics", *topics],
                              env={**os.environ, **confluent()}, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr + self.child.output()

    def stop(self):
        self.child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
