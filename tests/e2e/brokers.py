# SPDX-License-Identifier: Apache-2.0
"""Brokers as children on ports and folders of their own: Kafka from Maven's archives, RabbitMQ from Debian. And what holds for the spans
of any of them."""
import base64
import os
import shutil
import subprocess
import tempfile
import uuid

from artefacts import make, run
from databases import PYTHON, TOOLS, DatabaseTest, python_packages
from harness import ROOT, Child, free_port, subset, wait_for
from tls import certificate, key, key_and_certificate

SOURCES = os.path.join(ROOT, "tests/services/kafka")
SETTINGS = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SSL://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SSL://127.0.0.1:{tls}
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT
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
    make(source, mark, ["rm", "-rf", folder],
          ["mvn", "-q", "-B", "-f", source, "dependency:copy-dependencies", "-DoutputDirectory=" + folder], ["touch", mark])
    return folder + "/*"


def confluent():
    return {"PYTHONPATH": python_packages("confluent", "confluent-kafka==2.6.1")}


class Kafka:
    def __init__(self, *topics):
        self.folder = tempfile.mkdtemp(prefix="waggle-kafka-")
        self.port, self.tls_port = free_port(), free_port()
        key_and_certificate(os.path.join(self.folder, "server.pem"))
        settings = os.path.join(self.folder, "server.properties")
        with open(settings, "w") as file:
            file.write(SETTINGS.format(port=self.port, tls=self.tls_port, controller=free_port(), folder=self.folder))
        java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", archives()]
        # Sixteen bytes in base64, of which the first letter is no "-", which the tool would take for an option.
        cluster = base64.urlsafe_b64encode(b"w" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        run([[*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", settings]], cwd=self.folder)
        self.child = Child([*java, "kafka.Kafka", settings], cwd=self.folder).wait_port(self.port, deadline=90)
        done = subprocess.run([PYTHON, os.path.join(SOURCES, "client.py"), str(self.port), "topics", *topics],
                              env={**os.environ, **confluent()}, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr + self.child.output()

    def stop(self):
        self.child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Rabbitmq:
    """With a port mapper of its own, which would stay behind otherwise."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="waggle-rabbitmq-")
        self.port, self.tls_port = free_port(), free_port()
        mapper = free_port()
        self.mapper = Child(["epmd", "-port", str(mapper), "-address", "127.0.0.1"]).wait_port(mapper)
        config = os.path.join(self.folder, "rabbitmq.conf")
        with open(config, "w") as file:
            file.write(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlisteners.ssl.1 = 127.0.0.1:{self.tls_port}\n"
                       f"ssl_options.certfile = {certificate()}\nssl_options.keyfile = {key()}\nlog.console = true\n")
        self.child = Child(["/usr/lib/rabbitmq/bin/rabbitmq-server"], cwd=self.folder, env={
            "HOME": self.folder, "ERL_EPMD_PORT": str(mapper), "RABBITMQ_NODENAME": "waggle@localhost", "RABBITMQ_CONFIG_FILE": config,
            "RABBITMQ_MNESIA_BASE": self.folder, "RABBITMQ_LOG_BASE": self.folder, "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_PID_FILE": self.folder + "/pid", "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder + "/plugins"}).wait_port(self.port, deadline=90)
        # The script starts Erlang, which is who speaks.
        self.pid = wait_for(lambda: self._listener(), "RabbitMQ's own process")

    def _listener(self):
        for entry in os.listdir("/proc"):
            try:
                with open(f"/proc/{entry}/stat") as file:
                    name, _, rest = file.read().partition("(")[2].rpartition(")")
                if name.startswith("beam") and int(rest.split()[3]) == self.child.pid:
                    return int(entry)
            except (OSError, ValueError, IndexError):
                continue
        return None

    def stop(self):
        self.child.stop()
        self.mapper.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nats:
    """With streams; nobody may publish to "forbidden"."""

    def __init__(self, more=""):
        self.folder = tempfile.mkdtemp(prefix="waggle-nats-")
        self.port = free_port()
        config = os.path.join(self.folder, "nats.conf")
        with open(config, "w") as file:
            file.write(f'listen: 127.0.0.1:{self.port}\njetstream {{ store_dir: "{self.folder}/streams" }}\nno_auth_user: shop\n'
                       'authorization { users: [ { user: shop, password: pw, permissions: { publish: { deny: ["forbidden"] } } } ] }\n' + more)
        self.child = Child(["nats-server", "-c", config]).wait_port(self.port)
        self.pid = self.child.pid

    def stop(self):
        self.child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def mosquitto(*settings):
    """Its child and port; it reads its file before it becomes another user."""
    port = free_port()
    with tempfile.NamedTemporaryFile("w", prefix="waggle-mosquitto-", suffix=".conf") as file:
        file.write("\n".join([f"listener {port} 127.0.0.1", "user root", "persistence false", *(settings or ["allow_anonymous true"])]) + "\n")
        file.flush()
        return Child(["mosquitto", "-c", file.name]).wait_port(port), port


class BrokerTest(DatabaseTest):
    """A class names its `system`, and has the `broker` and its `port`."""

    def is_told(self, span):
        return span["messaging.system"]

    def expect(self, agent, count):
        found = agent.expect_spans(count, self.is_told)
        for span in found:
            subset(span, messaging__system=self.system, server__address="127.0.0.1", server__port=self.port, waggle__incomplete=None)
            self.assertEqual(span.is_error, span["error.type"] is not None)
            self.assertNotIn("secret", str(span.attributes))
        self.check_losses(agent)
        return found

    def expect_of_broker(self, argv, env, count, pause_after=None):
        """What the broker's own process tells of a client that nobody watches: never a client's."""
        client = self.start_client(*argv, env=env)
        agent = self.watch(self.broker)
        self.let_go(client, agent, pause_after)
        found = self.expect(agent, count)
        self.assertEqual({s.kind for s in found}, {"server"})
        self.assertEqual(agent.metric_sum("messaging_client_operation_duration_seconds_count"), 0)
        return found

    def expect_of_both(self, broker, argv, env, count):
        """What a client and its broker tell, of as many each; over TLS, whose libraries both have read before."""
        agent = self.run_over_tls(*argv, env=env, others=[broker])
        found = self.expect(agent, 2 * count)
        self.check_all_read(agent)
        ends = [[span for span in found if (span.kind == "server") == is_broker] for is_broker in (False, True)]
        self.assertEqual([len(spans) for spans in ends], [count, count])
        return ends
