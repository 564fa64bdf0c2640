"""The command-line clients that people have, started against a gateway."""

import shutil
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from tests.acceptance.backends import REGION
from tests.acceptance.keys import KEYS
from tests.acceptance.processes import PROGRAMS, clean_environment
from tests.acceptance.warm import Outcome, aws_cli

__all__ = ["Outcome", "Programs"]


class Programs(ABC):
    """aws-cli, rclone, s5cmd and curl, for a gateway at `url`, working in `folder`."""

    __slots__ = ()

    folder: Path

    @property
    @abstractmethod
    def url(self) -> str:
        """The base of the gateway's URLs, without a slash at the end."""

    def env(self, key: str = "write") -> dict[str, str]:
        """The environment that points aws-cli, s5cmd, and rclone's remote `gw:` here."""
        chosen = KEYS[key]
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return clean_environment() | {
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": chosen.access_key_id,
            "AWS_SECRET_ACCESS_KEY": chosen.secret_access_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "S3_ENDPOINT_URL": self.url,
            "RCLONE_CONFIG": "",
            "RCLONE_RETRIES": "1",
            "RCLONE_CONFIG_GW_TYPE": "s3",
            "RCLONE_CONFIG_GW_PROVIDER": "Other",
            "RCLONE_CONFIG_GW_ENDPOINT": self.url,
            "RCLONE_CONFIG_GW_REGION": REGION,
            "RCLONE_CONFIG_GW_ACCESS_KEY_ID": chosen.access_key_id,
            "RCLONE_CONFIG_GW_SECRET_ACCESS_KEY": chosen.secret_access_key,
        }

    def aws(self, *arguments: str | Path, key: str = "write", code: int = 0) -> Outcome:
        """The outcome of aws-cli with these arguments; AssertionError on another exit code."""
        told = [str(each) for each in arguments]
        return _checked(aws_cli().run(told, self.env(key), self.folder), code)

    def rclone(self, *arguments: str | Path, key: str = "write", code: int = 0) -> Outcome:
        """The outcome of rclone, whose remote `gw:` is the gateway."""
        return self._run([PROGRAMS / "rclone", *arguments], key, code)

    def s5cmd(self, *arguments: str | Path, key: str = "write", code: int = 0) -> Outcome:
        """The outcome of s5cmd."""
        return self._run([PROGRAMS / "s5cmd", "--retry-count=0", *arguments], key, code)

    def curl(self, *arguments: str | Path, key: str | None = None, code: int = 0) -> Outcome:
        """The outcome of curl, signed where `key` names one; other HTTP errors are exit 22."""
        program = shutil.which("curl")
        assert program is not None, "curl is not installed"
        command: list[str | Path] = [
            program,
            "-sS",
            "--fail-with-body",
            "--path-as-is",
            "--globoff",
        ]
        if key is not None:
            chosen = KEYS[key]
            account = f"{chosen.access_key_id}:{chosen.secret_access_key}"
            command += ["--aws-sigv4", f"aws:amz:{REGION}:s3", "--user", account]
            command += ["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
        return self._run([*command, *arguments], key or "write", code)

    def _run(self, command: list[str | Path], key: str, code: int) -> Outcome:
        outcome = subprocess.run(
            [str(part) for part in command],
            env=self.env(key),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return _checked(outcome, code)


def _checked(outcome: Outcome, code: int) -> Outcome:
    program, *arguments = outcome.args
    told = f"{Path(program).name} {arguments}\n{outcome.stdout}\n{outcome.stderr}"
    assert outcome.returncode == code, f"exit {outcome.returncode}: {told}"
    return outcome
