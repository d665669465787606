# SPDX-License-Identifier: Apache-2.0
"""Builds the programs of tests/services that need a compiler, under build/services, when their sources are newer."""
import contextlib
import fcntl
import glob
import os
import pathlib
import subprocess
import sys

from harness import ROOT

sys.path.insert(0, os.path.join(ROOT, "tools"))
from private_apt import configure, update  # noqa: E402

SOURCES = os.path.join(ROOT, "tests/services")
OUT = os.path.join(ROOT, "build/services")


def _is_newer(source, product):
    paths = [os.path.join(folder, f) for folder, _, files in os.walk(source) for f in files] or [source]
    return not os.path.exists(product) or max(map(os.path.getmtime, paths)) > os.path.getmtime(product)


def run(commands, cwd=None, env=None):
    for command in commands:
        done = subprocess.run(command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@contextlib.contextmanager
def alone(product):
    """Tests may run beside each other: one of them builds, the others wait for it."""
    folder = os.path.join(ROOT, "build/tools/locks")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, os.path.relpath(product, ROOT).replace("/", "-")), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make(source, product, *commands, cwd=None, env=None):
    os.makedirs(os.path.dirname(product), exist_ok=True)
    with alone(product):
        if _is_newer(source, product):
            run(commands, cwd, env)
    return product


def go_program():
    """Its file is called server, so that only Go's own build information can name it."""
    product = os.path.join(OUT, "go/server")
    return make(os.path.join(SOURCES, "go"), product, ["go", "build", "-o", product, "."],
                 cwd=os.path.join(SOURCES, "go"), env={"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"})


def go_http2():
    product = os.path.join(OUT, "go/depot")
    source = os.path.join(SOURCES, "go-http2")
    return make(source, product, ["go", "build", "-o", product, "."], cwd=source, env={"GOPROXY": "off", "GOTOOLCHAIN": "local"})


def go_tls(name, *options):
    """HTTPS server and client; `options` of the build make each name another program."""
    product = os.path.join(OUT, "go", name)
    source = os.path.join(SOURCES, "go-tls")
    return make(source, product, ["go", "build", *options, "-o", product, "."], cwd=source,
                 env={"GOPROXY": "off", "GOTOOLCHAIN": "local"})


