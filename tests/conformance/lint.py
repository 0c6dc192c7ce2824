"""openapi.yaml: the validator, and the linter's strict rules."""
import subprocess
import sys

import host
import openapi_spec_validator
import yaml

CONTRACT = host.ROOT / "openapi.yaml"
REDOCLY = host.ROOT / "build/conformance/node_modules/.bin/redocly"


def is_valid():
    """the contract is valid OpenAPI 3.1"""
    openapi_spec_validator.validate(yaml.safe_load(CONTRACT.read_text()))


def is_clean():
    """the strict linter finds nothing"""
    done = subprocess.run(
        [REDOCLY, "lint", "--config", host.HERE / "redocly.yaml",
         "--format", "stylish", CONTRACT],
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin",
             "REDOCLY_TELEMETRY": "off",
             "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"})
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(host.run("lint", [is_valid, is_clean]))
