# SPDX-License-Identifier: Apache-2.0
"""An apt that works in folders of its own, on the archive that this host's apt uses: packages of other suites and processors,
while the host's sources, lists and packages stay as they are. Needs no root."""
import fcntl
import os
import subprocess
import sys
import time

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DAY = 24 * 3600


def archives():
    """{label: address} of the archives that the host's apt is configured with."""
    out = subprocess.run(["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Identifier: Packages"],
                         capture_output=True, text=True, check=True).stdout
    found = dict(line.split("|", 1) for line in out.splitlines())
    if "Debian" not in found:  # lists that were never fetched have no label
        sys.exit("no Debian archive among the host's apt sources (apt-get update?)")
    return found


def configure(folder, suites, arch):
    """The environment in which apt's commands work in this folder."""
    known = archives()
    signed = f" signed-by={KEYRING}" if os.path.exists(KEYRING) else ""
    lines = []
    for suite in suites:
        label = "Debian-Security" if suite.endswith("-security") else "Debian"
        if label in known:
            lines.append(f"deb [arch={arch}{signed}] {known[label]} {suite} main\n")
    for part in ("lists/partial", "cache/archives/partial", "sources.d"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text("".join(lines))
    (folder / "apt.conf").write_text(
        f'APT::Architecture "{arch}"; APT::Architectures {{ "{arch}"; }};\n'
        f'Dir::State "{folder}"; Dir::State::status "{folder}/status"; Dir::State::lists "{folder}/lists";\n'
        f'Dir::Cache "{folder}/cache"; Dir::Etc::sourcelist "{folder}/sources.list"; Dir::Etc::sourceparts "{folder}/sources.d";\n'
        'Acquire::Retries "3"; Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false"; APT::Sandbox::User "root";\n'
        '#clear APT::Update::Post-Invoke; #clear APT::Update::Post-Invoke-Success; #clear DPkg::Post-Invoke;\n')
    return dict(os.environ, APT_CONFIG=str(folder / "apt.conf"))


def update(folder, environment):
    """Fetches the lists, at most once a day. What is there stays when that fails."""
    stamp = folder / "updated"
    # Tests that run beside one another share the folder, and the second apt-get would not wait for the first one's locks.
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.stat().st_mtime > time.time() - DAY:
            return
        done = subprocess.run(["apt-get", "update", "-qq"], env=environment, capture_output=True, text=True)
        if done.returncode == 0 and "E:" not in done.stderr:
            stamp.touch()
        else:
            print(f"the archive's lists cannot be fetched: {done.stderr.strip()}", file=sys.stderr)
