"""What a start says: where the gateway is, and lines to paste that use it."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from gateway import __version__
from gateway.config import Config
from gateway.identity import AccessKey

REGION = "us-east-1"


def print_ready(console: Console, url: str, config: Config) -> None:
    """Prints that the gateway is ready at `url`, and which workspaces it serves."""
    names = ", ".join(workspace.name for workspace in config.workspaces)
    _print(console, [f"URL         {url}", f"workspaces  {names or 'none yet'}"])


def print_first_steps(
    console: Console, url: str, key: AccessKey, workspace: str, page: str
) -> None:
    """Prints the key, its secret included, and a line to paste for each kind of client.

    `page` is the URL of something that anybody may read.
    """
    program = f"[print(o.key) for o in boto3.resource('s3').Bucket('{workspace}').objects.all()]"
    remote = f":s3,provider=Other,env_auth,region={REGION},endpoint='{url}':{workspace}"
    _print(
        console,
        [
            f"URL                {url}",
            f"access key id      {key.access_key_id}",
            f"secret access key  {key.secret_access_key}",
            f"workspace          {workspace}",
            "",
            "Paste once, for aws-cli, boto3 and rclone:",
            f"  export AWS_ENDPOINT_URL={url} AWS_DEFAULT_REGION={REGION} \\",
            f"    AWS_ACCESS_KEY_ID={key.access_key_id} \\",
            f"    AWS_SECRET_ACCESS_KEY={key.secret_access_key}",
            "",
            "and then one of these:",
            f"  aws s3 ls --recursive s3://{workspace}/",
            f'  python -c "import boto3; {program}"',
            f'  rclone lsf -R "{remote}"',
            f"  curl {page}",
            f"  {page}    in a browser",
        ],
    )


def _print(console: Console, lines: Sequence[str]) -> None:
    block = Text("\n").join(Text(line) for line in lines)
    title = Text(f"Artifact Gateway {__version__} is ready", style="bold")
    # What is to be pasted is never wrapped.
    console.print(Text("\n").join((Text(), title, Text(), block, Text())), soft_wrap=True)