def go_grpc():
    """With grpc-go from the module proxy. Go writes sums beside the manifest, which must not be the tree's."""
    source = os.path.join(SOURCES, "go-grpc")
    product = os.path.join(OUT, "go/switchboard")
    copy = os.path.join(OUT, "go-grpc-source")
    return make(source, product, ["rm", "-rf", copy], ["cp", "-r", source, copy], ["go", "-C", copy, "mod", "tidy"],
                 ["go", "-C", copy, "build", "-o", product, "."],
                 env={"GONOSUMDB": "*", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"})


def _java_with_archives(name, main):
    """The folder with the program's classes, and in it, one with the archives from Maven's that it needs."""
    source = os.path.join(SOURCES, "java-" + name)
    folder = os.path.join(OUT, "java", name)
    archives = os.path.join(folder, "archives")
    make(source, os.path.join(folder, main + ".class"), ["rm", "-rf", folder],
          ["mvn", "-q", "-B", "-f", source + "/pom.xml", "dependency:copy-dependencies", "-DoutputDirectory=" + archives],
          ["javac", "-nowarn", "-cp", archives + "/*", "-d", folder, f"{source}/{main}.java"])
    return folder, archives


def java_grpc():
    """The class path of a program with grpc-java."""
    folder, archives = _java_with_archives("grpc", "Board")
    return folder + ":" + archives + "/*"


def java_netty():
    """A program on Netty with BoringSSL: the class path without that, and the library's archive."""
    folder, archives = _java_with_archives("netty", "Counter")
    library, = glob.glob(archives + "/*boringssl-static*.jar")
    return ":".join([folder, *(path for path in sorted(glob.glob(archives + "/*.jar")) if path != library)]), library


def cpp_grpc():
    """With Debian's gRPC for C++."""
    product = os.path.join(OUT, "cpp/board")
    source = os.path.join(SOURCES, "cpp-grpc/board.cc")
    return make(source, product, ["sh", "-c", f"g++ -std=c++20 -O2 -o {product} {source} $(pkg-config --libs grpc++)"])


def java_class(source, name, classpath=""):
    """The folder of classes with the class of that name in it."""
    folder = os.path.join(OUT, "java", name.replace(".", "-").lower())
    product = os.path.join(folder, name.replace(".", "/") + ".class")
    path = os.path.join(SOURCES, "java", source)
    make(path, product, ["javac", "-nowarn", "-cp", classpath, "-d", folder, path])
    return folder


def java_archive(source, name, archive):
    product = os.path.join(OUT, "java", archive)
    folder = java_class(source, name)
    return make(os.path.join(SOURCES, "java", source), product, ["jar", "cfe", product, name, "-C", folder, "."])


def erlang_module(name):
    """The folder with the module."""
    source = os.path.join(SOURCES, "erlang", name + ".erl")
    folder = os.path.join(OUT, "erlang")
    make(source, os.path.join(folder, name + ".beam"), ["erlc", "-o", folder, source])
    return folder


def cargo(name, product, *options):
    # Cargo writes its lock file beside the manifest, which must not be the tree's.
    source = os.path.join(SOURCES, name)
    target = os.path.join(OUT, name)
    copy = os.path.join(OUT, name + "-source")
    return make(source, os.path.join(target, product),
                ["rm", "-rf", copy], ["cp", "-r", source, copy],
                ["cargo", "build", "--quiet", "--manifest-path", copy + "/Cargo.toml", "--target-dir", target, *options], cwd=OUT)


def rust_program():
    """From Debian's own folder of crates: no network."""
    return cargo("rust", "debug/parcels", "--offline", "--config", "source.crates-io.replace-with='debian'",
                 "--config", "source.debian.directory='/usr/share/cargo/registry'")


def rust_hyper():
    return cargo("rust-hyper", "debug/harbour")


def rust_openssl():
    """Its crate links the system's library."""
    return cargo("rust-openssl", "debug/ledger")


def rust_tls():
    """rustls as a release build links it, with its symbols and without: the two programs."""
    product = cargo("rust-tls", "release/vault", "--release")
    stripped = product + "-stripped"
    return product, make(product, stripped, ["strip", "-o", stripped, product])


def static_tls(is_stripped=True):
    """With OpenSSL linked in, and no symbols, or all of them."""
    product = os.path.join(OUT, "tls-static", "serve" if is_stripped else "serve-with-symbols")
    return make(os.path.join(SOURCES, "tls-static"), product, static_tls_command(product, ["-s"] if is_stripped else []))


def dynamic_node():
    """The command of Debian's own Node, which loads the system's OpenSSL. It reads files of its own at one place, which are in a
    mount namespace of its own there."""
    folder = os.path.join(ROOT, "build/tools/node-18")
    unpacked("nodejs libnode108 libc-ares2 libnghttp2-14 libuv1 libicu72 libbrotli1 node-undici node-acorn node-busboy "
             "node-cjs-module-lexer node-xtend", folder, "bookworm")
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0/usr/share/nodejs" /usr/share/nodejs && '
            'LD_LIBRARY_PATH="$0/usr/lib/x86_64-linux-gnu" exec "$0/usr/bin/node" "$@"', folder]


def static_tls_1_1():
    """With OpenSSL 1.1 and no symbols."""
    libraries = old_openssl()
    headers = [os.path.join(libraries, "../../include"), os.path.join(libraries, "../../include/x86_64-linux-gnu")]
    product = os.path.join(OUT, "tls-static", "serve-1.1")
    return make(os.path.join(SOURCES, "tls-static"), product,
                static_tls_command(product, ["-s", *("-I" + folder for folder in headers), "-L" + libraries]))


def static_tls_command(product, more):
    return ["gcc", "-O2", "-static", "-o", product, os.path.join(SOURCES, "tls-static/serve.c"), *more, "-lssl", "-lcrypto"]


def from_index(package, options=()):
    """The folder with a package of Python's index in it, and what it needs: what no distribution has."""
    folder = os.path.join(ROOT, "build/tools", package.replace("==", "-"))
    mark = os.path.join(folder, "installed")
    with alone(folder):
        if os.path.exists(mark):
            return folder
        pip = ["/usr/bin/python3", "-m", "pip", "install", "--quiet", *options, "--target"]
        run([["rm", "-rf", folder], [*pip, folder, package], ["touch", mark]])
    return folder


def _from_index(package):
    return from_index(package, ["--no-deps"])


# For a package whose needs are not built here.
WHEELS = ["--only-binary=:all:", "--python-version", "3.11"]


def curl_cffi():
    """Its one library has BoringSSL in it, with its symbols."""
    return from_index("curl_cffi==0.17.0", WHEELS)


def zig_program():
    source = os.path.join(SOURCES, "zig/kiosk.zig")
    product = os.path.join(OUT, "zig/kiosk")
    compiler = os.path.join(_from_index("ziglang==0.13.0"), "ziglang/zig")
    return make(source, product, [compiler, "build-exe", "-O", "ReleaseSafe", "-femit-bin=" + product, source],
                 env={"ZIG_GLOBAL_CACHE_DIR": os.path.join(OUT, "zig/cache"), "ZIG_LOCAL_CACHE_DIR": os.path.join(OUT, "zig/cache")})


def unpacked(packages, folder, suite, mark="installed"):
    """Fetches these packages of one of Debian's suites into the folder, beside what is installed."""
    mark = os.path.join(folder, mark)
    with alone(folder):
        if not os.path.exists(mark):
            os.makedirs(folder, exist_ok=True)
            lists = pathlib.Path(folder, "apt")
            environment = configure(lists, (suite, suite + "-security"), "amd64")
            update(lists, environment)
            run([["sh", "-c", f"rm -f *.deb && apt-get download -qq {packages} && for i in *.deb; do dpkg-deb -x $i .; done && touch {mark}"]],
                cwd=folder, env=environment)


def old_openssl():
    """The folder with OpenSSL 1.1's libraries, which .NET 3.1 wants, and with what a compiler wants of it, from the last of Debian's
    suites that has them."""
    folder = os.path.join(ROOT, "build/tools/libssl1.1")
    unpacked("libssl1.1 libssl-dev", folder, "bullseye", mark="installed-to-compile")
    return os.path.join(folder, "usr/lib/x86_64-linux-gnu")


def dotnet_program(source="Warehouse.cs"):
    """The command of .NET, and the library with the program: compiled by Mono's compiler for .NET's own libraries."""
    runtime = os.path.join(_from_index("dotnetcore2==3.1.23"), "dotnetcore2/bin")
    shared = os.path.join(runtime, "shared/Microsoft.NETCore.App")
    framework = os.path.join(shared, os.listdir(shared)[0])
    source = os.path.join(SOURCES, "dotnet", source)
    product = os.path.join(OUT, "dotnet", os.path.splitext(os.path.basename(source))[0].lower() + ".dll")
    libraries = [f"-r:{framework}/{name}" for name in sorted(os.listdir(framework))
                 if name.startswith("System.") and name.endswith(".dll") and "WindowsRuntime" not in name]
    make(source, product, ["cp", os.path.join(SOURCES, "dotnet/runtimeconfig.json"), product[:-len("dll")] + "runtimeconfig.json"],
          ["mcs", "-nostdlib", "-noconfig", *libraries, "-out:" + product, source])
    return os.path.join(runtime, "dotnet"), product


def dotnet_environment():
    return {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "LD_LIBRARY_PATH": old_openssl()}


COLLECTOR = "0.165.0"
_COLLECTOR_PARTS = f"""dist: {{name: otelcol, output_path: %s}}
receivers: [{{gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v{COLLECTOR}}}]
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/otlphttpexporter v{COLLECTOR}
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter v{COLLECTOR}
"""


def collector():
    """OpenTelemetry's Collector, built by its own builder with the parts that the tests need."""
    folder = os.path.join(ROOT, "build/tools", "collector-" + COLLECTOR)
    product = os.path.join(folder, "otelcol")
    with alone(folder):
        if not os.path.exists(product):
            _build_collector(folder, product)
    return product


def _build_collector(folder, product):
    os.makedirs(folder, exist_ok=True)
    parts = os.path.join(folder, "parts.yaml")
    with open(parts, "w") as file:
        file.write(_COLLECTOR_PARTS % os.path.join(folder, "source"))
    # The checksum database is not reachable everywhere; go.sum still pins what was fetched. The builder
    # asks for the newest toolchain it knows: the one that is here will do.
    env = {"GONOSUMDB": "*", "GOFLAGS": "-mod=mod", "GOBIN": folder, "CGO_ENABLED": "0"}
    run([["go", "install", f"go.opentelemetry.io/collector/cmd/builder@v{COLLECTOR}"],
          [os.path.join(folder, "builder"), "--config", parts],
          ["mv", os.path.join(folder, "source/otelcol"), product]], cwd=folder, env=env)
