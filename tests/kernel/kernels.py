# SPDX-License-Identifier: Apache-2.0
"""Debian's kernels: finds the newest package of a version in the archive that this host's apt uses, and keeps its image and
its BTF in a cache outside the tree."""
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
from private_apt import configure, update  # noqa: E402

CACHE = pathlib.Path(os.environ.get("WAGGLE_KERNEL_CACHE", pathlib.Path.home() / ".cache/waggle-kernels"))
# Which suites have a version; "newest" is whatever the last ones have.
SUITES = {"5.10": ("bullseye", "bullseye-security"), "6.1": ("bookworm", "bookworm-security"),
          "6.12": ("trixie", "trixie-security"), "newest": ("trixie-backports", "sid", "experimental")}
VERSIONS = tuple(SUITES)
# A version's kernels differ by what they are configured for: clouds (those are booted), everything, real time, larger pages.
FLAVOURS = {"amd64": ("cloud-amd64", "amd64", "rt-amd64"), "arm64": ("cloud-arm64", "arm64", "rt-arm64", "arm64-16k")}
MODULE_FOLDERS = ("crypto", "lib/crypto", "net/tls")  # that tests load modules of


def package_names(environment, version, flavour):
    names = subprocess.run(["apt-cache", "pkgnames", "linux-image-"], capture_output=True, text=True, check=True,
                           env=environment).stdout.split()
    wanted = r"\d+\.\d+" if version == "newest" else re.escape(version)
    # Release candidates and packages that only name another have no number after the version.
    return [n for n in names if re.fullmatch(rf"linux-image-{wanted}[.]\d(?:[\d.+-]|deb)*-{flavour}", n)]


def number(name):
    return [int(x) for x in re.findall(r"\d+", re.sub("-(?:amd|arm)64.*", "", name))]


def packages(version, arch, flavour=""):
    """(names of the flavour's packages, a cloud's if none is named, newest first; environment for apt-get download)."""
    folder = CACHE / "apt" / f"{version}-{arch}"
    folder.mkdir(parents=True, exist_ok=True)
    environment = configure(folder, SUITES[version], arch)
    update(folder, environment)
    flavour = flavour or FLAVOURS[arch][0]
    names = package_names(environment, version, flavour)
    if not names:
        sys.exit(f"no kernel {version} for {flavour} in {', '.join(SUITES[version])}: the test cannot run")
    return sorted(names, key=number, reverse=True), environment


def flavours(version, arch):
    """Those that there are of this version; larger pages are new."""
    _, environment = packages(version, arch)
    return [flavour for flavour in FLAVOURS[arch] if package_names(environment, version, flavour) or not flavour.endswith("16k")]


def download(name, environment, folder, part="linux-binary-", patterns=("vmlinuz*",)):
    """Puts those files of the package that match into the folder; else returns why not."""
    with tempfile.TemporaryDirectory() as work:
        # Since 7.0 or so the image and the modules are in packages of their own.
        own = name.replace("linux-image-", part)
        has_own = subprocess.run(["apt-cache", "show", own], env=environment, capture_output=True).returncode == 0
        done = subprocess.run(["apt-get", "download", "-qq", own if has_own else name], cwd=work, env=environment,
                              capture_output=True, text=True)
        found = list(pathlib.Path(work).glob("*.deb"))
        if done.returncode or not found:
            return done.stderr.strip() or "nothing was downloaded"
        files = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(found[0])], stdout=subprocess.PIPE)
        wanted = [f"./*/{pattern}" for pattern in patterns]
        tar = subprocess.run(["tar", "-x", "-C", work, "--wildcards", *wanted], stdin=files.stdout, capture_output=True, text=True)
        files.stdout.close()
        files.wait()
        paths = [path for pattern in patterns for path in pathlib.Path(work).rglob(pattern)]
        if not paths:
            return tar.stderr.strip()
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            to = folder / re.sub(r"^(vmlinuz).*", r"\1", path.name)
            whole = to.with_suffix(f".{os.getpid()}")  # another test may be at the same file
            shutil.copy(path, whole)
            whole.rename(to)
    return ""


