"""The SBOM in a wheel (PEP 770): the package, and its bundled weights and sample data.

Hatchling runs it for each wheel. What the package asks for stands in the wheel's METADATA; `make
audit` lists what the lock installs. It holds no time and no random number, so that equal sources
give equal wheels.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Bundled files that are no code: kind of component in CycloneDX 1.6, licence (SPDX, or in words),
# what it is.
PUBLIC_DOMAIN = {"name": "public domain, as statsmodels states"}
BUNDLED = {
    "pretrained/weights.seqcast": (
        "machine-learning-model",
        {"id": "MIT"},
        "Weights of the pretrained network, which saw only synthetic series of seqcast's own",
    ),
    "data/samples/co2.csv": ("data", PUBLIC_DOMAIN, "Carbon dioxide at Mauna Loa, weekly"),
    "data/samples/elnino.csv": ("data", PUBLIC_DOMAIN, "Sea surface temperature, monthly"),
    "data/samples/lynx.csv": (
        "data",
        {"name": "none stated; published counts"},
        "Lynx trapped, yearly",
    ),
    "data/samples/sunspots.csv": ("data", PUBLIC_DOMAIN, "Sunspot number, yearly"),
    "tables/month_names.csv": ("data", {"id": "Unicode-3.0"}, "Names of months, from Unicode CLDR"),
}


def bill_of_materials(root, version):
    """Return the SBOM of a version, a document of CycloneDX 1.6.

    Args:
        root: The folder of the sources.
        version: The version of the package.
    """
    package = {
        "type": "library",
        "bom-ref": "seqcast",
        "name": "seqcast",
        "version": version,
        "purl": f"pkg:pypi/seqcast@{version}",
        "licenses": [{"license": {"id": "MIT"}}],
    }
    parts = []
    for name, (kind, licence, description) in BUNDLED.items():
        digest = hashlib.sha256((Path(root) / "src" / "seqcast" / name).read_bytes()).hexdigest()
        part = {
            "type": kind,
            "bom-ref": f"seqcast/{name}",
            "name": f"seqcast/{name}",
            "description": description,
        }
        parts.append(
            part
            | {
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "licenses": [{"license": licence}],
            }
        )
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": package},
        "components": parts,
        "dependencies": [{"ref": "seqcast", "dependsOn": [part["bom-ref"] for part in parts]}],
    }


class SbomHook(BuildHookInterface):
    """Writes the SBOM to a temporary folder, from which hatchling takes it into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version, build_data):
        """Write it before the wheel is built."""
        self.folder = Path(tempfile.mkdtemp(prefix="seqcast-sbom-"))
        path = self.folder / "seqcast.cdx.json"
        path.write_text(
            json.dumps(bill_of_materials(self.root, self.metadata.version), indent=1) + "\n",
            "utf-8",
        )
        build_data["sbom_files"].append(str(path))

    def finalize(self, version, build_data, artifact_path):
        """Remove the folder."""
        shutil.rmtree(self.folder)
