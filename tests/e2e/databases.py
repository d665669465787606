# SPDX-License-Identifier: Apache-2.0
"""Database servers as children on ports and folders of their own, and drivers from the package indexes."""
import glob
import os
import shutil
import subprocess
import tempfile
import unittest

from artefacts import OUT, alone, make, run
from harness import ROOT, Agent, Child, free_port, wait_for

TOOLS = os.path.join(ROOT, "build/tools")
SOURCES = os.path.join(ROOT, "tests/services/databases")
BURSTS = os.path.join(SOURCES, "bursts.py")
PYTHON = "/usr/bin/python3"


class Postgres:
    """PostgreSQL as its own user, since it refuses to run as root."""

    def __init__(self, *settings):
        self.programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.folder = tempfile.mkdtemp(prefix="waggle-postgres-")
        self.port = free_port()
        shutil.chown(self.folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = os.path.join(self.folder, "data")
        run([[*as_user, self.programs + "/initdb", "-D", data, "-U", "shop", "-A", "trust", "--no-sync", "-E", "UTF8",
               "--locale", "C"]], cwd=self.folder)
        options = ["fsync=off", f"unix_socket_directories={self.folder}", "listen_addresses=127.0.0.1",
                   "autovacuum=off", "max_wal_senders=0", "wal_level=minimal", *settings]
        self.child = Child([*as_user, self.programs + "/postgres", "-D", data, "-p", str(self.port),
                            *(word for option in options for word in ("-c", option))], cwd=self.folder)
        wait_for(lambda: self.is_ready(), "PostgreSQL")
        self.psql("CREATE DATABASE shop", database="postgres")

    def is_ready(self):
        if self.child.process.poll() is not None:
            raise AssertionError(self.child.output())
        return subprocess.run([self.programs + "/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0

    def psql(self, *statements, database="shop", check=True, host="127.0.0.1", env=None, stdin=None):
        commands = [word for statement in statements for word in ("-c", statement)]
        done = subprocess.run([self.programs + "/psql", "-X", "-q", "-At", "-h", host, "-p", str(self.port), "-U", "shop",
                               "-d", database, *commands], capture_output=True, text=True, input=stdin,
                              env={**os.environ, **(env or {})})
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def stop(self):
        self.child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Mariadb:
    """MariaDB with a folder of its own; the user shop may do all."""

    def __init__(self, *settings):
        self.folder = tempfile.mkdtemp(prefix="waggle-mariadb-")
        self.port = free_port()
        self.socket = os.path.join(self.folder, "socket")
        shutil.chown(self.folder, "mysql", "mysql")
        data = os.path.join(self.folder, "data")
        run([["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=mysql", "--auth-root-authentication-method=normal",
               "--skip-test-db"]], cwd=self.folder)
        self._start(*settings)
        self._call(["-u", "root", f"--socket={self.socket}"], "CREATE DATABASE shop; "
                   "CREATE USER shop@'%' IDENTIFIED BY 'pw'; GRANT ALL ON *.* TO shop@'%'")

    def _start(self, *settings):
        self.child = Child(["/usr/sbin/mariadbd", "--no-defaults", "--user=mysql", f"--datadir={self.folder}/data", f"--port={self.port}",
                            f"--socket={self.socket}", "--bind-address=127.0.0.1", "--skip-log-bin", "--local-infile=1",
                            "--max-allowed-packet=64M", f"--pid-file={self.folder}/pid", *settings], cwd=self.folder)
        wait_for(lambda: self.is_ready(), "MariaDB")

    def restart(self, *settings):
        self.child.stop(wait=30)
        self._start(*settings)

    def is_ready(self):
        if self.child.process.poll() is not None:
            raise AssertionError(self.child.output())
        return self._call(["-u", "root", f"--socket={self.socket}"], "SELECT 1", check=False).returncode == 0

    def _call(self, arguments, statements, check=True):
        done = subprocess.run(["mariadb", "--no-defaults", *arguments, "-e", statements], capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done

    def run(self, statements, is_local=False, check=True, options=(), user="shop"):
        """By MariaDB's own client, one statement after the other."""
        way = [f"--socket={self.socket}"] if is_local else ["--protocol=tcp", "-h", "127.0.0.1", "-P", str(self.port)]
        login = ["-u", user, *(["-ppw"] if user == "shop" else [])]
        return self._call([*way, *login, "-D", "shop", *options], statements, check).stdout

    def stop(self):
        self.child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def redis(*arguments, password=None):
    port = free_port()
    folder = tempfile.mkdtemp(prefix="waggle-redis-")
    child = Child(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder,
                   *arguments])
    return child.wait_port(port), port


def memcached(*arguments):
    port = free_port()
    return Child(["memcached", "-p", str(port), "-l", "127.0.0.1", "-U", "0", "-u", "nobody", *arguments]).wait_port(port), port


class Ferretdb:
    """FerretDB on a port and a folder of its own: MongoDB's protocol over SQLite."""

    def __init__(self, *certificate_and_key):
        self.folder = tempfile.mkdtemp(prefix="waggle-ferretdb-")
        self.port = free_port()
        self.child = Child([go_client("ferretdb"), f"127.0.0.1:{self.port}", self.folder, *certificate_and_key]).wait_port(self.port)

    def stop(self):
        self.child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Opensearch:
    """One node of OpenSearch, which has no index."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="waggle-opensearch-")
        self.port = free_port()
        command = java_program(os.path.join(ROOT, "tests/services/opensearch"), os.path.join(OUT, "opensearch"), "SearchServer", "256m")
        self.child = Child([*command, str(self.port), str(free_port()), self.folder], cwd=self.folder).wait_port(self.port, deadline=90)

    def stop(self):
        self.child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


UNBOUND = """server:
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: "{folder}/pid"
    use-syslog: no
    do-daemonize: no
    module-config: "iterator"
    local-zone: "example." static
    local-zone: "org." refuse
    {more}
remote-control:
    control-enable: no
"""


def unbound(folder, interfaces, records):
    """The command of a server of these records, with its files in the folder."""
    path = os.path.join(folder, "unbound.conf")
    more = [*(f"interface: {i}" for i in interfaces), *(f"local-data: '{r}'" for r in records)]
    with open(path, "w") as file:
        file.write(UNBOUND.format(folder=folder, more="\n    ".join(more)))
    return ["/usr/sbin/unbound", "-d", "-c", path]


def _read(path):
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return file.read()


def python_packages(name, *packages):
    """The folder with these packages of Python's index, for PYTHONPATH."""
    folder = os.path.join(TOOLS, "python-" + name)
    mark = os.path.join(folder, "installed")
    wanted = " ".join(packages)
    with alone(folder):
        if _read(mark) != wanted:
            run([["rm", "-rf", folder], [PYTHON, "-m", "pip", "install", "--quiet", "--target", folder, *packages]])
            with open(mark, "w") as file:
                file.write(wanted)
    return folder


def node_packages(name, *packages):
    """The folder with node_modules, for NODE_PATH."""
    folder = os.path.join(TOOLS, "node-" + name)
    mark = os.path.join(folder, "installed")
    wanted = " ".join(packages)
    with alone(folder):
        if _read(mark) != wanted:
            run([["rm", "-rf", folder], ["mkdir", "-p", folder],
                  ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, *packages]])
            with open(mark, "w") as file:
                file.write(wanted)
    return os.path.join(folder, "node_modules")


def go_client(name):
    """A program of tests/services/databases/<name>: modules come through the proxy, go.sum pins them."""
    product = os.path.join(OUT, "databases", name)
    source = os.path.join(SOURCES, name)
    return make(source, product, ["go", "build", "-o", product, "."], cwd=source,
                env={"GONOSUMDB": "*", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"})


def java_program(source, folder, name, memory):
    """The command of a program, with the archives from Maven that the pom.xml beside it names."""
    archives = os.path.join(folder, "archives")
    make(source, os.path.join(folder, name + ".class"), ["rm", "-rf", folder],
          ["mvn", "-q", "-B", "-f", source + "/pom.xml", "dependency:copy-dependencies", "-DoutputDirectory=" + archives],
          ["javac", "-nowarn", "-cp", archives + "/*", "-d", folder, f"{source}/{name}.java"])
    return ["java", "-Xmx" + memory, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", folder + ":" + archives + "/*", name]


def java_client():
    """The command of DatabaseClient, with its drivers."""
    return java_program(os.path.join(SOURCES, "java"), os.path.join(OUT, "databases/java"), "DatabaseClient", "128m")


def say_go(child):
    child.process.stdin.write(b"go\n")
    child.process.stdin.flush()


class DatabaseTest(unittest.TestCase):
    maxDiff = None

    def watch(self, *children, **options):
        agent = Agent(services=[{"pids": [child.pid for child in children]}], **options)
        self.addCleanup(agent.sink.stop)
        self.addCleanup(agent.stop)
        self.addCleanup(lambda: agent.child.process.poll() is None and agent.check_books())
        wait_for(lambda: agent.metric_sum("waggle_processes_watched") >= len(children), "all to be watched")
        return agent

    def run_client(self, *argv, env=None, pause_after=None, others=()):
        """A client that waits for a line, watched with the others, then set going; returns its agent."""
        child = self.start_client(*argv, env=env)
        agent = self.watch(child, *others)
        self.let_go(child, agent, pause_after, ends=1 + len(others))
        return agent

    def run_over_tls(self, *argv, env=None, others=()):
        """The same when the client's library and those of the others are all read."""
        child = self.start_client(*argv, env=env)
        agent = self.watch(child, *others)
        wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1 + len(others), "their libraries to be read")
        self.let_go(child, agent)
        return agent

    def let_go(self, child, agent, pause_after=None, ends=1):
        """One with a pause waits for another line, which comes when a span of that name has been told, of so many kinds."""
        say_go(child)
        if pause_after:
            wait_for(lambda: len({s.kind for s in agent.spans(lambda s: s.name == pause_after)}) >= ends, f"spans named {pause_after}")
            say_go(child)
        self.wait_client(child)

    def burst(self, protocol, port, server, first, *options, kind="client"):
        """The agent on both ends, after both bursts of bursts.py, of which the first gives so many spans of that kind."""
        child = self.start_client(PYTHON, BURSTS, protocol, str(port), *options, env=None)
        agent = self.watch(child, server)
        say_go(child)
        agent.expect_spans(first, lambda s: s.kind == kind)  # the rule that they tell of holds by then
        say_go(child)
        self.wait_client(child)
        return agent

    def check_all_read(self, agent):
        agent.check_books()
        self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0, agent.losses())
        self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)

    def start_client(self, *argv, env):
        child = Child(list(argv), stdin=subprocess.PIPE, env=env)
        self.addCleanup(child.stop)
        return child

    def wait_client(self, child):
        wait_for(lambda: "done" in child.output() or child.process.poll(), "the client", deadline=120)
        self.assertIsNone(child.process.poll(), child.output())

    def check_losses(self, agent):
        agent.check_books()  # what is told a little later than the spans is told by then
        for cause in ("hole", "unmatched", "parse_invalid", "unknown_protocol"):
            self.assertEqual(agent.metric_sum("waggle_turns_lost_total", cause=cause), 0, agent.losses())

    def check_metrics(self, agent, found, system):
        for operation in {s["db.operation.name"] for s in found}:
            wanted = sum(s["db.operation.name"] == operation for s in found)
            self.assertEqual(agent.metric_sum("db_client_operation_duration_seconds_count", db_operation_name=operation,
                                              db_system_name=system), wanted)
        self.check_losses(agent)