def find_kernel(version, arch="amd64", flavour=""):
    """The image of the newest kernel of this version and flavour."""
    names, environment = packages(version, arch, flavour)
    why = ""
    # The lists of an old suite name packages that the archive has dropped since; once a day is asked for those.
    lists = CACHE / "apt" / f"{version}-{arch}" / "updated"
    listed = lists.stat().st_mtime if lists.exists() else float("inf")
    images = [CACHE / name / "vmlinuz" for name in names[:12]]
    for image in images:
        if image.exists() and image.stat().st_mtime > listed:
            return str(image)
    for image in images:
        why = "" if image.exists() else download(image.parent.name, environment, image.parent)
        if not why:
            image.touch()
            return str(image)
    sys.exit(f"kernel {version} for {arch} cannot be downloaded: {why}")


def find_modules(version, names, arch="amd64"):
    """Files of these modules of find_kernel's kernel and of what they depend on, unpacked, in the order to insert them. Those that
    it has built in are left out."""
    folder = pathlib.Path(find_kernel(version, arch)).parent
    kept = folder / "modules"
    if not kept.exists():
        _, environment = packages(version, arch)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            packed = pathlib.Path(work) / "packed"
            why = download(folder.name, environment, packed, "linux-modules-", [f"kernel/{where}/*.ko*" for where in MODULE_FOLDERS])
            if why:
                sys.exit(f"modules of {folder.name} cannot be downloaded: {why}")
            unpacked = pathlib.Path(work) / "modules"
            unpacked.mkdir()
            for path in packed.iterdir():
                (unpacked / (path.name.split(".")[0] + ".ko")).write_bytes(unpack(path.read_bytes()))
            unpacked.rename(kept)
    found = []

    def add(name):
        path = kept / f"{name}.ko"
        if not path.exists() or str(path) in found:
            return
        needed = re.search(rb"\0depends=([^\0]+)\0", path.read_bytes())
        for other in needed[1].decode().split(",") if needed else []:
            add(other.replace("_", "-") if not (kept / f"{other}.ko").exists() else other)
        found.append(str(path))
    for name in names:
        add(name)
    return found


# ---- BTF, from the image

def unpack(packed):
    """The kernel itself, as one of the ways that kernels are packed by gives it."""
    for magic, program in ((b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\x1f\x8b\x08", "gzip"), (b"\x02\x21\x4c\x18", "lz4")):
        if packed.startswith(magic):
            return subprocess.run([program, "-dcq"], input=packed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return packed


def raw_image(data):
    """The kernel itself: an ELF file (x86), or arm64's own image."""
    if data[514:518] == b"HdrS":  # x86's boot protocol says where the packed kernel stands; its size is the last word
        offset, size = struct.unpack_from("<II", data, 584)
        begin = (data[497] + 1) * 512 + offset
        return unpack(data[begin:begin + size - 4])
    if data[4:8] == b"zimg":  # EFI's
        offset, size = struct.unpack_from("<II", data, 8)
        return unpack(data[offset:offset + size])
    return unpack(data)


def find_btf(image):
    """The kernel's own BTF, by its header: the first that holds together and has the size of a kernel's."""
    at = image.find(b"\x9f\xeb\x01\x00\x18\x00\x00\x00")
    while at >= 0:
        header, types_at, types, strings_at, strings = struct.unpack_from("<IIIII", image, at + 4)
        begin = at + header + strings_at
        if types > 1 << 20 and types_at == 0 and begin + strings <= len(image) and image[begin] == 0:
            return image[at:begin + strings]
        at = image.find(b"\x9f\xeb\x01\x00\x18\x00\x00\x00", at + 1)
    sys.exit("the kernel's image has no BTF")


def btf_of(version, arch="amd64", flavour=""):
    """A file with the BTF of the newest kernel of this version and flavour."""
    kernel = pathlib.Path(find_kernel(version, arch, flavour))
    path = kernel.parent / "btf"
    if not path.exists():
        data = find_btf(raw_image(kernel.read_bytes()))
        part = path.with_suffix(".part")
        part.write_bytes(data)
        part.rename(path)
    return str(path)


def main():
    arch = sys.argv[2] if len(sys.argv) > 2 else "amd64"
    print(find_kernel(sys.argv[1], arch), btf_of(sys.argv[1], arch))


if __name__ == "__main__":
    main()
