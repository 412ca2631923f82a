#!/usr/bin/env python3
"""Writes what the binary is made of: a CycloneDX 1.5 SBOM, as JSON, to stdout.

    python3 deploy/sbom.py > sbom.cdx.json

It asks `cargo metadata` and reads Cargo.lock, fetches nothing that a build
would not, and always writes the same for the same lock file and target, so
that two builds can be compared. Crates that are linked have the scope
`required`; those that only run while building (macros, build scripts' crates)
`excluded`. Crates of the tests are left out.

    --target TRIPLE   for another target than this machine's
    --package NAME    another package than `pizza`
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CARGO = os.environ.get("CARGO", "cargo")


def host():
    """The target of a build that names none."""
    told = subprocess.run([CARGO, "-vV"], cwd=ROOT, check=True, capture_output=True, text=True)
    return re.search(r"^host: (\S+)$", told.stdout, re.MULTILINE).group(1)


def metadata(target):
    command = [CARGO, "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    told = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return json.loads(told.stdout)


def checksums():
    """The SHA-256 of each crate's archive, by name and version."""
    lock = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
    found = {}
    for block in lock.split("[[package]]")[1:]:
        fields = dict(re.findall(r'^(\w+) = "([^"]*)"$', block, re.MULTILINE))
        if "checksum" in fields:
            found[fields["name"], fields["version"]] = fields["checksum"]
    return found


def is_macro(package):
    return any("proc-macro" in target["kind"] for target in package["targets"])


def reached(start, nodes, packages):
    """Each package that `start` needs, with whether it is linked."""
    linked = {}
    waiting = [(start, True)]
    while waiting:
        package, is_linked = waiting.pop()
        is_linked = is_linked and not is_macro(packages[package])
        if linked.get(package) is True or linked.get(package) == is_linked:
            continue
        linked[package] = is_linked
        for needed in nodes[package]["deps"]:
            kinds = {kind["kind"] for kind in needed["dep_kinds"]}
            if None in kinds:
                waiting.append((needed["pkg"], is_linked))
            elif "build" in kinds:
                waiting.append((needed["pkg"], False))
    return linked


def licence(package):
    expression = package["license"]
    if expression:
        # The form of before SPDX expressions: a slash for "or".
        return [{"expression": re.sub(r"\s*/\s*", " OR ", expression)}]
    file = package["license_file"]
    if not file:
        return []
    text = (pathlib.Path(package["manifest_path"]).parent / file).read_text(encoding="utf-8")
    if re.match(r"\s*(The )?MIT License\b", text):
        return [{"license": {"id": "MIT"}}]
    return [{"license": {"name": file, "text": {"content": text}}}]


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, is_linked, sums):
    described = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "scope": "required" if is_linked else "excluded",
        "purl": purl(package),
    }
    licences = licence(package)
    if licences:
        described["licenses"] = licences
    checksum = sums.get((package["name"], package["version"]))
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        described["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return described


def document(name, target):
    told = metadata(target)
    packages = {package["id"]: package for package in told["packages"]}
    nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
    members = {packages[member]["name"]: member for member in told["workspace_members"]}
    if name not in members:
        sys.exit(f"error: there is no package {name} in this workspace")
    linked = reached(members[name], nodes, packages)
    sums = checksums()
    by_purl = sorted(linked, key=lambda package: purl(packages[package]))
    subject = packages[members[name]]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                **component(subject, True, sums),
                "type": "application",
                "properties": [{"name": "cargo:target", "value": target}],
            }
        },
        "components": [
            component(packages[package], linked[package], sums)
            for package in by_purl
            if package != members[name]
        ],
        "dependencies": [
            {
                "ref": purl(packages[package]),
                "dependsOn": sorted(
                    {
                        purl(packages[needed["pkg"]])
                        for needed in nodes[package]["deps"]
                        if needed["pkg"] in linked
                    }
                ),
            }
            for package in by_purl
        ],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--target", help="the target that is built for")
    parser.add_argument("--package", default="pizza", help="what is described")
    given = parser.parse_args()
    described = document(given.package, given.target or host())
    json.dump(described, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
