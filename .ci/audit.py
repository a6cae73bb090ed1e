"""An SBOM of requirements.lock in runs/audit/sbom.json, and its known vulnerabilities.

`make audit` runs it, in an environment of its own. It fails where a vulnerability is known. Where
the indexes of vulnerabilities do not answer, or know nothing of a package, it says so: that is no
all-clear.
"""

import json
import subprocess
import sys
from pathlib import Path

LOCK, FOLDER = Path("requirements.lock"), Path("runs/audit")
# Asked one after the other, until one knows the packages.
SERVICES = ("pypi", "osv")


def run(tool, *arguments):
    """Run a tool of this environment and return what it printed."""
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def write_sbom():
    """Write the SBOM and return how many packages are in it."""
    target = FOLDER / "sbom.json"
    options = ["--pyproject", "pyproject.toml", "--mc-type", "library", "--output-reproducible"]
    done = run("cyclonedx-py", "requirements", str(LOCK), *options, "--output-file", str(target))
    if done.returncode:
        sys.exit(f"cyclonedx-py failed:\n{done.stderr}")
    return len(json.loads(target.read_text())["components"])


def vulnerabilities(service):
    """Return an index's vulnerabilities of each package; `None` where it does not answer."""
    target = FOLDER / f"vulnerabilities-{service}.json"
    target.unlink(missing_ok=True)
    options = [
        "--disable-pip",
        "--no-deps",
        "--progress-spinner",
        "off",
        "--timeout",
        "15",
        "--format",
        "json",
    ]
    done = run(
        "pip-audit",
        "--requirement",
        str(LOCK),
        "--vulnerability-service",
        service,
        *options,
        "-o",
        str(target),
    )
    if not target.exists():
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"The index {service} does not answer: {last[:200]}")
        return None
    return json.loads(target.read_text())["dependencies"]


def main():
    """Write the SBOM, ask for vulnerabilities, and fail if there are any."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(f"{FOLDER / 'sbom.json'}: {write_sbom()} packages of {LOCK}, CycloneDX")
    found = False
    for service in SERVICES:
        packages = vulnerabilities(service)
        if packages is None:
            continue
        known = [package for package in packages if "skip_reason" not in package]
        for package in known:
            for each in package["vulns"]:
                found = True
                print(
                    f"{package['name']} {package['version']}: {each['id']}, fixed in "
                    f"{each['fix_versions']}"
                )
        print(f"The index {service} knows {len(known)} of {len(packages)} packages.")
        if len(known) == len(packages):
            break
    else:
        print("Not all packages could be looked up: this is no all-clear.")
    sys.exit(int(found))


if __name__ == "__main__":
    main()
