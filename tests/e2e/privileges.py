# SPDX-License-Identifier: Apache-2.0
"""Programs as another user with exactly the capabilities that are named."""
import atexit
import os
import shutil
import tempfile

from harness import WAGGLE

NOBODY = 65534
FOUR = ("bpf", "perfmon", "sys_ptrace", "dac_read_search")


def as_user(capabilities, uid=NOBODY):
    """The beginning of a command: this user, these capabilities, and no way to get another."""
    changes = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs", f"--inh-caps={changes}",
            f"--ambient-caps={changes}", f"--bounding-set={changes}"]


def public_folder():
    folder = tempfile.mkdtemp(prefix="waggle-public-")
    os.chmod(folder, 0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def public_copy():
    """The program where everybody may run it."""
    path = os.path.join(public_folder(), "waggle")
    shutil.copy(WAGGLE, path)
    os.chmod(path, 0o755)
    return path


def public_file(name, text):
    path = os.path.join(public_folder(), name)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o644)
    return path
